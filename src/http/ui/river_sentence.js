// The sentence above the river: how many instances there are, and which of them are in trouble.

import { count, el, fullName, many, put } from "./dom.js";
import { WORDS, glyph, inTrouble } from "./phases.js";
import { sorted, world } from "./world.js";

/** So many instances in trouble are named; the others are counted. */
const NAMED_MAX = 4;

/** Draws the sentence; who can't see the water hears the same of it. */
export function drawSentence(node, water) {
  const all = sorted();
  const ready = all.filter((view) => view.phase === "ready").length;
  const trouble = all.filter(inTrouble);
  const text = `${many(all.length, "instance")}, ${count(ready)} ready`;
  water.setAttribute("aria-label", `${text}${trouble.length ? `, ${trouble.length} in trouble` : ""}`);
  put(
    node,
    all.length
      ? el("h1", {}, many(all.length, "instance"), el("span.dim", {}, `, ${count(ready)} ready`))
      : el("h1", {}, world.loaded ? "Still water" : "\u00a0"),
    trouble.slice(0, NAMED_MAX).map(alarm),
    trouble.length > NAMED_MAX ? el("span.dim", {}, `and ${count(trouble.length - NAMED_MAX)} more`) : null,
  );
}

const alarm = (view) =>
  el(
    "a.alarm",
    { href: `#/i/${encodeURIComponent(view.lockId)}` },
    glyph(view.phase),
    el("b", {}, fullName(view)),
    el("span.dim", {}, WORDS[view.phase]),
  );

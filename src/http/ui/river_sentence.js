// The sentence above the river: how many instances there are, and which of them are in trouble.

import { calledName, count, el, fullName, many, put, tell } from "./dom.js";
import { glyph, inTrouble } from "./phases.js";
import { troubleOf } from "./reason.js";
import { isPhone } from "./river_columns.js";
import { sorted, world } from "./world.js";

/** So many instances in trouble are named at first: with more the band would push the map away. */
const NAMED_MAX = 8;
const NAMED_MAX_ON_PHONE = 4;

/**
 * Draws the sentence; who can't see the water hears the same of it. `naming` says whether all in trouble are named,
 * and has a `change` of that. Who has the focus keeps it.
 */
export function drawSentence(node, water, naming) {
  const instances = sorted();
  const ready = instances.filter((view) => view.phase === "ready").length;
  const trouble = instances.filter(inTrouble);
  const text = `${many(instances.length, "instance")}, ${count(ready)} ready`;
  water.setAttribute("aria-label", `${text}${trouble.length ? `, ${count(trouble.length)} in trouble` : ""}`);
  const most = isPhone(innerWidth) ? NAMED_MAX_ON_PHONE : NAMED_MAX;
  const named = naming.all ? trouble : trouble.slice(0, most);
  const focused = [...node.querySelectorAll("a, button")].find((one) => one === document.activeElement);
  put(
    node,
    instances.length
      ? el("h1", {}, many(instances.length, "instance"), el("span.dim", {}, `, ${count(ready)} ready`))
      : el("h1", {}, world.loaded ? "Still water" : "\u00a0"),
    named.map(alarm),
    trouble.length > most ? moreButton(trouble.length - most, naming) : null,
  );
  const same = (one) => one.getAttribute("href") === focused.getAttribute("href");
  if (focused) [...node.querySelectorAll("a, button")].find(same)?.focus({ preventScroll: true });
}

/** Says anew how long each trouble has lasted, or until when it is waited. Nothing else is touched. */
export function drawTimes(node) {
  for (const link of node.querySelectorAll("a.alarm")) {
    const view = world.instances.get(link.dataset.lock);
    if (view && inTrouble(view)) tell(link.lastChild, troubleOf(view));
  }
}

const alarm = (view) =>
  el(
    "a.alarm",
    { href: `#/i/${encodeURIComponent(view.lockId)}`, title: fullName(view), "data-lock": view.lockId },
    glyph(view.phase),
    el("b", {}, calledName(view)),
    el("span.dim", {}, troubleOf(view)),
  );

/** Has the others named, too, or no longer. */
const moreButton = (others, { all, change }) =>
  el(
    "button.plain",
    { type: "button", "aria-expanded": String(all), onclick: change },
    all ? "Name fewer" : `and ${count(others)} more`,
  );

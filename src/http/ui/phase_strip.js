// The phases an instance has been in, side by side, each as wide as it lasted.

import { age, clock, el, exact, put } from "./dom.js";
import { TONES, WORDS } from "./phases.js";
import { world } from "./world.js";

/** So wide, in percent, is even the shortest; so wide one has to be for words in it. */
const [NARROWEST, ROOM] = [0.6, 18];

/** The section; its `draw` gets the instance. */
export function phaseStrip(lockId) {
  const since = el("span.dim.since");
  const strip = el("div.strip");
  const node = el("section", {}, el("div.head", {}, el("h3", {}, "Phases"), since), strip);
  node.draw = (view) => {
    const history = world.history.get(lockId) ?? [];
    const [from, to] = [history[0]?.from ?? Date.now(), Date.now()];
    since.textContent = view.startedAt ? `started ${clock(view.startedAt)}${restarted(view.restarts)}` : "";
    put(
      strip,
      el(
        "div.spans",
        {},
        history.map((span, at) => drawSpan(span, history[at + 1]?.from ?? to, Math.max(to - from, 1))),
      ),
      el("div.ends", {}, el("span", {}, clock(from)), el("span", {}, "now")),
    );
  };
  return node;
}

function restarted(times) {
  if (!times) return "";
  return `, restarted ${times === 1 ? "once" : `${times} times`}`;
}

function drawSpan({ phase, from, isSeen }, end, total) {
  const lasted = `${WORDS[phase]} ${isSeen === false ? "for longer than this page is open" : age(end - from)}`;
  const share = Math.max(NARROWEST, (100 * (end - from)) / total);
  return el(
    `span.span.tone-${TONES[phase]}.phase-${phase}`,
    { "--share": share, title: `${lasted}, from ${exact(from)}` },
    share > ROOM ? lasted : "",
  );
}

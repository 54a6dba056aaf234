// The phases an instance has been in, side by side, each as wide as it lasted.

import { age, clock, el, exact, put, widthOf } from "./dom.js";
import { phasesOf } from "./history.js";
import { TONES, WORDS } from "./phases.js";

/** So wide, in percent, is even the shortest. */
const NARROWEST = 0.6;
/** In px: what each span takes before its share, with the gap beside it; around words; the words themselves. */
const [BASE, AROUND, LETTERS] = [4, 14, 11];

/** The section; its `draw` gets the instance. */
export function phaseStrip(lockId) {
  const since = el("span.dim.since");
  const strip = el("div.strip");
  const node = el("section", {}, el("div.head", {}, el("h3", {}, "Phases"), since), strip);
  node.draw = (view) => {
    const { spans, isCut } = phasesOf(lockId);
    const [from, to] = [spans[0]?.from ?? Date.now(), Date.now()];
    since.textContent = view.startedAt
      ? `started ${clock(spans[0]?.isTold && !isCut ? from : view.startedAt)}${restarted(view.restarts)}${isCut ? "; earlier phases are not kept" : ""}`
      : "";
    const ends = spans.map((span, at) => spans[at + 1]?.from ?? to);
    put(
      strip,
      el(
        "div.spans",
        { role: "img", "aria-label": spans.map((span, at) => lasting(span, ends[at])).join(", ") },
        drawSpans(spans, ends, Math.max(to - from, 1), strip.clientWidth),
      ),
      el(
        "div.ends",
        {},
        el("span", { title: exact(from) }, `${isCut ? "… " : ""}${clock(from)}`),
        el("span", {}, "now"),
      ),
    );
  };
  return node;
}

function restarted(times) {
  if (!times) return "";
  return `, restarted ${times === 1 ? "once" : `${times} times`}`;
}

const lasting = ({ phase, from, isSeen }, end) =>
  `${WORDS[phase]} ${isSeen === false ? "for longer than this page is open" : age(end - from)}`;

/** Each as wide as its share of the time, with its words where they fit. */
function drawSpans(spans, ends, total, width) {
  const shares = spans.map(({ from }, at) => Math.max(NARROWEST, (100 * (ends[at] - from)) / total));
  const shared = (width - BASE * spans.length) / shares.reduce((sum, share) => sum + share, 0);
  return spans.map((span, at) => {
    const lasted = lasting(span, ends[at]);
    const fits = shares[at] * shared > widthOf(lasted, LETTERS) + AROUND;
    return el(
      `span.span.tone-${TONES[span.phase]}.phase-${span.phase}`,
      { "--share": shares[at], title: `${lasted}, from ${exact(span.from)}` },
      fits ? lasted : "",
    );
  });
}

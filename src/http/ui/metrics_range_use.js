// The chart of range use: for each type, how much of its ranges was leased at the moment; the fullest first.

import { hour } from "./charts.js";
import { el, many, put, svg, visible } from "./dom.js";
import { typesAt } from "./metrics_past.js";

/** So many types have a bar. */
const BARS_MAX = 6;
/** From one bar to the next, and where the first begins, in px. */
const STEP = 22;
const TOP = 14;
/** So much of a type's name fits beside its bar. */
const NAME_MAX = 16;

/** Draws the chart into its box; answers `[name, figure, note]`. */
export function drawRangeUse(box, period) {
  const isKnown = period.moment >= period.knownSince;
  const used = isKnown ? usedTypes(period) : [];
  const bars = used.filter((type) => type.leased).slice(0, BARS_MAX);
  const fullest = used.length ? Math.round((100 * used[0].leased) / used[0].size) : 0;
  const figure = isKnown ? `${fullest} %` : "–";
  const note = isKnown ? noteOf(period, bars) : `Known since ${hour(period.knownSince)}`;
  const width = box.drawing.clientWidth || 300;
  put(box.figure, figure, el("span.dim", {}, " fullest"));
  put(
    box.drawing,
    bars.flatMap((type, at) => bar(type, TOP + at * STEP, width)),
  );
  box.drawing.setAttribute("viewBox", `0 0 ${width} ${box.drawing.clientHeight || 150}`);
  put(box.note, note);
  return [box.title, figure, note];
}

/** The types that had ports at the moment, the fullest first. */
const usedTypes = ({ entries, moment }) =>
  typesAt(entries, moment).sort((a, b) => b.leased / b.size - a.leased / a.size);

function bar(type, y, width) {
  const [x, long] = [width * 0.28, width * 0.56];
  // A single lease of a large range is seen, too.
  const filled = Math.max(4, (long * type.leased) / type.size);
  return [
    svg("text.tick.strong", { x: 0, y: y + 9 }, visible(type.name).slice(0, NAME_MAX)),
    svg("rect.basin", { x, y, width: long, height: 11, rx: 3 }),
    svg("rect.tone-ready", { x, y, width: filled, height: 11, rx: 3 }),
    svg("text.tick", { x: width, y: y + 9, "text-anchor": "end" }, `${type.leased} of ${type.size}`),
  ];
}

/** The last time that a range was full says more than how many are in use. */
function noteOf(period, bars) {
  const full = period
    .of("exhausted")
    .filter(({ at }) => at <= period.moment)
    .at(-1);
  if (full) return `${visible(full.type)} was full at ${hour(full.at)}`;
  return `${many(bars.length, "type")} in use${period.cursor ? ` at ${hour(period.cursor)}` : ""}`;
}

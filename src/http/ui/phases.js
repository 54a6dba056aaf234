// Phases: a shape each. Colour only repeats what the shape says.

import { el, svg } from "./dom.js";

/** What a phase is called. */
export const WORDS = {
  ready: "ready",
  starting: "starting",
  unhealthy: "unhealthy",
  backoff: "backing off",
  stopping: "stopping",
  stuck: "stuck",
  reserved: "reserved",
  foreign: "not ours",
};
/** Which colour repeats it. */
export const TONES = {
  ready: "ready",
  starting: "ready",
  unhealthy: "unhealthy",
  stuck: "unhealthy",
  backoff: "backoff",
  stopping: "quiet",
  reserved: "quiet",
  foreign: "quiet",
};
/** Whether somebody should look at it. */
export const inTrouble = (view) => ["unhealthy", "backoff", "stuck"].includes(view.phase);
/** Whether it will soon be in another phase. */
export const isChanging = (view) => ["starting", "stopping"].includes(view.phase);

const box = (x, y, w, h) =>
  svg("rect", { x, y, width: Math.max(w, 0.5), height: Math.max(h, 0.5), rx: Math.min(1.2, w / 3) });

/** The shape of a phase in a box. Under 4 px it is drawn as simple as it must be; one piece needs no group. */
export function shape(phase, x, y, w, h) {
  const pieces = piecesOf(phase, x, y, w, h);
  const whole = pieces.length === 1 ? pieces[0] : svg("g", {}, pieces);
  whole.classList.add(`tone-${TONES[phase] ?? "quiet"}`, `phase-${phase}`);
  return whole;
}

function piecesOf(phase, x, y, w, h) {
  const line = Math.max(1, Math.min(1.4, w / 5));
  const outline = () =>
    svg("rect.outline", {
      x: x + line / 2,
      y: y + line / 2,
      width: w - line,
      height: h - line,
      rx: Math.min(1.2, w / 3),
      "stroke-width": line,
    });
  switch (phase) {
    case "ready":
      return [box(x, y, w, h)];
    case "starting": {
      const tide = fillTide(box(x, y + h / 2, w, h / 2));
      return w >= 4 ? [outline(), tide] : [svg("g", {}, tide)];
    }
    case "unhealthy":
      return [box(x, y, w, h * 0.64), box(x, y + h * 0.8, w, h * 0.2)];
    case "stuck":
      return [box(x, y, w, h * 0.38), box(x, y + h * 0.52, w, h * 0.48)];
    case "backoff":
      return [0, 0.38, 0.76].map((at) => box(x, y + h * at, w, h * 0.24));
    case "stopping":
      return [svg("path", { d: `M${x} ${y}h${w}L${x + w / 2} ${y + h}z` })];
    case "reserved":
      return [w >= 4 ? outline() : box(x, y + h * 0.65, w, h * 0.35)];
    default:
      return [box(x + w / 2 - line / 2, y, line, h)];
  }
}

function fillTide(node) {
  node.classList.add("tide");
  return node;
}

/** The shape as a picture beside a word that says the same. */
export function glyph(phase, w = 8, h = 14) {
  return svg("svg.glyph", { viewBox: `0 0 ${w} ${h}`, "aria-hidden": "true" }, shape(phase, 0, 0, w, h));
}

/** The shapes with their words, but for those that are rarely seen. */
export function legend() {
  const order = ["ready", "starting", "unhealthy", "backoff", "stopping", "reserved", "foreign"];
  return el(
    "ul.legend",
    { "aria-label": "Phases" },
    order.map((phase) => el("li", {}, glyph(phase), WORDS[phase])),
  );
}

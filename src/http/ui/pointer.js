// The pointer on the map: who it is over, the span that is drawn with it, and what a click opens.

import { hitInGap } from "./gaps.js";
import { hitAt, rangeAddress } from "./line.js";
import { markSpan } from "./mark.js";
import { describe } from "./tip.js";

/** Less than this, in px, is a click of an unsteady hand. */
const UNSTEADY = 6;

/** Follows the pointer over a map. What comes back ends it. */
export function followPointer(map) {
  const { body, tip } = map;
  // A span that is drawn along a line, or chosen with Shift, says how much of it is free.
  let drag = null;
  body.addEventListener("pointerdown", (event) => {
    const line = event.button === 0 && event.pointerType === "mouse" ? lineUnder(map, event) : null;
    drag = line ? { line, port: portUnder(map, line, event), x: event.clientX, isSpan: false } : null;
  });
  body.addEventListener("pointermove", (event) => {
    if (drag && Math.abs(event.clientX - drag.x) > UNSTEADY) drag.isSpan = true;
    if (drag?.isSpan) markSpan(map, drag.line, drag.port, portUnder(map, drag.line, event));
    else showTip(map, event);
  });
  body.addEventListener("pointerleave", () => tip.hide());
  body.addEventListener("focusout", () => tip.hide());
  body.addEventListener("click", (event) => {
    if (!drag?.isSpan) choose(map, event);
  });
  // A click comes behind it, and has to know. The pointer may have left the map by then.
  const endDrag = () =>
    setTimeout(() => {
      drag = null;
    });
  addEventListener("pointerup", endDrag);
  return () => removeEventListener("pointerup", endDrag);
}

/** The line whose drawing is under the pointer. */
function lineUnder(map, event) {
  const drawing = event.target.closest?.("svg");
  return drawing ? map.lines.find((line) => line.drawing === drawing) : undefined;
}

/** The port of a line that the pointer is at, or that is nearest to it. */
function portUnder(map, line, event) {
  const left = line.drawing.getBoundingClientRect().left;
  const at = Math.floor((event.clientX - left) / (map.size.width / map.span));
  return line.base + Math.max(0, Math.min(map.span - 1, at));
}

/** Who is under the pointer, or near to it on its row. */
function hitUnder(map, event) {
  const line = lineUnder(map, event);
  if (line) return hitAt(line, event.clientX);
  const gap = event.target.closest?.(".gap");
  const row = gap && map.rows.find((one) => one.node === gap);
  return row ? hitInGap(row, event.clientX) : null;
}

function showTip(map, event) {
  const hit = hitUnder(map, event);
  map.at = lineUnder(map, event)?.type.name ?? map.at;
  if (hit) map.tip.show(describe(hit), event.clientX, event.clientY);
  else map.tip.hide();
}

/** A click opens who is there, or else the range; with Shift it marks the ports since the last one. */
function choose(map, event) {
  const line = lineUnder(map, event);
  const port = line && portUnder(map, line, event);
  if (line && event.shiftKey) {
    const start = map.anchor?.line === line ? map.anchor.port : port;
    markSpan(map, line, start, port);
    return;
  }
  map.anchor = line ? { line, port } : null;
  const hit = hitUnder(map, event);
  if (hit) map.enter(hit);
  else if (!event.target.closest("a")) {
    const within = map.lines.find((one) => one.node.contains(event.target));
    if (within) location.hash = rangeAddress(within);
  }
}

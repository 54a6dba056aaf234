// What stands in a line's water: the marks of leases and strangers, and the free blocks between them. Each is a cell.

import { asCell } from "./cells.js";
import { svg } from "./dom.js";
import { shape } from "./phases.js";
import { stopsOf } from "./stops.js";
import { world } from "./world.js";

const shapeAt = (hit, phase, { height, scale }) => shape(phase, hit.x, 4 * scale, hit.w, height - 8 * scale);

/** Marks and free blocks from the left, as a screen reader comes to them; `known` are the leases that were there before. */
export function drawCells(line, known, frame) {
  const places = new Map(line.hits.map((hit) => [hit.port, hit]));
  const stops = stopsOf(line).map((stop) => (stop.hit ? { ...stop, hit: places.get(stop.port) } : stop));
  line.cells = new Map(
    stops.map((stop) => [
      stop.port,
      asCell(stop.hit ? markOf(stop.hit, known, frame) : freeBlock(stop, frame), stop),
    ]),
  );
  return stops.map(({ port, hit }) => [
    line.cells.get(port),
    hit?.view && hit.view.lockId === world.chosen ? frameAround(hit, frame) : null,
  ]);
}

const freeBlock = ({ port, last }, { height, step, x }) =>
  svg("rect.free", { x: x(port), y: 1, width: (last - port + 1) * step, height: height - 2 });

/** The mark of a lease or a stranger. */
function markOf(hit, known, frame) {
  const mark = shapeAt(hit, hit.view?.phase ?? "foreign", frame);
  if (hit.view && !known.has(hit.view.lockId)) mark.classList.add("new");
  return mark;
}

/** Around the mark whose drawer is open. */
const frameAround = ({ x, w }, { height }) =>
  svg("rect.here", { x: x - 2.5, y: 1, width: w + 5, height: height - 2, rx: 3 });

/** The mark of a lease that has ended: it is seen to go. */
export function goingMark(hit, frame) {
  const mark = shapeAt(hit, hit.view.phase, frame);
  mark.classList.add("going");
  mark.addEventListener("animationend", () => mark.remove());
  return mark;
}

// What is marked on the map by keys or pointer: a stop, a port, or a span; it is framed, and ports are said.

import { count, el, svg } from "./dom.js";
import { spokenPort } from "./occupant.js";
import { PORT_MAX } from "./stretches.js";
import { byPort, world } from "./world.js";

/** Frames the stop that the keys have come to. */
export function markStop(map, { row, port, last, hit }) {
  unmark(map);
  if (row.type) map.window.show(row);
  if (!row.type) row.cells.get(port)?.classList.add("here-cell");
  else if (hit) frameHit(map, row, port);
  else frameSpan(map, row, port, last);
}

function frameHit(map, line, port) {
  const hit = line.hits.find((one) => one.port === port);
  if (hit) frame(line, { x: hit.x - 3, width: hit.w + 6, height: map.size.height - 2 });
}

/** Frames the ports of a line between two, and says how many of them are free; of a single one, what it is. */
export function markSpan(map, line, one, other) {
  map.window.show(line);
  const [from, to] = [Math.max(1, Math.min(one, other)), Math.min(PORT_MAX, Math.max(one, other))];
  const x = frameSpan(map, line, from, to);
  const text = from === to ? spokenPort(from) : `${from}–${to}, ${count(freeWithin(from, to))} free`;
  document.getElementById("said").textContent = text;
  const box = line.drawing.getBoundingClientRect();
  map.tip.show(el("b", {}, text), box.left + x, box.bottom - 16);
}

/** Frames the ports of a line; answers where the frame begins. */
function frameSpan(map, line, from, to) {
  const step = map.size.width / map.span;
  const x = (from - line.base) * step;
  unmark(map);
  frame(line, {
    x: x + 0.5,
    width: Math.max(4, (to - from + 1) * step - 1),
    height: map.size.height - 2,
  });
  return x;
}

/** Takes the frame away. */
function unmark(map) {
  map.body.querySelectorAll(".at").forEach((old) => old.remove());
  map.body.querySelector(".here-cell")?.classList.remove("here-cell");
}

const frame = (line, { x, width, height }) =>
  line.drawing.append(svg("rect.here.at", { x, y: 1, width, height, rx: 3 }));

function freeWithin(from, to) {
  const taken = new Set([...byPort().keys(), ...world.listeners.map((listener) => listener.port)]);
  let free = 0;
  for (let port = from; port <= to; port++) if (!taken.has(port)) free += 1;
  return free;
}

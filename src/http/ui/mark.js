// What is marked on the map by keys or pointer: an occupant, a port, or a span; it is framed and said.

import { count, el, svg } from "./dom.js";
import { spokenPort, spokenSince } from "./occupant.js";
import { spokenFree } from "./stops.js";
import { PORT_MAX } from "./stretches.js";
import { byPort, world } from "./world.js";

/** Frames an occupant that the keys have come to, and says who it is. */
export function markHit(line, hit) {
  frame(line, { x: hit.x - 3, width: hit.w + 6, height: line.drawing.clientHeight - 2 });
  line.node.scrollIntoView({ block: "nearest" });
  say(spokenSince(hit));
}

/** Frames a free block that the keys have come to, and says how large it is. */
export function markFree(map, stop) {
  frameSpan(map, stop.line, stop.port, stop.last);
  stop.line.node.scrollIntoView({ block: "nearest" });
  say(spokenFree(stop));
}

/** Frames the ports of a line between two, and says how many of them are free; of a single one, what it is. */
export function markSpan(map, line, one, other) {
  const [from, to] = [Math.max(1, Math.min(one, other)), Math.min(PORT_MAX, Math.max(one, other))];
  const x = frameSpan(map, line, from, to);
  const text = from === to ? spokenPort(from) : `${from}–${to}, ${count(freeWithin(from, to))} free`;
  say(text);
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
    height: map.size.heights[map.lines.indexOf(line)] - 2,
  });
  return x;
}

/** Takes the frame away. */
export function unmark(map) {
  map.body.querySelectorAll(".at").forEach((old) => old.remove());
}

const frame = (line, { x, width, height }) =>
  line.drawing.append(svg("rect.here.at", { x, y: 1, width, height, rx: 4 }));

function freeWithin(from, to) {
  const taken = new Set([...byPort().keys(), ...world.listeners.map((listener) => listener.port)]);
  let free = 0;
  for (let port = from; port <= to; port++) if (!taken.has(port)) free += 1;
  return free;
}

function say(text) {
  document.getElementById("said").textContent = text;
}

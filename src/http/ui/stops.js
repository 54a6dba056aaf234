// What is on a line of the map in the order of its ports: who is there, and what is free between them.

import { count } from "./dom.js";

/** The stops of a line: one with a `hit` is an occupant, one with a `last` port is a free block. */
export function stopsOf(line) {
  const stops = [];
  let next = line.from;
  const freeUntil = (last) => {
    if (next <= last) stops.push({ line, port: next, last });
  };
  for (const hit of line.hits) {
    // A guest stands beside the range.
    if (hit.port >= next) freeUntil(Math.min(hit.port - 1, line.to));
    stops.push({ line, port: hit.port, hit });
    next = Math.max(next, hit.port + 1);
  }
  freeUntil(line.to);
  return stops;
}

/** A free block in words. */
export const spokenFree = ({ port, last }) =>
  port === last ? `${port}, free` : `${port} to ${last}, ${count(last - port + 1)} ports free`;

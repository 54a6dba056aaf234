// Where everybody is on the map: on which of its lines, or in the water between ranges.

import { strangersByPort } from "./occupant.js";
import { hostOf } from "./stretches.js";
import { byPort } from "./world.js";

/**
 * Enters in each line its `occupants`, in the order of their ports. Answers `all` of them, and those `outside` of the
 * lines. Where the water between ranges `isFolded`, strangers in it are not on the lines beside it.
 */
export function settle(lines, span, isFolded) {
  const byBase = new Map();
  for (const line of lines) {
    line.occupants = [];
    if (byBase.has(line.base)) byBase.get(line.base).push(line);
    else byBase.set(line.base, [line]);
  }
  const all = everybody();
  const outside = [];
  for (const one of all) {
    const near = byBase.get(Math.floor(one.port / span) * span) ?? [];
    const own = near.find((line) => one.port >= line.from && one.port <= line.to);
    // Beside the ranges, the nearest line with the same ports takes it in.
    const taking = own ?? (one.view || !isFolded ? hostOf(one.port, near) : null);
    (taking?.occupants ?? outside).push(one);
  }
  return { all, outside };
}

/** Leases and strangers in the order of their ports. */
function everybody() {
  const leases = byPort();
  const all = [...leases].map(([port, view]) => ({ port, view }));
  for (const [port, listener] of strangersByPort()) if (!leases.has(port)) all.push({ port, listener });
  return all.sort((a, b) => a.port - b.port);
}

/** Those of a list, which is in the order of ports, that are within two of them. */
export const within = (list, from, to) => list.slice(firstFrom(list, from), firstFrom(list, to + 1));

/** The place of the first one whose port is not less. */
function firstFrom(list, port) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].port < port) low = middle + 1;
    else high = middle;
  }
  return low;
}

// What is on a row of the map in the order of its ports: who is there, and what is free between them.

import { count } from "./dom.js";

/** The stops of a row: one with a `hit` is an occupant, one with a `last` port is a free block. */
export const stopsOf = (row) => (row.type ? stopsOfLine(row) : stopsOfGap(row));

function stopsOfLine(row) {
  const stops = [];
  let next = row.from;
  const freeUntil = (last) => {
    if (next <= last) stops.push({ row, port: next, last });
  };
  for (const hit of row.occupants) {
    // A guest stands beside the range.
    if (hit.port >= next) freeUntil(Math.min(hit.port - 1, row.to));
    stops.push({ row, port: hit.port, hit });
    next = Math.max(next, hit.port + 1);
  }
  freeUntil(row.to);
  return stops;
}

/** Folded water is one block, whoever is in it. */
function stopsOfGap(row) {
  const { from, to, free, occupants } = row;
  const block = free > 0 ? [{ row, port: from, last: to, free }] : [];
  return [...block, ...occupants.map((hit) => ({ row, port: hit.port, hit }))];
}

/** Whether any of the stops is somebody. */
export const isSomebodyAt = (stops) => stops.some((stop) => stop.hit);

/** A free block in words. */
export function spokenFree({ port, last, free = last - port + 1 }) {
  if (port === last) return `${port}, free`;
  return `${port} to ${last}, ${count(free)} ports free`;
}

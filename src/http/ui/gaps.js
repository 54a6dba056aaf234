// What lies between the ranges of the map: how much of it is free, and who else listens there.

import { count, el, visible } from "./dom.js";
import { programOf } from "./occupant.js";
import { PORT_MAX } from "./stretches.js";
import { world } from "./world.js";

/** So many strangers are named in a gap; the others are counted. */
const NAMED_MAX = 3;

/** The lines' elements, with the gaps between ranges said. */
export function withGaps(lines) {
  const nodes = [];
  let end = 0;
  lines.forEach((line, at) => {
    const lowest = line.isFirst ? line.first : line.from;
    // What is free between ranges of the same hundred is seen on their lines; who listens there is not.
    const isSeen = lines[at - 1]?.base === line.base && strangersWithin(end + 1, lowest - 1).length === 0;
    if (lowest - end > 1 && !isSeen) nodes.push(gap(end + 1, lowest - 1));
    nodes.push(line.node);
    // Where the next line has the same ports, the range may go on behind what that one holds.
    const isShared = lines[at + 1]?.base === line.base;
    end = Math.max(end, isShared ? line.to : Math.max(line.last, line.to));
  });
  if (end < PORT_MAX) nodes.push(gap(end + 1, PORT_MAX));
  return nodes;
}

const strangersWithin = (from, to) =>
  world.listeners.filter((listener) => listener.port >= from && listener.port <= to);

/** Ports that no range has: how many are free, and which strangers are there. */
function gap(from, to) {
  const within = strangersWithin(from, to);
  const named = within
    .slice(0, NAMED_MAX)
    .map((listener) =>
      el("span.foreign", {}, el("b", {}, listener.port), ` ${visible(programOf(listener))}`),
    );
  const more = within.length > NAMED_MAX ? el("span.foreign", {}, `+${within.length - NAMED_MAX}`) : null;
  return el(
    "div.gap",
    { role: "row" },
    el("span.gap-text", { role: "gridcell" }, `${count(to - from + 1 - within.length)} free`, named, more),
  );
}

// The river's water: its columns, the kernel's own ports as waves, ranges as basins, and strangers as poles.

import { svg } from "./dom.js";
import { columnOf, depthIn, thousandsOf } from "./river_columns.js";
import { world } from "./world.js";

/** Where the waves' label has no room, in px, there is none. */
const LABELLED_MIN = 160;
/** So many strangers have a pole. */
const POLES_MAX = 400;

/** All that lies in the water, the ranges of the type called `chosen` framed; enters in each column which types have ranges there. */
export function waterOf(columns, height, chosen) {
  return [
    columns.map((column) => bed(column, height)),
    waves(columns, height),
    basins(columns, height, chosen),
    world.listeners.slice(0, POLES_MAX).map(({ port }) => pole(port, columns, height)),
  ];
}

function bed(column, height) {
  return svg(column.holds ? "rect.column.holds" : "rect.column", {
    x: column.x + 0.5,
    y: 0,
    width: Math.max(column.w - 1, 0.5),
    height,
  });
}

/** Where the kernel takes ports for outgoing connections. */
function waves(columns, height) {
  if (!world.ephemeral) return [];
  const [from, to] = world.ephemeral.map((port) => columnOf(columns, port));
  const span = to.x + to.w - from.x;
  const paths = [];
  for (let y = 10; y < height; y += 8)
    paths.push(`M${from.x} ${y}${"q4-3 8 0t8 0".repeat(Math.floor(span / 16))}`);
  const drawn = svg("path.waves", { d: paths.join("") });
  if (span <= LABELLED_MIN) return [drawn];
  const middle = { x: from.x + span / 2, y: height / 2 + 4, "text-anchor": "middle" };
  return [drawn, svg("text.ephemeral", middle, "ephemeral, the kernel’s own")];
}

/** A basin for each range, in each column that it lies in. */
function basins(columns, height, chosen) {
  const live = new Set([...world.instances.values()].map((view) => view.type));
  const depth = depthIn(height);
  const [drawn, frames] = [[], []];
  for (const type of world.types)
    for (const [first, last] of type.ranges)
      for (const k of thousandsOf([first, last])) {
        const [from, to] = [Math.max(first, k * 1000), Math.min(last, k * 1000 + 999)];
        const column = columns[k];
        if (!column.types.includes(type)) column.types.push(type);
        const [x, y, width] = [column.x + 1, depth(from), column.w - 2];
        const high = Math.max(2, ((to - from + 1) / 1000) * height);
        drawn.push(
          svg(live.has(type.name) ? "rect.basin" : "rect.basin.empty", { x, y, width, height: high }),
        );
        if (type.name === chosen)
          frames.push(
            svg("rect.chosen-light", { x: x - 1, y: y - 2, width: width + 2, height: high + 4, rx: 3 }),
          );
      }
  return [drawn, frames];
}

function pole(port, columns, height) {
  const column = columnOf(columns, port);
  return svg("rect.pole", {
    x: column.x + (column.w - 5) * ((port % 10) / 10),
    y: depthIn(height)(port),
    width: 5,
    height: 1.5,
  });
}

// The river's water: its columns, the kernel's own ports as waves, ranges as basins, and strangers as poles.

import { rem, svg } from "./dom.js";
import { columnOf, depthIn, thousandsOf } from "./river_columns.js";
import { sorted, world } from "./world.js";

/** Where the waves' label has no room, in px, there is none. */
const LABELLED_MIN = 160;
/** So many strangers have a pole. */
const POLES_MAX = 400;

/** All that lies in the water, the ranges of the type called `chosen` framed; enters in each column which types have ranges there. `flood` says in which ranges nobody is. */
export function waterOf(columns, height, chosen) {
  const basins = basinsOf(columns, height);
  return {
    nodes: [
      columns.map((column) => bed(column, height)),
      waves(columns, height),
      basins.map(({ node }) => node),
      basins.filter(({ type }) => type === chosen).map(frameAround),
      world.listeners.slice(0, POLES_MAX).map(({ port }) => pole(port, columns, height)),
    ],
    flood() {
      const live = new Set(sorted().map((view) => view.type));
      for (const { type, node } of basins) node.classList.toggle("empty", !live.has(type));
    },
  };
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

/** A basin for each range, in each column that it lies in: its element, its place, and the name of its type. */
function basinsOf(columns, height) {
  const depth = depthIn(height);
  return world.types.flatMap((type) =>
    type.ranges.flatMap(([first, last]) =>
      thousandsOf([first, last]).map((k) => {
        const [from, to] = [Math.max(first, k * 1000), Math.min(last, k * 1000 + 999)];
        const column = columns[k];
        if (!column.types.includes(type)) column.types.push(type);
        const high = Math.max(2, ((to - from + 1) / 1000) * height);
        const place = { x: column.x + 1, y: depth(from), width: column.w - 2, height: high };
        return { type: type.name, place, node: svg("rect.basin", place) };
      }),
    ),
  );
}

const frameAround = ({ place: { x, y, width, height } }) =>
  svg("rect.chosen-light", { x: x - 1, y: y - 2, width: width + 2, height: height + 4, rx: 3 });

function pole(port, columns, height) {
  const column = columnOf(columns, port);
  const scale = rem() / 16;
  return svg("rect.pole", {
    x: column.x + Math.max(0, column.w - 5 * scale) * ((port % 10) / 10),
    y: depthIn(height)(port),
    width: 5 * scale,
    height: 1.5 * scale,
  });
}

// The lights on the river: every lease, with its reflection in the water.

import { rem, svg } from "./dom.js";
import { TONES, inTrouble } from "./phases.js";
import { columnOf, depthIn, rounded } from "./river_columns.js";
import { sorted, world } from "./world.js";

/** A reflection fades in so many steps; where many lie over each other nobody can tell them apart. */
const STRIPS = 6;
const STRIPS_OF_MANY = 2;
const MANY = 300;
/** How wide a light is, and how far down its reflection goes, where a letter is 16 px. */
const CALM = { wide: 2.6, long: 22 };
const ALARMING = { wide: 4.5, long: 34 };
const HEAD = 5;

/** One path for each tone and depth, however many lights there are; counts the leases of each column. */
export function lights(columns, height) {
  const strips = world.instances.size > MANY ? STRIPS_OF_MANY : STRIPS;
  const scale = rem() / 16;
  const paths = new Paths();
  const frames = [];
  for (const column of columns) column.leases = 0;
  // Trouble is drawn last, over all others.
  for (const view of sorted().toReversed()) {
    const column = columnOf(columns, view.port);
    column.leases += 1;
    const light = lightOf(view, column, height, scale);
    addReflection(paths, light, strips);
    addHead(paths, light);
    if (view.lockId === world.chosen) frames.push(frameAround(light));
  }
  return [...paths.nodes(), ...frames];
}

/** Where a light is, in px, and in which tone. */
function lightOf(view, column, height, scale) {
  const { wide, long } = inTrouble(view) ? ALARMING : CALM;
  const y = rounded(Math.min(depthIn(height)(view.port), height - 3));
  const length = Math.min(long * scale, height - y);
  return {
    tone: TONES[view.phase] ?? "quiet",
    x: rounded(column.x + 3 + (column.w - 8) * ((view.port % 10) / 10)),
    y,
    w: wide * scale,
    length,
    head: Math.min(HEAD * scale, length),
  };
}

function addReflection(paths, { tone, x, y, w, length }, strips) {
  for (let at = 0; at < strips; at++)
    paths.add(
      `path.reflection.light-${tone}`,
      rounded(0.8 * (1 - (at + 0.5) / strips)),
      `M${x} ${rounded(y + (length * at) / strips)}h${w}v${rounded(length / strips)}h${-w}z`,
    );
}

function addHead(paths, { tone, x, y, w, head }) {
  paths.add(`path.head.light-${tone}`, 1, `M${rounded(x - 0.4)} ${y}h${w + 0.8}v${head}h${-w - 0.8}z`);
}

/** Around the light whose drawer is open. */
const frameAround = ({ x, y, w, head }) =>
  svg("rect.chosen-light", { x: x - 3, y: y - 3, width: w + 6, height: head + 6, rx: 3 });

/** Outlines, gathered into one path for each look. */
class Paths {
  #looks = new Map();

  add(tag, opacity, outline) {
    const look = `${tag}${opacity}`;
    if (!this.#looks.has(look)) this.#looks.set(look, { tag, opacity, outlines: [] });
    this.#looks.get(look).outlines.push(outline);
  }

  nodes() {
    return [...this.#looks.values()].map(({ tag, opacity, outlines }) =>
      svg(tag, { d: outlines.join(""), opacity }),
    );
  }
}

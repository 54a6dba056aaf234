// The lights on the river: every lease, with its reflection in the water.

import { put, rem, svg } from "./dom.js";
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

/** All lights: those of a column are drawn again when one of them has changed. */
export class Lights {
  node = svg("g");
  #frames = svg("g");
  /** What was drawn of each column, and from what. */
  #drawn = new Map();

  /** Draws them; counts the leases of each column. */
  draw(columns, height) {
    const strips = world.instances.size > MANY ? STRIPS_OF_MANY : STRIPS;
    const scale = rem() / 16;
    const all = new Map(columns.map((column) => [column, []]));
    // Trouble is drawn last, over all others.
    for (const view of sorted().toReversed()) all.get(columnOf(columns, view.port)).push(view);
    const groups = [];
    const frames = [];
    for (const [column, views] of all) {
      column.leases = views.length;
      groups.push(this.#column(column, views, { height, scale, strips }));
      for (const view of views)
        if (view.lockId === world.chosen) frames.push(frameAround(lightOf(view, column, height, scale)));
    }
    if (this.node.childElementCount !== groups.length + 1) put(this.node, groups, this.#frames);
    put(this.#frames, frames);
  }

  /** A column's lights in a group that stays: one path for each tone and depth, however many lights there are. */
  #column(column, views, { height, scale, strips }) {
    if (!this.#drawn.has(column.k)) this.#drawn.set(column.k, { group: svg("g"), state: "" });
    const drawn = this.#drawn.get(column.k);
    const state = `${column.x} ${column.w} ${height} ${scale} ${strips} ${views.map((view) => `${view.port}${view.phase}`)}`;
    if (drawn.state === state) return drawn.group;
    drawn.state = state;
    const paths = new Paths();
    for (const view of views) {
      const light = lightOf(view, column, height, scale);
      addReflection(paths, light, strips);
      addHead(paths, light);
    }
    put(drawn.group, paths.nodes());
    return drawn.group;
  }
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

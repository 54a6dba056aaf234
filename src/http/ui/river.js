// The river: all ports on one band, in sixty-six columns of a thousand; wide where something lives.

import { calledName, el, many, put, rem, svg, visible } from "./dom.js";
import { inTrouble } from "./phases.js";
import { drawAxis } from "./river_axis.js";
import { columnOf, columnsOf, depthIn, rounded } from "./river_columns.js";
import { RiverLinks } from "./river_links.js";
import { Lights } from "./river_lights.js";
import { drawSentence, drawTimes } from "./river_sentence.js";
import { waterOf } from "./river_water.js";
import { isDrawable, sorted, watch, world } from "./world.js";

/** So many rings at a time are looked at. */
const RINGS_MAX = 4;

/** The band with its sentence. `go(port)`: where a click leads; `range` is framed: the type whose berths are shown. */
export function river(go, range = null) {
  const band = new River(go, range);
  const { node, water } = band;
  water.addEventListener("pointermove", (event) => band.showTip(band.columnAt(event)));
  water.addEventListener("pointerleave", () => band.showTip(null));
  water.addEventListener("click", (event) => {
    const column = band.columnAt(event);
    if (column) go(column.first);
  });
  const unwatch = watch((what) => {
    if (["instances", "types", "listeners", "chosen"].some((one) => what.has(one))) band.draw();
    if (what.has("instances")) band.say();
    if (what.has("trouble")) drawTimes(band.sentence);
  });
  const sizes = new ResizeObserver(([{ contentRect }]) => band.resize(contentRect));
  sizes.observe(water);
  band.say();
  node.leave = () => {
    unwatch();
    sizes.disconnect();
  };
  return node;
}

/** The band's elements, and what they show. */
class River {
  /** `columnsOf` says what one is. */
  columns = [];
  /** What was measured, in px: width, height, and that of the page's letters. */
  size = null;
  /** What the water and the sentence were drawn from. */
  waterDrawn = "";
  sentenceDrawn = "";
  /** Whether everybody in trouble is named, and be there many. */
  naming = {
    all: false,
    change: () => {
      this.naming.all = !this.naming.all;
      this.say();
    },
  };
  /** The column that the tip is about, null without one; and what it was drawn from. */
  shown = null;
  tipDrawn = "";
  /** Says of each basin whether somebody is in it. */
  flood = () => {};
  /** The leases that were there before; null before there is a first snapshot. */
  known = null;
  sentence = el("div.sentence");
  water = svg("svg.water", { role: "img" });
  bed = svg("g");
  lights = new Lights();
  axis = el("div.axis", { "aria-hidden": "true" });
  tip = el("div.tip", { hidden: true, role: "tooltip" });

  constructor(go, range) {
    this.range = range;
    this.links = new RiverLinks({ show: (column) => this.showTip(column), go });
    this.water.append(this.bed, this.lights.node);
    this.node = el(
      "section.river",
      { "aria-label": "All ports" },
      this.sentence,
      el("div.flow", {}, this.water, this.links.node, this.tip),
      this.axis,
    );
  }

  resize({ width, height }) {
    this.size = { width, height, rem: rem() };
    this.draw();
  }

  /** What stays is drawn again when it has changed; lights are drawn by their columns. */
  draw() {
    if (!this.size?.width || !isDrawable()) return;
    const state = this.stateOfWater();
    if (this.waterDrawn !== state) {
      this.waterDrawn = state;
      this.drawWater();
    }
    this.flood();
    this.lights.draw(this.columns, this.size.height);
    this.links.name(wordsOf);
    this.fillTip();
    this.ring();
  }

  stateOfWater() {
    return JSON.stringify([
      this.size,
      world.ephemeral,
      world.types.map((type) => [type.name, type.ranges]),
      world.listeners.map((listener) => listener.port),
    ]);
  }

  drawWater() {
    const { width, height } = this.size;
    this.columns = columnsOf(width);
    this.water.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const { nodes, flood } = waterOf(this.columns, height, this.range);
    put(this.bed, nodes);
    this.flood = flood;
    drawAxis(this.axis, this.columns, width);
    this.links.place(this.columns);
  }

  /** A new lease is one ring on the water; where many come at once, the water is calm. */
  ring() {
    const fresh = this.known ? sorted().filter((view) => !this.known.has(view.lockId)) : [];
    if (world.loaded) this.known = new Set(world.instances.keys());
    if (fresh.length > RINGS_MAX) return;
    for (const { port } of fresh) this.water.append(ringAt(port, this.columns, this.size.height));
  }

  say() {
    const all = sorted();
    const state = JSON.stringify([
      world.loaded,
      this.naming.all,
      all.length,
      all.filter((view) => view.phase === "ready").length,
      all.filter(inTrouble).map((view) => [view.lockId, calledName(view), view.phase]),
    ]);
    if (this.sentenceDrawn === state) return;
    this.sentenceDrawn = state;
    drawSentence(this.sentence, this.water, this.naming);
  }

  columnAt(event) {
    const x = event.clientX - this.water.getBoundingClientRect().left;
    return this.columns.find((column) => x >= column.x && x < column.x + column.w);
  }

  /** Says what a column holds, beside it but within the band; without one there is nothing to say. */
  showTip(column) {
    this.shown = column?.k ?? null;
    this.tip.hidden = !column;
    if (column) this.fillTip();
  }

  /** Says it again when columns have moved or have got others; the same costs nothing. */
  fillTip() {
    const column = this.columns[this.shown];
    if (!column) return;
    const text = wordsOf(column);
    const { width } = this.size;
    const state = `${text} ${column.x} ${width}`;
    if (this.tipDrawn === state) return;
    this.tipDrawn = state;
    this.tip.textContent = text;
    const half = this.tip.offsetWidth / 2;
    const middle = Math.max(half, Math.min(width - half, column.x + column.w / 2));
    this.tip.style.setProperty("--x", `${middle}px`);
  }
}

/** What a column holds. */
function wordsOf({ first, last, types, leases }) {
  const names = types.map((type) => visible(type.name)).join(", ") || "no range";
  return `${first}–${last}: ${names}. ${many(leases, "instance")}.`;
}

/** A ring that goes when it has spread. */
function ringAt(port, columns, height) {
  const column = columnOf(columns, port);
  const ring = svg("circle.ring", {
    cx: rounded(column.x + 4 + (column.w - 8) * ((port % 10) / 10)),
    cy: rounded(depthIn(height)(port) + 2),
    r: 2,
  });
  ring.addEventListener("animationend", () => ring.remove());
  return ring;
}

// The map of ranges: a line spans a hundred ports, so a port's last two digits are its place, always.

import { setWish, wish } from "./address.js";
import { el, put, putInPlace, rem, svg } from "./dom.js";
import { drawGap, withGaps } from "./gaps.js";
import { followKeys } from "./keyboard.js";
import { drawLine, makeLine, rangeAddress } from "./line.js";
import { Uses } from "./line_use.js";
import { LineWindow } from "./line_window.js";
import { drawRuler, rulerLine, tableButton, zoomButtons } from "./map_frame.js";
import { settle } from "./places.js";
import { followPointer } from "./pointer.js";
import { linesOf } from "./stretches.js";
import { makeTip } from "./tip.js";
import { isDrawable, watch, world } from "./world.js";

/** How many ports a line spans, by zoom. */
const SPANS = [100, 50, 25];
/** A line's height in px before it can be measured. */
const HEIGHT = 22;

/** The map's element, with its `zoom` buttons; `open` shows an instance. */
export function lines(open) {
  const map = new PortMap(open);
  const { node } = map;
  const unfollow = followPointer(map);
  map.walk = followKeys(map);
  const unwatch = watch((what) => {
    if (what.has("types") || what.has("listeners")) map.renew();
    else if (what.has("instances") || what.has("chosen")) map.drawAll();
  });
  const sizes = new ResizeObserver(() => map.resize());
  // Where the map begins depends on the band, too.
  for (const watched of [map.body, document.getElementById("band")]) sizes.observe(watched);
  node.zoom = zoomButtons(map);
  node.leave = () => {
    unwatch();
    sizes.disconnect();
    map.window.leave();
    unfollow();
  };
  node.go = (port) => map.scrollTo(port);
  map.renew();
  return node;
}

/** What the map knows of itself. Pointer and keys are followed elsewhere, and change it by its methods. */
class PortMap {
  /** The lines from the top; `makeLine` says what one is. */
  lines = [];
  /** The lines, and what is folded between them. */
  rows = [];
  /** What was measured, in px: the lines' width and height, and a letter's scale. */
  size = null;
  /** The line and port that were pointed at or stepped to last: a span that is marked with Shift begins there. */
  anchor = null;
  /** The name of the range that pointer or keys were at last. */
  at = null;
  /** What the lines were built from. */
  built = "";
  zoom = Math.max(0, SPANS.indexOf(Number(wish("span"))));
  zoomLabel = el("span", {});
  ruler = svg("svg.ruler", { "aria-hidden": "true" });
  body = el("div.lines", { role: "grid", "aria-label": "Ports by range", tabindex: 0 });
  tip = makeTip();
  /** Where the keys are. */
  walk = null;
  /** Which lines are filled, and how much of their ranges is in use. */
  window = new LineWindow(this, (lines) => this.draw(lines));
  uses = new Uses();

  constructor(open) {
    this.open = open;
    this.node = el("div.map", {}, rulerLine(this.ruler), this.body, this.tip.node, tableButton());
    this.sayZoom();
  }

  get span() {
    return SPANS[this.zoom];
  }

  /** Closer than the closest is the range that one is at, port by port. */
  setZoom(zoom) {
    if (zoom >= SPANS.length) {
      const line = this.near();
      if (line) location.hash = rangeAddress(line);
      return;
    }
    this.zoom = Math.max(0, zoom);
    setWish("span", this.zoom ? this.span : null);
    this.sayZoom();
    this.renew();
    this.walk.follow();
  }

  sayZoom() {
    this.zoomLabel.textContent = this.zoom ? `${this.span} a line` : "Ranges";
  }

  /** The line of the range that pointer or keys were at last; else the first one that can be seen. */
  near() {
    const inSight = (line) => line.node.getBoundingClientRect().bottom > 0;
    return this.lines.find((line) => line.type.name === this.at) ?? this.lines.find(inSight);
  }

  /** The lines themselves, if ranges have changed; else what is on them. */
  renew() {
    if (!isDrawable()) return;
    this.body.setAttribute("aria-busy", String(!world.loaded));
    const ranges = world.types.map((type) => [type.name, type.ranges, type.origin]);
    const state = JSON.stringify([this.zoom, ranges]);
    if (this.built === state) {
      // Each snapshot brings new types, with other counts.
      const types = new Map(world.types.map((type) => [type.name, type]));
      for (const line of this.lines) line.type = types.get(line.type.name);
    } else {
      this.built = state;
      this.build();
    }
    this.drawAll();
  }

  build() {
    this.anchor = null;
    this.lines = linesOf(world.types, this.span).map((stretch) =>
      makeLine(stretch, stretch.isFirst || this.zoom > 0, this.zoom ? stretch.base : stretch.from),
    );
  }

  /** Gaps come and go with who is in them; lines stay. */
  arrange(outside) {
    const rows = withGaps(this.lines, outside, this.zoom ? this.span : null, this.rows);
    if (rows.length === this.rows.length && rows.every((row, at) => row === this.rows[at])) return;
    this.rows = rows;
    this.size = null;
    this.body.style.setProperty("--lines", this.lines.length);
    this.body.style.setProperty("--gaps", rows.length - this.lines.length);
    rows.forEach((row, at) => {
      if (row.index !== at) row.node.setAttribute("aria-rowindex", at + 1);
      row.index = at;
    });
    this.body.setAttribute("aria-rowcount", rows.length);
    const nodes = rows.map((row) => row.node);
    // Where no line stays, it is faster not to ask which ones do.
    if (rows.some((row) => row.type && row.node.parentNode)) putInPlace(this.body, nodes);
    else put(this.body, nodes);
  }

  /** All is measured before anything is drawn, and not again before something else has its size. */
  measure() {
    this.window.measure();
    const { drawing } = this.lines.find((line) => line.drawing) ?? {};
    // Lines are of one height.
    return {
      width: drawing?.clientWidth ?? 0,
      height: drawing?.clientHeight || HEIGHT,
      scale: rem() / 16,
    };
  }

  /** A longer list beside it makes the map longer, and nothing on it. */
  resize() {
    const size = this.measure();
    if (JSON.stringify(size) === JSON.stringify(this.size)) {
      this.draw(this.lines.filter((line) => line.drawing && !line.drawn));
      return;
    }
    this.size = size;
    this.drawAll();
  }

  drawAll() {
    if (!isDrawable()) return;
    const everybody = settle(this.lines, this.span, this.zoom === 0);
    this.arrange(everybody.outside);
    this.size ??= this.measure();
    if (!this.size.width) return;
    drawRuler(this.ruler, this.size.width, this.span);
    this.uses = new Uses();
    this.draw(this.lines.filter((line) => line.drawing));
    for (const row of this.rows) if (!row.type) drawGap(row, everybody, this.size);
    this.walk.renew();
  }

  /** Draws lines that are filled. */
  draw(lines) {
    if (!this.size?.width) return;
    for (const line of lines) {
      drawLine(line, this.lines, { ...this.size, span: this.span });
      this.uses.tell(line);
    }
  }

  /** Opens who is at a port: an instance, or what is known of a stranger; of several, all. */
  enter({ port, view, hidden }) {
    if (view) this.open(view);
    else location.hash = hidden ? "#/table" : `#/p/${port}`;
  }

  scrollTo(port) {
    const row = this.rows.find((one) => one.to >= port) ?? this.rows.at(-1);
    row?.node.scrollIntoView({ block: "center" });
  }
}

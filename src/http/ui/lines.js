// The map of ranges: a line spans a hundred ports, so a port's last two digits are its place, always.

import { setWish, wish } from "./address.js";
import { el, put, rem, svg } from "./dom.js";
import { withGaps } from "./gaps.js";
import { followKeys } from "./keyboard.js";
import { drawLine, makeLine, rangeAddress } from "./line.js";
import { UseTold, occupantsOf } from "./line_use.js";
import { followPointer } from "./pointer.js";
import { linesOf } from "./stretches.js";
import { makeTip } from "./tip.js";
import { watch, world } from "./world.js";

/** How many ports a line spans, by zoom. */
const SPANS = [100, 50, 25];
/** A line's height in px before it can be measured. */
const HEIGHT = 22;

/** The map's element, with its `zoom` buttons; `open` shows an instance. */
export function lines(open) {
  const map = new PortMap(open);
  const { node } = map;
  const unfollow = followPointer(map);
  followKeys(map);
  const unwatch = watch((what) => {
    if (what.has("types") || what.has("listeners")) map.renew();
    else if (what.has("instances") || what.has("chosen")) map.drawAll();
  });
  const sizes = new ResizeObserver(() => map.measure());
  sizes.observe(map.body);
  node.zoom = zoomButtons(map);
  node.leave = () => {
    unwatch();
    sizes.disconnect();
    map.uses.leave();
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
  /** What was measured, in px: the lines' width, the height of each, and a letter's scale. */
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
  uses = new UseTold();

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
  }

  sayZoom() {
    this.zoomLabel.textContent = this.zoom ? `${this.span} a line` : "Ranges";
  }

  /** The line of the range that pointer or keys were at last; else the first one that can be seen. */
  near() {
    const inSight = (line) => line.node.getBoundingClientRect().bottom > 0;
    return this.lines.find((line) => line.type.name === this.at) ?? this.lines.find(inSight);
  }

  /** The lines themselves, if ranges or foreign listeners have changed; else what is on them. */
  renew() {
    const state = JSON.stringify([
      this.zoom,
      world.types.map((type) => [type.name, type.ranges, type.origin]),
      world.listeners.map((listener) => [listener.port, listener.listener?.command]),
    ]);
    if (this.built !== state) {
      this.built = state;
      this.build();
      return;
    }
    // Each snapshot brings new types, with other counts.
    const types = new Map(world.types.map((type) => [type.name, type]));
    for (const line of this.lines) line.type = types.get(line.type.name);
    this.drawAll();
  }

  build() {
    this.anchor = null;
    this.lines = linesOf(world.types, this.span).map((stretch) =>
      makeLine(stretch, stretch.isFirst || this.zoom > 0, this.zoom ? stretch.base : stretch.from),
    );
    // Closer, a line begins and ends at round numbers: what lies between ranges is on it, too.
    const nodes = this.zoom ? this.lines.map((line) => line.node) : withGaps(this.lines);
    this.body.style.setProperty("--lines", this.lines.length);
    this.body.style.setProperty("--gaps", nodes.length - this.lines.length);
    put(this.body, nodes);
    this.size = null;
    this.uses.leave();
    this.measure();
  }

  /** All is measured before anything is drawn, and not again before something else has its size. */
  measure() {
    const heights = this.lines.map((line) => line.drawing.clientHeight || HEIGHT);
    const size = { width: this.lines[0]?.drawing.clientWidth ?? 0, heights, scale: rem() / 16 };
    // A longer list beside it makes the map longer, and nothing on it.
    if (JSON.stringify(size) === JSON.stringify(this.size)) return;
    this.size = size;
    drawRuler(this.ruler, this.span);
    this.drawAll();
  }

  drawAll() {
    if (!this.size?.width) return;
    const { width, heights, scale } = this.size;
    const scene = { lines: this.lines, onLines: occupantsOf(this.span) };
    this.lines.forEach((line, at) =>
      drawLine(line, scene, { width, height: heights[at], scale, span: this.span }),
    );
    this.uses.tell(this.lines);
  }

  /** Opens who is at a port: an instance, or what is known of a stranger. */
  enter({ port, view }) {
    if (view) this.open(view);
    else location.hash = `#/p/${port}`;
  }

  scrollTo(port) {
    const line = this.lines.find((one) => one.to >= port) ?? this.lines.at(-1);
    line?.node.scrollIntoView({ block: "center" });
  }
}

function zoomButtons(map) {
  const button = (props, face) => el("button", { type: "button", ...props }, face);
  return el(
    "div.segments",
    { role: "group", "aria-label": "Zoom" },
    button(
      { title: "Whole map (−)", "aria-label": "Zoom out", onclick: () => map.setZoom(map.zoom - 1) },
      "−",
    ),
    button({ onclick: () => map.setZoom(0) }, map.zoomLabel),
    button({ title: "Closer (+)", "aria-label": "Zoom in", onclick: () => map.setZoom(map.zoom + 1) }, "+"),
  );
}

function tableButton() {
  const show = () => {
    location.hash = "#/table";
  };
  return el("button.plain.unseen-until-focus", { type: "button", onclick: show }, "Show as a table");
}

const rulerLine = (ruler) =>
  el("div.line.rule", { "aria-hidden": "true" }, el("span"), el("span"), ruler, el("span.use", {}, "in use"));

/** The numbers above the lines: a port's last two digits, or, closer, how far it is from a line's first. */
function drawRuler(ruler, span) {
  const width = ruler.clientWidth;
  ruler.setAttribute("viewBox", `0 0 ${width} 16`);
  const number = (port) => (span === 100 ? String(port).padStart(2, "0") : `+${port}`);
  put(
    ruler,
    Array.from({ length: 10 }, (_, tenth) =>
      svg("text", { x: (tenth / 10) * width, y: 12 }, number((tenth * span) / 10)),
    ),
  );
}

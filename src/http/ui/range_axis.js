// A range among its neighbours, on a line. Its ends are dragged, or moved by arrow keys; a drag beside them
// draws it anew.

import { put, svg, visible } from "./dom.js";
import { world } from "./world.js";

const PORT_MAX = 65535;
/** So many ports are seen on each side of the range, or as many as it has. */
const AROUND = 50;
/** The drawing's size in px; its width is asked, and is this one before it is on the page. */
const [WIDTH, HEIGHT] = [340, 70];
/** A neighbour that is narrower has no name on it. */
const NAMED = 30;
/** A letter is about so wide. */
const LETTER = 6;
const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };

/** The drawing's place; see [`drawAxis`]. */
export const rangeAxis = () =>
  svg("svg.axis-editor", { role: "group", "aria-label": "The range among its neighbours" });

/** Draws the range of the type called `name` with the `gap` to keep; `set` gets another one that a hand has made of it. */
export function drawAxis(axis, from, to, { name, gap, set }) {
  if (!(from > 0 && to >= from && to <= PORT_MAX)) return;
  const scale = scaleOf(axis, from, to);
  const moved = (which, port) =>
    which ? [from, Math.max(from, Math.min(PORT_MAX, port))] : [Math.min(to, Math.max(1, port)), to];
  const parts = [
    svg("line.bed", { x1: 0, x2: scale.width, y1: 34, y2: 34 }),
    ...gapsAround(scale, from, to, gap),
    ...neighbours(scale, name),
    ...ownRange(scale, from, to, name),
    ...scaleEnds(scale),
    ...[from, to].map((port, which) =>
      handle(scale, which, port, (next) => {
        set(moved(which, next));
        axis.querySelector(`[data-end="${which}"]`).focus();
      }),
    ),
  ];
  letDrag(axis, scale, moved, set);
  axis.span = [from, to];
  axis.setAttribute("viewBox", `0 0 ${scale.width} ${HEIGHT}`);
  put(axis, parts);
}

/** Where a port is, and which port is under the pointer. */
function scaleOf(axis, from, to) {
  const around = Math.max(AROUND, to - from + 1);
  const width = axis.clientWidth || WIDTH;
  // The scale stays while one drags: what is under the pointer stays there.
  const [low, high] = axis.frame ?? [Math.max(1, from - around), Math.min(PORT_MAX, to + around)];
  const size = high - low + 1;
  return {
    low,
    high,
    width,
    x: (port) => ((port - low) / size) * width,
    portAt(event) {
      const share = (event.clientX - axis.getBoundingClientRect().left) / axis.clientWidth;
      return Math.max(low, Math.min(high, low + Math.floor(share * size)));
    },
  };
}

function neighbours({ low, high, width, x }, name) {
  const parts = [];
  for (const type of world.types) {
    if (type.name === name) continue;
    for (const [a, b] of type.ranges) {
      if (b < low || a > high) continue;
      const left = Math.max(0, x(a));
      const wide = Math.min(width, x(b + 1)) - left;
      parts.push(svg("rect.basin", { x: left, y: 22, width: wide, height: 24, rx: 3 }));
      if (wide > NAMED) {
        const label = visible(type.name).slice(0, Math.floor(wide / LETTER));
        parts.push(svg("text.label", { x: left, y: 15 }, label));
      }
    }
  }
  return parts;
}

/** The ports on both sides that a new range would keep clear of, hatched. */
function gapsAround({ x }, from, to, gap) {
  if (!gap) return [];
  const hatch = svg(
    "pattern",
    { id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("line.hatch", { x1: 1, x2: 1, y1: 0, y2: 5 }),
  );
  const side = (port) =>
    svg("rect.gap", { x: x(port), y: 22, width: x(port + gap) - x(port), height: 24, fill: "url(#hatch)" });
  return [svg("defs", {}, hatch), side(from - gap), side(to + 1)];
}

const ownRange = ({ x }, from, to, name) => [
  svg("rect.own", { x: x(from), y: 20, width: Math.max(x(to + 1) - x(from), 2), height: 28, rx: 3 }),
  svg("text.label.strong", { x: x(from), y: 15 }, visible(name)),
];

/** The numbers of the first and the last port that can be seen. */
const scaleEnds = ({ low, high, width, x }) =>
  [low, high].map((port) =>
    svg(
      "text.number",
      { x: Math.min(Math.max(x(port), 16), width - 16), y: 64, "text-anchor": "middle" },
      port,
    ),
  );

/** One end of the range; `move` gets the port an arrow key leads to. */
function handle({ x }, which, port, move) {
  const words = ["First port", "Last port"][which];
  const node = svg(
    "rect.handle",
    {
      x: x(port + which) - 4,
      y: 24,
      width: 8,
      height: 20,
      rx: 3,
      tabindex: 0,
      role: "slider",
      "data-end": which,
      "aria-label": words,
      "aria-valuenow": port,
      "aria-valuemin": 1,
      "aria-valuemax": PORT_MAX,
    },
    svg("title", {}, `${words} ${port}`),
  );
  node.addEventListener("keydown", (event) => {
    const by = STEPS[event.key];
    if (!by) return;
    event.preventDefault();
    move(port + by * (event.shiftKey ? 10 : 1));
  });
  return node;
}

function letDrag(axis, { low, high, portAt }, moved, set) {
  axis.onpointerdown = (event) => {
    event.preventDefault();
    axis.setPointerCapture(event.pointerId);
    axis.frame = [low, high];
    const [end, begin] = [event.target.closest(".handle")?.dataset.end, portAt(event)];
    axis.onpointermove = (move) => {
      const port = portAt(move);
      if (end === undefined) set([Math.min(begin, port), Math.max(begin, port)]);
      else set(moved(Number(end), port));
    };
    axis.onpointerup = axis.onpointercancel = () => {
      axis.frame = null;
      axis.onpointermove = axis.onpointerup = axis.onpointercancel = null;
      set(axis.span);
    };
  };
}

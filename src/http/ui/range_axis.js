// A range among its neighbours, on a line. Its ends are dragged, or moved by arrow keys; a drag beside them
// draws it anew.

import { put, rem, svg, visible, widthOf } from "./dom.js";
import { shape } from "./phases.js";
import { byPort, world } from "./world.js";

const PORT_MAX = 65535;
/** So many ports are seen on each side of the range, or as many as it has. */
const AROUND = 50;
/** Other ranges of the type are seen when they are no further away than this. */
const REACH = 300;
/** The drawing's size in units, of which a rem has so many; its width is asked, and is this one before it is on the page. */
const [WIDTH, HEIGHT, UNITS] = [340, 70, 16];
/** Names are so high, with so much between two of them; a shorter part of one says nothing. */
const [LETTERS, BETWEEN, PART_MIN] = [11, 8, 3];
/** Numbers on the scale are no closer to each other, and these many ports apart. */
const NUMBERS = 56;
const NUMBER_STEPS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };

/** The drawing's place; see [`drawAxis`]. */
export const rangeAxis = () =>
  svg("svg.axis-editor", { role: "group", "aria-label": "The range among its neighbours" });

/**
 * Draws the range of the type called `name` with the `gap` to keep, and the `others` that the type has; `set` gets
 * another one that a hand has made of it.
 */
export function drawAxis(axis, from, to, { name, others, gap, set }) {
  if (!(from > 0 && to >= from && to <= PORT_MAX)) return;
  const scale = scaleOf(axis, from, to, others);
  const moved = (which, port) =>
    which ? [from, Math.max(from, Math.min(PORT_MAX, port))] : [Math.min(to, Math.max(1, port)), to];
  const parts = [
    svg("line.bed", { x1: 0, x2: scale.width, y1: 34, y2: 34 }),
    ...gapsAround(scale, from, to, gap),
    ...neighbours(scale, name),
    ...names(scale, from, name),
    ...ownOthers(scale, others),
    ...ownRange(scale, from, to),
    ...numbers(scale),
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
function scaleOf(axis, from, to, others) {
  const around = Math.max(AROUND, to - from + 1);
  const near = others.filter(([a, b]) => b >= from - REACH && a <= to + REACH);
  const [first, last] = [Math.min(from, ...near.map(([a]) => a)), Math.max(to, ...near.map(([, b]) => b))];
  const width = (axis.clientWidth * UNITS) / rem() || WIDTH;
  // The scale stays while one drags: what is under the pointer stays there.
  const [low, high] = axis.frame ?? [Math.max(1, first - around), Math.min(PORT_MAX, last + around)];
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

/** The ranges of other types that can be seen, from the left to the right. */
const around = ({ low, high, width, x }, name) =>
  world.types
    .filter((type) => type.name !== name)
    .flatMap((type) => type.ranges.map(([a, b]) => ({ name: visible(type.name), a, b })))
    .filter(({ a, b }) => b >= low && a <= high)
    .sort((one, other) => one.a - other.a)
    .map(({ name, a, b }) => ({ name, left: Math.max(0, x(a)), right: Math.min(width, x(b + 1)) }));

const neighbours = (scale, name) =>
  around(scale, name).map(({ left, right }) =>
    svg("rect.basin", { x: left, y: 22, width: right - left, height: 24, rx: 3 }),
  );

/** Each name begins over its range and ends before the next one; the range's own is never cut. */
function names(scale, from, own) {
  const mine = { name: visible(own), left: scale.x(from) };
  const end = mine.left + widthOf(mine.name, LETTERS) + BETWEEN;
  const others = around(scale, own).filter(({ left }) => left < mine.left || left >= end);
  const all = [...others, mine].sort((one, other) => one.left - other.left);
  return all.map((one, at) => {
    if (one === mine) return svg("text.label.strong", { x: one.left, y: 15 }, one.name);
    const room = (all[at + 1]?.left ?? scale.width) - one.left - BETWEEN;
    return svg("text.label", { x: one.left, y: 15 }, cut(one.name, room), svg("title", {}, one.name));
  });
}

/** As much of a name as there is room for. */
function cut(name, room) {
  const fits = (text) => widthOf(text, LETTERS) <= room;
  if (fits(name)) return name;
  for (let length = name.length - 1; length >= PART_MIN; length--) {
    const part = `${name.slice(0, length)}…`;
    if (fits(part)) return part;
  }
  return "";
}

/** The type's other ranges; those that are too far away are named at the edge. */
const ownOthers = ({ low, high, width, x }, others) =>
  others.map(([a, b]) => {
    const words = `${a}–${b}`;
    if (b < low) return svg("text.label", { x: 0, y: 58 }, `← ${words}`);
    if (a > high) return svg("text.label", { x: width, y: 58, "text-anchor": "end" }, `${words} →`);
    return svg(
      "rect.own-other",
      { x: x(a), y: 22, width: Math.max(x(b + 1) - x(a), 2), height: 24, rx: 3 },
      svg("title", {}, words),
    );
  });

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

/** The range with what is leased in it. */
const ownRange = ({ x }, from, to) => [
  svg("rect.own", { x: x(from), y: 20, width: Math.max(x(to + 1) - x(from), 2), height: 28, rx: 3 }),
  ...[...byPort()]
    .filter(([port]) => port >= from && port <= to)
    .map(([port, view]) => shape(view.phase, x(port), 26, Math.max(x(port + 1) - x(port) - 0.5, 1.5), 16)),
];

/** The numbers of the first and the last port that can be seen, and round ones between them. */
function numbers({ low, high, width, x }) {
  const step = NUMBER_STEPS.find((ports) => x(low + ports) >= NUMBERS) ?? high;
  const parts = [
    svg("text.number", { x: 0, y: 64 }, low),
    svg("text.number", { x: width, y: 64, "text-anchor": "end" }, high),
  ];
  for (let port = Math.ceil(low / step) * step; port <= high; port += step)
    if (x(port) >= NUMBERS && x(port) <= width - NUMBERS)
      parts.push(svg("text.number", { x: x(port), y: 64, "text-anchor": "middle" }, port));
  return parts;
}

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

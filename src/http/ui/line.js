// One line of the map: the basin of its range, who is on it, and how much of it is in use.

import { count, el, put, shortName, svg, visible } from "./dom.js";
import { guestNotes, spokenGuests } from "./guest_notes.js";
import { labels } from "./labels.js";
import { drawCells, goingMark } from "./line_cells.js";
import { world } from "./world.js";

/** Who is not further than this from the pointer, in px, is meant by it. */
const REACH = 12;

/** Where the range of a line is shown, port by port. */
export const rangeAddress = (line) => `#/r/${encodeURIComponent(line.type.name)}`;

/** A line with its place on the map and nothing in it; `number` is the port that is written at its head. */
export function makeLine(stretch, isNamed, number) {
  const node = el("div.line", { "data-base": stretch.base, "data-type": stretch.type.name });
  // `occupants` are who is on it; `hits` are those that are drawn, each with its place.
  return { ...stretch, isNamed, number, node, occupants: [], ...UNFILLED };
}

/** `cells` are found by the first port of what they stand for; `drawn` and `told` are what is shown, so that the same isn't drawn again. */
const UNFILLED = { drawing: null, use: null, head: null, hits: [], cells: new Map(), drawn: "", told: "" };

/** Puts a line's elements there; answers the line. */
export function fillLine(line) {
  const { isNamed, number, node } = line;
  line.drawing = svg("svg.water-line", { role: "none" });
  line.use = el("span.use", { "aria-hidden": "true" });
  line.head = el("span.type", { role: "rowheader" }, isNamed ? linkToRange(line) : "");
  const first = el("span.first", { "aria-hidden": "true" }, number);
  put(node, line.head, first, line.drawing, line.use);
  // What is not filled is no row to anyone.
  node.setAttribute("role", "row");
  return line;
}

/** Takes them away; the line keeps its place. */
export function emptyLine(line) {
  put(line.node);
  line.node.removeAttribute("role");
  Object.assign(line, UNFILLED);
}

function linkToRange(line) {
  const name = visible(line.type.name);
  return el("a", { href: rangeAddress(line), tabindex: -1, title: `${name}${spokenGuests(line)}` }, name);
}

/** Draws who is on a line, unless it shows that already. `lines` are all of the map's, `sizes` is in px. */
export function drawLine(line, lines, sizes) {
  const frame = frameOf(line, sizes);
  const present = line.occupants;
  const state = stateOf(line, present, frame);
  if (line.drawn === state) return;
  const leases = present.filter((one) => one.view);
  // On a line that is drawn for the first time nobody is new, and nobody has gone.
  const before = line.drawn ? line.hits : present;
  const known = new Set(before.map((one) => one.view?.lockId));
  const gone = before.filter((old) => old.view && !present.some((one) => one.port === old.port));
  line.drawn = state;
  line.hits = present.map((one) => ({ ...one, x: frame.x(one.port) + 0.8, w: frame.markWidth }));
  const names = labels(line, present, frame);
  put(
    line.drawing,
    svg("line.bed", { x1: 0, x2: frame.width, y1: frame.height / 2, y2: frame.height / 2 }),
    neighbours(line, lines, frame),
    basin(line, leases.length === 0, frame),
    tick(line, frame),
    drawCells(line, known, frame),
    gone.map((hit) => goingMark(hit, frame)),
    names,
    guestNotes(line, names, frame),
  );
  line.drawing.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
}

/** Who a point of a line is near to. */
export function hitAt(line, clientX) {
  const at = clientX - line.drawing.getBoundingClientRect().left;
  const near = line.hits
    .map((hit) => ({ hit, far: Math.abs(hit.x + hit.w / 2 - at) }))
    .sort((a, b) => a.far - b.far)[0];
  return near && near.far <= REACH ? near.hit : null;
}

/** How a line is drawn: its size, what a port takes of it, and where each one stands. */
function frameOf(line, { width, height, scale, span }) {
  const step = width / span;
  return {
    width,
    height,
    scale,
    span,
    step,
    markWidth: Math.max(2.7, Math.min(step - 1.2, 9 * scale)),
    x: (port) => (port - line.base) * step,
  };
}

/** All that a drawing shows, in a text: what has the same one looks the same. */
function stateOf(line, present, { width, height }) {
  const marks = present.map(({ port, view }) => {
    if (!view) return `${port}f`;
    const chosen = view.lockId === world.chosen ? "!" : "";
    return `${port}${view.phase}${shortName(view)}${view.lockId}${chosen}`;
  });
  return `${width}:${height}:${marks.join()}`;
}

/** Where on the same ports another range lies, that has a line of its own. */
function neighbours(line, lines, { height, step, x }) {
  return lines
    .filter((other) => other !== line && other.base === line.base)
    .map((other) =>
      svg("rect.neighbour", {
        x: x(other.from),
        y: height / 2 - 2,
        width: (other.to - other.from + 1) * step,
        height: 4,
        rx: 2,
      }),
    );
}

function basin(line, isEmpty, { height, step, x }) {
  const auto = line.type.origin === "auto" ? ".auto" : "";
  return svg(`rect.basin${auto}${isEmpty ? ".empty" : ""}`, {
    x: x(line.from) + 0.5,
    y: 1.5,
    width: Math.max((line.to - line.from + 1) * step - 1, 2),
    height: height - 3,
    rx: 3,
  });
}

/** A tick at each tenth of the line, within the basin. */
function tick(line, { height, span, x }) {
  const ticks = Array.from({ length: 9 }, (_, at) => line.base + ((at + 1) * span) / 10)
    .filter((port) => port > line.from && port <= line.to)
    .map((port) => `M${x(port)} 2V${height - 2}`);
  return ticks.length ? svg("path.tick", { d: ticks.join("") }) : null;
}

/** Says how much of a line's range is in use: `inUse` ports. Figures stand at its first line alone. */
export function tellUse(line, inUse) {
  const size = line.type.leased + line.type.free;
  const state = `${inUse}/${size}`;
  if (!world.loaded || line.told === state) return;
  line.told = state;
  line.node.classList.toggle("still", inUse === 0);
  const name = visible(line.type.name);
  const told = line.isFirst ? `${inUse} of ${size} in use${spokenGuests(line)}` : `from ${line.from}`;
  line.head.setAttribute("aria-label", `${name}, ${told}`);
  if (line.isFirst) put(line.use, el("b", {}, count(inUse)), `/${count(size)}`);
}

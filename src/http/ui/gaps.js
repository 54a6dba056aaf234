// What lies between the ranges of the map: how much of it is free, and who is there all the same.

import { asCell } from "./cells.js";
import { calledName, count, el, put, visible, widthOf } from "./dom.js";
import { programOf } from "./occupant.js";
import { glyph } from "./phases.js";
import { within } from "./places.js";
import { stopsOf } from "./stops.js";
import { PORT_MAX } from "./stretches.js";
import { world } from "./world.js";

/** So many strangers are named in a gap; the others are counted. */
const NAMED_MAX = 3;
/** A gap's text may take this part of its width; names are so far apart, and a lease's shape is so wide, in px. */
const [PART, APART, SHAPE] = [0.8, 12, 10];
/** Who is not further than this from the pointer, in px, is meant by it. */
const REACH = 12;

/**
 * The rows of the map: its lines, and the gaps between ranges, of which those that are `known` stay. Lines that begin
 * and end at round numbers, so many ports after each other (`span`), have gaps only where somebody is.
 */
export function withGaps(lines, outside, span, known) {
  const gaps = new Map(known.filter((row) => !row.type).map((gap) => [`${gap.from}-${gap.to}`, gap]));
  const gap = (from, to) => gaps.get(`${from}-${to}`) ?? makeGap(from, to);
  const isEmpty = (from, to) => within(outside, from, to).length === 0;
  const rows = [];
  let end = 0;
  lines.forEach((line, at) => {
    const lowest = span ? line.base : line.isFirst ? line.first : line.from;
    // What is free between ranges of the same hundred is seen on their lines; who is there is not.
    const isSeen = span || lines[at - 1]?.base === line.base;
    if (lowest - end > 1 && !(isSeen && isEmpty(end + 1, lowest - 1))) rows.push(gap(end + 1, lowest - 1));
    rows.push(line);
    end = Math.max(end, span ? line.base + span - 1 : lastOf(line, lines[at + 1]));
  });
  if (end < PORT_MAX && !(span && isEmpty(end + 1, PORT_MAX))) rows.push(gap(end + 1, PORT_MAX));
  return rows;
}

/** Where the next line has the same ports, the range may go on behind what that one holds. */
const lastOf = (line, next) => (next?.base === line.base ? line.to : Math.max(line.last, line.to));

function makeGap(from, to) {
  const text = el("span.gap-text", { role: "none" });
  const node = el("div.gap", { role: "row" }, text);
  return { node, text, from, to, free: 0, occupants: [], hidden: [], cells: new Map(), drawn: "" };
}

/** Draws how much is free and who is there, unless the gap shows that already. */
export function drawGap(gap, { all, outside }, { width, scale }) {
  gap.occupants = within(outside, gap.from, gap.to);
  gap.free = gap.to - gap.from + 1 - within(all, gap.from, gap.to).length;
  // What is free is known with the first snapshot.
  if (!world.loaded) return;
  const state = JSON.stringify([
    Math.round(width),
    gap.free,
    gap.occupants.map(({ port, view, listener }) =>
      view ? [port, view.lockId, view.phase, view.lockId === world.chosen] : [port, programOf(listener)],
    ),
  ]);
  if (gap.drawn === state) return;
  gap.drawn = state;
  const shown = fitting(gap, PART * width, scale);
  gap.hidden = gap.occupants.filter((one) => !shown.has(one));
  // Those that have no room share a cell.
  const more = el("span", { role: "gridcell", "aria-label": `${count(gap.hidden.length)} more` });
  more.textContent = `+${gap.hidden.length}`;
  gap.cells = new Map(
    stopsOf(gap).map((stop) => [
      stop.port,
      gap.hidden.includes(stop.hit) ? more : asCell(stop.hit ? named(stop.hit) : freeWater(gap), stop),
    ]),
  );
  put(
    gap.text,
    [...new Set(gap.cells.values())].filter((cell) => cell !== more),
    gap.hidden.length ? more : null,
  );
}

/** Who is named: leases first, as far as there is room. */
function fitting({ occupants, free }, width, scale) {
  const size = 11 * scale;
  const leases = occupants.filter((one) => one.view);
  const strangers = occupants.filter((one) => !one.view).slice(0, NAMED_MAX);
  let room = width - widthOf(`${count(free)} free +99`, size) - 3 * APART;
  const shown = new Set();
  for (const one of [...leases, ...strangers]) {
    room -= widthOf(`${one.port} ${nameIn(one)}`, size) + (one.view ? SHAPE * scale : 0) + APART;
    if (room < 0) break;
    shown.add(one);
  }
  return shown;
}

const nameIn = ({ view, listener }) => (view ? calledName(view) : visible(programOf(listener)));

const freeWater = ({ free }) => el("span", {}, `${count(free)} free`);

function named(one) {
  const { port, view } = one;
  const isChosen = view && view.lockId === world.chosen;
  return el(
    `span.${view ? "outside" : "foreign"}${isChosen ? ".chosen-cell" : ""}`,
    {},
    view ? [glyph(view.phase), " "] : null,
    el("b", {}, port),
    ` ${nameIn(one)}`,
  );
}

/** Who a point of a gap is near to: an occupant, or all those that are `hidden` behind a count. */
export function hitInGap(gap, clientX) {
  let [nearest, least] = [null, REACH];
  for (const one of gap.occupants) {
    const box = gap.cells.get(one.port).getBoundingClientRect();
    const far = Math.max(box.left - clientX, clientX - box.right, 0);
    if (far < least) [nearest, least] = [one, far];
  }
  return gap.hidden.includes(nearest) ? { hidden: gap.hidden } : nearest;
}

// One line of the map: the basin of its range, who is on it, and how much of it is in use.

import { count, el, put, shortName, svg, visible } from "./dom.js";
import { labels } from "./labels.js";
import { spoken } from "./occupant.js";
import { shape } from "./phases.js";
import { spokenFree, stopsOf } from "./stops.js";
import { world } from "./world.js";

/** Who is not further than this from the pointer, in px, is meant by it. */
const REACH = 12;

/** Where the range of a line is shown, port by port. */
export const rangeAddress = (line) => `#/r/${encodeURIComponent(line.type.name)}`;

/** A line with its elements and nothing drawn yet; `number` is the port that is written at its head. */
export function makeLine(stretch, isNamed, number) {
  const drawing = svg("svg.water-line", { "aria-hidden": "true" });
  const use = el("span.use");
  const name = visible(stretch.type.name);
  const spokenLine = el("span.unseen", { role: "rowheader" });
  const node = el(
    "div.line",
    { role: "row", "data-base": stretch.base, "data-type": stretch.type.name },
    spokenLine,
    el(
      "span.type",
      {},
      isNamed ? el("a", { href: rangeAddress(stretch), tabindex: -1, title: name }, name) : "",
    ),
    el("span.first", {}, number),
    drawing,
    use,
  );
  // `hits` are the occupants, each with its place; `drawn` tells what is shown, so that the same isn't drawn again.
  return { ...stretch, node, drawing, use, spokenLine, hits: [], drawn: "", told: "" };
}

/** Draws who is on a line, unless it shows that already. `lines` are all of the map's, `sizes` is in px. */
export function drawLine(line, { lines, onLines }, sizes) {
  const frame = frameOf(line, sizes);
  const present = presentOn(line, lines, onLines.get(line.base) ?? []);
  const state = stateOf(line, present, frame);
  if (line.drawn === state) return;
  const leases = present.filter((one) => one.view);
  // On a line that is drawn for the first time nobody is new, and nobody has gone.
  const before = line.drawn ? line.hits : present;
  const known = new Set(before.map((one) => one.view?.lockId));
  const gone = before.filter((old) => old.view && !present.some((one) => one.port === old.port));
  line.drawn = state;
  line.hits = present.map((one) => ({ ...one, x: frame.x(one.port) + 0.8, w: frame.markWidth }));
  put(
    line.drawing,
    svg("line.bed", { x1: 0, x2: frame.width, y1: frame.height / 2, y2: frame.height / 2 }),
    neighbours(line, lines, frame),
    basin(line, leases.length === 0, frame),
    tick(line, frame),
    line.hits.map((hit) => markOf(hit, known, frame)),
    gone.map((hit) => goingMark(hit, frame)),
    labels(line, present, frame),
    leases.length ? [] : line.guests.map((guest) => guestLabel(guest, line, frame)),
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

/** The leases and strangers of a line, from the left, of those that are on its ports. */
const presentOn = (line, lines, onPorts) =>
  onPorts.filter(({ port, view }) => {
    const isOwn = port >= line.from && port <= line.to;
    return isOwn || (view && takesIn(line, lines, port));
  });

/** Whether a line shows a lease beside its range: of those with the same ports the first, if no line is its own. */
function takesIn(line, lines, port) {
  const home = lines.find((one) => one.type.ranges.some(([from, to]) => port >= from && port <= to));
  if (home && lines.some((one) => one.type === home.type && port >= one.from && port <= one.to)) return false;
  return lines.find((one) => one.base === line.base) === line;
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

const shapeAt = (hit, phase, { height, scale }) => shape(phase, hit.x, 4 * scale, hit.w, height - 8 * scale);

/** The mark of a lease or a stranger, framed if its drawer is open. */
function markOf(hit, known, frame) {
  const { view, x, w } = hit;
  const mark = shapeAt(hit, view?.phase ?? "foreign", frame);
  if (!view) return mark;
  if (!known.has(view.lockId)) mark.classList.add("new");
  if (view.lockId !== world.chosen) return mark;
  return [mark, svg("rect.here", { x: x - 2.5, y: 1, width: w + 5, height: frame.height - 2, rx: 4 })];
}

/** The mark of a lease that has ended: it is seen to go. */
function goingMark(hit, frame) {
  const mark = shapeAt(hit, hit.view.phase, frame);
  mark.classList.add("going");
  mark.addEventListener("animationend", () => mark.remove());
  return mark;
}

/** Says where the rest of a range is that has no line of its own. */
function guestLabel(guest, line, { height, scale, x }) {
  const [arrow, side] = guest.base < line.base ? ["↑", "above"] : ["↓", "below"];
  const ports = guest.from === guest.to ? guest.from : `${guest.from}–${guest.to}`;
  return svg(
    "text.label",
    { x: x(line.from) + 8, y: height / 2 + 4 * scale },
    `${arrow} ${ports} on the line ${side}`,
  );
}

/** Says who is on a line, and how much of its range is in use: `inUse` ports. Figures stand at its first line alone. */
export function tellUse(line, inUse) {
  const size = line.type.leased + line.type.free;
  const state = `${inUse}/${size}:${line.drawn}`;
  if (line.told === state) return;
  line.told = state;
  put(line.use, line.isFirst ? [el("b", {}, count(inUse)), `/${count(size)}`] : "");
  line.node.classList.toggle("still", inUse === 0);
  const stops = stopsOf(line).map((stop) => (stop.hit ? spoken(stop.hit) : spokenFree(stop)));
  line.spokenLine.textContent = `${visible(line.type.name)}, ${inUse} of ${size} in use. ${stops.join("; ")}`;
}

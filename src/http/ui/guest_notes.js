// The notes on a range's first line that say where the rest of the range is, if that is drawn on lines of others.

import { svg, widthOf } from "./dom.js";

/** How far a note stays from marks and names, in px where a letter is 16 px. */
const APART = 10;

/** The notes of a line, in water that is free: no mark and no name is covered. `names` are the labels that it has. */
export function guestNotes(line, names, frame) {
  if (!line.guests.length) return [];
  const taken = [...line.hits.map(({ x, w }) => [x, x + w]), ...names.map((name) => extentOf(name, frame))];
  const notes = [];
  for (const guest of line.guests) {
    const found = place(textsOf(guest), waters(line, taken, frame), frame);
    if (!found) continue;
    const { text, x, width } = found;
    const { height, scale } = frame;
    notes.push(
      svg(
        "text.label",
        { x, y: height / 2 + 4 * scale, "font-size": 11 * scale, "aria-hidden": "true" },
        text,
      ),
    );
    taken.push([x, x + width]);
  }
  return notes;
}

/** What a reader hears of it: nothing, or with a comma in front. */
export const spokenGuests = (line) => line.guests.map((guest) => `, ${whereIs(guest)}`).join("");

const portsOf = ({ from, to }) => (from === to ? `${from}` : `${from}–${to}`);
/** Which line it is: the next one, or so many from here. */
function whereIs(guest) {
  const side = guest.away < 0 ? "above" : "below";
  const lines = Math.abs(guest.away);
  return `${portsOf(guest)} ${lines === 1 ? `on the line ${side}` : `${lines} lines ${side}`}`;
}

/** The whole note, and the least of it. */
function textsOf(guest) {
  const arrow = guest.away < 0 ? "↑" : "↓";
  return [`${arrow} ${whereIs(guest)}`, `${arrow} ${portsOf(guest)}`];
}

/** Where the first of the texts has room that has any. */
function place(texts, free, { scale }) {
  for (const text of texts) {
    const width = widthOf(text, 11 * scale);
    const water = free.find(([from, to]) => to - from >= width + 2 * APART * scale);
    if (water) return { text, width, x: water[0] + APART * scale };
  }
  return null;
}

/** The stretches without marks and names, from the left: within the shores first, then outside of them. */
function waters(line, taken, { x, width }) {
  const [near, far] = [x(line.from), x(line.to + 1)];
  const within = ([from, to]) => {
    const free = [];
    let start = from;
    for (const [left, right] of taken.toSorted((a, b) => a[0] - b[0])) {
      if (right <= start) continue;
      if (left >= to) break;
      if (left > start) free.push([start, left]);
      start = right;
    }
    if (start < to) free.push([start, to]);
    return free;
  };
  return [
    [near, far],
    [far, width],
    [0, near],
  ].flatMap(within);
}

/** From where to where a label goes. */
function extentOf(label, { scale }) {
  const x = Number(label.getAttribute("x"));
  const width = widthOf(label.textContent, 11 * scale);
  return label.getAttribute("text-anchor") === "end" ? [x - width, x] : [x, x + width];
}

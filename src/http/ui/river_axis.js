// The numbers below the river: the thousands that hold ranges, and round ten thousands where there is room.

import { el, put, rem, visible } from "./dom.js";
import { isPhone } from "./river_columns.js";

/** How far labels are apart at least, and from the right edge, in px where a letter is 16 px. */
const ROOM = { apart: 40, edge: 90 };
const ROOM_ON_PHONE = { apart: 30, edge: 24 };

/** Draws the labels of a band that is `width` px wide. */
export function drawAxis(axis, columns, width) {
  const phone = isPhone(width);
  const room = phone ? ROOM_ON_PHONE : ROOM;
  const apart = room.apart * (rem() / 16);
  const labelled = [];
  const add = (column) => {
    const isNear = labelled.some((other) => Math.abs(other.x - column.x) < apart);
    if (!isNear && column.x <= width - room.edge) labelled.push(column);
  };
  // Thousands that hold ranges come first: round numbers have what room is left.
  columns.filter((column) => column.holds).forEach(add);
  columns.filter((column) => column.k % 10 === 0).forEach(add);
  put(
    axis,
    labelled.map((column) => label(column, phone)),
    phone ? null : el("span.end", {}, 65535),
  );
}

function label(column, phone) {
  const name = phone ? `${column.k}k` : column.k * 1000 || 1;
  return el(column.holds ? "span.strong" : "span", { "--x": `${column.x}px` }, visible(name));
}

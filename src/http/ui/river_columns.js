// The columns of the river: where each thousand of ports lies, and how wide it is.

import { world } from "./world.js";

const PORT_MAX = 65535;
const COLUMNS = 66;
/** A band that is narrower than this, in px, is drawn for a phone. */
const PHONE_WIDTH = 560;
/** A column that holds ranges is so many times as wide as one that does not. */
const WIDE = 6;
const WIDE_ON_PHONE = 7;

/** Whether the band is as narrow as a phone. */
export const isPhone = (width) => width < PHONE_WIDTH;

/** The columns from the left: `k` is the thousand, `x` and `w` are in px; `types` and `leases` are filled in later. */
export function columnsOf(width) {
  const held = new Set(world.types.flatMap((type) => type.ranges.flatMap(thousandsOf)));
  const wide = isPhone(width) ? WIDE_ON_PHONE : WIDE;
  const weights = Array.from({ length: COLUMNS }, (_, k) => (held.has(k) ? wide : 1));
  const unit = width / weights.reduce((a, b) => a + b, 0);
  let x = 0;
  return weights.map((weight, k) => {
    const column = {
      k,
      x,
      w: weight * unit,
      first: Math.max(1, k * 1000),
      last: Math.min(PORT_MAX, k * 1000 + 999),
      holds: held.has(k),
      types: [],
      leases: 0,
    };
    x += weight * unit;
    return column;
  });
}

/** The thousands that a range lies in. */
export function thousandsOf([first, last]) {
  const lowest = Math.floor(first / 1000);
  return Array.from({ length: Math.floor(last / 1000) - lowest + 1 }, (_, at) => lowest + at);
}

/** The column that a port is in. */
export const columnOf = (columns, port) => columns[Math.floor(port / 1000)];

/** How far below the surface a port lies, in px: its last three digits, of the water's height. */
export const depthIn = (height) => (port) => ((port % 1000) / 1000) * height;

/** A length to a tenth of a px: nobody sees more, and paths stay short. */
export const rounded = (number) => Math.round(number * 10) / 10;

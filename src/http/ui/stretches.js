// Which lines the map has: the stretches, between round numbers, that ranges lie on.

/** The last port there is. */
export const PORT_MAX = 65535;

/** A line for each stretch of a range that holds at least a fifth of it; a range has one at least. */
export function linesOf(types, span) {
  const lines = types.flatMap((type) => type.ranges.flatMap((range) => linesOfRange(type, range, span)));
  const bases = new Set(lines.map((line) => line.base));
  const all = [...lines, ...lines.flatMap((line) => lonely(line, bases))].sort(
    (a, b) => a.base - b.base || a.from - b.from,
  );
  all.forEach((line, at) => {
    for (const guest of line.guests) {
      const near = all.filter((other) => other.base === guest.base);
      guest.away = all.indexOf(hostOf(guest.from, near)) - at;
    }
  });
  return all;
}

/** Of the lines with the same hundred, the one that a port beside the ranges is drawn on: that before it. */
export const hostOf = (port, near) => near.findLast((line) => line.from <= port) ?? near[0] ?? null;

/** Those of a line's guests that have no line to be on: each gets one of its own. */
const lonely = (line, bases) =>
  line.guests
    .filter((guest) => !bases.has(guest.base))
    .map((guest) => ({ ...line, ...guest, guests: [], isFirst: false }));

/** What is left over is a guest on another line with its ports, and named on the range's first line. */
function linesOfRange(type, [first, last], span) {
  const stretches = [];
  for (let base = Math.floor(first / span) * span; base <= last; base += span)
    stretches.push({ base, from: Math.max(first, base), to: Math.min(last, base + span - 1) });
  const large = stretches.filter((one) => one.to - one.from + 1 >= span / 5);
  const kept = large.length ? large : [largestOf(stretches)];
  const own = new Set(kept);
  const guests = stretches.filter((one) => !own.has(one));
  return kept.map((stretch, at) => ({
    ...stretch,
    type,
    first,
    last,
    guests: at === 0 ? guests : [],
    isFirst: at === 0,
  }));
}

const largestOf = (stretches) => stretches.reduce((a, b) => (b.to - b.from > a.to - a.from ? b : a));

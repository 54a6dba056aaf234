// Which ports were leased at a moment, and which ranges there were: from what is now, back through the audit log.

import { byPort, world } from "./world.js";

/** `name`, `size` and `leased` of each type that had ports then; `entries` are stamped and the oldest first. */
export function typesAt(entries, moment) {
  const ports = new Set(byPort().keys());
  const later = entries.filter((entry) => entry.at > moment).reverse();
  for (const entry of later) if (!isOfRange(entry)) takeLeaseBack(ports, entry);
  return [...rangesBefore(later)]
    .map(([name, ranges]) => use(name, [...ranges.values()], ports))
    .filter(({ size }) => size);
}

const isOfRange = ({ action }) => action.startsWith("range.");

/** The ranges of each type as they were before `entries`, of which the newest is the first. */
export function rangesBefore(entries) {
  const types = new Map(world.types.map((type) => [type.name, new Map(type.ranges.map(keyed))]));
  for (const entry of entries) if (isOfRange(entry)) takeRangesBack(types, entry);
  return types;
}

const keyed = (range) => [range.join("-"), range];

/** One range, or a list of them. */
export const rangesIn = (side) => (side ? (Array.isArray(side[0]) ? side : [side]) : []);

function takeRangesBack(types, { type, before, after }) {
  const ranges = types.get(type) ?? new Map();
  types.set(type, ranges);
  for (const range of rangesIn(after)) ranges.delete(range.join("-"));
  for (const range of rangesIn(before)) ranges.set(...keyed(range));
}

/** A renewed lease has a side before and one after; what only tells of an attempt has none. */
function takeLeaseBack(ports, { before, after }) {
  for (const port of Object.values(after?.ports ?? {})) ports.delete(port);
  for (const port of Object.values(before?.ports ?? {})) ports.add(port);
}

const use = (name, ranges, ports) => ({
  name,
  size: ranges.reduce((sum, [a, b]) => sum + b - a + 1, 0),
  leased: [...ports].filter((port) => ranges.some(([a, b]) => port >= a && port <= b)).length,
});

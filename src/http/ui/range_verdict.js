// Whether a range of ports fits among those of the other types, said at once and in a sentence.

import { count, many } from "./dom.js";
import { byPort, world } from "./world.js";

const PORT_MAX = 65535;
/** So many ports are named; more than that nobody reads. */
const NAMED_MAX = 4;
/** A proposed range is never below the first of them; a range that ends above the second doesn't push it up. */
const [LOWEST, HIGHEST] = [11500, 60000];
/** A proposed range has so many ports, and leaves as many free below it. */
const SIZE = 10;

/** Whether `first` to `last` fits for the type called `name`, and why, or why not. */
export function verdict(first, last, name) {
  const bad = (text) => ({ fits: false, text });
  if (!Number.isInteger(first) || !Number.isInteger(last) || first < 1 || last > PORT_MAX)
    return bad(`A port is a number from 1 to ${PORT_MAX}.`);
  if (first > last) return bad(`${first} is above ${last}: the first port comes first.`);
  const others = world.types
    .filter((type) => type.name !== name)
    .flatMap((type) => type.ranges.map(([a, b]) => ({ name: type.name, a, b })))
    .sort((x, y) => x.a - y.a);
  const hit = others.find(({ a, b }) => a <= last && b >= first);
  if (hit) {
    const shared = Math.min(last, hit.b) - Math.max(first, hit.a) + 1;
    return bad(`Overlaps ${hit.name} ${hit.a}–${hit.b} by ${many(shared, "port")}.`);
  }
  return { fits: true, text: `${room(first, last, others)}${staying(first, last, name)}` };
}

/** How many ports the range has, and how much is free around it. */
function room(first, last, others) {
  const below = others.filter(({ b }) => b < first).at(-1);
  const above = others.find(({ a }) => a > last);
  const under = below ? `, ${count(first - below.b - 1)} free below up to ${below.name}` : "";
  const over = above ? `, ${count(above.a - last - 1)} to ${above.name}` : ", open water after it";
  return `Fits. ${many(last - first + 1, "port")}${under}${over}.`;
}

/** Who has a port of the type that is not in the range, and keeps it. */
function staying(first, last, name) {
  const outside = [...byPort()]
    .filter(([port, view]) => view.type === name && (port < first || port > last))
    .map(([port]) => port);
  if (!outside.length) return "";
  const named = outside.slice(0, NAMED_MAX).join(", ");
  return outside.length === 1
    ? ` ${named} keeps its lease until it ends.`
    : ` ${named} keep their leases until they end.`;
}

/** A range for a new type: behind all that there are. */
export function firstFree() {
  const ends = world.types
    .flatMap((type) => type.ranges)
    .filter(([, b]) => b < HIGHEST)
    .map(([, b]) => b);
  const from = Math.max(LOWEST, ...ends) + SIZE + 1;
  return [from, from + SIZE - 1];
}

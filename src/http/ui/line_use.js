// Who is on which line of the map, and how much of each range is in use: found once for all lines, and said soon.

import { tellUse } from "./line.js";
import { strangersByPort } from "./occupant.js";
import { byPort } from "./world.js";

/** Each change of a large range is one of all of its lines: they are said anew after so long, in ms, so many a frame. */
const PAUSE = 1000;
const IN_A_FRAME = 24;

/** Leases and strangers in the order of their ports, by the first port of the line that they are on. */
export function occupantsOf(span) {
  const leases = byPort();
  const all = [...leases].map(([port, view]) => ({ port, view }));
  for (const [port, listener] of strangersByPort()) if (!leases.has(port)) all.push({ port, listener });
  all.sort((a, b) => a.port - b.port);
  const lines = new Map();
  for (const one of all) {
    const base = Math.floor(one.port / span) * span;
    if (lines.has(base)) lines.get(base).push(one);
    else lines.set(base, [one]);
  }
  return lines;
}

/** Has each line say how much is in use: those that show figures at once, the others, which readers hear, soon. */
export class UseTold {
  /** The lines that are still to say it, those that have waited longest first. */
  #waiting = new Set();
  #counts = new Map();
  #timer = 0;

  tell(lines) {
    this.#counts.clear();
    for (const line of lines)
      if (line.isFirst || line.told === "") this.#tellOne(line);
      else this.#waiting.add(line);
    this.#timer ||= setTimeout(() => this.#tellSome(), PAUSE);
  }

  #tellOne(line) {
    if (!this.#counts.has(line.type)) this.#counts.set(line.type, inUseOf(line.type));
    tellUse(line, this.#counts.get(line.type));
  }

  #tellSome() {
    requestAnimationFrame(() => {
      for (const line of [...this.#waiting].slice(0, IN_A_FRAME)) {
        this.#waiting.delete(line);
        this.#tellOne(line);
      }
      this.#timer = this.#waiting.size ? setTimeout(() => this.#tellSome()) : 0;
    });
  }

  /** Forgets the lines that waited. */
  leave() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#waiting.clear();
  }
}

/** How many ports of a type's ranges are in use. */
function inUseOf(type) {
  let inUse = 0;
  for (const port of byPort().keys())
    if (type.ranges.some(([from, to]) => port >= from && port <= to)) inUse += 1;
  return inUse;
}

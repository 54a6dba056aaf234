// How much of each range is in use: counted once for all of its lines.

import { tellUse } from "./line.js";
import { byPort } from "./world.js";

/** Counts what is in use of the types that are asked for, once. */
export class Uses {
  #counts = new Map();

  /** Has a line say how much of its range is in use. */
  tell(line) {
    const { type } = line;
    if (!this.#counts.has(type)) this.#counts.set(type, inUseOf(type));
    tellUse(line, this.#counts.get(type));
  }
}

/** How many ports of a type's ranges are in use. */
function inUseOf(type) {
  let inUse = 0;
  for (const port of byPort().keys())
    if (type.ranges.some(([from, to]) => port >= from && port <= to)) inUse += 1;
  return inUse;
}

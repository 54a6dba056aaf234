// A part of the time up to now, in slots: what the audit log tells of each.

import { quantile } from "./charts.js";

/** A bar for every so many px, within these bounds. */
const SLOT_WIDTH = 5;
const SLOTS_MIN = 30;
const SLOTS_MAX = 96;
/** What is told of a moment is told of a minute before and after it, at least. */
const MINUTE = 6e4;

/** `name` is the part's own ("3 hours"), `entries` are stamped and the oldest first, `width` is a chart's in px. */
export class Period {
  constructor(name, duration, cursor, entries, width, knownSince) {
    this.name = name;
    /** What was before is not in the entries. */
    this.knownSince = knownSince;
    this.to = Date.now();
    this.from = this.to - duration;
    this.cursor = cursor;
    /** What the figures are about: the moment that is pointed at, or now. */
    this.moment = cursor ?? this.to;
    this.slot = duration / Math.max(SLOTS_MIN, Math.min(SLOTS_MAX, Math.floor(width / SLOT_WIDTH)));
    this.entries = entries.filter((entry) => entry.at >= this.from);
  }

  /** The entries that tell of certain actions. */
  of(...actions) {
    return this.entries.filter((entry) => actions.includes(entry.action));
  }

  /** The sum of a value in each slot that has entries. */
  sums(entries, value) {
    return this.#inSlots(entries, value).map(([time, found]) => [time, found.reduce((a, b) => a + b, 0)]);
  }

  /** The value that a share of the entries is below, in each slot that has any. */
  quantiles(entries, value, share) {
    return this.#inSlots(entries, value).map(([time, found]) => [time, quantile(found, share)]);
  }

  /** The sum of a value about the moment. */
  sumAtMoment(entries, value) {
    return entries
      .filter((entry) => Math.abs(entry.at - this.moment) <= Math.max(this.slot, MINUTE))
      .reduce((sum, entry) => sum + value(entry), 0);
  }

  /** The values in each slot that has entries, with the time of its middle. */
  #inSlots(entries, value) {
    const slots = new Map();
    for (const entry of entries) {
      const middle = this.from + (Math.floor((entry.at - this.from) / this.slot) + 0.5) * this.slot;
      slots.set(middle, [...(slots.get(middle) ?? []), value(entry)]);
    }
    return [...slots].sort(([a], [b]) => a - b);
  }
}

// A walk by keys along the stops of the map: leases, strangers and free blocks, row by row.

import { CurrentCell } from "./cells.js";
import { rangeAddress } from "./line.js";
import { markSpan, markStop } from "./mark.js";
import { isSomebodyAt, stopsOf } from "./stops.js";

/** Where the keys are on a map. */
export class Walk {
  /** The port that it has come to; null before its first step. */
  port = null;
  /** The row that this is on. */
  row = null;

  constructor(map) {
    this.map = map;
    this.cell = new CurrentCell(map.body);
  }

  /** Begins where it was before; at first, with the first range. */
  begin() {
    const [line] = this.map.lines;
    this.to(this.here() ?? (line && stopsOf(line)[0]));
  }

  /** To another stop: so many further. */
  by(step) {
    const stops = this.stops();
    const at = stops.indexOf(stopAt(stops, this.port));
    if (at < 0) this.begin();
    else this.to(stops[Math.max(0, Math.min(stops.length - 1, at + step))]);
  }

  /** To the first stop of all, which is number 0, or to the last one: -1. */
  toEnd(end) {
    this.to(this.stops().at(end));
  }

  to(stop) {
    if (!stop) return;
    stop.row.node.scrollIntoView({ block: "nearest" });
    this.#mark(stop);
  }

  /** To the first stop of the nearest row where ports are drawn or somebody is. */
  acrossRows(step) {
    const { rows } = this.map;
    const from = rows.indexOf(this.here()?.row);
    if (from < 0) return this.begin();
    for (let number = from + step; number >= 0 && number < rows.length; number += step) {
      const stops = stopsOf(rows[number]);
      if (rows[number].type ? stops.length : isSomebodyAt(stops)) return this.to(stops[0]);
    }
  }

  /** Port by port: from the lease where one is, or from where the last step led. */
  byPort(step) {
    const { map } = this;
    const here = this.here();
    const { line, port: before } =
      map.anchor ??
      (here ? { line: here.row, port: here.port } : { line: map.lines[0], port: map.lines[0].from - step });
    // Free water that is folded has no place for a port.
    if (!line.type) return;
    const port = Math.max(line.base, Math.min(line.base + map.span - 1, before + step));
    map.anchor = { line, port };
    this.port = port;
    markSpan(map, line, port, port);
  }

  enter() {
    const { hit, row } = this.here() ?? {};
    if (hit) this.map.enter(hit);
    else if (row?.type) location.hash = rangeAddress(row);
  }

  /** Leases come and go between two steps, and lines are drawn anew: the cell is found again. */
  renew() {
    if (this.port === null || this.cell.isThere) return;
    const stop = this.here();
    if (!stop) this.cell.leave();
    else if (this.map.anchor) this.cell.enter(stop);
    else this.#mark(stop);
  }

  /** After a zoom it is elsewhere: who looks at it goes on to see it. */
  follow() {
    if (document.activeElement === this.map.body) this.row?.node.scrollIntoView({ block: "nearest" });
  }

  stops() {
    return this.map.rows.flatMap(stopsOf);
  }

  here() {
    return stopAt(this.stops(), this.port);
  }

  #mark(stop) {
    [this.port, this.row] = [stop.port, stop.row];
    this.map.anchor = null;
    this.map.tip.hide();
    this.map.at = stop.row.type?.name ?? null;
    markStop(this.map, stop);
    this.cell.enter(stop);
  }
}

/** Who is at a port, or else the free block that it lies in. */
const stopAt = (stops, port) =>
  stops.find((stop) => stop.hit && stop.port === port) ??
  stops.find((stop) => stop.last >= port && stop.port <= port);

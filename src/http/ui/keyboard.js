// The keys on the map: to the next lease, stranger or free block, from line to line, with Shift from port to port,
// and the zoom.

import { rangeAddress } from "./line.js";
import { markFree, markHit, markSpan, unmark } from "./mark.js";
import { stopsOf } from "./stops.js";

/** Follows the keys for as long as the map is there. */
export function followKeys(map) {
  const walk = new Walk(map);
  const keys = {
    ArrowRight: () => walk.to(walk.at + 1),
    ArrowLeft: () => walk.to(walk.at - 1),
    ArrowDown: () => walk.acrossLines(1),
    ArrowUp: () => walk.acrossLines(-1),
    Home: () => walk.to(0),
    End: () => walk.to(walk.stops.length - 1),
    Enter: () => walk.enter(),
    "+": () => map.setZoom(map.zoom + 1),
    "-": () => map.setZoom(map.zoom - 1),
    0: () => map.setZoom(0),
  };
  const shifted = { ArrowRight: () => walk.byPort(1), ArrowLeft: () => walk.byPort(-1) };
  map.body.addEventListener("keydown", (event) => {
    walk.look();
    let act = event.ctrlKey || event.metaKey ? null : keys[event.key];
    if (event.shiftKey && map.lines.length) act = shifted[event.key] ?? act;
    if (!act) return;
    event.preventDefault();
    act();
  });
}

/** A walk along the stops of a map, line by line. */
class Walk {
  stops = [];
  /** Where it is among the stops; -1 where none is. */
  at = -1;

  constructor(map) {
    this.map = map;
  }

  /** Leases come and go between two steps. */
  look() {
    this.stops = this.map.lines.flatMap(stopsOf);
  }

  to(next) {
    this.at = Math.max(0, Math.min(this.stops.length - 1, next));
    this.map.anchor = null;
    unmark(this.map);
    const stop = this.stops[this.at];
    this.map.at = stop?.line.type.name ?? null;
    if (stop?.hit) markHit(stop.line, stop.hit);
    else if (stop) markFree(this.map, stop);
  }

  /** To the first stop of the nearest line that has one. */
  acrossLines(step) {
    const { lines } = this.map;
    const from = lines.indexOf(this.stops[this.at]?.line);
    for (let number = from + step; number >= 0 && number < lines.length; number += step) {
      const at = this.stops.findIndex((stop) => stop.line === lines[number]);
      if (at >= 0) return this.to(at);
    }
  }

  /** Port by port: from the lease where one is, or from where the last step led. */
  byPort(step) {
    const { map } = this;
    const { line, port: before } = map.anchor ?? this.here() ?? this.beforeFirst(step);
    const port = Math.max(line.base, Math.min(line.base + map.span - 1, before + step));
    map.anchor = { line, port };
    this.at = this.stops.findIndex(
      (stop) => stop.line === line && stop.port <= port && port <= (stop.last ?? stop.port),
    );
    markSpan(map, line, port, port);
  }

  here() {
    const stop = this.stops[this.at];
    return stop ? { line: stop.line, port: stop.port } : null;
  }

  /** Where a step leads to the map's first port. */
  beforeFirst(step) {
    const [line] = this.map.lines;
    return { line, port: line.from - step };
  }

  enter() {
    const stop = this.stops[this.at];
    if (stop?.hit) this.map.enter(stop.hit);
    else if (stop) location.hash = rangeAddress(stop.line);
  }
}

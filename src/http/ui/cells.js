// The cells of the map's grid: where on it a screen reader stops, and what it hears there.

import { spoken, spokenSince } from "./occupant.js";
import { spokenFree } from "./stops.js";

/** Makes an element the cell of a stop. Its name has no age: a minute later that would be wrong. */
export function asCell(node, stop) {
  node.setAttribute("role", "gridcell");
  node.setAttribute("aria-label", stop.hit ? spoken(stop.hit) : spokenFree(stop));
  return node;
}

/** The one cell of a grid that its keys are at. */
export class CurrentCell {
  #cell = null;
  /** What the cell is called while the keys are elsewhere. */
  #name = "";

  constructor(grid) {
    this.grid = grid;
  }

  /** Whether it is still drawn. */
  get isThere() {
    return !!this.#cell?.isConnected;
  }

  /** Becomes the cell of another stop, whose name tells since when it is so. */
  enter(stop) {
    const cell = stop.row.cells.get(stop.port);
    this.leave();
    if (!cell) return;
    [this.#cell, this.#name] = [cell, cell.getAttribute("aria-label")];
    cell.id = `cell-${stop.port}`;
    if (stop.hit) cell.setAttribute("aria-label", spokenSince(stop.hit));
    this.grid.setAttribute("aria-activedescendant", cell.id);
  }

  leave() {
    if (!this.#cell) return;
    this.#cell.setAttribute("aria-label", this.#name);
    this.#cell.removeAttribute("id");
    this.grid.removeAttribute("aria-activedescendant");
    this.#cell = null;
  }
}

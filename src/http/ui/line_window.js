// Of the map's lines, those that are seen or near: a map of hundreds of lines costs what its window shows.
//
// Each line has its place, whether it is filled or not, so nothing moves when one comes into sight.

import { emptyLine, fillLine } from "./line.js";

/** Lines that are no further than so many windows away are filled, and those beyond so many are emptied. */
const [NEAR, FAR] = [0.5, 1.5];

/** Fills and empties the lines of a map, which draws those that are handed to `draw`. */
export class LineWindow {
  /** Where the map begins in the page, and where each line begins in the map, in px. */
  #top = 0;
  #tops = [];
  #scrolled = scrollY;
  #seen = innerHeight;
  #asked = 0;

  constructor(map, draw) {
    this.map = map;
    this.draw = draw;
    addEventListener("scroll", this.#looks, { passive: true });
    addEventListener("resize", this.#looks);
    addEventListener("beforeprint", this.#prints);
  }

  /** Asks where the lines are, since they have been arranged anew or have another size; fills those in sight, and soon those near. */
  measure() {
    const { node, lines } = this.map;
    if (!node.isConnected) return;
    this.#top = node.getBoundingClientRect().top + scrollY;
    this.#tops = lines.map((line) => line.node.offsetTop);
    this.#looks();
    this.#fill(0);
    // By one of them at least the others are measured.
    if (lines.length && !lines.some((line) => line.drawing)) fillLine(lines[0]);
  }

  /** Fills a line wherever it is: the keys are about to come to it. */
  show(line) {
    if (!line.drawing) this.draw([fillLine(line)]);
  }

  leave() {
    cancelAnimationFrame(this.#asked);
    removeEventListener("scroll", this.#looks);
    removeEventListener("resize", this.#looks);
    removeEventListener("beforeprint", this.#prints);
  }

  /** On paper all of them are in sight; those that are not any more are emptied when somebody scrolls. */
  #prints = () => this.draw(this.#fill(Infinity));

  #looks = () => {
    [this.#scrolled, this.#seen] = [scrollY, innerHeight];
    this.#asked ||= requestAnimationFrame(() => {
      this.#asked = 0;
      this.draw(this.#fill(NEAR));
    });
  };

  /** Fills the lines that are at most so many windows away; answers them. */
  #fill(near) {
    const { lines, walk } = this.map;
    const filled = [];
    lines.forEach((line, at) => {
      const far = this.#windowsAway(this.#tops[at]);
      if (far <= near && !line.drawing) filled.push(fillLine(line));
      else if (far > FAR && line.drawing && line !== walk.row) emptyLine(line);
    });
    return filled;
  }

  /** How far above or below the window a place of the map is, in windows; 0 within it. */
  #windowsAway(top) {
    const above = this.#scrolled - this.#top - top;
    return Math.max(above, -above - this.#seen, 0) / this.#seen;
  }
}

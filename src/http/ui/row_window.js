// Of a long list, the rows that can be seen: a thousand instances cost no more than ninety.

import { rem } from "./dom.js";
import { instanceRow } from "./instance_row.js";
import { inTrouble } from "./phases.js";
import { putInOrder } from "./row_order.js";

/** So many rows are there even if they cannot be seen. */
const ALWAYS = 20;
/** So long after the last scroll, in ms, rows are put in the order that readers and keys follow, and so many a frame. */
const CALM = 150;
const MOVES = 6;
const PRINT = ["beforeprint", "afterprint"];

/** Keeps the rows in `body`, which is the table's; `open` opens an instance. */
export function rowWindow(table, body, open) {
  const rows = new Map();
  let order = [];
  let tops = [];
  let size = null;
  let height = null;
  let scrolled = scrollY;
  let lookAgain = 0;
  let tidies = 0;
  let isPrinted = false;

  /** How high rows are, and where the first one begins: asked when something has got another size. */
  function measure() {
    const style = getComputedStyle(table);
    const [low, tall] = ["--row", "--row-trouble"].map(
      (name) => parseFloat(style.getPropertyValue(name)) * rem(),
    );
    const now = { low, tall, top: body.getBoundingClientRect().top + scrollY, seen: innerHeight };
    if (JSON.stringify(now) === JSON.stringify(size)) return;
    size = now;
    arrange();
  }

  function arrange() {
    if (!size) return;
    let y = 0;
    tops = order.map((view) => {
      const top = y;
      y += inTrouble(view) ? size.tall : size.low;
      return top;
    });
    if (height !== y) {
      height = y;
      body.style.height = `${y}px`;
      table.setAttribute("aria-rowcount", order.length + 1);
    }
    look(true);
  }

  /**
   * Puts there what can be seen, and a screen's half around it. What cannot be seen any more serves for what can; what
   * was there before is drawn again if things may have changed.
   */
  function look(mayDiffer) {
    lookAgain = 0;
    const seen = isPrinted ? tops.map((_, at) => at) : seenPlaces(tops, scrolled - size.top, size);
    const spare = letGo(rows, new Set(seen.map((at) => order[at].lockId)));
    for (const at of seen) {
      const view = order[at];
      const known = rows.get(view.lockId);
      const row = known ?? spare.shift() ?? instanceRow(view, open);
      if (!known) rows.set(view.lockId, row);
      row.place(at, tops[at]);
      if (!known || mayDiffer) row.show(view);
      if (!row.node.parentNode) body.append(row.node);
    }
    for (const row of spare) row.node.remove();
    tidySoon(CALM);
  }

  /** Where rows stand doesn't depend on their order: it is put right when there is time. */
  function tidySoon(wait) {
    clearTimeout(tidies);
    tidies = setTimeout(() => requestAnimationFrame(tidy), wait);
  }
  const inOrder = () =>
    order.filter((view) => rows.has(view.lockId)).map((view) => rows.get(view.lockId).node);
  function tidy() {
    if (!putInOrder(body, inOrder(), MOVES)) tidySoon(0);
  }
  const looks = () => {
    scrolled = scrollY;
    if (!lookAgain && size) lookAgain = requestAnimationFrame(() => look(false));
  };
  addEventListener("scroll", looks, { passive: true });
  // Nobody can scroll on paper, and rows stand there in their order.
  const print = ({ type }) => {
    isPrinted = type === "beforeprint";
    if (!size) return;
    look(false);
    putInOrder(body, inOrder(), Infinity);
  };
  for (const when of PRINT) addEventListener(when, print);
  // A change of anything's size above, too, moves the first row.
  const sizes = new ResizeObserver(measure);
  for (const watched of [table, document.getElementById("band"), document.getElementById("main")])
    sizes.observe(watched);
  return {
    rows: () => rows.values(),
    /** Shows these instances, in this order. */
    show(next) {
      order = next;
      arrange();
      if (size) tidy();
    },
    leave() {
      clearTimeout(tidies);
      sizes.disconnect();
      removeEventListener("scroll", looks);
      for (const when of PRINT) removeEventListener(when, print);
    },
  };
}

/** Forgets the rows that cannot be seen any more, but for one that somebody's keys are on; answers them. */
function letGo(rows, keep) {
  const spare = [];
  for (const [lockId, row] of rows)
    if (!keep.has(lockId) && !row.node.contains(document.activeElement)) {
      spare.push(row);
      rows.delete(lockId);
    }
  return spare;
}

/** Which places of the order are seen when the window begins at `above`: so many wherever that is. */
function seenPlaces(tops, above, { low, seen: screen }) {
  const from = Math.max(ALWAYS, firstAbove(tops, above - screen / 2) - 1);
  const to = Math.min(tops.length, from + Math.ceil((2 * screen) / low) + 2);
  // The first ones are always there: that is where the tabulator key leads to from the map.
  const seen = [];
  for (let at = 0; at < Math.min(ALWAYS, tops.length); at++) seen.push(at);
  for (let at = from; at < to; at++) seen.push(at);
  return seen;
}

/** The place of the first number that is larger, in numbers that grow. */
function firstAbove(numbers, limit) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

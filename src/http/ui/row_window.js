// Of a long list, the rows that can be seen: a thousand instances cost no more than forty.

import { rem } from "./dom.js";
import { instanceRow } from "./instance_row.js";
import { inTrouble } from "./phases.js";

/** So many rows are there even if they cannot be seen. */
const ALWAYS = 20;

/** Keeps the rows in `body`, which is the table's; `open` opens an instance. */
export function rowWindow(table, body, open) {
  const rows = new Map();
  let order = [];
  let tops = [];
  let size = null;
  let height = null;
  let scrolled = scrollY;
  let lookAgain = 0;

  /** How high rows are, and where the first one begins: asked when something has got another size. */
  function measure() {
    const style = getComputedStyle(table);
    const [low, tall] = ["--row", "--row-trouble"].map(
      (name) => parseFloat(style.getPropertyValue(name)) * rem(),
    );
    size = { low, tall, top: body.getBoundingClientRect().top + scrollY };
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
      body.style.setProperty("--height", `${y}px`);
      table.setAttribute("aria-rowcount", order.length + 1);
    }
    look();
  }

  /** Puts there what can be seen, and a screen's half around it. */
  function look() {
    lookAgain = 0;
    const seen = seenPlaces(tops, scrolled - size.top);
    forget(rows, new Set(seen.map((at) => order[at].lockId)));
    let place = body.firstChild;
    for (const at of seen) {
      const view = order[at];
      if (!rows.has(view.lockId)) rows.set(view.lockId, instanceRow(view, open));
      const row = rows.get(view.lockId);
      row.show(view, at, tops[at]);
      if (row.node === place) place = place.nextSibling;
      else body.insertBefore(row.node, place);
    }
  }
  const looks = () => {
    scrolled = scrollY;
    if (!lookAgain && size) lookAgain = requestAnimationFrame(look);
  };
  addEventListener("scroll", looks, { passive: true });
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
    },
    leave() {
      sizes.disconnect();
      removeEventListener("scroll", looks);
    },
  };
}

/** Takes the rows away that cannot be seen any more, but for one that somebody's keys are on. */
function forget(rows, keep) {
  for (const [lockId, row] of rows)
    if (!keep.has(lockId) && !row.node.contains(document.activeElement)) {
      row.node.remove();
      rows.delete(lockId);
    }
}

/** Which places of the order are seen when the window begins at `above`. */
function seenPlaces(tops, above) {
  const ahead = innerHeight / 2;
  const from = Math.max(0, firstAbove(tops, above - ahead) - 1);
  const to = firstAbove(tops, above + innerHeight + ahead);
  // The first ones are always there: that is where the tabulator key leads to from the map.
  const seen = [];
  for (let at = 0; at < Math.min(ALWAYS, tops.length); at++) seen.push(at);
  for (let at = Math.max(from, ALWAYS); at < to; at++) seen.push(at);
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

// The list of instances: which of them are shown, and in what order; a row's place holds still under a hand.

import { setWish, wish } from "./address.js";
import { commandLine, count, el, fullName, put, tell, visible } from "./dom.js";
import { inTrouble, isChanging } from "./phases.js";
import { rowWindow } from "./row_window.js";
import { changed, sorted, watch, world } from "./world.js";

/** Rows don't change places within this time after a change, nor under the pointer. */
const SETTLED = 2000;
/** Ages are written again so often, in ms. */
const AGES = 5000;
/** Which instances can be shown, and what is said where there are none. */
const FILTERS = [
  { key: "all", label: "All", holds: () => true, none: "Nothing changes at the moment." },
  { key: "trouble", label: "Trouble", holds: inTrouble, none: "Nobody is in trouble." },
  { key: "changing", label: "Changing", holds: isChanging, none: "Nothing changes at the moment." },
];
const HEADS = [
  ["Name", "name"],
  ["Port", "num"],
  ["Command", "wide"],
  ["Project", "wide"],
  ["Age", "num"],
  ["CPU %", "num.more"],
  ["Memory", "num.more"],
  ["↻", "num.more"],
];

/** The list; `open` opens an instance, `find` tells what is looked for. */
export function instances(open, find) {
  const body = el("div.rows", { role: "rowgroup" });
  const table = el("div.table", { role: "table", "aria-label": "Instances" }, heads(), body);
  const nothing = el("p.note", { hidden: true });
  const filter = filterButtons(() => draw(true));
  const node = el(
    "section.instances",
    { "aria-label": "Instances" },
    el("div.head", {}, el("h2", {}, "Instances"), filter.node),
    table,
    nothing,
  );
  const seen = rowWindow(table, body, open);
  let order = [];
  let inside = false;
  let touched = 0;
  let later = 0;

  /** Nobody's row moves away under a pointer or a finger on a key. */
  const mayMove = () => !inside && !body.contains(document.activeElement) && Date.now() - touched > SETTLED;

  function draw(now) {
    const all = sorted();
    filter.draw(all);
    const text = find();
    const shown = all.filter((view) => filter.chosen().holds(view) && matches(view, text.toLowerCase()));
    nothing.hidden = shown.length > 0 || all.length === 0;
    put(nothing, text ? noMatch(text) : filter.chosen().none);
    if (now || touched === 0 || mayMove()) order = shown;
    else {
      order = inPlace(order, shown);
      clearTimeout(later);
      later = setTimeout(() => draw(false), SETTLED + 100);
    }
    touched = Date.now();
    seen.show(order);
  }
  body.addEventListener("pointerenter", () => {
    inside = true;
  });
  body.addEventListener("pointerleave", () => {
    inside = false;
    draw(false);
  });
  const timer = setInterval(() => {
    for (const row of seen.rows()) row.age();
  }, AGES);
  const unwatch = watch((what) => {
    if (what.has("instances") || what.has("find")) draw(what.has("find"));
    if (what.has("usage")) for (const row of seen.rows()) row.use();
    if (what.has("trouble")) for (const row of seen.rows()) row.age();
    if (what.has("chosen")) for (const row of seen.rows()) row.choose();
  });
  draw(true);
  node.first = () => order[0];
  node.leave = () => {
    unwatch();
    clearInterval(timer);
    clearTimeout(later);
    seen.leave();
  };
  return node;
}

const heads = () =>
  el(
    "div.row.heads",
    { role: "row", "aria-rowindex": 1 },
    HEADS.map(([head, kind]) =>
      el(`span.${kind}`, { role: "columnheader", title: head === "↻" ? "Restarts" : null }, head),
    ),
  );

/** A button for each filter, with how many it holds for; the chosen one is in the address. */
function filterButtons(change) {
  let chosen = FILTERS.find(({ key }) => key === wish("show")) ?? FILTERS[0];
  const buttons = FILTERS.map((filter) =>
    el("button", {
      type: "button",
      onclick: () => {
        chosen = filter;
        setWish("show", filter.key === "all" ? null : filter.key);
        change();
      },
    }),
  );
  return {
    node: el("div.segments", { role: "group", "aria-label": "Which instances" }, buttons),
    chosen: () => chosen,
    draw(all) {
      for (const [at, filter] of FILTERS.entries()) {
        const holds = world.loaded ? ` ${count(all.filter(filter.holds).length)}` : "";
        tell(buttons[at], `${filter.label}${holds}`);
        buttons[at].setAttribute("aria-pressed", String(chosen === filter));
      }
    },
  };
}

/** Whether its name, port, lock or command has the text in it, which is in small letters. */
function matches(view, text) {
  if (!text) return true;
  return [fullName(view), String(view.port), view.lockId, commandLine(view.command)].some((field) =>
    field.toLowerCase().includes(text),
  );
}

/** The shown ones, as they were in order; new ones come last. */
function inPlace(order, shown) {
  const left = new Map(shown.map((view) => [view.lockId, view]));
  const stay = order.filter((view) => left.has(view.lockId)).map((view) => left.get(view.lockId));
  for (const view of stay) left.delete(view.lockId);
  return [...stay, ...left.values()];
}

const noMatch = (text) => [
  `No instance matches “${visible(text)}”. `,
  el(
    "button.plain",
    {
      type: "button",
      onclick: () => {
        document.getElementById("find").value = "";
        changed("find");
      },
    },
    "Clear the filter",
  ),
];

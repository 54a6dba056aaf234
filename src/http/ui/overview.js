// The overview: the river, the map of ranges, and the list of instances.

import { setWish, wish } from "./address.js";
import {
  age,
  bytes,
  commandLine,
  copyButton,
  el,
  exact,
  fullName,
  many,
  nameOf,
  put,
  rem,
  shortName,
  spokenAge,
  visible,
} from "./dom.js";
import { WORDS, glyph, inTrouble, isChanging, legend } from "./phases.js";
import { berths } from "./berths.js";
import { lines } from "./lines.js";
import { notRunning } from "./services.js";
import { changed, sorted, watch, world } from "./world.js";

/** Rows don't change places within this time after a change, nor under the pointer. */
const SETTLED = 2000;
const FILTERS = [
  ["all", "All"],
  ["trouble", "Trouble"],
  ["changing", "Changing"],
];
/** So many rows are there even if they cannot be seen. */
const ALWAYS = 20;

export function overview(open, range, find) {
  const map = range ? berths(range, open) : lines(open);
  const list = instances(open, find);
  const ports = el(
    "section.ports",
    { "aria-label": "Ports" },
    range ? null : el("div.head", {}, el("h2", {}, "Ports"), legend(), map.zoom),
    map,
  );
  const node = el("div.overview", {}, ports, list);
  const still = el(
    "section.still-water",
    { hidden: true },
    el("h2", {}, "Still water."),
    el(
      "p",
      {},
      "No instance runs on this machine. Put this before any server command, and it appears here by itself:",
    ),
    el("p.mono.command", {}, "styxy run -- npm run dev ", copyButton("styxy run -- ")),
  );
  const services = notRunning();
  list.append(still, services);
  const show = () => {
    still.hidden = world.instances.size > 0 || !world.loaded;
  };
  const unwatch = watch((what) => {
    if (what.has("instances")) show();
  });
  show();
  node.leave = () => {
    map.leave?.();
    list.leave();
    services.leave();
    unwatch();
  };
  node.first = list.first;
  node.go = (port) => map.go?.(port);
  return node;
}

/** The list. Only the rows that can be seen are there, so that a thousand cost no more than forty. */
function instances(open, find) {
  const body = el("div.rows", { role: "rowgroup" });
  const filters = el("div.segments", { role: "group", "aria-label": "Which instances" });
  const nothing = el("p.note", { hidden: true });
  const table = el(
    "div.table",
    { role: "table", "aria-label": "Instances" },
    el(
      "div.row.heads",
      { role: "row", "aria-rowindex": 1 },
      [
        ["Name", "name"],
        ["Command", "wide"],
        ["Project", "wide"],
        ["Port", "num"],
        ["Age", "num"],
        ["CPU %", "num.more"],
        ["Memory", "num.more"],
        ["↻", "num.more"],
      ].map(([head, kind]) =>
        el(`span.${kind}`, { role: "columnheader", title: head === "↻" ? "Restarts" : null }, head),
      ),
    ),
    body,
  );
  let which = FILTERS.find(([key]) => key === wish("show"))?.[0] ?? "all";
  let inside = false;
  let touched = 0;
  let later = 0;
  let order = [];
  let tops = [];
  let lookAgain = 0;
  let height = null;
  let scrolled = scrollY;
  const rows = new Map();
  const node = el(
    "section.instances",
    { "aria-label": "Instances" },
    el("div.head", {}, el("h2", {}, "Instances"), filters),
    table,
    nothing,
  );

  function wanted(view) {
    if (which === "trouble" && !inTrouble(view)) return false;
    if (which === "changing" && !isChanging(view)) return false;
    const text = find().toLowerCase();
    return (
      !text ||
      [fullName(view), String(view.port), view.lockId, commandLine(view.command)].some((field) =>
        field.toLowerCase().includes(text),
      )
    );
  }

  const segments = FILTERS.map(([key, label]) => {
    const button = el("button", {
      type: "button",
      onclick: () => {
        which = key;
        setWish("show", key === "all" ? null : key);
        draw(true);
      },
    });
    filters.append(button);
    return (number) => {
      tell(button, `${label} ${number}`);
      button.setAttribute("aria-pressed", String(which === key));
    };
  });

  /** Nobody's row moves away under a pointer or a finger on a key. */
  const mayMove = () => !inside && !body.contains(document.activeElement) && Date.now() - touched > SETTLED;

  function draw(now) {
    const all = sorted();
    [all.length, all.filter(inTrouble).length, all.filter(isChanging).length].forEach((number, at) =>
      segments[at](number),
    );
    const shown = all.filter(wanted);
    const text = find();
    nothing.hidden = shown.length > 0 || all.length === 0;
    put(
      nothing,
      text
        ? [
            `No instance matches “${visible(text)}”. `,
            el(
              "button.plain",
              {
                type: "button",
                onclick: () => {
                  const box = document.getElementById("find");
                  box.value = "";
                  changed("find");
                },
              },
              "Clear the filter",
            ),
          ]
        : which === "trouble"
          ? "Nobody is in trouble."
          : "Nothing changes at the moment.",
    );
    if (now || touched === 0 || mayMove()) order = shown;
    else {
      const left = new Map(shown.map((view) => [view.lockId, view]));
      const stay = order.filter((view) => left.has(view.lockId)).map((view) => left.get(view.lockId));
      stay.forEach((view) => left.delete(view.lockId));
      order = [...stay, ...left.values()];
      clearTimeout(later);
      later = setTimeout(() => draw(false), SETTLED + 100);
    }
    touched = Date.now();
    arrange();
  }

  /** How high rows are, and where the first one begins: asked when something has got another size. */
  let size = null;
  function measure() {
    const style = getComputedStyle(node);
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
    const above = scrolled - size.top;
    const ahead = innerHeight / 2;
    const from = Math.max(0, firstAbove(tops, above - ahead) - 1);
    const to = firstAbove(tops, above + innerHeight + ahead);
    // The first ones are always there: that is where the tabulator key leads to from the map.
    const seen = [];
    for (let at = 0; at < Math.min(ALWAYS, order.length); at++) seen.push(at);
    for (let at = Math.max(from, ALWAYS); at < to; at++) seen.push(at);
    const keep = new Set(seen.map((at) => order[at].lockId));
    for (const [lockId, row] of rows)
      if (!keep.has(lockId) && !row.node.contains(document.activeElement)) {
        row.node.remove();
        rows.delete(lockId);
      }
    let place = body.firstChild;
    for (const at of seen) {
      const view = order[at];
      let row = rows.get(view.lockId);
      if (!row) {
        row = makeRow(view, open);
        rows.set(view.lockId, row);
      }
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
  body.addEventListener("pointerenter", () => {
    inside = true;
  });
  body.addEventListener("pointerleave", () => {
    inside = false;
    draw(false);
  });
  const timer = setInterval(() => {
    for (const row of rows.values()) row.age();
  }, 5000);
  const unwatch = watch((what) => {
    if (what.has("instances") || what.has("find")) draw(what.has("find"));
    if (what.has("usage")) for (const row of rows.values()) row.use();
    if (what.has("chosen")) for (const row of rows.values()) row.choose();
  });
  draw(true);
  node.first = () => order[0];
  node.leave = () => {
    unwatch();
    clearInterval(timer);
    clearTimeout(later);
    sizes.disconnect();
    removeEventListener("scroll", looks);
  };
  return node;
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

/** A text that stays the same costs nothing. */
function tell(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
}

function makeRow(first, open) {
  let view = null;
  const mark = el("span.mark");
  const name = el("span.name-cell", { role: "cell" });
  const port = el("span.num.port", { role: "cell" });
  const old = el("span.num", { role: "cell" });
  const cpu = el("span.num.more", { role: "cell" });
  const memory = el("span.num.more", { role: "cell" });
  const restarts = el("span.num.more", { role: "cell" });
  const command = el("span.wide.mono", { role: "cell" });
  const project = el("span.wide", { role: "cell" });
  const node = el(
    "div.row",
    { role: "row", "data-lock": first.lockId, onclick: () => open(view) },
    name,
    command,
    project,
    port,
    old,
    cpu,
    memory,
    restarts,
  );
  let drawn = null;
  let y = null;
  let index = null;
  const row = {
    node,
    age() {
      const ms = view.startedAt ? Date.now() - Date.parse(view.startedAt) : null;
      tell(old, ms === null ? "–" : age(ms));
      if (ms !== null && !old.title) old.title = exact(view.startedAt);
      if (ms !== null) old.setAttribute("aria-label", spokenAge(ms));
      if (inTrouble(view) && name.lastChild?.className === "reason") tell(name.lastChild, reasonOf(view));
    },
    use() {
      const used = world.usage.get(view.lockId);
      tell(cpu, used?.cpu === null || used?.cpu === undefined ? "–" : used.cpu.toFixed(1));
      tell(memory, bytes(used?.memory));
    },
    choose() {
      node.classList.toggle("chosen", view.lockId === world.chosen);
    },
    show(next, at, top) {
      view = next;
      if (top !== y) {
        y = top;
        node.style.setProperty("--y", `${top}px`);
      }
      if (at !== index) {
        index = at;
        node.setAttribute("aria-rowindex", at + 2);
      }
      // A twin that came or went changes the name too.
      const state = JSON.stringify([next, shortName(next)]);
      if (drawn === state) return;
      drawn = state;
      put(mark, glyph(view.phase));
      const second = [];
      if (view.phase !== "ready" && !inTrouble(view)) second.push(WORDS[view.phase]);
      const more = Object.keys(view.ports ?? {}).length - 1;
      if (more > 0) second.push(`+${more}`);
      if (view.container) second.push("container");
      put(
        name,
        mark,
        el(
          "button.row-name",
          { type: "button", "aria-label": `${fullName(view)}, ${WORDS[view.phase]}` },
          nameOf(view),
        ),
        second.length ? el("span.dim", {}, second.join(" · ")) : null,
        inTrouble(view) ? el("span.reason", {}, reasonOf(view)) : null,
      );
      node.className = `row${inTrouble(view) ? ` trouble wash-${view.phase === "backoff" ? "backoff" : "unhealthy"}` : ""}`;
      port.textContent = view.port;
      restarts.textContent = view.restarts || "·";
      command.textContent = visible(commandLine(view.command)) || "–";
      command.title = command.textContent;
      project.textContent = visible(view.project ?? "–");
      old.title = "";
      row.choose();
      row.age();
      row.use();
    },
  };
  return row;
}

/** Why an instance is in trouble, as far as is known. */
export function reasonOf(view) {
  const since = (world.history.get(view.lockId) ?? []).at(-1)?.from;
  const span = since ? ` for ${age(Date.now() - since)}` : "";
  if (view.phase === "stuck") return "Something of it survived KILL";
  if (view.phase === "backoff") return `Ended, and is tried again; ${many(view.restarts, "restart")} so far`;
  return `Its health check has failed${span}`;
}

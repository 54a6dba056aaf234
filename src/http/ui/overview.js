// The overview: the river, the map of ranges, and the list of instances.

import { age, bytes, copyButton, el, fullName, many, nameOf, put, spokenAge, visible, commandLine } from "./dom.js";
import { WORDS, glyph, inTrouble, isChanging, legend } from "./phases.js";
import { berths, lines } from "./lines.js";
import { sorted, watch, world } from "./world.js";

/** Rows don't change places within this time after a change, nor under the pointer. */
const SETTLED = 2000;

export function overview(open, range, find) {
  const map = range ? berths(range, open) : lines(open);
  const list = instances(open, find);
  const ports = el("section.ports", { "aria-label": "Ports" },
    range ? null : el("div.head", {}, el("h2", {}, "Ports"), legend(), map.zoom), map);
  const node = el("div.overview", {}, ports, list);
  const still = el("section.still-water", { hidden: true }, el("h2", {}, "Still water."),
    el("p", {}, "No instance runs on this machine. Put this before any server command, and it appears here by itself:"),
    el("p.mono.command", {}, "styxy run -- npm run dev ", copyButton("styxy run -- ")));
  list.append(still);
  const show = () => { still.hidden = world.instances.size > 0 || !world.loaded; };
  const unwatch = watch((what) => { if (what.has("instances")) show(); });
  show();
  node.leave = () => { map.leave?.(); list.leave(); unwatch(); };
  node.go = (port) => map.go?.(port);
  return node;
}

function instances(open, find) {
  const body = el("div.rows", { role: "rowgroup" });
  const filters = el("div.segments", { role: "group", "aria-label": "Which instances" });
  const nothing = el("p.note", { hidden: true });
  let which = "all";
  let inside = false;
  let touched = 0;
  const rows = new Map();
  const node = el("section.instances", { "aria-label": "Instances" }, el("div.head", {}, el("h2", {}, "Instances"), filters),
    el("div.table", { role: "table", "aria-label": "Instances" }, el("div.row.heads", { role: "row" },
      [["Name", "name"], ["Command", "wide"], ["Project", "wide"], ["Port", "num"], ["Age", "num"], ["CPU %", "num.more"], ["Memory", "num.more"], ["↻", "num.more"]].map(([head, kind]) => el(`span.${kind}`, { role: "columnheader", title: head === "↻" ? "Restarts" : null }, head))), body), nothing);

  function wanted(view) {
    if (which === "trouble" && !inTrouble(view)) return false;
    if (which === "changing" && !isChanging(view)) return false;
    const text = find().toLowerCase();
    return !text || [fullName(view), String(view.port), view.lockId, commandLine(view.command)].some((field) => field.toLowerCase().includes(text));
  }

  function drawFilters(all) {
    const counts = [["all", "All", all.length], ["trouble", "Trouble", all.filter(inTrouble).length], ["changing", "Changing", all.filter(isChanging).length]];
    put(filters, counts.map(([key, label, number]) => el("button", { type: "button", "aria-pressed": String(which === key), onclick: () => { which = key; draw(true); } }, `${label} ${number}`)));
  }

  function draw(now) {
    const all = sorted();
    drawFilters(all);
    const shown = all.filter(wanted);
    const text = find();
    nothing.hidden = shown.length > 0 || all.length === 0;
    put(nothing, text ? `No instance matches “${visible(text)}”. ` : which === "trouble" ? "Nobody is in trouble." : "Nothing changes at the moment.");
    const keep = new Set(shown.map((view) => view.lockId));
    for (const [lockId, row] of rows) if (!keep.has(lockId)) { row.node.remove(); rows.delete(lockId); }
    for (const view of shown) {
      let row = rows.get(view.lockId);
      if (!row) { row = makeRow(view, open); rows.set(view.lockId, row); body.append(row.node); }
      row.show(view);
    }
    if (now || (!inside && Date.now() - touched > SETTLED) || touched === 0) {
      let place = body.firstChild;
      for (const view of shown) {
        const row = rows.get(view.lockId).node;
        if (row === place) place = place.nextSibling; else body.insertBefore(row, place);
      }
    } else setTimeout(() => draw(false), SETTLED + 100);
    touched = Date.now();
  }
  body.addEventListener("pointerenter", () => { inside = true; });
  body.addEventListener("pointerleave", () => { inside = false; draw(false); });
  const timer = setInterval(() => { for (const row of rows.values()) row.age(); }, 5000);
  const unwatch = watch((what) => {
    if (what.has("instances") || what.has("find")) draw(what.has("find"));
    if (what.has("usage")) for (const row of rows.values()) row.use();
  });
  draw(true);
  node.leave = () => { unwatch(); clearInterval(timer); };
  return node;
}

function makeRow(first, open) {
  let view = first;
  const mark = el("span.mark");
  const name = el("span.name-cell", { role: "cell" });
  const port = el("span.num.port", { role: "cell" });
  const old = el("span.num", { role: "cell" });
  const cpu = el("span.num.more", { role: "cell" });
  const memory = el("span.num.more", { role: "cell" });
  const restarts = el("span.num.more", { role: "cell" });
  const command = el("span.wide.mono", { role: "cell" });
  const project = el("span.wide", { role: "cell" });
  const node = el("div.row", { role: "row", "data-lock": view.lockId, onclick: () => open(view) }, name, command, project, port, old, cpu, memory, restarts);
  const row = {
    node,
    age() {
      const ms = view.startedAt ? Date.now() - Date.parse(view.startedAt) : null;
      old.textContent = ms === null ? "–" : age(ms);
      if (ms !== null) { old.title = new Date(view.startedAt).toLocaleString(); old.setAttribute("aria-label", spokenAge(ms)); }
    },
    use() {
      const used = world.usage.get(view.lockId);
      cpu.textContent = used?.cpu === null || used?.cpu === undefined ? "–" : used.cpu.toFixed(1);
      memory.textContent = bytes(used?.memory);
    },
    show(next) {
      const same = JSON.stringify(view) === JSON.stringify(next) && name.firstChild;
      view = next;
      if (same) return;
      put(mark, glyph(view.phase));
      const second = [];
      if (view.phase !== "ready" && !inTrouble(view)) second.push(WORDS[view.phase]);
      const more = Object.keys(view.ports ?? {}).length - 1;
      if (more > 0) second.push(`+${more}`);
      if (view.container) second.push("container");
      put(name, mark, el("button.row-name", { type: "button", "aria-label": `${fullName(view)}, ${WORDS[view.phase]}` }, nameOf(view)), second.length ? el("span.dim", {}, second.join(" · ")) : null,
        inTrouble(view) ? el("span.reason", {}, reasonOf(view)) : null);
      node.className = `row${inTrouble(view) ? ` trouble wash-${view.phase === "backoff" ? "backoff" : "unhealthy"}` : ""}`;
      port.textContent = view.port;
      restarts.textContent = view.restarts || "·";
      command.textContent = visible(commandLine(view.command)) || "–";
      command.title = command.textContent;
      project.textContent = visible(view.project ?? "–");
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
  return `Its health check fails${span}`;
}

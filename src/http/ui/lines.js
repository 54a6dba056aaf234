// The map of ranges: a line spans a hundred ports, so a port's last two digits are its place, always.

import { setWish, wish } from "./address.js";
import {
  age,
  copyButton,
  count,
  el,
  fullName,
  many,
  put,
  rem,
  shortName,
  svg,
  visible,
  widthOf,
} from "./dom.js";
import { WORDS, glyph, inTrouble, shape } from "./phases.js";
import { byPort, changed, watch, world } from "./world.js";

/** How many ports a line spans, by zoom. */
const SPANS = [100, 50, 25];

/** A line for each stretch of a range that holds at least a fifth of it. */
export function linesOf(types, span) {
  const lines = [];
  for (const type of types)
    for (const [first, last] of type.ranges) {
      const parts = [];
      for (let base = Math.floor(first / span) * span; base <= last; base += span) {
        parts.push({ base, from: Math.max(first, base), to: Math.min(last, base + span - 1) });
      }
      const large = parts.filter((part) => part.to - part.from + 1 >= span / 5);
      const kept = large.length ? large : [parts.reduce((a, b) => (b.to - b.from > a.to - a.from ? b : a))];
      const guests = parts.filter((part) => !kept.includes(part));
      kept.forEach((part, at) =>
        lines.push({ ...part, type, first, last, guests: at === 0 ? guests : [], isFirst: at === 0 }),
      );
    }
  return lines.sort((a, b) => a.base - b.base || a.from - b.from);
}

export function lines(open) {
  let zoom = Math.max(0, SPANS.indexOf(Number(wish("span"))));
  const body = el("div.lines", { role: "grid", "aria-label": "Ports by range", tabindex: 0 });
  const ruler = svg("svg.ruler", { "aria-hidden": "true" });
  const tip = el("div.tip.card", { hidden: true, role: "tooltip" });
  const label = el("span", {});
  const sayZoom = () => {
    label.textContent = zoom ? `${SPANS[zoom]} a line` : "Ranges";
  };
  const setZoom = (next) => {
    zoom = Math.max(0, Math.min(SPANS.length - 1, next));
    setWish("span", zoom ? SPANS[zoom] : null);
    sayZoom();
    renew();
  };
  sayZoom();
  const buttons = el(
    "div.segments",
    { role: "group", "aria-label": "Zoom" },
    el(
      "button",
      { type: "button", title: "Whole map (−)", "aria-label": "Zoom out", onclick: () => setZoom(zoom - 1) },
      "−",
    ),
    el("button", { type: "button", onclick: () => setZoom(0) }, label),
    el(
      "button",
      { type: "button", title: "Closer (+)", "aria-label": "Zoom in", onclick: () => setZoom(zoom + 1) },
      "+",
    ),
  );
  const asTable = el(
    "button.plain.unseen-until-focus",
    {
      type: "button",
      onclick: () => {
        location.hash = "#/table";
      },
    },
    "Show as a table",
  );
  const node = el(
    "div.map",
    {},
    el(
      "div.line.rule",
      { "aria-hidden": "true" },
      el("span"),
      el("span"),
      ruler,
      el("span.use", {}, "in use"),
    ),
    body,
    tip,
    asTable,
  );
  node.zoom = buttons;
  let rows = [];
  let selected = -1;

  let built = "";
  let size = null;

  /** The lines themselves, if ranges or foreign listeners have changed; else what is on them. */
  function renew() {
    const state = JSON.stringify([
      zoom,
      world.types.map((type) => [type.name, type.ranges, type.origin]),
      world.listeners.map((listener) => [listener.port, listener.listener?.command]),
    ]);
    if (built !== state) {
      built = state;
      build();
      return;
    }
    const types = new Map(world.types.map((type) => [type.name, type]));
    for (const row of rows) row.type = types.get(row.type.name);
    drawAll();
  }

  function build() {
    const span = SPANS[zoom];
    rows = linesOf(world.types, span).map((line) => {
      const drawing = svg("svg.water-line", { "aria-hidden": "true" });
      const use = el("span.use");
      const name = el(
        "span.type",
        {},
        line.isFirst || zoom
          ? el(
              "a",
              { href: `#/r/${encodeURIComponent(line.type.name)}`, tabindex: -1 },
              visible(line.type.name),
            )
          : "",
      );
      const row = el(
        "div.line",
        { role: "row", "data-base": line.base, "data-type": line.type.name },
        name,
        el("span.first", {}, zoom ? line.base : line.from),
        drawing,
        use,
      );
      row.prepend(el("span.unseen", { role: "rowheader" }));
      return { ...line, row, drawing, use, hits: [], drawn: "" };
    });
    const parts = [];
    let end = 0;
    rows.forEach((row, at) => {
      const lowest = row.isFirst ? row.first : row.from;
      if (!zoom && lowest - end > 1) parts.push({ gap: [end + 1, lowest - 1] });
      parts.push(row);
      const same = rows[at + 1] && rows[at + 1].base === row.base;
      end = Math.max(end, same ? row.to : Math.max(row.last, row.to));
    });
    if (!zoom && end < 65535) parts.push({ gap: [end + 1, 65535] });
    put(
      body,
      parts.map((part) => (part.gap ? gapRow(part.gap) : part.row)),
    );
    measure();
  }

  /** All is measured before anything is drawn, and not again before something else has its size. */
  function measure() {
    const heights = rows.map((row) => row.drawing.clientHeight || 22);
    size = { width: rows[0]?.drawing.clientWidth ?? 0, heights, scale: rem() / 16 };
    drawRuler(ruler.clientWidth);
    drawAll();
  }

  function gapRow([from, to]) {
    const within = world.listeners.filter((listener) => listener.port >= from && listener.port <= to);
    const named = within
      .slice(0, 3)
      .map((listener) =>
        el("span.foreign", {}, el("b", {}, listener.port), ` ${visible(programOf(listener))}`),
      );
    const more = within.length > 3 ? el("span.foreign", {}, `+${within.length - 3}`) : null;
    return el(
      "div.gap",
      { role: "row" },
      el("span.gap-text", { role: "gridcell" }, `${count(to - from + 1 - within.length)} free`, named, more),
    );
  }

  function drawRuler(width) {
    ruler.setAttribute("viewBox", `0 0 ${width} 16`);
    const span = SPANS[zoom];
    const step = span / 10;
    put(
      ruler,
      Array.from({ length: 10 }, (_, k) =>
        svg(
          "text",
          { x: (k / 10) * width, y: 12 },
          span === 100 ? String(k * step).padStart(2, "0") : `+${k * step}`,
        ),
      ),
    );
  }

  function drawAll() {
    const ports = byPort();
    const foreign = new Map(world.listeners.map((listener) => [listener.port, listener]));
    if (!size?.width) return;
    const { width, heights, scale } = size;
    rows.forEach((row, at) =>
      drawLine(row, rows, ports, foreign, { width, height: heights[at], scale, span: SPANS[zoom] }),
    );
  }

  // A span that is drawn along a line, or chosen with Shift, says how much of it is free.
  let anchor = null;
  let drag = null;
  const rowOf = (event) => rows.find((candidate) => candidate.drawing === event.target.closest?.("svg"));
  const portIn = (row, event) => {
    const at = (event.clientX - row.drawing.getBoundingClientRect().left) / (size.width / SPANS[zoom]);
    return row.base + Math.max(0, Math.min(SPANS[zoom] - 1, Math.floor(at)));
  };
  function mark(row, one, other) {
    const [from, to] = [Math.max(1, Math.min(one, other)), Math.min(65535, Math.max(one, other))];
    const step = size.width / SPANS[zoom];
    const x = (from - row.base) * step;
    body.querySelectorAll(".at").forEach((old) => old.remove());
    row.drawing.append(
      svg("rect.here.at", {
        x: x + 0.5,
        y: 1,
        width: Math.max(4, (to - from + 1) * step - 1),
        height: size.heights[rows.indexOf(row)] - 2,
        rx: 4,
      }),
    );
    const taken = new Set([...byPort().keys(), ...world.listeners.map((listener) => listener.port)]);
    let free = 0;
    for (let port = from; port <= to; port++) if (!taken.has(port)) free += 1;
    const text = from === to ? spokenPort(from) : `${from}–${to}, ${count(free)} free`;
    said.textContent = text;
    tip.hidden = false;
    put(tip, el("b", {}, text));
    const [box, line] = [node.getBoundingClientRect(), row.drawing.getBoundingClientRect()];
    place(tip, line.left - box.left + x, line.bottom - box.top - 16, box.width);
  }
  body.addEventListener("pointerdown", (event) => {
    const row = event.button === 0 && event.pointerType === "mouse" ? rowOf(event) : null;
    drag = row ? { row, port: portIn(row, event), x: event.clientX, isSpan: false } : null;
  });
  // A click comes behind it, and has to know.
  const drawn = () =>
    setTimeout(() => {
      drag = null;
    });
  addEventListener("pointerup", drawn);
  body.addEventListener("pointermove", (event) => {
    if (drag && (drag.isSpan || Math.abs(event.clientX - drag.x) > 6)) {
      drag.isSpan = true;
      mark(drag.row, drag.port, portIn(drag.row, event));
      return;
    }
    const hit = hitAt(rows, event);
    tip.hidden = !hit;
    if (hit) {
      put(tip, describe(hit));
      const box = node.getBoundingClientRect();
      place(tip, event.clientX - box.left, event.clientY - box.top, box.width);
    }
  });
  body.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  body.addEventListener("focusout", () => {
    tip.hidden = true;
  });
  body.addEventListener("click", (event) => {
    if (drag?.isSpan) return;
    const [hit, line] = [hitAt(rows, event), rowOf(event)];
    if (line && event.shiftKey) {
      mark(line, anchor?.row === line ? anchor.port : portIn(line, event), portIn(line, event));
      return;
    }
    anchor = line ? { row: line, port: portIn(line, event) } : null;
    if (hit?.view) open(hit.view);
    else if (hit) location.hash = `#/p/${hit.port}`;
    else if (!event.target.closest("a")) {
      const row = rows.find((candidate) => candidate.row.contains(event.target));
      if (row) location.hash = `#/r/${encodeURIComponent(row.type.name)}`;
    }
  });
  body.addEventListener("keydown", (event) => {
    const stops = rows.flatMap((row, line) =>
      row.hits.filter((hit) => hit.view || hit.listener).map((hit) => ({ ...hit, line, row })),
    );
    const move = (next) => {
      selected = Math.max(0, Math.min(stops.length - 1, next));
      body.querySelectorAll(".at").forEach((mark) => mark.remove());
      const stop = stops[selected];
      anchor = null;
      if (!stop) return;
      const height = stop.row.drawing.clientHeight;
      stop.row.drawing.append(
        svg("rect.here.at", { x: stop.x - 3, y: 1, width: stop.w + 6, height: height - 2, rx: 4 }),
      );
      stop.row.row.scrollIntoView({ block: "nearest" });
      changedFocus(stop);
    };
    const line = stops[selected]?.line ?? -1;
    const jump = (step) => {
      for (let k = line + step; k >= 0 && k < rows.length; k += step) {
        const at = stops.findIndex((stop) => stop.line === k);
        if (at >= 0) return move(at);
      }
    };
    /** Port by port: from the lease where one is, or from where the last step led. */
    const stepTo = (by) => {
      const from =
        anchor ??
        (stops[selected]
          ? { row: stops[selected].row, port: stops[selected].port }
          : { row: rows[0], port: rows[0].from - by });
      const port = Math.max(from.row.base, Math.min(from.row.base + SPANS[zoom] - 1, from.port + by));
      anchor = { row: from.row, port };
      selected = stops.findIndex((stop) => stop.row === from.row && stop.port === port);
      mark(from.row, port, port);
    };
    const enter = () => {
      const stop = stops[selected];
      if (stop?.view) open(stop.view);
      else if (stop) location.hash = `#/p/${stop.port}`;
    };
    if (event.shiftKey && ["ArrowLeft", "ArrowRight"].includes(event.key) && rows.length) {
      event.preventDefault();
      stepTo(event.key === "ArrowLeft" ? -1 : 1);
      return;
    }
    const keys = {
      ArrowRight: () => move(selected + 1),
      ArrowLeft: () => move(selected - 1),
      ArrowDown: () => jump(1),
      ArrowUp: () => jump(-1),
      Home: () => move(0),
      End: () => move(stops.length - 1),
      Enter: enter,
      "+": () => setZoom(zoom + 1),
      "-": () => setZoom(zoom - 1),
      0: () => setZoom(0),
    };
    if (keys[event.key] && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  const said = document.getElementById("said");
  const changedFocus = (stop) => {
    said.textContent = spoken(stop);
  };
  const unwatch = watch((what) => {
    if (what.has("types") || what.has("listeners")) renew();
    else if (what.has("instances") || what.has("chosen")) drawAll();
  });
  const sizes = new ResizeObserver(measure);
  sizes.observe(body);
  node.leave = () => {
    unwatch();
    sizes.disconnect();
    removeEventListener("pointerup", drawn);
  };
  node.go = (port) => {
    const row = rows.find((candidate) => candidate.to >= port) ?? rows.at(-1);
    row?.row.scrollIntoView({ block: "center" });
  };
  renew();
  return node;
}

/** What a single port is, in words. */
function spokenPort(port) {
  const view = byPort().get(port);
  const listener = world.listeners.find((one) => one.port === port);
  return view || listener ? spoken({ port, view, listener }) : `${port}, free`;
}

const programOf = (listener) => basename(listener) || "another user’s";
function basename(listener) {
  return (listener.listener?.command ?? "").split(" ")[0].split("/").pop();
}
export const foreignName = (listener) => basename(listener) || "another user’s program";

function drawLine(row, rows, ports, foreign, { width, height, scale, span }) {
  const step = width / span;
  const x = (port) => (port - row.base) * step;
  const present = [];
  for (let port = row.base; port < row.base + span; port++) {
    const view = ports.get(port);
    const own = port >= row.from && port <= row.to;
    if (view && (own || row.base === homeOf(view, rows, row, port))) present.push({ port, view });
    else if (own && foreign.has(port)) present.push({ port, listener: foreign.get(port) });
  }
  const state = `${width}:${height}:${row.type.leased}:${row.type.free}:${present.map((one) => `${one.port}${one.view?.phase ?? "f"}${one.view ? shortName(one.view) : ""}${one.view?.lockId ?? ""}${one.view && one.view.lockId === world.chosen ? "!" : ""}`).join()}`;
  if (row.drawn === state) return;
  const before = new Set(
    row.drawn ? row.hits.map((hit) => hit.view?.lockId) : present.map((one) => one.view?.lockId),
  );
  const parts = [svg("line.bed", { x1: 0, x2: width, y1: height / 2, y2: height / 2 })];
  for (const other of rows) {
    if (other !== row && other.base === row.base)
      parts.push(
        svg("rect.neighbour", {
          x: x(other.from),
          y: height / 2 - 2,
          width: (other.to - other.from + 1) * step,
          height: 4,
          rx: 2,
        }),
      );
  }
  const leases = present.filter((one) => one.view);
  const auto = row.type.origin === "auto" ? ".auto" : "";
  parts.push(
    svg(`rect.basin${auto}${leases.length ? "" : ".empty"}`, {
      x: x(row.from) + 0.5,
      y: 1.5,
      width: Math.max((row.to - row.from + 1) * step - 1, 2),
      height: height - 3,
      rx: 3,
    }),
  );
  for (let tick = 1; tick < 10; tick++) {
    const port = row.base + (tick * span) / 10;
    if (port > row.from && port <= row.to)
      parts.push(svg("line.tick", { x1: x(port), x2: x(port), y1: 2, y2: height - 2 }));
  }
  const gone = (row.drawn ? row.hits : []).filter(
    (hit) => hit.view && !present.some((one) => one.port === hit.port),
  );
  row.hits = [];
  const w = Math.max(2.7, Math.min(step - 1.2, 9 * scale));
  for (const one of present) {
    const at = x(one.port) + 0.8;
    const mark = shape(one.view?.phase ?? "foreign", at, 4 * scale, w, height - 8 * scale);
    if (one.view && !before.has(one.view.lockId)) mark.classList.add("new");
    parts.push(mark);
    if (one.view && one.view.lockId === world.chosen)
      parts.push(svg("rect.here", { x: at - 2.5, y: 1, width: w + 5, height: height - 2, rx: 4 }));
    row.hits.push({ ...one, x: at, w });
  }
  row.drawn = state;
  for (const hit of gone) {
    const mark = shape(hit.view.phase, hit.x, 4 * scale, hit.w, height - 8 * scale);
    mark.classList.add("going");
    mark.addEventListener("animationend", () => mark.remove());
    parts.push(mark);
  }
  parts.push(...labels(row, present, x, step, width, height, scale));
  for (const guest of row.guests)
    if (!leases.length)
      parts.push(
        svg(
          "text.label",
          { x: x(row.from) + 8, y: height / 2 + 4 * scale },
          `${guest.base < row.base ? "↑" : "↓"} ${guest.from === guest.to ? guest.from : `${guest.from}–${guest.to}`} on the line ${guest.base < row.base ? "above" : "below"}`,
        ),
      );
  put(row.drawing, parts);
  row.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  let inUse = 0;
  for (const port of ports.keys()) if (row.type.ranges.some(([a, b]) => port >= a && port <= b)) inUse += 1;
  const size = row.type.leased + row.type.free;
  put(row.use, row.isFirst ? [el("b", {}, inUse), `/${size}`] : "");
  row.row.classList.toggle("still", inUse === 0);
  row.row.firstChild.textContent = `${visible(row.type.name)}, ${inUse} of ${size} in use. ${leases.map((one) => spoken(one)).join("; ")}`;
}

const homeOf = (view, rows, row, port) => {
  const type = rows.find((other) => other.type.ranges.some(([a, b]) => port >= a && port <= b));
  if (type && rows.some((other) => other.type === type.type && port >= other.from && port <= other.to))
    return null;
  return rows.find((other) => other.base === row.base) === row ? row.base : null;
};

/** Names stand in free water behind each run of leases; they cover no lease, and cross no shore. */
function labels(row, present, x, step, width, height, scale) {
  const size = 11 * scale;
  const parts = [];
  const baseline = height / 2 + 4 * scale;
  const runs = [];
  for (const one of present) {
    const run = runs.at(-1);
    const name = one.view ? shortName(one.view) : `${foreignName(one.listener)}, not ours`;
    const kind = one.view ? "lease" : "foreign";
    if (run && one.port - run.to <= 2 && run.kind === kind) {
      run.to = one.port;
      run.names.push(name);
    } else runs.push({ from: one.port, to: one.port, names: [name], kind });
  }
  let carried = [];
  runs.forEach((run, at) => {
    const names = [...carried, ...run.names];
    const start = x(run.to + 1) + 6 * scale;
    const shore = run.to > row.to ? width : x(row.to + 1);
    const limit = (runs[at + 1] ? x(runs[at + 1].from) : shore) - 6 * scale;
    const text = fitting(names, limit - start, size);
    if (text) {
      parts.push(svg("text.label", { x: start, y: baseline, "font-size": size }, text));
      carried = [];
      return;
    }
    if (runs[at + 1]) {
      carried = names;
      return;
    }
    const outside =
      row.to < row.base + width / step - 1 ? fitting(names, width - shore - 8 * scale, size) : null;
    if (outside) {
      parts.push(svg("text.label.out", { x: shore + 7 * scale, y: baseline, "font-size": size }, outside));
      return;
    }
    const previous = runs[at - 1];
    const left = previous ? x(previous.to + 1) + 60 * scale : x(row.from);
    const front = fitting(names, x(run.from) - left - 8 * scale, size);
    if (front)
      parts.push(
        svg(
          "text.label",
          { x: x(run.from) - 6 * scale, y: baseline, "text-anchor": "end", "font-size": size },
          front,
        ),
      );
  });
  return parts;
}

function fitting(names, room, size) {
  // Names are measured one by one, and once: a run of a hundred has a hundred possible ends.
  const between = widthOf(" · ", size);
  const ends = [];
  let end = 0;
  for (const name of names) {
    end += (ends.length ? between : 0) + widthOf(name, size);
    if (end > room) break;
    ends.push(end);
  }
  for (let kept = ends.length; kept > 0; kept--) {
    const more = kept < names.length ? ` +${names.length - kept}` : "";
    if (ends[kept - 1] + (more && widthOf(more, size)) <= room)
      return names.slice(0, kept).join(" · ") + more;
  }
  return null;
}

function hitAt(rows, event) {
  const row = rows.find((candidate) => candidate.drawing === event.target.closest?.("svg"));
  if (!row) return null;
  const at = event.clientX - row.drawing.getBoundingClientRect().left;
  const near = row.hits
    .map((hit) => ({ hit, far: Math.abs(hit.x + hit.w / 2 - at) }))
    .sort((a, b) => a.far - b.far)[0];
  if (near && near.far <= 12) return near.hit;
  return null;
}

function describe(hit) {
  if (hit.listener) {
    const who = hit.listener.listener;
    return [
      el("b", {}, `${hit.port}, not ours`),
      el("span.mono", {}, visible(who.command ?? "another user’s program").slice(0, 120)),
      el("span.dim", {}, `pid ${who.pid ?? "–"} · styxy check ${hit.port}`),
    ];
  }
  const { view } = hit;
  return [
    el("span", {}, glyph(view.phase), " ", el("b", {}, fullName(view))),
    el(
      "span.dim",
      {},
      `${hit.port} · ${WORDS[view.phase]}${view.startedAt ? ` · ${age(Date.now() - Date.parse(view.startedAt))}` : ""}`,
    ),
    view.command ? el("span.mono", {}, visible(view.command.join(" ")).slice(0, 120)) : null,
  ].filter(Boolean);
}

function spoken(stop) {
  if (stop.listener) return `${stop.port}, ${foreignName(stop.listener)}, not ours`;
  return `${stop.port}, ${fullName(stop.view)}, ${WORDS[stop.view.phase]}`;
}

function place(tip, x, y, width) {
  const left = Math.min(x + 14, width - tip.offsetWidth - 8);
  tip.style.setProperty("--x", `${Math.max(0, left)}px`);
  tip.style.setProperty("--y", `${y + 18}px`);
}

/** One range, port by port, ten a row. */
export function berths(name, open) {
  const node = el("section.berths");
  const draw = () => {
    const type = world.types.find((candidate) => candidate.name === name);
    if (!type) {
      put(
        node,
        el("p", {}, `There is no service type “${visible(name)}”.`),
        el("p", {}, el("a", { href: "#/" }, "Back to the map")),
      );
      return;
    }
    const ports = byPort();
    const foreign = new Map(world.listeners.map((listener) => [listener.port, listener]));
    const cells = type.ranges.flatMap(([a, b]) => Array.from({ length: b - a + 1 }, (_, k) => a + k));
    const full = type.free === 0;
    put(
      node,
      el(
        "div.head",
        {},
        el(
          "h2",
          {},
          visible(name),
          " ",
          el("span.dim", {}, type.ranges.map(([a, b]) => `${a}–${b}`).join(", ")),
        ),
        el("span.dim", {}, `${type.leased} of ${type.leased + type.free} in use`),
        el("a.button", { href: "#/" }, "Whole map"),
      ),
      full
        ? el(
            "p.note",
            {},
            `${visible(name)} is full: ${type.leased} of ${type.leased}. Who holds what is below; or widen the range in `,
            el("a", { href: `#/t/${encodeURIComponent(name)}` }, "Types"),
            ".",
          )
        : null,
      el(
        "ol.grid",
        { "aria-label": `Ports of ${visible(name)}` },
        cells.map((port) => {
          const view = ports.get(port);
          const listener = foreign.get(port);
          if (view) {
            const since = view.startedAt ? age(Date.now() - Date.parse(view.startedAt)) : WORDS[view.phase];
            return el(
              inTrouble(view) ? "li.berth.taken.trouble" : "li.berth.taken",
              {},
              el(
                "button",
                { type: "button", onclick: () => open(view) },
                el("span.port", {}, port),
                glyph(view.phase),
                el("b", {}, visible(view.id)),
                el("span.dim", {}, view.phase === "ready" ? since : WORDS[view.phase]),
              ),
            );
          }
          if (listener)
            return el(
              "li.berth.foreign",
              { title: `styxy check ${port}` },
              el("span.port", {}, port),
              glyph("foreign"),
              el("b", {}, visible(foreignName(listener))),
              el("span.dim", {}, "not ours"),
            );
          return el(
            "li.berth",
            {},
            el("span.port", {}, port),
            copyButton(`styxy run -t ${name} -p ${port} -- `, "Copy"),
          );
        }),
      ),
    );
  };
  const unwatch = watch((what) => {
    if (what.has("instances") || what.has("types") || what.has("listeners")) draw();
  });
  draw();
  node.leave = unwatch;
  return node;
}

/** The same as a table, for who would rather read. */
export function table() {
  const rows = linesOf(world.types, 100).flatMap((line) => {
    const ports = byPort();
    return [...ports]
      .filter(([port]) => port >= line.from && port <= line.to)
      .sort(([a], [b]) => a - b)
      .map(([port, view]) => [line.type.name, port, view]);
  });
  return el(
    "section.page",
    {},
    el("h1", {}, "Ports by range"),
    el("p", {}, el("a", { href: "#/" }, "Back to the map")),
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["Range", "Port", "Name", "Phase"].map((head) => el("th", { scope: "col" }, head)),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map(([name, port, view]) =>
          el(
            "tr",
            {},
            el("td", {}, visible(name)),
            el("td", {}, port),
            el("td", {}, fullName(view)),
            el("td", {}, WORDS[view.phase]),
          ),
        ),
      ),
    ),
    el("p.dim", {}, `${many(rows.length, "lease")}.`),
  );
}
export const redraw = () => changed("instances");

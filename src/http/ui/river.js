// The river: all ports on one band. Sixty-six columns of a thousand; wide where something lives.

import { count, el, fullName, many, put, rem, svg, visible } from "./dom.js";
import { TONES, WORDS, glyph, inTrouble } from "./phases.js";
import { world, watch, sorted } from "./world.js";

const EPHEMERAL = [32768, 60999];
/** A reflection fades in so many steps; where many lie over each other nobody can tell them apart. */
const STRIPS = 6;
const STRIPS_OF_MANY = 2;
const MANY = 300;
/** So many rings at a time are looked at. */
const RINGS_MAX = 4;

/** The band with its sentence. `go(port)`: where a click leads. */
export function river(go) {
  const sentence = el("div.sentence");
  const water = svg("svg.water", { role: "img" });
  const axis = el("div.axis", { "aria-hidden": "true" });
  const tip = el("div.tip", { hidden: true, role: "tooltip" });
  const node = el(
    "section.river",
    { "aria-label": "All ports" },
    sentence,
    el("div.flow", {}, water, tip),
    axis,
  );
  let columns = [];
  const bed = svg("g");
  const lamps = svg("g");
  water.append(bed, lamps);
  let size = null;
  let drawn = "";
  // What stays is drawn again when it has changed; lights are a few paths, and are drawn each time.
  const draw = () => {
    if (!size?.width) return;
    const state = JSON.stringify([
      size,
      world.types.map((type) => [type.name, type.ranges]),
      [...new Set(sorted().map((view) => view.type))].sort(),
      world.listeners.map((listener) => listener.port),
    ]);
    if (drawn !== state) {
      drawn = state;
      columns = drawWater(water, bed, axis, size);
    }
    put(lamps, lights(columns, size.height));
    rings();
  };
  // A new lease is one ring on the water; where many come at once, the water is calm.
  let known = null;
  const rings = () => {
    const fresh = known ? sorted().filter((view) => !known.has(view.lockId)) : [];
    if (world.loaded) known = new Set(world.instances.keys());
    for (const view of fresh.length <= RINGS_MAX ? fresh : []) {
      const column = columns[Math.floor(view.port / 1000)];
      const ring = svg("circle.ring", {
        cx: round(column.x + 4 + (column.w - 8) * ((view.port % 10) / 10)),
        cy: round(depthIn(size.height)(view.port) + 2),
        r: 2,
      });
      ring.addEventListener("animationend", () => ring.remove());
      water.append(ring);
    }
  };
  let sentenceDrawn = "";
  const say = () => {
    const all = sorted();
    const state = JSON.stringify([
      world.loaded,
      all.length,
      all.filter((view) => view.phase === "ready").length,
      all.filter(inTrouble).map((view) => [fullName(view), view.phase]),
    ]);
    if (sentenceDrawn !== state) {
      sentenceDrawn = state;
      drawSentence(sentence, water);
    }
  };
  const at = (event) => {
    const x = event.clientX - water.getBoundingClientRect().left;
    return columns.find((column) => x >= column.x && x < column.x + column.w);
  };
  water.addEventListener("pointermove", (event) => {
    const column = at(event);
    tip.hidden = !column;
    if (!column) return;
    const names = column.types.map((type) => type.name).join(", ") || "nothing of styxy's";
    tip.textContent = `${column.first}–${column.last}: ${names}. ${many(column.leases, "instance")}.`;
    const width = water.clientWidth;
    tip.style.setProperty("--x", `${Math.min(Math.max(column.x + column.w / 2, 90), width - 110)}px`);
  });
  water.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  water.addEventListener("click", (event) => {
    const column = at(event);
    if (column) go(column.first);
  });
  const unwatch = watch((what) => {
    if (["instances", "types", "listeners", "chosen"].some((one) => what.has(one))) draw();
    if (what.has("instances")) say();
  });
  const sizes = new ResizeObserver(([entry]) => {
    size = { width: entry.contentRect.width, height: entry.contentRect.height, rem: rem() };
    draw();
  });
  sizes.observe(water);
  say();
  node.leave = () => {
    unwatch();
    sizes.disconnect();
  };
  return node;
}

function drawSentence(node, water) {
  const all = sorted();
  const ready = all.filter((view) => view.phase === "ready").length;
  const trouble = all.filter(inTrouble);
  const text = `${many(all.length, "instance")}, ${ready} ready`;
  water.setAttribute("aria-label", `${text}${trouble.length ? `, ${trouble.length} in trouble` : ""}`);
  put(
    node,
    all.length
      ? el("h1", {}, many(all.length, "instance"), el("span.dim", {}, `, ${ready} ready`))
      : el("h1", {}, world.loaded ? "Still water" : "\u00a0"),
    trouble
      .slice(0, 4)
      .map((view) =>
        el(
          "a.alarm",
          { href: `#/i/${encodeURIComponent(view.lockId)}` },
          glyph(view.phase),
          el("b", {}, fullName(view)),
          el("span.dim", {}, WORDS[view.phase]),
        ),
      ),
    trouble.length > 4 ? el("span.dim", {}, `and ${trouble.length - 4} more`) : null,
  );
}

function layout(width) {
  const phone = width < 560;
  const wide = phone ? 7 : 6;
  const holds = new Set();
  for (const type of world.types)
    for (const [first, last] of type.ranges)
      for (let k = Math.floor(first / 1000); k <= Math.floor(last / 1000); k++) holds.add(k);
  const weights = Array.from({ length: 66 }, (_, k) => (holds.has(k) ? wide : 1));
  const unit = width / weights.reduce((a, b) => a + b, 0);
  let x = 0;
  return weights.map((weight, k) => {
    const column = {
      k,
      x,
      w: weight * unit,
      first: Math.max(1, k * 1000),
      last: Math.min(65535, k * 1000 + 999),
      holds: holds.has(k),
      types: [],
      leases: 0,
    };
    x += weight * unit;
    return column;
  });
}

const depthIn = (height) => (port) => ((port % 1000) / 1000) * height;

function drawWater(water, bed, axis, { width, height }) {
  const columns = layout(width);
  const of = (port) => columns[Math.floor(port / 1000)];
  const depth = depthIn(height);
  const parts = [];
  for (const column of columns)
    parts.push(
      svg(column.holds ? "rect.column.holds" : "rect.column", {
        x: column.x + 0.5,
        y: 0,
        width: Math.max(column.w - 1, 0.5),
        height,
      }),
    );
  const [from, to] = [of(EPHEMERAL[0]), of(EPHEMERAL[1])];
  const span = to.x + to.w - from.x;
  const waves = [];
  for (let y = 10; y < height; y += 8)
    waves.push(`M${from.x} ${y}${"q4-3 8 0t8 0".repeat(Math.floor(span / 16))}`);
  parts.push(svg("path.waves", { d: waves.join("") }));
  if (span > 160)
    parts.push(
      svg(
        "text.ephemeral",
        { x: from.x + span / 2, y: height / 2 + 4, "text-anchor": "middle" },
        "ephemeral, the kernel’s own",
      ),
    );
  const live = new Set([...world.instances.values()].map((view) => view.type));
  for (const type of world.types)
    for (const [first, last] of type.ranges) {
      for (let k = Math.floor(first / 1000); k <= Math.floor(last / 1000); k++) {
        const [a, b] = [Math.max(first, k * 1000), Math.min(last, k * 1000 + 999)];
        const column = columns[k];
        column.types.push(type);
        parts.push(
          svg(live.has(type.name) ? "rect.basin" : "rect.basin.empty", {
            x: column.x + 1,
            y: depth(a),
            width: column.w - 2,
            height: Math.max(2, ((b - a + 1) / 1000) * height),
          }),
        );
      }
    }
  for (const { port } of world.listeners.slice(0, 400)) {
    const column = of(port);
    parts.push(
      svg("rect.pole", {
        x: column.x + (column.w - 5) * ((port % 10) / 10),
        y: depth(port),
        width: 5,
        height: 1.5,
      }),
    );
  }
  water.setAttribute("viewBox", `0 0 ${width} ${height}`);
  put(bed, parts);
  drawAxis(axis, columns, width);
  return columns;
}

/** Every lease as a light with its reflection: one path for each tone and depth, however many there are. */
function lights(columns, height) {
  const depth = depthIn(height);
  for (const column of columns) column.leases = 0;
  const scale = rem() / 16;
  const paths = new Map();
  const add = (kind, tone, opacity, d) => {
    const key = `${kind}.light-${tone}`;
    const found = paths.get(`${key}${opacity}`) ?? { key, opacity, d: [] };
    found.d.push(d);
    paths.set(`${key}${opacity}`, found);
  };
  const over = [];
  const strips = world.instances.size > MANY ? STRIPS_OF_MANY : STRIPS;
  // Trouble is drawn last, over all others.
  for (const view of sorted().toReversed()) {
    const column = columns[Math.floor(view.port / 1000)];
    column.leases += 1;
    const trouble = inTrouble(view);
    const tone = TONES[view.phase] ?? "quiet";
    const w = (trouble ? 4.5 : 2.6) * scale;
    const x = round(column.x + 3 + (column.w - 8) * ((view.port % 10) / 10));
    const y = round(Math.min(depth(view.port), height - 3));
    const long = Math.min((trouble ? 34 : 22) * scale, height - y);
    for (let at = 0; at < strips; at++)
      add(
        "path.reflection",
        tone,
        round(0.8 * (1 - (at + 0.5) / strips)),
        `M${x} ${round(y + (long * at) / strips)}h${w}v${round(long / strips)}h${-w}z`,
      );
    const high = Math.min(5 * scale, long);
    add("path.head", tone, 1, `M${round(x - 0.4)} ${y}h${w + 0.8}v${high}h${-w - 0.8}z`);
    if (view.lockId === world.chosen)
      over.push(svg("rect.chosen-light", { x: x - 3, y: y - 3, width: w + 6, height: high + 6, rx: 3 }));
  }
  const drawn = [...paths.values()].map(({ key, opacity, d }) => svg(key, { d: d.join(""), opacity }));
  return [...drawn, ...over];
}
const round = (number) => Math.round(number * 10) / 10;

function drawAxis(axis, columns, width) {
  const phone = width < 560;
  const labels = [];
  const taken = [];
  const apart = (phone ? 30 : 46) * (rem() / 16);
  const add = (column) => {
    if (taken.some((x) => Math.abs(x - column.x) < apart) || column.x > width - (phone ? 24 : 90)) return;
    taken.push(column.x);
    const name = phone ? `${column.k}k` : count(column.k * 1000 || 1);
    labels.push(el(column.holds ? "span.strong" : "span", { "--x": `${column.x}px` }, visible(name)));
  };
  // Thousands that hold ranges have their label, whatever stands beside them.
  columns.filter((column) => column.holds).forEach(add);
  columns.filter((column) => column.k % 10 === 0).forEach(add);
  if (!phone) labels.push(el("span.end", {}, count(65535)));
  put(axis, labels);
}

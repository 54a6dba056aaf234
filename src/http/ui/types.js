// Service types: a table with each range's leases, and beside it the editor of the one that is chosen.

import { undoAutomatic } from "./automatic_ranges.js";
import { count, el, many, put, svg, visible } from "./dom.js";
import { learnOrigins, originBadge } from "./origin.js";
import { shape } from "./phases.js";
import { typeEditor } from "./type_editor.js";
import { byPort, watch, world } from "./world.js";

/** A range is drawn so wide for each port, in px, but no narrower and no wider than the other two. */
const [PORT_WIDTH, NARROWEST, WIDEST] = [1.5, 14, 150];
const HEIGHT = 14;
const HEADS = [
  ["Type"],
  ["Range", "num"],
  ["Leases in the range", "more"],
  ["In use", "num"],
  ["Instances", "more"],
  ["Origin", "more"],
];

/** The page; `chosen` is the name of the type that is edited, or `+` for a new one. */
export function types(chosen) {
  const table = el("tbody");
  const summary = el("span.dim");
  const side = el("div.editor-side");
  const question = el("div.question", { hidden: true, role: "alert" });
  const node = el(
    "section.page.types",
    {},
    head(summary, question),
    question,
    el(
      "div.two",
      {},
      el(
        "table.wide-table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            HEADS.map(([head, kind]) => el(`th${kind ? `.${kind}` : ""}`, { scope: "col" }, head)),
          ),
        ),
        table,
      ),
      side,
    ),
  );
  let [edited, isTouched] = [null, false];
  for (const touch of ["input", "pointerdown", "keydown"])
    side.addEventListener(touch, () => {
      isTouched = true;
    });
  const saved = () => {
    isTouched = false;
    draw();
  };
  const draw = () => {
    const ports = byPort();
    const size = world.types.reduce((sum, type) => sum + type.leased + type.free, 0);
    put(
      summary,
      `${many(world.types.length, "type")}, ${count(size)} ports set aside, ${count(world.instances.size)} in use`,
    );
    put(
      table,
      world.types.map((type) => row(type, ports, type.name === chosen)),
    );
    // What is being typed stays; else the editor is about the type as it is now.
    const now = factsOf(chosen);
    if (chosen && now !== edited && !isTouched) {
      put(side, editorOf(chosen, saved));
      edited = now;
    }
  };
  // Which files say what is asked when a type has come, gone, or is said by somebody else; without it, what is
  // configured is called so.
  let known = null;
  const learn = () => {
    const now = JSON.stringify(world.types.map(({ name, origin }) => [name, origin]));
    if (now === known) return;
    known = now;
    learnOrigins()
      .then(draw)
      .catch(() => {});
  };
  node.leave = watch((what) => {
    if (what.has("types")) learn();
    if (what.has("types") || what.has("instances")) draw();
  });
  draw();
  learn();
  return node;
}

const head = (summary, question) =>
  el(
    "div.head",
    {},
    el("h1", {}, "Types"),
    summary,
    el(
      "span.end.buttons",
      {},
      el("button.needs-live", { type: "button", onclick: () => undoAutomatic(question) }, "Undo automatic…"),
      el("a.button.primary", { href: "#/t/+" }, "Add a type"),
    ),
  );

/** What the editor shows of a type. */
function factsOf(chosen) {
  const type = world.types.find(({ name }) => name === chosen);
  if (!type) return "none";
  return JSON.stringify([
    type.ranges,
    type.instanceBehavior,
    type.description,
    originBadge(type).textContent,
  ]);
}

function editorOf(chosen, saved) {
  const type = world.types.find((type) => type.name === chosen) ?? null;
  if (!type && chosen !== "+") return el("p.note", {}, `There is no service type “${visible(chosen)}”.`);
  return typeEditor(type, saved);
}

function row(type, ports, isChosen) {
  const address = `#/t/${encodeURIComponent(type.name)}`;
  return el(
    "tr",
    {
      "aria-current": isChosen ? "true" : null,
      onclick: () => {
        location.hash = address;
      },
    },
    el("td", {}, el("a", { href: address, title: type.description }, visible(type.name))),
    el("td.num", {}, type.ranges.map(([a, b]) => `${a}–${b}`).join(", ") || "–"),
    el("td.more", {}, bar(type, ports)),
    el("td.num", {}, el("b", {}, count(inUse(type, ports))), ` / ${count(type.leased + type.free)}`),
    el("td.more", {}, type.instanceBehavior === "single" ? el("span.badge", {}, "single") : "multi"),
    el("td.more", {}, originBadge(type)),
  );
}

const inUse = (type, ports) =>
  type.ranges.reduce(
    (sum, [a, b]) => sum + [...ports.keys()].filter((port) => port >= a && port <= b).length,
    0,
  );

/** A type's ranges, one behind the other, with a mark for each port that is in use. */
function bar(type, ports) {
  const size = type.ranges.reduce((sum, [a, b]) => sum + b - a + 1, 0);
  const width = Math.max(NARROWEST, Math.min(WIDEST, size * PORT_WIDTH));
  const drawing = svg(
    "svg.bar",
    { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
    svg("rect.basin", { width, height: HEIGHT, rx: 3 }),
  );
  drawing.style.setProperty("--w", `${width}px`);
  const wide = Math.max(1.5, width / size - 0.5);
  let before = 0;
  for (const [a, b] of type.ranges) {
    for (const [port, view] of ports)
      if (port >= a && port <= b)
        drawing.append(shape(view.phase, ((port - a + before) / size) * width, 2, wide, 10));
    before += b - a + 1;
  }
  return drawing;
}

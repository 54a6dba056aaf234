// One range, port by port: who has it, or how to get it.

import { age, copyButton, count, el, exact, fullName, put, shortName, tell, visible } from "./dom.js";
import { foreignName, strangersByPort } from "./occupant.js";
import { andWhose } from "./owner.js";
import { WORDS, glyph, inTrouble } from "./phases.js";
import { byPort, watch, world } from "./world.js";

/** Ages are written again so often, in ms. */
const AGES = 5000;

/** The berths of the service type of this name; `open` shows an instance. */
export function berths(name, open) {
  const node = el("section.berths");
  let drawn = "";
  const draw = () => {
    const type = world.types.find((candidate) => candidate.name === name);
    const state = JSON.stringify([world.loaded, type, type && stateOf(type)]);
    if (drawn === state || !world.loaded) return;
    drawn = state;
    const focused =
      node.contains(document.activeElement) && document.activeElement.closest("li")?.dataset.port;
    put(node, type ? [head(type), type.free === 0 ? fullNote(type) : null, grid(type, open)] : missing(name));
    if (focused) node.querySelector(`[data-port="${focused}"] button`)?.focus({ preventScroll: true });
  };
  const unwatch = watch((what) => {
    if (what.has("instances") || what.has("types") || what.has("listeners")) draw();
  });
  const timer = setInterval(() => {
    for (const old of node.querySelectorAll("[data-since]")) tell(old, ageSince(old.dataset.since));
  }, AGES);
  draw();
  node.leave = () => {
    unwatch();
    clearInterval(timer);
  };
  return node;
}

/** Who is in a type's ranges, as far as it is shown. */
function stateOf({ ranges }) {
  const isIn = (port) => ranges.some(([first, last]) => port >= first && port <= last);
  return [
    [...byPort()]
      .filter(([port]) => isIn(port))
      .map(([port, view]) => [port, view.lockId, shortName(view), view.phase, view.startedAt]),
    world.listeners.filter(({ port }) => isIn(port)),
  ];
}

const ageSince = (startedAt) => age(Date.now() - Date.parse(startedAt));

const missing = (name) => [
  el("p", {}, `There is no service type “${visible(name)}”.`),
  el("p", {}, el("a", { href: "#/" }, "Back to the map")),
];

function head(type) {
  const ranges = type.ranges.map(([first, last]) => `${first}–${last}`).join(", ");
  return el(
    "div.head",
    {},
    el("h2", {}, visible(type.name), " ", el("span.dim", {}, ranges)),
    el("span.dim", {}, `${count(type.leased)} of ${count(type.leased + type.free)} in use`),
    el("a.button", { href: "#/" }, "Whole map"),
  );
}

const fullNote = (type) =>
  el(
    "p.note",
    {},
    `${visible(type.name)} is full: ${count(type.leased)} of ${count(type.leased)}. Who holds what is below; or widen the range in `,
    el("a", { href: `#/t/${encodeURIComponent(type.name)}` }, "Types"),
    ".",
  );

function grid(type, open) {
  const [leases, strangers] = [byPort(), strangersByPort()];
  const berth = (port) => {
    if (leases.has(port)) return leasedBerth(port, leases.get(port), open);
    if (strangers.has(port)) return foreignBerth(port, strangers.get(port));
    return freeBerth(port, type);
  };
  return el(
    "ol.grid",
    { "aria-label": `Ports of ${visible(type.name)}` },
    type.ranges.flatMap(([first, last]) =>
      Array.from({ length: last - first + 1 }, (_, at) => berth(first + at)),
    ),
  );
}

function leasedBerth(port, view, open) {
  const isReady = view.phase === "ready" && view.startedAt;
  return el(
    inTrouble(view) ? "li.berth.taken.trouble" : "li.berth.taken",
    { "data-port": port },
    el(
      "button",
      { type: "button", onclick: () => open(view) },
      el("span.port", {}, port),
      glyph(view.phase),
      el("b", { title: `${fullName(view)}${andWhose(view)}` }, shortName(view)),
      isReady
        ? el(
            "span.dim",
            { title: exact(view.startedAt), "data-since": view.startedAt },
            ageSince(view.startedAt),
          )
        : el("span.dim", {}, WORDS[view.phase]),
    ),
  );
}

const foreignBerth = (port, listener) =>
  el(
    "li.berth.foreign.taken",
    { title: `styxy check ${port}`, "data-port": port },
    el(
      "button",
      {
        type: "button",
        onclick: () => {
          location.hash = `#/p/${port}`;
        },
      },
      el("span.port", {}, port),
      glyph("foreign"),
      el("b", {}, visible(foreignName(listener))),
      el("span.dim", {}, "not ours"),
    ),
  );

function freeBerth(port, type) {
  const command = `styxy run -t ${type.name} -p ${port} --`;
  const copy = copyButton(`${command} `, "Copy");
  copy.title = `Copy ${visible(command)}`;
  copy.setAttribute("aria-label", copy.title);
  return el("li.berth", { "data-port": port }, el("span.port", {}, port), copy);
}

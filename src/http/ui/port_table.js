// The map as a table, for who would rather read.

import { el, fullName, many, put, spokenAge, visible } from "./dom.js";
import { phaseSince } from "./history.js";
import { foreignName, strangersByPort } from "./occupant.js";
import { otherUser } from "./owner.js";
import { WORDS } from "./phases.js";
import { stopsOf } from "./stops.js";
import { byPort, watch, world } from "./world.js";

/** The page with the leases, strangers and free blocks of each range. */
export function portTable() {
  const rows = el("tbody");
  const figure = el("p.dim");
  const node = el(
    "section.page",
    {},
    el("h1", {}, "Ports by range"),
    el("p", {}, el("a", { href: "#/" }, "Back to the map")),
    el("table", {}, heads(), rows),
    figure,
  );
  const draw = () => {
    const found = stopsByRange();
    put(rows, found.map(tableRow));
    figure.textContent = `${many(found.filter((stop) => stop.hit?.view).length, "lease")}.`;
  };
  node.leave = watch((what) => {
    if (what.has("instances") || what.has("types") || what.has("listeners")) draw();
  });
  draw();
  return node;
}

/** Whoever is on a range, and what is free between them, in the order of ports; then who is on none. */
function stopsByRange() {
  const [leases, strangers] = [byPort(), strangersByPort()];
  const inRanges = world.types.flatMap((type) =>
    type.ranges.flatMap(([from, to]) => {
      const occupants = Array.from({ length: to - from + 1 }, (_, at) => from + at)
        .filter((port) => leases.has(port) || strangers.has(port))
        .map((port) => ({ port, view: leases.get(port), listener: strangers.get(port) }));
      return stopsOf({ type, from, to, occupants }).map((stop) => ({ range: type.name, ...stop }));
    }),
  );
  const seen = new Set(inRanges.map((stop) => stop.port));
  const others = [...new Set([...leases.keys(), ...strangers.keys()])]
    .filter((port) => !seen.has(port))
    .sort((a, b) => a - b);
  return [
    ...inRanges,
    ...others.map((port) => ({
      range: "–",
      port,
      hit: { port, view: leases.get(port), listener: strangers.get(port) },
    })),
  ];
}

function heads() {
  const names = ["Range", "Port", "Name", "Phase"];
  return el(
    "thead",
    {},
    el(
      "tr",
      {},
      names.map((name) => el("th", { scope: "col" }, name)),
    ),
  );
}

function tableRow({ range, port, last, hit }) {
  const cells = hit ? cellsOf(hit) : [port === last ? port : `${port}–${last}`, "–", "free"];
  return el(
    "tr",
    {},
    [visible(range), ...cells].map((cell) => el("td", {}, cell)),
  );
}

function cellsOf({ port, view, listener }) {
  if (!view) return [port, foreignName(listener), "not ours"];
  const since = phaseSince(view.lockId);
  return [
    port,
    [fullName(view), otherUser(view) && el("span.dim", {}, ` ${otherUser(view)}`)],
    `${WORDS[view.phase]}${since ? ` for ${spokenAge(Date.now() - since)}` : ""}`,
  ];
}

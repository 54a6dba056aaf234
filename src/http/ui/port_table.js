// The map as a table, for who would rather read.

import { el, fullName, many, visible } from "./dom.js";
import { WORDS } from "./phases.js";
import { linesOf } from "./stretches.js";
import { byPort, world } from "./world.js";

/** The page with the leases of each range; it stays as it was when it was opened. */
export function portTable() {
  const ports = [...byPort()].sort(([a], [b]) => a - b);
  const leases = linesOf(world.types, 100).flatMap((line) =>
    ports
      .filter(([port]) => port >= line.from && port <= line.to)
      .map(([port, view]) => ({ range: line.type.name, port, view })),
  );
  return el(
    "section.page",
    {},
    el("h1", {}, "Ports by range"),
    el("p", {}, el("a", { href: "#/" }, "Back to the map")),
    el("table", {}, heads(), el("tbody", {}, leases.map(tableRow))),
    el("p.dim", {}, `${many(leases.length, "lease")}.`),
  );
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

const tableRow = ({ range, port, view }) =>
  el(
    "tr",
    {},
    el("td", {}, visible(range)),
    el("td", {}, port),
    el("td", {}, fullName(view)),
    el("td", {}, WORDS[view.phase]),
  );

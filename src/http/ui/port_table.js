// The map as a table, for who would rather read.

import { el, fullName, many, put, visible } from "./dom.js";
import { otherUser } from "./owner.js";
import { WORDS } from "./phases.js";
import { linesOf } from "./stretches.js";
import { byPort, watch, world } from "./world.js";

/** The page with the leases of each range. */
export function portTable() {
  const leases = el("tbody");
  const figure = el("p.dim");
  const node = el(
    "section.page",
    {},
    el("h1", {}, "Ports by range"),
    el("p", {}, el("a", { href: "#/" }, "Back to the map")),
    el("table", {}, heads(), leases),
    figure,
  );
  const draw = () => {
    const found = leasesByRange();
    put(leases, found.map(tableRow));
    figure.textContent = `${many(found.length, "lease")}.`;
  };
  node.leave = watch((what) => {
    if (what.has("instances") || what.has("types")) draw();
  });
  draw();
  return node;
}

function leasesByRange() {
  const ports = [...byPort()].sort(([a], [b]) => a - b);
  return linesOf(world.types, 100).flatMap((line) =>
    ports
      .filter(([port]) => port >= line.from && port <= line.to)
      .map(([port, view]) => ({ range: line.type.name, port, view })),
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
    el("td", {}, fullName(view), otherUser(view) && el("span.dim", {}, ` ${otherUser(view)}`)),
    el("td", {}, WORDS[view.phase]),
  );

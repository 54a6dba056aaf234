// The settings in effect: each key with its value and the source that it comes from.

import { el, put, visible } from "./dom.js";

/** The table with its filter; or, if the configuration makes no sense, why. */
export function effectiveTable({ entries, error }) {
  if (error) return el("p.note.bad", {}, visible(error.message));
  const search = el("input", { type: "search", placeholder: "Filter keys", "aria-label": "Filter keys" });
  const rows = el("tbody");
  const draw = () => put(rows, entries.filter((entry) => entry.key.includes(search.value)).map(row));
  search.addEventListener("input", draw);
  draw();
  return el("div", {}, el("div.filters", {}, search), el("table", {}, heads(), rows));
}

function heads() {
  const names = ["Key", "Value", "Origin"];
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

function row(entry) {
  return el(
    "tr",
    {},
    el("td.mono", {}, parts(visible(entry.key))),
    el("td.mono", {}, visible(entry.toml)),
    el("td.dim", {}, visible(entry.origin)),
  );
}

/** A key, which may be broken behind its dots. */
const parts = (key) => key.split(/(?<=\.)/).flatMap((part) => [part, el("wbr")]);

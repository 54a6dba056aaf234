// What stands around the lines of the map: the numbers above them, the zoom, and the way to the table.

import { el, put, svg } from "./dom.js";

/** The buttons that lead closer and farther. */
export function zoomButtons(map) {
  const button = (props, face) => el("button", { type: "button", ...props }, face);
  return el(
    "div.segments",
    { role: "group", "aria-label": "Zoom" },
    button(
      { title: "Whole map (−)", "aria-label": "Zoom out", onclick: () => map.setZoom(map.zoom - 1) },
      "−",
    ),
    button({ onclick: () => map.setZoom(0) }, map.zoomLabel),
    button({ title: "Closer (+)", "aria-label": "Zoom in", onclick: () => map.setZoom(map.zoom + 1) }, "+"),
  );
}

/** The way to the same as a table. */
export function tableButton() {
  const show = () => {
    location.hash = "#/table";
  };
  return el("button.plain.unseen-until-focus", { type: "button", onclick: show }, "Show as a table");
}

/** The line above the others, with its numbers and the head of the figures. */
export const rulerLine = (ruler) =>
  el("div.line.rule", { "aria-hidden": "true" }, el("span"), el("span"), ruler, el("span.use", {}, "in use"));

/** The numbers above the lines: a port's last two digits, or, closer, how far it is from a line's first. */
export function drawRuler(ruler, width, span) {
  const state = `${width} ${span}`;
  if (ruler.dataset.drawn === state) return;
  ruler.dataset.drawn = state;
  ruler.setAttribute("viewBox", `0 0 ${width} 16`);
  const number = (port) => (span === 100 ? String(port).padStart(2, "0") : `+${port}`);
  put(
    ruler,
    Array.from({ length: 10 }, (_, tenth) =>
      svg("text", { x: (tenth / 10) * width, y: 12 }, number((tenth * span) / 10)),
    ),
  );
}

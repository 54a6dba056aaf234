// The band at the head of the page: the way home, the pages, the search, how the connection is, and the theme.

import { connection, lost } from "./connection.js";
import { el, put, svg } from "./dom.js";
import { lockNotice } from "./state_lock.js";

/** The pages: the key that leads there after `g`, the path in the hash, the name. */
export const PAGES = [
  ["o", "", "Overview"],
  ["t", "t", "Types"],
  ["a", "a", "Audit"],
  ["m", "m", "Metrics"],
  ["c", "c", "Configuration"],
];
const THEMES = ["system", "light", "dark"];

/** The band's place. */
export const band = document.getElementById("band");
/** What is looked for. */
export const search = el("input", {
  type: "search",
  id: "find",
  placeholder: "Port, name or lock",
  "aria-label": "Find an instance",
  autocomplete: "off",
  spellcheck: "false",
});

/** Fills the band, and the tabs that stand in for its pages where it is narrow. */
export function buildBand() {
  put(
    band,
    el(
      "div.bar",
      {},
      el("a.home", { href: "#/", "aria-label": "styxy, overview" }, brand()),
      el("nav.pages", { "aria-label": "Pages" }, links("bar")),
      el("label.find", { for: "find" }, magnifier(), search, el("kbd", {}, "/")),
      connection,
      themeButton(),
    ),
  );
  put(document.getElementById("tabs"), links("tabs"));
  band.after(lost, lockNotice);
}

/** Marks the page that is shown, in the band and in the tabs. */
export function markPage(page) {
  for (const link of document.querySelectorAll("a[data-page]")) {
    if (link.dataset.page === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function links(place) {
  return PAGES.map(([, path, name]) =>
    el(
      "a",
      { href: `#/${path}`, "data-page": path, title: place === "tabs" ? null : name },
      // Five tabs have to fit on a phone.
      place === "tabs" && name === "Configuration" ? "Config" : name,
    ),
  );
}

function brand() {
  return svg(
    "svg.brand",
    { viewBox: "0 0 92 28", role: "img", "aria-label": "styxy" },
    svg("path.coin", { d: "M6.5 15.5a7.5 7.5 0 0 1 15 0" }),
    svg("path.wave", { d: "M2 17.5q3-3 6 0t6 0 6 0 6 0" }),
    svg("path.wave.faint", { d: "M5 22q2.3-2 4.500 0t4.500 0 4.500 0 4.500 0" }),
    svg("path.word", {
      d: "M44.500 10.500q-.8-1.800-3.600-1.800-3.400 0-3.400 2.400 0 2 3.400 2.500 3.700.5 3.700 2.900 0 2.500-3.700 2.500-3.100 0-4.100-2.200M50 4.800v11q0 3 2.800 3h1.200M47.500 9h6M56.500 9l4.300 9.700M65 9l-4.900 12q-.9 2.300-3 2.300M67 9l8 10M75 9l-8 10M77.500 9l4.300 9.700M86 9l-4.900 12q-.9 2.300-3 2.300",
    }),
  );
}

const magnifier = () =>
  svg(
    "svg",
    { viewBox: "0 0 20 20", "aria-hidden": "true" },
    svg("circle", { cx: 8.5, cy: 8.5, r: 5, fill: "none", stroke: "currentColor", "stroke-width": 1.6 }),
    svg("path", { d: "M12.500 12.500 17 17", stroke: "currentColor", "stroke-width": 1.6 }),
  );

/** The next theme with each press; the first one is what the system wants. */
function themeButton() {
  let at = 0;
  const button = el(
    "button.icon",
    {
      type: "button",
      id: "theme",
      "aria-label": "Theme: system",
      title: "Theme: system",
      onclick: () => {
        at = (at + 1) % THEMES.length;
        if (at) document.documentElement.dataset.theme = THEMES[at];
        else delete document.documentElement.dataset.theme;
        button.setAttribute("aria-label", `Theme: ${THEMES[at]}`);
        button.title = `Theme: ${THEMES[at]}`;
      },
    },
    svg(
      "svg",
      { viewBox: "0 0 20 20", "aria-hidden": "true" },
      svg("circle", { cx: 10, cy: 10, r: 7, fill: "none", stroke: "currentColor", "stroke-width": 1.5 }),
      svg("path", { d: "M10 3a7 7 0 0 1 0 14z", fill: "currentColor" }),
    ),
  );
  return button;
}

// The page: way in, band, routes, keys, and the drawer. Every view is in the hash; nobody's name is.

import { atOverview, overviewAddress } from "./address.js";
import { enter } from "./api.js";
import { audit } from "./audit.js";
import { configuration } from "./config.js";
import { el, fullName, put, svg, visible, clock } from "./dom.js";
import { drawer } from "./drawer.js";
import { portDrawer } from "./port.js";
import { metrics } from "./metrics.js";
import { overview } from "./overview.js";
import { WORDS, inTrouble } from "./phases.js";
import { portTable } from "./port_table.js";
import { river } from "./river.js";
import { types } from "./types.js";
import { changed, keepLooking, live, sorted, tryNow, watch, world } from "./world.js";

const PAGES = [
  ["o", "", "Overview"],
  ["t", "t", "Types"],
  ["a", "a", "Audit"],
  ["m", "m", "Metrics"],
  ["c", "c", "Configuration"],
];
const $ = (id) => document.getElementById(id);
const main = $("main");
const band = $("band");
const aside = $("drawer");
let current = null;
let opened = null;
let before = null;

const themes = ["system", "light", "dark"];
let theme = 0;
const search = el("input", {
  type: "search",
  id: "find",
  placeholder: "Port, name or lock",
  "aria-label": "Find an instance",
  autocomplete: "off",
  spellcheck: "false",
});
const connection = el("span.connection", { role: "status" });
const lost = el("div.lost", { hidden: true, role: "alert" });

function mark() {
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

function pages(place) {
  return PAGES.map(([, path, name]) =>
    el(
      "a",
      { href: `#/${path}`, "data-page": path, title: place === "tabs" ? null : name },
      place === "tabs" && name === "Configuration" ? "Config" : name,
    ),
  );
}

function buildBand() {
  const button = el(
    "button.icon",
    {
      type: "button",
      id: "theme",
      "aria-label": "Theme: system",
      title: "Theme: system",
      onclick: () => {
        theme = (theme + 1) % themes.length;
        if (theme) document.documentElement.dataset.theme = themes[theme];
        else delete document.documentElement.dataset.theme;
        button.setAttribute("aria-label", `Theme: ${themes[theme]}`);
        button.title = `Theme: ${themes[theme]}`;
      },
    },
    svg(
      "svg",
      { viewBox: "0 0 20 20", "aria-hidden": "true" },
      svg("circle", { cx: 10, cy: 10, r: 7, fill: "none", stroke: "currentColor", "stroke-width": 1.5 }),
      svg("path", { d: "M10 3a7 7 0 0 1 0 14z", fill: "currentColor" }),
    ),
  );
  const bar = el(
    "div.bar",
    {},
    el("a.home", { href: "#/", "aria-label": "styxy, overview" }, mark()),
    el("nav.pages", { "aria-label": "Pages" }, pages("bar")),
    el(
      "label.find",
      { for: "find" },
      svg(
        "svg",
        { viewBox: "0 0 20 20", "aria-hidden": "true" },
        svg("circle", { cx: 8.5, cy: 8.5, r: 5, fill: "none", stroke: "currentColor", "stroke-width": 1.6 }),
        svg("path", { d: "M12.500 12.500 17 17", stroke: "currentColor", "stroke-width": 1.6 }),
      ),
      search,
      el("kbd", {}, "/"),
    ),
    connection,
    button,
  );
  put(band, bar);
  put($("tabs"), pages("tabs"));
  band.after(lost);
}

function route() {
  const hash = location.hash.replace(/^#\/?/, "").split("?")[0];
  const [page, ...rest] = hash.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  if (page === "i") {
    openDrawer(rest[0], drawer);
    if (current === null) show("", []);
    return;
  }
  if (page === "p") {
    openDrawer(rest[0], portDrawer);
    if (current === null) show("", []);
    return;
  }
  closeDrawer(false);
  atOverview(page === "" || page === "r" ? location.hash : "#/");
  show(page, rest);
}

function show(page, rest) {
  const key = `${page}/${rest.join("/")}`;
  if (current?.key === key) return;
  current?.node.leave?.();
  band.querySelector(".river")?.leave?.();
  band.querySelector(".river")?.remove();
  const isOverview = page === "" || page === "r";
  document.body.classList.toggle("with-river", isOverview);
  const find = () => search.value;
  const open = (view) => {
    location.hash = `#/i/${encodeURIComponent(view.lockId)}`;
  };
  const node =
    {
      "": () => overview(open, null, find),
      r: () => overview(open, rest[0], find),
      t: () => types(rest[0]),
      a: () => audit(rest[0]),
      m: () => metrics(rest[0]),
      c: () => configuration(rest[0]),
      table: portTable,
    }[page]?.() ??
    el(
      "section.page",
      {},
      el("h1", {}, "There is no such page."),
      el("p", {}, el("a", { href: "#/" }, "Back to the overview")),
    );
  if (isOverview)
    band.append(
      river((port) => {
        node.go?.(port);
      }),
    );
  current = { key, node };
  put(main, node);
  main.dataset.page = page;
  for (const link of document.querySelectorAll("[data-page]")) {
    const own = link.dataset.page === (page === "r" || page === "table" ? "" : page);
    if (link === main) continue;
    if (own) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  drawTitle();
}

/** Opens what `fill` makes of a lock's name, or of a port. */
function openDrawer(lockId, fill) {
  if (opened?.lockId === lockId) return;
  if (!opened) before = document.activeElement;
  opened?.node.leave();
  const node = fill(lockId, () => {
    location.hash = overviewAddress();
  });
  opened = { lockId, node };
  put(aside, node);
  aside.hidden = false;
  document.body.classList.add("with-drawer");
  (aside.querySelector(".primary") ?? aside.querySelector("button"))?.focus({ preventScroll: true });
  world.chosen = lockId;
  changed("chosen");
}

function closeDrawer() {
  if (!opened) return;
  opened.node.leave();
  opened = null;
  aside.hidden = true;
  put(aside);
  document.body.classList.remove("with-drawer");
  world.chosen = null;
  changed("chosen");
  before?.focus?.({ preventScroll: true });
}

function drawConnection() {
  put(
    connection,
    el(world.live ? "i.dot.live" : "i.dot"),
    el("span", {}, world.live ? "Live" : world.loaded ? "Lost" : "Connecting"),
  );
  document.body.classList.toggle("blind", !world.live && world.loaded);
  const show = !world.live && (world.loaded || world.waits > 1);
  lost.hidden = !show;
  if (show)
    put(
      lost,
      world.refused
        ? [
            el("b", {}, "This page’s session has ended. "),
            "Run ",
            el("code", {}, "styxy serve --open"),
            " for a new one.",
          ]
        : [
            el("b", {}, "Lost the connection to styxy serve. "),
            world.asOf ? `Shown as of ${clock(world.asOf)}. ` : "",
            "Your instances run on; only this page is blind. ",
            el("button", { type: "button", onclick: tryNow }, "Try now"),
          ],
    );
}

function drawTitle() {
  const trouble = sorted().filter(inTrouble).length;
  document.title = trouble ? `${trouble} in trouble · styxy` : "styxy";
  const icon = $("icon");
  const dot = "%3Ccircle cx='25' cy='7' r='6' fill='%23ff8b76'/%3E%3C/svg%3E";
  const plain = icon.href.replace(dot, "%3C/svg%3E");
  const wanted = trouble ? plain.replace(/%3C\/svg%3E$/, dot) : plain;
  if (icon.href !== wanted) icon.href = wanted;
}

const phases = new Map();
let toSay = [];
function sayChanges() {
  for (const view of world.instances.values()) {
    const known = phases.get(view.lockId);
    if (known && known !== view.phase) toSay.push(`${fullName(view)} is ${WORDS[view.phase]}`);
    phases.set(view.lockId, view.phase);
  }
  for (const lockId of phases.keys()) if (!world.instances.has(lockId)) phases.delete(lockId);
}
setInterval(() => {
  if (!toSay.length) return;
  const more = toSay.length - 1;
  $("said").textContent = `${toSay[0]}.${more ? ` ${more} ${more === 1 ? "other" : "others"} changed.` : ""}`;
  toSay = [];
}, 3000);

let goes = 0;
function keys(event) {
  const writing = event.target.closest?.("input, textarea, select");
  if (event.key === "Escape") {
    if (!$("keys-box").hidden) {
      $("keys-box").hidden = true;
      return;
    }
    if (writing) {
      if (writing === search) {
        search.value = "";
        changed("find");
      }
      writing.blur();
      return;
    }
    if (opened) location.hash = overviewAddress();
    else if (location.hash.startsWith("#/r/")) location.hash = "#/";
    return;
  }
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (goes && Date.now() - goes < 1500) {
    goes = 0;
    const page = PAGES.find(([key]) => key === event.key);
    if (page) {
      location.hash = `#/${page[1]}`;
      return;
    }
  }
  const all = sorted();
  const at = all.findIndex((view) => view.lockId === opened?.lockId);
  const go = (view) => {
    if (view) location.hash = `#/i/${encodeURIComponent(view.lockId)}`;
  };
  const deeds = {
    "/": () => {
      search.focus();
      search.select();
    },
    g: () => {
      goes = Date.now();
    },
    "?": () => {
      $("keys-box").hidden = false;
      $("keys-box").querySelector("button").focus();
    },
    j: () => go(all[Math.min(all.length - 1, at + 1)]),
    k: () => go(all[Math.max(0, at - 1)]),
  };
  if (deeds[event.key]) {
    event.preventDefault();
    deeds[event.key]();
  }
}

function keysBox() {
  const list = [
    ["/", "Find an instance"],
    ["g o, t, a, m, c", "Overview, types, audit, metrics, configuration"],
    ["j  k", "Next and previous instance"],
    ["↑ ↓ ← →", "On the map: line, lease"],
    ["Shift ← →", "On the map: port by port"],
    ["Enter", "Open"],
    ["+  −  0", "On the map: closer, wider, whole"],
    ["Esc", "Back"],
    ["?", "This list"],
  ];
  return el(
    "div.card.keys",
    { id: "keys-box", hidden: true, role: "region", "aria-label": "Keys" },
    el(
      "div.head",
      {},
      el("h2", {}, "Keys"),
      el(
        "button.plain.end",
        {
          type: "button",
          onclick: () => {
            $("keys-box").hidden = true;
          },
        },
        "Close",
      ),
    ),
    el(
      "dl.facts",
      {},
      list.map(([key, text]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, text)]),
    ),
  );
}

async function begin() {
  buildBand();
  document.body.append(keysBox());
  search.addEventListener("input", () => {
    if (main.dataset.page !== "" && main.dataset.page !== "r") location.hash = "#/";
    changed("find");
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const found = current?.node.first?.();
    if (found) {
      location.hash = `#/i/${encodeURIComponent(found.lockId)}`;
      search.blur();
    }
  });
  addEventListener("hashchange", route);
  addEventListener("keydown", keys);
  if (!(await enter().catch(() => false))) {
    document.body.classList.add("closed");
    put(
      main,
      el(
        "section.page.door",
        {},
        el("h1", {}, "This page needs a code."),
        el("p", {}, "It was opened without one, or with one that is used up. Run"),
        el("p.mono.command", {}, "styxy serve --open"),
        el("p", {}, "for a new one. A session is kept in this page’s memory alone: a reload ends it."),
      ),
    );
    return;
  }
  watch((what) => {
    if (what.has("live")) drawConnection();
    if (what.has("instances")) {
      drawTitle();
      sayChanges();
    }
  });
  drawConnection();
  route();
  live();
  keepLooking();
}

begin().catch((error) => put(main, el("p.note.bad", {}, visible(error.message))));

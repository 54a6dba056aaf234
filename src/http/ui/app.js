// The page: the way in, the routes, and the drawer. Every view is in the hash; nobody's name is.

import { atPage, pageAddress } from "./address.js";
import { announceChanges, drawTitle } from "./announcements.js";
import { enter } from "./api.js";
import { audit } from "./audit.js";
import { band, buildBand, markPage, search } from "./band.js";
import { configuration } from "./config.js";
import { drawConnection } from "./connection.js";
import { el, put, visible } from "./dom.js";
import { drawer } from "./drawer.js";
import { keysBox, obeyKey } from "./keys.js";
import { keepLooking } from "./looks.js";
import { portDrawer } from "./port.js";
import { metrics } from "./metrics.js";
import { overview } from "./overview.js";
import { portTable } from "./port_table.js";
import { river } from "./river.js";
import { followTrouble } from "./trouble.js";
import { types } from "./types.js";
import { changed, live, watch, world } from "./world.js";

const main = document.getElementById("main");
const aside = document.getElementById("drawer");
/** The page that is shown. */
let current = null;
/** The drawer that is open over it, and what had the focus before. */
let opened = null;
let before = null;

/** Shows what the hash says. */
function route() {
  const hash = location.hash.replace(/^#\/?/, "").split("?")[0];
  const [page, ...rest] = hash.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const fill = page === "i" ? drawer : page === "p" ? portDrawer : null;
  if (fill) {
    openDrawer(rest[0], fill);
    // A drawer is open over a page, and be it the first one.
    if (current === null) show("", [], false);
    return;
  }
  closeDrawer();
  // How the page is looked at is in its address, too: who follows a link to another zoom or filter gets it.
  const isOther = (location.hash || "#/") !== pageAddress();
  atPage(location.hash);
  show(page, rest, isOther);
}

function show(page, rest, isOther) {
  const key = `${page}/${rest.join("/")}`;
  if (current?.key === key && !isOther) return;
  current?.node.leave?.();
  band.querySelector(".river")?.leave?.();
  band.querySelector(".river")?.remove();
  const isOverview = page === "" || page === "r";
  document.body.classList.toggle("with-river", isOverview);
  const node = pageOf(page, rest[0]);
  if (isOverview)
    band.append(
      river(
        (port) => {
          // The lines are on the whole map.
          if (page === "r") {
            history.pushState(null, "", "#/");
            route();
          }
          current.node.go(port);
        },
        page === "r" ? rest[0] : null,
      ),
    );
  if (current) scrollTo(0, 0);
  current = { key, node };
  put(main, node);
  main.dataset.page = page;
  // A range and the ports as a table are parts of the overview.
  markPage(page === "r" || page === "table" ? "" : page);
  drawTitle();
}

function pageOf(page, chosen) {
  const find = () => search.value;
  const pages = {
    "": () => overview(open, null, find),
    r: () => overview(open, chosen, find),
    t: () => types(chosen),
    a: () => audit(chosen),
    m: () => metrics(chosen),
    c: () => configuration(chosen),
    table: portTable,
  };
  return Object.hasOwn(pages, page) ? pages[page]() : noSuchPage();
}

const open = (view) => {
  location.hash = `#/i/${encodeURIComponent(view.lockId)}`;
};

const noSuchPage = () =>
  el(
    "section.page",
    {},
    el("h1", {}, "There is no such page."),
    el("p", {}, el("a", { href: "#/" }, "Back to the overview")),
  );

const closedDoor = () =>
  el(
    "section.page.door",
    {},
    el("h1", {}, "This page needs a code."),
    el("p", {}, "It was opened without one, or with one that is used up. Run"),
    el("p.mono.command", {}, "styxy serve --open"),
    el("p", {}, "for a new one. A session is kept in this page’s memory alone: a reload ends it."),
  );

/** Opens what `fill` makes of a lock's name, or of a port. */
function openDrawer(lockId, fill) {
  if (opened?.lockId === lockId) return;
  if (!opened) before = document.activeElement;
  opened?.node.leave();
  const node = fill(lockId, () => {
    location.hash = pageAddress();
  });
  opened = { lockId, node };
  put(aside, node);
  aside.hidden = false;
  document.body.classList.add("with-drawer");
  (aside.querySelector(".primary") ?? aside.querySelector("button"))?.focus({ preventScroll: true });
  world.chosen = lockId;
  changed("chosen");
}

/** Closes it, and gives the focus back to who had it. */
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

/** What is typed is looked for in the overview; Enter opens the first one that is found. */
function letSearch() {
  search.addEventListener("input", () => {
    if (main.dataset.page !== "" && main.dataset.page !== "r") location.hash = "#/";
    changed("find");
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const found = current?.node.first?.();
    if (found) {
      open(found);
      search.blur();
    }
  });
}

/** The first link leads to the content, and is no address: the hash says which page is shown. */
function letSkip() {
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
}

async function begin() {
  letSkip();
  buildBand();
  drawConnection();
  // The map fills what the band leaves of the window.
  new ResizeObserver(() =>
    document.documentElement.style.setProperty("--band", `${band.offsetHeight}px`),
  ).observe(band);
  document.body.append(keysBox());
  letSearch();
  addEventListener("hashchange", route);
  addEventListener("keydown", (event) => obeyKey(event, opened));
  if (!(await enter().catch(() => false))) {
    document.body.classList.add("closed");
    put(main, closedDoor());
    return;
  }
  watch((what) => {
    if (what.has("live")) drawConnection();
  });
  announceChanges();
  route();
  followTrouble();
  live();
  keepLooking();
}

begin().catch((error) => put(main, el("p.note.bad", {}, visible(error.message))));

// The keys: what each of them does, and the list of them.

import { pageAddress } from "./address.js";
import { PAGES, search } from "./band.js";
import { el } from "./dom.js";
import { changed, sorted } from "./world.js";

/** The key after a `g` comes within this time, in ms. */
const CHORD = 1500;
const MEANINGS = [
  ["/", "Find an instance"],
  ["g o, t, a, m, c", "Overview, types, audit, metrics, configuration"],
  ["j  k", "Next and previous instance"],
  ["↑ ↓ ← →", "On the map: line, lease"],
  ["Shift ← →", "On the map: port by port"],
  ["← →", "On the river: column with ranges"],
  ["Enter", "Open; on the river: lead the map there"],
  ["+  −  0", "On the map: closer, wider, whole"],
  ["Esc", "Back"],
  ["?", "This list"],
];
const box = () => document.getElementById("keys-box");

/** When `g` was pressed; 0 when it wasn't, or is done with. */
let chordAt = 0;

/** Obeys a key; `opened` is the drawer that is open, or null. */
export function obeyKey(event, opened) {
  const field = event.target.closest?.("input, textarea, select");
  if (event.key === "Escape") {
    goBack(field, opened);
    return;
  }
  if (field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (goToPage(event.key)) return;
  const deed = deeds(opened)[event.key];
  if (!deed) return;
  event.preventDefault();
  deed();
}

/** Leaves what is innermost: the list of keys, a field, the drawer, a range. */
function goBack(field, opened) {
  if (!box().hidden) box().hidden = true;
  else if (field) {
    if (field === search) {
      search.value = "";
      changed("find");
    }
    field.blur();
  } else if (opened) location.hash = pageAddress();
  else if (location.hash.startsWith("#/r/")) location.hash = "#/";
}

/** The second key of `g o`, `g t` and so on; whether it was one. */
function goToPage(key) {
  if (!chordAt || Date.now() - chordAt >= CHORD) return false;
  chordAt = 0;
  const page = PAGES.find(([own]) => own === key);
  if (page) location.hash = `#/${page[1]}`;
  return !!page;
}

function deeds(opened) {
  const all = sorted();
  const at = all.findIndex((view) => view.lockId === opened?.lockId);
  const go = (view) => {
    if (view) location.hash = `#/i/${encodeURIComponent(view.lockId)}`;
  };
  return {
    "/": () => {
      search.focus();
      search.select();
    },
    g: () => {
      chordAt = Date.now();
    },
    "?": () => {
      box().hidden = false;
      box().querySelector("button").focus();
    },
    j: () => go(all[Math.min(all.length - 1, at + 1)]),
    k: () => go(all[Math.max(0, at - 1)]),
  };
}

/** The list of keys, hidden until somebody asks for it. */
export function keysBox() {
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
            box().hidden = true;
          },
        },
        "Close",
      ),
    ),
    el(
      "dl.facts",
      {},
      MEANINGS.map(([key, text]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, text)]),
    ),
  );
}

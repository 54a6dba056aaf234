// Tells of changes who doesn't look at the page: in the title and its icon, and to screen readers.

import { calledName, count, many } from "./dom.js";
import { WORDS, inTrouble } from "./phases.js";
import { sorted, watch, world } from "./world.js";

/** A screen reader is told no more often than this, in ms, however much changes. */
const PAUSE = 3000;
const SVG_END = "%3C/svg%3E";
const DOT = "%3Ccircle cx='25' cy='7' r='6' fill='%23ff8b76'/%3E";

const phases = new Map();
/** What is to be said, by lockId: of what changes twice, the last. */
const toSay = new Map();

/** Goes on for as long as the page lives. */
export function announceChanges() {
  watch((what) => {
    if (!what.has("instances")) return;
    drawTitle();
    noteChanges();
  });
  setInterval(say, PAUSE);
}

/** How many are in trouble, in the title; whether any is, as a dot on the icon. */
export function drawTitle() {
  const trouble = sorted().filter(inTrouble).length;
  const title = trouble ? `${count(trouble)} in trouble · styxy` : "styxy";
  if (document.title !== title) document.title = title;
  const icon = document.getElementById("icon");
  const plain = icon.href.replace(DOT, "");
  const wanted = trouble ? plain.replace(SVG_END, DOT + SVG_END) : plain;
  if (icon.href !== wanted) icon.href = wanted;
}

function noteChanges() {
  for (const view of world.instances.values()) {
    const known = phases.get(view.lockId);
    if (known && known !== view.phase) toSay.set(view.lockId, `${calledName(view)} is ${WORDS[view.phase]}`);
    phases.set(view.lockId, view.phase);
  }
  for (const lockId of phases.keys()) if (!world.instances.has(lockId)) phases.delete(lockId);
}

function say() {
  if (!toSay.size) return;
  const [first] = toSay.values();
  const others = toSay.size > 1 ? ` ${many(toSay.size - 1, "other")} changed.` : "";
  document.getElementById("said").textContent = `${first}.${others}`;
  toSay.clear();
}

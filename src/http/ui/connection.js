// Whether the page still hears of what happens: a word in the band, and below it what to do when it doesn't.

import { clock, el, put } from "./dom.js";
import { tryNow, world } from "./world.js";

/** The word in the band. */
export const connection = el("span.connection", { role: "status" });
/** The notice that nothing is heard any more. */
export const lost = el("div.lost", { hidden: true, role: "alert" });

/** What would ask the server for something does nothing while it can't be heard, by key neither. */
document.addEventListener(
  "click",
  (event) => {
    if (!document.body.classList.contains("blind") || !event.target.closest?.(".needs-live")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);

/** The widest word: each has its room, so that nothing beside it moves when another one takes its place. */
const FIRST = "Connecting";

/** Draws both anew. */
export function drawConnection() {
  put(
    connection,
    el(world.live ? "i.dot.live" : "i.dot"),
    el("span", { "data-widest": FIRST }, world.live ? "Live" : world.loaded ? "Lost" : FIRST),
  );
  document.body.classList.toggle("blind", !world.live && world.loaded);
  // A first try that fails is no loss yet.
  lost.hidden = world.live || !(world.loaded || world.waits > 1);
  if (!lost.hidden) put(lost, world.refused ? sessionEnded() : connectionLost());
}

const sessionEnded = () => [
  el("b", {}, "This page’s session has ended. "),
  "Run ",
  el("code", {}, "styxy serve --open"),
  " for a new one.",
];

const connectionLost = () => [
  el("b", {}, "Lost the connection to styxy serve. "),
  world.asOf ? `Shown as of ${clock(world.asOf)}. ` : "",
  "Your instances run on; only this page is blind. ",
  el("button", { type: "button", onclick: tryNow }, "Try now"),
];

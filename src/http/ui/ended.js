// What is said of an instance that has ended, and the way to have it again.

import { copyButton, el, put } from "./dom.js";
import { runCommand } from "./drawer_head.js";
import { serviceOf, startButton } from "./services.js";

/** Fills the drawer's box: who knows how starts it again here, else there is the command. `then` gets the new one. */
export function drawEnded(box, last, then) {
  const found = last && serviceOf(last);
  put(
    box,
    el("p", {}, "It has ended; its port is free again."),
    found ? startAgain(found, then) : last?.command ? typeAgain(last) : null,
  );
  box.hidden = false;
  box.className = "reason-box ended";
}

function startAgain({ project, service }, then) {
  const failure = el("span.bad");
  return [startButton(project, service, failure, "button.primary", then), failure];
}

function typeAgain(last) {
  return [
    el("p.dim", {}, "Not named in the configuration; start it in a terminal:"),
    copyButton(runCommand(last), "Copy command"),
  ];
}

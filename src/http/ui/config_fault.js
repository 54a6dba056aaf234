// Where the error of a configuration file's text stands: under its line, over the lines that follow. A text area
// has no room between its lines; who writes in a line that would be covered finds the error above it.

import { rem } from "./dom.js";

/** A line's height in rem, as the style has it. */
const LINE = 1.5;

/** Has the error of line `number` stand there; with 0 it stands below the text again. */
export function hangAt(editor, number) {
  const { said } = editor;
  said.classList.toggle("at-line", number > 0);
  said.classList.remove("above");
  if (!number) return;
  said.style.setProperty("--line", number);
  makeWay(editor);
}

/** Keeps out of the way of who writes. */
export function makeWay({ said, area, wrongLine }) {
  if (!said.classList.contains("at-line")) return;
  const covered = Math.ceil(said.offsetHeight / (LINE * rem()));
  const caret = area.value.slice(0, area.selectionStart).split("\n").length;
  const isInTheWay = caret > wrongLine && caret <= wrongLine + covered;
  const hasRoom = wrongLine > covered;
  said.classList.toggle("above", document.activeElement === area && isInTheWay && hasRoom);
}

// What was just done, and the way back: for ten seconds, and for as long as the focus is on it.

import { el, put, visible } from "./dom.js";

const LIFE = 10_000;
let timer = 0;

/** Says what was done; `undo` takes it back, and is null where nothing can. */
export function offerUndo(text, undo) {
  const bar = document.getElementById("undo");
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (bar.contains(document.activeElement)) later();
      else bar.hidden = true;
    }, LIFE);
  };
  const button = undo
    ? el(
        "button.needs-live",
        {
          type: "button",
          onclick: async () => {
            try {
              await undo();
              bar.hidden = true;
            } catch (error) {
              offerUndo(`Could not undo it: ${error.message}.`, null);
            }
          },
        },
        "Undo",
      )
    : null;
  put(bar, el("span", {}, visible(text)), button);
  bar.hidden = false;
  later();
}

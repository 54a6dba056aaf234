// Asks before an instance is stopped, and says why something could not be done to one.

import { ask as send } from "./api.js";
import { el, fullName, many, put, visible } from "./dom.js";
import { lasting } from "./health.js";

/** The box, hidden until there is something to ask or to say; `kept` is called when nothing is to be stopped. */
export function stopQuestion(kept) {
  const node = el("div.question", { hidden: true, role: "alert" });
  const hide = () => {
    node.hidden = true;
  };

  /** Says that something could not be done, and why. */
  function failed(what, error) {
    put(
      node,
      el("h3", {}, what),
      el("p", {}, visible(error.message)),
      error.hint ? el("p.mono", {}, visible(error.hint)) : null,
      el("div.buttons", {}, el("button", { type: "button", onclick: hide }, "Close")),
    );
    node.hidden = false;
  }

  let said = null;
  /** Says what is going on; with null nothing any more, unless something else is asked by then. */
  function say(text) {
    if (text === null && node.textContent !== said) return;
    said = text;
    put(node, text === null ? null : el("p", {}, text));
    node.hidden = text === null;
  }

  async function go(view) {
    say("Stopping…");
    try {
      await send("POST", `/instances/${encodeURIComponent(view.lockId)}/stop`, {});
      hide();
    } catch (error) {
      failed(`Could not stop ${fullName(view)}.`, error);
    }
  }

  /** Asks whether to stop it; `count` processes get what `how` says. */
  function ask(view, count, how) {
    const keep = el(
      "button",
      {
        type: "button",
        onclick: () => {
          hide();
          kept();
        },
      },
      "Keep it running",
    );
    put(
      node,
      el("h3", {}, `Stop ${fullName(view)}?`),
      el("p", {}, consequence(view, count, how)),
      el(
        "div.buttons",
        {},
        el("button.danger.filled.needs-live", { type: "button", onclick: () => go(view) }, "Stop it"),
        keep,
      ),
    );
    node.hidden = false;
    // What does no harm has the focus.
    keep.focus();
    node.onkeydown = (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        keep.click();
      }
    };
  }
  return { node, ask, say, failed };
}

/** What a stop does; as much as is known of it. */
function consequence(view, count, how) {
  const gets = how
    ? `${how.signal}, and KILL ${how.graceMs ? `after ${lasting(how.graceMs)}` : "at once"}`
    : "its stop signal, and KILL after its grace";
  const who = count
    ? `Its ${many(count, "process", "processes")} ${count === 1 ? "gets" : "get"}`
    : "It gets";
  return `${who} ${gets}. Port ${view.port} is free again when ${count === 1 ? "it is" : "all of them are"} gone.`;
}

// The drawer's head: whose it is, the way to its neighbours, and what can be done with the instance.

import { ask } from "./api.js";
import { commandLine, copyButton, el, fullName, nameOf, put } from "./dom.js";
import { belongsTo, mayEnd } from "./owner.js";
import { glyph } from "./phases.js";

/** What one would type to run it. */
export const runCommand = (view) => `styxy run -t ${view.type} -i ${view.id} -- ${commandLine(view.command)}`;

/** The head; its `draw` gets the instance, or null when it is gone. `deeds` are close, step, askToStop, say and failed. */
export function drawerHead(deeds) {
  const node = el("div.drawer-head");
  let drawn = null;
  node.draw = (view) => {
    // A head that stays the same stays: somebody may be on one of its buttons.
    const state = view ? `${view.phase}${view.port}${view.lockId}${view.restarts}` : "gone";
    if (drawn === state) return;
    drawn = state;
    const owner = view && !mayEnd(view) ? el("p.owner", {}, belongsTo(view)) : null;
    put(node, title(view, deeds), view ? buttons(view, deeds) : null, owner);
  };
  return node;
}

function title(view, { close, step }) {
  return el(
    "div.title",
    {},
    view ? glyph(view.phase, 10, 17) : null,
    el("h2", {}, view ? nameOf(view) : "Gone"),
    el("button.icon", { type: "button", "aria-label": "Previous instance", onclick: () => step(-1) }, "↑"),
    el("button.icon", { type: "button", "aria-label": "Next instance", onclick: () => step(1) }, "↓"),
    el("button.plain", { type: "button", onclick: close }, "Close ", el("kbd", {}, "Esc")),
  );
}

function buttons(view, deeds) {
  const supervised = view.supervisorPid !== null;
  return el(
    "div.buttons",
    {},
    el(
      "a.button.primary",
      { href: view.url, target: "_blank", rel: "noreferrer noopener" },
      `Open 127.0.0.1:${view.port}`,
    ),
    mayEnd(view)
      ? [
          restartButton(view, supervised, deeds),
          el(
            "button.danger.needs-live",
            { type: "button", disabled: !supervised, onclick: () => deeds.askToStop(view) },
            "Stop…",
          ),
        ]
      : null,
    view.command ? el("span.end", {}, copyButton(runCommand(view), "Copy as command")) : null,
  );
}

function restartButton(view, supervised, { say, failed }) {
  return el(
    "button.needs-live",
    {
      type: "button",
      disabled: !supervised,
      title: supervised ? null : "It is reserved: start it in a terminal",
      onclick: async (event) => {
        const button = event.target;
        button.disabled = true;
        button.textContent = "Restarting…";
        try {
          say(`Restarting ${fullName(view)} on the same port.`);
          await ask("POST", `/instances/${encodeURIComponent(view.lockId)}/restart`, {});
          say(null);
        } catch (error) {
          failed(`Could not restart ${fullName(view)}.`, error);
        }
        button.textContent = "Restart";
        button.disabled = false;
      },
    },
    "Restart",
  );
}

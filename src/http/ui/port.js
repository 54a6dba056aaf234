// A port that styxy did not give out: who holds it, and what to type to know more.

import { get } from "./api.js";
import { copyButton, el, put, visible } from "./dom.js";
import { glyph } from "./phases.js";

/** Fills the drawer; `close` takes it away. */
export function portDrawer(given, close) {
  const port = Number(given);
  const command = `styxy check ${port}`;
  const body = el("section.port-drawer", { "aria-live": "polite" });
  const node = el(
    "div.drawer-body",
    {},
    el(
      "div.drawer-head",
      {},
      el(
        "div.title",
        {},
        glyph("foreign", 10, 17),
        el("h2", {}, String(port), el("span.dim", {}, ", not ours")),
        el("button.plain", { type: "button", onclick: close }, "Close ", el("kbd", {}, "Esc")),
      ),
    ),
    body,
  );
  get(`/check/${port}`).then(
    (told) => {
      const who = told.listener;
      const facts = who
        ? [
            ["Command", el("span.mono", {}, who.command ? visible(who.command) : "another user’s program")],
            ["Process", String(who.pid ?? "–")],
            ["User", String(who.uid ?? "–")],
            ["Address", el("span.mono", {}, visible(who.address ?? "–"))],
          ]
        : [];
      put(
        body,
        el(
          "p",
          {},
          who
            ? "A program that styxy did not start listens here. It is never given out while that is so."
            : "Nobody listens here any more.",
        ),
        el(
          "dl.facts",
          {},
          facts.map(([term, fact]) => [el("dt", {}, term), el("dd", {}, fact)]),
        ),
        el("p.mono.command", {}, command, copyButton(command)),
      );
    },
    (error) => put(body, el("p.bad", {}, visible(error.message))),
  );
  node.leave = () => {};
  return node;
}

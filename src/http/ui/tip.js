// The card beside the pointer: who is at the port that it is over, or what has been marked.

import { age, calledName, el, exact, many, put, visible } from "./dom.js";
import { spoken } from "./occupant.js";
import { otherUser } from "./owner.js";
import { WORDS, glyph } from "./phases.js";

/** Longer commands would cover the map. */
const COMMAND_MAX = 120;
/** So many of those that have no room on the map are told. */
const TOLD_MAX = 10;

/** A hidden card; its place is within the element that it is put into. */
export function makeTip() {
  const node = el("div.tip.card", { hidden: true, role: "tooltip" });
  return {
    node,
    hide() {
      node.hidden = true;
    },
    /** Shows it below and right of a point of the window, but never beyond the right edge; above where there is no room. */
    show(content, clientX, clientY) {
      node.hidden = false;
      put(node, content);
      const box = node.parentElement.getBoundingClientRect();
      const left = Math.min(clientX - box.left + 14, box.width - node.offsetWidth - 8);
      node.style.setProperty("--x", `${Math.max(0, left)}px`);
      const isLow = clientY + 18 + node.offsetHeight > innerHeight;
      node.style.setProperty("--y", `${clientY - box.top + (isLow ? -node.offsetHeight - 8 : 18)}px`);
    },
  };
}

/** What the card says about an occupant, or about those that are `hidden` behind a count. */
export function describe(occupant) {
  if (occupant.hidden) return describeAll(occupant.hidden);
  return occupant.listener ? describeStranger(occupant) : describeLease(occupant);
}

function describeAll(hidden) {
  const more = hidden.length - TOLD_MAX;
  return [
    hidden.slice(0, TOLD_MAX).map((one) => el("span", {}, spoken(one))),
    more > 0 ? el("span.dim", {}, `and ${many(more, "other")}`) : null,
  ];
}

function describeStranger({ port, listener }) {
  const who = listener.listener;
  return [
    el("b", {}, `${port}, not ours`),
    el("span.mono", {}, visible(who.command ?? "another user’s program").slice(0, COMMAND_MAX)),
    el("span.dim", {}, `pid ${who.pid ?? "–"} · styxy check ${port}`),
  ];
}

function describeLease({ port, view }) {
  const since = view.startedAt ? ` · ${age(Date.now() - Date.parse(view.startedAt))}` : "";
  return [
    el(
      "span",
      {},
      glyph(view.phase),
      " ",
      el("b", {}, calledName(view)),
      otherUser(view) && el("span.dim", {}, ` ${otherUser(view)}`),
    ),
    el("span.dim", {}, `${port} · ${WORDS[view.phase]}${since}`),
    view.startedAt ? el("span.dim", {}, `since ${exact(view.startedAt)}`) : null,
    view.command ? el("span.mono", {}, visible(view.command.join(" ")).slice(0, COMMAND_MAX)) : null,
  ];
}

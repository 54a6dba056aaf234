// An entry of the audit log as a row, which opens to what it changed.

import { auditDetails } from "./audit_details.js";
import { sentence, subjectOf } from "./audit_sentence.js";
import { el, exact, put, shortTime, visible } from "./dom.js";
import { glyph } from "./phases.js";

/** The phase whose shape an action has. */
const SHAPES = {
  allocate: "ready",
  attach: "ready",
  blocked: "unhealthy",
  release: "stopping",
  reclaim: "backoff",
  exhausted: "unhealthy",
  "range.create": "reserved",
  "range.grow": "reserved",
  "range.undo": "stopping",
  "range.retire": "stopping",
  "config.set": "foreign",
};

/** The row with its details, which are drawn when it is opened; `later` tells which entries came after it. */
export function auditRow(entry, later) {
  const more = el("div.opened", { hidden: true });
  const subject = subjectOf(entry);
  const name = nameButton(subject);
  const toggle = () => {
    more.hidden = !more.hidden;
    name.setAttribute("aria-expanded", String(!more.hidden));
    if (!more.hidden) put(more, auditDetails(entry, later()));
  };
  const line = el(
    "div.row",
    { role: "row", onclick: toggle },
    el("span.time", { role: "cell", title: exact(entry.time) }, shortTime(entry.time)),
    el("span.action", { role: "cell" }, glyph(SHAPES[entry.action] ?? "foreign"), entry.action),
    el("span.name", { role: "cell", title: visible(subject) }, name),
    el("span.what", { role: "cell", title: visible(sentence(entry)) }, visible(sentence(entry))),
    el("span.more.mono.dim", { role: "cell", title: visible(entry.command) }, visible(typed(entry.command))),
    el("span.more", { role: "cell" }, visible(entry.user)),
    el("span.num.more.dim", { role: "cell" }, entry.seq),
  );
  return el("div.entry", {}, line, more);
}

/** The row opens wherever it is clicked; its name is a button so that keys can open it, too. */
function nameButton(subject) {
  const slash = subject.indexOf("/");
  return el(
    "button.row-name",
    { type: "button", "aria-expanded": "false" },
    el("span.dim", {}, visible(subject.slice(0, slash + 1))),
    el("b", {}, visible(subject.slice(slash + 1) || "–")),
  );
}

/** What matters of a command is behind the path to styxy. */
const typed = (command) => command.replace(/^\S*\/(?=styxy )/, "");

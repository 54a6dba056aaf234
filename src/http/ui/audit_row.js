// An entry of the audit log as a row, which opens to what it changed.

import { sentence } from "./audit_sentence.js";
import { clock, copyButton, count, el, exact, put, visible } from "./dom.js";
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
/** What is older than this, in ms, is told by its day: the hour alone could be today's. */
const DAY_OLD = 72e6;

/** The row with its details, which are drawn when it is first opened. */
export function auditRow(entry) {
  const more = el("div.opened", { hidden: true });
  const name = nameButton(entry.subject ?? "");
  const toggle = () => {
    more.hidden = !more.hidden;
    name.setAttribute("aria-expanded", String(!more.hidden));
    if (!more.hidden && !more.firstChild) put(more, difference(entry), facts(entry));
  };
  const line = el(
    "div.row",
    { role: "row", onclick: toggle },
    el("span.time", { role: "cell", title: exact(entry.time) }, shortTime(entry.time)),
    el("span.action", { role: "cell" }, glyph(SHAPES[entry.action] ?? "foreign"), entry.action),
    el("span.name", { role: "cell", title: visible(entry.subject ?? "") }, name),
    el("span.what", { role: "cell", title: visible(sentence(entry)) }, visible(sentence(entry))),
    el("span.more.mono.dim", { role: "cell", title: visible(entry.command) }, visible(entry.command)),
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

function shortTime(time) {
  const moment = Date.parse(time);
  return Date.now() - moment > DAY_OLD ? new Date(moment).toLocaleDateString() : clock(time);
}

/** What was before and what is after, line by line. */
function difference(entry) {
  const [before, after] = [linesOf(entry.before), linesOf(entry.after)];
  return el(
    "pre.diff",
    {},
    before.filter((line) => !after.includes(line)).map((line) => el("span.minus", {}, `- ${visible(line)}`)),
    after.map((line) =>
      before.includes(line)
        ? el("span.same", {}, `  ${visible(line)}`)
        : el("span.plus", {}, `+ ${visible(line)}`),
    ),
  );
}

const linesOf = (side) => (side === null ? [] : JSON.stringify(side, null, 2).split("\n"));

function facts(entry) {
  const undo = undoOf(entry);
  const told = [
    ["By", `${entry.user}, pid ${entry.pid}`],
    ["Time", exact(entry.time)],
    ["Command", entry.command],
    [
      "Waited",
      `${count(Number(entry.lockWaitUs))} µs for the lock, ${count(Number(entry.transactionUs))} µs in it`,
    ],
    undo ? ["Undo", undo] : null,
  ].filter(Boolean);
  return el(
    "dl.facts",
    {},
    told.map(([term, fact]) => [
      el("dt", {}, term),
      el("dd", {}, el("span", {}, visible(fact)), term === "Undo" ? copyButton(fact) : null),
    ]),
  );
}

/** The command that takes an entry back, where there is one. */
function undoOf({ action, type, after }) {
  if (action === "range.create" || action === "range.grow") return `styxy config undo-auto ${type}`;
  if (action === "config.set" && after?.key) return `styxy config unset ${after.key}`;
  return null;
}

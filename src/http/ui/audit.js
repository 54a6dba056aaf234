// The audit page: what happened, by whom, and with which command; it follows what happens while it is open.

import { get } from "./api.js";
import { auditFilters, kindChips } from "./audit_filters.js";
import { auditRow } from "./audit_row.js";
import { count, el, many, put, putInPlace, visible } from "./dom.js";
import { watch, world } from "./world.js";

/** So many entries are shown; the others are found with the filters. */
const SHOWN_MAX = 300;
/** So many are asked for. */
const LOADED_MAX = 5000;
/** Who has scrolled further than this, in px, is reading: new entries wait. */
const TOP = 200;

/** One and the same line, however often it is told: what is only remarked has the number of the change before it. */
const lineOf = ({ seq, time, action }) => `${seq} ${time} ${action}`;

/** The page with one kind of entries. */
export function audit(kind = "Everything") {
  const log = new AuditLog(kind);
  const { node } = log;
  for (const entry of world.audit) entry.seen = node;
  log.load().catch((error) => put(log.body, el("p.note.bad", {}, visible(error.message))));
  node.leave = watch((what) => {
    if (what.has("audit")) log.take();
  });
  return node;
}

/** The entries with what is shown of them. */
class AuditLog {
  /** The newest first. */
  entries = [];
  /** Those that came while someone was reading, or did not follow. */
  held = [];
  isFollowing = true;
  rows = new WeakMap();
  body = el("div.rows");
  follows = el("button", { type: "button", "aria-pressed": "true" }, "Following");
  fresh = el("button.fresh", { type: "button", hidden: true });
  exports = el("button", { type: "button" }, "Export");
  nothing = el("p.note", { hidden: true }, "Nothing of that kind has happened.");

  constructor(kind) {
    this.filters = auditFilters(kind, { draw: () => this.draw(), load: () => this.load() });
    this.fresh.onclick = () => this.release();
    this.follows.onclick = () => this.toggleFollowing();
    this.exports.onclick = () => download(this.wanted());
    this.node = page(this, kind);
  }

  /** An entry's row is made once: one that was opened stays so when others come. */
  rowOf(entry) {
    if (!this.rows.has(entry))
      this.rows.set(
        entry,
        auditRow(entry, () => this.later(entry)),
      );
    return this.rows.get(entry);
  }

  /** What happened after an entry, the newest first. */
  later(entry) {
    const all = [...this.held, ...this.entries];
    return all.slice(0, all.indexOf(entry));
  }

  wanted() {
    return this.entries.filter(this.filters.wants);
  }

  draw() {
    const shown = this.wanted().slice(0, SHOWN_MAX);
    putInPlace(
      this.body,
      shown.map((entry) => this.rowOf(entry)),
    );
    this.nothing.hidden = shown.length > 0;
    this.filters.offer(this.entries);
  }

  async load() {
    const since = this.filters.moment();
    const told = await get(`/audit?limit=${LOADED_MAX}${since ? `&since=${since}` : ""}`);
    this.entries = told.entries;
    // What was held is among them.
    this.held = [];
    this.fresh.hidden = true;
    this.exports.textContent = `Export ${many(told.total, "line")}`;
    this.draw();
  }

  /** Takes in what has happened since: it is shown at once, or only counted. */
  take() {
    // One that the server has listed since it happened is the same, though told twice.
    const known = new Set([...this.held, ...this.entries].map(lineOf));
    const news = world.audit.filter((entry) => !known.has(lineOf(entry)) && entry.seen !== this.node);
    for (const entry of news) entry.seen = this.node;
    if (!news.length) return;
    if (this.isFollowing && scrollY < TOP) {
      this.entries = [...news.reverse(), ...this.entries];
      for (const entry of news.filter(this.filters.wants)) slideIn(this.rowOf(entry));
      this.draw();
    } else {
      this.held = [...news.reverse(), ...this.held];
      this.fresh.hidden = false;
      this.fresh.textContent = `${count(this.held.length)} new`;
    }
  }

  /** Shows what was held. */
  release() {
    this.entries = [...this.held, ...this.entries];
    this.held = [];
    this.fresh.hidden = true;
    this.draw();
    scrollTo({ top: 0 });
  }

  toggleFollowing() {
    this.isFollowing = !this.isFollowing;
    this.follows.setAttribute("aria-pressed", String(this.isFollowing));
    this.follows.textContent = this.isFollowing ? "Following" : "Follow";
  }
}

/** Once: a row that comes back by a filter is no news. */
function slideIn(row) {
  row.classList.add("slid-in");
  row.addEventListener("animationend", () => row.classList.remove("slid-in"), { once: true });
}

function page(log, kind) {
  const { search, type, user, since } = log.filters;
  return el(
    "section.page.audit",
    {},
    el(
      "div.head",
      {},
      el("h1", {}, "Audit"),
      el("span.dim", {}, "Every change, by whom, and with which command"),
      el("span.end.buttons", {}, log.exports, log.follows),
    ),
    el("div.filters", {}, search, kindChips(kind), el("span.end.buttons", {}, type, user, since)),
    el("div.table", { role: "table", "aria-label": "Audit" }, heads(), log.fresh, log.body),
    log.nothing,
  );
}

/** The columns' names; those with `more` are left out where there is little room. */
function heads() {
  return el(
    "div.row.heads",
    { role: "row" },
    [
      ["Time", ""],
      ["Action", ""],
      ["Name", ""],
      ["What happened", ""],
      ["Command", "more"],
      ["User", "more"],
      ["No.", "num.more"],
    ].map(([head, name]) => el(name ? `span.${name}` : "span", { role: "columnheader" }, head)),
  );
}

/** Has the browser save entries as the log itself has them: one a line. */
function download(entries) {
  const text = entries.map((entry) => JSON.stringify(entry)).join("\n");
  const link = el("a", {
    href: URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" })),
    download: "audit.jsonl",
  });
  link.click();
  URL.revokeObjectURL(link.href);
}

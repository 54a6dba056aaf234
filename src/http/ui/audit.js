// The audit page: what happened, by whom, and with which command; it follows what happens while it is open.

import { get } from "./api.js";
import { auditFilters, kindChips } from "./audit_filters.js";
import { auditRow } from "./audit_row.js";
import { count, el, many, put, visible } from "./dom.js";
import { watch, world } from "./world.js";

/** So many entries are shown; the others are found with the filters. */
const SHOWN_MAX = 300;
/** So many are asked for. */
const LOADED_MAX = 5000;
/** Who has scrolled further than this, in px, is reading: new entries wait. */
const TOP = 200;

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

  wanted() {
    return this.entries.filter(this.filters.wants);
  }

  draw() {
    const shown = this.wanted().slice(0, SHOWN_MAX);
    put(this.body, shown.map(auditRow));
    this.nothing.hidden = shown.length > 0;
    this.filters.offer(this.entries);
  }

  async load() {
    const since = this.filters.since.value;
    const told = await get(`/audit?limit=${LOADED_MAX}${since ? `&since=${since}` : ""}`);
    this.entries = told.entries;
    this.exports.textContent = `Export ${many(told.total, "line")}`;
    this.draw();
  }

  /** Takes in what has happened since: it is shown at once, or only counted. */
  take() {
    const news = world.audit.filter(
      (entry) => !this.entries.includes(entry) && !this.held.includes(entry) && entry.seen !== this.node,
    );
    for (const entry of news) entry.seen = this.node;
    if (!news.length) return;
    if (this.isFollowing && scrollY < TOP) {
      this.entries = [...news.reverse(), ...this.entries];
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

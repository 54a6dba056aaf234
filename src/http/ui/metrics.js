// The metrics page: what the audit log tells over time, and what is now, in nine small charts.

import { get } from "./api.js";
import { chart, hour } from "./charts.js";
import { age, el, put, visible } from "./dom.js";
import { METRICS } from "./metrics_charts.js";
import { Period } from "./metrics_period.js";
import { watch, world } from "./world.js";

/** What may be looked at, in ms. */
const SPANS = { "15 min": 9e5, "3 hours": 108e5, "1 day": 864e5, "7 days": 6048e5 };
/** So many entries of the audit log are asked for. */
const LOADED_MAX = 5000;
/** Time passes while nothing happens: the charts are drawn again after so long, in ms. */
const REDRAW = 5000;

/** The page with one of its spans. */
export function metrics(span = "3 hours") {
  const page = new MetricsPage(span);
  const { node, charts } = page;
  page.followPointer();
  page.load().catch((error) => put(page.when, visible(error.message)));
  let told = world.audit.length;
  const unwatch = watch((what) => {
    if (what.has("audit")) {
      page.entries.push(...world.audit.slice(told).map(stamp));
      told = world.audit.length;
    }
    if (what.has("audit") || what.has("instances")) page.drawNow();
  });
  const timer = setInterval(() => page.drawNow(), REDRAW);
  const size = new ResizeObserver(() => page.draw());
  size.observe(charts);
  node.leave = () => {
    unwatch();
    clearInterval(timer);
    size.disconnect();
  };
  return node;
}

/** The charts, what they are drawn from, and the moment that is looked at. */
class MetricsPage {
  /** Entries of the audit log, the oldest first. */
  entries = [];
  /** Since when all that happened is among them, in ms. */
  knownSince = 0;
  /** The moment under the pointer; null is now. */
  cursor = null;
  when = el("span.dim");
  rows = el("tbody");

  constructor(span) {
    this.span = span;
    this.duration = SPANS[span] ?? SPANS["3 hours"];
    this.boxes = Object.keys(METRICS).map((name) => chart(name));
    this.charts = el(
      "div.charts",
      {},
      this.boxes.map((box) => box.node),
    );
    this.node = el(
      "section.page.metrics",
      {},
      head(this.when, span),
      this.charts,
      el("details.numbers", {}, el("summary", {}, "The numbers as a table"), el("table", {}, this.rows)),
    );
  }

  async load() {
    const since = Math.round(this.duration / 1000);
    const told = await get(`/audit?limit=${LOADED_MAX}&since=${since}s`);
    this.entries = told.entries.map(stamp).reverse();
    if (told.entries.length >= LOADED_MAX) this.knownSince = this.entries[0].at;
    this.draw();
  }

  draw() {
    const width = this.boxes[0].drawing.clientWidth || 300;
    const period = new Period(this.span, this.duration, this.cursor, this.entries, width, this.knownSince);
    put(this.when, this.cursor ? `At ${hour(this.cursor)}, ${age(period.to - this.cursor)} ago` : "Now");
    const rows = this.boxes.map((box) => METRICS[box.title](box, period));
    put(this.rows, rows.map(numberRow));
  }

  /** Who looks at another moment is left alone. */
  drawNow() {
    if (!this.cursor) this.draw();
  }

  /** The moment under the pointer is the same in all charts. */
  followPointer() {
    this.charts.addEventListener("pointermove", (event) => {
      const drawing = event.target.closest("svg.chart");
      if (!drawing) return;
      const box = drawing.getBoundingClientRect();
      this.cursor = Date.now() - this.duration + ((event.clientX - box.left) / box.width) * this.duration;
      this.draw();
    });
    this.charts.addEventListener("pointerleave", () => {
      this.cursor = null;
      this.draw();
    });
  }
}

/** Times are compared often, and read once. */
const stamp = (entry) => ({ ...entry, at: Date.parse(entry.time) });

function head(when, span) {
  const spans = Object.keys(SPANS).map((name) =>
    el("a", { href: `#/m/${encodeURIComponent(name)}`, "aria-current": name === span ? "true" : null }, name),
  );
  return el(
    "div.head",
    {},
    el("h1", {}, "Metrics"),
    when,
    el(
      "span.end.buttons",
      {},
      el("div.segments", { role: "group", "aria-label": "How long" }, spans),
      el("a.button", { href: "/metrics", target: "_blank", rel: "noopener" }, "/metrics"),
    ),
  );
}

const numberRow = ([name, figure, note]) =>
  el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, figure), el("td", {}, note));

// Metrics: what the audit log tells over time, and what is now, in nine small charts.

import { get } from "./api.js";
import { age, bytes, count, el, many, put, svg, visible } from "./dom.js";
import { at, chart, hour, plot, quantile } from "./charts.js";
import { byPort, watch, world } from "./world.js";

const SPANS = { "15 min": 9e5, "3 hours": 108e5, "1 day": 864e5, "7 days": 6048e5 };
const memory = [];

/** Samples of memory are kept while the page is open, on whichever of its pages. */
watch((what) => {
  if (!what.has("usage")) return;
  const all = [...world.usage.values()];
  if (all.length) memory.push([Date.now(), all.reduce((sum, used) => sum + used.memory, 0)]);
  if (memory.length > 2000) memory.splice(0, 500);
});

/** The page; `span` is the time it begins with. */
export function metrics(span = "3 hours") {
  let entries = [];
  let cursor = null;
  const names = [
    "Leases",
    "Allocations",
    "Ready after",
    "Transaction",
    "Waiting for the lock",
    "Range use",
    "Restarts",
    "Reclaims",
    "Memory of instances",
  ];
  const boxes = Object.fromEntries(names.map((name) => [name, chart(name)]));
  const when = el("span.dim");
  const spans = el(
    "div.segments",
    { role: "group", "aria-label": "How long" },
    Object.keys(SPANS).map((name) =>
      el(
        "a",
        { href: `#/m/${encodeURIComponent(name)}`, "aria-current": name === span ? "true" : null },
        name,
      ),
    ),
  );
  const numbers = el(
    "details.numbers",
    {},
    el("summary", {}, "The numbers as a table"),
    el("table", {}, el("tbody")),
  );
  const charts = el(
    "div.charts",
    {},
    Object.values(boxes).map((box) => box.node),
  );
  const node = el(
    "section.page.metrics",
    {},
    el(
      "div.head",
      {},
      el("h1", {}, "Metrics"),
      when,
      el(
        "span.end.buttons",
        {},
        spans,
        el("a.button", { href: "/metrics", target: "_blank", rel: "noopener" }, "/metrics"),
      ),
    ),
    charts,
    numbers,
  );

  function draw() {
    const to = Date.now();
    const from = to - (SPANS[span] ?? SPANS["3 hours"]);
    const moment = cursor ?? to;
    put(when, cursor ? `At ${hour(cursor)}, ${age(to - cursor)} ago` : "Now");
    const seen = entries.filter((entry) => entry.at >= from);
    const width = boxes.Leases.drawing.clientWidth || 300;
    const slots = Math.max(30, Math.min(96, Math.floor(width / 5)));
    const slot = (to - from) / slots;
    const bins = (list, value) => {
      const sums = new Map();
      for (const entry of list) {
        const key = from + (Math.floor((entry.at - from) / slot) + 0.5) * slot;
        sums.set(key, [...(sums.get(key) ?? []), value(entry)]);
      }
      return [...sums].sort(([a], [b]) => a - b);
    };
    const sums = (list, value) =>
      bins(list, value).map(([time, found]) => [time, found.reduce((a, b) => a + b, 0)]);
    const means = (list, value, share) =>
      bins(list, value).map(([time, found]) => [time, quantile(found, share)]);
    const kind = (...actions) => seen.filter((entry) => actions.includes(entry.action));
    const show = (name, options, figure, unit, note) => {
      plot(boxes[name], { from, to, cursor, ...options });
      put(boxes[name].figure, figure, unit ? el("span.dim", {}, ` ${unit}`) : "");
      put(boxes[name].note, note);
      return [name, `${figure}${unit ? ` ${unit}` : ""}`, note];
    };
    const leases = [];
    let now = world.instances.size;
    for (const entry of [...seen].reverse()) {
      leases.push([entry.at, now]);
      if (entry.action === "allocate" && !entry.before) now -= 1;
      if (entry.action === "release" || entry.action === "reclaim") now += 1;
    }
    leases.push([from, Math.max(0, now)]);
    leases.reverse();
    const allocations = kind("allocate");
    const refused = kind("blocked", "exhausted");
    const ended = seen.filter((entry) => typeof entry.readyMs === "number");
    const inSlot = (list, value = () => 1) =>
      list
        .filter((entry) => Math.abs(entry.at - moment) <= Math.max(slot, 6e4))
        .reduce((sum, entry) => sum + value(entry), 0);
    const ms = (value) =>
      value === null ? "–" : value >= 1 ? `${value.toFixed(1)} ms` : `${Math.round(value * 1000)} µs`;
    const transactions = means(seen, (entry) => Number(entry.transactionUs) / 1000, 0.5);
    const waits = means(seen, (entry) => Number(entry.lockWaitUs) / 1000, 0.5);
    const restarts = seen.filter((entry) => entry.restarts > 0);
    const longest = Math.max(0, ...seen.map((entry) => Number(entry.lockWaitUs) / 1000));
    const rows = [
      show(
        "Leases",
        { format: count, series: [{ kind: "area", steps: true, tone: "ready", values: leases }] },
        cursor ? String(at(leases, moment) ?? "–") : String(world.instances.size),
        "",
        "Live leases, all types",
      ),
      show(
        "Allocations",
        {
          format: count,
          series: [
            { kind: "bars", tone: "ready", values: sums(allocations, () => 1) },
            { kind: "marks", tone: "unhealthy", values: refused.map((entry) => [entry.at, 1]) },
          ],
        },
        String(inSlot(allocations)),
        "a minute",
        `${count(allocations.length)} in ${span}; ${count(refused.length)} refused, marked below the line`,
      ),
      show(
        "Ready after",
        {
          format: (value) => `${value} s`,
          series: [
            {
              kind: "line",
              tone: "quiet",
              dashed: true,
              label: "95 %",
              values: means(ended, (entry) => entry.readyMs / 1000, 0.95),
            },
            {
              kind: "line",
              tone: "ready",
              label: "median",
              values: means(ended, (entry) => entry.readyMs / 1000, 0.5),
            },
          ],
        },
        ended.length
          ? (
              quantile(
                ended.map((entry) => entry.readyMs),
                0.5,
              ) / 1000
            ).toFixed(1)
          : "–",
        ended.length ? "s median" : "",
        ended.length
          ? `95 of 100 starts are ready within ${(
              quantile(
                ended.map((entry) => entry.readyMs),
                0.95,
              ) / 1000
            ).toFixed(1)} s`
          : "Known once an instance has ended",
      ),
      show(
        "Transaction",
        { format: ms, series: [{ kind: "area", tone: "ready", values: transactions }] },
        ms(at(transactions, moment)),
        "",
        "From lock to unlock, median",
      ),
      show(
        "Waiting for the lock",
        { format: ms, series: [{ kind: "area", tone: "ready", values: waits }] },
        ms(at(waits, moment)),
        "",
        `Longest ${ms(longest)}`,
      ),
      rangeUse(boxes["Range use"], seen),
      show(
        "Restarts",
        {
          format: count,
          series: [{ kind: "bars", tone: "backoff", values: sums(restarts, (entry) => entry.restarts) }],
        },
        String(inSlot(restarts, (entry) => entry.restarts)),
        "a minute",
        `${count(restarts.reduce((sum, entry) => sum + entry.restarts, 0))} in ${span}, of instances that have ended`,
      ),
      show(
        "Reclaims",
        { format: count, series: [{ kind: "bars", tone: "quiet", values: sums(kind("reclaim"), () => 1) }] },
        String(inSlot(kind("reclaim"))),
        "a minute",
        "Leases of dead holders, given back",
      ),
      show(
        "Memory of instances",
        { format: bytes, unit: 1048576, series: [{ kind: "area", tone: "ready", values: memory }] },
        bytes(at(memory, moment)),
        "",
        heaviest(),
      ),
    ];
    put(
      numbers.querySelector("tbody"),
      rows.map(([name, figure, note]) =>
        el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, figure), el("td", {}, note)),
      ),
    );
  }

  charts.addEventListener("pointermove", (event) => {
    const drawing = event.target.closest("svg.chart");
    if (!drawing) return;
    const box = drawing.getBoundingClientRect();
    const long = SPANS[span] ?? SPANS["3 hours"];
    cursor = Date.now() - long + ((event.clientX - box.left) / box.width) * long;
    draw();
  });
  charts.addEventListener("pointerleave", () => {
    cursor = null;
    draw();
  });
  const stamp = (entry) => ({ ...entry, at: Date.parse(entry.time) });
  const load = async () => {
    const told = await get(
      `/audit?limit=5000&since=${Math.round((SPANS[span] ?? SPANS["3 hours"]) / 1000)}s`,
    );
    entries = told.entries.map(stamp).reverse();
    draw();
  };
  load().catch((error) => put(when, visible(error.message)));
  let told = world.audit.length;
  const unwatch = watch((what) => {
    if (what.has("audit")) {
      entries.push(...world.audit.slice(told).map(stamp));
      told = world.audit.length;
    }
    if (!cursor && (what.has("audit") || what.has("instances"))) draw();
  });
  const timer = setInterval(() => {
    if (!cursor) draw();
  }, 5000);
  const size = new ResizeObserver(() => draw());
  size.observe(charts);
  node.leave = () => {
    unwatch();
    clearInterval(timer);
    size.disconnect();
  };
  return node;
}

function rangeUse(box, seen) {
  const ports = [...byPort().keys()];
  const used = world.types
    .map((type) => ({
      name: type.name,
      size: type.leased + type.free,
      leased: ports.filter((port) => type.ranges.some(([a, b]) => port >= a && port <= b)).length,
    }))
    .filter((type) => type.size)
    .sort((a, b) => b.leased / b.size - a.leased / a.size);
  const fullest = used[0];
  const share = fullest ? Math.round((100 * fullest.leased) / fullest.size) : 0;
  put(box.figure, `${share} %`, el("span.dim", {}, " fullest"));
  const width = box.drawing.clientWidth || 300;
  const rows = used.filter((type) => type.leased).slice(0, 6);
  const step = 22;
  put(
    box.drawing,
    rows.flatMap((type, at) => {
      const y = 14 + at * step;
      const [x, w] = [width * 0.28, width * 0.56];
      return [
        svg("text.tick.strong", { x: 0, y: y + 9 }, visible(type.name).slice(0, 16)),
        svg("rect.basin", { x, y, width: w, height: 11, rx: 3 }),
        svg("rect.tone-ready", {
          x,
          y,
          width: Math.max(4, (w * type.leased) / type.size),
          height: 11,
          rx: 3,
        }),
        svg("text.tick", { x: width, y: y + 9, "text-anchor": "end" }, `${type.leased} of ${type.size}`),
      ];
    }),
  );
  box.drawing.setAttribute("viewBox", `0 0 ${width} ${box.drawing.clientHeight || 150}`);
  const full = seen.filter((entry) => entry.action === "exhausted").at(-1);
  const note = full
    ? `${visible(full.type)} was full at ${hour(full.at)}`
    : `${many(rows.length, "type")} in use`;
  put(box.note, note);
  return ["Range use", `${share} %`, note];
}

function heaviest() {
  const all = [...world.usage]
    .map(([lockId, used]) => [world.instances.get(lockId)?.id ?? lockId, used.memory])
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3);
  return all.length
    ? all.map(([id, used]) => `${visible(id)} ${bytes(used)}`).join(", ")
    : "Sampled while this page is open";
}

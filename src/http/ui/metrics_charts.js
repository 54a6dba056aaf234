// What each chart of the metrics page shows of a period: its lines, its figure, and a sentence.

import { at, hour, plot, quantile } from "./charts.js";
import { bytes, count, el, put, visible } from "./dom.js";
import { heaviest, memory } from "./metrics_memory.js";
import { drawRangeUse } from "./metrics_range_use.js";
import { world } from "./world.js";

/** The charts by name, in their order: each is drawn into its box, and answers `[name, figure, note]`. */
export const METRICS = {
  Leases: drawLeases,
  Allocations: drawAllocations,
  "Ready after": drawReadyAfter,
  Transaction: drawTransaction,
  "Waiting for the lock": drawWaiting,
  "Range use": drawRangeUse,
  Restarts: drawRestarts,
  Reclaims: drawReclaims,
  "Memory of instances": drawMemory,
};

const MEBIBYTE = 1048576;
const one = () => 1;
/** So many instances are named. */
const NAMED_MAX = 3;
/** Has waited for nothing. */
const NOBODY = { lockWaitUs: 0 };

function drawLeases(box, period) {
  const leases = leasesOver(period);
  return draw(box, period, {
    format: count,
    series: [{ kind: "area", steps: true, tone: "ready", values: leases }],
    figure: period.cursor ? String(at(leases, period.moment) ?? "–") : count(world.instances.size),
    note: "Live leases, all types",
  });
}

/** How many leases there were at each entry: from what is now, back through what has changed it. */
function leasesOver({ entries, from, to }) {
  const leases = [];
  let live = world.instances.size;
  for (const entry of entries.toReversed()) {
    leases.push([entry.at, live]);
    if (entry.action === "allocate" && !entry.before) live -= 1;
    if (entry.action === "release" || entry.action === "reclaim") live += 1;
  }
  leases.push([from, live]);
  // Who is gone without an entry was there until then: an unused reservation is collected when its port is wanted.
  const uncounted = Math.max(0, -live);
  const counted = leases.reverse().map(([time, number]) => [time, number + uncounted]);
  return [...counted, [to, world.instances.size]];
}

function drawAllocations(box, period) {
  const allocations = period.of("allocate");
  const refused = period.of("blocked", "exhausted");
  return draw(box, period, {
    format: count,
    series: [
      { kind: "bars", tone: "ready", values: period.sums(allocations, one) },
      { kind: "marks", tone: "unhealthy", values: refused.map((entry) => [entry.at, 1]) },
    ],
    figure: String(period.sumAtMoment(allocations, one)),
    figureUnit: "a minute",
    note: `${count(allocations.length)} in ${period.name}; ${count(refused.length)} refused, marked below the line`,
  });
}

/** How long a start took is told when the instance has ended. */
function drawReadyAfter(box, period) {
  const ended = period.entries.filter((entry) => typeof entry.readyMs === "number");
  const seconds = (entry) => entry.readyMs / 1000;
  const all = ended.map(seconds);
  const medians = period.quantiles(ended, seconds, 0.5);
  const median = period.cursor ? at(medians, period.moment) : quantile(all, 0.5);
  return draw(box, period, {
    format: (value) => milliseconds(1000 * value),
    series: [
      {
        kind: "line",
        tone: "quiet",
        dashed: true,
        label: "95 %",
        values: period.quantiles(ended, seconds, 0.95),
      },
      { kind: "line", tone: "ready", label: "median", values: medians },
    ],
    figure: median === null ? "–" : milliseconds(1000 * median),
    figureUnit: median === null ? "" : "median",
    note: all.length
      ? `95 of 100 starts are ready within ${milliseconds(1000 * quantile(all, 0.95))}`
      : "Known once an instance has ended",
  });
}

const transactionMs = (entry) => Number(entry.transactionUs) / 1000;
const waitMs = (entry) => Number(entry.lockWaitUs) / 1000;

function drawTransaction(box, period) {
  return drawMedian(box, period, transactionMs, "From lock to unlock, median");
}

function drawWaiting(box, period) {
  const longest = period.entries.reduce(
    (most, entry) => (waitMs(entry) > waitMs(most) ? entry : most),
    NOBODY,
  );
  const when = longest === NOBODY ? "" : `, at ${hour(longest.at)}`;
  return drawMedian(box, period, waitMs, `Longest ${milliseconds(waitMs(longest))}${when}`);
}

function drawMedian(box, period, value, note) {
  const medians = period.quantiles(period.entries, value, 0.5);
  return draw(box, period, {
    format: milliseconds,
    series: [{ kind: "area", tone: "ready", values: medians }],
    figure: milliseconds(at(medians, period.moment)),
    note,
  });
}

/** `71 µs`, `3.9 ms`, `38 ms`, `1.2 s`. */
function milliseconds(value) {
  if (value === null) return "–";
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 10) return `${Math.round(value)} ms`;
  return value >= 1 ? `${value.toFixed(1)} ms` : `${Math.round(value * 1000)} µs`;
}

function drawRestarts(box, period) {
  const restarted = period.entries.filter((entry) => entry.restarts > 0);
  const restarts = (entry) => entry.restarts;
  const sum = restarted.reduce((all, entry) => all + entry.restarts, 0);
  const named = mostRestarted(restarted);
  return draw(box, period, {
    format: count,
    series: [{ kind: "bars", tone: "backoff", values: period.sums(restarted, restarts) }],
    figure: String(period.sumAtMoment(restarted, restarts)),
    figureUnit: "a minute",
    note: `${count(sum)} in ${period.name}${named || ", of instances that have ended"}`,
  });
}

/** Who was restarted most often, of those that have ended. */
function mostRestarted(entries) {
  const sums = new Map();
  for (const { id, restarts } of entries) sums.set(id, (sums.get(id) ?? 0) + restarts);
  const most = [...sums].sort(([, a], [, b]) => b - a).slice(0, NAMED_MAX);
  return most.length ? `; ${most.map(([id, sum]) => `${visible(id)} ${count(sum)}`).join(", ")}` : "";
}

function drawReclaims(box, period) {
  const reclaims = period.of("reclaim");
  return draw(box, period, {
    format: count,
    series: [{ kind: "bars", tone: "quiet", values: period.sums(reclaims, one) }],
    figure: String(period.sumAtMoment(reclaims, one)),
    figureUnit: "a minute",
    note: "Leases of dead holders, given back",
  });
}

function drawMemory(box, period) {
  return draw(box, period, {
    format: bytes,
    unit: MEBIBYTE,
    series: [{ kind: "area", tone: "ready", values: memory }],
    figure: bytes(at(memory, period.moment)),
    note: heaviest(),
  });
}

/** Draws a chart's lines, and writes its figure and its sentence. */
function draw(box, { from, to, cursor }, { format, unit, series, figure, figureUnit = "", note }) {
  plot(box, { from, to, cursor, format, unit, series });
  put(box.figure, figure, figureUnit ? el("span.dim", {}, ` ${figureUnit}`) : "");
  put(box.note, note);
  return [box.title, `${figure}${figureUnit ? ` ${figureUnit}` : ""}`, note];
}

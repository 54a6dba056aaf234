// Small charts: one colour, three lines, one moment shared by all of them.

import { el, put, svg } from "./dom.js";

/** A line of a chart's text, in px. */
const LABEL = 13;

/** A chart's frame: head with a figure, drawing, sentence below. */
export function chart(title) {
  const figure = el("span.figure");
  const drawing = svg("svg.chart", { role: "img", "aria-label": title, preserveAspectRatio: "none" });
  const note = el("p.dim");
  return {
    node: el("section.chart-box", {}, el("div.head", {}, el("h2", {}, title), figure), drawing, note),
    figure,
    drawing,
    note,
    title,
  };
}

const nice = (value) => {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((step) => step * power).find((step) => step >= value);
};

/** Draws `series`: `[{kind: "area"|"line"|"bars"|"marks", tone, label, values: [[time, value]]}]`. */
export function plot(box, { from, to, series, format, cursor, unit = 1 }) {
  const { drawing } = box;
  const width = drawing.clientWidth || 300;
  const height = drawing.clientHeight || 150;
  const [top, foot] = [16, height - 18];
  const values = series
    .filter((one) => one.kind !== "marks")
    .flatMap((one) => one.values.map(([, value]) => value));
  const highest = Math.max(...values, 0) / unit;
  // Memory is told in units of 1024, and so has to be what is a round number.
  const kilo = unit > 1 && highest >= 1000 ? 1024 : 1;
  const max = nice(highest / kilo) * kilo * unit;
  const x = (time) => ((time - from) / (to - from)) * width;
  const y = (value) => foot - (value / max) * (foot - top);
  const parts = [0, 0.5, 1].map((share) =>
    svg("line.grid", { x1: 0, x2: width, y1: y(max * share), y2: y(max * share) }),
  );
  parts.push(svg("text.tick", { x: width, y: top - 5, "text-anchor": "end" }, format(max)));
  const labels = [];
  for (const one of series) {
    const seen = one.values.filter(([time]) => time >= from && time <= to);
    if (one.kind === "bars") {
      for (const [time, value] of seen)
        if (value)
          parts.push(
            svg(`rect.tone-${one.tone}`, {
              x: x(time) - 1.5,
              y: y(value),
              width: 3,
              height: foot - y(value),
            }),
          );
    } else if (one.kind === "marks") {
      for (const [time] of seen)
        parts.push(svg(`path.tone-${one.tone}`, { d: `M${x(time) - 4} ${foot + 2}h8l-4 6z` }));
    } else if (seen.length) {
      const step = one.steps
        ? seen
            .map(([time, value], at) => (at ? `H${x(time)}V${y(value)}` : `M${x(time)} ${y(value)}`))
            .join("")
        : seen.map(([time, value], at) => `${at ? "L" : "M"}${x(time)} ${y(value)}`).join("");
      const end = one.steps ? `${step}H${width}` : step;
      if (one.kind === "area")
        parts.push(svg(`path.fill-${one.tone}`, { d: `${end}V${foot}H${x(seen[0][0])}z` }));
      if (seen.length === 1)
        parts.push(
          svg(`circle.tone-${one.tone}`, { cx: Math.min(x(seen[0][0]), width - 2), cy: y(seen[0][1]), r: 2 }),
        );
      parts.push(svg(`path.stroke-${one.tone}${one.dashed ? ".dashed" : ""}`, { d: end }));
      if (one.label) labels.push({ text: one.label, x: x(seen[0][0]), y: y(seen[0][1]) - 5 });
      // The value that the figure tells stands where it was measured.
      const told = cursor === null ? undefined : seen.findLast(([time]) => time <= cursor);
      if (told)
        parts.push(
          svg(`circle.tone-${one.tone}`, { cx: x(one.steps ? cursor : told[0]), cy: y(told[1]), r: 3 }),
        );
    }
  }
  parts.push(...labelsApart(labels, width, foot));
  parts.push(
    svg("text.tick", { x: 0, y: height - 4 }, hour(from)),
    svg("text.tick", { x: width, y: height - 4, "text-anchor": "end" }, "now"),
  );
  if (cursor !== null && cursor >= from && cursor <= to) {
    parts.push(
      svg("line.cursor", { x1: x(cursor), x2: x(cursor), y1: top - 4, y2: foot }),
      svg(
        "text.tick.cursor-label",
        { x: Math.min(Math.max(x(cursor), 60), width - 60), y: height - 4, "text-anchor": "middle" },
        hour(cursor),
      ),
    );
  }
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  put(drawing, parts);
}

/** Each at the beginning of its line, from the top down, and none over another. */
function labelsApart(labels, width, foot) {
  let above = 0;
  return labels
    .sort((a, b) => a.y - b.y)
    .map(({ text, x, y }, at) => {
      above = Math.max(y, LABEL, above + LABEL);
      const isOver = above > foot - (labels.length - 1 - at) * LABEL;
      if (isOver) above = foot - (labels.length - 1 - at) * LABEL;
      const isAtEnd = x > width / 2;
      return svg(
        "text.tick",
        { x: isAtEnd ? x - 8 : x + 4, y: above, "text-anchor": isAtEnd ? "end" : "start" },
        text,
      );
    });
}

/** `14:05`. */
export const hour = (time) =>
  new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

/** The value that held at a moment. */
export function at(values, time) {
  let found = null;
  for (const [moment, value] of values) {
    if (moment > time) break;
    found = value;
  }
  return found;
}

/** The value that a share of all values is below; null where there is none. */
export function quantile(values, share) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

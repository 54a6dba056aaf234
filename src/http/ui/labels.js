// The names on a line. They stand in free water, cover no lease, and cross no shore.

import { shortName, svg, widthOf } from "./dom.js";
import { foreignName } from "./occupant.js";

/** Marks with no more than so many ports from one to the next are named together. */
const RUN_STEP_MAX = 2;
/** What stands between names. */
const BETWEEN = " · ";

/**
 * The labels of a line: each name whole if there is a way to that, else as many as there is room for. `present` is who
 * is on it, from the left; `frame` is how large it is drawn.
 */
export function labels(line, present, frame) {
  const runs = runsOf(present);
  return labelsOf(runs, line, frame, whole) ?? labelsOf(runs, line, frame, most);
}

/** The labels of runs, their names made by `cut`; null where some would have none that could be shorter. */
function labelsOf(runs, line, frame, cut) {
  const parts = [];
  // Names that have no room behind their run are said behind the next one.
  let carried = [];
  // Where the water in front of a run begins that neither a mark nor a name is in.
  let free = frame.x(line.from);
  runs.forEach((run, at) => {
    const next = runs[at + 1];
    const put = (names) =>
      behind(run, next, names, line, frame) ??
      (next ? null : (beyondShore(names, run, line, frame) ?? before(run, free, names, frame)));
    let label = null;
    if (run.kind === "lease") {
      label = put({ carried, own: run.names, cut });
      carried = label ? [] : [...carried, ...run.names];
    } else {
      // Who is not ours is named where there is room, and pushes nobody away.
      label =
        put({ carried: [], own: [...carried, ...run.names], cut }) ?? put({ carried: [], own: carried, cut });
      if (label) carried = [];
    }
    if (label) parts.push(label);
    free = Math.max(frame.x(run.to + 1), endOf(label, frame));
  });
  return cut === whole && carried.length ? null : parts;
}

/** Leases, or strangers, that are close to each other. */
function runsOf(present) {
  const runs = [];
  for (const { port, view, listener } of present) {
    const name = view ? shortName(view) : `${foreignName(listener)}, not ours`;
    const kind = view ? "lease" : "foreign";
    const run = runs.at(-1);
    if (run && port - run.to <= RUN_STEP_MAX && run.kind === kind) {
      run.to = port;
      run.names.push(name);
    } else runs.push({ from: port, to: port, names: [name], kind });
  }
  return runs;
}

/** Where the range ends on its line; a run beyond that has the line's own end. */
const shoreOf = (run, line, { x, width }) => (run.to > line.to ? width : x(line.to + 1));

/** Between a run and the next one, or the shore. */
function behind(run, next, names, line, frame) {
  const { x, scale } = frame;
  const start = x(run.to + 1) + 6 * scale;
  const limit = (next ? x(next.from) : shoreOf(run, line, frame)) - 6 * scale;
  return label("text.label", names, limit - start, { x: start }, frame);
}

/** Outside of the range, where its line goes on. */
function beyondShore(names, run, line, frame) {
  const { width, scale } = frame;
  if (line.to >= line.base + frame.span - 1) return null;
  const shore = shoreOf(run, line, frame);
  return label("text.label.out", names, width - shore - 8 * scale, { x: shore + 7 * scale }, frame);
}

/** Where a label behind a run ends; 0 where there is none. */
const endOf = (label, { scale }) =>
  label ? Number(label.getAttribute("x")) + widthOf(label.textContent, 11 * scale) + 6 * scale : 0;

/** In front of the last run, from where the water is free. */
function before(run, free, names, frame) {
  const { x, scale } = frame;
  const place = { x: x(run.from) - 6 * scale, "text-anchor": "end" };
  return label("text.label", names, x(run.from) - free - 8 * scale, place, frame);
}

/** Names that were cut to the room, drawn; nothing if there is room for none. */
function label(tag, names, room, { x, ...rest }, { height, scale }) {
  const size = 11 * scale;
  const text = names.cut(names, room, size);
  if (!text) return null;
  const place = { x, y: height / 2 + 4 * scale, ...rest };
  return svg(tag, { ...place, "font-size": size, "aria-hidden": "true" }, text);
}

/** All names from the left, if there is room for them. */
function whole({ carried, own }, room, size) {
  const names = [...new Set([...carried, ...own])];
  return endsWithin(names, room, size).length === names.length ? names.join(BETWEEN) : null;
}

/** As many names as there is room for, the run's own ones first, and how many more there are. */
function most({ carried, own }, room, size) {
  const all = whole({ carried, own }, room, size);
  if (all) return all;
  const names = [...new Set([...own, ...carried])];
  const ends = endsWithin(names, room, size);
  for (let kept = ends.length; kept > 0; kept--) {
    const more = kept < names.length ? ` +${names.length - kept}` : "";
    if (ends[kept - 1] + (more && widthOf(more, size)) <= room)
      return names.slice(0, kept).join(BETWEEN) + more;
  }
  return null;
}

/** Where each of the first names ends for which there is room. */
function endsWithin(names, room, size) {
  // Names are measured one by one, and once: a run of a hundred has a hundred possible ends.
  const between = widthOf(BETWEEN, size);
  const ends = [];
  let end = 0;
  for (const name of names) {
    end += (ends.length ? between : 0) + widthOf(name, size);
    if (end > room) break;
    ends.push(end);
  }
  return ends;
}

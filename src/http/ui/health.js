// How an instance fares, as its supervisor says: a bar for each health check, as high as it took long, an
// exclamation mark for a failure; and how far its stop is, for whoever wants to say it.

import { get } from "./api.js";
import { age, el, many, put, svg, visible } from "./dom.js";
import { shape } from "./phases.js";

/** So many stand side by side. */
const CHECKS = 44;
const HEIGHT = 28;
/** A bar and the gap behind it. */
const STEP = 12;
/** Who is checked more often is asked about it no more often than this. */
const OFTEN = 2000;

const span = (us) =>
  us < 1000
    ? `${us} µs`
    : us < 10_000
      ? `${(us / 1000).toFixed(1)} ms`
      : us < 1e6
        ? `${Math.round(us / 1000)} ms`
        : `${(us / 1e6).toFixed(1)} s`;

/** `500 ms`, `10 s`, `2 min`. */
export const lasting = (ms) => (ms < 1000 ? `${ms} ms` : age(ms));

const howMany = (all, failed) =>
  failed ? `${all - failed} of the last ${all} checks passed` : `the last ${many(all, "check")} passed`;

/** The section; hidden unless the instance is checked. `heard` gets all that is told; `look` asks again. */
export function health(lockId, signal, heard) {
  const rate = el("span.dim");
  const figure = el("span.dim.end");
  const bars = svg("svg.checks", {
    role: "img",
    viewBox: `0 0 ${CHECKS * STEP} ${HEIGHT}`,
    preserveAspectRatio: "none",
  });
  const node = el(
    "section.health",
    { hidden: true },
    el("div.head", {}, el("h3", {}, "Health"), rate, figure),
    bars,
  );
  function draw({ everyMs, why, checks }) {
    node.hidden = false;
    rate.textContent = `checked every ${lasting(everyMs)}`;
    const failed = checks.filter((check) => !check.passed).length;
    figure.textContent = checks.length ? howMany(checks.length, failed) : "not checked yet";
    const passed = checks.filter((check) => check.passed).map((check) => check.tookUs);
    const longest = Math.max(1, ...passed);
    // The latest stand at the right, as time goes.
    const first = CHECKS - checks.length;
    const drawn = checks.map((check, at) => {
      const x = (first + at) * STEP + 1;
      // A square root, so that one slow answer doesn't make all others vanish.
      const high = check.passed ? 5 + (HEIGHT - 9) * Math.sqrt(check.tookUs / longest) : HEIGHT;
      const mark = check.passed
        ? svg(
            "g.tone-ready",
            {},
            svg("rect", { x, y: HEIGHT - high, width: STEP - 3, height: high, rx: 1.5 }),
          )
        : shape("unhealthy", x, 0, STEP - 3, HEIGHT);
      mark.append(
        svg(
          "title",
          {},
          `${check.passed ? "passed" : "failed"} after ${span(check.tookUs)}, ${age(check.agoMs)} ago`,
        ),
      );
      return mark;
    });
    const empty = Array.from({ length: Math.max(0, first) }, (_, at) =>
      svg("rect.empty", { x: at * STEP + 1, y: HEIGHT - 2, width: STEP - 3, height: 2, rx: 1 }),
    );
    put(bars, empty, drawn);
    const last = checks.at(-1);
    bars.setAttribute(
      "aria-label",
      last
        ? `${checks.length} checks, ${failed} failed; the last one ${last.passed ? "passed" : `failed${why ? `: ${visible(why)}` : ""}`}`
        : "Not checked yet",
    );
  }
  let timer = 0;
  async function look() {
    if (signal.aborted) return;
    let next = OFTEN;
    if (document.visibilityState === "visible") {
      const told = await get(`/instances/${encodeURIComponent(lockId)}/checks`).catch(() => null);
      if (signal.aborted) return;
      if (told) {
        heard(told);
        if (told.everyMs !== null) {
          draw(told);
          next = Math.max(OFTEN, Math.min(told.everyMs, 10_000));
        }
        const isEnding = told.stop && (told.stop.killInMs !== null || told.stop.survivors.length > 0);
        if (isEnding) next = OFTEN;
        // Nobody is woken up again to say that nothing is checked.
        else if (told.everyMs === null) return;
      }
    }
    clearTimeout(timer);
    timer = setTimeout(look, next);
  }
  node.look = look;
  look();
  return node;
}

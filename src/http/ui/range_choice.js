// A type with several ranges: which of them is edited, and what may become of the others.
//
// A configuration gives a type one range. Those of an automatic type are the registry's: they stay as long as
// none is configured.

import { el, put } from "./dom.js";

const text = ([a, b]) => `${a}–${b}`;
const hasSeveral = (type) => (type?.ranges.length ?? 0) > 1;

/** A button for each range, the first one pressed; nothing where there is but one. `choose` gets another one. */
export function rangeChoice(type, choose) {
  if (!hasSeveral(type)) return null;
  const node = el("div.segments", { role: "group", "aria-label": "Which range is edited" });
  const draw = (chosen) =>
    put(
      node,
      type.ranges.map((range) =>
        el(
          "button",
          {
            type: "button",
            "aria-pressed": String(range === chosen),
            onclick: () => {
              draw(range);
              choose(range);
              [...node.children][type.ranges.indexOf(range)].focus();
            },
          },
          text(range),
        ),
      ),
    );
  draw(type.ranges[0]);
  return el("div.field", {}, el("span.label", {}, `${type.ranges.length} ranges; edited is`), node);
}

/** The ranges of the type that the edited one doesn't cover. */
const leftOut = (type, [from, to]) => type.ranges.filter(([a, b]) => a < from || b > to);

/** Whether the range is one of those that the type has. */
const isKept = (type, [from, to]) => type.ranges.some(([a, b]) => a === from && b === to);

/** Whether nothing is said of ranges: then all of them stay. */
export const keepsRanges = (type, range) => hasSeveral(type) && isKept(type, range);

/** What a range means for the others of its type; null where there are none. */
export function severalVerdict(type, range) {
  if (!hasSeveral(type)) return null;
  const all = type.ranges.length === 2 ? "Both" : `All ${type.ranges.length}`;
  if (isKept(type, range)) return { fits: true, text: `${all} ranges stay as they are.` };
  const lost = leftOut(type, range);
  if (!lost.length) return null;
  return {
    fits: false,
    text: `A type has one range in the configuration, and ${lost.map(text).join(", ")} would be lost. Widen this one over it, or leave it as it is.`,
  };
}

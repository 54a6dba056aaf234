// Why an instance is in trouble, or how far its stop is: in a sentence, and in the drawer's box.

import { age, el, many, put, visible } from "./dom.js";
import { phaseSince } from "./history.js";
import { WORDS, glyph, inTrouble } from "./phases.js";
import { toldOf, untilNextTry } from "./trouble.js";

/** Why an instance is in trouble, as far as is known, in half a line. */
export function reasonOf(view) {
  const why = view.phase === "unhealthy" ? toldOf(view)?.why : null;
  if (!why) return causeOf(view);
  const span = spanOf(view);
  return `${sentenceLike(why)}${span ? `,${span}` : ""}`;
}

/** The same in a few words, behind its name. */
export function troubleOf(view) {
  if (view.phase !== "backoff") return `${WORDS[view.phase]}${spanOf(view)}`;
  const left = leftOf(view);
  return `${WORDS.backoff}${left ? `, next try${left}` : ""}`;
}

/** Why, without the answer of its check. */
function causeOf(view) {
  if (view.phase === "stuck") return "Something of it survived KILL";
  if (view.phase !== "backoff") return `Its health check has failed${spanOf(view)}`;
  const next = toldOf(view)?.nextTry;
  if (!next) return `Ended, and is tried again; ${many(view.restarts, "restart")} so far`;
  return `Exited ${next.code}, try ${next.number}${next.of === null ? "" : ` of ${next.of}`}${leftOf(view)}`;
}

/** ` for 4 min`; nothing where that is not known. */
function spanOf(view) {
  const since = phaseSince(view.lockId);
  return since ? ` for ${age(Date.now() - since)}` : "";
}

/** ` in 8 s`; nothing once it is time. */
function leftOf(view) {
  const left = untilNextTry(view);
  return left ? ` in ${age(left + 999)}` : "";
}

const sentenceLike = (text) => visible(text[0].toUpperCase() + text.slice(1));

/** The colour that is washed over what is in trouble. */
export const washOf = (view) => `wash-${view.phase === "backoff" ? "backoff" : "unhealthy"}`;

/** Draws the box; `fare` is what its supervisor last told, and when. */
export function drawReason(box, view, fare) {
  const said = sentence(view, fare);
  box.hidden = said === null;
  box.className = `reason-box ${inTrouble(view) ? washOf(view) : ""}`;
  if (said !== null) put(box, glyph(view.phase), el("b", {}, WORDS[view.phase]), el("span", {}, said));
}

/** Why it is in trouble, or how far its stop is; null where there is nothing to say. */
function sentence(view, fare) {
  const survivors = fare?.stop?.survivors ?? [];
  if (view.phase === "stuck" && survivors.length) return survived(view, survivors);
  if (view.phase === "stopping") {
    const left = (fare?.stop?.killInMs ?? 0) - (Date.now() - (fare?.at ?? 0));
    return left > 0 ? `KILL in ${age(left + 999)}.` : null;
  }
  const why = fare?.why ? ` ${sentenceLike(fare.why)}.` : "";
  return inTrouble(view) ? `${causeOf(view)}.${why}` : null;
}

function survived(view, survivors) {
  const named = survivors
    .map(({ pid, name }) => (pid ? `${pid}${name ? ` ${visible(name)}` : ""}` : "what cannot be named"))
    .join(", ");
  const [who, them] =
    survivors.length === 1 ? ["One process", "it is"] : [`${survivors.length} processes`, "they are"];
  return `${who} survived: ${named}. Port ${view.port} will not be given out until ${them} gone.`;
}

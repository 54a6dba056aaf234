// Why an instance is in trouble, or how far its stop is: in a sentence, and in the drawer's box.

import { age, el, many, put, visible } from "./dom.js";
import { WORDS, glyph, inTrouble } from "./phases.js";
import { phaseSince } from "./world.js";

/** Why an instance is in trouble, as far as is known. */
export function reasonOf(view) {
  const since = phaseSince(view.lockId);
  const span = since ? ` for ${age(Date.now() - since)}` : "";
  if (view.phase === "stuck") return "Something of it survived KILL";
  if (view.phase === "backoff") return `Ended, and is tried again; ${many(view.restarts, "restart")} so far`;
  return `Its health check has failed${span}`;
}

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
  const why = fare?.why ? ` ${visible(fare.why[0].toUpperCase() + fare.why.slice(1))}.` : "";
  return inTrouble(view) ? `${reasonOf(view)}.${why}` : null;
}

function survived(view, survivors) {
  const named = survivors
    .map(({ pid, name }) => (pid ? `${pid}${name ? ` ${visible(name)}` : ""}` : "what cannot be named"))
    .join(", ");
  const [who, them] =
    survivors.length === 1 ? ["One process", "it is"] : [`${survivors.length} processes`, "they are"];
  return `${who} survived: ${named}. Port ${view.port} will not be given out until ${them} gone.`;
}

// Gives ranges back that were made by themselves, when nobody has a lease in them.

import { ask, named } from "./api.js";
import { el, hidingButton, many, put, visible } from "./dom.js";
import { offerUndo } from "./undo.js";
import { world } from "./world.js";

/** Fills the box `question` with the automatic ranges there are, each with a button. */
export function undoAutomatic(question) {
  const auto = world.types.filter((type) => type.origin === "auto");
  const keep = hidingButton(question, "Keep them");
  put(
    question,
    el("h3", {}, auto.length ? "Give automatic ranges back?" : "There is no automatic range."),
    auto.map((type) => row(type, () => giveBack(type, question, keep))),
    el("div.buttons", {}, keep),
  );
  question.hidden = false;
  keep.focus();
}

function row(type, onclick) {
  const ranges = type.ranges.map(([a, b]) => `${a}–${b}`).join(", ");
  const leased = type.leased ? `${many(type.leased, "lease")} in it` : "no lease in it";
  return el(
    "p.undo-row",
    {},
    el("b", {}, visible(type.name)),
    ` ${ranges}, ${leased} `,
    el("button.needs-live", { type: "button", disabled: type.leased > 0, onclick }, "Give back"),
  );
}

async function giveBack(type, question, keep) {
  try {
    const { ranges } = await ask("POST", "/ranges/undo", { type: type.name });
    question.hidden = true;
    const given = ranges.map(({ range: [a, b], type }) => `${a}–${b} of ${type}`).join(", ");
    // A configuration holds one range: several cannot be written there.
    const [{ range }] = ranges;
    const undo = () => ask("PUT", `/types/${named(type.name)}`, { range });
    offerUndo(`Gave ${given} back.`, ranges.length === 1 ? undo : null);
  } catch (error) {
    put(
      question,
      el("h3", {}, "No range was given back."),
      el("p", {}, visible(error.message)),
      error.hint ? el("p.dim", {}, visible(error.hint)) : null,
      el("div.buttons", {}, keep),
    );
  }
}

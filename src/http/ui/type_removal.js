// Asks before a type and its range are given back; who has instances on it types its name.

import { ask, named } from "./api.js";
import { el, hidingButton, put, visible } from "./dom.js";
import { offerUndo } from "./undo.js";
import { world } from "./world.js";

/** So many instances are named. */
const NAMED_MAX = 5;

/** Fills the editor's box `review` with the question; `target` tells which file it is about. */
export function askToRemove(type, review, target) {
  const users = [...world.instances.values()].filter((view) => view.type === type.name);
  const keep = hidingButton(review, "Keep it");
  const typed = users.length
    ? el("input", { "aria-label": `Type ${type.name} to go on`, autocomplete: "off" })
    : null;
  const said = el("p.bad");
  const go = el(
    "button.danger.filled.needs-live",
    {
      type: "button",
      disabled: users.length > 0,
      onclick: () => remove(type, { force: users.length > 0, target: target() }, said),
    },
    type.origin === "profile" ? "Reset it" : "Remove it",
  );
  typed?.addEventListener("input", () => {
    go.disabled = typed.value !== type.name;
  });
  put(
    review,
    el(
      "h3",
      {},
      type.origin === "profile"
        ? `Take what is configured of ${visible(type.name)} out?`
        : `Remove ${visible(type.name)} and its range ${rangesOf(type)}?`,
    ),
    el("p", {}, users.length ? stillOn(users) : "Nobody runs on it."),
    typed,
    said,
    el("div.buttons", {}, go, keep),
  );
  review.hidden = false;
  keep.focus();
}

const rangesOf = (type) => type.ranges.map(([a, b]) => `${a}–${b}`).join(", ");

function stillOn(users) {
  const names = users
    .slice(0, NAMED_MAX)
    .map((view) => visible(view.id))
    .join(", ");
  const [run, keep] = users.length === 1 ? ["runs", "keeps its port"] : ["run", "keep their ports"];
  return `${names} still ${run} on it, and ${keep}. Type its name to go on.`;
}

async function remove(type, body, said) {
  try {
    await ask("DELETE", `/types/${named(type.name)}`, body);
    offerUndo(`Gave ${rangesOf(type)} of ${type.name} back.`, () =>
      ask("PUT", `/types/${named(type.name)}`, {
        range: type.ranges[0],
        instance_behavior: type.instanceBehavior,
      }),
    );
    location.hash = "#/t";
  } catch (error) {
    put(said, visible(error.message), error.hint ? ` ${visible(error.hint)}` : "");
  }
}

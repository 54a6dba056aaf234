// Asks before a type and its range are given back; who has instances on it types its name, and they are stopped.

import { ask, named } from "./api.js";
import { el, hidingButton, many, put, visible } from "./dom.js";
import { mayEnd } from "./owner.js";
import { offerUndo } from "./undo.js";
import { world } from "./world.js";

/** So many instances are named. */
const NAMED_MAX = 5;

/** Fills the editor's box `review` with the question; `target` tells which file it is about. */
export function askToRemove(type, review, target) {
  const users = [...world.instances.values()].filter((view) => view.type === type.name);
  // Who takes out what is configured of a built-in type leaves it there, and all that runs on it.
  const isReset = type.origin === "profile";
  const ending = isReset ? [] : users.filter((view) => view.supervisorPid !== null && mayEnd(view));
  const staying = users.filter((view) => !ending.includes(view));
  const keep = hidingButton(review, "Keep it");
  const typed = users.length
    ? el("input", { "aria-label": `Type ${type.name} to go on`, autocomplete: "off" })
    : null;
  const said = el("p.bad", { role: "alert" });
  const face = ending.length ? `Stop ${ending.length} and remove` : isReset ? "Reset it" : "Remove it";
  const go = el(
    "button.danger.filled.needs-live",
    {
      type: "button",
      disabled: users.length > 0,
      onclick: async () => {
        go.disabled = true;
        await remove(type, ending, { force: staying.length > 0, target: target() }, said);
        go.disabled = false;
      },
    },
    face,
  );
  typed?.addEventListener("input", () => {
    go.disabled = typed.value !== type.name;
  });
  put(
    review,
    el(
      "h3",
      {},
      isReset
        ? `Take what is configured of ${visible(type.name)} out?`
        : `Remove ${visible(type.name)} and its range ${rangesOf(type)}?`,
    ),
    el(
      "p",
      {},
      users.length ? [stops(ending), stays(staying), " Type its name to go on."] : "Nobody runs on it.",
    ),
    typed,
    said,
    el("div.buttons", {}, go, keep),
  );
  review.hidden = false;
  keep.focus();
}

const rangesOf = (type) => type.ranges.map(([a, b]) => `${a}–${b}`).join(", ");

function stops(views) {
  if (!views.length) return "";
  const [run, all] =
    views.length === 1 ? ["runs", "it"] : ["run", views.length === 2 ? "both" : `all ${views.length}`];
  return `${names(views)} still ${run} on it. Removing the type stops ${all}. Undo brings the range back, not the processes. `;
}

function stays(views) {
  if (!views.length) return "";
  return `${names(views)} ${views.length === 1 ? "keeps its port" : "keep their ports"}.`;
}

function names(views) {
  const named = views.slice(0, NAMED_MAX).map((view) => visible(view.id));
  if (views.length > NAMED_MAX) named.push(many(views.length - NAMED_MAX, "other"));
  return named.length === 1 ? named[0] : `${named.slice(0, -1).join(", ")} and ${named.at(-1)}`;
}

/** Nothing is removed under what could not be stopped. */
async function remove(type, ending, body, said) {
  try {
    await Promise.all(
      ending.map(({ lockId }) => ask("POST", `/instances/${encodeURIComponent(lockId)}/stop`, {})),
    );
    await ask("DELETE", `/types/${named(type.name)}`, body);
    // A configuration holds one range: several cannot be written there.
    const undo = () =>
      ask("PUT", `/types/${named(type.name)}`, {
        range: type.ranges[0],
        instance_behavior: type.instanceBehavior,
      });
    offerUndo(`Gave ${rangesOf(type)} of ${type.name} back.`, type.ranges.length === 1 ? undo : null);
    location.hash = "#/t";
  } catch (error) {
    put(said, visible(error.message), error.hint ? ` ${visible(error.hint)}` : "");
  }
}

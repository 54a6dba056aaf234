// What an editor is about to write, next to what is there: read before it is saved.

import { ask, named } from "./api.js";
import { el, hidingButton, put, visible } from "./dom.js";
import { offerUndo } from "./undo.js";

const FILES = {
  user: "your configuration",
  project: "this project’s styxy.toml",
  system: "the machine’s file",
};

/**
 * Fills the box `review`; the box `error` says what was refused. `type` is null for a new one, `name` tells what is
 * typed as its name, `body` is what the server gets; `saved` is called when it has.
 */
export function askToSave(type, name, body, { review, error, saved }) {
  const { target, ...keys } = body;
  const notYet = hidingButton(review, "Not yet");
  put(
    review,
    el("h3", {}, "Before you save"),
    el("pre.diff", {}, el("span.same", {}, `[service_types.${name()}]`), differences(type, keys)),
    el("p.dim", {}, `Written to ${FILES[target]}. Running instances keep their ports.`),
    el(
      "div.buttons",
      {},
      el(
        "button.primary.needs-live",
        { type: "button", onclick: () => save(type, name(), body, { review, error, saved }) },
        "Save",
      ),
      notYet,
    ),
  );
  review.hidden = false;
  notYet.focus();
}

/** A line for each key: the same, or what goes and what comes. */
function differences(type, keys) {
  const before = {
    range: type?.ranges.length === 1 ? type.ranges[0] : undefined,
    instance_behavior: type?.instanceBehavior,
    description: type?.description,
  };
  return Object.entries(keys).flatMap(([key, value]) => {
    const old = JSON.stringify(before[key]);
    const now = JSON.stringify(value);
    if (old === now) return [el("span.same", {}, `  ${key} = ${now}`)];
    return [
      old === undefined ? null : el("span.minus", {}, `- ${key} = ${old}`),
      el("span.plus", {}, `+ ${key} = ${now}`),
    ];
  });
}

async function save(type, name, body, { review, error, saved }) {
  try {
    const { changes } = await ask("PUT", `/types/${named(name)}`, body);
    review.hidden = true;
    error.hidden = true;
    offerUndo(`Saved ${name}.`, () => takeBack(type, name, changes, body.target));
    saved();
    location.hash = `#/t/${encodeURIComponent(name)}`;
  } catch (refused) {
    put(
      error,
      el("p", {}, visible(refused.message)),
      refused.hint ? el("p.dim", {}, visible(refused.hint)) : null,
    );
    error.hidden = false;
  }
}

/** What was configured is key by key as it was before; a type of which nothing was is taken out. */
async function takeBack(type, name, changes, target) {
  if (type?.origin !== "config") {
    await ask("DELETE", `/types/${named(name)}`, { target });
    return;
  }
  for (const { key, before } of changes)
    if (before === null) await ask("POST", "/config/unset", { key, target });
    else await ask("POST", "/config/set", { key, value: before, target });
}

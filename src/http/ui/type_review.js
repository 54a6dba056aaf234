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
 * typed as its name, `body` is what the server gets.
 */
export function askToSave(type, name, body, { review, error }) {
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
        { type: "button", onclick: () => save(type, name(), body, { review, error }) },
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
    range: type?.ranges[0],
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

async function save(type, name, body, { review, error }) {
  try {
    await ask("PUT", `/types/${named(name)}`, body);
    review.hidden = true;
    error.hidden = true;
    offerUndo(`Saved ${name}.`, () => takeBack(type, name, body.target));
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

/** What was configured is written again; what was not is taken out. */
const takeBack = (type, name, target) =>
  type && type.origin !== "profile"
    ? ask("PUT", `/types/${named(name)}`, {
        range: type.ranges[0],
        instance_behavior: type.instanceBehavior,
        target,
      })
    : ask("DELETE", `/types/${named(name)}`, { target });

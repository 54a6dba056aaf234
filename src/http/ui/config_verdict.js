// What is said of a configuration file's text: what it would change, what is wrong with it, and why it was not saved.

import { el, many, put, visible } from "./dom.js";
import { glyph } from "./phases.js";

/** The text is the file's own. */
export function showUnchanged(editor) {
  editor.wrongLine = null;
  const hint = "This file says nothing yet. `styxy config init` writes one that shows every key.";
  put(editor.said, editor.text ? "" : hint);
  editor.said.className = "said";
  put(editor.diff, el("span.same", {}, "Nothing is changed."));
  put(editor.title);
  put(editor.effects);
  editor.saveButton.disabled = true;
}

/** The text makes sense: which settings it changes, and what follows. */
export function showChanges(editor, { changes, overridden }) {
  editor.wrongLine = null;
  put(editor.said, glyph("ready"), "It makes sense.");
  editor.said.className = "said";
  put(editor.title, many(changes.length, "change"));
  put(
    editor.diff,
    changes.length ? changes.flatMap(difference) : el("span.same", {}, "Only comments or blanks."),
  );
  put(
    editor.effects,
    el("h3", {}, "What it changes now"),
    el("p", {}, "Running instances keep their ports and their settings until they are started again."),
    changes.some((one) => one.key.startsWith("auto_allocation"))
      ? el("p", {}, "New automatic ranges follow it; those that exist stay as they are.")
      : null,
    overridden.map((one) =>
      el("p", {}, el("b.mono", {}, visible(one.key)), ` stays as it is: ${visible(one.by)} wins.`),
    ),
  );
  editor.saveButton.disabled = false;
}

const difference = ({ key, before, after }) => [
  el("span.same", {}, `  ${visible(key)}`),
  before === null ? null : el("span.minus", {}, `- ${JSON.stringify(before)}`),
  after === null ? null : el("span.plus", {}, `+ ${JSON.stringify(after)}`),
];

/** The text makes no sense: where and why, and what was probably meant. */
export function showFault(editor, error) {
  const line = Number(/:(\d+): /.exec(error.message)?.[1] ?? 0);
  const nearest = /did you mean '([^']+)'/.exec(error.hint ?? "")?.[1];
  const wrong = /unknown key '([^']+)'/.exec(error.message)?.[1];
  editor.wrongLine = line;
  put(
    editor.said,
    glyph("unhealthy"),
    el("span", {}, visible(error.message), error.hint ? el("span.dim", {}, ` ${visible(error.hint)}`) : null),
    nearest && wrong ? button("Use it", () => mend(editor, line, wrong, nearest)) : null,
  );
  editor.said.className = "said bad";
  put(editor.title, line ? `Fix line ${line} first` : "1 error");
  editor.saveButton.disabled = true;
}

function mend(editor, line, wrong, right) {
  const lines = editor.text.split("\n");
  lines[line - 1] = lines[line - 1].replace(wrong, right);
  editor.write(lines.join("\n"));
  editor.area.focus();
}

/** The file could not be saved. */
export function showFailure(editor, error) {
  put(editor.said, glyph("unhealthy"), visible(error.message));
}

/** The file holds another text than the one that was opened: whose is kept is for the person to say. */
export function showConflict(editor, theirs) {
  const keepMine = () => {
    editor.file.text = theirs;
    editor.typed();
  };
  const takeTheirs = () => {
    editor.file.text = theirs;
    editor.write(theirs);
  };
  put(
    editor.said,
    glyph("unhealthy"),
    el("span", {}, "The file was changed elsewhere meanwhile. "),
    button("Keep mine, compare with theirs", keepMine),
    button("Take theirs", takeTheirs),
    button("Copy mine", () => navigator.clipboard.writeText(editor.text)),
  );
  editor.said.className = "said bad";
}

const button = (face, onclick) => el("button", { type: "button", onclick }, face);

// What is said of a configuration file's text: what it would change, what is wrong with it, and why it was not saved.

import { settingOf } from "./audit_sentence.js";
import { hangAt } from "./config_fault.js";
import { el, many, put, visible } from "./dom.js";
import { glyph } from "./phases.js";
import { world } from "./world.js";

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
  put(editor.diff, changes.length ? differences(changes) : el("span.same", {}, "Only comments or blanks."));
  put(
    editor.effects,
    el("h3", {}, "What it changes now"),
    el("p", {}, "Running instances keep their ports and their settings until they are started again."),
    newRanges(changes),
    overridden.map((one) =>
      el("p", {}, el("b.mono", {}, visible(one.key)), ` stays as it is: ${visible(one.by)} wins.`),
    ),
  );
  editor.saveButton.disabled = false;
}

/** Each setting as a file has it, in its table. */
function differences(changes) {
  let last = "";
  return changes.flatMap(({ key, before, after }) => {
    const { table, key: name } = settingOf(key);
    const line = (value) => `${visible(name)} = ${visible(JSON.stringify(value))}`;
    const head = table === last ? null : el("span.same", {}, `  [${visible(table)}]`);
    last = table;
    return [
      head,
      before === null ? null : el("span.minus", {}, `- ${line(before)}`),
      after === null ? null : el("span.plus", {}, `+ ${line(after)}`),
    ];
  });
}

/** What a change of auto-allocation means for the ranges that there are, and for those to come. */
function newRanges(changes) {
  if (!changes.some(({ key }) => key.startsWith("auto_allocation"))) return null;
  const size = changes.find(({ key }) => key === "auto_allocation.default_chunk_size")?.after;
  const made = world.types.filter(({ origin }) => origin === "auto").flatMap(({ ranges }) => ranges).length;
  const old = made === 1 ? "the one that exists stays as it is" : `the ${made} that exist stay as they are`;
  const follow = size ? `get ${many(size, "port")}` : "follow it";
  return el("p", {}, `New automatic ranges ${follow}${made ? `; ${old}` : ""}.`);
}

/** The text makes no sense: where and why, and what was probably meant. */
export function showFault(editor, error) {
  const line = Number(/:(\d+): /.exec(error.message)?.[1] ?? 0);
  const nearest = /did you mean '([^']+)'/.exec(error.hint ?? "")?.[1];
  const [, key, value] = /unknown key '([^']+)'|`([^`]+)` is not /.exec(error.message) ?? [];
  const wrong = key ?? value;
  // Under its line nobody has to be told where it is.
  const message = line ? error.message.replace(/^.*?:\d+: /, "") : error.message;
  editor.wrongLine = line;
  put(
    editor.said,
    glyph("unhealthy"),
    el("span", {}, visible(message), error.hint ? el("span.dim", {}, ` ${visible(error.hint)}`) : null),
    nearest && wrong ? button("Use it", () => mend(editor, line, wrong, nearest)) : null,
  );
  editor.said.className = "said bad";
  hangAt(editor, line);
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
  hangAt(editor, 0);
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

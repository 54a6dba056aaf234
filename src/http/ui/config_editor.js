// The editor of a configuration file: it is checked as one types, and what it changes is shown before it is saved.

import { ask, get } from "./api.js";
import { makeWay } from "./config_fault.js";
import { drawPaper } from "./config_paper.js";
import { showChanges, showConflict, showFailure, showFault, showUnchanged } from "./config_verdict.js";
import { el } from "./dom.js";
import { offerUndo } from "./undo.js";

/** Who types is not interrupted: a text is checked when nothing was typed for so long, in ms. */
const PAUSE = 250;

/** The editor's element for one of `files`; `entries` are the settings in effect, `reload` draws the page again. */
export function configEditor(file, files, entries, reload) {
  const editor = new Editor(file, files, entries, reload);
  editor.draw();
  editor.check();
  return editor.node;
}

/** A file's text with what is said of it. The verdict's functions write into its elements. */
class Editor {
  /** The number of the line that makes no sense. */
  wrongLine = null;
  timer = 0;
  area = textArea();
  /** Under the text, in the same place: its lines in colour, and what is said beside them. */
  paper = el("div.paper", { "aria-hidden": "true" });
  said = el("div.said", { id: "config-said", role: "status" });
  diff = el("pre.diff");
  title = el("span.end.dim");
  effects = el("div.effects");
  saveButton = el("button.primary.needs-live", { type: "button", disabled: true }, "Save");

  constructor(file, files, entries, reload) {
    this.file = file;
    this.files = files;
    this.origins = new Map(entries.map((entry) => [entry.key, entry]));
    this.reload = reload;
    this.area.value = file.text;
    this.listen();
    this.node = el(
      "div.two",
      {},
      el("div.sheet-box", {}, el("div.sheet", {}, this.paper, this.area), this.said),
      card(this),
    );
  }

  get text() {
    return this.area.value;
  }

  /** Another text in place of what was typed. */
  write(text) {
    this.area.value = text;
    this.typed();
  }

  listen() {
    this.saveButton.onclick = () => this.save();
    this.area.addEventListener("input", () => this.typed());
    this.area.addEventListener("keydown", (event) => {
      if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        if (!this.saveButton.disabled) this.saveButton.click();
      }
    });
    // Who leaves the text for the error's button finds it where it was.
    for (const told of ["keyup", "pointerup"]) this.area.addEventListener(told, () => makeWay(this));
    this.area.addEventListener("scroll", () => {
      this.paper.scrollLeft = this.area.scrollLeft;
    });
  }

  draw() {
    drawPaper(this);
  }

  /** What was typed can't be saved before it is checked. */
  typed() {
    this.draw();
    this.saveButton.disabled = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), PAUSE);
  }

  async check() {
    const { file, text } = this;
    if (text === file.text) {
      showUnchanged(this);
      this.draw();
      return;
    }
    // An answer about a text that is no longer there says nothing.
    try {
      const told = await ask("POST", "/config/check", { target: file.target, text });
      if (this.text !== text) return;
      showChanges(this, told);
    } catch (error) {
      if (this.text !== text) return;
      showFault(this, error);
    }
    this.draw();
  }

  async save() {
    const { file, text, reload } = this;
    const before = file.text;
    try {
      await replace(file, before, text);
      offerUndo(`Saved ${file.path}.`, async () => {
        await replace(file, text, before);
        await reload();
      });
      await reload();
    } catch (error) {
      if (error.status !== 409) {
        showFailure(this, error);
        return;
      }
      const { files } = await get("/config/files");
      showConflict(this, files.find((one) => one.target === file.target).text);
    }
  }
}

/** Saves a text in place of another; refused if that is not what the file holds. */
const replace = (file, before, text) => ask("PUT", "/config/file", { target: file.target, before, text });

function textArea() {
  return el("textarea", {
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    wrap: "off",
    "aria-label": "Text of the file",
    "aria-describedby": "config-said",
  });
}

/** What saving would do, with the buttons for it. */
function card(editor) {
  const discard = el(
    "button.plain",
    { type: "button", onclick: () => editor.write(editor.file.text) },
    "Discard changes",
  );
  return el(
    "div.card",
    {},
    el("div.head", {}, el("h2", {}, "Before you save"), editor.title),
    editor.diff,
    editor.effects,
    el("div.buttons", {}, editor.saveButton, discard),
  );
}

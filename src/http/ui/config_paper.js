// The paper under a configuration file's text: its lines in colour, numbered, with what other sources say of their keys.

import { el, put, visible } from "./dom.js";
import { isFrom } from "./origin.js";

/** How the files are called where one of them sets what another one says. */
const SOURCES = { system: "machine", user: "your config", project: "project" };
/** A comment, behind which nothing is read. */
const COMMENT = /(?<!["'][^"']*)#.*$/;

/** Draws the lines of what is in the editor. */
export function drawPaper(editor) {
  const { file, text, origins, wrongLine } = editor;
  const before = new Set(file.text.split("\n"));
  const lines = text.split("\n");
  const keys = keysOf(lines);
  put(
    editor.paper,
    lines.map((line, at) => {
      const row = el("div.code-line", {}, el("span.number", {}, at + 1), el("span.code", {}, coloured(line)));
      const remark = remarkOn(origins.get(keys[at]), line, editor);
      if (remark) row.append(el("span.aside", {}, remark));
      if (file.text && !before.has(line)) row.classList.add("changed");
      if (wrongLine === at + 1) row.classList.add("wrong");
      return row;
    }),
  );
  editor.area.style.setProperty("--lines", lines.length + 1);
}

/** The key that each line sets, in full; null where it sets none. */
function keysOf(lines) {
  let table = "";
  return lines.map((line) => {
    const head = /^\s*\[+([^\]]+)\]+/.exec(line);
    if (head) {
      table = head[1].trim();
      return null;
    }
    const key = /^\s*([\w.-]+)\s*=/.exec(line)?.[1];
    return key ? `${table ? `${table}.` : ""}${key}` : null;
  });
}

/** What is worth knowing of a key here: that another source wins, or what it was or would be without this line. */
function remarkOn(entry, line, { file, files }) {
  if (!entry) return null;
  const { origin, toml } = entry;
  const source = files.find((one) => isFrom(origin, one));
  const isBuiltIn = /^(default$|profile )/.test(origin);
  if (source !== file && !isBuiltIn) {
    if (source && files.indexOf(source) < files.indexOf(file))
      return `was ${visible(toml)} in ${SOURCES[source.target]}`;
    return `${source ? SOURCES[source.target] : visible(origin)} sets ${visible(toml)}`;
  }
  const builtIn = isBuiltIn ? toml : entry.builtIn;
  if (!builtIn) return null;
  return valueIn(line) === bare(builtIn) ? "same as built in" : `was ${visible(builtIn)} built in`;
}

const bare = (value) => value.replaceAll(/\s/g, "");
const valueIn = (line) => bare(line.slice(line.indexOf("=") + 1).replace(COMMENT, ""));

/** The parts of a line: table head, or key and value, and comment. */
function coloured(line) {
  // An empty line keeps its height.
  if (!line) return ["\u00a0"];
  const comment = line.search(COMMENT);
  const code = comment >= 0 ? line.slice(0, comment) : line;
  const parts = colouredCode(code);
  if (comment >= 0) parts.push(el("span.dim", {}, visible(line.slice(comment))));
  return parts;
}

function colouredCode(code) {
  const setting = /^(\s*[\w."'-]+\s*)(=)(.*)$/.exec(code);
  if (setting) {
    const [, key, equals, value] = setting;
    return [el("span.key", {}, visible(key)), equals, ...colouredValue(value)];
  }
  if (/^\s*\[/.test(code)) return [el("span.table-head", {}, visible(code))];
  return [visible(code)];
}

/** Split at its strings, a value has them at the odd places. */
const colouredValue = (value) =>
  value
    .split(/("[^"]*"|'[^']*')/)
    .map((part, at) => (at % 2 ? el("span.string", {}, visible(part)) : visible(part)));

// The configuration: a tab for each source, an editor that is checked as one types, and a difference before it is saved.

import { ask, get } from "./api.js";
import { el, many, put, visible } from "./dom.js";
import { glyph } from "./phases.js";
import { offerUndo } from "./undo.js";

const TABS = { effective: "Effective", system: "Machine", user: "You", project: "Project" };
const PAUSE = 250;

/** The page; `tab` is the source it begins with. */
export function configuration(tab = "user") {
  const body = el("div");
  const where = el("span.end.dim.mono.path");
  const tabs = el(
    "div.chips",
    { role: "group", "aria-label": "Sources" },
    Object.entries(TABS).map(([key, name]) =>
      el("a.chip", { href: `#/c/${key}`, "aria-current": key === tab ? "true" : null }, name),
    ),
  );
  const environment = el("span.chip.plain-chip", { hidden: true });
  tabs.append(environment);
  const node = el(
    "section.page.config",
    {},
    el(
      "div.head",
      {},
      el("h1", {}, "Configuration"),
      el("span.dim", {}, "Later wins: built in, machine, you, project, environment"),
    ),
    el("div.filters", {}, tabs, where),
    body,
  );
  const load = async () => {
    const [files, config] = await Promise.all([
      get("/config/files"),
      get("/config").catch((error) => ({ entries: [], error })),
    ]);
    environment.hidden = !files.variables.length;
    environment.textContent = `Environment, ${files.variables.length}`;
    environment.title = files.variables.map(visible).join("\n");
    if (tab === "effective") {
      put(body, effective(config));
      return;
    }
    const file = files.files.find((one) => one.target === tab);
    put(where, file.path ? `${visible(file.path)}${file.exists ? "" : ", not there yet"}` : "");
    put(body, file.error ? el("p.note.bad", {}, visible(file.error)) : editor(file, config.entries, load));
  };
  load().catch((error) => put(body, el("p.note.bad", {}, visible(error.message))));
  return node;
}

function effective({ entries, error }) {
  if (error) return el("p.note.bad", {}, visible(error.message));
  const search = el("input", { type: "search", placeholder: "Filter keys", "aria-label": "Filter keys" });
  const rows = el("tbody");
  const draw = () =>
    put(
      rows,
      entries
        .filter((entry) => entry.key.includes(search.value))
        .map((entry) =>
          el(
            "tr",
            {},
            el("td.mono", {}, visible(entry.key)),
            el("td.mono", {}, visible(entry.toml)),
            el("td.dim", {}, visible(entry.origin)),
          ),
        ),
    );
  search.addEventListener("input", draw);
  draw();
  return el(
    "div",
    {},
    el("div.filters", {}, search),
    el(
      "table.wide-table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["Key", "Value", "Origin"].map((head) => el("th", { scope: "col" }, head)),
        ),
      ),
      rows,
    ),
  );
}

/** The key of each line, in full: for what is said at its right. */
function keysOf(text) {
  let table = "";
  return text.split("\n").map((line) => {
    const head = /^\s*\[+([^\]]+)\]+/.exec(line);
    if (head) {
      table = head[1].trim();
      return null;
    }
    const key = /^\s*([\w.-]+)\s*=/.exec(line)?.[1];
    return key ? `${table ? `${table}.` : ""}${key}` : null;
  });
}

function editor(file, entries, reload) {
  const area = el("textarea", {
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    wrap: "off",
    "aria-label": "Text of the file",
    "aria-describedby": "config-said",
  });
  area.value = file.text;
  const paper = el("div.paper", { "aria-hidden": "true" });
  const said = el("div.said", { id: "config-said", role: "status" });
  const diff = el("pre.diff");
  const title = el("span.end.dim");
  const effects = el("div.effects");
  const save = el("button.primary.needs-live", { type: "button", disabled: true }, "Save");
  const discard = el(
    "button.plain",
    {
      type: "button",
      onclick: () => {
        area.value = file.text;
        typed();
      },
    },
    "Discard changes",
  );
  const origins = new Map(entries.map((entry) => [entry.key, entry]));
  let wrong = null;
  let timer = 0;
  const keys = () => keysOf(area.value);
  const drawPaper = () => {
    const before = new Set(file.text.split("\n"));
    const known = keys();
    put(
      paper,
      area.value.split("\n").map((line, at) => {
        const row = el(
          "div.code-line",
          {},
          el("span.number", {}, at + 1),
          el("span.code", {}, coloured(line)),
        );
        const entry = origins.get(known[at]);
        if (entry && !entry.origin.includes(file.path))
          row.append(el("span.aside", {}, `${visible(entry.origin)} sets ${visible(entry.toml)}`));
        else if (entry?.builtIn && entry.builtIn !== entry.toml)
          row.append(el("span.aside", {}, `was ${visible(entry.builtIn)} built in`));
        if (file.text && !before.has(line)) row.classList.add("changed");
        if (wrong?.line === at + 1) row.classList.add("wrong");
        return row;
      }),
    );
    area.style.setProperty("--lines", area.value.split("\n").length + 1);
  };
  const check = async () => {
    const text = area.value;
    if (text === file.text) {
      wrong = null;
      put(
        said,
        text ? "" : "This file says nothing yet. `styxy config init` writes one that shows every key.",
      );
      said.className = "said";
      put(diff, el("span.same", {}, "Nothing is changed."));
      put(title);
      put(effects);
      save.disabled = true;
      drawPaper();
      return;
    }
    try {
      const told = await ask("POST", "/config/check", { target: file.target, text });
      if (area.value !== text) return;
      wrong = null;
      put(said, glyph("ready"), "It makes sense.");
      said.className = "said";
      put(title, many(told.changes.length, "change"));
      put(
        diff,
        told.changes.length
          ? told.changes.flatMap((one) => [
              el("span.same", {}, `  ${visible(one.key)}`),
              one.before === null ? null : el("span.minus", {}, `- ${JSON.stringify(one.before)}`),
              one.after === null ? null : el("span.plus", {}, `+ ${JSON.stringify(one.after)}`),
            ])
          : el("span.same", {}, "Only comments or blanks."),
      );
      put(
        effects,
        el("h3", {}, "What it changes now"),
        el("p", {}, "Running instances keep their ports and their settings until they are started again."),
        told.changes.some((one) => one.key.startsWith("auto_allocation"))
          ? el("p", {}, "New automatic ranges follow it; those that exist stay as they are.")
          : null,
        told.overridden.map((one) =>
          el("p", {}, el("b.mono", {}, visible(one.key)), ` stays as it is: ${visible(one.by)} wins.`),
        ),
      );
      save.disabled = false;
    } catch (error) {
      if (area.value !== text) return;
      const line = Number(/:(\d+): /.exec(error.message)?.[1] ?? 0);
      wrong = { line };
      const nearest = /did you mean '([^']+)'/.exec(error.hint ?? "")?.[1];
      const bad = /unknown key '([^']+)'/.exec(error.message)?.[1];
      put(
        said,
        glyph("unhealthy"),
        el(
          "span",
          {},
          visible(error.message),
          error.hint ? el("span.dim", {}, ` ${visible(error.hint)}`) : null,
        ),
        nearest && bad
          ? el(
              "button",
              {
                type: "button",
                onclick: () => {
                  const lines = area.value.split("\n");
                  lines[line - 1] = lines[line - 1].replace(bad, nearest);
                  area.value = lines.join("\n");
                  typed();
                  area.focus();
                },
              },
              "Use it",
            )
          : null,
      );
      said.className = "said bad";
      put(title, line ? `Fix line ${line} first` : "1 error");
      save.disabled = true;
    }
    drawPaper();
  };
  const typed = () => {
    drawPaper();
    save.disabled = true;
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE);
  };
  area.addEventListener("input", typed);
  area.addEventListener("keydown", (event) => {
    if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!save.disabled) save.click();
    }
  });
  area.addEventListener("scroll", () => {
    paper.scrollLeft = area.scrollLeft;
  });
  save.onclick = async () => {
    const [before, text] = [file.text, area.value];
    try {
      await ask("PUT", "/config/file", { target: file.target, before, text });
      offerUndo(`Saved ${file.path}.`, async () => {
        await ask("PUT", "/config/file", { target: file.target, before: text, text: before });
        await reload();
      });
      await reload();
    } catch (error) {
      if (error.status !== 409) {
        put(said, glyph("unhealthy"), visible(error.message));
        return;
      }
      const theirs = (await get("/config/files")).files.find((one) => one.target === file.target);
      put(
        said,
        glyph("unhealthy"),
        el("span", {}, "The file was changed elsewhere meanwhile. "),
        el(
          "button",
          {
            type: "button",
            onclick: () => {
              file.text = theirs.text;
              typed();
            },
          },
          "Keep mine, compare with theirs",
        ),
        el(
          "button",
          {
            type: "button",
            onclick: () => {
              file.text = theirs.text;
              area.value = theirs.text;
              typed();
            },
          },
          "Take theirs",
        ),
        el(
          "button",
          { type: "button", onclick: () => navigator.clipboard.writeText(area.value) },
          "Copy mine",
        ),
      );
      said.className = "said bad";
    }
  };
  drawPaper();
  check();
  return el(
    "div.two",
    {},
    el("div", {}, el("div.sheet", {}, paper, area), said),
    el(
      "div.card",
      {},
      el("div.head", {}, el("h2", {}, "Before you save"), title),
      diff,
      effects,
      el("div.buttons", {}, save, discard),
    ),
  );
}

function coloured(line) {
  const parts = [];
  const comment = line.search(/(?<!["'][^"']*)#/);
  const code = comment >= 0 ? line.slice(0, comment) : line;
  const key = /^(\s*[\w."'-]+\s*)(=)(.*)$/.exec(code);
  if (key)
    parts.push(
      el("span.key", {}, visible(key[1])),
      key[2],
      ...key[3]
        .split(/("[^"]*"|'[^']*')/)
        .map((part, at) => (at % 2 ? el("span.string", {}, visible(part)) : visible(part))),
    );
  else if (/^\s*\[/.test(code)) parts.push(el("span.table-head", {}, visible(code)));
  else parts.push(visible(code));
  if (comment >= 0) parts.push(el("span.dim", {}, visible(line.slice(comment))));
  if (!line) parts.push("\u00a0");
  return parts;
}

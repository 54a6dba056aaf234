// The configuration page: a tab for each source, and one for what all of them come to.

import { get } from "./api.js";
import { effectiveTable } from "./config_effective.js";
import { configEditor } from "./config_editor.js";
import { el, exact, put, shortTime, visible } from "./dom.js";

const TABS = { effective: "Effective", system: "Machine", user: "You", project: "Project" };

/** The page with one of its tabs open. */
export function configuration(tab = "user") {
  const body = el("div");
  const where = el("span.end.dim.mono.path");
  const environment = el("span.chip.plain-chip", { hidden: true });
  const tabs = tabChips(tab);
  tabs.append(environment);
  const load = async () => {
    const [files, config] = await Promise.all([
      get("/config/files"),
      // A file that makes no sense is mended here, so the page opens without the entries, too.
      get("/config").catch((error) => ({ entries: [], error })),
    ]);
    sayVariables(environment, files.variables);
    sayProject(tabs, files.files);
    if (tab === "effective") {
      put(body, effectiveTable(config));
      return;
    }
    const file = files.files.find((one) => one.target === tab);
    const saved = file.modifiedAt ? `, saved ${shortTime(file.modifiedAt)}` : "";
    where.title = exact(file.modifiedAt);
    put(where, file.path ? `${visible(file.path)}${file.exists ? saved : ", not there yet"}` : "");
    put(body, file.error ? fault(file.error) : configEditor(file, files.files, config.entries, load));
  };
  load().catch((error) => put(body, fault(error.message)));
  return el("section.page.config", {}, head(), el("div.filters", {}, tabs, where), body);
}

const fault = (text) => el("p.note.bad", {}, visible(text));

function head() {
  return el(
    "div.head",
    {},
    el("h1", {}, "Configuration"),
    el("span.dim", {}, "Later wins: built in, machine, you, project, environment"),
  );
}

function tabChips(open) {
  return el(
    "div.chips",
    { role: "group", "aria-label": "Sources" },
    Object.entries(TABS).map(([key, name]) =>
      el("a.chip", { href: `#/c/${key}`, "aria-current": key === open ? "true" : null }, name),
    ),
  );
}

/** The project is called as its folder is. */
function sayProject(tabs, files) {
  const path = files.find(({ target }) => target === "project")?.path;
  const folder = path?.split("/").at(-2);
  if (folder) tabs.querySelector('[href="#/c/project"]').textContent = `${TABS.project}: ${visible(folder)}`;
}

/** Environment variables are a source, too, but none that can be written: they are counted and named. */
function sayVariables(chip, variables) {
  chip.hidden = !variables.length;
  chip.textContent = `Environment, ${variables.length}`;
  chip.title = variables.map(visible).join("\n");
}

// Services that a project names and that don't run: each with a button that starts it.

import { ask, get } from "./api.js";
import { commandLine, el, many, put, visible } from "./dom.js";
import { watch, world } from "./world.js";

/** A burst of changes is one reason to ask. */
const PAUSE = 300;

let known = [];
let asked = 0;
const listeners = new Set();

/** Asks which services there are, soon. */
function askSoon() {
  if (asked) return;
  asked = setTimeout(async () => {
    asked = 0;
    try {
      known = (await get("/projects")).projects;
    } catch {
      return;
    }
    for (const listener of listeners) listener();
  }, PAUSE);
}

const isOf = (project, service, view) =>
  view.type === service.type &&
  view.id === service.id &&
  (!view.cwd ||
    view.cwd === project.path ||
    view.cwd.startsWith(`${project.path}/`) ||
    view.lockId === service.lockId);

/** The service that an instance was, if a project names it. */
export function serviceOf(view) {
  for (const project of known)
    for (const service of project.services) if (isOf(project, service, view)) return { project, service };
  return null;
}

const start = (project, service) =>
  ask("POST", `/services/${encodeURIComponent(service.name)}/start`, { project_path: project.path });

/** A button that starts it; what went wrong is said in `failure`. */
export function startButton(project, service, failure, kind = "button", then = () => {}) {
  const button = el(
    `${kind}.needs-live`,
    { type: "button", "aria-label": `Start ${visible(service.name)}` },
    "Start",
  );
  button.onclick = async () => {
    button.disabled = true;
    button.textContent = "Starting…";
    put(failure);
    try {
      then(await start(project, service));
    } catch (error) {
      put(
        failure,
        el("b", {}, `Could not start ${visible(`${service.type}/${service.id}`)}. `),
        visible(error.message),
        error.hint ? el("span.mono", {}, ` ${visible(error.hint)}`) : null,
      );
    }
    button.textContent = "Start";
    button.disabled = false;
    askSoon();
  };
  return button;
}

/** The instance that a service runs as. */
const instanceOf = (project, service) =>
  world.instances.get(service.lockId) ??
  [...world.instances.values()].find((view) => isOf(project, service, view)) ??
  null;

/**
 * Who is just being started stays until it is known how that went, and why it went wrong stays while what has
 * failed still ends.
 */
function mayStay(line, instance) {
  // One that no project names any more has gone.
  if (instance === undefined) return false;
  if (instance === null || line.querySelector("button:disabled")) return true;
  const hasFailed = line.querySelector(".failure").textContent !== "";
  return hasFailed && instance.phase !== "ready";
}

function serviceLine(project, service) {
  const failure = el("span.failure", { role: "alert" });
  const command = visible(commandLine(service.command));
  return el(
    "li",
    { "data-service": service.name },
    el(
      "span.name",
      { title: visible(project.path) },
      el("span.dim", {}, `${visible(service.type)}/`),
      el("b", {}, visible(service.id)),
      el("span.dim", {}, ` ${visible(project.path.split("/").pop())}`),
    ),
    el("span.mono.dim", { title: command }, command),
    startButton(project, service, failure),
    failure,
  );
}

/** The list of those that don't run, for the foot of the instances. */
export function notRunning() {
  const list = el("ul");
  const figure = el("span.dim");
  const node = el(
    "section.services",
    { "aria-label": "Services that don't run", hidden: true },
    el("div.head", {}, el("h3", {}, "Not running"), figure),
    list,
  );
  const lines = new Map();
  function draw() {
    const all = known.flatMap((project) =>
      project.services.map((service) => ({ project, service, key: `${project.path}\n${service.name}` })),
    );
    const running = new Map(all.map(({ project, service, key }) => [key, instanceOf(project, service)]));
    for (const [key, line] of lines)
      if (!mayStay(line, running.get(key))) {
        line.remove();
        lines.delete(key);
      }
    const still = all.filter(({ key }) => !running.get(key));
    for (const { project, service, key } of still) {
      if (lines.has(key)) continue;
      lines.set(key, serviceLine(project, service));
      list.append(lines.get(key));
    }
    figure.textContent = `${many(still.length, "service")} named in a project`;
    node.hidden = lines.size === 0;
  }
  listeners.add(draw);
  const unwatch = watch((what) => {
    if (what.has("instances")) {
      draw();
      askSoon();
    }
  });
  draw();
  askSoon();
  node.leave = () => {
    unwatch();
    listeners.delete(draw);
  };
  return node;
}

// The facts of an instance, in the drawer: what the page knows of it, and what its supervisor tells.

import { bytes, commandLine, el, many, mono, put, visible } from "./dom.js";
import { lasting } from "./health.js";
import { world } from "./world.js";

/** Docker's restart policies in words; the one with a bound has more. */
const POLICIES = {
  no: "not started again when it ends",
  "on-failure": "started again when it fails",
  always: "started again whenever it ends",
};

/** Fills the list; `fare` is what its supervisor last told, or null. */
export function drawFacts(facts, view, fare) {
  const rows = [
    ["Command", view.command ? mono(commandLine(view.command)) : "–"],
    ["Directory", view.cwd ? mono(view.cwd) : "–"],
    [
      "Process",
      view.pid ? `${view.pid}${view.supervisorPid ? ` · supervisor ${view.supervisorPid}` : ""}` : "–",
    ],
    fare?.processes?.length ? ["Its tree", el("span.tree", {}, treeOf(fare))] : null,
    ["User", visible(view.user ?? view.uid ?? "–")],
    ["Use", use(world.usage.get(view.lockId))],
    ...Object.entries(view.ports ?? {}).map(([name, port]) => [`Port ${visible(name)}`, String(port)]),
    fare?.ready ? ["Ready by", readiness(fare)] : null,
    fare?.restart ? ["Policy", policy(fare.restart)] : null,
    ["Restarts", String(view.restarts)],
    ["Lock", mono(view.lockId)],
  ].filter(Boolean);
  put(
    facts,
    rows.map(([term, fact]) => [el("dt", {}, term), el("dd", {}, fact)]),
  );
}

/** `1946 node, 1950 esbuild, +3`, parents before children. */
function treeOf({ processes, processesMore }) {
  const named = processes.map(({ pid, name }) => `${pid}${name ? ` ${visible(name)}` : ""}`);
  if (processesMore) named.push(`+${processesMore}`);
  return named.join(", ");
}

function readiness({ ready, everyMs }) {
  if (ready === "none") return "nothing: as soon as it is started";
  return [mono(ready), everyMs ? `, checked every ${lasting(everyMs)}` : ""];
}

function policy(restart) {
  const [word, most] = restart.split(":");
  const words = POLICIES[word];
  if (!words) return visible(restart);
  return most ? `${words}, ${many(Number(most), "time")} in a row` : words;
}

function use(used) {
  if (!used) return "–";
  const share = used.cpu === null || used.cpu === undefined ? "–" : used.cpu.toFixed(1);
  return `${share} % CPU, ${bytes(used.memory)}, ${many(used.processes, "process", "processes")}`;
}

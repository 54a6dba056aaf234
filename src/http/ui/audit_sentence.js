// What an entry of the audit log tells, as a sentence.

import { many } from "./dom.js";

/** What happened, in a sentence. */
export function sentence(entry) {
  const range = entry.range ? `${entry.range[0]}–${entry.range[1]}` : "";
  switch (entry.action) {
    case "allocate":
      return entry.before ? `Lease of ${entry.port} renewed` : `Leased ${entry.port}`;
    case "attach":
      return `Joined the instance on ${entry.port ?? "its port"}`;
    case "blocked":
      return `Told to stay away: ${entry.port ? `${entry.subject} holds ${entry.port}` : "another instance is in the way"}`;
    case "release":
      return `Gave ${entry.port} back${lifeOf(entry)}`;
    case "reclaim":
      return `Its holder died; ${entry.port} was collected`;
    case "range.create":
      return `New range ${range}`;
    case "range.grow":
      return `Another block, ${range}`;
    case "range.undo":
      return `Gave ${range} back`;
    case "range.retire":
      return `${range} was long unused, and given back`;
    case "exhausted":
      return "No free port was left";
    case "config.set":
      return `${settingOf(keyOf(entry)).key} ${setting(entry.before)} → ${setting(entry.after)}`;
    default:
      return entry.action;
  }
}

/** Whom or what it happened to: of a setting the type that it is of, or else the table that it is in. */
export function subjectOf(entry) {
  if (entry.action !== "config.set") return entry.subject ?? "";
  const { table, key } = settingOf(keyOf(entry));
  return table.replace(/^service_types\./, "") || key;
}

const keyOf = ({ before, after }) => (after ?? before).key;

/** A key as a file has it: its table, and its name in there. */
export function settingOf(key) {
  const [, table, name] = /^(.*)\.([^.]+)$/.exec(key) ?? [null, "", key];
  return { table, key: name };
}

/** How the instance had fared that gave its port back. */
function lifeOf({ exitCode, readyMs, restarts }) {
  const span = readyMs < 1000 ? `${readyMs} ms` : `${(readyMs / 1000).toFixed(1)} s`;
  const ready = readyMs ? `; was ready after ${span}` : "";
  const ended = exitCode === undefined ? "" : `; ended with ${exitCode}`;
  return `${ended}${ready}${restarts ? `, restarted ${many(restarts, "time")}` : ""}`;
}

/** A setting before or after a change; null where it was or is not set. */
function setting(side) {
  if (side === null) return "unset";
  return JSON.stringify(side?.value === undefined ? side : side.value);
}

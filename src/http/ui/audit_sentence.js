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
      return "Told to stay away: another instance is in the way";
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
      return `${entry.after?.key ?? entry.before?.key ?? "A setting"}: ${setting(entry.before)} → ${setting(entry.after)}`;
    default:
      return entry.action;
  }
}

/** How the instance had fared that gave its port back. */
function lifeOf({ readyMs, restarts }) {
  const ready = readyMs ? `; was ready after ${(readyMs / 1000).toFixed(1)} s` : "";
  return `${ready}${restarts ? `, restarted ${many(restarts, "time")}` : ""}`;
}

/** A setting before or after a change; null where it was or is not set. */
function setting(side) {
  if (side === null) return "unset";
  return JSON.stringify(side?.value === undefined ? side : side.value);
}

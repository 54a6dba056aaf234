// Says that something that was asked for waits for the state lock, and who holds it: for as long as it lasts.

import { age, el, put, visible } from "./dom.js";

/** A longer command ends in dots; its tip has all of it. */
const COMMAND_MAX = 60;

/** The line, hidden while nobody waits. */
export const lockNotice = el("div.locked", { hidden: true, role: "status" });
/** How long it lasts by now; nobody is told so each second. */
const span = el("span", { "aria-hidden": "true" });
let timer = 0;

/** Takes what the server tells of the lock: null once nobody waits for it any more. */
export function noteLock(told) {
  clearInterval(timer);
  lockNotice.hidden = !told;
  if (!told) return;
  const since = Date.now() - told.heldMs;
  const count = () => put(span, ` for ${age(Date.now() - since)}`);
  count();
  timer = setInterval(count, 1000);
  put(
    lockNotice,
    el("b", {}, "The state is locked"),
    " by ",
    holder(told),
    span,
    `. Waiting up to ${age(told.patienceMs)}.`,
  );
}

function holder({ pid, command, stopped }) {
  if (pid === null) return "a process that cannot be seen from here";
  const whole = visible(command);
  const short = whole.length > COMMAND_MAX ? `${whole.slice(0, COMMAND_MAX)}…` : whole;
  const named = short ? [" (", el("code", { title: whole }, short), ")"] : [];
  return [`pid ${pid}`, named, stopped ? ", which is stopped," : ""];
}

// What an instance writes: its last lines, and each new one as it comes.

import { follow } from "./api.js";
import { count, el, many, put, visible } from "./dom.js";
import { logLine } from "./log_line.js";
import { world } from "./world.js";

/** So many lines are kept on the page; a log may grow for days. */
const LINES_MAX = 2000;
/** Who is so near to the end, in px, is at the end. */
const NEAR = 8;

/** The section; it reads until `signal` is aborted. */
export function logView(lockId, signal) {
  const lines = el("div.log-lines", { role: "log", "aria-live": "off", tabindex: 0, "aria-label": "Log" });
  const note = el("span.dim");
  const raw = [];
  const end = followButton(lines);
  const copy = el(
    "button.plain",
    { type: "button", onclick: () => navigator.clipboard.writeText(raw.join("\n")) },
    "Copy",
  );
  // Nobody has kept what was written to a terminal.
  if (world.instances.get(lockId)?.log === null)
    put(
      lines,
      el("p.dim", {}, "No log is kept: it writes to where it was started. Run it with -d to keep one."),
    );
  else read(lockId, signal, { lines, note, raw, end });
  return el(
    "section.log",
    {},
    el(
      "div.head",
      {},
      el("h3", {}, "Log"),
      note,
      el("span.end.buttons", {}, wrapButton(lines), copy, end.button),
    ),
    lines,
  );
}

function read(lockId, signal, { lines, note, raw, end }) {
  let total = 0;
  follow(`/instances/${encodeURIComponent(lockId)}/log/follow?lines=500`, signal, (name, told) => {
    if (name !== "lines") return;
    total += told.length;
    raw.push(...told);
    raw.splice(0, Math.max(0, raw.length - LINES_MAX));
    lines.append(...told.slice(-LINES_MAX).map(logLine));
    while (lines.childElementCount > LINES_MAX) lines.firstChild.remove();
    note.textContent = `last ${many(Math.min(total, LINES_MAX), "line")}`;
    end.grown(told.length);
  }).catch((error) => {
    if (!signal.aborted)
      put(
        lines,
        el(
          "p.dim",
          {},
          error.status
            ? `${visible(error.message)}. ${visible(error.hint ?? "")}`
            : "The log’s stream was cut off.",
        ),
      );
  });
}

/** Whether the end is followed: scrolling away from it stops that, scrolling back to it goes on. */
function followButton(lines) {
  const button = el("button", { type: "button", "aria-pressed": "true" }, "Follow");
  let following = true;
  let fresh = 0;
  const say = () => {
    button.textContent = following || !fresh ? "Follow" : `Follow, ${count(fresh)} new`;
    button.setAttribute("aria-pressed", String(following));
  };
  const toEnd = () => {
    lines.scrollTop = lines.scrollHeight;
  };
  button.onclick = () => {
    following = !following;
    fresh = 0;
    if (following) toEnd();
    say();
  };
  lines.addEventListener("scroll", () => {
    const atEnd = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - NEAR;
    if (atEnd !== following) {
      following = atEnd;
      if (atEnd) fresh = 0;
      say();
    }
  });
  /** So many lines have come. */
  const grown = (by) => {
    if (following) toEnd();
    else {
      fresh += by;
      say();
    }
  };
  return { button, grown };
}

function wrapButton(lines) {
  const button = el(
    "button.plain",
    {
      type: "button",
      "aria-pressed": "false",
      onclick: () => {
        const on = lines.classList.toggle("wrap");
        button.setAttribute("aria-pressed", String(on));
      },
    },
    "Wrap",
  );
  return button;
}

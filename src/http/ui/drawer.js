// One instance: what it is, how it fares, what it writes; restart and stop.

import {
  age,
  bytes,
  clock,
  commandLine,
  copyButton,
  el,
  exact,
  fullName,
  many,
  nameOf,
  put,
  visible,
} from "./dom.js";
import { follow } from "./api.js";
import { health, lasting } from "./health.js";
import { TONES, WORDS, glyph, inTrouble } from "./phases.js";
import { reasonOf } from "./overview.js";
import { serviceOf, startButton } from "./services.js";
import { restart, sorted, stop, watch, world } from "./world.js";

const LINES_MAX = 2000;
/** A stop that lasts longer is looked at, in ms. */
const SOON = 300;
const ANSI = /\u001b\[([0-9;]*)m|\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007/g;

/** Fills the drawer; `close` takes it away. */
export function drawer(lockId, close) {
  const abort = new AbortController();
  const head = el("div.drawer-head");
  const question = el("div.question", { hidden: true, role: "alert" });
  const reason = el("div.reason-box", { hidden: true });
  const strip = el("div.strip");
  const facts = el("dl.facts");
  const log = logView(lockId, abort.signal);
  let fare = null;
  const checks = health(lockId, abort.signal, (told) => {
    fare = { ...told, at: Date.now() };
    draw();
  });
  const node = el(
    "div.drawer-body",
    {},
    head,
    question,
    reason,
    el("section", {}, el("div.head", {}, el("h3", {}, "Phases"), el("span.dim.since")), strip),
    checks,
    el("section", {}, facts),
    log,
  );
  let gone = false;
  let last = null;
  const step = (by) => {
    const all = sorted();
    const at = all.findIndex((view) => view.lockId === lockId);
    const next = all[(at + by + all.length) % all.length];
    if (next) location.hash = `#/i/${encodeURIComponent(next.lockId)}`;
  };
  function ask(view) {
    const count = world.usage.get(lockId)?.processes;
    const how = fare?.stop;
    const gets = how
      ? `${how.signal}, and KILL ${how.graceMs ? `after ${lasting(how.graceMs)}` : "at once"}`
      : "its stop signal, and KILL after its grace";
    const keep = el(
      "button",
      {
        type: "button",
        onclick: () => {
          question.hidden = true;
          head.querySelector(".danger")?.focus();
        },
      },
      "Keep it running",
    );
    const go = el(
      "button.danger.filled",
      {
        type: "button",
        onclick: async () => {
          put(question, el("p", {}, "Stopping…"));
          try {
            await stop(view);
            question.hidden = true;
          } catch (error) {
            failed(`Could not stop ${fullName(view)}.`, error);
          }
        },
      },
      "Stop it",
    );
    put(
      question,
      el("h3", {}, `Stop ${fullName(view)}?`),
      el(
        "p",
        {},
        `${count ? `Its ${many(count, "process", "processes")} ${count === 1 ? "gets" : "get"}` : "It gets"} ${gets}. Port ${view.port} is free again when ${count === 1 ? "it is" : "all of them are"} gone.`,
      ),
      el("div.buttons", {}, go, keep),
    );
    question.hidden = false;
    keep.focus();
    question.onkeydown = (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        keep.click();
      }
    };
  }
  function failed(what, error) {
    put(
      question,
      el("h3", {}, what),
      el("p", {}, visible(error.message)),
      error.hint ? el("p.mono", {}, visible(error.hint)) : null,
      el(
        "div.buttons",
        {},
        el(
          "button",
          {
            type: "button",
            onclick: () => {
              question.hidden = true;
            },
          },
          "Close",
        ),
      ),
    );
    question.hidden = false;
  }
  function drawHead(view) {
    const supervised = view && view.supervisorPid !== null;
    put(
      head,
      el(
        "div.title",
        {},
        view ? glyph(view.phase, 10, 17) : null,
        el("h2", {}, view ? nameOf(view) : "Gone"),
        el(
          "button.icon",
          { type: "button", "aria-label": "Previous instance", onclick: () => step(-1) },
          "↑",
        ),
        el("button.icon", { type: "button", "aria-label": "Next instance", onclick: () => step(1) }, "↓"),
        el("button.plain", { type: "button", onclick: close }, "Close ", el("kbd", {}, "Esc")),
      ),
      view
        ? el(
            "div.buttons",
            {},
            el(
              "a.button.primary",
              { href: view.url, target: "_blank", rel: "noreferrer noopener" },
              `Open 127.0.0.1:${view.port}`,
            ),
            el(
              "button.needs-live",
              {
                type: "button",
                disabled: !supervised,
                title: supervised ? null : "It is reserved: start it in a terminal",
                onclick: async (event) => {
                  const button = event.target;
                  button.disabled = true;
                  button.textContent = "Restarting…";
                  try {
                    await restart(view);
                  } catch (error) {
                    failed(`Could not restart ${fullName(view)}.`, error);
                  }
                  button.textContent = "Restart";
                  button.disabled = false;
                },
              },
              "Restart",
            ),
            el(
              "button.danger.needs-live",
              { type: "button", disabled: !supervised, onclick: () => ask(view) },
              "Stop…",
            ),
            view.command
              ? el(
                  "span.end",
                  {},
                  copyButton(
                    `styxy run -t ${view.type} -i ${view.id} -- ${commandLine(view.command)}`,
                    "Copy as command",
                  ),
                )
              : null,
          )
        : null,
    );
  }
  /** Why it is in trouble, or how far its stop is; null where there is nothing to say. */
  function sayReason(view) {
    const why = fare?.why ? ` ${visible(fare.why[0].toUpperCase() + fare.why.slice(1))}.` : "";
    const survivors = fare?.stop?.survivors ?? [];
    if (view.phase === "stuck" && survivors.length) {
      const named = survivors
        .map(({ pid, name }) => (pid ? `${pid}${name ? ` ${visible(name)}` : ""}` : "what cannot be named"))
        .join(", ");
      const [who, them] =
        survivors.length === 1 ? ["One process", "it is"] : [`${survivors.length} processes`, "they are"];
      return `${who} survived: ${named}. Port ${view.port} will not be given out until ${them} gone.`;
    }
    if (view.phase === "stopping") {
      const left = (fare?.stop?.killInMs ?? 0) - (Date.now() - (fare?.at ?? 0));
      return left > 0 ? `KILL in ${age(left + 999)}.` : null;
    }
    return inTrouble(view) ? `${reasonOf(view)}.${why}` : null;
  }
  function drawReason(view) {
    const said = sayReason(view);
    reason.hidden = said === null;
    reason.className = `reason-box ${inTrouble(view) ? `wash-${view.phase === "backoff" ? "backoff" : "unhealthy"}` : ""}`;
    if (said !== null) put(reason, glyph(view.phase), el("b", {}, WORDS[view.phase]), el("span", {}, said));
  }
  function drawStrip(view) {
    const history = world.history.get(lockId) ?? [];
    const [from, to] = [history[0]?.from ?? Date.now(), Date.now()];
    const total = Math.max(to - from, 1);
    node.querySelector(".since").textContent = view?.startedAt
      ? `started ${clock(view.startedAt)}${view.restarts ? `, restarted ${view.restarts === 1 ? "once" : `${view.restarts} times`}` : ""}`
      : "";
    put(
      strip,
      el(
        "div.spans",
        {},
        history.map((span, at) => {
          const end = history[at + 1]?.from ?? to;
          const share = Math.max(0.6, (100 * (end - span.from)) / total);
          return el(
            `span.span.tone-${TONES[span.phase]}.phase-${span.phase}`,
            {
              "--share": share,
              title: `${WORDS[span.phase]} ${age(end - span.from)}, from ${exact(span.from)}`,
            },
            share > 18 ? `${WORDS[span.phase]} ${age(end - span.from)}` : "",
          );
        }),
      ),
      el("div.ends", {}, el("span", {}, clock(from)), el("span", {}, "now")),
    );
  }
  function drawFacts(view) {
    const used = world.usage.get(lockId);
    const rows = [
      ["Command", view.command ? el("span.mono", {}, visible(commandLine(view.command))) : "–"],
      ["Directory", view.cwd ? el("span.mono", {}, visible(view.cwd)) : "–"],
      [
        "Process",
        view.pid ? `${view.pid}${view.supervisorPid ? ` · supervisor ${view.supervisorPid}` : ""}` : "–",
      ],
      [
        "Use",
        used
          ? `${used.cpu === null || used.cpu === undefined ? "–" : used.cpu.toFixed(1)} % CPU, ${bytes(used.memory)}, ${many(used.processes, "process", "processes")}`
          : "–",
      ],
      ...Object.entries(view.ports ?? {}).map(([name, port]) => [`Port ${visible(name)}`, String(port)]),
      ["Restarts", String(view.restarts)],
      ["Lock", el("span.mono", {}, view.lockId)],
    ];
    put(
      facts,
      rows.map(([term, fact]) => [el("dt", {}, term), el("dd", {}, fact)]),
    );
  }
  /** It has ended: who knows how starts it again here, else there is the command. */
  function drawGone() {
    drawHead(null);
    checks.hidden = true;
    const found = last && serviceOf(last);
    const failure = el("span.bad");
    put(
      reason,
      el("p", {}, "It has ended; its port is free again."),
      found
        ? [
            startButton(found.project, found.service, failure, "button.primary", (started) => {
              if (!abort.signal.aborted) location.hash = `#/i/${encodeURIComponent(started.lockId)}`;
            }),
            failure,
          ]
        : last?.command
          ? [
              el("p.dim", {}, "Not named in the configuration; start it in a terminal:"),
              copyButton(
                `styxy run -t ${last.type} -i ${last.id} -- ${commandLine(last.command)}`,
                "Copy command",
              ),
            ]
          : null,
    );
    reason.hidden = false;
    reason.className = "reason-box ended";
  }
  /** Who has stopped by then has nothing to tell. */
  function lookAtStop(phase) {
    if (["stopping", "stuck"].includes(phase) && world.instances.get(lockId)?.phase === phase) checks.look();
  }
  function draw() {
    const view = world.instances.get(lockId);
    if (!view) {
      if (!gone) {
        gone = true;
        drawGone();
      }
      return;
    }
    last = view;
    if (gone) {
      gone = false;
      draw.state = "";
    }
    const state = `${view.phase}${view.port}${view.lockId}${view.restarts}`;
    if (draw.state !== state) {
      draw.state = state;
      drawHead(view);
    }
    if (draw.phase !== view.phase) setTimeout(lookAtStop, SOON, view.phase);
    draw.phase = view.phase;
    drawReason(view);
    drawStrip(view);
    drawFacts(view);
  }
  const unwatch = watch((what) => {
    if (what.has("instances") || what.has("usage")) draw();
  });
  // Who is stopping is counted down.
  const seconds = setInterval(() => {
    if (last?.phase === "stopping" && !gone) drawReason(last);
  }, 1000);
  draw();
  node.leave = () => {
    unwatch();
    clearInterval(seconds);
    abort.abort();
  };
  return node;
}

function logView(lockId, signal) {
  const lines = el("div.log-lines", { role: "log", "aria-live": "off", tabindex: 0, "aria-label": "Log" });
  const follows = el("button", { type: "button", "aria-pressed": "true" }, "Follow");
  const wrap = el(
    "button.plain",
    {
      type: "button",
      "aria-pressed": "false",
      onclick: () => {
        const on = lines.classList.toggle("wrap");
        wrap.setAttribute("aria-pressed", String(on));
      },
    },
    "Wrap",
  );
  const note = el("span.dim");
  const raw = [];
  const copy = el(
    "button.plain",
    { type: "button", onclick: () => navigator.clipboard.writeText(raw.join("\n")) },
    "Copy",
  );
  let following = true;
  let fresh = 0;
  const say = () => {
    follows.textContent = following || !fresh ? "Follow" : `Follow, ${fresh} new`;
    follows.setAttribute("aria-pressed", String(following));
  };
  const toEnd = () => {
    lines.scrollTop = lines.scrollHeight;
  };
  follows.onclick = () => {
    following = !following;
    fresh = 0;
    if (following) toEnd();
    say();
  };
  lines.addEventListener("scroll", () => {
    const atEnd = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 8;
    if (atEnd !== following) {
      following = atEnd;
      if (atEnd) fresh = 0;
      say();
    }
  });
  let total = 0;
  // Nobody has kept what was written to a terminal.
  if (world.instances.get(lockId)?.log === null)
    put(
      lines,
      el("p.dim", {}, "No log is kept: it writes to where it was started. Run it with -d to keep one."),
    );
  else
    follow(`/instances/${encodeURIComponent(lockId)}/log/follow?lines=500`, signal, (name, told) => {
      if (name !== "lines") return;
      total += told.length;
      raw.push(...told);
      raw.splice(0, Math.max(0, raw.length - LINES_MAX));
      lines.append(...told.slice(-LINES_MAX).map(logLine));
      while (lines.childElementCount > LINES_MAX) lines.firstChild.remove();
      note.textContent = `last ${many(Math.min(total, LINES_MAX), "line")}`;
      if (following) toEnd();
      else {
        fresh += told.length;
        say();
      }
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
  return el(
    "section.log",
    {},
    el("div.head", {}, el("h3", {}, "Log"), note, el("span.end.buttons", {}, wrap, copy, follows)),
    lines,
  );
}

/** A line as text; colours become the page's own, or nothing. */
function logLine(text) {
  const line = el("div.log-line");
  if (text.startsWith("styxy: ")) line.classList.add("own");
  const time = /^\[?(\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d([.,]\d+)?Z?\]?\s/.exec(text);
  let rest = text;
  if (time) {
    line.append(el("span.time", {}, visible(time[0])));
    rest = text.slice(time[0].length);
  }
  let tone = "";
  let from = 0;
  const add = (to) => {
    const part = visible(rest.slice(from, to).replaceAll("\t", "    "));
    if (part) line.append(tone ? el(`span.${tone}`, {}, part) : part);
  };
  for (const code of rest.matchAll(ANSI)) {
    add(code.index);
    from = code.index + code[0].length;
    const number = Number((code[1] ?? "").split(";").at(-1));
    const tones = {
      31: "tone-unhealthy",
      91: "tone-unhealthy",
      32: "tone-ready",
      92: "tone-ready",
      33: "tone-backoff",
      93: "tone-backoff",
      2: "dim",
      90: "dim",
    };
    if (code[1] !== undefined) tone = tones[number] ?? "";
  }
  add(rest.length);
  if (!line.childNodes.length) line.append("\u00a0");
  return line;
}

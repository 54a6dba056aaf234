// The audit log: what happened, by whom, and with which command.

import { get } from "./api.js";
import { clock, copyButton, count, el, exact, many, put, visible } from "./dom.js";
import { glyph } from "./phases.js";
import { watch, world } from "./world.js";

const SHAPES = {
  allocate: "ready",
  attach: "ready",
  blocked: "unhealthy",
  release: "stopping",
  reclaim: "backoff",
  exhausted: "unhealthy",
  "range.create": "reserved",
  "range.grow": "reserved",
  "range.undo": "stopping",
  "range.retire": "stopping",
  "config.set": "foreign",
};
const KINDS = {
  Everything: "",
  Leases: "allocate,attach,release,reclaim",
  Ranges: "range.create,range.grow,range.undo,range.retire",
  Refused: "blocked,exhausted",
  Configuration: "config.set",
};
const PAGE = 300;

/** The page; `kind` is which sort of entries it begins with. */
export function audit(kind = "Everything") {
  const body = el("div.rows");
  const search = el("input", {
    type: "search",
    placeholder: "Search name, port, command",
    "aria-label": "Search",
    autocomplete: "off",
  });
  const follows = el("button", { type: "button", "aria-pressed": "true" }, "Following");
  const fresh = el("button.fresh", { type: "button", hidden: true });
  const type = el("select", { "aria-label": "Type" });
  const user = el("select", { "aria-label": "User" });
  const since = el(
    "select",
    { "aria-label": "Since when" },
    [
      ["", "Any day"],
      ["1h", "Last hour"],
      ["1d", "Last day"],
      ["7d", "Last 7 days"],
    ].map(([value, text]) => el("option", { value }, text)),
  );
  const exports = el("button", { type: "button" }, "Export");
  const chips = el(
    "div.chips",
    { role: "group", "aria-label": "What" },
    Object.keys(KINDS).map((name) =>
      el(
        "a.chip",
        {
          href: name === "Everything" ? "#/a" : `#/a/${name}`,
          "aria-current": name === kind ? "true" : null,
        },
        name,
      ),
    ),
  );
  const nothing = el("p.note", { hidden: true }, "Nothing of that kind has happened.");
  const node = el(
    "section.page.audit",
    {},
    el(
      "div.head",
      {},
      el("h1", {}, "Audit"),
      el("span.dim", {}, "Every change, by whom, and with which command"),
      el("span.end.buttons", {}, exports, follows),
    ),
    el("div.filters", {}, search, chips, el("span.end.buttons", {}, type, user, since)),
    el(
      "div.table",
      { role: "table", "aria-label": "Audit" },
      el(
        "div.row.heads",
        {},
        [
          ["Time", ""],
          ["Action", ""],
          ["Name", ""],
          ["What happened", ""],
          ["Command", "more"],
          ["User", "more"],
          ["No.", "num.more"],
        ].map(([head, name]) => el(name ? `span.${name}` : "span", {}, head)),
      ),
      fresh,
      body,
    ),
    nothing,
  );
  let entries = [];
  let held = [];
  let following = true;
  const wanted = (entry) => {
    const text = search.value.toLowerCase();
    const kinds = KINDS[kind] ?? "";
    return (
      (!kinds || kinds.split(",").includes(entry.action)) &&
      (!type.value || entry.type === type.value) &&
      (!user.value || String(entry.user) === user.value) &&
      (!text ||
        [entry.subject, entry.command, entry.action, String(entry.port ?? ""), sentence(entry)].some(
          (field) => (field ?? "").toLowerCase().includes(text),
        ))
    );
  };
  const options = (select, all, names) => {
    const now = select.value;
    put(
      select,
      el("option", { value: "" }, all),
      [...new Set(names)]
        .filter(Boolean)
        .sort()
        .map((name) => el("option", { value: name }, visible(name))),
    );
    select.value = now;
  };
  const draw = () => {
    const shown = entries.filter(wanted).slice(0, PAGE);
    put(body, shown.map(row));
    nothing.hidden = shown.length > 0;
    options(
      type,
      "Any type",
      entries.map((entry) => entry.type),
    );
    options(
      user,
      "Any user",
      entries.map((entry) => String(entry.user)),
    );
  };
  const load = async () => {
    const told = await get(`/audit?limit=5000${since.value ? `&since=${since.value}` : ""}`);
    entries = told.entries;
    exports.textContent = `Export ${many(told.total, "line")}`;
    draw();
  };
  const take = () => {
    const news = world.audit.filter(
      (entry) => !entries.includes(entry) && !held.includes(entry) && entry.seen !== node,
    );
    for (const entry of news) entry.seen = node;
    if (!news.length) return;
    if (following && scrollY < 200) {
      entries = [...news.reverse(), ...entries];
      draw();
    } else {
      held = [...news.reverse(), ...held];
      fresh.hidden = false;
      fresh.textContent = `${held.length} new`;
    }
  };
  fresh.onclick = () => {
    entries = [...held, ...entries];
    held = [];
    fresh.hidden = true;
    draw();
    scrollTo({ top: 0 });
  };
  follows.onclick = () => {
    following = !following;
    follows.setAttribute("aria-pressed", String(following));
    follows.textContent = following ? "Following" : "Follow";
  };
  exports.onclick = () => {
    const text = entries
      .filter(wanted)
      .map((entry) => JSON.stringify(entry))
      .join("\n");
    const link = el("a", {
      href: URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" })),
      download: "audit.jsonl",
    });
    link.click();
    URL.revokeObjectURL(link.href);
  };
  search.addEventListener("input", draw);
  type.addEventListener("change", draw);
  user.addEventListener("change", draw);
  since.addEventListener("change", load);
  for (const entry of world.audit) entry.seen = node;
  load().catch((error) => put(body, el("p.note.bad", {}, visible(error.message))));
  const unwatch = watch((what) => {
    if (what.has("audit")) take();
  });
  node.leave = unwatch;
  return node;
}

/** What happened, in a sentence. */
export function sentence(entry) {
  const range = entry.range ? `${entry.range[0]}–${entry.range[1]}` : "";
  const value = (side) =>
    side?.value === undefined ? (side === null ? "unset" : JSON.stringify(side)) : JSON.stringify(side.value);
  switch (entry.action) {
    case "allocate":
      return entry.before ? `Lease of ${entry.port} renewed` : `Leased ${entry.port}`;
    case "attach":
      return `Joined the instance on ${entry.port ?? "its port"}`;
    case "blocked":
      return "Told to stay away: another instance is in the way";
    case "release":
      return `Gave ${entry.port} back${entry.readyMs ? `; was ready after ${(entry.readyMs / 1000).toFixed(1)} s` : ""}${entry.restarts ? `, restarted ${many(entry.restarts, "time")}` : ""}`;
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
      return `${entry.after?.key ?? entry.before?.key ?? "A setting"}: ${value(entry.before)} → ${value(entry.after)}`;
    default:
      return entry.action;
  }
}

function row(entry) {
  const more = el("div.opened", { hidden: true });
  const subject = entry.subject ?? "";
  const slash = subject.indexOf("/");
  const time = Date.parse(entry.time);
  const button = el(
    "button.row-name",
    { type: "button", "aria-expanded": "false" },
    el("span.dim", {}, visible(subject.slice(0, slash + 1))),
    el("b", {}, visible(subject.slice(slash + 1) || "–")),
  );
  const line = el(
    "div.row",
    {
      role: "row",
      onclick: () => {
        more.hidden = !more.hidden;
        button.setAttribute("aria-expanded", String(!more.hidden));
        if (!more.hidden && !more.firstChild) put(more, detail(entry));
      },
    },
    el(
      "span.time",
      { title: exact(entry.time) },
      Date.now() - time > 72e6 ? new Date(time).toLocaleDateString() : clock(entry.time),
    ),
    el("span.action", {}, glyph(SHAPES[entry.action] ?? "foreign"), entry.action),
    button,
    el("span.what", {}, visible(sentence(entry))),
    el("span.more.mono.dim", { title: visible(entry.command) }, visible(entry.command)),
    el("span.more", {}, visible(entry.user)),
    el("span.num.more.dim", {}, entry.seq),
  );
  return el("div.entry", {}, line, more);
}

function detail(entry) {
  const text = (side) => (side === null ? [] : JSON.stringify(side, null, 2).split("\n"));
  const [before, after] = [text(entry.before), text(entry.after)];
  const undo = {
    "range.create": `styxy config undo-auto ${entry.type}`,
    "range.grow": `styxy config undo-auto ${entry.type}`,
    "config.set": entry.after?.key ? `styxy config unset ${entry.after.key}` : null,
  }[entry.action];
  const facts = [
    ["By", `${entry.user}, pid ${entry.pid}`],
    ["Time", exact(entry.time)],
    ["Command", entry.command],
    [
      "Waited",
      `${count(Number(entry.lockWaitUs))} µs for the lock, ${count(Number(entry.transactionUs))} µs in it`,
    ],
    undo ? ["Undo", undo] : null,
  ].filter(Boolean);
  return [
    el(
      "pre.diff",
      {},
      before
        .filter((line) => !after.includes(line))
        .map((line) => el("span.minus", {}, `- ${visible(line)}`)),
      after.map((line) =>
        before.includes(line)
          ? el("span.same", {}, `  ${visible(line)}`)
          : el("span.plus", {}, `+ ${visible(line)}`),
      ),
    ),
    el(
      "dl.facts",
      {},
      facts.map(([term, fact]) => [
        el("dt", {}, term),
        el("dd", {}, el("span", {}, visible(fact)), term === "Undo" ? copyButton(fact) : null),
      ]),
    ),
  ];
}

// What an opened row of the audit page tells: what was before and what is after, by whom, and what takes it back.

import { settingOf } from "./audit_sentence.js";
import { copyButton, count, el, exact, many, mono, visible } from "./dom.js";
import { rangesBefore, rangesIn } from "./metrics_past.js";
import { world } from "./world.js";

const PORT_MAX = 65535;
const MAKES_RANGE = ["range.create", "range.grow"];

/** The details of an entry; `later` are those after it, the newest first. */
export const auditDetails = (entry, later) => [
  el("div.difference", {}, ...difference(entry, later)),
  facts(entry, later),
];

function difference(entry, later) {
  if (entry.before === null && entry.after === null) return [el("p.dim", {}, "Nothing was changed.")];
  if (entry.action.startsWith("range."))
    return titled("Ranges before and after", rangeLines(entry, rangesBefore(later)));
  if (entry.action === "config.set") return titled("Setting before and after", settingLines(entry));
  return titled("Lease before and after", leaseLines(entry));
}

const titled = (title, lines) => [el("h3", {}, title), el("pre.diff", {}, lines)];
const same = (text) => el("span.same", {}, `  ${visible(text)}`);
const minus = (text) => el("span.minus", {}, `- ${visible(text)}`);
const plus = (text) => el("span.plus", {}, `+ ${visible(text)}`);

/** What went and what came, between the ranges that were next to it then. */
function rangeLines({ type, before, after }, ranges) {
  const [went, came] = [rangesIn(before), rangesIn(after)];
  const [first, last] = [
    Math.min(...[...went, ...came].map(([a]) => a)),
    Math.max(...[...went, ...came].map(([, b]) => b)),
  ];
  const all = [...ranges].flatMap(([name, own]) => [...own.values()].map(([a, b]) => ({ name, a, b })));
  const below = all.filter(({ b }) => b < first).sort((x, y) => y.b - x.b)[0];
  const above = all.filter(({ a }) => a > last).sort((x, y) => x.a - y.a)[0];
  const free = { name: "free", a: last + 1, b: PORT_MAX };
  const wide = Math.max(...[type, below?.name ?? "", above?.name ?? ""].map((name) => name.length), 4);
  const line = ({ name, a, b }) =>
    `${name.padEnd(wide)}   ${`${a}–${b}`.padEnd(11)}   ${many(b - a + 1, "port")}`;
  const own = ([a, b]) => line({ name: type, a, b });
  return [
    below ? same(line(below)) : null,
    went.map((range) => minus(own(range))),
    came.map((range) => plus(own(range))),
    above ? same(line(above)) : last < PORT_MAX ? same(line(free)) : null,
  ];
}

function settingLines({ before, after }) {
  const { table, key } = settingOf((after ?? before).key);
  const line = ({ value }) => `${key} = ${JSON.stringify(value)}`;
  return [
    table ? same(`[${table}]`) : null,
    before ? minus(line(before)) : null,
    after ? plus(line(after)) : null,
  ];
}

function leaseLines({ before, after }) {
  const [old, now] = [termsOf(before), termsOf(after)];
  const terms = [...new Set([...old.keys(), ...now.keys()])];
  const wide = Math.max(...terms.map((term) => term.length));
  const line = (term, side) => `${term.padEnd(wide)}   ${side.get(term)}`;
  return terms.map((term) => {
    if (old.get(term) === now.get(term)) return same(line(term, now));
    return [old.has(term) ? minus(line(term, old)) : null, now.has(term) ? plus(line(term, now)) : null];
  });
}

/** What there is to say of a lease; what it hasn't is left out. */
function termsOf(lease) {
  const terms = new Map();
  for (const [name, port] of Object.entries(lease?.ports ?? {})) terms.set(`port ${name}`.trim(), port);
  for (const [key, value] of Object.entries(lease ?? {})) {
    if (key === "ports" || value === null || (Array.isArray(value) && !value.length)) continue;
    terms.set(key === "lockId" ? "lock" : key, typeof value === "string" ? value : JSON.stringify(value));
  }
  return terms;
}

function facts(entry, later) {
  const undo = undoOf(entry, later);
  const file = entry.after?.file ?? entry.before?.file;
  const told = [
    ["By", `${entry.user}, pid ${entry.pid}`],
    ["Time", exact(entry.time)],
    ["Command", mono(entry.command)],
    [
      "Waited",
      `${count(Number(entry.lockWaitUs))} µs for the lock, ${count(Number(entry.transactionUs))} µs in it`,
    ],
    file ? ["File", mono(file)] : null,
    entry.rule ? ["Rule", entry.rule] : null,
    undo
      ? [
          "Undo",
          [
            mono(undo.command),
            undo.remark ? el("span.dim", {}, ` ${undo.remark}`) : null,
            copyButton(undo.command),
          ],
        ]
      : null,
  ].filter(Boolean);
  return el(
    "dl.facts",
    {},
    told.map(([term, fact]) => [
      el("dt", {}, term),
      el("dd", {}, typeof fact === "string" ? visible(fact) : fact),
    ]),
  );
}

/** A word as a shell takes it. */
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The command that takes an entry back, where there is one, and what else it would do. */
function undoOf(entry, later) {
  if (MAKES_RANGE.includes(entry.action)) return undoOfRange(entry, later);
  if (entry.action !== "config.set") return null;
  const { key, file } = entry.after ?? entry.before;
  const where = `--file ${quoted(file)}`;
  if (!entry.before) return { command: `styxy config unset ${quoted(key)} ${where}` };
  const { value } = entry.before;
  const word = quoted(typeof value === "string" ? value : JSON.stringify(value));
  return { command: `styxy config set ${quoted(key)} ${word} ${where}` };
}

/** The range that was made last has a command of its own; any other goes with all that its type has. */
function undoOfRange({ type, range: [first, last] }, later) {
  const ranges = world.types.find(({ name }) => name === type)?.ranges ?? [];
  if (!ranges.some(([a, b]) => a === first && b === last)) return null;
  const others = ranges.filter(([a]) => a !== first).map(([a, b]) => `${a}–${b}`);
  if (!others.length) return { command: `styxy config undo-auto ${quoted(type)}` };
  if (!later.some(({ action }) => MAKES_RANGE.includes(action)))
    return { command: "styxy config undo-auto --last" };
  return {
    command: `styxy config undo-auto ${quoted(type)}`,
    remark: `takes ${others.join(", ")} back, too`,
  };
}

// A row of the list of instances. It is kept as long as it can be seen, and serves another instance after that; what
// stays the same isn't written again.

import {
  age,
  bytes,
  calledName,
  commandLine,
  el,
  exact,
  fullName,
  put,
  shortName,
  spokenAge,
  tell,
  visible,
} from "./dom.js";
import { otherUser } from "./owner.js";
import { WORDS, glyph, inTrouble } from "./phases.js";
import { reasonOf, washOf } from "./reason.js";
import { world } from "./world.js";

/** The row of an instance; `open` opens it. `show` draws it, the other deeds what changes without an event. */
export function instanceRow(first, open) {
  let view = first;
  const cells = makeCells();
  const node = el("div.row", { role: "row", onclick: () => open(view) }, Object.values(cells));
  const mark = el("span.mark");
  const name = makeName();
  put(cells.name, mark, name.node);
  let [drawn, known, y, index] = [null, {}, null, null];
  const row = {
    node,
    age: () => drawAge(cells, view),
    use: () => drawUse(cells, world.usage.get(view.lockId)),
    choose() {
      node.classList.toggle("chosen", view.lockId === world.chosen);
    },
    /** Makes it the row with the number `at`, so far below the first one's `top`. */
    place(at, top) {
      if (top !== y) node.style.top = `${top}px`;
      if (at !== index) node.setAttribute("aria-rowindex", at + 2);
      [y, index] = [top, at];
    },
    /** Draws what is known of it now. */
    show(next) {
      view = next;
      // A twin that came or went changes the name too.
      const state = JSON.stringify([next, shortName(next), isSingle(next)]);
      if (drawn === state) return;
      drawn = state;
      node.dataset.lock = view.lockId;
      if (known.phase !== view.phase) put(mark, glyph(view.phase));
      name.show(view);
      const more = besideName(view);
      if (more.key !== known.more) put(cells.name, mark, name.node, more.make());
      const look = inTrouble(view) ? `row trouble ${washOf(view)}` : "row";
      if (look !== known.look) node.className = look;
      known = { phase: view.phase, more: more.key, look };
      drawTexts(cells, view);
      row.choose();
      row.age();
      row.use();
    },
  };
  return row;
}

/** The cells, in the order of the heads. */
const makeCells = () => ({
  name: el("span.name-cell", { role: "cell" }),
  port: el("span.num.port", { role: "cell" }),
  command: el("span.wide.mono", { role: "cell" }),
  project: el("span.wide", { role: "cell" }),
  old: el("span.num", { role: "cell" }),
  cpu: el("span.num.more", { role: "cell" }),
  memory: el("span.num.more", { role: "cell" }),
  restarts: el("span.num.more", { role: "cell" }),
});

/** The button with the name: `show` writes another one into it. */
function makeName() {
  const [type, id] = [el("span.dim"), el("b")];
  const whole = el("span.name", {}, type, id);
  const node = el("button.row-name", { type: "button" }, whole);
  return {
    node,
    show(view) {
      tell(type, `${visible(view.type)}/`);
      tell(id, shortName(view));
      whole.title = fullName(view);
      node.setAttribute("aria-label", `${calledName(view)}, ${WORDS[view.phase]}`);
    },
  };
}

const isSingle = ({ type }) =>
  world.types.find((known) => known.name === type)?.instanceBehavior === "single";

/** What else it is, and why it is in trouble: `make` makes the elements, the same for the same `key`. */
function besideName(view) {
  const more = Object.keys(view.ports ?? {}).length - 1;
  const second = [
    view.phase !== "ready" && !inTrouble(view) ? WORDS[view.phase] : null,
    isSingle(view) ? "single" : null,
    more > 0 ? `+${more}` : null,
    view.container ? "container" : null,
    otherUser(view),
  ].filter(Boolean);
  const reason = inTrouble(view) ? reasonOf(view) : null;
  return {
    key: JSON.stringify([second, reason]),
    make: () => [
      second.length ? el("span.dim", {}, second.join(" · ")) : null,
      reason ? el("span.reason", {}, reason) : null,
    ],
  };
}

/** What changes with an event alone. */
function drawTexts({ port, restarts, command, project, old }, view) {
  tell(port, view.port);
  tell(restarts, view.restarts || "·");
  tell(command, visible(commandLine(view.command)) || "–");
  command.title = command.textContent;
  tell(project, visible(view.project ?? "–"));
  old.title = "";
  old.removeAttribute("aria-label");
}

function drawAge({ old, name }, view) {
  const ms = view.startedAt ? Date.now() - Date.parse(view.startedAt) : null;
  tell(old, ms === null ? "–" : age(ms));
  if (ms !== null && !old.title) old.title = exact(view.startedAt);
  if (ms !== null) old.setAttribute("aria-label", spokenAge(ms));
  // The reason says for how long.
  if (inTrouble(view) && name.lastChild?.className === "reason") tell(name.lastChild, reasonOf(view));
}

function drawUse({ cpu, memory }, used) {
  tell(cpu, used?.cpu === null || used?.cpu === undefined ? "–" : used.cpu.toFixed(1));
  tell(memory, bytes(used?.memory));
}

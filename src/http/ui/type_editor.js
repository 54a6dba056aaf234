// The editor of a service type: says at once whether a range fits, and shows what it will write before it does.

import { get } from "./api.js";
import { el, put, visible } from "./dom.js";
import { originBadge } from "./origin.js";
import { glyph } from "./phases.js";
import { drawAxis, rangeAxis } from "./range_axis.js";
import { keepsRanges, rangeChoice, severalVerdict } from "./range_choice.js";
import { firstFree, verdict } from "./range_verdict.js";
import { askToRemove } from "./type_removal.js";
import { askToSave } from "./type_review.js";
import { world } from "./world.js";

const STEPS = { ArrowUp: 1, ArrowDown: -1 };
const TARGETS = [
  ["user", "your configuration (user)"],
  ["project", "this project’s styxy.toml"],
  ["system", "the machine’s (system)"],
];
const BEHAVIORS = [
  ["multi", "Many"],
  ["single", "One at a time"],
];

/** The editor of a type, or of a new one where it is null; `saved` is called when something was written. */
export function typeEditor(type, saved) {
  const fields = fieldsOf(type);
  const said = el("p.verdict", { role: "status" });
  const axis = rangeAxis();
  const error = el("div.note.bad", { hidden: true, role: "alert" });
  const review = el("div.review", { hidden: true });
  // So many ports automatic ranges keep between each other.
  let gap = 0;
  const save = el(
    "button.primary.needs-live",
    {
      type: "button",
      onclick: () =>
        askToSave(asItIs(type), () => fields.name.value, wanted(type, fields), { review, error, saved }),
    },
    type ? "Review changes" : "Review",
  );
  const show = () => {
    const [from, to] = rangeIn(fields);
    const { fits, text } = severalVerdict(type, [from, to]) ?? verdict(from, to, type?.name);
    put(said, glyph(fits ? "ready" : "unhealthy"), el("span", {}, text));
    said.className = fits ? "verdict" : "verdict bad";
    save.disabled = !fits || !fields.name.value;
    const name = type?.name ?? (fields.name.value || "new");
    const others = type?.ranges.filter((range) => range !== edited) ?? [];
    drawAxis(axis, from, to, { name, others, gap, set });
  };
  const set = (next) => {
    [fields.first.value, fields.last.value] = next;
    show();
  };
  let edited = type?.ranges[0];
  const choice = rangeChoice(type, (range) => {
    edited = range;
    set(range);
  });
  get("/ranges")
    .then(({ gapSize }) => {
      gap = gapSize;
      show();
    })
    .catch(() => {});
  for (const input of [fields.first, fields.last]) letStep(input, show);
  for (const input of [fields.first, fields.last, fields.name]) input.addEventListener("input", show);
  // How wide the drawing is is known when it is on the page.
  queueMicrotask(show);
  return el(
    "div.card.editor",
    {},
    head(type),
    type ? null : field("Name", fields.name),
    choice,
    axis,
    el("div.pair", {}, field("First port", fields.first), field("Last port", fields.last)),
    said,
    el("div.field", {}, el("span.label", {}, "Instances"), fields.behavior.node),
    field("Preferred ports", fields.preferred),
    field("Description", fields.description),
    field("Saved to", fields.target),
    error,
    review,
    el(
      "div.buttons",
      {},
      save,
      el("a.plain", { href: "#/t" }, "Discard"),
      type ? removeButton(type, review, fields.target) : null,
    ),
  );
}

/** The type may have changed since the editor was opened. */
const asItIs = (type) => world.types.find(({ name }) => name === type?.name) ?? type;

const head = (type) =>
  el(
    "div.head",
    {},
    el("h2", {}, type ? visible(type.name) : "A new type"),
    type ? originBadge(type) : null,
    el("a.plain.end", { href: "#/t" }, "Close"),
  );

const removeButton = (type, review, target) =>
  el(
    "span.end",
    {},
    el(
      "button.danger.needs-live",
      { type: "button", onclick: () => askToRemove(type, review, () => target.value) },
      type.origin === "profile" ? "Reset…" : "Remove…",
    ),
  );

const field = (text, input) => el("div.field", {}, el("label", { for: input.id }, text), input);

const textField = (props) => el("input", { autocomplete: "off", spellcheck: "false", ...props });

/** What can be said of a type, filled in with what is said. */
function fieldsOf(type) {
  const [first, last] = type?.ranges[0] ?? firstFree();
  return {
    name: textField({ id: "type-name", value: type?.name ?? "", disabled: !!type }),
    first: textField({ id: "type-first", inputmode: "numeric", value: String(first) }),
    last: textField({ id: "type-last", inputmode: "numeric", value: String(last) }),
    preferred: textField({ id: "type-preferred", placeholder: "none" }),
    // An automatic type's description is no person's words.
    description: textField({
      id: "type-description",
      value: type && type.origin !== "auto" ? type.description : "",
    }),
    target: el(
      "select",
      { id: "type-target" },
      TARGETS.map(([value, text]) => el("option", { value }, text)),
    ),
    behavior: behaviorField(type?.instanceBehavior ?? "multi"),
  };
}

/** How many instances of the type there may be: two buttons, of which one is pressed. */
function behaviorField(first) {
  const node = el("div.segments", { role: "group", "aria-label": "Instances" });
  const chosen = { node, value: first };
  const draw = () =>
    put(
      node,
      BEHAVIORS.map(([value, text]) =>
        el(
          "button",
          {
            type: "button",
            "aria-pressed": String(chosen.value === value),
            onclick: () => {
              chosen.value = value;
              draw();
            },
          },
          text,
        ),
      ),
    );
  draw();
  return chosen;
}

/** Arrow keys count up and down, with Shift by tens. */
function letStep(input, then) {
  input.addEventListener("keydown", (event) => {
    const by = STEPS[event.key];
    if (!by) return;
    event.preventDefault();
    input.value = Number(input.value) + by * (event.shiftKey ? 10 : 1);
    then();
  });
}

const rangeIn = ({ first, last }) => [Number(first.value), Number(last.value)];

/** What the server is asked to write; what is left empty is left out, and so is a range that stays beside others. */
function wanted(type, fields) {
  const range = rangeIn(fields);
  const body = {
    ...(keepsRanges(type, range) ? {} : { range }),
    instance_behavior: fields.behavior.value,
    target: fields.target.value,
  };
  if (fields.description.value) body.description = fields.description.value;
  const ports = fields.preferred.value
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(Number);
  if (ports.length) body.preferred_ports = ports;
  return body;
}

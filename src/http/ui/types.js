// Service types: a table with each range's leases, and an editor that says at once whether a range fits.

import { ask, named } from "./api.js";
import { count, el, many, put, svg, visible } from "./dom.js";
import { glyph, inTrouble } from "./phases.js";
import { offerUndo } from "./undo.js";
import { byPort, watch, world } from "./world.js";

const ORIGINS = { profile: "built in", config: "configured", auto: "automatic" };

export function types(chosen) {
  const table = el("tbody");
  const summary = el("span.dim");
  const side = el("div.editor-side");
  const question = el("div.question", { hidden: true, role: "alert" });
  const node = el(
    "section.page.types",
    {},
    el(
      "div.head",
      {},
      el("h1", {}, "Types"),
      summary,
      el(
        "span.end.buttons",
        {},
        el(
          "button.needs-live",
          { type: "button", onclick: () => undoAutomatic(question) },
          "Undo automatic…",
        ),
        el("a.button.primary", { href: "#/t/+" }, "Add a type"),
      ),
    ),
    question,
    el(
      "div.two",
      {},
      el(
        "table.wide-table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            [
              ["Type"],
              ["Range", "num"],
              ["Leases in the range", "more"],
              ["In use", "num"],
              ["Instances", "more"],
              ["Origin", "more"],
            ].map(([head, kind]) => el(`th${kind ? `.${kind}` : ""}`, { scope: "col" }, head)),
          ),
        ),
        table,
      ),
      side,
    ),
  );
  let edited = null;
  const draw = () => {
    const ports = byPort();
    const size = world.types.reduce((sum, type) => sum + type.leased + type.free, 0);
    put(
      summary,
      `${many(world.types.length, "type")}, ${count(size)} ports set aside, ${count(world.instances.size)} in use`,
    );
    put(
      table,
      world.types.map((type) =>
        el(
          "tr",
          {
            "aria-current": type.name === chosen ? "true" : null,
            onclick: () => {
              location.hash = `#/t/${encodeURIComponent(type.name)}`;
            },
          },
          el(
            "td",
            {},
            el(
              "a",
              { href: `#/t/${encodeURIComponent(type.name)}`, title: type.description },
              visible(type.name),
            ),
          ),
          el("td.num", {}, type.ranges.map(([a, b]) => `${a}–${b}`).join(", ") || "–"),
          el("td.more", {}, bar(type, ports)),
          el("td.num", {}, el("b", {}, inUse(type, ports)), ` / ${type.leased + type.free}`),
          el("td.more", {}, type.instanceBehavior === "single" ? el("span.badge", {}, "single") : "multi"),
          el("td.more", {}, el(`span.badge.${type.origin}`, {}, ORIGINS[type.origin])),
        ),
      ),
    );
    if (chosen && edited !== chosen) {
      edited = chosen;
      put(side, editor(chosen === "+" ? null : world.types.find((type) => type.name === chosen), chosen));
    }
  };
  const unwatch = watch((what) => {
    if (what.has("types") || what.has("instances")) draw();
  });
  draw();
  node.leave = unwatch;
  return node;
}

const inUse = (type, ports) =>
  type.ranges.reduce(
    (sum, [a, b]) => sum + [...ports.keys()].filter((port) => port >= a && port <= b).length,
    0,
  );

function bar(type, ports) {
  const size = type.ranges.reduce((sum, [a, b]) => sum + b - a + 1, 0);
  const width = Math.max(14, Math.min(150, size * 1.5));
  const drawing = svg(
    "svg.bar",
    { viewBox: `0 0 ${width} 14`, "aria-hidden": "true" },
    svg("rect.basin", { width, height: 14, rx: 2 }),
  );
  drawing.style.setProperty("--w", `${width}px`);
  let before = 0;
  for (const [a, b] of type.ranges) {
    for (const [port, view] of ports)
      if (port >= a && port <= b)
        drawing.append(
          svg(inTrouble(view) ? "rect.tone-unhealthy" : "rect.tone-ready", {
            x: ((port - a + before) / size) * width,
            y: 2,
            width: Math.max(1.5, width / size - 0.5),
            height: 10,
          }),
        );
    before += b - a + 1;
  }
  return drawing;
}

function verdict(first, last, name) {
  const bad = (text) => ({ fits: false, text });
  if (!Number.isInteger(first) || !Number.isInteger(last) || first < 1 || last > 65535)
    return bad("A port is a number from 1 to 65535.");
  if (first > last) return bad(`${first} is above ${last}: the first port comes first.`);
  const others = world.types
    .filter((type) => type.name !== name)
    .flatMap((type) => type.ranges.map(([a, b]) => ({ name: type.name, a, b })))
    .sort((x, y) => x.a - y.a);
  const hit = others.find(({ a, b }) => a <= last && b >= first);
  if (hit)
    return bad(
      `Overlaps ${hit.name} ${hit.a}–${hit.b} by ${many(Math.min(last, hit.b) - Math.max(first, hit.a) + 1, "port")}.`,
    );
  const below = others.filter(({ b }) => b < first).at(-1);
  const above = others.find(({ a }) => a > last);
  const outside = [...byPort()].filter(([port, view]) => view.type === name && (port < first || port > last));
  return {
    fits: true,
    text: `Fits. ${many(last - first + 1, "port")}${below ? `, ${count(first - below.b - 1)} free below up to ${below.name}` : ""}${above ? `, ${count(above.a - last - 1)} to ${above.name}` : ", open water after it"}.${
      outside.length
        ? ` ${outside
            .map(([port]) => port)
            .slice(0, 4)
            .join(
              ", ",
            )} ${outside.length === 1 ? "keeps its lease" : "keep their leases"} until ${outside.length === 1 ? "it ends" : "they end"}.`
        : ""
    }`,
  };
}

function editor(type, chosen) {
  if (!type && chosen !== "+") return el("p.note", {}, `There is no service type “${visible(chosen)}”.`);
  const [a, b] = type?.ranges[0] ?? firstFree();
  const field = (props) => el("input", { autocomplete: "off", spellcheck: "false", ...props });
  const name = field({ id: "type-name", value: type?.name ?? "", disabled: !!type });
  const first = field({ id: "type-first", inputmode: "numeric", value: String(a) });
  const last = field({ id: "type-last", inputmode: "numeric", value: String(b) });
  const preferred = field({ id: "type-preferred", placeholder: "none" });
  const description = field({
    id: "type-description",
    value: type && type.origin !== "auto" ? type.description : "",
  });
  const target = el(
    "select",
    { id: "type-target" },
    [
      ["user", "your configuration (user)"],
      ["project", "this project’s styxy.toml"],
      ["system", "the machine’s (system)"],
    ].map(([value, text]) => el("option", { value }, text)),
  );
  let behavior = type?.instanceBehavior ?? "multi";
  const behaviors = el("div.segments", { role: "group", "aria-label": "Instances" });
  const drawBehaviors = () =>
    put(
      behaviors,
      [
        ["multi", "Many"],
        ["single", "One at a time"],
      ].map(([value, text]) =>
        el(
          "button",
          {
            type: "button",
            "aria-pressed": String(behavior === value),
            onclick: () => {
              behavior = value;
              drawBehaviors();
            },
          },
          text,
        ),
      ),
    );
  drawBehaviors();
  const said = el("p.verdict", { role: "status" });
  const axis = svg("svg.axis-editor", { role: "group", "aria-label": "The range among its neighbours" });
  const error = el("div.note.bad", { hidden: true, role: "alert" });
  const review = el("div.review", { hidden: true });
  const save = el("button.primary.needs-live", { type: "button" }, type ? "Review changes" : "Review");
  const numbers = () => [Number(first.value), Number(last.value)];
  const show = () => {
    const [from, to] = numbers();
    const judged = verdict(from, to, type?.name);
    put(said, glyph(judged.fits ? "ready" : "unhealthy"), el("span", {}, judged.text));
    said.className = judged.fits ? "verdict" : "verdict bad";
    save.disabled = !judged.fits || !name.value;
    drawAxis(axis, from, to, type?.name ?? (name.value || "new"), (next) => {
      first.value = next[0];
      last.value = next[1];
      show();
    });
  };
  for (const input of [first, last]) {
    input.addEventListener("keydown", (event) => {
      const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (by) {
        event.preventDefault();
        input.value = Number(input.value) + by * (event.shiftKey ? 10 : 1);
        show();
      }
    });
  }
  for (const input of [first, last, name]) input.addEventListener("input", show);
  const wanted = () => {
    const body = { range: numbers(), instance_behavior: behavior, target: target.value };
    if (description.value) body.description = description.value;
    const ports = preferred.value
      .split(/[\s,]+/)
      .filter(Boolean)
      .map(Number);
    if (ports.length) body.preferred_ports = ports;
    return body;
  };
  save.onclick = () => {
    const body = wanted();
    const { target: file, ...keys } = body;
    const before = {
      range: type?.ranges[0],
      instance_behavior: type?.instanceBehavior,
      description: type?.description,
    };
    put(
      review,
      el("h3", {}, "Before you save"),
      el(
        "pre.diff",
        {},
        el("span.same", {}, `[service_types.${name.value}]`),
        Object.entries(keys).flatMap(([key, value]) => {
          const old = JSON.stringify(before[key]);
          const now = JSON.stringify(value);
          if (old === now) return [el("span.same", {}, `  ${key} = ${now}`)];
          return [
            old === undefined ? null : el("span.minus", {}, `- ${key} = ${old}`),
            el("span.plus", {}, `+ ${key} = ${now}`),
          ];
        }),
      ),
      el(
        "p.dim",
        {},
        `Written to ${file === "user" ? "your configuration" : file === "project" ? "this project’s styxy.toml" : "the machine’s file"}. Running instances keep their ports.`,
      ),
      el(
        "div.buttons",
        {},
        el(
          "button.primary",
          {
            type: "button",
            onclick: async () => {
              try {
                await ask("PUT", `/types/${named(name.value)}`, body);
                review.hidden = true;
                error.hidden = true;
                offerUndo(`Saved ${name.value}.`, () =>
                  type && type.origin !== "profile"
                    ? ask("PUT", `/types/${named(name.value)}`, {
                        range: type.ranges[0],
                        instance_behavior: type.instanceBehavior,
                        target: file,
                      })
                    : ask("DELETE", `/types/${named(name.value)}`, { target: file }),
                );
                location.hash = `#/t/${encodeURIComponent(name.value)}`;
              } catch (refused) {
                put(
                  error,
                  el("p", {}, visible(refused.message)),
                  refused.hint ? el("p.dim", {}, visible(refused.hint)) : null,
                );
                error.hidden = false;
              }
            },
          },
          "Save",
        ),
        el(
          "button",
          {
            type: "button",
            onclick: () => {
              review.hidden = true;
            },
          },
          "Not yet",
        ),
      ),
    );
    review.hidden = false;
    review.querySelector("button").focus();
  };
  const label = (id, text, input) => el("div.field", {}, el("label", { for: id }, text), input);
  const remove = type
    ? el(
        "button.danger.needs-live",
        { type: "button", onclick: () => removal(type, review) },
        type.origin === "profile" ? "Reset…" : "Remove…",
      )
    : null;
  queueMicrotask(show);
  return el(
    "div.card.editor",
    {},
    el(
      "div.head",
      {},
      el("h2", {}, type ? visible(type.name) : "A new type"),
      type ? el(`span.badge.${type.origin}`, {}, ORIGINS[type.origin]) : null,
      el("a.plain.end", { href: "#/t" }, "Close"),
    ),
    type ? null : label("type-name", "Name", name),
    axis,
    el("div.pair", {}, label("type-first", "First port", first), label("type-last", "Last port", last)),
    said,
    el("div.field", {}, el("span.label", {}, "Instances"), behaviors),
    label("type-preferred", "Preferred ports", preferred),
    label("type-description", "Description", description),
    label("type-target", "Saved to", target),
    error,
    review,
    el(
      "div.buttons",
      {},
      save,
      el("a.plain", { href: "#/t" }, "Discard"),
      remove ? el("span.end", {}, remove) : null,
    ),
  );
}

function firstFree() {
  const ends = world.types
    .flatMap((type) => type.ranges)
    .filter(([, b]) => b < 60000)
    .map(([, b]) => b);
  const from = Math.max(11500, ...ends) + 11;
  return [from, from + 9];
}

/** The range among its neighbours. Its ends are dragged, or moved by arrow keys; a drag beside them draws it anew. */
function drawAxis(axis, from, to, name, set) {
  if (!(from > 0 && to >= from && to <= 65535)) return;
  const size = to - from + 1;
  const width = axis.clientWidth || 340;
  // The scale stays while one drags: what is under the pointer stays there.
  const [low, high] = axis.frame ?? [
    Math.max(1, from - Math.max(50, size)),
    Math.min(65535, to + Math.max(50, size)),
  ];
  const x = (port) => ((port - low) / (high - low + 1)) * width;
  const portAt = (event) =>
    Math.max(
      low,
      Math.min(
        high,
        low +
          Math.floor(
            ((event.clientX - axis.getBoundingClientRect().left) / axis.clientWidth) * (high - low + 1),
          ),
      ),
    );
  const parts = [svg("line.bed", { x1: 0, x2: width, y1: 34, y2: 34 })];
  for (const type of world.types)
    if (type.name !== name)
      for (const [a, b] of type.ranges)
        if (b >= low && a <= high) {
          const left = Math.max(0, x(a));
          const w = Math.min(width, x(b + 1)) - left;
          parts.push(svg("rect.basin", { x: left, y: 22, width: w, height: 24, rx: 3 }));
          if (w > 30)
            parts.push(svg("text.label", { x: left, y: 15 }, visible(type.name).slice(0, Math.floor(w / 6))));
        }
  parts.push(
    svg("rect.own", { x: x(from), y: 20, width: Math.max(x(to + 1) - x(from), 2), height: 28, rx: 3 }),
    svg("text.label.strong", { x: x(from), y: 15 }, visible(name)),
  );
  for (const port of [low, high])
    parts.push(
      svg(
        "text.number",
        { x: Math.min(Math.max(x(port), 16), width - 16), y: 64, "text-anchor": "middle" },
        port,
      ),
    );
  const ends = [from, to];
  const moved = (which, port) =>
    which ? [from, Math.max(from, Math.min(65535, port))] : [Math.min(to, Math.max(1, port)), to];
  ends.forEach((port, which) => {
    const words = ["First port", "Last port"][which];
    const handle = svg(
      "rect.handle",
      {
        x: x(port + which) - 4,
        y: 24,
        width: 8,
        height: 20,
        rx: 3,
        tabindex: 0,
        role: "slider",
        "data-end": which,
        "aria-label": words,
        "aria-valuenow": port,
        "aria-valuemin": 1,
        "aria-valuemax": 65535,
      },
      svg("title", {}, `${words} ${port}`),
    );
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      set(moved(which, port + by * (event.shiftKey ? 10 : 1)));
      axis.querySelector(`[data-end="${which}"]`).focus();
    });
    parts.push(handle);
  });
  axis.onpointerdown = (event) => {
    event.preventDefault();
    axis.setPointerCapture(event.pointerId);
    axis.frame = [low, high];
    const [end, begin] = [event.target.closest(".handle")?.dataset.end, portAt(event)];
    axis.onpointermove = (move) => {
      const port = portAt(move);
      if (end === undefined) set([Math.min(begin, port), Math.max(begin, port)]);
      else set(moved(Number(end), port));
    };
    axis.onpointerup = axis.onpointercancel = () => {
      axis.frame = null;
      axis.onpointermove = axis.onpointerup = axis.onpointercancel = null;
      set(axis.span);
    };
  };
  axis.span = [from, to];
  axis.setAttribute("viewBox", `0 0 ${width} 70`);
  put(axis, parts);
}

function removal(type, review) {
  const users = [...world.instances.values()].filter((view) => view.type === type.name);
  const ranges = type.ranges.map(([a, b]) => `${a}–${b}`).join(", ");
  const keep = el(
    "button",
    {
      type: "button",
      onclick: () => {
        review.hidden = true;
      },
    },
    "Keep it",
  );
  const typed = users.length
    ? el("input", { "aria-label": `Type ${type.name} to go on`, autocomplete: "off" })
    : null;
  const go = el(
    "button.danger.filled",
    { type: "button", disabled: users.length > 0 },
    type.origin === "profile" ? "Reset it" : "Remove it",
  );
  typed?.addEventListener("input", () => {
    go.disabled = typed.value !== type.name;
  });
  const said = el("p.bad");
  go.onclick = async () => {
    try {
      await ask("DELETE", `/types/${named(type.name)}`, {
        force: users.length > 0,
        target: review.closest(".editor").querySelector("select").value,
      });
      offerUndo(`Gave ${ranges} of ${type.name} back.`, () =>
        ask("PUT", `/types/${named(type.name)}`, {
          range: type.ranges[0],
          instance_behavior: type.instanceBehavior,
        }),
      );
      location.hash = "#/t";
    } catch (error) {
      put(said, visible(error.message), error.hint ? ` ${visible(error.hint)}` : "");
    }
  };
  put(
    review,
    el(
      "h3",
      {},
      type.origin === "profile"
        ? `Take what is configured of ${visible(type.name)} out?`
        : `Remove ${visible(type.name)} and its range ${ranges}?`,
    ),
    el(
      "p",
      {},
      users.length
        ? `${users
            .slice(0, 5)
            .map((view) => visible(view.id))
            .join(
              ", ",
            )} still ${users.length === 1 ? "runs" : "run"} on it, and ${users.length === 1 ? "keeps its port" : "keep their ports"}. Type its name to go on.`
        : "Nobody runs on it.",
    ),
    typed,
    said,
    el("div.buttons", {}, go, keep),
  );
  review.hidden = false;
  (typed ?? keep).focus();
}

async function undoAutomatic(question) {
  const auto = world.types.filter((type) => type.origin === "auto");
  const close = el(
    "button",
    {
      type: "button",
      onclick: () => {
        question.hidden = true;
      },
    },
    "Keep them",
  );
  const go = async (type) => {
    try {
      const { ranges } = await ask("POST", "/ranges/undo", type ? { type } : {});
      question.hidden = true;
      offerUndo(
        `Gave ${ranges.map((range) => `${range.range[0]}–${range.range[1]} of ${range.type}`).join(", ")} back.`,
        () =>
          Promise.all(
            ranges.map((range) => ask("PUT", `/types/${named(range.type)}`, { range: range.range })),
          ),
      );
    } catch (error) {
      put(
        question,
        el("h3", {}, "No range was given back."),
        el("p", {}, visible(error.message)),
        error.hint ? el("p.dim", {}, visible(error.hint)) : null,
        el("div.buttons", {}, close),
      );
    }
  };
  put(
    question,
    el("h3", {}, auto.length ? "Give automatic ranges back?" : "There is no automatic range."),
    auto.map((type) =>
      el(
        "p.undo-row",
        {},
        el("b", {}, visible(type.name)),
        ` ${type.ranges.map(([a, b]) => `${a}–${b}`).join(", ")}, ${type.leased ? `${many(type.leased, "lease")} in it` : "no lease in it"} `,
        el(
          "button",
          { type: "button", disabled: type.leased > 0, onclick: () => go(type.name) },
          "Give back",
        ),
      ),
    ),
    el("div.buttons", {}, close),
  );
  question.hidden = false;
  close.focus();
}

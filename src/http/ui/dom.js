// Elements and words. Text is always a text node: nothing anybody wrote is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) node.style.setProperty(key, value);
    else if (key === "value") node.value = value;
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}

/** An element: `el("p.note", {id: "x"}, "text", child)`. */
export function el(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name || "div");
  if (classes.length) node.className = classes.join(" ");
  return fill(node, props, children);
}

/** The same for drawings. */
export function svg(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElementNS(SVG, name);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  return fill(node, props, children);
}

/** What one would type or paste. */
export const mono = (text) => el("span.mono", {}, visible(text));

/** Replaces what is in an element. */
export function put(node, ...children) {
  node.replaceChildren(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}

/** The same where some of the children are there already: those stay, and with them the focus that one may have. */
export function putInPlace(node, children) {
  const wanted = new Set(children);
  for (const child of [...node.children]) if (!wanted.has(child)) child.remove();
  let next = node.firstElementChild;
  for (const child of children)
    if (child === next) next = next.nextElementSibling;
    else node.insertBefore(child, next);
}

/** A button that does nothing but take the box away that it stands in: a question's safe answer, and so is Esc. */
export function hidingButton(box, text) {
  const asked = document.activeElement;
  const hide = () => {
    box.hidden = true;
    asked?.focus();
  };
  box.onkeydown = (event) => {
    if (event.key !== "Escape" || box.hidden) return;
    event.stopPropagation();
    hide();
  };
  return el("button", { type: "button", onclick: hide }, text);
}

/** Replaces an element's text. One that stays the same costs nothing. */
export function tell(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
}

const measure = document.createElement("canvas").getContext("2d");
const widths = new Map();
let family = null;

/** How wide a text is, in px. */
export function widthOf(text, size) {
  const key = `${size}:${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    // Asked once: each question would have the page's styles computed again.
    family ??= getComputedStyle(document.documentElement).getPropertyValue("--font");
    measure.font = `${size}px ${family}`;
    width = measure.measureText(text).width;
    if (widths.size > 5000) widths.clear();
    widths.set(key, width);
  }
  return width;
}

let remInPx = null;
addEventListener("resize", () => {
  remInPx = null;
});
/** A rem in px. Asked once for each size of the window: the question has styles computed. */
export const rem = () => (remInPx ??= parseFloat(getComputedStyle(document.documentElement).fontSize));

/** A count with thin spaces; ports are never grouped. */
export const count = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u2009");

/** `1 port`, `2 ports`; `more` is the word for many where an s doesn't make it. */
export const many = (number, one, more) => `${count(number)} ${number === 1 ? one : (more ?? `${one}s`)}`;

/** `6 s`, `41 min`, `2 h 14`, `3 d 7`. */
export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)}`;
}

/** The same for screen readers: `1 minute`, `2 hours 14`. */
export function spokenAge(ms) {
  const [, first, unit, rest] = /^(\d+) (\S+)(?: (\d+))?$/.exec(age(ms));
  const words = { s: "second", min: "minute", h: "hour", d: "day" };
  const spoken = many(Number(first), words[unit]);
  if (rest === undefined || Number(rest) === 0) return spoken;
  return unit === "d" ? `${spoken} ${many(Number(rest), "hour")}` : `${spoken} ${Number(rest)}`;
}

/** `312 M`, `6.0 G`. */
export function bytes(amount) {
  if (amount === undefined || amount === null) return "–";
  const mebi = amount / 1048576;
  if (mebi < 1000) return `${Math.max(1, Math.round(mebi))} M`;
  return `${(mebi / 1024).toFixed(1)} G`;
}

/** A moment of today: `14:05:09`. */
export const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });
/** What is older than this, in ms, is told by its day: the hour alone could be today's. */
const DAY_OLD = 72e6;
/** The same, or the day of what was long ago. */
export const shortTime = (time) =>
  Date.now() - Date.parse(time) > DAY_OLD ? new Date(time).toLocaleDateString() : clock(time);
/** A moment with its day; nothing for no moment. */
export const exact = (time) => (time ? new Date(time).toLocaleString([], { hour12: false }) : "");

/** Control and direction characters as pictures: a name cannot pretend to be another. */
export function visible(text) {
  return String(text).replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (c) => {
      const code = c.charCodeAt(0);
      return code < 32 ? String.fromCharCode(0x2400 + code) : "\ufffd";
    },
  );
}

/** `type/` dim, `id` bold. */
export function nameOf(view) {
  return el(
    "span.name",
    { title: fullName(view) },
    el("span.dim", {}, `${visible(view.type)}/`),
    el("b", {}, shortName(view)),
  );
}

let twins = () => false;
/** Who knows whether an instance of another project is called the same. */
export function tellTwins(known) {
  twins = known;
}
/** The id, with its project where another one has the same. */
export const shortName = (view) =>
  `${visible(view.id)}${view.project && twins(view) ? `@${visible(view.project)}` : ""}`;
/** `type/id`, and `@project` where it takes that to tell it from another one. */
export const calledName = (view) => `${visible(view.type)}/${shortName(view)}`;
/** `type/id@project`. */
export const fullName = (view) => visible(`${view.type}/${view.id}${view.project ? `@${view.project}` : ""}`);

/** A command as one would type it. */
export function commandLine(words) {
  return (words ?? [])
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

/** A button that copies a text, and says so for a moment. */
export function copyButton(text, label = "Copy") {
  const button = el(
    "button.plain",
    {
      type: "button",
      onclick: async () => {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
        setTimeout(() => {
          button.textContent = label;
        }, 1500);
      },
    },
    label,
  );
  return button;
}

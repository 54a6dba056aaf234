// The river by keys: a link over each column that holds ranges. They are one tab stop, and arrows lead between them.

import { el, putInPlace } from "./dom.js";

/** Links over the columns of a band; `show(column)` says what a column holds, or hides it for null; `go(port)` leads there. */
export class RiverLinks {
  node = el("div.columns", { role: "group", "aria-label": "Ranges by thousands of ports" });
  #links = new Map();
  /** The thousand whose link the tabulator key leads to. */
  #at = null;

  constructor({ show, go }) {
    this.show = show;
    this.go = go;
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    this.node.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in steps)) return;
      event.preventDefault();
      this.#step(steps[event.key]);
    });
    this.node.addEventListener("focusout", () => show(null));
  }

  /** Puts the links where the columns are. Who has the focus keeps it. */
  place(columns) {
    const held = columns.filter((column) => column.holds);
    const links = new Map(held.map((column) => [column.k, this.#links.get(column.k) ?? this.#link()]));
    for (const column of held) {
      const { node } = Object.assign(links.get(column.k), { column });
      node.style.setProperty("--x", `${column.x}px`);
      node.style.setProperty("--w", `${column.w}px`);
    }
    this.#links = links;
    putInPlace(
      this.node,
      [...links.values()].map(({ node }) => node),
    );
    if (!links.has(this.#at)) this.#at = held[0]?.k ?? null;
    this.#letIn();
  }

  /** Names each link by what its column holds, which `words(column)` says. */
  name(words) {
    for (const { node, column } of this.#links.values()) {
      const text = words(column);
      if (node.getAttribute("aria-label") !== text) node.setAttribute("aria-label", text);
    }
  }

  #link() {
    const link = { column: null };
    link.node = el("a", {
      href: "#/",
      onfocus: () => {
        this.#at = link.column.k;
        this.#letIn();
        this.show(link.column);
      },
      onclick: (event) => {
        event.preventDefault();
        this.go(link.column.first);
      },
    });
    return link;
  }

  #step(step) {
    const keys = [...this.#links.keys()];
    const at = Math.max(0, Math.min(keys.length - 1, keys.indexOf(this.#at) + step));
    this.#links.get(keys[at]).node.focus();
  }

  #letIn() {
    for (const [k, { node }] of this.#links) node.tabIndex = k === this.#at ? 0 : -1;
  }
}

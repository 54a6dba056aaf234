// The filters of the audit page: which entries are looked at, by kind, type, user, day, and text.

import { goAlike, quietWish, setQuietWish, setWish, wish } from "./address.js";
import { sentence } from "./audit_sentence.js";
import { el, put, visible } from "./dom.js";

/** The actions of each kind; none stand for all. */
const KINDS = {
  Everything: [],
  Leases: ["allocate", "attach", "release", "reclaim"],
  Ranges: ["range.create", "range.grow", "range.undo", "range.retire"],
  Refused: ["blocked", "exhausted"],
  Configuration: ["config.set"],
};
/** How far back may be looked, as the address `/audit` takes it; today begins where one is. */
const DAYS = [
  ["", "Any day"],
  ["today", "Today"],
  ["1h", "Last hour"],
  ["1d", "Last day"],
  ["7d", "Last 7 days"],
];

/** The filters' elements, whether they want an entry, and a way to offer what the entries hold. */
export function auditFilters(kind, { draw, load }) {
  const search = el("input", {
    type: "search",
    placeholder: "Search name, port, command",
    "aria-label": "Search",
    autocomplete: "off",
  });
  const type = el("select", { "aria-label": "Type" });
  const user = el("select", { "aria-label": "User" });
  const since = el(
    "select",
    { "aria-label": "Since when" },
    DAYS.map(([value, text]) => el("option", { value }, text)),
  );
  // Type and day are in the address; what is searched and whose it is are not, for they name somebody.
  choose(type, wish("type"));
  choose(user, quietWish("user"));
  search.value = quietWish("search") ?? "";
  since.value = DAYS.some(([value]) => value === wish("since")) ? wish("since") : "";
  search.addEventListener("input", () => {
    setQuietWish("search", search.value);
    draw();
  });
  type.addEventListener("change", () => {
    setWish("type", type.value);
    draw();
  });
  user.addEventListener("change", () => {
    setQuietWish("user", user.value);
    draw();
  });
  // Older entries have to be asked for.
  since.addEventListener("change", () => {
    setWish("since", since.value);
    load();
  });
  const moment = () =>
    since.value === "today" ? new Date(new Date().setHours(0, 0, 0, 0)).toISOString() : since.value;
  const actions = KINDS[kind] ?? [];
  const wants = (entry) =>
    (!actions.length || actions.includes(entry.action)) &&
    (!type.value || entry.type === type.value) &&
    (!user.value || String(entry.user) === user.value) &&
    says(entry, search.value.toLowerCase());
  const offer = (entries) => {
    offerOptions(
      type,
      "Any type",
      entries.map((entry) => entry.type),
    );
    offerOptions(
      user,
      "Any user",
      entries.map((entry) => String(entry.user)),
    );
  };
  return { search, type, user, since, moment, wants, offer };
}

/** Chooses what there may be no entry of, yet. */
function choose(select, value) {
  if (value) put(select, el("option", { value }, visible(value)));
}

/** A link for each kind: which one is looked at is in the address. */
export function kindChips(open) {
  return el(
    "div.chips",
    { role: "group", "aria-label": "What" },
    Object.keys(KINDS).map((name) =>
      el(
        "a.chip",
        {
          href: name === "Everything" ? "#/a" : `#/a/${name}`,
          // The other filters stay.
          onclick: (event) => {
            event.preventDefault();
            goAlike(event.currentTarget.hash);
          },
          "aria-current": name === open ? "true" : null,
        },
        name,
      ),
    ),
  );
}

/** Whether a text in small letters is in what an entry shows. */
function says(entry, text) {
  if (!text) return true;
  const fields = [entry.subject, entry.command, entry.action, String(entry.port ?? ""), sentence(entry)];
  return fields.some((field) => (field ?? "").toLowerCase().includes(text));
}

/** The choices of a filter, each once; what was chosen stays so. */
function offerOptions(select, all, names) {
  const chosen = select.value;
  if (chosen) names.push(chosen);
  put(
    select,
    el("option", { value: "" }, all),
    [...new Set(names)]
      .filter(Boolean)
      .sort()
      .map((name) => el("option", { value: name }, visible(name))),
  );
  select.value = chosen;
}

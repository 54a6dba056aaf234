// The filters of the audit page: which entries are looked at, by kind, type, user, day, and text.

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
/** How far back may be looked, as the address `/audit` takes it. */
const DAYS = [
  ["", "Any day"],
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
  const wishes = inAddress();
  const wished = wishes.get("type");
  if (wished) put(type, el("option", { value: wished }, visible(wished)));
  since.value = DAYS.some(([value]) => value === wishes.get("since")) ? wishes.get("since") : "";
  search.addEventListener("input", draw);
  type.addEventListener("change", () => {
    keepInAddress("type", type.value);
    draw();
  });
  user.addEventListener("change", draw);
  // Older entries have to be asked for.
  since.addEventListener("change", () => {
    keepInAddress("since", since.value);
    load();
  });
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
  return { search, type, user, since, wants, offer };
}

const inAddress = () => new URLSearchParams(location.hash.split("?")[1]);

/** Type and day are in the address; what is searched and whose it is are not, for they name somebody. */
function keepInAddress(name, value) {
  const [path] = location.hash.split("?");
  const wishes = inAddress();
  if (value) wishes.set(name, value);
  else wishes.delete(name);
  history.replaceState(history.state, "", wishes.size ? `${path}?${wishes}` : path);
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
            if (inAddress().size) event.currentTarget.href = `${event.currentTarget.hash}?${inAddress()}`;
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

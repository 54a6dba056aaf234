// The address of the page that is shown, with how it is looked at. It is kept while a drawer is open over the page.
// What names somebody is in no address: it goes with the page's place in the browser's history.

let address = "#/";
let unsaid = {};

/** Where the page is; a drawer that is closed leads there. */
export const pageAddress = () => address;
/** A page is shown at this address. */
export function atPage(hash) {
  const at = hash || "#/";
  // Who comes back from a drawer finds the page as it was.
  if (history.state || at !== address) unsaid = history.state ?? {};
  address = at;
  history.replaceState(unsaid, "");
}

/** What is wished for and in no address. */
export const quietWish = (name) => unsaid[name];
/** Keeps it. */
export function setQuietWish(name, value) {
  unsaid = { ...unsaid, [name]: value };
  if ((location.hash || "#/") === address) history.replaceState(unsaid, "");
}

/** To another page that is looked at in the same way. */
export function goAlike(hash) {
  history.pushState(unsaid, "", wishes().size ? `${hash}?${wishes()}` : hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** How it is looked at: its zoom, its filters. */
export const wishes = () => new URLSearchParams(address.split("?")[1]);
/** One of them. */
export const wish = (name) => wishes().get(name);

/** Keeps it in the address; what goes without saying isn't written there. */
export function setWish(name, value) {
  const isHere = (location.hash || "#/") === address;
  const [path] = address.split("?");
  const wished = wishes();
  if (value) wished.set(name, value);
  else wished.delete(name);
  address = wished.size ? `${path}?${wished}` : path;
  if (isHere) history.replaceState(history.state, "", address);
}

// The overview's address, with how it is looked at. It is kept while a drawer is open over it.

let address = "#/";

/** Where the overview is now. */
export const overviewAddress = () => address;
/** The overview has got this address. */
export function atOverview(hash) {
  address = hash || "#/";
}

/** How it is looked at: its zoom, its filter. */
export const wish = (name) => new URLSearchParams(address.split("?")[1]).get(name);

/** Keeps it in the address; what goes without saying isn't written there. */
export function setWish(name, value) {
  const isHere = (location.hash || "#/") === address;
  const [path, query] = address.split("?");
  const wishes = new URLSearchParams(query);
  if (value) wishes.set(name, value);
  else wishes.delete(name);
  address = wishes.size ? `${path}?${wishes}` : path;
  if (isHere) history.replaceState(history.state, "", address);
}

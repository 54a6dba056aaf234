// Who is at a port, a lease or a stranger, and how that is said.

import { calledName, spokenAge } from "./dom.js";
import { phaseSince } from "./history.js";
import { andWhose } from "./owner.js";
import { WORDS } from "./phases.js";
import { byPort, world } from "./world.js";

/** Programs that styxy did not start, by the port where they listen. */
export const strangersByPort = () => new Map(world.listeners.map((listener) => [listener.port, listener]));

/** A stranger's program, as short as it can be said. */
export const programOf = (listener) => basename(listener) || "another user’s";

/** A stranger's program where nothing around it says that it is a program. */
export const foreignName = (listener) => basename(listener) || "another user’s program";

// Only the processes of one's own user have a command that may be read.
const basename = (listener) => (listener.listener?.command ?? "").split(" ")[0].split("/").pop();

/** Who is at a port, in words; an occupant is a port with the `view` of its lease, or with its `listener`. */
export const spoken = (occupant) => told(occupant, "");

/** The same with how long it has been so. */
export function spokenSince(occupant) {
  const since = phaseSince(occupant.view?.lockId);
  return told(occupant, since ? ` for ${spokenAge(Date.now() - since)}` : "");
}

function told({ port, view, listener }, since) {
  if (listener) return `${port}, ${foreignName(listener)}, not ours`;
  return `${port}, ${calledName(view)}, ${WORDS[view.phase]}${since}${andWhose(view)}`;
}

/** What any port is, in words: it may be free, too. */
export function spokenPort(port) {
  const view = byPort().get(port);
  const listener = world.listeners.find((one) => one.port === port);
  return view || listener ? spoken({ port, view, listener }) : `${port}, free`;
}

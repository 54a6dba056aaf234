// Whose an instance is, and whether who runs `styxy serve` may end it.

import { visible } from "./dom.js";
import { world } from "./world.js";

/** What its user is called, where that is somebody else than who serves; null for one's own and for nobody's. */
export const otherUser = (view) =>
  view.uid === null || view.uid === world.uid ? null : visible(view.user ?? view.uid);

/** The same where it is said behind something else: nothing for one's own. */
export const andWhose = (view) => (otherUser(view) === null ? "" : `, belongs to ${otherUser(view)}`);

/** Its supervisor obeys its own user, and root. */
export const mayEnd = (view) => otherUser(view) === null || world.uid === 0;

/** Why it cannot be stopped here. */
export const belongsTo = (view) => `Belongs to ${otherUser(view)}; only ${otherUser(view)} can stop it.`;

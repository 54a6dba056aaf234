// Where a service type comes from, as a badge.

import { el } from "./dom.js";

const WORDS = { profile: "built in", config: "configured", auto: "automatic" };

/** The badge of a type's origin. */
export const originBadge = ({ origin }) => el(`span.badge.${origin}`, {}, WORDS[origin]);

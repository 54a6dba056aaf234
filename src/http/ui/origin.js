// Where a service type comes from, as a badge; and which file a setting comes from.

import { get } from "./api.js";
import { el } from "./dom.js";

const WORDS = { profile: "built in", config: "configured", auto: "automatic" };
const FILES = { system: "machine", user: "your config", project: "styxy.toml" };
/** A key of a type, with the type's name. */
const TYPE_KEY = /^service_types\.(?:"([^"]+)"|([^."]+))\./;

/** The file that says something of a type, by the type's name; of several, the one that wins. */
let saidIn = new Map();

/** Whether a setting's origin is that file; an origin may leave out the folder one is in. */
export function isFrom(origin, file) {
  const path = origin.replace(/:\d+$/, "").replace(/^~\//, "");
  return file.path === path || Boolean(file.path?.endsWith(`/${path}`));
}

/** Asks which file says what of the types. */
export async function learnOrigins() {
  const [{ files }, { entries }] = await Promise.all([get("/config/files"), get("/config")]);
  const wins = Object.keys(FILES);
  saidIn = new Map();
  for (const { key, origin } of entries) {
    const [, quoted, bare] = TYPE_KEY.exec(key) ?? [];
    const target = files.find((file) => isFrom(origin, file))?.target;
    const name = quoted ?? bare;
    if (name && target && wins.indexOf(target) >= wins.indexOf(saidIn.get(name))) saidIn.set(name, target);
  }
}

/** The badge of a type's origin. */
export const originBadge = ({ name, origin }) =>
  el(`span.badge.${origin}`, {}, (origin === "config" && FILES[saidIn.get(name)]) || WORDS[origin]);

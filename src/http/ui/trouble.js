// What the supervisors of those in trouble tell: why, since when, and when the next try is. They are asked at each
// change of phase, one after the other.

import { get, named } from "./api.js";
import { learnPhases } from "./history.js";
import { inTrouble } from "./phases.js";
import { changed, sorted, watch, world } from "./world.js";

/** So many are asked: nobody reads more reasons than that. */
const ASKED_MAX = 40;
/** How long a trouble lasts is said anew so often, in ms; until when it is waited, more often. */
const [SPANS, COUNTDOWN] = [5000, 1000];

/** By lockId: the state that was asked about, and what was told then, and when. */
const known = new Map();
let isAsking = false;
let timer = 0;

const stateOf = ({ phase, restarts }) => `${phase} ${restarts}`;

/** What was told of an instance as it is now; null if nothing was. */
export function toldOf(view) {
  const asked = known.get(view.lockId);
  return asked?.state === stateOf(view) ? asked.told : null;
}

/** How long it is until the next try, in ms; 0 where none is waited for. */
export function untilNextTry(view) {
  const told = toldOf(view);
  return told?.nextTry ? Math.max(0, told.at + told.nextTry.inMs - Date.now()) : 0;
}

/** Asks whenever somebody gets into trouble, for as long as the page lives. */
export function followTrouble() {
  watch((what) => {
    // Who could not be heard is asked again.
    if (what.has("live")) known.clear();
    if (!["instances", "live", "trouble"].some((one) => what.has(one))) return;
    for (const lockId of known.keys()) if (!world.instances.has(lockId)) known.delete(lockId);
    askAll();
    clearTimeout(timer);
    const troubled = sorted().filter(inTrouble);
    const pause = troubled.some(untilNextTry) ? COUNTDOWN : SPANS;
    if (troubled.length) timer = setTimeout(() => changed("trouble"), pause);
  });
}

async function askAll() {
  if (isAsking) return;
  isAsking = true;
  for (let view = nextToAsk(); view; view = nextToAsk()) {
    const asked = { state: stateOf(view), told: null };
    known.set(view.lockId, asked);
    const told = await get(`/instances/${named(view.lockId)}/checks`).catch(() => null);
    if (!told) continue;
    asked.told = { ...told, at: Date.now() };
    learnPhases(view.lockId, told);
    changed("trouble");
  }
  isAsking = false;
}

const nextToAsk = () =>
  world.live &&
  sorted()
    .filter(inTrouble)
    .slice(0, ASKED_MAX)
    .find((view) => known.get(view.lockId)?.state !== stateOf(view));

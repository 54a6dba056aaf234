// What the page knows of the machine, kept up to date by events; and who wants to know of changes.

import { follow, get } from "./api.js";
import { tellTwins } from "./dom.js";
import { forgetPhases, notePhase } from "./history.js";
import { inTrouble } from "./phases.js";
import { noteLock } from "./state_lock.js";

/** All that is known now; only this file and `looks.js` write it, but for `chosen`. */
export const world = {
  uid: null,
  instances: new Map(),
  types: [],
  listeners: [],
  ephemeral: null,
  usage: new Map(),
  audit: [],
  chosen: null,
  asOf: null,
  live: false,
  waits: 0,
  loaded: false,
};
const watchers = new Set();
const named = new Map();
tellTwins((view) => (named.get(`${view.type}/${view.id}`) ?? 0) > 1);
/** What a person does is drawn in the next frame. */
const PROMPT = new Set(["find", "chosen", "live"]);
/** Of the time, a part in so many goes into drawing what happens: who scrolls or types finds the page free. */
const PART = 3;
/** So much drawing in ms, after a calm, before it is held back; and so long it is at most. */
const [CREDIT_MAX, WAIT_MAX] = [200, 150];
/** So long, in ms, nothing is drawn while the first snapshot is on its way. */
const PATIENCE = 400;
let pending = null;
let waits = 0;
let [credit, creditAt] = [CREDIT_MAX, 0];

/** Calls back in a frame with what has changed: instances, trouble, types, listeners, usage, audit, live. */
export function watch(callback) {
  watchers.add(callback);
  return () => watchers.delete(callback);
}

/** How long a drawing has to wait, in ms. */
function toWait() {
  const now = performance.now();
  credit = Math.min(CREDIT_MAX, credit + (now - creditAt) / PART);
  creditAt = now;
  return credit > 0 ? 0 : -credit * PART;
}

function tellWatchers() {
  if (!pending) return;
  const told = pending;
  pending = null;
  const began = performance.now();
  for (const callback of [...watchers]) callback(told);
  // The frame after it comes when this one is painted.
  requestAnimationFrame(() => {
    credit = Math.max(credit - (performance.now() - began), -WAIT_MAX / PART);
  });
}

/** Says that something has changed, to be drawn in a frame to come. */
export function changed(what) {
  const isFirst = !pending;
  pending ??= new Set();
  const isPrompt = PROMPT.has(what) && ![...pending].some((one) => PROMPT.has(one));
  pending.add(what);
  if (!isFirst && !isPrompt) return;
  clearTimeout(waits);
  const wait = isPrompt ? 0 : toWait();
  if (wait) waits = setTimeout(() => requestAnimationFrame(tellWatchers), wait);
  else requestAnimationFrame(tellWatchers);
}

let inOrder = null;
let ports = null;

/** Trouble first, then by port. Made once for all who ask between two changes; nobody may change it. */
export const sorted = () =>
  (inOrder ??= [...world.instances.values()].sort(
    (a, b) => inTrouble(b) - inTrouble(a) || a.port - b.port || (a.lockId < b.lockId ? -1 : 1),
  ));

/** Whose a port is; made once, too. */
export const byPort = () => {
  if (ports) return ports;
  ports = new Map();
  for (const view of world.instances.values()) {
    ports.set(view.port, view);
    for (const port of Object.values(view.ports ?? {})) ports.set(port, view);
  }
  return ports;
};

function take(name, data) {
  world.asOf = Date.now();
  if (name === "open") {
    world.live = true;
    world.waits = 0;
    changed("live");
    return;
  }
  if (name === "lock") {
    noteLock(data);
    return;
  }
  if (name === "snapshot") {
    world.uid = data.uid;
    noteLock(data.lock);
    world.instances = new Map(data.instances.map((view) => [view.lockId, view]));
    world.types = data.types;
    world.ephemeral = data.ephemeral;
    world.loaded = true;
    changed("types");
  } else {
    for (const view of data.instances) world.instances.set(view.lockId, view);
    for (const lockId of data.gone) {
      world.instances.delete(lockId);
      forgetPhases(lockId);
      world.usage.delete(lockId);
    }
    if (data.types) {
      world.types = data.types;
      changed("types");
    }
    if (data.audit.length) {
      world.audit.push(...data.audit);
      world.audit = world.audit.slice(-2000);
      changed("audit");
    }
  }
  [inOrder, ports] = [null, null];
  named.clear();
  for (const view of world.instances.values()) {
    notePhase(view);
    const name = `${view.type}/${view.id}`;
    named.set(name, (named.get(name) ?? 0) + 1);
  }
  changed("instances");
}

/** Whether there is anything to draw: before the first snapshot there may be ranges already. */
export const isDrawable = () => world.loaded || world.types.length > 0;

/** A first snapshot that takes its time has the ranges drawn without anybody in them. */
async function showRanges() {
  if (world.loaded) return;
  const { types } = await get("/types");
  if (world.loaded) return;
  world.types = types;
  changed("types");
}

let wake = () => {};
/** Asks for the connection now, and not after the pause. */
export const tryNow = () => wake();

/** Follows the events for as long as the page lives. */
export async function live() {
  setTimeout(() => showRanges().catch(() => {}), PATIENCE);
  for (;;) {
    try {
      await follow("/events", undefined, take);
    } catch (error) {
      if (error.status === 401) {
        world.refused = true;
        changed("live");
        return;
      }
    }
    world.live = false;
    noteLock(null);
    world.waits = Math.min(30, Math.max(1, world.waits * 2));
    changed("live");
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, world.waits * 1000);
    });
  }
}

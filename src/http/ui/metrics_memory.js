// The memory of instances over time: sampled while the page is open, for nothing writes it down.

import { bytes, visible } from "./dom.js";
import { watch, world } from "./world.js";

/** When there are so many samples, the oldest go, so many at once. */
const SAMPLES_MAX = 2000;
const SAMPLES_DROPPED = 500;
/** So many instances are named. */
const NAMED_MAX = 3;

/** The samples, `[time, bytes]`, the oldest first. */
export const memory = [];

// They are taken whichever page is open, so that the chart has a past when someone comes to it.
watch((what) => {
  if (!what.has("usage")) return;
  const all = [...world.usage.values()];
  if (all.length) memory.push([Date.now(), all.reduce((sum, used) => sum + used.memory, 0)]);
  if (memory.length > SAMPLES_MAX) memory.splice(0, SAMPLES_DROPPED);
});

/** Who has the most now. */
export function heaviest() {
  const first = [...world.usage]
    .map(([lockId, used]) => [world.instances.get(lockId)?.id ?? lockId, used.memory])
    .sort((a, b) => b[1] - a[1])
    .slice(0, NAMED_MAX);
  if (!first.length) return "Sampled while this page is open";
  return first.map(([id, used]) => `${visible(id)} ${bytes(used)}`).join(", ");
}

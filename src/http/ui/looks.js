// What no event tells: what processes use, and who else listens. It is asked for while somebody looks.

import { get } from "./api.js";
import { changed, watch, world } from "./world.js";

/** What processes use is asked for so often, in ms; who listens each so many times. */
const [USAGE, SCAN] = [2000, 8];

const samples = new Map();

/** Shares of the processor are means of ten seconds, so that they can be read. */
async function lookAtUsage() {
  const { atMs, usage } = await get("/usage");
  world.usage = new Map(
    Object.entries(usage).map(([lockId, used]) => {
      const seen = (samples.get(lockId) ?? []).filter((sample) => atMs - sample.atMs < 10_500);
      seen.push({ atMs, cpuMs: used.cpuMs });
      samples.set(lockId, seen);
      const [first] = seen;
      const cpu =
        seen.length > 1 && used.cpuMs >= first.cpuMs
          ? (100 * (used.cpuMs - first.cpuMs)) / (atMs - first.atMs)
          : null;
      return [lockId, { ...used, cpu }];
    }),
  );
  changed("usage");
}

async function lookAtListeners() {
  const { ports_in_use: ports } = await get("/scan");
  world.listeners = ports.filter((port) => !port.lease && port.listener);
  changed("listeners");
}

/** Asks for what no event tells, while somebody looks: at once when the server is heard, then every two seconds. */
export function keepLooking() {
  let [turn, timer, isScanning] = [0, 0, false];
  const look = async () => {
    clearTimeout(timer);
    timer = setTimeout(look, USAGE);
    if (document.visibilityState !== "visible" || !world.live) return;
    // To find out who listens may take long, and nobody waits for it.
    if (turn++ % SCAN === 0 && !isScanning) {
      isScanning = true;
      lookAtListeners()
        .catch(() => {})
        .then(() => {
          isScanning = false;
        });
    }
    await lookAtUsage().catch(() => {});
  };
  watch((what) => {
    if (what.has("live") && world.live) look();
  });
  look();
}

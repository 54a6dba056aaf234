// What frames cost: how far they are apart, the processor time of the page's own thread for each, and of all processes.
//
// Compositing and rasterisation belong to other threads. Where there is no graphics card they are software, too, and
// are a part of the second figure only.

import { browser } from "./browser.mjs";

/** The task that styles, lays out and paints a frame, and all tasks, as the browser's trace calls them. */
const FRAME = "ProxyMain::BeginMainFrame";
const TASK = "ThreadControllerImpl::RunTask";
const CATEGORIES = ["toplevel", "cc", "blink", "__metadata"];

/** Lets `act` run, which answers how long frames took; answers each figure in ms, from the smallest. */
export async function costOf(act) {
  const system = await browser.newBrowserCDPSession();
  const events = [];
  system.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const before = await used(system);
  await system.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: CATEGORIES },
  });
  const lengths = await act();
  const each = (1000 * ((await used(system)) - before)) / lengths.length;
  const isOver = new Promise((done) => system.once("Tracing.tracingComplete", done));
  await system.send("Tracing.end");
  await isOver;
  await system.detach();
  return { lengths: sorted(lengths), page: sorted(ownTimes(events)), each };
}

const sorted = (numbers) => numbers.sort((a, b) => a - b);

/** A number that so large a part of the sorted ones is not larger than, in words. */
export const part = (numbers, share) =>
  numbers[Math.min(numbers.length - 1, Math.floor(numbers.length * share))].toFixed(1);

/** The processor time of the pages' processes and of the one that draws, in s. */
async function used(system) {
  const { processInfo } = await system.send("SystemInfo.getProcessInfo");
  return processInfo
    .filter(({ type }) => type === "renderer" || type === "GPU")
    .reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** The processor time of the page's thread for each frame, and for what was done since the frame before it. */
function ownTimes(events) {
  const frames = events.filter(({ name, ph }) => name === FRAME && ph === "X").sort((a, b) => a.ts - b.ts);
  const threads = new Set(frames.map(threadOf));
  const tasks = events.filter((one) => one.name === TASK && one.ph === "X" && threads.has(threadOf(one)));
  const times = frames.map(() => 0);
  let frame = 0;
  for (const { ts, tdur } of tasks.sort((a, b) => a.ts - b.ts)) {
    while (frame < frames.length - 1 && ts > frames[frame].ts) frame += 1;
    times[frame] += (tdur ?? 0) / 1000;
  }
  return times;
}

const threadOf = ({ pid, tid }) => `${pid} ${tid}`;

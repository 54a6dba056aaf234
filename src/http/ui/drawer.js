// One instance: what it is, how it fares, what it writes; each part is drawn anew when it changes.

import { el } from "./dom.js";
import { drawFacts } from "./drawer_facts.js";
import { drawerHead } from "./drawer_head.js";
import { drawEnded } from "./ended.js";
import { health } from "./health.js";
import { learnPhases } from "./history.js";
import { logView } from "./log.js";
import { phaseStrip } from "./phase_strip.js";
import { drawReason } from "./reason.js";
import { stopQuestion } from "./stop_question.js";
import { sorted, watch, world } from "./world.js";

/** A stop that lasts longer is looked at, in ms. */
const SOON = 300;

/** Fills the drawer with an instance; `close` takes it away. */
export function drawer(lockId, close) {
  const abort = new AbortController();
  /** What its supervisor last told, and when. */
  let fare = null;
  const question = stopQuestion(() => head.querySelector(".danger")?.focus());
  const head = drawerHead({
    close,
    step: (by) => step(lockId, by),
    askToStop: (view) => question.ask(view, world.usage.get(lockId)?.processes, fare?.stop),
    say: question.say,
    failed: question.failed,
  });
  const reason = el("div.reason-box", { hidden: true });
  const strip = phaseStrip(lockId);
  const facts = el("dl.facts");
  const log = logView(lockId, abort.signal);
  const checks = health(lockId, abort.signal, (told) => {
    fare = { ...told, at: Date.now() };
    learnPhases(lockId, told);
    draw();
  });
  const node = el(
    "div.drawer-body",
    {},
    head,
    question.node,
    reason,
    strip,
    checks,
    el("section", {}, facts),
    log,
  );
  let [last, isGone] = [null, false];
  let [phaseDrawn, treeAsked] = [null, null];

  function drawGone() {
    head.draw(null);
    checks.hidden = true;
    drawEnded(reason, last, (started) => {
      if (!abort.signal.aborted) go(started);
    });
  }
  function draw() {
    const view = world.instances.get(lockId);
    if (!view) {
      if (isGone) return;
      isGone = true;
      drawGone();
      return;
    }
    [last, isGone] = [view, false];
    head.draw(view);
    if (phaseDrawn !== view.phase) setTimeout(lookAtStop, SOON, view, checks);
    phaseDrawn = view.phase;
    drawReason(reason, view, fare);
    strip.draw(view);
    drawFacts(facts, view, fare);
    lookAtTree(view);
  }
  /** Who has other processes now is asked for their names, once. */
  function lookAtTree({ pid }) {
    const used = world.usage.get(lockId)?.processes;
    if (!fare?.processes || used === undefined) return;
    const isTold = used === fare.processes.length + fare.processesMore;
    const tree = `${pid} ${used}`;
    if (isTold || tree === treeAsked) return;
    treeAsked = tree;
    checks.look();
  }
  const unwatch = watch((what) => {
    if (what.has("instances") || what.has("usage")) draw();
  });
  // Who is stopping, or waits for its next try, is counted down.
  const seconds = setInterval(() => {
    if (["stopping", "backoff"].includes(last?.phase) && !isGone) drawReason(reason, last, fare);
  }, 1000);
  draw();
  node.leave = () => {
    unwatch();
    clearInterval(seconds);
    abort.abort();
  };
  return node;
}

const go = (view) => {
  location.hash = `#/i/${encodeURIComponent(view.lockId)}`;
};

/** To the next instance, or with −1 to the one before; behind the last one is the first. */
function step(lockId, by) {
  const all = sorted();
  const at = all.findIndex((view) => view.lockId === lockId);
  const next = all[(at + by + all.length) % all.length];
  if (next) go(next);
}

/** Who has stopped by then has nothing to tell. */
function lookAtStop({ lockId, phase }, checks) {
  if (["stopping", "stuck"].includes(phase) && world.instances.get(lockId)?.phase === phase) checks.look();
}

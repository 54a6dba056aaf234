// Which phases each instance has been in: by events since the page was opened, and since its start once its
// supervisor has told.

/** So many are kept of each. */
const SPANS_MAX = 80;
/** An answer may be on its way for so long, in ms: what was told before stays where it is. */
const SAME = 500;

/** By lockId: its spans, the oldest first, whether there were others before, and the phase that was heard of last. */
const histories = new Map();

/** Notes the phase in which an event, or the first look, shows an instance. */
export function notePhase(view) {
  const known = histories.get(view.lockId);
  if (known?.heard === view.phase) return;
  const spans = known?.spans ?? asFarAsTold(view);
  if (spans.at(-1)?.phase !== view.phase) {
    // When a phase began that was there when the page was opened, only the supervisor can tell.
    spans.push({ phase: view.phase, from: Date.now(), isSeen: Boolean(known) });
  }
  keep(view.lockId, spans, known?.isCut ?? false, view.phase);
}

/** What an instance itself tells of its beginning. */
function asFarAsTold({ startedAt, readyAt }) {
  const spans = [];
  if (startedAt) spans.push({ phase: "starting", from: Date.parse(startedAt) });
  if (readyAt) spans.push({ phase: "ready", from: Date.parse(readyAt) });
  return spans;
}

/** Takes in what a supervisor tells of its instance; one of an older styxy tells nothing. */
export function learnPhases(lockId, { phases, phasesDropped }) {
  if (!phases?.length) return;
  const known = histories.get(lockId);
  const now = Date.now();
  const first = now - phases[0].agoMs;
  const same = known?.spans.find((span) => span.isTold && Math.abs(span.from - first) < SAME);
  const late = same ? first - same.from : 0;
  const spans = phases.map(({ phase, agoMs }) => ({ phase, from: now - agoMs - late, isTold: true }));
  const [told, heard] = [spans.at(-1), known?.spans.at(-1)];
  // What was heard of while the answer was on its way is newer than the answer.
  if (heard && heard.isSeen !== false && heard.from > told.from && heard.phase !== told.phase)
    spans.push(heard);
  keep(lockId, spans, phasesDropped, known?.heard);
}

function keep(lockId, spans, isCut, heard) {
  histories.set(lockId, {
    spans: spans.slice(-SPANS_MAX),
    isCut: isCut || spans.length > SPANS_MAX,
    heard,
  });
}

/** Forgets one that has ended. */
export const forgetPhases = (lockId) => histories.delete(lockId);

/** The phases of an instance, the oldest first; `isCut` says that there were others before. */
export const phasesOf = (lockId) => histories.get(lockId) ?? { spans: [], isCut: false };

/** Since when an instance has been in its phase; null if that is not known. */
export function phaseSince(lockId) {
  const last = phasesOf(lockId).spans.at(-1);
  return last && last.isSeen !== false ? last.from : null;
}

//! The ladder of a stop: the signal, a grace, KILL of the tree, and what to think of those who survive it.
//!
//! Pure. What follows when the tree is gone is the machine's business.

use super::{
    action::{Action, Progress},
    event::{End, Event, Signal},
    machine::Turn,
    message::StopStanding,
};
use std::time::{Duration, Instant};

/// Who is there so long after KILL sleeps in the kernel where no signal reaches.
pub const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// Where containers are to be killed, that is a wish which their engine hears, in several commands; a busy machine
/// takes its time for them.
pub const ENGINE_PATIENCE: Duration = Duration::from_secs(60);
/// So many who survive KILL are named, that they fit into one message.
pub(super) const SURVIVORS_MAX: usize = 64;

/// How long a stop waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Before KILL.
    pub(super) grace: Duration,
    /// After it.
    pub(super) kill: Duration,
}

/// A stop under way.
#[derive(Debug)]
pub(super) struct Stop {
    why: Why,
    /// How long it had been ready.
    ready_for: Option<Duration>,
    /// How the command ended, and when. `None`: it still runs.
    end: Option<(End, Instant)>,
    ladder: Ladder,
    /// How long it waits after KILL.
    kill_patience: Duration,
    /// The signal that its group has had.
    group_had: Option<Signal>,
    /// What was left of the tree when it was last signalled.
    survivors: Vec<i32>,
}

/// Why a tree is being ended, which says what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody asked for it.
    Asked,
    /// Somebody asked for a new start.
    Restart,
    /// The command ended by itself, and these are its remains.
    Ended,
    /// Its liveness checks failed.
    Unhealthy,
    /// It was not ready in time.
    Late,
    /// Somebody else serves its port.
    Stolen,
    /// It may start without the reservation.
    Retry,
}

/// A command that has ended, and nothing of its tree is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone {
    /// Why its tree was ended.
    pub(super) why: Why,
    /// How it ended.
    pub(super) end: End,
    /// When that was.
    pub(super) at: Instant,
    /// How long it had been ready.
    pub(super) ready_for: Option<Duration>,
}

/// How far a stop is after an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progressed {
    /// Something is left.
    Not,
    /// Nothing is left.
    ToTheEnd(Gone),
    /// Who waited for a tree that survived KILL does not wait any longer.
    GivenUp(Vec<i32>),
}

impl Stop {
    /// Begins a stop with that signal. KILL means that there is no grace.
    pub(super) fn begin(
        why: Why,
        signal: Signal,
        end: Option<End>,
        ready_for: Option<Duration>,
        patience: Patience,
        turn: &mut Turn,
    ) -> Self {
        let mut stop = Self {
            why,
            ready_for,
            end: end.map(|end| (end, turn.now)),
            ladder: Ladder::begin(patience.grace, turn.now),
            kill_patience: patience.kill,
            group_had: None,
            survivors: Vec::new(),
        };
        if signal == Signal::KILL {
            stop.kill(turn);
        } else if end.is_some() {
            turn.act(Action::SignalTree { signal, spare_group: false });
        } else {
            stop.group_had = Some(signal);
            turn.act(Action::SignalGroup(signal));
        }
        stop
    }

    /// The program ends by itself, and has said so: it needs no signal.
    pub(super) fn by_itself(ready_for: Option<Duration>, patience: Patience, now: Instant) -> Self {
        Self {
            why: Why::Ended,
            ready_for,
            end: None,
            ladder: Ladder::begin(patience.grace, now),
            kill_patience: patience.kill,
            group_had: None,
            survivors: Vec::new(),
        }
    }

    /// Takes in one event. `signal` is what the remains get when the leader has ended.
    pub(super) fn step(&mut self, event: Event, signal: Signal, turn: &mut Turn) -> Progressed {
        match event {
            Event::Ended { end, tree_left, .. } => return self.ended(end, tree_left, signal, turn),
            Event::OrphanEnded { tree_left: true } if self.ladder.kills() => {
                turn.act(Action::KillTree);
            }
            Event::OrphanEnded { tree_left: false } => return self.tree_gone(),
            Event::TreeSeen { left } if left.is_empty() => return self.tree_gone(),
            Event::TreeSeen { mut left } => {
                left.truncate(SURVIVORS_MAX);
                self.survivors = left;
            }
            Event::Signal(signal @ (Signal::INT | Signal::TERM)) => {
                return self.urged(signal, turn);
            }
            Event::Signal(signal) if self.end.is_none() => turn.act(Action::PassOn(signal)),
            Event::Stop { kill } => {
                self.why = Why::Asked;
                // Whoever is stuck may have come free meanwhile.
                if kill || self.is_stuck() {
                    self.kill(turn);
                }
            }
            Event::StopWithin(grace) => {
                self.why = Why::Asked;
                self.ladder.set_grace(grace, turn.now);
            }
            Event::MoreTime(more) => self.ladder.give_time(more, turn.now),
            Event::Restart if self.why != Why::Asked => self.why = Why::Restart,
            Event::Tick => match self.ladder.on_time(turn.now, self.kill_patience) {
                None => {}
                Some(Rung::Kill) => turn.act(Action::KillTree),
                Some(Rung::GiveUp) => {
                    turn.act(Action::Report(Progress::Stuck { pids: self.survivors.clone() }));
                }
            },
            Event::OrphanEnded { tree_left: true }
            | Event::Started
            | Event::NotStarted { .. }
            | Event::CheckEnded(_)
            | Event::SaidReady
            | Event::SaidStopping
            | Event::PortSeen(_)
            | Event::Signal(_)
            | Event::Restart => {}
        }
        Progressed::Not
    }

    /// When the next rung is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ladder.deadline()
    }

    /// How long is left before KILL.
    pub(super) fn grace_left(&self, now: Instant) -> Option<Duration> {
        match self.ladder {
            Ladder::Grace { until, .. } => Some(until.saturating_duration_since(now)),
            Ladder::Killing { .. } | Ladder::Stuck => None,
        }
    }

    /// How far it is, for those who look.
    pub(super) fn standing(&self, now: Instant) -> StopStanding {
        let ms = |left: Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        StopStanding {
            kill_in_ms: self.grace_left(now).map(ms),
            survivors: if self.is_stuck() { self.survivors.clone() } else { Vec::new() },
        }
    }

    /// Whether the tree survived KILL.
    pub(super) fn is_stuck(&self) -> bool {
        self.ladder == Ladder::Stuck
    }

    fn ended(&mut self, end: End, tree_left: bool, signal: Signal, turn: &mut Turn) -> Progressed {
        let leader_ended_now = self.end.replace((end, turn.now)).is_none();
        if !tree_left {
            return self.tree_gone();
        }
        if self.ladder.kills() {
            turn.act(Action::KillTree);
        } else if leader_ended_now {
            // A second TERM would make some programs drop what they were just finishing.
            let spare_group = self.group_had == Some(signal);
            turn.act(Action::SignalTree { signal, spare_group });
        }
        Progressed::Not
    }

    fn tree_gone(&self) -> Progressed {
        let Self { why, ready_for, .. } = *self;
        match self.end {
            Some((end, at)) => Progressed::ToTheEnd(Gone { why, end, at, ready_for }),
            // The leader is gone too, and its end is told next.
            None => Progressed::Not,
        }
    }

    /// Somebody wants it to go on.
    fn urged(&mut self, signal: Signal, turn: &mut Turn) -> Progressed {
        if self.is_stuck() {
            return Progressed::GivenUp(std::mem::take(&mut self.survivors));
        }
        let again = self.why == Why::Asked;
        self.why = Why::Asked;
        // The terminal is styxy's again once the leader has ended: Ctrl-C means these remains.
        if again || (signal == Signal::INT && self.end.is_some()) {
            self.kill(turn);
        }
        Progressed::Not
    }

    fn kill(&mut self, turn: &mut Turn) {
        self.ladder.hurry(turn.now, self.kill_patience);
        turn.act(Action::KillTree);
    }
}

/// Where a stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ladder {
    /// The signal was sent; it may end in its own way until then.
    Grace {
        /// The moment of KILL.
        until: Instant,
        /// The same without the time that it asked for.
        least: Instant,
    },
    /// KILL was sent.
    Killing {
        /// From then on it is stuck.
        until: Instant,
    },
    /// It survived. Whether it ever ends is out of our hands.
    Stuck,
}

/// What a step on the ladder asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    /// Send KILL to the tree.
    Kill,
    /// Say that it is stuck.
    GiveUp,
}

impl Ladder {
    /// The first rung: the signal is sent now.
    fn begin(grace: Duration, now: Instant) -> Self {
        let until = now + grace;
        Self::Grace { until, least: until }
    }

    /// Begins the grace anew, with another length.
    fn set_grace(&mut self, grace: Duration, now: Instant) {
        match self {
            Self::Grace { .. } => *self = Self::begin(grace, now),
            Self::Killing { .. } | Self::Stuck => {}
        }
    }

    /// Who is ending wants so much time from now. A later word of that kind replaces an earlier one.
    fn give_time(&mut self, more: Duration, now: Instant) {
        match self {
            Self::Grace { until, least } => *until = (*least).max(now + more),
            Self::Killing { .. } | Self::Stuck => {}
        }
    }

    /// Skips what is left of the grace.
    fn hurry(&mut self, now: Instant, patience: Duration) {
        match self {
            Self::Grace { .. } => *self = Self::Killing { until: now + patience },
            Self::Killing { .. } | Self::Stuck => {}
        }
    }

    /// What is due by then.
    fn on_time(&mut self, now: Instant, patience: Duration) -> Option<Rung> {
        match *self {
            Self::Grace { until, .. } if until <= now => {
                self.hurry(now, patience);
                Some(Rung::Kill)
            }
            Self::Killing { until } if until <= now => {
                *self = Self::Stuck;
                Some(Rung::GiveUp)
            }
            Self::Grace { .. } | Self::Killing { .. } | Self::Stuck => None,
        }
    }

    /// When the next rung is due. Who is stuck is not looked at again until something ends.
    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Grace { until, .. } | Self::Killing { until } => Some(until),
            Self::Stuck => None,
        }
    }

    /// Whether whoever turns up in the tree now gets KILL.
    fn kills(self) -> bool {
        match self {
            Self::Grace { .. } => false,
            Self::Killing { .. } | Self::Stuck => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::clock;

    const GRACE: Duration = Duration::from_secs(10);

    #[test]
    fn without_hurry_each_rung_waits_for_its_time() {
        let start = clock::now();
        let mut ladder = Ladder::begin(GRACE, start);
        assert_eq!(ladder.on_time(start + GRACE - Duration::from_millis(1), KILL_PATIENCE), None);
        assert_eq!(ladder.deadline(), Some(start + GRACE));
        assert_eq!(ladder.on_time(start + GRACE, KILL_PATIENCE), Some(Rung::Kill));
        assert_eq!(ladder.on_time(start + GRACE, KILL_PATIENCE), None);
        assert_eq!(
            ladder.on_time(start + GRACE + KILL_PATIENCE, KILL_PATIENCE),
            Some(Rung::GiveUp)
        );
        assert_eq!(ladder.deadline(), None);
    }

    #[test]
    fn hurry_skips_the_grace_and_prolongs_nothing() {
        let start = clock::now();
        let mut ladder = Ladder::begin(GRACE, start);
        assert!(!ladder.kills());
        ladder.hurry(start, KILL_PATIENCE);
        ladder.hurry(start + Duration::from_secs(1), KILL_PATIENCE);
        assert_eq!(ladder.deadline(), Some(start + KILL_PATIENCE));
        assert!(ladder.kills());
    }

    #[test]
    fn more_time_is_never_less_and_the_last_word_counts() {
        let (start, second) = (clock::now(), Duration::from_secs(1));
        let mut ladder = Ladder::begin(GRACE, start);
        for (asked, expected) in [(1, 10), (30, 30), (12, 12), (1, 10)] {
            ladder.give_time(second * asked, start);
            assert_eq!(ladder.deadline(), Some(start + second * expected), "{asked}");
        }
        ladder.set_grace(second * 2, start + second);
        assert_eq!(ladder.deadline(), Some(start + second * 3));
        ladder.hurry(start, KILL_PATIENCE);
        ladder.give_time(second * 60, start);
        ladder.set_grace(second * 60, start);
        assert_eq!(ladder.deadline(), Some(start + KILL_PATIENCE), "KILL takes no more orders");
    }

    #[test]
    fn no_grace_means_kill_at_once() {
        let start = clock::now();
        assert_eq!(
            Ladder::begin(Duration::ZERO, start).on_time(start, KILL_PATIENCE),
            Some(Rung::Kill)
        );
    }
}

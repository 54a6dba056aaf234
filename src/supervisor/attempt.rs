//! One start of the command: what is known of it from exec to its end, and when it is looked at next.
//!
//! Pure. What follows from it is the machine's business.

use super::{
    event::{End, Signal, Who},
    liveness::Health,
    policy::Policy,
    readiness,
};
use crate::config::ReadyCheck;
use std::time::{Duration, Instant};

/// One start of the command.
#[derive(Debug)]
pub(super) struct Attempt {
    /// When it was started.
    pub(super) began: Instant,
    /// Since when it is ready.
    pub(super) ready_since: Option<Instant>,
    /// How its liveness checks went.
    pub(super) health: Health,
    /// How the leader ended, when its tree is supervised on without it.
    pub(super) leader_end: Option<End>,
    /// The end that is about to be judged, once it is known who serves the port.
    pub(super) ending: Option<Ending>,
    /// The last signal that was passed on and asks most programs to end: an end by it was asked for.
    pub(super) passed_on: Option<Signal>,
    /// The last check saw somebody else serve the port.
    pub(super) stranger: bool,
    /// When it is late, until that was noticed.
    late_at: Option<Instant>,
    /// The same without the time that it asked for.
    late_first: Option<Instant>,
    /// It was late once.
    late: bool,
    pace: Pace,
}

/// An end before it is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub(super) who: Who,
    pub(super) end: End,
    pub(super) tree_left: bool,
    pub(super) at: Instant,
}

/// When it is checked. Two checks never overlap: there is no way to write that down.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// Nothing to check.
    Never,
    /// The next one begins then.
    DueAt(Instant),
    /// One is under way, and is given up then.
    UnderWay { since: Instant, until: Instant },
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The check under way has taken too long.
    GiveUpCheck,
    /// It should have been ready by now.
    Late,
    /// The next check.
    Check,
}

impl Attempt {
    /// One that begins now. `ready_by`: when it has to be ready, if not within its own time-out.
    pub(super) fn new(policy: &Policy, ready_by: Option<Instant>, now: Instant) -> Self {
        let checks = policy.ready != ReadyCheck::None;
        let late_at = checks.then(|| ready_by.unwrap_or(now + policy.ready_timeout));
        Self {
            began: now,
            ready_since: None,
            health: Health::default(),
            leader_end: None,
            ending: None,
            passed_on: None,
            stranger: false,
            late_at,
            late_first: late_at,
            late: false,
            pace: match policy.ready {
                // Two speak up by themselves, the third has nothing to say.
                ReadyCheck::Notify | ReadyCheck::Log(_) | ReadyCheck::None => Pace::Never,
                ReadyCheck::Tcp | ReadyCheck::Http(_) | ReadyCheck::Exec(_) => {
                    Pace::DueAt(now + readiness::pause(Duration::ZERO, false))
                }
            },
        }
    }

    /// The next moment at which something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let check = match self.pace {
            Pace::Never => None,
            Pace::DueAt(at) | Pace::UnderWay { until: at, .. } => Some(at),
        };
        [check, self.late_at].into_iter().flatten().min()
    }

    /// What is due by then, one thing at a time.
    pub(super) fn due(&self, now: Instant) -> Option<Due> {
        match self.pace {
            Pace::UnderWay { until, .. } if until <= now => Some(Due::GiveUpCheck),
            _ if self.late_at.is_some_and(|at| at <= now) => Some(Due::Late),
            Pace::DueAt(at) if at <= now => Some(Due::Check),
            Pace::Never | Pace::DueAt(_) | Pace::UnderWay { .. } => None,
        }
    }

    /// A check begins now.
    pub(super) fn begin_check(&mut self, policy: &Policy, now: Instant) {
        let liveness = policy.liveness.filter(|_| self.ready_since.is_some());
        let timeout = liveness.map_or(policy.probe_timeout, |rules| rules.timeout);
        self.pace = Pace::UnderWay { since: now, until: now + timeout };
    }

    /// The check has ended, or it is ready now: when the next one is due.
    pub(super) fn plan_check(&mut self, policy: &Policy, now: Instant) {
        self.pace = match (self.ready_since, policy.liveness) {
            (None, _) => Pace::DueAt(now + readiness::pause(now - self.began, self.late)),
            (Some(_), Some(rules)) => Pace::DueAt(now + rules.interval),
            (Some(_), None) => Pace::Never,
        };
    }

    /// It is ready from now on.
    pub(super) fn set_ready(&mut self, policy: &Policy, now: Instant) {
        self.ready_since = Some(now);
        self.late_at = None;
        self.plan_check(policy, now);
    }

    /// It wants so much time from now. A later word of that kind replaces an earlier one.
    pub(super) fn give_time(&mut self, more: Duration, now: Instant) {
        let least = self.late_first;
        self.late_at = self.late_at.and(least).map(|least| least.max(now + more));
    }

    /// When it is late, until that was noticed.
    pub(super) fn late_at(&self) -> Option<Instant> {
        self.late_at
    }

    /// That it is late has been noticed, and need not be again.
    pub(super) fn set_late(&mut self) {
        self.late_at = None;
        self.late = true;
    }

    /// Whether a check is under way.
    pub(super) fn is_checking(&self) -> bool {
        matches!(self.pace, Pace::UnderWay { .. })
    }

    /// How long the check under way has taken.
    pub(super) fn checking_for(&self, now: Instant) -> Duration {
        match self.pace {
            Pace::UnderWay { since, .. } => now.saturating_duration_since(since),
            Pace::Never | Pace::DueAt(_) => Duration::ZERO,
        }
    }

    /// Whether it may still get ready in time.
    pub(super) fn may_get_ready(&self) -> bool {
        self.late_at.is_some()
    }

    /// A signal was passed on to the command.
    pub(super) fn note_passed_on(&mut self, signal: Signal) {
        if matches!(signal, Signal::HUP | Signal::QUIT) {
            self.passed_on = Some(signal);
        }
    }

    /// How long it has been ready.
    pub(super) fn ready_for(&self, now: Instant) -> Option<Duration> {
        self.ready_since.map(|since| now.saturating_duration_since(since))
    }

    /// How the command ended, if it has.
    pub(super) fn last_end(&self) -> Option<End> {
        self.ending.map(|ending| ending.end).or(self.leader_end)
    }
}

impl Ending {
    /// Whether what is left of the tree may be supervised on: after a leader that says all is well, or for
    /// another listener after the first.
    pub(super) fn may_run_on(&self) -> bool {
        self.tree_left
            && match self.who {
                Who::Leader => self.end.code() == 0,
                Who::Listener => true,
            }
    }
}

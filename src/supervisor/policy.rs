//! By what rules one instance is supervised.
//!
//! Pure. Where each value comes from (flag, configuration, tool, profile) was settled before.

use super::{
    event::Signal,
    readiness::Reservation,
    stopping::{KILL_PATIENCE, Patience},
};
use crate::config::{
    Liveness, PROBE_TIMEOUT_DEFAULT, READY_TIMEOUT_DEFAULT, ReadyCheck, RestartPolicy,
    STOP_TIMEOUT_DEFAULT, ServiceSettings, StopSignal,
};
use std::time::{Duration, Instant};

/// The rules of one life.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How it is told that the instance is ready.
    pub ready: ReadyCheck,
    /// How long that may take.
    pub ready_timeout: Duration,
    /// What follows when it takes longer.
    pub when_late: WhenLate,
    /// How long one readiness check may take.
    pub probe_timeout: Duration,
    /// How it is told that it still works, if that is asked at all.
    pub liveness: Option<Liveness>,
    /// Whether it is started again when it ends.
    pub restart: RestartPolicy,
    /// The signal that begins a stop.
    pub stop_signal: Signal,
    /// How long the tree may take before KILL.
    pub stop_timeout: Duration,
    /// How long it may take after that before it is stuck.
    pub kill_patience: Duration,
    /// Whether the child has the terminal, so that Ctrl-C is between the user and it.
    pub at_terminal: bool,
    /// Whether its port is reserved, and may be given free for one more try.
    pub reservation: Reservation,
    /// Random bits for the jitter of the waits.
    pub dice: u32,
}

/// What follows when an instance is not ready in time for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenLate {
    /// It is said once, and it runs on.
    Say,
    /// It is stopped: somebody waits for a port that works (detached, or the time-out was given).
    Stop,
}

impl Policy {
    /// How long a stop waits.
    pub(super) fn patience(&self) -> Patience {
        Patience { grace: self.stop_timeout, kill: self.kill_patience }
    }

    /// When a life that begins now is given up unless it was ready once, if it is.
    pub(super) fn ready_by(&self, now: Instant) -> Option<Instant> {
        let gives_up = self.when_late == WhenLate::Stop && self.ready != ReadyCheck::None;
        gives_up.then(|| now + self.ready_timeout)
    }

    /// Whether it tells of itself when it is ready, so that nobody has to ask.
    pub(super) fn waits_for_word(&self) -> bool {
        match self.ready {
            ReadyCheck::Log(_) | ReadyCheck::Notify => true,
            ReadyCheck::Tcp | ReadyCheck::Http(_) | ReadyCheck::Exec(_) | ReadyCheck::None => false,
        }
    }

    /// The settings with every default filled in; the rest as in a detached life without a reservation.
    pub fn new(settings: &ServiceSettings, dice: u32) -> Self {
        Self {
            ready: settings.ready.clone().unwrap_or(ReadyCheck::Tcp),
            ready_timeout: settings.ready_timeout.unwrap_or(READY_TIMEOUT_DEFAULT),
            when_late: WhenLate::Stop,
            probe_timeout: settings.probe_timeout.unwrap_or(PROBE_TIMEOUT_DEFAULT),
            liveness: settings.liveness.applied(),
            restart: settings.restart.unwrap_or_default(),
            stop_signal: settings.stop_signal.unwrap_or(StopSignal::TERM).into(),
            stop_timeout: settings.stop_timeout.unwrap_or(STOP_TIMEOUT_DEFAULT),
            kill_patience: KILL_PATIENCE,
            at_terminal: false,
            reservation: Reservation::Without,
            dice,
        }
    }
}

//! Where a life is, for who asks.
//!
//! Pure, and changes nothing.

use super::{Machine, Phase, State};
use crate::{
    config::RestartPolicy,
    supervisor::{
        message::{NextTry, StopStanding},
        outcome::Lesson,
    },
};
use std::time::{Duration, Instant};

impl Machine {
    /// How long a stop may take from now on.
    pub(in crate::supervisor) fn grace_left(&self, now: Instant) -> Duration {
        match &self.state {
            State::Stopping(stop) => stop.grace_left(now).unwrap_or(self.policy.stop_timeout),
            State::Running(_) | State::Backoff { .. } | State::Over => self.policy.stop_timeout,
        }
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        match &self.state {
            State::Running(attempt) if attempt.health.is_unhealthy() => Phase::Unhealthy,
            State::Running(attempt) if attempt.ready_since.is_some() => Phase::Ready,
            State::Running(_) => Phase::Starting,
            State::Backoff { .. } => Phase::Backoff,
            State::Stopping(stop) if stop.is_stuck() => Phase::Stuck,
            State::Stopping(_) | State::Over => Phase::Stopping,
        }
    }

    /// How far a stop is that is under way.
    pub(in crate::supervisor) fn stop_standing(&self, now: Instant) -> Option<StopStanding> {
        match &self.state {
            State::Stopping(stop) => Some(stop.standing(now)),
            State::Running(_) | State::Backoff { .. } | State::Over => None,
        }
    }

    /// When the command is started again, if that is what is waited for.
    pub(in crate::supervisor) fn next_try(&self, now: Instant) -> Option<NextTry> {
        let State::Backoff { until, end } = &self.state else { return None };
        let left = until.saturating_duration_since(now).as_millis();
        Some(NextTry {
            in_ms: u64::try_from(left).unwrap_or(u64::MAX),
            code: end.code(),
            number: self.history.restarts(),
            of: match self.policy.restart {
                RestartPolicy::OnFailure { restarts_max } => restarts_max,
                RestartPolicy::No | RestartPolicy::Always => None,
            },
        })
    }

    /// How often the command was started again.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// How long it took to be ready for the first time.
    pub fn first_ready_after(&self) -> Option<Duration> {
        self.first_ready_after
    }

    /// What is now known about starting over a reservation.
    pub fn lesson(&self) -> Lesson {
        self.lesson
    }
}

//! The last liveness checks of an instance, for who asks how it fares.
//!
//! Pure. Without such checks nothing is kept, and no memory is taken.

use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// So many are kept: as many as are looked at side by side.
pub const CHECKS_MAX: usize = 44;

/// The last ones, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Checks {
    last: VecDeque<Check>,
}

#[derive(Debug, Clone, Copy)]
struct Check {
    ended: Instant,
    took: Duration,
    passed: bool,
}

/// One check, as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// So many ms ago it ended.
    pub ago_ms: u64,
    /// So many µs it took.
    pub took_us: u64,
    /// Whether it was as it should be.
    pub passed: bool,
}

impl Checks {
    /// Keeps one that has ended now.
    pub(super) fn note(&mut self, passed: bool, took: Duration, now: Instant) {
        if self.last.len() == CHECKS_MAX {
            self.last.pop_front();
        }
        self.last.push_back(Check { ended: now, took, passed });
    }

    /// Those that are kept, the oldest first.
    pub(super) fn told(&self, now: Instant) -> Vec<Checked> {
        let whole = |count: u128| u64::try_from(count).unwrap_or(u64::MAX);
        let told = |check: &Check| Checked {
            ago_ms: whole(now.saturating_duration_since(check.ended).as_millis()),
            took_us: whole(check.took.as_micros()),
            passed: check.passed,
        };
        self.last.iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::clock;

    #[test]
    fn the_last_ones_are_kept_and_told_the_oldest_first() {
        let began = clock::now();
        let mut checks = Checks::default();
        assert_eq!(checks.told(began), []);
        for second in 1..=50 {
            let took = Duration::from_millis(second);
            checks.note(second != 49, took, began + Duration::from_secs(second));
        }
        let told = checks.told(began + Duration::from_secs(60));
        assert_eq!(told.len(), CHECKS_MAX);
        assert_eq!(told[0], Checked { ago_ms: 53_000, took_us: 7_000, passed: true });
        assert_eq!(told[42], Checked { ago_ms: 11_000, took_us: 49_000, passed: false });
        assert_eq!(told[43], Checked { ago_ms: 10_000, took_us: 50_000, passed: true });
    }
}

//! The last phases of an instance, for who asks how it fares.
//!
//! Pure. An instance that has only started and got ready takes a few dozen bytes.

use super::machine::Phase;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// So many are kept: what has been through more is no picture any more.
pub const PHASES_MAX: usize = 64;

/// The last ones, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Phases {
    last: VecDeque<Since>,
    are_dropped: bool,
}

#[derive(Debug, Clone, Copy)]
struct Since {
    boot_ms: u64,
    phase: Phase,
}

/// One phase, as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phased {
    /// Which.
    pub phase: Phase,
    /// So many ms ago it began.
    pub ago_ms: u64,
}

impl Phases {
    /// Keeps one that has begun then, in ms since boot. One that goes on is no news.
    pub(super) fn note(&mut self, phase: Phase, boot_ms: u64) {
        if self.last.back().is_some_and(|last| last.phase == phase) {
            return;
        }
        if self.last.len() == PHASES_MAX {
            self.last.pop_front();
            self.are_dropped = true;
        }
        self.last.push_back(Since { boot_ms, phase });
    }

    /// Those that are kept, the oldest first.
    pub(super) fn told(&self, now_boot_ms: u64) -> Vec<Phased> {
        let told = |since: &Since| Phased {
            phase: since.phase,
            ago_ms: now_boot_ms.saturating_sub(since.boot_ms),
        };
        self.last.iter().map(told).collect()
    }

    /// Whether there were others before.
    pub(super) fn are_dropped(&self) -> bool {
        self.are_dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_and_equal_neighbours_are_one() {
        let mut phases = Phases::default();
        assert_eq!((phases.told(0), phases.are_dropped()), (Vec::new(), false));
        for (phase, at) in [(Phase::Starting, 10), (Phase::Ready, 15), (Phase::Ready, 20)] {
            phases.note(phase, at);
        }
        let told = |phase, ago_ms| Phased { phase, ago_ms };
        assert_eq!(phases.told(25), [told(Phase::Starting, 15), told(Phase::Ready, 10)]);
        assert!(phases.last.capacity() <= 4, "{}", phases.last.capacity());

        for at in (100..100 + 2 * 40).step_by(2) {
            phases.note(Phase::Backoff, at);
            phases.note(Phase::Starting, at + 1);
        }
        let all = phases.told(1000);
        assert_eq!((all.len(), phases.are_dropped()), (PHASES_MAX, true));
        assert_eq!(all[PHASES_MAX - 1], told(Phase::Starting, 1000 - 179));
    }
}

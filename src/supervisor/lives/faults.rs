//! Machines with a fault, to see that lives notice it: a test that cannot fail shows nothing.
//!
//! Tests only. A fault changes what the machine asks for, or when it wants to be woken.

use super::Life;
use crate::supervisor::{Action, Outcome, Phase, Signal};
use std::time::{Duration, Instant};

/// So many lives at most until a fault has shown itself.
const LIVES_MAX: u64 = 2_000;

/// What can be wrong with a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    StartsTwice,
    StartsAgainWhenAskedToEnd,
    StartsAgainWhateverThePolicy,
    ChecksTwice,
    NeverGivesUpACheck,
    NeverChecks,
    NeverKills,
    EndsBeforeTheTreeIsGone,
    EndsTwice,
    SleepsThroughTheBackoff,
    SleepsThroughTheGrace,
    WakesWhenReady,
    IsBusy,
}

const FAULTS: [Fault; 13] = [
    Fault::StartsTwice,
    Fault::StartsAgainWhenAskedToEnd,
    Fault::StartsAgainWhateverThePolicy,
    Fault::ChecksTwice,
    Fault::NeverGivesUpACheck,
    Fault::NeverChecks,
    Fault::NeverKills,
    Fault::EndsBeforeTheTreeIsGone,
    Fault::EndsTwice,
    Fault::SleepsThroughTheBackoff,
    Fault::SleepsThroughTheGrace,
    Fault::WakesWhenReady,
    Fault::IsBusy,
];

impl Fault {
    /// What a machine with this fault asks for instead.
    pub(super) fn distort(self, actions: Vec<Action>, asked: bool) -> Vec<Action> {
        actions.into_iter().flat_map(|action| self.instead_of(action, asked)).collect()
    }

    fn instead_of(self, action: Action, asked: bool) -> Vec<Action> {
        match (self, &action) {
            (Self::StartsTwice, Action::Start)
            | (Self::ChecksTwice, Action::Check(_))
            | (Self::EndsTwice, Action::End(_)) => vec![action.clone(), action],
            (Self::StartsAgainWhenAskedToEnd, Action::End(Outcome::Stopped { .. })) if asked => {
                vec![Action::Start]
            }
            (Self::StartsAgainWhateverThePolicy, Action::End(Outcome::Ended { .. })) => {
                vec![Action::Start]
            }
            (Self::NeverGivesUpACheck, Action::AbandonCheck)
            | (Self::NeverChecks, Action::Check(_))
            | (Self::NeverKills, Action::KillTree) => Vec::new(),
            (Self::EndsBeforeTheTreeIsGone, Action::SignalGroup(Signal::TERM)) => {
                vec![action, Action::End(Outcome::Stopped { code: 143 })]
            }
            _ => vec![action],
        }
    }

    /// When a machine with this fault wants to be woken instead.
    pub(super) fn put_off(
        self,
        deadline: Option<Instant>,
        phase: Phase,
        now: Instant,
    ) -> Option<Instant> {
        match (self, phase) {
            (Self::SleepsThroughTheBackoff, Phase::Backoff)
            | (Self::SleepsThroughTheGrace, Phase::Stopping) => None,
            (Self::WakesWhenReady, Phase::Ready) => {
                Some(deadline.unwrap_or(now + Duration::from_secs(1)))
            }
            (Self::IsBusy, Phase::Ready) => Some(now),
            _ => deadline,
        }
    }
}

#[test]
fn no_fault_stays_unnoticed() {
    for fault in FAULTS {
        let is_noticed =
            |seed: &u64| std::panic::catch_unwind(|| Life::new(*seed, Some(fault)).live()).is_err();
        assert!((0..LIVES_MAX).any(|seed| is_noticed(&seed)), "{fault:?} is not noticed");
    }
}

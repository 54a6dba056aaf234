//! When a command that ended is started again, and when that is no longer worth trying.
//!
//! Pure. The dice for the jitter are handed in; waiting is the driver's business. Stops that were asked for
//! do not come here.

use crate::config::RestartPolicy;
use std::time::{Duration, Instant};

/// The first wait; each further one is twice as long, up to [`DELAY_MAX`].
const DELAY_FIRST: Duration = Duration::from_millis(100);
/// Longer waits would look like a hang to someone watching.
const DELAY_MAX: Duration = Duration::from_secs(30);
/// Ready for so long, it worked: its end is answered at once.
const READY_ENOUGH: Duration = Duration::from_secs(1);
/// Ready for so long, all earlier ends are forgotten.
const READY_FORGIVES: Duration = Duration::from_secs(10);
/// So many ends in a row, none of them after [`READY_ENOUGH`] …
const LOOP_ENDS: usize = 5;
/// … within this time are a fault of the command, not bad luck.
const LOOP_WITHIN: Duration = Duration::from_secs(60);

/// One end of the command that nobody asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failing {
    /// What it ended with.
    pub(super) code: i32,
    /// Its liveness checks failed, so it was stopped: a failure, whatever the code.
    pub(super) unhealthy: bool,
    /// How long it had been ready, if it was.
    pub(super) ready_for: Option<Duration>,
    /// When it ended.
    pub(super) at: Instant,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Start it again after this wait.
    RestartAfter(Duration),
    /// That was it.
    LeaveEnded,
    /// It may not be started again, having been so often.
    UsedUp {
        /// So many times.
        restarts: u32,
    },
    /// It keeps ending soon after its start.
    CrashLoop {
        /// So many times in a row.
        ends: u32,
    },
}

/// The ends before this one, as far as they still count.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    /// Restarts since it last worked for long.
    restarts: u32,
    /// Of these, so many after a wait.
    waits: u32,
    /// When it ended in a row without having worked; never more than [`LOOP_ENDS`].
    row: Vec<Instant>,
}

impl History {
    /// Which restart in a row the one is that was judged last.
    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Judges an end and remembers it. `jitter` is a chance between 0 and 1.
    pub(super) fn judge(&mut self, policy: RestartPolicy, end: Failing, jitter: f64) -> Verdict {
        let ready_for = end.ready_for.unwrap_or_default();
        let worked = ready_for >= READY_ENOUGH;
        if ready_for >= READY_FORGIVES {
            *self = Self::default();
        }
        if matches!(end.code, 126 | 127) {
            return Verdict::LeaveEnded;
        }
        match policy {
            RestartPolicy::No => return Verdict::LeaveEnded,
            RestartPolicy::OnFailure { .. } if end.code == 0 && !end.unhealthy => {
                return Verdict::LeaveEnded;
            }
            RestartPolicy::OnFailure { restarts_max: Some(max) } if self.restarts >= max => {
                return Verdict::UsedUp { restarts: self.restarts };
            }
            RestartPolicy::OnFailure { .. } | RestartPolicy::Always => {}
        }
        if self.is_loop(worked, end.at) {
            return Verdict::CrashLoop { ends: u32::try_from(LOOP_ENDS).unwrap_or(u32::MAX) };
        }
        self.restarts = self.restarts.saturating_add(1);
        if worked {
            return Verdict::RestartAfter(Duration::ZERO);
        }
        let delay = delay(self.waits, jitter);
        self.waits = self.waits.saturating_add(1);
        Verdict::RestartAfter(delay)
    }

    /// Whether this end closes a row of too many in too short a time.
    fn is_loop(&mut self, worked: bool, at: Instant) -> bool {
        if worked {
            self.row.clear();
            return false;
        }
        if self.row.len() == LOOP_ENDS {
            self.row.remove(0);
        }
        self.row.push(at);
        self.row.len() == LOOP_ENDS && at.saturating_duration_since(self.row[0]) <= LOOP_WITHIN
    }
}

/// Full delay less up to a quarter, so that services that fell together do not rise together.
fn delay(waits: u32, jitter: f64) -> Duration {
    let full = DELAY_FIRST.saturating_mul(2u32.saturating_pow(waits)).min(DELAY_MAX);
    full.mul_f64(1.0 - jitter / 4.0)
}

/// A chance between 0 and 1 for each restart of a life, all of them from one throw of the dice.
pub(super) fn jitter(dice: u32, restarts: u32) -> f64 {
    // splitmix64, so that neighbours look unlike.
    let mut bits =
        (u64::from(dice) << 32 | u64::from(restarts)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let high = u32::try_from(bits >> 32).unwrap_or(u32::MAX);
    f64::from(high) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::clock;
    use RestartPolicy::{Always, No, OnFailure};

    const UNBOUNDED: RestartPolicy = OnFailure { restarts_max: None };
    const TWICE: RestartPolicy = OnFailure { restarts_max: Some(2) };

    /// Ends as (seconds since the first start, code, seconds of being ready), and what follows each:
    /// a full wait in tenths of a second, or a word.
    fn check(policy: RestartPolicy, ends: &[(u64, i32, u64)], expected: &[&str]) {
        let start = clock::now();
        let mut history = History::default();
        let verdicts: Vec<String> = ends
            .iter()
            .map(|&(at, code, ready)| {
                let ready_for = (ready > 0).then(|| Duration::from_secs(ready));
                let at = start + Duration::from_secs(at);
                let end = Failing { code, unhealthy: false, ready_for, at };
                match history.judge(policy, end, 0.0) {
                    Verdict::RestartAfter(wait) => (wait.as_millis() / 100).to_string(),
                    Verdict::LeaveEnded => "leave".to_owned(),
                    Verdict::UsedUp { restarts } => format!("used up {restarts}"),
                    Verdict::CrashLoop { ends } => format!("loop {ends}"),
                }
            })
            .collect();
        assert_eq!(verdicts, expected, "{policy:?} {ends:?}");
    }

    #[test]
    fn the_policy_and_the_end_decide() {
        check(No, &[(1, 1, 0)], &["leave"]);
        check(UNBOUNDED, &[(1, 0, 0)], &["leave"]);
        check(UNBOUNDED, &[(1, 1, 0)], &["1"]);
        check(Always, &[(1, 0, 0)], &["1"]);
        for code in [126, 127] {
            check(Always, &[(1, code, 0)], &["leave"]);
        }
    }

    #[test]
    fn waits_double_and_end_at_half_a_minute() {
        let ends: Vec<_> = (0..11).map(|count| (count * 100, 1, 0)).collect();
        let waits = ["1", "2", "4", "8", "16", "32", "64", "128", "256", "300", "300"];
        check(UNBOUNDED, &ends, &waits);
    }

    #[test]
    fn who_worked_for_a_second_is_started_at_once() {
        check(UNBOUNDED, &[(9, 1, 1), (10, 1, 0), (19, 1, 2), (20, 1, 0)], &["0", "1", "0", "2"]);
    }

    #[test]
    fn ten_seconds_of_work_are_a_new_beginning() {
        check(TWICE, &[(1, 1, 0), (2, 1, 0), (3, 1, 0)], &["1", "2", "used up 2"]);
        check(TWICE, &[(1, 1, 0), (2, 1, 0), (30, 1, 10), (31, 1, 0)], &["1", "2", "0", "1"]);
    }

    #[test]
    fn five_ends_in_a_minute_are_a_loop_and_slower_ones_are_not() {
        let loops = ["1", "2", "4", "8", "loop 5"];
        check(Always, &[(0, 0, 0), (1, 1, 0), (2, 0, 0), (3, 1, 0), (60, 0, 0)], &loops);
        check(
            Always,
            &[(0, 1, 0), (1, 1, 0), (2, 1, 0), (3, 1, 0), (61, 1, 0), (62, 1, 0), (62, 1, 0)],
            &["1", "2", "4", "8", "16", "32", "loop 5"],
        );
        check(
            Always,
            &[(0, 1, 0), (1, 1, 0), (2, 1, 0), (3, 1, 0), (5, 1, 1), (6, 1, 0)],
            &["1", "2", "4", "8", "0", "16"],
        );
    }

    #[test]
    fn an_unhealthy_one_has_failed_whatever_it_ended_with() {
        let end = Failing { code: 0, unhealthy: true, ready_for: None, at: clock::now() };
        assert_ne!(History::default().judge(UNBOUNDED, end, 0.0), Verdict::LeaveEnded);
    }

    #[test]
    fn jitter_shortens_a_wait_by_a_quarter_at_most() {
        let waits: Vec<u128> =
            (0..1000).map(|dice| delay(3, jitter(dice, 7)).as_millis()).collect();
        assert!(waits.iter().all(|wait| (600..=800).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 620) && waits.iter().any(|wait| *wait > 780));
        assert!((jitter(1, 2) - jitter(1, 3)).abs() > f64::EPSILON);
    }
}

//! Docker's rule of health: so many failed checks in a row, and none of those within the start period.
//!
//! Pure. When the next check is due is kept by the attempt; what unhealthy means for it is the machine's
//! business.

use crate::config::Liveness;
use std::time::Duration;

/// What is remembered of earlier checks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Health {
    /// Failures in a row.
    failures: u32,
    /// Whether there were too many.
    unhealthy: bool,
    /// A check has passed, so the start period is over, whatever it was.
    passed_once: bool,
}

/// What a check changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is unhealthy from now on.
    Failed {
        /// So many failures in a row.
        failures: u32,
    },
    /// It is healthy again.
    Recovered,
}

impl Health {
    /// Takes in one result, `age` after the command was started.
    pub(super) fn note(&mut self, passed: bool, rules: Liveness, age: Duration) -> Option<Change> {
        if passed {
            let recovered = self.unhealthy;
            *self = Self { passed_once: true, ..Self::default() };
            return recovered.then_some(Change::Recovered);
        }
        if !self.passed_once && age < rules.start_period {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        if self.unhealthy || self.failures < rules.retries.max(1) {
            return None;
        }
        self.unhealthy = true;
        Some(Change::Failed { failures: self.failures })
    }

    /// Whether too many checks in a row have failed.
    pub(super) fn is_unhealthy(self) -> bool {
        self.unhealthy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Results as letters, one a second: `.` passed, `x` failed. The answer, as letters: `F` failed,
    /// `R` recovered, `-` no change.
    fn check(retries: u32, start_period: u64, results: &str, expected: &str) {
        let rules = Liveness {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            retries,
            start_period: Duration::from_secs(start_period),
        };
        let mut health = Health::default();
        let changes: String = (1..)
            .zip(results.chars())
            .map(|(age, letter)| {
                match health.note(letter == '.', rules, Duration::from_secs(age)) {
                    Some(Change::Failed { .. }) => 'F',
                    Some(Change::Recovered) => 'R',
                    None => '-',
                }
            })
            .collect();
        assert_eq!(changes, expected, "{retries} {start_period} {results}");
    }

    #[test]
    fn only_failures_in_a_row_count() {
        check(3, 0, "xx.xx.xxx", "--------F");
        check(1, 0, ".x", "-F");
        check(0, 0, "x", "F");
    }

    #[test]
    fn it_is_said_once_and_taken_back_once() {
        check(2, 0, "xxxxx..xx", "-F---R--F");
    }

    #[test]
    fn the_start_period_ends_with_the_first_check_that_passes() {
        check(1, 4, "xxxx", "---F");
        check(1, 9, "x.x", "--F");
    }
}

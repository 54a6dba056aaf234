//! Whether an instance is ready, how often to look, and what it means when it ended before it was.
//!
//! Pure. Looking is the driver's business.

use super::event::{End, Signal};
use std::time::Duration;

/// In the first second a wait is noticed, so it is looked often: a look costs some 30 µs.
const PAUSE_FIRST: Duration = Duration::from_micros(1500);
/// How long that lasts.
const FIRST: Duration = Duration::from_secs(1);
/// Afterwards a fiftieth of the time that has passed, up to this.
const PAUSE_MAX: Duration = Duration::from_millis(25);
/// Once it was said that it is late, it may never come.
const PAUSE_LATE: Duration = Duration::from_secs(1);
/// A program that cannot have its port says so and ends; later ends have other reasons.
const RETRY_WITHIN: Duration = Duration::from_secs(10);

/// What one check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It passed.
    Passed,
    /// It did not.
    Failed,
    /// Somebody else serves the port.
    Stranger,
}

/// Who serves the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortSight {
    /// Nobody.
    Unserved,
    /// The instance's own tree.
    Own,
    /// Somebody else.
    Stranger,
}

/// Whether the port's reservation may be given up for one more try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// There is none.
    Without,
    /// It is held, and the program is known to start over one, or was tried without one before.
    Settled,
    /// It is held, and nothing is known yet.
    Untried,
}

/// What it means that the command ended before it was ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnreadyEnd {
    /// The port is served by somebody else.
    Stolen,
    /// Perhaps it could not start over the reservation.
    Retry,
    /// It has simply ended.
    Plain,
}

/// How long to wait before the next look, so long after the start.
pub(super) fn pause(elapsed: Duration, late: bool) -> Duration {
    if late {
        PAUSE_LATE
    } else if elapsed < FIRST {
        PAUSE_FIRST
    } else {
        (elapsed / 50).min(PAUSE_MAX)
    }
}

/// Judges an end that came, unasked, so long after the start and before the instance was ready.
pub(super) fn judge_unready_end(
    end: End,
    age: Duration,
    port: PortSight,
    reservation: Reservation,
) -> UnreadyEnd {
    match (port, reservation) {
        (PortSight::Stranger, _) => UnreadyEnd::Stolen,
        (PortSight::Unserved, Reservation::Untried)
            if age <= RETRY_WITHIN && may_be_a_failed_bind(end) =>
        {
            UnreadyEnd::Retry
        }
        (PortSight::Unserved | PortSight::Own, _) => UnreadyEnd::Plain,
    }
}

/// Whether a program that cannot have its port could have ended like this.
fn may_be_a_failed_bind(end: End) -> bool {
    match end {
        // 126 and 127: a shell could not execute or find the program, so it never asked for the port.
        End::Exited(code) => !matches!(code, 0 | 126 | 127),
        // An uncaught exception or a panic may end by abort(3). Other signals come from outside, or are
        // faults of another kind.
        End::Signalled(signal) => signal == Signal::ABRT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_frequent_in_the_first_second_and_then_in_proportion() {
        for (elapsed_ms, late, expected_us) in [
            (0, false, 1500),
            (999, false, 1500),
            (1000, false, 20_000),
            (1100, false, 22_000),
            (1250, false, 25_000),
            (60_000, false, 25_000),
            (60_000, true, 1_000_000),
        ] {
            let pause = pause(Duration::from_millis(elapsed_ms), late);
            assert_eq!(pause, Duration::from_micros(expected_us), "{elapsed_ms} {late}");
        }
    }

    #[test]
    fn a_retry_has_every_condition_or_it_is_none() {
        use PortSight::{Own, Stranger, Unserved};
        use Reservation::{Settled, Untried, Without};
        use UnreadyEnd::{Plain, Retry, Stolen};
        let abort = End::Signalled(Signal::ABRT);
        for (end, seconds, port, reservation, expected) in [
            (End::Exited(1), 1, Unserved, Untried, Retry),
            (abort, 10, Unserved, Untried, Retry),
            (End::Exited(1), 11, Unserved, Untried, Plain),
            (End::Exited(0), 1, Unserved, Untried, Plain),
            (End::Exited(127), 1, Unserved, Untried, Plain),
            (End::Signalled(Signal::KILL), 1, Unserved, Untried, Plain),
            (End::Exited(1), 1, Own, Untried, Plain),
            (End::Exited(1), 1, Unserved, Settled, Plain),
            (End::Exited(1), 1, Unserved, Without, Plain),
            (End::Exited(1), 1, Stranger, Untried, Stolen),
            (End::Exited(0), 99, Stranger, Without, Stolen),
        ] {
            let judged = judge_unready_end(end, Duration::from_secs(seconds), port, reservation);
            assert_eq!(judged, expected, "{end:?} {seconds} {port:?} {reservation:?}");
        }
    }
}

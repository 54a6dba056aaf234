//! Waiting for an event, with a limit. The only place of the tests that looks at a clock.

use std::time::{Duration, Instant};

/// When something is taken to hang. It measures nothing: no event of these tests takes a tenth of it on an idle
/// machine, and a busy one gets the rest.
pub(crate) const LIMIT: Duration = Duration::from_secs(100);
/// Who waits for other tests waits for as long as they may take.
const QUEUE_LIMIT: Duration = Duration::from_secs(300);
/// How often is looked whether the event has come.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where tests wait; a limit needs a clock"
)]
fn seen_within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if begin.elapsed() > limit {
            return None;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn within<T>(
    limit: Duration,
    event: &str,
    look: impl FnMut() -> Option<T>,
    story: impl FnOnce() -> String,
) -> T {
    seen_within(limit, look)
        .unwrap_or_else(|| panic!("waited {} s for {event}; so far:\n{}", limit.as_secs(), story()))
}

/// Waits until `look` sees something; else fails with the event's name and the story so far.
pub(crate) fn until<T>(
    event: &str,
    look: impl FnMut() -> Option<T>,
    story: impl FnOnce() -> String,
) -> T {
    within(LIMIT, event, look, story)
}

/// The same for what another test has.
pub(crate) fn until_my_turn<T>(event: &str, look: impl FnMut() -> Option<T>) -> T {
    within(QUEUE_LIMIT, event, look, || "another test has it".to_owned())
}

/// Waits until the fact holds.
pub(crate) fn until_true(fact: &str, mut holds: impl FnMut() -> bool) {
    until(fact, || holds().then_some(()), String::new);
}

/// Whether the fact holds in the end, for who has something to clear up before it fails.
pub(crate) fn comes_true(mut holds: impl FnMut() -> bool) -> bool {
    seen_within(LIMIT, || holds().then_some(())).is_some()
}

/// Lets time pass, for tests that want to meet another process at many moments: none of them hangs on it.
#[expect(clippy::disallowed_methods, reason = "the moment is the test's subject")]
pub(crate) fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

/// How long a test may go on that is as long as its caller says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the length is the caller's wish")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The whole minutes since then.
    pub(crate) fn minutes(self) -> usize {
        usize::try_from(self.0.elapsed().as_secs() / 60).expect("a small number")
    }
}

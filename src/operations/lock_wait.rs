//! Who of this process waits for the state lock, for a face that shows it as long as it lasts.
//!
//! When to look who holds the lock meanwhile is left to who shows it; nothing is held.

use super::host::Host;
use crate::{
    os::{clock, process::read_stat},
    store::NOTICE_AFTER,
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use crate::store::{LockHolder, PATIENCE};

/// The operations of this process that have waited for the state lock so long that it is said, and what it
/// has started in the background, which may come to wait.
pub struct LockWaits {
    known: Mutex<Known>,
    changed: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Known {
    /// When operations of this process began to wait.
    began: Vec<Instant>,
    /// By the pid of what was started: since when it, or its background side, is seen to wait.
    started: BTreeMap<i32, Option<Instant>>,
}

/// One operation that waits, until it is dropped.
struct Waiting {
    waits: Arc<LockWaits>,
    began: Instant,
}

/// A start that may have to wait, until it is dropped.
pub struct Starting {
    waits: Arc<LockWaits>,
    pid: i32,
}

/// The wait of one operation, if it has one and somebody wants to know.
pub(super) struct LockWait<'a> {
    waits: Option<&'a Arc<LockWaits>>,
    waiting: RefCell<Option<Waiting>>,
}

impl Host {
    /// Who holds the state lock now, as far as it can be seen; and of what was started it is noted whether it
    /// waits. Nothing is waited for.
    pub fn look_at_lock(&self) -> Option<LockHolder> {
        if let Some(waits) = self.lock_waits.as_ref().filter(|waits| waits.has_started()) {
            let waiters = self.store.lock_waiters();
            // A launcher's background side is its child.
            let parents = waiters.iter().filter_map(|pid| Some(read_stat(*pid).ok()?.parent));
            waits.note_waiters(&waiters.iter().copied().chain(parents).collect::<Vec<_>>());
        }
        self.store.lock_holder()
    }
}

impl LockWaits {
    /// None yet; `changed` is called after each beginning and each end.
    pub fn new(changed: impl Fn() + Send + Sync + 'static) -> Self {
        Self { known: Mutex::default(), changed: Box::new(changed) }
    }

    /// Nobody waits, and nothing is being started: there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        let known = self.known();
        known.began.is_empty() && known.started.is_empty()
    }

    /// How long the one has waited that has waited longest; `None` while nobody has for so long that it is
    /// said.
    pub fn longest(&self) -> Option<Duration> {
        let now = clock::now();
        let known = self.known();
        let seen = known.started.values().flatten();
        let waited = |began: &Instant| now.saturating_duration_since(*began);
        known.began.iter().chain(seen).map(waited).max().filter(|waited| *waited >= NOTICE_AFTER)
    }

    /// What was started with that pid may have to wait.
    pub fn watch_start(self: &Arc<Self>, pid: u32) -> Starting {
        let pid = i32::try_from(pid).expect("a pid fits 31 bits");
        self.known().started.insert(pid, None);
        (self.changed)();
        Starting { waits: Arc::clone(self), pid }
    }

    fn has_started(&self) -> bool {
        !self.known().started.is_empty()
    }

    /// Of what was started, these are seen to wait.
    fn note_waiters(&self, waiters: &[i32]) {
        let now = clock::now();
        for (pid, since) in &mut self.known().started {
            *since = waiters.contains(pid).then(|| since.unwrap_or(now));
        }
    }

    /// Nothing breaks half-way under this lock.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> LockWait<'a> {
    /// One that has not begun; nobody is told where nobody wants to know.
    pub(super) fn new(waits: Option<&'a Arc<LockWaits>>) -> Self {
        Self { waits, waiting: RefCell::new(None) }
    }

    /// The lock has not been free for as long as it takes to say so.
    pub(super) fn begin(&self) {
        let Some(waits) = self.waits else { return };
        let now = clock::now();
        let began = now.checked_sub(NOTICE_AFTER).unwrap_or(now);
        waits.known().began.push(began);
        (waits.changed)();
        *self.waiting.borrow_mut() = Some(Waiting { waits: Arc::clone(waits), began });
    }

    /// It has the lock, or has given up.
    pub(super) fn end(&self) {
        drop(self.waiting.take());
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut known = self.waits.known();
        if let Some(place) = known.began.iter().position(|began| *began == self.began) {
            known.began.swap_remove(place);
        }
        drop(known);
        (self.waits.changed)();
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.waits.known().started.remove(&self.pid);
        (self.waits.changed)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn who_waits_is_known_until_it_ends_and_each_change_is_told() {
        let told = Arc::new(AtomicUsize::new(0));
        let teller = Arc::clone(&told);
        let waits = Arc::new(LockWaits::new(move || {
            teller.fetch_add(1, Ordering::Relaxed);
        }));
        let (one, other) = (LockWait::new(Some(&waits)), LockWait::new(Some(&waits)));
        assert_eq!(waits.longest(), None);
        one.begin();
        other.begin();
        assert!(waits.longest().unwrap() >= NOTICE_AFTER);
        one.end();
        assert!(waits.longest().is_some(), "the other one waits");
        one.end();
        drop(other);
        assert_eq!((waits.longest(), told.load(Ordering::Relaxed)), (None, 4));
        LockWait::new(None).begin();
    }

    #[test]
    fn what_was_started_waits_once_it_is_seen_to_for_a_while() {
        let waits = Arc::new(LockWaits::new(|| {}));
        let starting = waits.watch_start(7);
        assert!(!waits.is_empty() && waits.has_started());
        waits.note_waiters(&[8]);
        assert_eq!(waits.known().started[&7], None);
        waits.note_waiters(&[8, 7]);
        assert_eq!(waits.longest(), None, "that may be over in a moment");
        let since = clock::now().checked_sub(NOTICE_AFTER).unwrap();
        waits.known().started.insert(7, Some(since));
        waits.note_waiters(&[7]);
        assert!(waits.longest().unwrap() >= NOTICE_AFTER);
        waits.note_waiters(&[]);
        assert_eq!(waits.longest(), None);
        drop(starting);
        assert!(waits.is_empty());
    }
}

//! Who of this process waits for the state lock, for a face that shows it as long as it lasts.
//!
//! Who holds the lock meanwhile is looked up by who shows it: nothing is asked here, and nothing is held.

use super::host::Host;
use crate::{os::clock, store::NOTICE_AFTER};
use std::{
    cell::RefCell,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use crate::store::{LockHolder, PATIENCE};

/// The operations of this process that have waited for the state lock so long that it is said.
pub struct LockWaits {
    /// When they began to wait, in the order in which it was said.
    began: Mutex<Vec<Instant>>,
    changed: Box<dyn Fn() + Send + Sync>,
}

/// One operation that waits, until it is dropped.
struct Waiting {
    waits: Arc<LockWaits>,
    began: Instant,
}

/// The wait of one operation, if it has one and somebody wants to know.
pub(super) struct LockWait<'a> {
    waits: Option<&'a Arc<LockWaits>>,
    waiting: RefCell<Option<Waiting>>,
}

impl Host {
    /// Who holds the state lock now, as far as it can be seen. Nothing is waited for.
    pub fn lock_holder(&self) -> Option<LockHolder> {
        self.store.lock_holder()
    }
}

impl LockWaits {
    /// None yet; `changed` is called after each beginning and each end.
    pub fn new(changed: impl Fn() + Send + Sync + 'static) -> Self {
        Self { began: Mutex::default(), changed: Box::new(changed) }
    }

    /// How long the one has waited that has waited longest; `None` while nobody does.
    pub fn longest(&self) -> Option<Duration> {
        let first = *self.began().iter().min()?;
        Some(clock::now().saturating_duration_since(first))
    }

    /// Nothing breaks half-way under this lock.
    fn began(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
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
        waits.began().push(began);
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
        let mut began = self.waits.began();
        if let Some(place) = began.iter().position(|began| *began == self.began) {
            began.swap_remove(place);
        }
        drop(began);
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
}

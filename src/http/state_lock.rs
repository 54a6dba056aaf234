//! Tells who listens that an operation waits for the state lock, who holds it, and when the wait is over.
//!
//! Nobody looks while nobody waits.

use super::{
    events::event,
    lanes::Lane,
    server::{Server, locked},
};
use crate::operations::lock_wait::{LockHolder, LockWaits, PATIENCE};
use serde::Serialize;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

/// So often it is looked who holds it, while somebody waits: those in front may take turns.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is known of the state lock.
pub(super) struct StateLock {
    /// The operations that wait for it.
    pub(super) waits: Arc<LockWaits>,
    changed: Arc<Notify>,
    seen: Mutex<Option<Seen>>,
}

/// Who holds it while an operation waits.
#[derive(Debug, Clone)]
struct Seen {
    /// `None` for a process that cannot be seen from here.
    holder: Option<LockHolder>,
    /// It holds the lock at least since then.
    since: Instant,
}

/// The same, as it is told.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    pid: Option<i32>,
    command: Option<String>,
    /// A signal has stopped it, so it does not come to its end.
    stopped: bool,
    held_ms: u128,
    /// How long one holder is waited for.
    patience_ms: u128,
}

impl StateLock {
    /// Nobody waits for it.
    pub(super) fn new() -> Self {
        let changed = Arc::new(Notify::new());
        let notify = Arc::clone(&changed);
        let waits = Arc::new(LockWaits::new(move || notify.notify_one()));
        Self { waits, changed, seen: Mutex::default() }
    }

    /// What is to be told of it now; `None` while nobody waits.
    pub(super) fn told(&self) -> Option<Told> {
        let Seen { holder, since } = locked(&self.seen).clone()?;
        Some(Told {
            pid: holder.as_ref().map(|holder| holder.pid),
            stopped: holder.as_ref().is_some_and(|holder| holder.is_stopped),
            command: holder.map(|holder| holder.command),
            held_ms: since.elapsed().as_millis(),
            patience_ms: PATIENCE.as_millis(),
        })
    }

    /// Takes note of a look, of an operation that has waited so long by now. Whether it shows anything new.
    fn note(&self, holder: Option<LockHolder>, waited: Duration) -> bool {
        let mut seen = locked(&self.seen);
        let now = Instant::now();
        let since = match seen.as_ref() {
            // Between two holders nobody is seen: that alone is no news.
            Some(before) if before.holder == holder || holder.is_none() => return false,
            Some(before) if pid(&before.holder) == pid(&holder) => before.since,
            Some(_) => now,
            None => now.checked_sub(waited).unwrap_or(now),
        };
        *seen = Some(Seen { holder, since });
        true
    }

    /// Takes note that nobody waits any more. Whether that is new.
    fn note_end(&self) -> bool {
        locked(&self.seen).take().is_some()
    }
}

fn pid(holder: &Option<LockHolder>) -> Option<i32> {
    holder.as_ref().map(|holder| holder.pid)
}

/// Tells of every wait, for as long as the server lives.
pub(super) async fn watch(server: Arc<Server>) {
    let lock = &server.lock;
    loop {
        lock.changed.notified().await;
        while !lock.waits.is_empty() {
            let host = server.host_to_look();
            let looked = server.lanes.run(Lane::Read, move || Ok(host.look_at_lock())).await;
            // Who has got the lock meanwhile waits for nobody.
            let is_new = match (looked, lock.waits.longest()) {
                (Ok(holder), Some(waited)) => lock.note(holder, waited),
                (Err(_), Some(_)) => false,
                (_, None) => lock.note_end(),
            };
            if is_new {
                server.hub.tell(event("lock", &lock.told()));
            }
            // Either way, it is looked again.
            let _ = timeout(LOOK_EVERY, lock.changed.notified()).await;
        }
        if lock.note_end() {
            server.hub.tell(event("lock", &lock.told()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(pid: i32, is_stopped: bool) -> Option<LockHolder> {
        Some(LockHolder { pid, command: "styxy run".to_owned(), is_stopped })
    }

    #[test]
    fn what_is_new_is_told_and_an_empty_look_is_not() {
        let lock = StateLock::new();
        let second = Duration::from_secs(1);
        assert_eq!(lock.told(), None);
        assert!(lock.note(held_by(7, false), second));
        assert!(!lock.note(held_by(7, false), second * 2));
        assert!(!lock.note(None, second * 3));
        let told = lock.told().unwrap();
        assert_eq!((told.pid, told.stopped, told.patience_ms), (Some(7), false, 10_000));
        assert!(told.held_ms >= 1000, "{told:?}");
        assert!(lock.note(held_by(7, true), second * 4));
        assert!(lock.told().unwrap().held_ms >= 1000, "it is the same process");
        assert!(lock.note(held_by(8, false), second * 5));
        assert!(lock.told().unwrap().held_ms < 1000, "it has only begun");
        assert!(lock.note_end() && !lock.note_end());
        assert_eq!(lock.told(), None);
    }

    #[test]
    fn a_holder_that_cannot_be_seen_is_told_without_a_name() {
        let lock = StateLock::new();
        assert!(lock.note(None, Duration::from_secs(1)));
        let told = lock.told().unwrap();
        assert_eq!((told.pid, told.command, told.stopped), (None, None, false));
        assert!(lock.note(held_by(7, false), Duration::from_secs(2)));
    }
}

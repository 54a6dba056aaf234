//! Waits for the next change of what `list` shows. Reading and showing it is left to the caller.

use super::{
    error::Error,
    host::{Host, Tell, milliseconds},
    serve::is_post,
};
use crate::{
    os::{
        clock,
        interrupts::Interrupts,
        wait_set::{Interest, WaitSet},
    },
    registry::{Holder, Reservation},
};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd},
    time::Duration,
};

/// Not everything that is shown announces its change (an age, a reservation that runs out).
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Changes come in bursts; nobody sees more pictures than this lets through.
const PAUSE: Duration = Duration::from_millis(100);
/// How a registry and a record change: written in place, exchanged, made, removed. A file that was open for
/// writing is also closed by the kernel when a supervisor is killed.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_MODIFY
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVE);

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Something may have changed.
    Look,
    /// Ctrl-C or TERM: end with this code.
    Interrupted(i32),
}

/// Readable once something may have changed.
#[derive(Debug)]
pub struct Changes(Inotify);

impl Changes {
    /// Takes note of all that has come so far.
    pub fn drain(&self) {
        // That there is nothing to read is fine: whoever waits was woken by something else.
        let _ = self.0.read_events();
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Changes {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Who looks, again and again.
pub struct Watch {
    changes: Changes,
    interrupts: Interrupts,
}

impl Host {
    /// From now on, no change is missed, and Ctrl-C ends the next wait.
    pub fn watch(&self) -> Result<Watch, Error> {
        let failed = |source| Error::System { deed: "watch the state directory", source };
        let interrupts = Interrupts::take().map_err(failed)?;
        Ok(Watch { changes: self.changes()?, interrupts })
    }

    /// When to look although nothing was announced. `None`: every change that can come is announced.
    pub fn look_again_in(&self, tell: &Tell<'_>) -> Result<Option<Duration>, Error> {
        let registry = self.read(tell)?;
        let reservations = registry.leased().filter_map(|(instance, lease)| match &lease.holder {
            Holder::Supervisor => None,
            // This process sees no end of its own.
            Holder::Reserved(held) if is_post(&instance.name) && held.process.is_some() => None,
            Holder::Reserved(held) => Some(held),
        });
        let now = milliseconds(clock::since_boot());
        let runs_out = |held: &Reservation| match held.process {
            Some(_) => LOOK_EVERY,
            None => Duration::from_millis((held.seen_ms + held.ttl_ms).saturating_sub(now)),
        };
        Ok(reservations.map(runs_out).min().map(|soonest| soonest.max(LOOK_EVERY)))
    }

    /// From now on, no change is missed.
    pub fn changes(&self) -> Result<Changes, Error> {
        let failed = |source| Error::System { deed: "watch the state directory", source };
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let changes = Inotify::init(flags).map_err(|errno| failed(errno.into()))?;
        let directory = self.store.path();
        for watched in [directory, &directory.join("run")] {
            // Where the kernel has no watch left, looking every now and then has to do.
            let _ = changes.add_watch(watched, CHANGES);
        }
        Ok(Changes(changes))
    }
}

impl Watch {
    /// Waits for a change, or until it is time to look anyway.
    pub fn wait(&self) -> Result<Woken, Error> {
        let interrupted = self.wait_on(&[&self.interrupts], PAUSE)?;
        if interrupted || self.wait_on(&[&self.interrupts, &self.changes], LOOK_EVERY)? {
            return Ok(Woken::Interrupted(self.interrupts.which().exit_code()));
        }
        self.changes.drain();
        Ok(Woken::Look)
    }

    /// Whether the first of them woke us.
    fn wait_on(&self, wakers: &[&dyn AsFd], patience: Duration) -> Result<bool, Error> {
        let failed = |source: io::Error| Error::System { deed: "wait for a change", source };
        let mut set = WaitSet::new();
        for (place, waker) in wakers.iter().enumerate() {
            set.add(place, waker, Interest::Readable);
        }
        let mut ready = set.wait(Some(clock::now() + patience)).map_err(failed)?;
        Ok(ready.next() == Some(0))
    }
}

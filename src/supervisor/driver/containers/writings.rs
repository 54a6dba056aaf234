//! What a container writes, where a log is kept of it: the engine is let to write it there, each line once.
//!
//! Whose command line waits for its container writes it itself. Behind one that has returned, or was killed, `logs`
//! follows the container; what was not followed up to its end is asked for then. What an engine has removed together
//! with its container can't be asked for.

use crate::{
    container::{
        engine::{Errand, Place},
        sweep::PATIENCE,
        whose::{Mark, Whose},
    },
    os::{
        clock,
        wait_set::{Interest, WaitSet},
    },
};
use jiff::Timestamp;
use nix::unistd::Pid;
use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

/// Who wants an end now does not wait longer than this for its last lines.
const PATIENCE_AT_STOP: Duration = Duration::from_secs(2);

/// What one start's container writes, on its way into the log.
pub(super) struct Writings<'a> {
    file: Option<BorrowedFd<'a>>,
    /// What was written before is in the log. Nothing said: from the container's beginning.
    since: Option<Timestamp>,
    /// Something since then may not be in the log, and nobody else will write it there.
    owes: bool,
    /// `logs` under way.
    errand: Option<Errand>,
}

impl<'a> Writings<'a> {
    /// Of a start. Of a container that is started again, what it wrote before is in the log already.
    pub(super) fn of_start(file: Option<BorrowedFd<'a>>, detaches: bool, is_again: bool) -> Self {
        Self { file, since: is_again.then(clock::utc), owes: detaches, errand: None }
    }

    /// The engine's command line has ended. One that waits for its container has written until now.
    pub(super) fn leader_ended(&mut self) {
        if !self.owes {
            self.since = Some(clock::utc());
        }
    }

    /// The container runs, and nobody waits for it: what it writes is followed.
    pub(super) fn follow(&mut self, whose: &Whose, place: Place<'_>, ids: &[String]) {
        self.owes = true;
        if self.errand.is_none() {
            self.begin(whose, place, ids.first(), true);
        }
    }

    /// Its container is gone, or stands stopped. Whether all that it wrote is in the log, or will never be: who is
    /// still writing has some time for it.
    pub(super) fn finish(
        &mut self,
        whose: &Whose,
        place: Place<'_>,
        kept: Option<&String>,
        is_stopping: bool,
    ) -> bool {
        let patience = if is_stopping { PATIENCE_AT_STOP } else { PATIENCE };
        let until = clock::now() + patience;
        if let Some(follower) = &mut self.errand {
            follower.give_up_by(until);
            return false;
        }
        if !self.owes {
            return true;
        }
        self.begin(whose, place, kept, false);
        // Asked once, whatever comes of it.
        self.owes = false;
        if let Some(asked) = &mut self.errand {
            asked.give_up_by(until);
        }
        self.errand.is_none()
    }

    fn begin(&mut self, whose: &Whose, place: Place<'_>, id: Option<&String>, follows: bool) {
        // Compose follows the containers of its project itself.
        let (Some(file), Some(id), Mark::Label(_)) = (self.file, id, &whose.mark) else { return };
        let since = self.since.map(|since| format!("--since={since}"));
        let mut words = vec!["logs"];
        words.extend(follows.then_some("--follow"));
        words.extend(since.as_deref());
        let words = whose.ask(&words, std::slice::from_ref(id));
        self.errand = Errand::write_to(&words, place, file).ok();
    }

    /// Takes in the end of `logs`: whether it was that.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Cut> {
        let given_up = self.deadline().is_some_and(|until| until <= now);
        let answer = self.errand.as_mut()?.advance(now)?;
        self.errand = None;
        // Whoever has followed to the end has written all of it.
        self.owes &= answer.code != Some(0) && !given_up;
        self.since = Some(clock::utc());
        Some(if answer.code.is_none() { Cut::Off } else { Cut::Never })
    }

    /// The process that writes.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.errand.as_ref().map(Errand::pid)
    }

    /// What is to be waited for.
    pub(super) fn wait_for<T: Copy>(&self, set: &mut WaitSet<T>, token: T) {
        if let Some(errand) = &self.errand {
            set.add(token, errand, Interest::Readable);
        }
    }

    /// When it is given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.errand.as_ref().and_then(Errand::until)
    }
}

/// How `logs` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// By its own word.
    Never,
    /// By force: its container may go on.
    Off,
}

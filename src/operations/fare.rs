//! How an instance fares: what its supervisor knows of its liveness checks, asked for over its line.
//!
//! Nobody else knows: a check is no change of the registry.

use super::{
    error::Error,
    host::{Host, Tell},
};
use crate::{
    os::clock,
    registry::LockId,
    supervisor::{
        line::{Heard, Line},
        message::{FromClient, ToClient},
    },
};
use std::{io, time::Duration};

pub use crate::supervisor::message::Fare;

/// A supervisor answers at once; one of an older styxy, and one that is halted, never does.
const ANSWER_MAX: Duration = Duration::from_secs(1);

impl Host {
    /// How the last liveness checks of an instance went. Nothing is known of one without a supervisor.
    pub fn fare(&self, reference: &str, tell: &Tell<'_>) -> Result<Fare, Error> {
        let view = self.locate(reference, tell)?;
        let lock_id: LockId = view.lock_id.parse().expect("a view's lockId is one");
        let known = view.supervisor_pid.and_then(|_| self.ask_for_fare(&lock_id).ok().flatten());
        Ok(known.unwrap_or_default())
    }

    fn ask_for_fare(&self, lock_id: &LockId) -> io::Result<Option<Fare>> {
        let mut line = Line::connect(self.store.run().as_fd(), lock_id)?;
        line.ask(FromClient::Checks)?;
        let deadline = clock::now() + ANSWER_MAX;
        loop {
            match line.listen(None, Some(deadline))? {
                Heard::Said(ToClient::Checks(fare)) => return Ok(Some(fare)),
                Heard::Said(_) => {}
                Heard::HungUp | Heard::Interrupted | Heard::TimedOut => return Ok(None),
            }
        }
    }
}

//! How an instance fares: what its supervisor knows of its liveness checks and of its stop, asked for over its line.
//!
//! Nobody else knows: a check is no change of the registry.

use super::{
    error::Error,
    host::{Host, Tell},
};
use crate::{
    config::StopSignal,
    os::{clock, process},
    registry::LockId,
    store::record::Details,
    supervisor::{
        checks::Checked,
        line::{Heard, Line},
        message::{Fare, FromClient, StopStanding, ToClient},
    },
};
use serde::Serialize;
use std::{io, time::Duration};

/// A supervisor answers at once; one of an older styxy, and one that is halted, never does.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How an instance fares.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FareView {
    /// How often it is checked; null: never.
    every_ms: Option<u64>,
    /// Why the last check failed, if it did.
    why: Option<String>,
    /// The last checks, the oldest first.
    checks: Vec<Checked>,
    /// How it is stopped; null for one without a supervisor.
    stop: Option<StopView>,
}

/// How an instance is stopped, and how far that is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StopView {
    /// The signal that it gets, like `TERM`.
    signal: String,
    /// How long it has from then on until KILL.
    grace_ms: u64,
    /// How much of that is left; null unless it is stopping.
    kill_in_ms: Option<u64>,
    /// What has survived KILL.
    survivors: Vec<SurvivorView>,
}

/// A process that has survived KILL.
#[derive(Debug, Serialize)]
struct SurvivorView {
    /// 0 for what cannot be named.
    pid: i32,
    /// What the kernel calls it; null once it is gone.
    name: Option<String>,
}

impl StopView {
    fn new(details: &Details, standing: StopStanding) -> Self {
        let name = |pid| Some(process::find_stat(pid).ok()??.name.into());
        Self {
            signal: StopSignal(details.stop_signal).to_string(),
            grace_ms: details.stop_timeout_ms,
            kill_in_ms: standing.kill_in_ms,
            survivors: standing
                .survivors
                .into_iter()
                .map(|pid| SurvivorView { pid, name: name(pid) })
                .collect(),
        }
    }
}

impl Host {
    /// How the last liveness checks of an instance went, and how far its stop is. Nothing is known of one
    /// without a supervisor.
    pub fn fare(&self, reference: &str, tell: &Tell<'_>) -> Result<FareView, Error> {
        let view = self.locate(reference, tell)?;
        let lock_id: LockId = view.lock_id.parse().expect("a view's lockId is one");
        let Some(record) = view.supervisor_pid.and_then(|_| self.store.run().read(&lock_id)) else {
            return Ok(FareView::default());
        };
        let fare = self.ask_for_fare(&lock_id).ok().flatten().unwrap_or_default();
        let Fare { every_ms, why, checks, stop } = fare;
        let stop = StopView::new(&record.details, stop.unwrap_or_default());
        Ok(FareView { every_ms, why, checks, stop: Some(stop) })
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

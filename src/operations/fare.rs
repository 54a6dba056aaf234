//! How an instance fares: its processes, and what its supervisor knows of its phases, its liveness checks and its
//! stop, asked for over its line.
//!
//! Nobody else knows the latter: neither a phase nor a check is a change of the registry.

use super::{
    error::Error,
    host::{Host, Tell},
};
use crate::{
    config::StopSignal,
    os::{clock, process, tree},
    registry::{Lease, LockId},
    store::record::{Details, Record},
    supervisor::{
        checks::Checked,
        line::{Heard, Line},
        message::{Fare, FromClient, NextTry, StopStanding, ToClient},
        phases::Phased,
    },
};
use serde::Serialize;
use std::{io, time::Duration};

/// A supervisor answers at once; one of an older styxy, and one that is halted, never does.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// So many of its processes are named.
const PROCESSES_MAX: usize = 12;

/// How an instance fares.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FareView {
    /// How it is told that it is ready, and well; null for one without a supervisor, as all of these.
    ready: Option<String>,
    /// How often it is checked; null: never.
    every_ms: Option<u64>,
    /// Whether it is started again: `no`, `on-failure:5`, `always`.
    restart: Option<String>,
    /// The first of its processes, parents before children.
    processes: Vec<ProcessView>,
    /// How many more there are.
    processes_more: usize,
    /// Why the last check failed, if it did.
    why: Option<String>,
    /// The last checks, the oldest first.
    checks: Vec<Checked>,
    /// The last phases since its start, the oldest first; the last one goes on.
    phases: Vec<Phased>,
    /// There were others before: only so many are kept.
    phases_dropped: bool,
    /// When what has ended is started again; null unless that is waited for.
    next_try: Option<NextTry>,
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
    survivors: Vec<ProcessView>,
}

/// A process of an instance.
#[derive(Debug, Serialize)]
struct ProcessView {
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
                .map(|pid| ProcessView { pid, name: name(pid) })
                .collect(),
        }
    }
}

impl Host {
    /// Of what an instance consists, which phases it was in, how its last liveness checks went, when it is tried
    /// again, and how far its stop is. Nothing is known of one without a supervisor.
    pub fn fare(&self, reference: &str, tell: &Tell<'_>) -> Result<FareView, Error> {
        let view = self.locate(reference, tell)?;
        let lock_id: LockId = view.lock_id.parse().expect("a view's lockId is one");
        let Some(record) = view.supervisor_pid.and_then(|_| self.store.run().read(&lock_id)) else {
            return Ok(FareView::default());
        };
        let fare = self.ask_for_fare(&lock_id).ok().flatten().unwrap_or_default();
        let Fare { every_ms, restart, why, checks, phases, phases_dropped, next_try, stop } = fare;
        let mut processes = self.processes_of(&record);
        let processes_more = processes.len().saturating_sub(PROCESSES_MAX);
        processes.truncate(PROCESSES_MAX);
        Ok(FareView {
            ready: Some(record.details.ready.clone()),
            every_ms,
            restart,
            processes,
            processes_more,
            why,
            checks,
            phases,
            phases_dropped,
            next_try,
            stop: Some(StopView::new(&record.details, stop.unwrap_or_default())),
        })
    }

    /// The tree below a supervisor, without other instances in it; nothing where its pids are others here.
    fn processes_of(&self, record: &Record) -> Vec<ProcessView> {
        let Details { row, supervisor, .. } = &record.details;
        let is_here = |lease: &Lease| lease.namespaces.pid == self.place.namespaces.pid;
        if !row.lease.as_ref().is_some_and(is_here) || !process::is_alive(supervisor) {
            return Vec::new();
        }
        // A process that cannot be read is another user's, or gone.
        let found = tree::descendants(supervisor.pid, &|pid| tree::supervisor(pid).is_some());
        let view =
            |stat: process::Stat| ProcessView { pid: stat.pid, name: Some(stat.name.into()) };
        found.unwrap_or_default().into_iter().map(view).collect()
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

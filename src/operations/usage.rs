//! What the processes of every instance use: for display, so whoever ends meanwhile counts for nothing.

use super::{
    error::Error,
    host::{Host, Tell},
    view::View,
};
use crate::os::{clock, process, tree};
use serde::Serialize;
use std::collections::BTreeMap;

/// What the processes of one instance use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// The processor time of all of them so far, in ms; two looks make a share.
    pub cpu_ms: u64,
    /// The memory they hold, in bytes.
    pub memory: u64,
    /// How many there are.
    pub processes: usize,
}

/// What all instances use at one moment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AllUsage {
    /// The moment, in ms since boot: for shares, not for clocks.
    pub at_ms: u64,
    /// By lockId.
    pub usage: BTreeMap<String, Usage>,
}

impl Host {
    /// What all instances use.
    pub fn usage(&self, tell: &Tell<'_>) -> Result<AllUsage, Error> {
        let views = self.list(tell)?.instances;
        let at_ms = super::host::milliseconds(clock::since_boot());
        let usage = views.into_iter().filter_map(|view| Some((view.lock_id.clone(), used(&view)?)));
        Ok(AllUsage { at_ms, usage: usage.collect() })
    }
}

/// What is below its supervisor, or its process where it has none. `None`: nothing is known.
fn used(view: &View) -> Option<Usage> {
    let found = match (view.supervisor_pid, view.pid) {
        (Some(supervisor), _) => tree::descendants(supervisor, &|_| false).ok()?,
        (None, Some(pid)) => vec![process::find_stat(pid).ok()??],
        (None, None) => return None,
    };
    let ticks: u64 = found.iter().map(|stat| stat.cpu_ticks).sum();
    let pages: u64 = found.iter().map(|stat| stat.memory_pages).sum();
    Some(Usage {
        cpu_ms: ticks.saturating_mul(1000) / rustix::param::clock_ticks_per_second().max(1),
        memory: pages * u64::try_from(rustix::param::page_size()).unwrap_or(4096),
        processes: found.len(),
    })
}

/// The memory of this process, in bytes.
pub fn own_memory() -> u64 {
    let own = process::find_stat(super::serve::own_pid()).ok().flatten();
    own.map_or(0, |stat| stat.memory_pages)
        * u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

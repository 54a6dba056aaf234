//! What the processes of every instance use: for display, so whoever ends meanwhile counts for nothing.

use super::{
    error::Error,
    host::{Host, Tell, milliseconds},
};
use crate::os::clock;
use serde::Serialize;
use std::collections::BTreeMap;

pub use crate::os::usage::memory_of_self;

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
    /// What the trees of all supervised instances use.
    pub fn usage(&self, tell: &Tell<'_>) -> Result<AllUsage, Error> {
        let registry = self.read(tell)?;
        let views = self.views(&registry);
        let supervisors: Vec<i32> = views.iter().filter_map(|view| view.supervisor_pid).collect();
        let at_ms = milliseconds(clock::since_boot());
        let usage = views.iter().filter_map(|view| {
            let used = self.usage_of(&registry, view, &supervisors)?;
            let usage = Usage {
                cpu_ms: milliseconds(used.processor_time()),
                memory: used.memory_bytes,
                processes: used.processes(),
            };
            Some((view.lock_id.clone(), usage))
        });
        Ok(AllUsage { at_ms, usage: usage.collect() })
    }
}

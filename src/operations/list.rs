//! `list`: every instance that is alive, and what its tree uses.

use super::{
    error::Error,
    host::{Host, Tell},
    view::View,
};
use crate::{
    os::{process, usage::Usage},
    registry::{LockId, Registry},
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// The kernel counts processor time in hundredths of a second: over less than this it says little.
const SAMPLE_MIN: Duration = Duration::from_secs(1);

/// The answer, as JSON has it.
#[derive(Debug, Serialize)]
pub struct Instances {
    /// By type, then id.
    pub instances: Vec<View>,
}

/// What was seen when instances were looked at before, for who looks again and again.
#[derive(Debug, Default)]
pub struct Earlier {
    /// By lockId.
    samples: BTreeMap<String, Sample>,
}

/// One look at one instance, and what was told of it then.
#[derive(Debug)]
struct Sample {
    usage: Usage,
    percent: f64,
}

impl Host {
    /// Every instance that is alive, or that could not be ended. Processor time is told since the start, as
    /// by ps(1).
    pub fn list(&self, tell: &Tell<'_>) -> Result<Instances, Error> {
        self.list_again(&mut Earlier::default(), tell)
    }

    /// The same without what their trees use, which takes a look at every process.
    pub fn living_views(&self, tell: &Tell<'_>) -> Result<Vec<View>, Error> {
        Ok(self.views(&self.read(tell)?).into_iter().map(View::with_user).collect())
    }

    /// The same; processor time is told since the look before, as by top(1).
    pub fn list_again(&self, earlier: &mut Earlier, tell: &Tell<'_>) -> Result<Instances, Error> {
        let registry = self.read(tell)?;
        let mut instances = self.views(&registry);
        let supervisors: Vec<i32> =
            instances.iter().filter_map(|view| view.supervisor_pid).collect();
        let mut samples = BTreeMap::new();
        for view in &mut instances {
            let Some(usage) = self.usage_of(&registry, view, &supervisors) else { continue };
            let sample = earlier.samples.remove(&view.lock_id).map_or_else(
                || Sample { percent: usage.percent_since_start(), usage: usage.clone() },
                |before| before.followed_by(&usage),
            );
            view.cpu_percent = Some((sample.percent * 10.0).round() / 10.0);
            view.memory_bytes = Some(usage.memory_bytes);
            samples.insert(view.lock_id.clone(), sample);
        }
        let instances = instances.into_iter().map(View::with_user).collect();
        *earlier = Earlier { samples };
        Ok(Instances { instances })
    }

    /// What the tree of an instance uses: all below its supervisor that is not another instance's.
    pub(super) fn usage_of(
        &self,
        registry: &Registry,
        view: &View,
        supervisors: &[i32],
    ) -> Option<Usage> {
        // What is only reserved has none; there may be thousands of these.
        view.supervisor_pid?;
        let lock_id: LockId = view.lock_id.parse().ok()?;
        let lease = registry.by_lock_id(&lock_id)?.lease.as_ref()?;
        if lease.namespaces.pid != self.place.namespaces.pid {
            // Its pids are others here.
            return None;
        }
        let supervisor = self.store.run().read(&lock_id)?.details.supervisor;
        if !process::is_alive(&supervisor) {
            return None;
        }
        // A process that cannot be read is another user's, or gone.
        Usage::below(supervisor.pid, &|pid| supervisors.contains(&pid)).ok().flatten()
    }
}

impl Sample {
    /// What is told at a later look: what was told before, if that is only a moment ago.
    fn followed_by(self, usage: &Usage) -> Self {
        if usage.age_of(&self.usage) < SAMPLE_MIN {
            return self;
        }
        Self { percent: usage.percent_since(&self.usage), usage: usage.clone() }
    }
}

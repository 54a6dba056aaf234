//! `cleanup`: what crashes left is stopped, and its leases and files are collected.
//!
//! Reclaiming has two steps. Under the lock a dead row is taken over, so that name and port stay; outside
//! it its leftovers are stopped; a second transaction lets the row go.

use super::{
    error::Error,
    host::{Host, Tell, mark},
};
use crate::{
    decision::world::{Life, World},
    os::leftovers,
    registry::{Holder, Lease, LockId, Phase, Registry},
    store::{
        run_dir::{Held, RunDirectory},
        storage::Storage,
    },
};
use nix::sys::signal::Signal;
use serde::Serialize;
use std::time::Duration;

/// The answer, as JSON has it.
#[derive(Debug, Serialize)]
pub struct Cleaned {
    /// What was removed, in words.
    pub removed: Vec<String>,
}

impl Host {
    /// Stops and collects everything that dead supervisors left.
    pub fn cleanup(&self, tell: &Tell<'_>) -> Result<Cleaned, Error> {
        let mut removed = Vec::new();
        let world = self.world();
        let taken = self.transact(tell, &world, |registry, remarks| {
            for dead in self.collect(registry, remarks, &world, usize::MAX) {
                removed.push(format!("the lease of {}", dead.name));
            }
            let left =
                registry.leased().filter(|(instance, _)| world.life(instance) == Life::Leftovers);
            let left =
                left.map(|(instance, lease)| (instance.name.to_string(), lease.lock_id.clone()));
            // Whose row was lost with the registry, to another one of its name or port. A reservation's keeps
            // its row: what died on its way to take it over had not begun.
            let rowless = self.litter(registry).into_iter();
            let rowless = rowless.filter(|lock_id| registry.by_lock_id(lock_id).is_none());
            let rowless = rowless.filter_map(|lock_id| Some((world.left_by(&lock_id)?, lock_id)));
            let taken: Vec<(String, Held)> = left
                .chain(rowless)
                .filter_map(|(name, lock_id)| Some((name, self.store.run().take_over(&lock_id)?)))
                .collect();
            let litter = remove_litter(self.store.run(), registry);
            removed.extend(litter.iter().map(|lock_id| format!("the run files of {lock_id}")));
            Ok(taken)
        })?;
        let mut failure = None;
        for (name, held) in taken {
            match self.end_leftovers(held, tell) {
                Ok(()) => removed.push(format!("what {name} had left running, and its lease")),
                // The others are not left because of it.
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(Cleaned { removed }), Err)
    }

    /// Stops what a dead supervisor left, then lets its row go. The row is held meanwhile.
    pub(super) fn end_leftovers(&self, held: Held, tell: &Tell<'_>) -> Result<(), Error> {
        self.end_leftovers_within(held, None, tell)
    }

    /// The same with a grace in place of the one that the instance was started with.
    pub(super) fn end_leftovers_within(
        &self,
        held: Held,
        grace: Option<Duration>,
        tell: &Tell<'_>,
    ) -> Result<(), Error> {
        let mut held = self.stop_leftovers(held, grace)?;
        let world = self.world();
        held.remove_files();
        self.transact(tell, &world, |registry, remarks| {
            self.forget(registry, remarks, &world, held.lock_id());
            Ok(())
        })
    }

    /// Stops what a dead supervisor left. Its row is held by the files that come back.
    pub(super) fn stop_leftovers(
        &self,
        mut held: Held,
        grace: Option<Duration>,
    ) -> Result<Held, Error> {
        let Some(record) = self.store.run().read(held.lock_id()) else { return Ok(held) };
        let signal = Signal::try_from(record.details.stop_signal).unwrap_or(Signal::SIGTERM);
        let own = Duration::from_millis(record.details.stop_timeout_ms);
        let grace = grace.unwrap_or(own);
        let name = || record.details.row.name.to_string();
        // The command first: one that still runs could start a container that nobody looks for any more.
        leftovers::stop_leftovers(&mark(&record), signal, grace)
            .map_err(|source| Error::Leftover { name: name(), source })
            .and_then(|()| self.end_containers(&record, grace))
            .inspect_err(|_| held.update(|vitals| vitals.phase = Phase::Stuck))?;
        held.update(|vitals| vitals.over = true);
        Ok(held)
    }

    /// Run files that no instance's row names and nobody holds.
    pub(super) fn litter(&self, registry: &Registry) -> Vec<LockId> {
        litter(self.store.run(), registry)
    }
}

/// Removes run files that no instance's row names and nobody holds; tells whose. Under the state lock.
pub(super) fn remove_litter<S: Storage>(run: &RunDirectory<S>, registry: &Registry) -> Vec<LockId> {
    let litter = litter(run, registry);
    litter.iter().for_each(|lock_id| run.remove(lock_id));
    litter
}

fn litter<S: Storage>(run: &RunDirectory<S>, registry: &Registry) -> Vec<LockId> {
    let named = |lock_id: &LockId| {
        // A reservation has no files: those of its lockId are of a run that died on its way to take it over. Nor
        // does a lease keep those of a successor that died while it waited: it had not begun.
        let is_own =
            |lease: &Lease| lease.lock_id == *lock_id && lease.holder == Holder::Supervisor;
        registry.leased().any(|(_, lease)| is_own(lease))
    };
    let mut litter = run.lock_ids().unwrap_or_default();
    litter.retain(|lock_id| !named(lock_id) && !run.is_alive(lock_id));
    litter
}

//! A registry again, from the durable copy of its ranges and the run files, when its own file is broken.
//!
//! Who holds a run lock is an instance and gets its row back. Who died gets it back too, so that the next
//! command finds and stops what it left. Only `reserved` leases can be lost: nothing but the registry
//! knows them; a port that is served stays taken all the same.

use super::{record::Record, run_dir::RunDirectory, storage::Storage};
use crate::registry::Registry;

/// The registry that the ranges and the run files tell of.
pub(super) fn registry<S: Storage>(ranges: Registry, run: &RunDirectory<S>) -> Registry {
    let mut found: Vec<(bool, Record)> = run
        .lock_ids()
        .unwrap_or_default()
        .iter()
        .filter_map(|lock_id| Some((run.is_alive(lock_id), run.read(lock_id)?)))
        .filter(|(_, record)| {
            record.details.row.lease.is_some() && !record.details.row.ports.is_empty()
        })
        .collect();
    // The living first: of two that tell of one name or port, at most one can be alive.
    found.sort_by_key(|(alive, record)| (!alive, record.details.started_boot_ms));
    let mut registry = Registry { instances: Vec::new(), ..ranges };
    for (_, record) in found {
        let row = record.details.row;
        let clash = row.ports.iter().any(|named| registry.by_port(named.port).is_some());
        if !clash && registry.instance(&row.name).is_none() {
            registry.put(row);
        }
    }
    registry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Store,
        record::{Vitals, tests::details},
    };

    #[test]
    fn the_living_get_their_rows_back_before_the_dead() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        let write = |lock_id: &str| {
            let mut held = store.run().hold(lock_id.parse().unwrap()).unwrap();
            let details = details(lock_id);
            held.write(&Record { vitals: Vitals::starting(), details }).unwrap();
            held
        };
        let mut dead = write("ai-rag-dddddd");
        dead.leave_files();
        drop(dead);
        let _alive = write("ai-rag-zzzzzz");
        let rebuilt = registry(Registry::default(), store.run());
        let locks: Vec<&str> = rebuilt.leased().map(|(_, lease)| lease.lock_id.as_str()).collect();
        assert_eq!(locks, ["ai-rag-zzzzzz"]);
    }
}

//! A registry again, from the durable copy of its ranges and the run files, when its own file is broken.
//!
//! Who holds a run lock is an instance and gets its row back. Who died gets it back too, so that the next
//! command finds and stops what it left. Only `reserved` leases can be lost: nothing but the registry
//! knows them; a port that is served stays taken all the same.

use super::{record::Record, run_dir::RunDirectory, storage::Storage};
use crate::registry::Registry;
use std::cmp::Reverse;

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
    // The living first: of two that tell of one name or port, at most one can be alive. Of two dead ones it is
    // the later that may have left something: it could only begin when nothing was left of the earlier.
    found.sort_by_key(|(alive, record)| (!alive, Reverse(record.details.started_boot_ms)));
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
        record::{Details, Vitals, tests::details},
    };

    /// Who gets the one row, of those that began at these times.
    fn heir(dead: &[(&str, u64)], alive: Option<&str>) -> String {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        let write = |lock_id: &str, started_boot_ms| {
            let mut held = store.run().hold(lock_id.parse().unwrap()).unwrap();
            let details = Details { started_boot_ms, ..details(lock_id) };
            held.write(&Record { vitals: Vitals::starting(), details }).unwrap();
            held
        };
        for (lock_id, began) in dead {
            write(lock_id, *began).leave_files();
        }
        let _alive = alive.map(|lock_id| write(lock_id, 2));
        let rebuilt = registry(Registry::default(), store.run());
        let locks: Vec<&str> = rebuilt.leased().map(|(_, lease)| lease.lock_id.as_str()).collect();
        locks.join(" ")
    }

    #[test]
    fn the_living_get_their_rows_back_before_the_dead_and_the_last_of_those() {
        let dead = [("ai-rag-dddddd", 1), ("ai-rag-cccccc", 3), ("ai-rag-eeeeee", 2)];
        assert_eq!(heir(&dead[..1], Some("ai-rag-zzzzzz")), "ai-rag-zzzzzz");
        assert_eq!(heir(&dead, Some("ai-rag-zzzzzz")), "ai-rag-zzzzzz");
        assert_eq!(heir(&dead, None), "ai-rag-cccccc");
    }
}

//! Which leases have outlived their holder.
//!
//! Pure. Leftovers are stopped outside the lock, by the next command for that instance or by `cleanup`;
//! here only rows without a living process are let go.

use super::world::{Life, World};
use crate::registry::{InstanceName, LockId, Registry};

/// A writing command collects at most so many rows of others: nobody waits for a stranger's litter.
pub const COLLECT_MAX: usize = 8;

/// A lease whose holder is dead and has left nothing behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Whose lease.
    pub name: InstanceName,
    /// Its name.
    pub lock_id: LockId,
}

/// Looks at `look_max` leases, beginning at a place that moves on with each transaction, and tells those
/// whose holders are gone without a trace.
pub fn dead(registry: &Registry, world: &dyn World, look_max: usize) -> Vec<Dead> {
    let count = registry.instances.len();
    let turn = usize::try_from(registry.seq).unwrap_or(0).wrapping_mul(COLLECT_MAX);
    let start = turn.checked_rem(count).unwrap_or(0);
    let (front, back) = registry.instances.split_at(start);
    back.iter()
        .chain(front)
        .take(look_max)
        .filter_map(|instance| {
            let lease = instance.lease.as_ref()?;
            (world.life(instance) == Life::Gone)
                .then(|| Dead { name: instance.name.clone(), lock_id: lease.lock_id.clone() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::world::tests::{Told, registry, remembered, running};

    #[test]
    fn only_those_without_a_living_process_go() {
        let rows = registry([
            running("dev/alive", 1),
            running("dev/gone", 2),
            running("dev/left", 3),
            remembered("dev/old", 4, 0),
        ]);
        let world = Told {
            gone: ["dev-gone-000000".to_owned()].into(),
            leftovers: ["dev-left-000000".to_owned()].into(),
            ..Told::default()
        };
        let found: Vec<String> =
            dead(&rows, &world, 100).iter().map(|dead| dead.name.to_string()).collect();
        assert_eq!(found, ["dev/gone"]);
    }

    #[test]
    fn every_row_has_its_turn() {
        let mut rows = registry((0..20).map(|n| running(&format!("dev/x{n:02}"), 1 + n)));
        let world = Told {
            gone: (0..20).map(|n| format!("dev-x{n:02}-000000")).collect(),
            ..Told::default()
        };
        let mut seen = std::collections::BTreeSet::new();
        for seq in 0..5 {
            rows.seq = seq;
            let found = dead(&rows, &world, COLLECT_MAX);
            assert_eq!(found.len(), COLLECT_MAX);
            seen.extend(found.into_iter().map(|dead| dead.name));
        }
        assert_eq!(seen.len(), 20);
    }
}

//! What must hold of a registry after a crash, and whether the audit log tells the same story.
//!
//! Pure. What a registry always has to hold (no port twice, no overlap) is checked by the store itself.

use super::deed::GAP;
use crate::{
    config::TypeName,
    ports::{Port, Range},
    registry::{Action, Holder, InstanceName, LockId, Registry},
    store::audit::Entry,
};
use std::collections::BTreeSet;

/// What counts of a registry: neither its numbers nor its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Essence {
    /// The ranges, in the order in which they were made.
    pub(super) ranges: Vec<(TypeName, Range)>,
    /// Every instance with its lease and its ports.
    pub(super) instances: Vec<(InstanceName, Option<LockId>, Vec<Port>)>,
}

impl Essence {
    /// Of a registry.
    pub(super) fn of(registry: &Registry) -> Self {
        let ranges = registry.ranges.iter().map(|auto| (auto.service_type.clone(), auto.range));
        let instances = registry.instances.iter().map(|instance| {
            let lock_id = instance.lease.as_ref().map(|lease| lease.lock_id.clone());
            let ports = instance.ports.iter().map(|named| named.port).collect();
            (instance.name.clone(), lock_id, ports)
        });
        Self { ranges: ranges.collect(), instances: instances.collect() }
    }

    /// What the durable ranges and the run files tell of it, when its own file is lost.
    pub(super) fn rebuilt(registry: &Registry) -> Self {
        let mut kept = registry.clone();
        kept.instances.retain(|instance| {
            let lease = instance.lease.as_ref();
            lease.is_some_and(|lease| matches!(lease.holder, Holder::Supervisor))
        });
        Self::of(&kept)
    }
}

/// Between the ranges of two types lies the gap.
pub(super) fn gaps(registry: &Registry) -> Result<(), String> {
    let mut ranges: Vec<_> = registry.ranges.iter().collect();
    ranges.sort_by_key(|auto| auto.range);
    for pair in ranges.windows(2) {
        let (low, high) = (pair[0], pair[1]);
        let is_kept = low.range.distance(high.range).is_some_and(|gap| gap >= GAP);
        if low.service_type != high.service_type && !is_kept {
            return Err(format!("{} and {} are closer than {GAP} ports", low.range, high.range));
        }
    }
    Ok(())
}

/// Each lease lies in the ranges of its type.
pub(super) fn homes(registry: &Registry) -> Result<(), String> {
    for (instance, _) in registry.leased() {
        for named in &instance.ports {
            let mut ranges = registry.ranges_of(&instance.name.service_type);
            if !ranges.any(|range| range.contains(named.port)) {
                return Err(format!("{} has port {} of no range", instance.name, named.port));
            }
        }
    }
    Ok(())
}

/// The audit's lines, applied to the registry before, give the one after; each has a number of its own.
pub(super) fn audit(before: &Registry, after: &Registry, lines: &[Entry]) -> Result<(), String> {
    let (mut leases, mut ranges) = held(before);
    let mut last = before.seq;
    for line in lines.iter().filter(|line| line.action.is_change() && line.seq > before.seq) {
        if line.seq <= last || line.seq > after.seq {
            return Err(format!("line {} after line {last}, of {}", line.seq, after.seq));
        }
        last = line.seq;
        let lock_id = |side: &Option<std::borrow::Cow<'_, serde_json::Value>>| {
            side.as_ref().and_then(|side| side["lockId"].as_str().map(str::to_owned))
        };
        match line.action {
            Action::Allocate => {
                lock_id(&line.before).map(|lock_id| leases.remove(&lock_id));
                leases.extend(lock_id(&line.after));
            }
            Action::Release | Action::Reclaim => {
                lock_id(&line.before).map(|lock_id| leases.remove(&lock_id));
            }
            Action::RangeCreate | Action::RangeGrow => {
                let parts = line.before.iter().filter_map(|parts| parts.as_array()).flatten();
                for part in parts {
                    let part: Option<(u16, u16)> = serde_json::from_value(part.clone()).ok();
                    part.map(|part| ranges.remove(&part));
                }
                ranges.extend(line.range);
            }
            Action::RangeUndo | Action::RangeRetire => {
                line.range.map(|range| ranges.remove(&range));
            }
            Action::Attach | Action::Blocked | Action::ConfigSet | Action::Exhausted => {}
        }
    }
    if (leases, ranges) == held(after) {
        return Ok(());
    }
    Err(format!("the audit's lines from {} to {} tell another story", before.seq, after.seq))
}

/// The leases and the ranges of a registry, as the audit names them.
fn held(registry: &Registry) -> (BTreeSet<String>, BTreeSet<(u16, u16)>) {
    let leases = registry.leased().map(|(_, lease)| lease.lock_id.to_string());
    let ends = |range: Range| (range.first().number(), range.last().number());
    (leases.collect(), registry.ranges.iter().map(|auto| ends(auto.range)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::AutoRange;

    fn registry(ranges: &[(&str, u16, u16)]) -> Registry {
        let row = |(name, first, last): &(&str, u16, u16)| AutoRange {
            service_type: name.parse().unwrap(),
            range: Range::known(*first, *last),
            created: String::new(),
            used: None,
        };
        Registry { ranges: ranges.iter().map(row).collect(), ..Registry::default() }
    }

    #[test]
    fn a_gap_that_is_too_small_is_seen() {
        assert_eq!(gaps(&registry(&[("a", 10, 19), ("a", 20, 29), ("b", 40, 49)])), Ok(()));
        assert!(gaps(&registry(&[("b", 39, 49), ("a", 10, 29)])).is_err());
    }

    #[test]
    fn a_lost_range_and_a_lost_line_are_seen() {
        let (none, one) = (registry(&[]), registry(&[("a", 10, 19)]));
        assert_ne!(Essence::of(&none), Essence::of(&one));
        assert_eq!(audit(&one, &one, &[]), Ok(()));
        assert!(audit(&none, &one, &[]).is_err());
        assert!(audit(&one, &none, &[]).is_err());
    }
}

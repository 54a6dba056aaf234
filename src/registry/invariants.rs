//! What always holds of a registry: checked after it was read (else the file is broken) and before it is
//! written (else styxy is).
//!
//! Pure. One pass over the rows; it runs twice in every transaction, the second time only over names that are new.

use super::{InstanceName, Registry};
use crate::ports::{Port, PortSet, Range};
use std::sync::Arc;

/// A rule that a registry breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenRule {
    /// Instances are sorted by name, and each name stands once.
    #[error("{0} is out of order or stands twice")]
    Order(InstanceName),
    /// An instance has at least one port.
    #[error("{0} has no port")]
    NoPort(InstanceName),
    /// No port has two leases.
    #[error("port {port} is leased twice, the second time by {second}")]
    SharedPort {
        /// The port.
        port: Port,
        /// Whose lease came second.
        second: InstanceName,
    },
    /// No two ranges share a port.
    #[error("the ranges {0} and {1} overlap")]
    Overlap(Range, Range),
}

/// Finds the first rule that is broken, if any is.
pub fn check(registry: &Registry) -> Result<(), BrokenRule> {
    check_after(&Registry::default(), registry)
}

/// The same of a registry that was made from one that keeps the rules: the order of two rows that both have
/// is known.
pub fn check_after(before: &Registry, registry: &Registry) -> Result<(), BrokenRule> {
    let mut leased = PortSet::default();
    let mut known = &before.instances[..];
    let mut last: Option<(&InstanceName, bool)> = None;
    for instance in &registry.instances {
        // One row may be missing or another one, as after most changes; after others all are compared.
        let place = known.iter().take(2).position(|row| Arc::ptr_eq(row, instance));
        known = &known[place.map_or(0, |place| place + 1)..];
        let has_order = |(last, was_known): (&InstanceName, bool)| {
            was_known && place.is_some() || *last < instance.name
        };
        if !last.is_none_or(has_order) {
            return Err(BrokenRule::Order(instance.name.clone()));
        }
        last = Some((&instance.name, place.is_some()));
        if instance.ports.is_empty() {
            return Err(BrokenRule::NoPort(instance.name.clone()));
        }
        let ports = instance.lease.is_some().then_some(&instance.ports);
        for named in ports.into_iter().flatten() {
            if !leased.insert(named.port) {
                let second = instance.name.clone();
                return Err(BrokenRule::SharedPort { port: named.port, second });
            }
        }
    }
    let mut ranges: Vec<Range> = registry.ranges.iter().map(|auto| auto.range).collect();
    ranges.sort_unstable();
    match ranges.windows(2).find(|pair| pair[0].overlaps(pair[1])) {
        Some(pair) => Err(BrokenRule::Overlap(pair[0], pair[1])),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{AutoRange, Holder, Instance, Lease, NamedPort, Overlay, Scope};
    use proptest::prelude::*;

    fn instance(id: &str, ports: &[u16], leased: bool) -> Arc<Instance> {
        let name = InstanceName {
            service_type: "dev".parse().unwrap(),
            id: id.parse().unwrap(),
            scope: Scope::Machine,
        };
        let lease = leased.then(|| Lease {
            lock_id: format!("dev-{id}-000000").parse().unwrap(),
            holder: Holder::Supervisor,
            namespaces: Default::default(),
            command: 0,
            claims: Vec::new(),
            next: None,
        });
        let ports = ports
            .iter()
            .map(|number| NamedPort { name: String::new(), port: Port::known(*number) })
            .collect();
        Arc::new(Instance { name, ports, last_seq: 0, overlay: Overlay::Unknown, lease })
    }

    fn registry(instances: Vec<Arc<Instance>>, ranges: &[(u16, u16)]) -> Registry {
        let ranges = ranges
            .iter()
            .map(|(first, last)| AutoRange {
                service_type: "x".parse().unwrap(),
                range: Range::known(*first, *last),
                created: String::new(),
                used: None,
            })
            .collect();
        Registry { instances, ranges, ..Registry::default() }
    }

    #[test]
    fn a_registry_that_keeps_the_rules_passes() {
        let rows = vec![instance("a", &[1, 2], true), instance("b", &[3], true)];
        assert_eq!(check(&registry(rows, &[(20, 29), (10, 19)])), Ok(()));
        assert_eq!(check(&Registry::default()), Ok(()));
    }

    #[test]
    fn each_broken_rule_is_found() {
        let shared = vec![instance("a", &[1, 2], true), instance("b", &[2], true)];
        assert!(matches!(check(&registry(shared, &[])), Err(BrokenRule::SharedPort { .. })));
        let order = vec![instance("b", &[1], true), instance("a", &[2], true)];
        assert!(matches!(check(&registry(order, &[])), Err(BrokenRule::Order(_))));
        let twice = vec![instance("a", &[1], true), instance("a", &[2], true)];
        assert!(matches!(check(&registry(twice, &[])), Err(BrokenRule::Order(_))));
        let none = vec![instance("a", &[], false)];
        assert!(matches!(check(&registry(none, &[])), Err(BrokenRule::NoPort(_))));
        let overlap = registry(Vec::new(), &[(10, 19), (1, 5), (19, 20)]);
        assert!(matches!(check(&overlap), Err(BrokenRule::Overlap(..))));
    }

    #[test]
    fn a_remembered_port_may_be_leased_by_another() {
        let rows = vec![instance("a", &[1], false), instance("b", &[1], true)];
        assert_eq!(check(&registry(rows, &[])), Ok(()));
    }

    proptest! {
        #[test]
        fn what_was_in_order_before_makes_no_difference(
            before in prop::collection::btree_set(0u16..30, 0..20),
            // Rows as they were, and others of such a name, mostly in order.
            after in prop::collection::vec((0u16..30, prop::bool::weighted(0.8)), 0..20),
            is_sorted in prop::bool::weighted(0.8),
        ) {
            let row = |number: u16| instance(&format!("i{number:02}"), &[100 + number], false);
            let before = registry(before.into_iter().map(row).collect(), &[]);
            let known = |name: &InstanceName| before.instances.iter().find(|row| row.name == *name);
            let mut after: Vec<_> = after
                .into_iter()
                .map(|(number, is_old)| {
                    let fresh = row(number);
                    known(&fresh.name).filter(|_| is_old).cloned().unwrap_or(fresh)
                })
                .collect();
            if is_sorted {
                after.sort_by(|one, other| one.name.cmp(&other.name));
                after.dedup_by(|one, other| one.name == other.name);
            }
            let after = registry(after, &[]);
            prop_assert_eq!(check_after(&before, &after), check(&after));
        }
    }
}

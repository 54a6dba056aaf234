//! Which port an instance gets: asked for, remembered, preferred, or the lowest free one.
//!
//! Pure. The order is the contract's; what comes first is what people would take as theirs.

use super::{
    refusal::{Holder, Refusal},
    world::{PortUse, World},
};
use crate::{
    config::TypeName,
    ports::{Port, PortSet, Range},
    registry::{Holder as LeaseHolder, Instance, InstanceName, NamedPort, Ports, Registry},
};

/// What is wished for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// This port or none.
    pub exact: Option<Port>,
    /// These first.
    pub prefer: Vec<Port>,
    /// The names of the ports; one without a name when empty.
    pub names: Vec<String>,
}

/// For whom, and out of what.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// What everybody holds.
    pub registry: &'a Registry,
    /// Who asks.
    pub name: &'a InstanceName,
    /// The blocks of its type.
    pub ranges: &'a [Range],
    /// Ports that its type prefers.
    pub preferred: &'a [Port],
    /// What is wished for.
    pub wish: &'a Wish,
}

/// All the ports that were wished for, or why not.
pub fn choose(choice: Choice<'_>, world: &dyn World) -> Result<Ports, Refusal> {
    let wanted = choice.wish.names.len().max(1);
    let mut known = choice.known();
    let mut found = Ports::with_capacity(wanted);
    for index in 0..wanted {
        let name = choice.wish.names.get(index).cloned().unwrap_or_default();
        let port = choice.one(index, &name, &mut known, world)?;
        known.taken.insert(port);
        found.push(NamedPort { name, port });
    }
    Ok(found)
}

/// What is known before the world is asked.
struct Known {
    /// Ports that another instance leases, or that the world said are taken.
    taken: PortSet,
    /// Ports of the ranges that other instances remember, with the change since which they do; sorted.
    remembered: Vec<(Port, u64)>,
    /// How many ports the world said are taken.
    foreign: usize,
}

impl Choice<'_> {
    fn known(&self) -> Known {
        let mut known = Known { taken: PortSet::default(), remembered: Vec::new(), foreign: 0 };
        for instance in self.registry.instances.iter().filter(|other| other.name != *self.name) {
            for named in &instance.ports {
                if instance.lease.is_some() {
                    known.taken.insert(named.port);
                } else if self.ranges.iter().any(|range| range.contains(named.port)) {
                    known.remembered.push((named.port, instance.last_seq));
                }
            }
        }
        known.remembered.sort_unstable();
        known
    }

    fn one(
        &self,
        index: usize,
        name: &str,
        known: &mut Known,
        world: &dyn World,
    ) -> Result<Port, Refusal> {
        if let Some(port) = self.wish.exact.filter(|_| index == 0) {
            return self.exact(port, world);
        }
        let last = self.registry.instance(self.name);
        let last = last.and_then(|last| last.ports.iter().find(|named| named.name == name));
        let first = index == 0;
        let wishes = self
            .wish
            .prefer
            .iter()
            .filter(|_| first)
            .chain(last.map(|named| &named.port))
            .chain(self.preferred.iter().filter(|_| first));
        for port in wishes {
            if known.try_port(*port, world) {
                return Ok(*port);
            }
        }
        self.lowest(known, world).ok_or_else(|| self.full(known.foreign))
    }

    fn exact(&self, port: Port, world: &dyn World) -> Result<Port, Refusal> {
        if let Some(holder) = self.registry.by_port(port).filter(|held| held.name != *self.name) {
            return Err(Refusal::PortLeased { port, holder: Box::new(holder_of(holder)) });
        }
        match world.port_use(port) {
            PortUse::Free => Ok(port),
            PortUse::Taken => Err(Refusal::PortTaken { port }),
            PortUse::NotPermitted => Err(Refusal::PortNotPermitted { port }),
        }
    }

    /// The lowest free port that nobody else remembers, else the longest forgotten one.
    fn lowest(&self, known: &mut Known, world: &dyn World) -> Option<Port> {
        let mut fallback: Vec<(u64, Port)> = Vec::new();
        for port in self.ranges.iter().flat_map(|range| range.ports()) {
            match known.remembered_since(port) {
                None if known.try_port(port, world) => return Some(port),
                None => {}
                Some(age) => fallback.push((age, port)),
            }
        }
        fallback.sort_unstable();
        fallback.into_iter().map(|(_, port)| port).find(|port| known.try_port(*port, world))
    }

    fn full(&self, foreign: usize) -> Refusal {
        let leased = self
            .registry
            .leased()
            .filter(|(instance, _)| {
                let ours = |named: &NamedPort| self.ranges.iter().any(|r| r.contains(named.port));
                instance.ports.iter().any(ours)
            })
            .map(|(instance, _)| holder_of(instance))
            .collect();
        let service_type: TypeName = self.name.service_type.clone();
        Refusal::RangeFull { service_type, ranges: self.ranges.to_vec(), leased, foreign }
    }
}

impl Known {
    /// The last change by which another instance came to remember the port.
    fn remembered_since(&self, port: Port) -> Option<u64> {
        let end = self.remembered.partition_point(|(other, _)| *other <= port);
        let (last, age) = self.remembered[..end].last()?;
        (*last == port).then_some(*age)
    }

    fn try_port(&mut self, port: Port, world: &dyn World) -> bool {
        if self.taken.contains(port) {
            return false;
        }
        if world.port_use(port) == PortUse::Free {
            return true;
        }
        // Asked once: the next port of this choice need not ask again.
        self.taken.insert(port);
        self.foreign += 1;
        false
    }
}

/// The holder that an instance with a lease is to others.
pub fn holder_of(instance: &Instance) -> Holder {
    let lease = instance.lease.as_ref().expect("only an instance with a lease is in the way");
    let pid = match &lease.holder {
        LeaseHolder::Supervisor => None,
        LeaseHolder::Reserved(reservation) => reservation.process.map(|process| process.pid),
    };
    Holder {
        name: instance.name.clone(),
        lock_id: lease.lock_id.clone(),
        port: instance.port(),
        pid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::world::tests::{Told, name, registry, remembered, running};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const RANGE: Range = Range::known(10, 14);

    fn ask(
        registry: &Registry,
        wish: &Wish,
        preferred: &[u16],
        world: &Told,
    ) -> Result<Vec<u16>, Refusal> {
        let preferred: Vec<Port> = preferred.iter().copied().map(Port::known).collect();
        let me = name("dev/me");
        let choice = Choice { registry, name: &me, ranges: &[RANGE], preferred: &preferred, wish };
        choose(choice, world).map(|found| found.iter().map(|named| named.port.number()).collect())
    }

    fn check(
        rows: Vec<Instance>,
        wish: Wish,
        preferred: &[u16],
        taken: &[u16],
        expected: Option<u16>,
    ) {
        let world = Told { taken: taken.iter().copied().collect(), ..Told::default() };
        let found = ask(&registry(rows), &wish, preferred, &world).ok().map(|ports| ports[0]);
        assert_eq!(found, expected);
    }

    #[test]
    fn the_order_of_the_contract() {
        let exact = |port| Wish { exact: Some(Port::known(port)), ..Wish::default() };
        let prefer = |port| Wish { prefer: vec![Port::known(port)], ..Wish::default() };
        let none = Wish::default;
        let mine = || remembered("dev/me", 12, 5);
        check(vec![mine()], exact(99), &[13], &[], Some(99));
        check(vec![mine()], prefer(98), &[13], &[], Some(98));
        check(vec![mine()], prefer(98), &[13], &[98], Some(12));
        check(vec![mine()], none(), &[13], &[], Some(12));
        check(vec![mine()], none(), &[13], &[12], Some(13));
        check(vec![mine()], none(), &[], &[12], Some(10));
        check(vec![], none(), &[], &[10, 11], Some(12));
        check(vec![running("dev/x", 10)], none(), &[], &[], Some(11));
        check(vec![remembered("dev/x", 10, 1)], none(), &[], &[], Some(11));
    }

    #[test]
    fn when_every_port_is_remembered_the_longest_forgotten_goes() {
        let rows = (0..5).map(|n| remembered(&format!("dev/x{n}"), 10 + n, u64::from(9 - n)));
        check(rows.collect(), Wish::default(), &[], &[], Some(14));
    }

    #[test]
    fn an_exact_port_is_had_or_refused_with_its_holder() {
        let wish = Wish { exact: Some(Port::known(10)), ..Wish::default() };
        let rows = registry([running("ai/rag", 10)]);
        let refused = ask(&rows, &wish, &[], &Told::default()).unwrap_err();
        assert!(
            matches!(refused, Refusal::PortLeased { holder, .. } if holder.name == name("ai/rag"))
        );
        let taken = Told { taken: [10].into(), ..Told::default() };
        let refused = ask(&Registry::default(), &wish, &[], &taken).unwrap_err();
        assert_eq!(refused, Refusal::PortTaken { port: Port::known(10) });
        let forbidden = Told { not_permitted: [10].into(), ..Told::default() };
        let refused = ask(&Registry::default(), &wish, &[], &forbidden).unwrap_err();
        assert_eq!(refused, Refusal::PortNotPermitted { port: Port::known(10) });
    }

    #[test]
    fn a_full_range_says_who_holds_what() {
        let rows = registry([running("dev/a", 10), running("dev/b", 11)]);
        let world = Told { taken: [12, 13, 14].into(), ..Told::default() };
        match ask(&rows, &Wish::default(), &[], &world).unwrap_err() {
            Refusal::RangeFull { leased, foreign, .. } => {
                assert_eq!((leased.len(), foreign), (2, 3));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn several_ports_come_all_or_none_and_are_kept() {
        let wish = Wish { names: vec!["http".into(), "grpc".into()], ..Wish::default() };
        let free = Told::default();
        assert_eq!(ask(&Registry::default(), &wish, &[], &free).unwrap(), [10, 11]);
        let world = Told { taken: [10, 11, 12, 13].into(), ..Told::default() };
        assert!(ask(&Registry::default(), &wish, &[], &world).is_err());
        let mut last = remembered("dev/me", 13, 1);
        last.ports = Ports::from_iter([
            NamedPort { name: "grpc".into(), port: Port::known(14) },
            NamedPort { name: "http".into(), port: Port::known(13) },
        ]);
        assert_eq!(ask(&registry([last]), &wish, &[], &free).unwrap(), [13, 14]);
    }

    proptest! {
        #[test]
        fn no_port_has_two_leases_and_a_free_one_is_always_found(
            leased in prop::collection::btree_set(10u16..15, 0..5),
            remembered_ports in prop::collection::btree_set(10u16..15, 0..5),
            taken in prop::collection::btree_set(10u16..15, 0..5),
        ) {
            let rows = leased.iter().map(|port| running(&format!("dev/l{port}"), *port)).chain(
                remembered_ports.iter().map(|port| remembered(&format!("dev/r{port}"), *port, 1)),
            );
            let world = Told { taken: taken.clone(), ..Told::default() };
            let free: BTreeSet<u16> =
                (10..15).filter(|port| !leased.contains(port) && !taken.contains(port)).collect();
            match ask(&registry(rows), &Wish::default(), &[], &world) {
                Ok(ports) => prop_assert!(free.contains(&ports[0])),
                Err(_) => prop_assert!(free.is_empty()),
            }
        }
    }
}

//! Where an unknown service type gets its range, and where a full automatic range grows.
//!
//! Pure. Made in the same transaction as the lease, so gaps are exact however many ask at once.

use super::{
    placement::{self, Room, Strategy},
    refusal::Refusal,
    world::World,
};
use crate::{
    config::TypeName,
    ports::{Port, Range, RangeMap},
    registry::{AutoRange, Registry},
};

/// How a new range is made.
#[derive(Debug, Clone)]
pub struct Rule {
    /// How many ports it has.
    pub chunk_size: u16,
    /// Where it may be.
    pub bounds: Range,
    /// How many ports stay free between it and any other.
    pub gap: u16,
    /// The kernel's own range of ports for outgoing connections, to keep out of.
    pub avoid: Option<Range>,
}

/// The range that a type gets, given all ranges that configuration knows.
pub fn choose(
    registry: &Registry,
    configured: &[Range],
    service_type: &TypeName,
    rule: &Rule,
    world: &dyn World,
) -> Result<Range, Refusal> {
    let own: Vec<Range> = registry.ranges_of(service_type).collect();
    // A type's own blocks may touch: growing begins right behind the last one.
    if let Some(grown) =
        own.last().and_then(|last| behind(registry, configured, *last, rule, world))
    {
        return Ok(grown);
    }
    let others = registry.ranges.iter().map(|auto| auto.range).chain(configured.iter().copied());
    let leased =
        registry.leased().flat_map(|(instance, _)| &instance.ports).map(|named| named.port);
    // What is to be avoided is no range: `after` means behind the last one that somebody has.
    let ranges = RangeMap::new(others.chain(leased.map(single)));
    let room = Room { ranges: &ranges, bounds: rule.bounds, size: rule.chunk_size, gap: rule.gap };
    let strategy: Strategy = placement::after;
    let clear = |range: &Range| rule.avoid.is_none_or(|avoid| !avoid.overlaps(*range));
    unused(strategy(room).filter(clear), world).ok_or_else(|| Refusal::NoRoom {
        service_type: service_type.clone(),
        chunk_size: rule.chunk_size,
        bounds: rule.bounds,
    })
}

/// The block right behind a type's last one, if nobody else is near.
fn behind(
    registry: &Registry,
    configured: &[Range],
    last: Range,
    rule: &Rule,
    world: &dyn World,
) -> Option<Range> {
    let block = Range::sized(last.last().next()?, rule.chunk_size)?;
    let others = registry.ranges.iter().map(|auto| auto.range).filter(|range| *range != last);
    let far = |other: Range| other.distance(block).is_some_and(|distance| distance >= rule.gap);
    let clear = others.chain(configured.iter().copied()).all(far)
        && rule.avoid.is_none_or(|avoid| !avoid.overlaps(block))
        && rule.bounds.contains(block.first())
        && rule.bounds.contains(block.last());
    unused(clear.then_some(block).into_iter(), world)
}

/// The first candidate in which the world shows no used port. Candidates that hold a port known to be
/// used are skipped unasked.
fn unused(candidates: impl Iterator<Item = Range>, world: &dyn World) -> Option<Range> {
    let mut used: Vec<Port> = Vec::new();
    for candidate in candidates {
        if used.iter().any(|port| candidate.contains(*port)) {
            continue;
        }
        match candidate.ports().rev().find(|port| world.is_used(*port)) {
            None => return Some(candidate),
            Some(port) => used.push(port),
        }
    }
    None
}

fn single(port: Port) -> Range {
    Range::known(port.number(), port.number())
}

/// The row of a new range.
pub fn row(service_type: &TypeName, range: Range, created: String) -> AutoRange {
    AutoRange { service_type: service_type.clone(), range, created }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::world::tests::{Told, running};
    use proptest::prelude::*;

    const RULE: Rule =
        Rule { chunk_size: 10, bounds: Range::known(10000, 65000), gap: 10, avoid: None };

    fn add(registry: &mut Registry, name: &str, rule: &Rule, world: &Told) -> Option<Range> {
        let service_type: TypeName = name.parse().unwrap();
        let found =
            choose(registry, &[Range::known(11400, 11499)], &service_type, rule, world).ok()?;
        registry.ranges.push(row(&service_type, found, String::new()));
        Some(found)
    }

    #[test]
    fn unknown_types_stand_in_a_row_with_exact_gaps() {
        let mut registry = Registry::default();
        for (name, first) in [("a", 11510), ("b", 11530), ("c", 11550)] {
            let found = add(&mut registry, name, &RULE, &Told::default());
            assert_eq!(found, Some(Range::known(first, first + 9)));
        }
    }

    #[test]
    fn a_block_with_a_used_port_is_skipped() {
        let world = Told { taken: [11512, 11522].into(), ..Told::default() };
        let found = add(&mut Registry::default(), "a", &RULE, &world);
        assert_eq!(found, Some(Range::known(11523, 11532)));
    }

    #[test]
    fn a_full_range_grows_where_it_touches_its_own_block() {
        let mut registry = Registry::default();
        add(&mut registry, "a", &RULE, &Told::default());
        let grown = add(&mut registry, "a", &RULE, &Told::default());
        assert_eq!(grown, Some(Range::known(11520, 11529)));
        add(&mut registry, "b", &RULE, &Told::default());
        let elsewhere = add(&mut registry, "a", &RULE, &Told::default());
        assert_eq!(elsewhere, Some(Range::known(11560, 11569)));
    }

    #[test]
    fn the_ephemeral_range_and_foreign_leases_are_kept_clear() {
        let avoid = Some(Range::known(11500, 60999));
        let rule = Rule { avoid, gap: 0, ..RULE };
        let mut registry = Registry::default();
        registry.put(running("dev/odd", 61003));
        let found = add(&mut registry, "a", &rule, &Told::default());
        assert_eq!(found, Some(Range::known(61004, 61013)));
    }

    #[test]
    fn no_room_is_said_with_its_bounds() {
        let rule = Rule { bounds: Range::known(11400, 11500), ..RULE };
        let refused = choose(
            &Registry::default(),
            &[Range::known(11400, 11499)],
            &"a".parse().unwrap(),
            &rule,
            &Told::default(),
        );
        assert!(matches!(refused, Err(Refusal::NoRoom { chunk_size: 10, .. })));
    }

    proptest! {
        #[test]
        fn ranges_never_overlap_and_keep_their_gaps(
            names in prop::collection::vec(0u8..6, 1..20),
            gap in 0u16..12,
            chunk_size in 1u16..15,
            taken in prop::collection::btree_set(11500u16..11700, 0..10),
        ) {
            let rule = Rule { gap, chunk_size, ..RULE };
            let world = Told { taken, ..Told::default() };
            let mut registry = Registry::default();
            for name in names {
                let added = add(&mut registry, &format!("t{name}"), &rule, &world);
                prop_assert!(added.is_some());
            }
            for (place, one) in registry.ranges.iter().enumerate() {
                for other in &registry.ranges[place + 1..] {
                    let distance = one.range.distance(other.range);
                    let least = if one.service_type == other.service_type { 0 } else { gap };
                    prop_assert!(distance.is_some_and(|distance| distance >= least));
                }
            }
        }
    }
}

//! Where an unknown service type gets its range, and where a full automatic range grows.
//!
//! Pure. Made in the same transaction as the lease, so gaps are exact however many ask at once. By which
//! rule is settled in `range_rule`; which places are liked best, in `placement`.

use super::{placement::Room, range_rule::Rule, refusal::Refusal, world::World};
use crate::{
    config::TypeName,
    ports::{Port, PortSet, Range, RangeMap},
    registry::{AutoRange, Registry},
};

/// The range that a type gets.
pub fn choose(
    registry: &Registry,
    service_type: &TypeName,
    rule: &Rule,
    world: &dyn World,
) -> Result<Range, Refusal> {
    let mut used = Used::new(registry, world);
    let beside = rule.beside_own.then(|| beside_own(registry, service_type, rule, &mut used));
    beside.flatten().or_else(|| elsewhere(registry, rule, &mut used)).ok_or_else(|| {
        Refusal::NoRoom {
            service_type: service_type.clone(),
            chunk_size: rule.chunk_size,
            bounds: rule.bounds,
        }
    })
}

/// The row of a new range.
pub fn row(service_type: &TypeName, range: Range, created: String) -> AutoRange {
    AutoRange { service_type: service_type.clone(), range, created, used: None }
}

/// A block that touches one of the type's own, since these may: behind the newest one, if it can be, then
/// behind older ones, then below one.
fn beside_own(
    registry: &Registry,
    service_type: &TypeName,
    rule: &Rule,
    used: &mut Used<'_>,
) -> Option<Range> {
    let own: Vec<Range> = registry.ranges_of(service_type).collect();
    if own.is_empty() {
        return None;
    }
    let others = registry.ranges.iter().filter(|auto| auto.service_type != *service_type);
    let others = others.map(|auto| auto.range).chain(rule.configured.iter().copied());
    let free = free(&RangeMap::new(others), rule);
    let size = rule.chunk_size;
    let behind = |block: &Range| Range::sized(block.last().next()?, size);
    let below = |block: &Range| {
        let first = block.first().number().checked_sub(size)?;
        Range::sized(Port::try_from(u32::from(first)).ok()?, size)
    };
    let newest = || own.iter().rev();
    let mut places = newest().filter_map(behind).chain(newest().filter_map(below));
    places.find(|place| {
        free.iter().any(|block| block.contains(place.first()) && block.contains(place.last()))
            && !own.iter().any(|block| block.overlaps(*place))
            && used.none_in(*place)
    })
}

/// A block where the rule's strategy likes it best. From all other ranges, also the type's own, it keeps its
/// distance.
fn elsewhere(registry: &Registry, rule: &Rule, used: &mut Used<'_>) -> Option<Range> {
    let automatic = registry.ranges.iter().map(|auto| auto.range);
    let ranges = RangeMap::new(automatic.chain(rule.configured.iter().copied()));
    let free = free(&ranges, rule);
    let (strategy, near) = rule.way.strategy();
    let (bounds, size) = (rule.bounds, rule.chunk_size);
    strategy(Room { ranges: &ranges, free: &free, bounds, size, near })
        .find(|place| used.none_in(*place))
}

/// The blocks within the bounds that keep the gap to every range, less what is to be avoided: from that,
/// no distance is kept.
fn free(ranges: &RangeMap, rule: &Rule) -> Vec<Range> {
    let avoided = RangeMap::new(rule.avoid);
    let blocks = ranges.free_blocks(rule.bounds, rule.gap).into_iter();
    blocks.flat_map(|block| avoided.free_blocks(block, 0)).collect()
}

/// Which ports somebody uses, as far as it was asked. Nothing is asked twice.
struct Used<'w> {
    world: &'w dyn World,
    asked: PortSet,
    used: PortSet,
    /// The used port that was met last: the next place often has it too.
    met: Option<Port>,
}

impl<'w> Used<'w> {
    /// Before the world is asked: ports with a lease, which may lie outside all ranges.
    fn new(registry: &Registry, world: &'w dyn World) -> Self {
        let mut used = PortSet::default();
        let leased = registry.leased().flat_map(|(instance, _)| &instance.ports);
        leased.for_each(|named| {
            used.insert(named.port);
        });
        Self { world, asked: used.clone(), used, met: None }
    }

    /// Whether nobody uses any of these ports.
    fn none_in(&mut self, place: Range) -> bool {
        if self.met.is_some_and(|port| place.contains(port)) {
            return false;
        }
        self.met = place.ports().rev().find(|port| {
            if self.asked.insert(*port) && self.world.is_used(*port) {
                self.used.insert(*port);
            }
            self.used.contains(*port)
        });
        self.met.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{
        placement::Near,
        range_rule::{Source, Way},
        world::tests::{Told, running},
    };
    use proptest::{prelude::*, sample::Index};

    fn rule() -> Rule {
        Rule {
            chunk_size: 10,
            bounds: Range::known(10000, 65000),
            gap: 10,
            avoid: None,
            configured: vec![Range::known(11400, 11499)],
            beside_own: true,
            source: Source::Person,
            way: Way::After,
        }
    }

    fn add(registry: &mut Registry, name: &str, rule: &Rule, world: &Told) -> Option<Range> {
        let service_type: TypeName = name.parse().unwrap();
        let found = choose(registry, &service_type, rule, world).ok()?;
        registry.ranges.push(row(&service_type, found, String::new()));
        Some(found)
    }

    #[test]
    fn unknown_types_stand_in_a_row_with_exact_gaps() {
        let mut registry = Registry::default();
        for (name, first) in [("a", 11510), ("b", 11530), ("c", 11550)] {
            let found = add(&mut registry, name, &rule(), &Told::default());
            assert_eq!(found, Some(Range::known(first, first + 9)));
        }
    }

    #[test]
    fn a_block_with_a_used_port_is_skipped() {
        let world = Told { taken: [11512, 11522].into(), ..Told::default() };
        let found = add(&mut Registry::default(), "a", &rule(), &world);
        assert_eq!(found, Some(Range::known(11523, 11532)));
    }

    #[test]
    fn a_full_range_grows_where_it_touches_its_own_block() {
        let mut registry = Registry::default();
        add(&mut registry, "a", &rule(), &Told::default());
        let grown = add(&mut registry, "a", &rule(), &Told::default());
        assert_eq!(grown, Some(Range::known(11520, 11529)));
        add(&mut registry, "b", &rule(), &Told::default());
        let elsewhere = add(&mut registry, "a", &rule(), &Told::default());
        assert_eq!(elsewhere, Some(Range::known(11560, 11569)));
    }

    #[test]
    fn a_range_that_cannot_grow_upwards_grows_downwards() {
        let mut registry = Registry::default();
        for (name, first) in [("a", 20000), ("b", 20020)] {
            let range = Range::known(first, first + 9);
            registry.ranges.push(row(&name.parse().unwrap(), range, String::new()));
        }
        let grown = add(&mut registry, "a", &rule(), &Told::default());
        assert_eq!(grown, Some(Range::known(19990, 19999)));
    }

    #[test]
    fn who_asks_for_a_place_gets_it_and_not_what_is_beside() {
        let mut registry = Registry::default();
        add(&mut registry, "a", &rule(), &Told::default());
        let asked = Rule { beside_own: false, way: Way::Before, ..rule() };
        let found = add(&mut registry, "a", &asked, &Told::default());
        assert_eq!(found, Some(Range::known(11380, 11389)));
    }

    #[test]
    fn the_ephemeral_range_and_leases_outside_of_ranges_are_kept_clear() {
        let avoid = Some(Range::known(11500, 60999));
        let mut registry = Registry::default();
        registry.put(running("dev/odd", 61003));
        let found = add(&mut registry, "a", &Rule { avoid, ..rule() }, &Told::default());
        assert_eq!(found, Some(Range::known(61004, 61013)));
    }

    #[test]
    fn no_room_is_said_with_its_bounds() {
        let rule = Rule { bounds: Range::known(11400, 11500), ..rule() };
        let service_type = "a".parse().unwrap();
        let refused = choose(&Registry::default(), &service_type, &rule, &Told::default());
        assert!(matches!(refused, Err(Refusal::NoRoom { chunk_size: 10, .. })));
    }

    /// Any way to place a range in a small world.
    fn any_way() -> impl Strategy<Value = Way> {
        let near = prop_oneof![
            Just(Near::Nothing),
            (1u16..120).prop_map(|port| Near::Port(Port::known(port))),
            Just(Near::Ranges(Vec::new())),
        ];
        prop_oneof![
            Just(Way::After),
            Just(Way::Before),
            near.prop_map(Way::Smart),
            Just(Way::Bounds { group: "g".to_owned() }),
        ]
    }

    prop_compose! {
        /// Any rule in a world of 120 ports.
        fn any_rule()(
            chunk_size in 1u16..9,
            (first, more) in (1u16..60, 20u16..60),
            gap in 0u16..6,
            avoid in prop::option::of((1u16..110, 0u16..20)),
            configured in prop::collection::vec((1u16..110, 0u16..9), 1..5),
            way in any_way(),
        ) -> Rule {
            let range = |(first, more): (u16, u16)| Range::known(first, first + more);
            let configured: Vec<Range> = configured.into_iter().map(range).collect();
            let way = match way {
                Way::Smart(Near::Ranges(_)) => Way::Smart(Near::Ranges(configured.clone())),
                way => way,
            };
            Rule {
                chunk_size,
                bounds: range((first, more)),
                gap,
                avoid: avoid.map(range),
                configured,
                beside_own: true,
                source: Source::Person,
                way,
            }
        }
    }

    /// What must hold of a range that was just made, as the last row of the registry.
    fn judge(registry: &Registry, rule: &Rule, taken: &Told) -> Result<(), TestCaseError> {
        let (made, before) = registry.ranges.split_last().unwrap();
        let range = made.range;
        prop_assert_eq!(range.size(), rule.chunk_size);
        prop_assert!(rule.bounds.contains(range.first()) && rule.bounds.contains(range.last()));
        prop_assert!(rule.avoid.is_none_or(|avoid| !avoid.overlaps(range)));
        prop_assert!(!range.ports().any(|port| taken.taken.contains(&port.number())));
        for other in before {
            let distance = other.range.distance(range);
            let least = if other.service_type == made.service_type { 0 } else { rule.gap };
            prop_assert!(distance.is_some_and(|distance| distance >= least), "{}", other.range);
        }
        for other in &rule.configured {
            prop_assert!(other.distance(range).is_some_and(|distance| distance >= rule.gap));
        }
        Ok(())
    }

    /// A range is found exactly when one of all places would be right.
    fn check_room(rule: &Rule, world: &Told) -> Result<(), TestCaseError> {
        let name: TypeName = "a".parse().unwrap();
        let mut registry = Registry::default();
        let found = choose(&registry, &name, rule, world).ok();
        let places = rule.bounds.ports().filter_map(|first| Range::sized(first, rule.chunk_size));
        let mut right = places.filter(|place| {
            registry.ranges = vec![row(&name, *place, String::new())];
            judge(&registry, rule, world).is_ok()
        });
        match found {
            None => prop_assert_eq!(right.next(), None),
            Some(found) => prop_assert!(right.any(|place| place == found), "{}", found),
        }
        Ok(())
    }

    #[test]
    fn in_every_small_universe_room_is_found_whenever_there_is_some() {
        const PORTS: u16 = 6;
        let ports = |mask: u16| (1..=PORTS).filter(move |port| mask >> (port - 1) & 1 == 1);
        for (held, taken) in (0..1 << PORTS).flat_map(|h| (0..1 << PORTS).map(move |t| (h, t))) {
            let world = Told { taken: ports(taken).collect(), ..Told::default() };
            let configured: Vec<Range> = ports(held).map(|port| Range::known(port, port)).collect();
            let kin = Near::Ranges(configured.iter().copied().step_by(2).collect());
            let known = if held == 0 { Near::Nothing } else { kin };
            for way in
                [Way::After, Way::Before, Way::Smart(known), Way::Smart(Near::Port(Port::known(4)))]
            {
                for (chunk_size, gap) in
                    (1..=3).flat_map(|size| (0..=1).map(move |gap| (size, gap)))
                {
                    let (bounds, way) = (Range::known(1, PORTS), way.clone());
                    let configured = configured.clone();
                    let rule = Rule { chunk_size, gap, bounds, configured, way, ..rule() };
                    check_room(&rule, &world).unwrap();
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn no_range_overlaps_and_bounds_and_gaps_are_kept(
            steps in prop::collection::vec((0u8..4, any_way(), 1u16..9), 1..8),
            rule in any_rule(),
            taken in prop::collection::btree_set(1u16..120, 0..10),
        ) {
            let world = Told { taken, ..Told::default() };
            let mut registry = Registry::default();
            for (name, way, chunk_size) in steps {
                let rule = Rule { way, chunk_size, ..rule.clone() };
                if add(&mut registry, &format!("t{name}"), &rule, &world).is_some() {
                    judge(&registry, &rule, &world)?;
                }
            }
        }

        #[test]
        fn room_is_found_whenever_there_is_some(
            rule in any_rule(),
            taken in prop::collection::btree_set(1u16..120, 0..30),
        ) {
            check_room(&rule, &Told { taken, ..Told::default() })?;
        }

        #[test]
        fn the_same_input_gives_the_same_range_also_after_an_undo(
            names in prop::collection::vec(0u8..6, 1..6),
            rule in any_rule(),
            taken in prop::collection::btree_set(1u16..120, 0..10),
        ) {
            let world = Told { taken, ..Told::default() };
            let mut registry = Registry::default();
            for name in names {
                let (name, before) = (format!("t{name}"), registry.clone());
                let found = add(&mut registry, &name, &rule, &world);
                let mut undone = registry.clone();
                undone.ranges.retain(|auto| Some(auto.range) != found);
                prop_assert_eq!(&undone, &before);
                prop_assert_eq!(add(&mut undone, &name, &rule, &world), found);
            }
        }

        #[test]
        fn growth_keeps_all_ranges_and_leases_and_touches_where_it_can(
            rule in any_rule(),
            leased in prop::collection::btree_set(1u16..120, 0..10),
            names in prop::collection::vec(0u8..3, 1..5),
            grows in any::<Index>(),
        ) {
            let mut registry = Registry::default();
            for port in leased {
                registry.put(running(&format!("dev/l{port}"), port));
            }
            for name in &names {
                add(&mut registry, &format!("t{name}"), &rule, &Told::default());
            }
            let before = registry.clone();
            let name = format!("t{}", grows.get(&names));
            let grown = add(&mut registry, &name, &rule, &Told::default());
            prop_assert_eq!(&registry.instances, &before.instances);
            prop_assert_eq!(&registry.ranges[..before.ranges.len()], &before.ranges[..]);
            if let Some(grown) = grown {
                judge(&registry, &rule, &Told::default())?;
                let hit = before.leased().flat_map(|(instance, _)| &instance.ports);
                prop_assert!(!hit.into_iter().any(|named| grown.contains(named.port)));
            }
        }
    }
}

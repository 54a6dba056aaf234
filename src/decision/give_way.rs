//! Automatic ranges give way to those that people configured, as far as nobody has a lease there.
//!
//! Pure. A lease is never moved or ended: while one is in the way the range stays as it is.

use super::retire::holders;
use crate::{
    ports::{Range, RangeMap},
    registry::{AutoRange, Registry},
};

/// An automatic range that gives way, and what remains of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The range as it was.
    pub whole: AutoRange,
    /// The blocks that the type keeps.
    pub rest: Vec<Range>,
}

/// The automatic ranges that lie in configured ones.
pub fn cuts(registry: &Registry, configured: &[Range]) -> Vec<Cut> {
    let is_cut = |auto: &&AutoRange| {
        let mut shared =
            configured.iter().filter_map(|range| shared(auto.range, *range)).peekable();
        shared.peek().is_some() && shared.all(|block| holders(registry, block).is_empty())
    };
    let cut = |auto: &AutoRange| {
        let rest = RangeMap::new(configured.iter().copied()).free_blocks(auto.range, 0);
        Cut { whole: auto.clone(), rest }
    };
    registry.ranges.iter().filter(is_cut).map(cut).collect()
}

impl Cut {
    /// Takes the ports out of the range; who remembers one of them forgets it.
    pub fn apply(&self, registry: &mut Registry) {
        let Some(place) = registry.ranges.iter().position(|auto| auto.is_row(&self.whole)) else {
            return;
        };
        let is_lost = |port| {
            self.whole.range.contains(port) && !self.rest.iter().any(|block| block.contains(port))
        };
        registry.instances.retain(|instance| {
            instance.lease.is_some()
                || instance.name.service_type != self.whole.service_type
                || !instance.ports.iter().any(|named| is_lost(named.port))
        });
        let kept = self.rest.iter().map(|block| AutoRange { range: *block, ..self.whole.clone() });
        registry.ranges.splice(place..=place, kept);
    }
}

/// The ports that two ranges share.
fn shared(one: Range, other: Range) -> Option<Range> {
    Range::new(one.first().max(other.first()), one.last().min(other.last())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::world::tests::{remembered, running};
    use proptest::prelude::*;

    fn auto(first: u16, last: u16) -> AutoRange {
        AutoRange {
            service_type: "grafana".parse().unwrap(),
            range: Range::known(first, last),
            created: "2025-09-30T00:00:00Z".to_owned(),
            used: None,
        }
    }

    fn after(registry: &Registry, configured: &[Range]) -> Registry {
        let mut registry = registry.clone();
        for cut in cuts(&registry.clone(), configured) {
            cut.apply(&mut registry);
        }
        registry
    }

    fn blocks(registry: &Registry) -> Vec<(u16, u16)> {
        let ends = |auto: &AutoRange| (auto.range.first().number(), auto.range.last().number());
        registry.ranges.iter().map(ends).collect()
    }

    #[test]
    fn a_configured_range_takes_its_ports_from_an_idle_automatic_one() {
        let registry = Registry { ranges: vec![auto(100, 109), auto(120, 129)], ..<_>::default() };
        for (configured, left) in [
            (vec![], vec![(100, 109), (120, 129)]),
            (vec![(90, 99)], vec![(100, 109), (120, 129)]),
            (vec![(95, 104)], vec![(105, 109), (120, 129)]),
            (vec![(103, 104)], vec![(100, 102), (105, 109), (120, 129)]),
            (vec![(100, 109)], vec![(120, 129)]),
            (vec![(50, 100), (129, 200)], vec![(101, 109), (120, 128)]),
        ] {
            let ranges: Vec<Range> = configured.iter().map(|(a, b)| Range::known(*a, *b)).collect();
            assert_eq!(blocks(&after(&registry, &ranges)), left, "{configured:?}");
        }
    }

    #[test]
    fn a_lease_in_the_way_keeps_the_range_and_one_beside_it_does_not() {
        let instances = [running("grafana/main", 105)];
        let mut registry = Registry { ranges: vec![auto(100, 109)], ..<_>::default() };
        for instance in instances {
            registry.put(instance);
        }
        assert_eq!(blocks(&after(&registry, &[Range::known(104, 120)])), [(100, 109)]);
        assert_eq!(blocks(&after(&registry, &[Range::known(106, 120)])), [(100, 105)]);
        assert_eq!(after(&registry, &[Range::known(106, 120)]).instances, registry.instances);
    }

    #[test]
    fn what_was_remembered_there_is_forgotten() {
        let mut registry = Registry { ranges: vec![auto(100, 109)], ..<_>::default() };
        registry.put(remembered("grafana/one", 101, 1));
        registry.put(remembered("grafana/two", 108, 2));
        let left = after(&registry, &[Range::known(105, 120)]);
        let ids: Vec<_> = left.instances.iter().map(|left| left.name.id.to_string()).collect();
        assert_eq!(ids, ["one"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn no_range_overlaps_a_configured_one_but_where_somebody_is(
            firsts in prop::collection::btree_set(0u16..20, 0..8),
            configured in prop::collection::vec((1u16..220, 0u16..30), 0..5),
            leases in prop::collection::btree_set(1u16..220, 0..6),
        ) {
            let ranges = firsts.iter().map(|place| auto(1 + place * 10, 8 + place * 10)).collect();
            let mut registry = Registry { ranges, ..<_>::default() };
            for port in &leases {
                registry.put(running(&format!("grafana/i{port}"), *port));
            }
            let configured: Vec<Range> =
                configured.iter().map(|(first, more)| Range::known(*first, first + more)).collect();
            let left = after(&registry, &configured);
            prop_assert_eq!(&left.instances, &registry.instances);
            for auto in &left.ranges {
                for range in &configured {
                    if let Some(block) = shared(auto.range, *range) {
                        prop_assert!(registry.ranges.contains(auto));
                        let other = configured.iter().filter_map(|range| shared(auto.range, *range));
                        prop_assert!(
                            !holders(&registry, block).is_empty()
                                || other.into_iter().any(|block| !holders(&registry, block).is_empty())
                        );
                    }
                }
            }
            prop_assert_eq!(&after(&left, &configured), &left);
        }
    }
}

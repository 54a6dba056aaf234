//! Which automatic ranges are given back, by a person or because nobody uses them, and which become one.
//!
//! Pure. Here the wall clock has its only say, and only to keep a range longer: one with a lease stays
//! whatever the time is. No lease is ever moved or ended.

use crate::{
    config::TypeName,
    ports::Range,
    registry::{AutoRange, InstanceName, Registry},
};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Which ranges a person takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one that was made last.
    Last,
    /// All of them.
    All,
    /// Those of one type.
    Type(TypeName),
}

/// Whether ranges with leases are taken back too. The leases stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// A lease is in the way.
    No,
    /// Leases stay, without a range.
    Yes,
}

/// Why no range is taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndoRefusal {
    /// There is none.
    #[error("no range was auto-allocated")]
    Nothing,
    /// There is none of that type.
    #[error("no range was auto-allocated for type `{0}`")]
    NoneOf(TypeName),
    /// Instances have leases there.
    #[error("range {range} of `{service_type}` is in use by {}", listed(holders))]
    InUse {
        /// The range.
        range: Range,
        /// Whose it is.
        service_type: TypeName,
        /// Who has leases there.
        holders: Vec<InstanceName>,
    },
}

impl UndoRefusal {
    /// What to do now.
    pub fn hint(&self) -> String {
        match self {
            Self::Nothing | Self::NoneOf(_) => {
                "`styxy config auto-allocation list` shows all of them".to_owned()
            }
            Self::InUse { .. } => {
                "stop that first, or take only the range away with --force".to_owned()
            }
        }
    }
}

fn listed(holders: &[InstanceName]) -> String {
    holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The ranges that a person takes back: all that were asked for, or none. Dead leases are collected before.
pub fn undo(
    registry: &Registry,
    which: &Which,
    force: Force,
) -> Result<Vec<AutoRange>, UndoRefusal> {
    let found: Vec<AutoRange> = match which {
        Which::Last => registry.ranges.last().cloned().into_iter().collect(),
        Which::All => registry.ranges.clone(),
        Which::Type(name) => {
            registry.ranges.iter().filter(|auto| auto.service_type == *name).cloned().collect()
        }
    };
    if found.is_empty() {
        return Err(match which {
            Which::Last | Which::All => UndoRefusal::Nothing,
            Which::Type(name) => UndoRefusal::NoneOf(name.clone()),
        });
    }
    if force == Force::No {
        for auto in &found {
            let holders = holders(registry, auto.range);
            if !holders.is_empty() {
                let service_type = auto.service_type.clone();
                return Err(UndoRefusal::InUse { range: auto.range, service_type, holders });
            }
        }
    }
    Ok(found)
}

/// Blocks of one type that touch, and what they become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The blocks.
    pub parts: Vec<Range>,
    /// The one in their place.
    pub whole: AutoRange,
}

/// What consolidation does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consolidation {
    /// Ranges that nobody has used for long enough.
    pub retired: Vec<AutoRange>,
    /// Ranges that touch.
    pub joined: Vec<Joined>,
}

/// Which ranges nobody has used for `retire_after`, and which of the others are joined.
pub fn consolidate(registry: &Registry, retire_after: Duration, now: Timestamp) -> Consolidation {
    let (retired, mut kept): (Vec<AutoRange>, Vec<AutoRange>) =
        registry.ranges.iter().cloned().partition(|auto| {
            holders(registry, auto.range).is_empty() && is_retired(auto, retire_after, now)
        });
    kept.sort_by_key(|auto| auto.range);
    let mut joined: Vec<Joined> = Vec::new();
    for auto in kept {
        match joined.last_mut() {
            Some(last) if touches(&last.whole, &auto) => {
                last.parts.push(auto.range);
                last.whole = union(&last.whole, auto);
            }
            Some(_) | None => joined.push(Joined { parts: vec![auto.range], whole: auto }),
        }
    }
    joined.retain(|joined| joined.parts.len() > 1);
    Consolidation { retired, joined }
}

impl Consolidation {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.retired.is_empty() && self.joined.is_empty()
    }

    /// Does it.
    pub fn apply(&self, registry: &mut Registry) {
        registry.remove_ranges(&self.retired);
        for joined in &self.joined {
            let is_part = |auto: &AutoRange| joined.parts.contains(&auto.range);
            // In the place of the last part: the order tells which range was made last.
            let place = registry.ranges.iter().rposition(is_part);
            if let Some(place) = place {
                registry.ranges[place] = joined.whole.clone();
            }
            registry.ranges.retain(|auto| !is_part(auto));
        }
    }
}

fn is_retired(auto: &AutoRange, retire_after: Duration, now: Timestamp) -> bool {
    // Without a time to wait, no clock is asked.
    retire_after.is_zero()
        || auto.unused_for(now).is_some_and(|unused| {
            SignedDuration::try_from(retire_after).is_ok_and(|after| unused >= after)
        })
}

/// Who has leases in a range, of whatever type.
pub fn holders(registry: &Registry, range: Range) -> Vec<InstanceName> {
    let within = |instance: &crate::registry::Instance| {
        instance.ports.iter().any(|named| range.contains(named.port))
    };
    registry
        .leased()
        .filter(|(instance, _)| within(instance))
        .map(|(instance, _)| instance.name.clone())
        .collect()
}

fn touches(low: &AutoRange, high: &AutoRange) -> bool {
    low.service_type == high.service_type && low.range.distance(high.range) == Some(0)
}

/// Two touching blocks as one: as old as the older, used when either was.
fn union(low: &AutoRange, high: AutoRange) -> AutoRange {
    let range = Range::new(low.range.first(), high.range.last());
    AutoRange {
        service_type: high.service_type,
        range: range.expect("the lower one comes first"),
        created: low.created.clone().min(high.created),
        used: low.used.clone().max(high.used),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::world::tests::{remembered, running};
    use proptest::prelude::*;

    const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
    const OLD: &str = "2025-01-01T00:00:00Z";
    const NEW: &str = "2025-09-29T00:00:00Z";

    fn now() -> Timestamp {
        "2025-09-30T00:00:00Z".parse().unwrap()
    }

    fn auto(name: &str, first: u16, last: u16, used: &str) -> AutoRange {
        AutoRange {
            service_type: name.parse().unwrap(),
            range: Range::known(first, last),
            created: OLD.to_owned(),
            used: Some(used.to_owned()),
        }
    }

    fn registry(ranges: Vec<AutoRange>) -> Registry {
        Registry { ranges, ..Registry::default() }
    }

    fn shown(ranges: &[AutoRange]) -> Vec<String> {
        ranges.iter().map(|auto| format!("{} {}", auto.service_type, auto.range)).collect()
    }

    #[test]
    fn a_person_takes_back_what_was_asked_for_or_nothing() {
        let ranges = vec![auto("a", 10, 19, NEW), auto("b", 30, 39, NEW), auto("a", 50, 59, NEW)];
        let mut registry = registry(ranges);
        registry.put(running("a/x", 12));
        let name = |name: &str| Which::Type(name.parse().unwrap());
        for (which, force, expected) in [
            (Which::Last, Force::No, Ok(vec!["a 50-59"])),
            (name("b"), Force::No, Ok(vec!["b 30-39"])),
            (name("a"), Force::Yes, Ok(vec!["a 10-19", "a 50-59"])),
            (name("a"), Force::No, Err("range 10-19 of `a` is in use by a/x")),
            (Which::All, Force::No, Err("range 10-19 of `a` is in use by a/x")),
            (Which::All, Force::Yes, Ok(vec!["a 10-19", "b 30-39", "a 50-59"])),
            (name("c"), Force::Yes, Err("no range was auto-allocated for type `c`")),
        ] {
            let found = undo(&registry, &which, force).map(|found| shown(&found));
            let found = found.map_err(|refusal| refusal.to_string());
            let expected: Result<Vec<String>, String> = expected
                .map(|found: Vec<&str>| found.into_iter().map(str::to_owned).collect())
                .map_err(str::to_owned);
            assert_eq!(found, expected, "{which:?} {force:?}");
        }
        assert_eq!(undo(&Registry::default(), &Which::All, Force::No), Err(UndoRefusal::Nothing));
    }

    #[test]
    fn who_holds_a_forced_range_keeps_its_lease() {
        let mut registry = registry(vec![auto("a", 10, 19, NEW)]);
        registry.put(running("a/x", 12));
        registry.put(remembered("a/y", 13, 1));
        registry.put(remembered("b/z", 14, 1));
        let gone = undo(&registry, &Which::All, Force::Yes).unwrap();
        registry.remove_ranges(&gone);
        let left: Vec<String> =
            registry.instances.iter().map(|instance| instance.name.to_string()).collect();
        assert_eq!((registry.ranges.len(), left), (0, vec!["a/x".to_owned(), "b/z".to_owned()]));
    }

    #[test]
    fn a_range_is_retired_when_nobody_has_used_it_for_long_enough() {
        let day_29 = "2025-08-31T00:00:00Z";
        let day_31 = "2025-08-30T00:00:00Z";
        for (used, retire_after, expected) in [
            (OLD, MONTH, 1),
            (NEW, MONTH, 0),
            // A use is known by the day.
            (day_29, MONTH, 0),
            (day_31, MONTH, 1),
            (NEW, Duration::ZERO, 1),
            ("2099-01-01T00:00:00Z", MONTH, 0),
            ("broken", MONTH, 0),
            (OLD, Duration::MAX, 0),
        ] {
            let registry = registry(vec![auto("a", 10, 19, used)]);
            let found = consolidate(&registry, retire_after, now());
            assert_eq!(found.retired.len(), expected, "{used} {retire_after:?}");
        }
    }

    #[test]
    fn touching_blocks_of_one_type_become_one_where_the_last_one_stood() {
        let ranges = vec![
            auto("a", 20, 29, OLD),
            auto("b", 40, 49, NEW),
            auto("a", 10, 19, NEW),
            auto("a", 30, 39, NEW),
            auto("c", 60, 69, NEW),
        ];
        let mut registry = registry(ranges);
        registry.put(running("a/x", 25));
        consolidate(&registry, MONTH, now()).apply(&mut registry);
        assert_eq!(shown(&registry.ranges), ["b 40-49", "a 10-39", "c 60-69"]);
        assert_eq!(registry.ranges[1].used.as_deref(), Some(NEW));
    }

    /// Every registry of three blocks at four places, of two types, leased or not, used lately or not.
    #[test]
    fn in_a_small_universe_no_lease_loses_its_range_and_twice_is_once() {
        const WAYS: u32 = 8;
        for number in 0..WAYS.pow(4) {
            let ways: Vec<u32> = (0..4).map(|place| number / WAYS.pow(place) % WAYS).collect();
            let mut before = Registry::default();
            for (place, way) in (0u16..).zip(&ways) {
                let name = if way & 1 == 0 { "a" } else { "b" };
                let first = 10 + 2 * place;
                before.ranges.push(auto(
                    name,
                    first,
                    first + 1,
                    if way & 2 == 0 { OLD } else { NEW },
                ));
                if way & 4 != 0 {
                    before.put(running(&format!("{name}/{place}"), first));
                }
            }
            let mut after = before.clone();
            consolidate(&before, MONTH, now()).apply(&mut after);
            assert!(crate::registry::check(&after).is_ok(), "{ways:?}");
            for (place, way) in (0u16..).zip(&ways) {
                let port = crate::ports::Port::known(10 + 2 * place);
                let owner = after.ranges.iter().find(|auto| auto.range.contains(port));
                let name = owner.map(|auto| auto.service_type.as_str());
                let stays = (way & 6 != 0).then_some(if way & 1 == 0 { "a" } else { "b" });
                assert_eq!(name, stays, "{ways:?} at {place}");
            }
            assert!(consolidate(&after, MONTH, now()).is_empty(), "{ways:?}");
            assert_eq!(before.instances, after.instances, "{ways:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn undo_after_create_is_identity(
            ranges in prop::collection::vec((0u8..4, 0u16..50), 0..6),
            live in prop::collection::vec(0u16..500, 0..4),
            service_type in 0u8..6, ids in 0u16..5,
        ) {
            let mut before = Registry::default();
            let mut places: Vec<(u8, u16)> = ranges;
            places.sort_by_key(|(_, place)| *place);
            places.dedup_by_key(|(_, place)| *place);
            for (name, place) in &places {
                before.ranges.push(auto(&format!("t{name}"), 1000 + place * 10, 1009 + place * 10, NEW));
            }
            for (id, port) in live.iter().enumerate() {
                before.put(running(&format!("dev/{id}"), 1000 + port));
            }
            let mut after = before.clone();
            // Made and used, by instances that have ended.
            after.ranges.push(auto(&format!("t{service_type}"), 2000, 2009, NEW));
            for id in 0..ids {
                let row = running(&format!("t{service_type}/{id}"), 2000 + id);
                let name = row.name.clone();
                after.put(row);
                after.end_lease(&name);
            }
            let gone = undo(&after, &Which::Last, Force::No).unwrap();
            after.remove_ranges(&gone);
            prop_assert_eq!(after, before);
        }
    }
}

//! `after`: behind the last range; the lowest block that fits when there is no room behind it.
//!
//! Pure.

use super::Room;
use crate::ports::Range;

/// Places behind the last range first, then the lowest ones that fit.
pub fn after(room: Room<'_>) -> Box<dyn Iterator<Item = Range> + '_> {
    let last = room.ranges.last();
    let behind = move |range: &Range| last.is_none_or(|last| range.first() > last);
    let front = room.fitting().take_while(move |range| !behind(range));
    Box::new(room.fitting().skip_while(move |range| !behind(range)).chain(front))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::RangeMap;
    use proptest::prelude::*;

    fn first(ranges: &[(u16, u16)], bounds: (u16, u16), size: u16, gap: u16) -> Option<Range> {
        let ranges = RangeMap::new(ranges.iter().map(|(first, last)| Range::known(*first, *last)));
        after(Room { ranges: &ranges, bounds: Range::known(bounds.0, bounds.1), size, gap }).next()
    }

    #[test]
    fn behind_the_last_range_with_the_exact_gap() {
        let known = [(3000, 3099), (11400, 11499)];
        assert_eq!(first(&known, (10000, 65000), 10, 10), Some(Range::known(11510, 11519)));
        assert_eq!(first(&known, (10000, 65000), 10, 0), Some(Range::known(11500, 11509)));
        assert_eq!(first(&[], (10000, 65000), 10, 10), Some(Range::known(10000, 10009)));
        assert_eq!(
            first(&[(3000, 3099)], (10000, 65000), 10, 10),
            Some(Range::known(10000, 10009))
        );
    }

    #[test]
    fn the_lowest_block_when_there_is_no_room_behind() {
        let known = [(20, 29), (90, 99)];
        assert_eq!(first(&known, (10, 105), 10, 5), Some(Range::known(35, 44)));
        assert_eq!(first(&known, (10, 105), 60, 5), None);
    }

    proptest! {
        #[test]
        fn every_candidate_keeps_bounds_and_gaps(
            held in prop::collection::vec((1u16..200, 0u16..20), 0..8),
            bounds in (1u16..200, 0u16..100),
            size in 1u16..30,
            gap in 0u16..15,
        ) {
            let held: Vec<Range> = held.iter().map(|(f, more)| Range::known(*f, f + more)).collect();
            let bounds = Range::known(bounds.0, bounds.0 + bounds.1);
            let ranges = RangeMap::new(held.clone());
            for found in after(Room { ranges: &ranges, bounds, size, gap }) {
                prop_assert_eq!(found.size(), size);
                prop_assert!(bounds.contains(found.first()) && bounds.contains(found.last()));
                prop_assert!(held.iter().all(|h| h.distance(found).is_some_and(|d| d >= gap)));
            }
        }
    }
}

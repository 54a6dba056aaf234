//! `before`: below the first range above the lowest bound; the lowest block that fits when there is no
//! room below it.
//!
//! Pure.

use super::Room;
use crate::ports::Range;

/// Places below the first range within the bounds, highest first, then the lowest ones that fit. Without
/// such a range they are all below what may come: the highest first.
pub fn before(room: Room<'_>) -> Box<dyn Iterator<Item = Range> + '_> {
    let first = room.ranges.ranges().iter().find(|range| range.first() > room.bounds.first());
    let (below, above) = match first {
        Some(first) => room.split_at(first.first()),
        None => (room.free, &[][..]),
    };
    Box::new(room.fitting(below.iter()).rev().chain(room.fitting(above.iter())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::placement::tests::{check, first_of};

    #[test]
    fn below_the_first_range_with_the_exact_gap() {
        let known = [(3000, 3099), (11400, 11499)];
        for (held, gap, expected) in [
            (&known[..], 10, (11380, 11389)),
            (&known[..], 0, (11390, 11399)),
            (&[(9990, 10009), (11400, 11499)], 10, (11380, 11389)),
            (&known[..1], 10, (64991, 65000)),
        ] {
            assert_eq!(first_of(before, held, (10000, 65000), 10, gap), Some(expected));
        }
    }

    #[test]
    fn the_lowest_block_when_there_is_no_room_below() {
        let known = [(20, 29), (90, 99)];
        assert_eq!(first_of(before, &known, (10, 200), 10, 5), Some((35, 44)));
        assert_eq!(first_of(before, &known, (10, 105), 60, 5), None);
    }

    #[test]
    fn in_every_small_universe_the_highest_below_the_first_else_the_lowest() {
        check(before, |universe, fitting| {
            let firsts = universe.held.iter().map(|range| range.first());
            let first = firsts.filter(|first| *first > universe.bounds.first()).min();
            let below = |range: &&Range| first.is_none_or(|first| range.last() < first);
            fitting.iter().rfind(below).or(fitting.first()).copied()
        });
    }
}

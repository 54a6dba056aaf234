//! `after`: behind the last range; the lowest block that fits when there is no room behind it.
//!
//! Pure.

use super::Room;
use crate::ports::Range;

/// Places behind the last range first, then the lowest ones that fit.
pub fn after(room: Room<'_>) -> Box<dyn Iterator<Item = Range> + '_> {
    let (front, behind) = match room.ranges.last() {
        Some(last) => room.split_at(last),
        None => (&[][..], room.free),
    };
    Box::new(room.fitting(behind.iter()).chain(room.fitting(front.iter())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::placement::tests::{check, first_of};

    #[test]
    fn behind_the_last_range_with_the_exact_gap() {
        let known = [(3000, 3099), (11400, 11499)];
        for (held, gap, expected) in [
            (&known[..], 10, (11510, 11519)),
            (&known[..], 0, (11500, 11509)),
            (&[], 10, (10000, 10009)),
            (&known[..1], 10, (10000, 10009)),
        ] {
            assert_eq!(first_of(after, held, (10000, 65000), 10, gap), Some(expected));
        }
    }

    #[test]
    fn the_lowest_block_when_there_is_no_room_behind() {
        let known = [(20, 29), (90, 99)];
        assert_eq!(first_of(after, &known, (10, 105), 10, 5), Some((35, 44)));
        assert_eq!(first_of(after, &known, (10, 105), 60, 5), None);
    }

    #[test]
    fn in_every_small_universe_the_lowest_behind_the_last_else_the_lowest() {
        check(after, |universe, fitting| {
            let last = universe.held.iter().map(|range| range.last()).max();
            let behind = |range: &&Range| last.is_none_or(|last| range.first() > last);
            fitting.iter().find(behind).or(fitting.first()).copied()
        });
    }
}

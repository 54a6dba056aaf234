//! `smart`: as close as can be to what is known of the type; the block that fits best where nothing is.
//!
//! Pure. What is known (a preferred start, the tool's conventional port, the ranges of its category) is
//! settled in `decision::range_rule`.

use super::{Near, Room};
use crate::ports::{Port, Range};
use std::iter::{self, Peekable};

/// The closest places first; of those equally close, the one in the smaller block, then the lower one.
pub fn smart(room: Room<'_>) -> Box<dyn Iterator<Item = Range> + '_> {
    let mut walks: Vec<Walk<'_>> = match room.near {
        Near::Nothing => return best_fit(room),
        Near::Port(port) => vec![Walk::up(room, *port), Walk::down(room, *port)],
        Near::Ranges(ranges) => ranges.iter().flat_map(|range| beside(room, *range)).collect(),
    };
    // Every walk leads away from its goal, so the closest of all is at the head of one of them.
    Box::new(iter::from_fn(move || {
        let closest = walks.iter_mut().filter_map(|walk| Some((walk.liking(room)?, walk)));
        let (_, walk) = closest.min_by_key(|(liking, _)| *liking)?;
        walk.places.next()
    }))
}

/// The smallest block that fits, from below; then the next larger one.
fn best_fit(room: Room<'_>) -> Box<dyn Iterator<Item = Range> + '_> {
    let mut blocks: Vec<&Range> = room.free.iter().collect();
    blocks.sort_by_key(|block| block.size());
    Box::new(room.fitting(blocks.into_iter()))
}

/// The walks away from a range, to both sides.
fn beside(room: Room<'_>, range: Range) -> impl Iterator<Item = Walk<'_>> {
    let above = range.last().next().map(|port| Walk::up(room, port));
    let below = range.first().number().checked_sub(room.size);
    let below = below.and_then(|first| Port::try_from(u32::from(first)).ok());
    above.into_iter().chain(below.map(|port| Walk::down(room, port)))
}

/// Places in one direction, the closest to the goal first.
struct Walk<'a> {
    /// The best place begins there.
    goal: Port,
    places: Peekable<Box<dyn Iterator<Item = Range> + 'a>>,
}

impl<'a> Walk<'a> {
    /// The places that begin at the goal or above.
    fn up(room: Room<'a>, goal: Port) -> Self {
        let blocks = &room.free[room.free.partition_point(|block| block.last() < goal)..];
        let places = room.fitting(blocks.iter()).skip_while(move |place| place.first() < goal);
        let places: Box<dyn Iterator<Item = Range>> = Box::new(places);
        Self { goal, places: places.peekable() }
    }

    /// The places that begin at the goal or below.
    fn down(room: Room<'a>, goal: Port) -> Self {
        let blocks = &room.free[..room.free.partition_point(|block| block.first() <= goal)];
        let places = room.fitting(blocks.iter()).rev();
        let places: Box<dyn Iterator<Item = Range>> =
            Box::new(places.skip_while(move |place| place.first() > goal));
        Self { goal, places: places.peekable() }
    }

    /// How much its next place is liked; less is better.
    fn liking(&mut self, room: Room<'_>) -> Option<(u16, u16, Port)> {
        let first = self.places.peek()?.first();
        let block = room.free.partition_point(|block| block.last() < first);
        let distance = first.number().abs_diff(self.goal.number());
        Some((distance, room.free.get(block)?.size(), first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::placement::tests::{Universe, check_near, first_near};

    fn port(number: u16) -> Near {
        Near::Port(Port::known(number))
    }

    #[test]
    fn it_begins_where_the_tool_conventionally_listens_or_close_by() {
        for (held, near, expected) in [
            (&[][..], 5432, (5432, 5441)),
            (&[(5430, 5499)], 5432, (5410, 5419)),
            (&[(5400, 5499)], 5432, (5380, 5389)),
            (&[(5410, 5430)], 5432, (5441, 5450)),
            (&[(3000, 3099)], 1, (1024, 1033)),
        ] {
            let found = first_near(held, (1024, 65000), 10, 10, &port(near));
            assert_eq!(found, Some(expected), "{held:?}");
        }
    }

    #[test]
    fn the_tools_of_a_category_stand_together() {
        let monitoring = [Range::known(3100, 3199), Range::known(9000, 9009)];
        let near = Near::Ranges(monitoring.into());
        for (others, expected) in [
            (&[][..], (3080, 3089)),
            (&[(3000, 3099)], (3210, 3219)),
            (&[(3000, 3099), (3200, 3299)], (8980, 8989)),
            (&[(3000, 3099), (3200, 3299), (8900, 8999)], (9020, 9029)),
        ] {
            let mut held: Vec<(u16, u16)> = vec![(3100, 3199), (9000, 9009)];
            held.extend(others);
            assert_eq!(first_near(&held, (1024, 65000), 10, 10, &near), Some(expected));
        }
    }

    #[test]
    fn where_nothing_is_known_the_smallest_block_that_fits_is_filled() {
        let held = [(100, 199), (220, 299), (312, 399)];
        for (size, expected) in
            [(10, (300, 309)), (12, (300, 311)), (20, (200, 219)), (21, (400, 420))]
        {
            let found = first_near(&held, (100, 1000), size, 0, &Near::Nothing);
            assert_eq!(found, Some(expected), "{size}");
        }
    }

    /// The block that the place lies in.
    fn block_size(universe: &Universe, place: Range) -> u16 {
        let block = universe.free.iter().find(|block| block.contains(place.first()));
        block.expect("it lies in a free block").size()
    }

    #[test]
    fn in_every_small_universe_it_begins_closest_to_the_port() {
        for goal in [1, 4, 7, 9] {
            check_near(&|_| port(goal), &|universe, fitting| {
                let key = |place: &&Range| {
                    let distance = place.first().number().abs_diff(goal);
                    (distance, block_size(universe, **place), place.first())
                };
                fitting.iter().min_by_key(key).copied()
            });
        }
    }

    #[test]
    fn in_every_small_universe_it_lies_closest_to_the_ranges_of_its_category() {
        // Every second range is one of them; where there is none, nothing is known.
        let kin = |universe: &Universe| -> Vec<Range> {
            universe.held.iter().step_by(2).copied().collect()
        };
        let near = |universe: &Universe| match kin(universe) {
            none if none.is_empty() => Near::Nothing,
            some => Near::Ranges(some),
        };
        check_near(&near, &|universe, fitting| {
            let key = |place: &&Range| {
                let distances = kin(universe).into_iter().filter_map(|one| one.distance(**place));
                (distances.min(), block_size(universe, **place), place.first())
            };
            fitting.iter().min_by_key(key).copied()
        });
    }
}

//! What the tests of all strategies share: small universes enumerated in full, and one candidate asked for.

use super::{Near, Room, Strategy, smart};
use crate::ports::{Port, Range, RangeMap};

/// A universe of so many ports: every way to hold them is tried.
const PORTS: u16 = 10;
/// New ranges of 1 to so many ports are tried in it …
const SIZE_MAX: u16 = 4;
/// … with gaps of 0 to so many.
const GAP_MAX: u16 = 2;

/// Who holds what, and where a new range may be.
pub(super) struct Universe {
    pub(super) held: Vec<Range>,
    pub(super) bounds: Range,
    pub(super) free: Vec<Range>,
}

fn range((first, last): (u16, u16)) -> Range {
    Range::known(first, last)
}

/// What a strategy likes best.
pub(super) fn first_of(
    strategy: Strategy,
    held: &[(u16, u16)],
    bounds: (u16, u16),
    size: u16,
    gap: u16,
) -> Option<(u16, u16)> {
    first(strategy, held, range(bounds), size, gap, &Near::Nothing)
}

/// What `smart` likes best.
pub(super) fn first_near(
    held: &[(u16, u16)],
    bounds: (u16, u16),
    size: u16,
    gap: u16,
    near: &Near,
) -> Option<(u16, u16)> {
    first(smart, held, range(bounds), size, gap, near)
}

fn first(
    strategy: Strategy,
    held: &[(u16, u16)],
    bounds: Range,
    size: u16,
    gap: u16,
    near: &Near,
) -> Option<(u16, u16)> {
    let ranges = RangeMap::new(held.iter().copied().map(range));
    let free = ranges.free_blocks(bounds, gap);
    let found = strategy(Room { ranges: &ranges, free: &free, bounds, size, near }).next()?;
    Some((found.first().number(), found.last().number()))
}

/// In every small universe the strategy's first candidate is what `expected` says of all that fit, and its
/// candidates are exactly those.
pub(super) fn check(strategy: Strategy, expected: impl Fn(&Universe, &[Range]) -> Option<Range>) {
    check_all(strategy, &|_| Near::Nothing, &expected);
}

/// The same of `smart`, which is told what to be near to.
pub(super) fn check_near(
    near: &dyn Fn(&Universe) -> Near,
    expected: &dyn Fn(&Universe, &[Range]) -> Option<Range>,
) {
    check_all(smart, near, expected);
}

fn check_all(
    strategy: Strategy,
    near: &dyn Fn(&Universe) -> Near,
    expected: &dyn Fn(&Universe, &[Range]) -> Option<Range>,
) {
    for mask in 0..1u16 << PORTS {
        let held = (1..=PORTS).filter(|number| mask >> (number - 1) & 1 == 1);
        let ranges = RangeMap::new(held.map(|number| Range::known(number, number)));
        for (bounds, gap) in [(1, PORTS), (3, 8)]
            .into_iter()
            .flat_map(|bounds| (0..=GAP_MAX).map(move |gap| (range(bounds), gap)))
        {
            let free = ranges.free_blocks(bounds, gap);
            let universe = Universe { held: ranges.ranges().to_vec(), bounds, free };
            for size in 1..=SIZE_MAX {
                let fitting = fitting(&universe, size, gap);
                let near = near(&universe);
                let room =
                    Room { ranges: &ranges, free: &universe.free, bounds, size, near: &near };
                let mut candidates: Vec<Range> = strategy(room).collect();
                let first = candidates.first().copied();
                let story = format!("{:?} in {bounds}, {size} ports, gap {gap}", universe.held);
                assert_eq!(first, expected(&universe, &fitting), "{story}");
                candidates.sort_unstable();
                candidates.dedup();
                assert_eq!(candidates, fitting, "{story}");
            }
        }
    }
}

/// Every place that keeps bounds and gaps, lowest first, found by looking at each port.
fn fitting(universe: &Universe, size: u16, gap: u16) -> Vec<Range> {
    let places = (1..=PORTS).filter_map(|first| Range::sized(Port::known(first), size));
    let fits = |place: &Range| {
        let bounds = universe.bounds;
        let far = |held: &Range| held.distance(*place).is_some_and(|distance| distance >= gap);
        bounds.contains(place.first())
            && bounds.contains(place.last())
            && universe.held.iter().all(far)
    };
    places.filter(fits).collect()
}

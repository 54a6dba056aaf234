//! `bounds`: within the bounds that a strategy of the configuration has for a group, the lowest block that
//! fits.
//!
//! Pure. Whose bounds they are is settled in `decision::range_rule`.

use super::Room;
use crate::ports::Range;

/// The lowest places that fit. What lies outside a group's bounds is no business of the group's, so there
/// is nothing to be behind or before.
pub fn bounds(room: Room<'_>) -> Box<dyn Iterator<Item = Range> + '_> {
    Box::new(room.fitting(room.free.iter()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::placement::tests::{check, first_of};

    #[test]
    fn a_group_fills_its_bounds_from_below() {
        let known = [(3000, 3099), (11400, 11499)];
        assert_eq!(first_of(bounds, &known, (3000, 3999), 10, 10), Some((3110, 3119)));
        assert_eq!(first_of(bounds, &known, (8000, 8999), 10, 10), Some((8000, 8009)));
        assert_eq!(first_of(bounds, &known, (3000, 3118), 10, 10), None);
    }

    #[test]
    fn in_every_small_universe_the_lowest() {
        check(bounds, |_, fitting| fitting.first().copied());
    }
}

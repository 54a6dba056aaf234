//! Many ranges in order: what lies between them, and where one more would fit.
//!
//! Pure. Which of the fitting places is taken is decided in `decision::placement`.

use super::{port::Port, range::Range};

/// Ranges that do not overlap, sorted; ranges that touch or overlap are merged on the way in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeMap {
    merged: Vec<Range>,
}

impl RangeMap {
    /// The ports that any of these ranges holds.
    pub fn new(ranges: impl IntoIterator<Item = Range>) -> Self {
        let mut sorted: Vec<Range> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut merged: Vec<Range> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(last) if range.first() <= last.last().next().unwrap_or(Port::MAX) => {
                    let end = last.last().max(range.last());
                    *last = Range::known(last.first().number(), end.number());
                }
                Some(_) | None => merged.push(range),
            }
        }
        Self { merged }
    }

    /// The ranges, lowest first.
    pub fn ranges(&self) -> &[Range] {
        &self.merged
    }

    /// The highest port held.
    pub fn last(&self) -> Option<Port> {
        self.merged.last().map(|range| range.last())
    }

    /// Whether any range shares a port with this one.
    pub fn overlaps(&self, range: Range) -> bool {
        let after = self.merged.partition_point(|held| held.last() < range.first());
        self.merged.get(after).is_some_and(|held| held.overlaps(range))
    }

    /// The blocks of `bounds` that keep `gap` ports of distance to every range, lowest first.
    pub fn free_blocks(&self, bounds: Range, gap: u16) -> Vec<Range> {
        let (low, high) = (u32::from(bounds.first().number()), u32::from(bounds.last().number()));
        let gap = u32::from(gap);
        let mut free = Vec::new();
        let mut from = low;
        for held in &self.merged {
            let (first, last) = (u32::from(held.first().number()), u32::from(held.last().number()));
            push_block(&mut free, from, first.saturating_sub(gap + 1).min(high));
            from = from.max(last + gap + 1);
        }
        push_block(&mut free, from, high);
        free
    }
}

/// Adds the block from `first` to `last` unless it is empty.
fn push_block(blocks: &mut Vec<Range>, first: u32, last: u32) {
    if let (Ok(first), Ok(last)) = (Port::try_from(first), Port::try_from(last)) {
        blocks.extend(Range::new(first, last).ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range() -> impl Strategy<Value = Range> {
        (1u16..200, 0u16..20).prop_map(|(first, more)| Range::known(first, first + more))
    }

    #[test]
    fn touching_ranges_become_one() {
        let map = RangeMap::new([Range::known(20, 29), Range::known(10, 19), Range::known(40, 40)]);
        assert_eq!(map.ranges(), [Range::known(10, 29), Range::known(40, 40)]);
    }

    #[test]
    fn free_blocks_of_an_empty_map_are_the_bounds() {
        let bounds = Range::known(10, 20);
        assert_eq!(RangeMap::default().free_blocks(bounds, 10), [bounds]);
    }

    proptest! {
        #[test]
        fn a_port_is_in_a_free_block_exactly_when_it_keeps_the_gap(
            ranges in prop::collection::vec(range(), 0..12),
            bounds in range(),
            gap in 0u16..12,
        ) {
            let free = RangeMap::new(ranges.clone()).free_blocks(bounds, gap);
            for port in bounds.ports() {
                let alone = Range::new(port, port).unwrap();
                let far = ranges.iter().all(|held| held.distance(alone).is_some_and(|d| d >= gap));
                prop_assert_eq!(free.iter().any(|block| block.contains(port)), far, "{}", port);
            }
            prop_assert!(free.iter().all(|b| bounds.contains(b.first()) && bounds.contains(b.last())));
        }

        #[test]
        fn overlaps_agrees_with_asking_each_range(
            ranges in prop::collection::vec(range(), 0..12), other in range(),
        ) {
            let expected = ranges.iter().any(|held| held.overlaps(other));
            prop_assert_eq!(RangeMap::new(ranges).overlaps(other), expected);
        }
    }
}

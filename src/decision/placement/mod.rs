//! Where a new range goes: one strategy a file, one signature.
//!
//! Pure. Which strategy is asked, and what happens when it finds nothing, is `new_range`'s business.

mod after;

pub use after::after;

use crate::ports::{Range, RangeMap};

/// The room that a strategy chooses in.
#[derive(Debug, Clone, Copy)]
pub struct Room<'a> {
    /// Every range that is there, whoever made it.
    pub ranges: &'a RangeMap,
    /// Where a new one may be.
    pub bounds: Range,
    /// How many ports it has.
    pub size: u16,
    /// How many ports stay free between it and any other.
    pub gap: u16,
}

/// A strategy: candidates in the order of its liking. All of them fit the room; the first one in which
/// the kernel shows no used port is taken.
pub type Strategy = for<'a> fn(Room<'a>) -> Box<dyn Iterator<Item = Range> + 'a>;

impl Room<'_> {
    /// Every place where the new range fits, lowest first, moving on by single ports.
    fn fitting(self) -> impl Iterator<Item = Range> {
        let size = self.size;
        self.ranges.free_blocks(self.bounds, self.gap).into_iter().flat_map(move |block| {
            let starts = block.size().checked_sub(size).map_or(0, |more| usize::from(more) + 1);
            block.ports().take(starts).filter_map(move |first| Range::sized(first, size))
        })
    }
}

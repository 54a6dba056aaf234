//! Where a new range goes: one strategy a file, one signature.
//!
//! Pure. Which strategy is asked, and whether the kernel shows a used port, is `new_range`'s business. One
//! more strategy is one more file here, and its word in `config::Placement`.

mod after;
mod before;
mod bounds;
mod smart;
#[cfg(test)]
mod tests;

pub use after::after;
pub use before::before;
pub use bounds::bounds;
pub use smart::smart;

use crate::ports::{Port, Range, RangeMap};

/// The room that a strategy chooses in.
#[derive(Debug, Clone, Copy)]
pub struct Room<'a> {
    /// Every range that is there, whoever made it.
    pub ranges: &'a RangeMap,
    /// The blocks within the bounds that keep their distance to every range, lowest first.
    pub free: &'a [Range],
    /// Where it may be.
    pub bounds: Range,
    /// How many ports the new range has.
    pub size: u16,
    /// What it had best be near to.
    pub near: &'a Near,
}

/// What a new range had best be near to, as far as `smart` is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Near {
    /// Nothing is known of the type.
    Nothing,
    /// It had best begin at this port.
    Port(Port),
    /// The ranges of its category; they are all among the room's ranges.
    Ranges(Vec<Range>),
}

/// A strategy: candidates in the order of its liking. All of them lie in a free block; the first one in
/// which nobody uses a port is taken.
pub type Strategy = for<'a> fn(Room<'a>) -> Box<dyn Iterator<Item = Range> + 'a>;

impl<'a> Room<'a> {
    /// Every place in these free blocks where the new range fits, moving on by single ports.
    fn fitting<B>(self, blocks: B) -> impl DoubleEndedIterator<Item = Range> + use<'a, B>
    where
        B: DoubleEndedIterator<Item = &'a Range>,
    {
        let size = self.size;
        blocks.flat_map(move |block| {
            let starts = block.size().checked_sub(size).and_then(|more| {
                let first = block.first().number();
                Range::new(block.first(), Port::try_from(u32::from(first + more)).ok()?).ok()
            });
            let starts = starts.into_iter().flat_map(Range::ports);
            starts.filter_map(move |first| Range::sized(first, size))
        })
    }

    /// The free blocks below that port, and those from it on. No block lies on both sides of a range.
    fn split_at(self, port: Port) -> (&'a [Range], &'a [Range]) {
        self.free.split_at(self.free.partition_point(|block| block.first() < port))
    }
}

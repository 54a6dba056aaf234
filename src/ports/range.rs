//! An inclusive pair of ports, `[first, last]`.
//!
//! Pure. What lies between several ranges is `range_map`'s business.

use super::port::{Port, PortError};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The ports from `first` to `last`, both included; never empty, never inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(Port, Port)", into = "(Port, Port)")]
pub struct Range {
    first: Port,
    last: Port,
}

/// Why something is not a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The last port is below the first.
    #[error("range {first}-{last} is inverted: its first port is above its last")]
    Inverted {
        /// As it was given.
        first: Port,
        /// As it was given.
        last: Port,
    },
    /// One of its ends is not a port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Neither `FIRST-LAST` nor a single port.
    #[error("`{0}` is not a range: write FIRST-LAST, for example 3000-3099")]
    Form(String),
}

impl Range {
    /// The range from `first` to `last`, unless it is inverted.
    pub fn new(first: Port, last: Port) -> Result<Self, RangeError> {
        if first > last {
            return Err(RangeError::Inverted { first, last });
        }
        Ok(Self { first, last })
    }

    /// A range known when styxy was built. Panics on one that is inverted or holds port 0.
    pub const fn known(first: u16, last: u16) -> Self {
        assert!(first <= last, "a built-in range is never inverted");
        Self { first: Port::known(first), last: Port::known(last) }
    }

    /// The `size` ports from `first` on, unless they would pass port 65535 or `size` is 0.
    pub fn sized(first: Port, size: u16) -> Option<Self> {
        let last = first.number().checked_add(size.checked_sub(1)?)?;
        Some(Self { first, last: Port::known(last) })
    }

    /// The lowest port.
    pub const fn first(self) -> Port {
        self.first
    }

    /// The highest port.
    pub const fn last(self) -> Port {
        self.last
    }

    /// How many ports it holds, 1 to 65535.
    pub const fn size(self) -> u16 {
        self.last.number() - self.first.number() + 1
    }

    /// Whether the port is one of its own.
    pub fn contains(self, port: Port) -> bool {
        self.first <= port && port <= self.last
    }

    /// Whether the two share a port.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// How many ports lie between the two: 0 when they touch, `None` when they overlap.
    pub fn distance(self, other: Self) -> Option<u16> {
        if self.overlaps(other) {
            return None;
        }
        let (low, high) = if self < other { (self, other) } else { (other, self) };
        Some(high.first.number() - low.last.number() - 1)
    }

    /// Every port, lowest first.
    pub fn ports(self) -> impl DoubleEndedIterator<Item = Port> + Clone {
        (self.first.number()..=self.last.number()).map(Port::known)
    }
}

impl TryFrom<(Port, Port)> for Range {
    type Error = RangeError;

    fn try_from((first, last): (Port, Port)) -> Result<Self, RangeError> {
        Self::new(first, last)
    }
}

impl From<Range> for (Port, Port) {
    fn from(range: Range) -> Self {
        (range.first, range.last)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        match text.split_once('-') {
            Some((first, last)) => Self::new(first.trim().parse()?, last.trim().parse()?),
            None => text
                .parse()
                .map(|port| Self { first: port, last: port })
                .map_err(|_| RangeError::Form(text.to_owned())),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverted_range_cannot_be_made() {
        assert!(Range::new(Port::known(2), Port::known(1)).is_err());
        assert!("3099-3000".parse::<Range>().is_err());
        assert!(serde_json::from_str::<Range>("[9,8]").is_err());
    }

    #[test]
    fn text_and_range_say_the_same() {
        for (text, expected) in [
            ("3000-3099", Some(Range::known(3000, 3099))),
            ("3000 - 3099", Some(Range::known(3000, 3099))),
            ("80", Some(Range::known(80, 80))),
            ("0-10", None),
            ("a-b", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Range>().ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn distance_counts_the_ports_between() {
        let low = Range::known(10, 19);
        for (other, expected) in
            [((30, 39), Some(10)), ((20, 29), Some(0)), ((15, 16), None), ((1, 8), Some(1))]
        {
            let other = Range::known(other.0, other.1);
            assert_eq!(low.distance(other), expected);
            assert_eq!(other.distance(low), expected);
        }
    }

    #[test]
    fn a_sized_range_ends_at_the_last_port_at_most() {
        assert_eq!(Range::sized(Port::known(65530), 6), Some(Range::known(65530, 65535)));
        assert_eq!(Range::sized(Port::known(65530), 7), None);
        assert_eq!(Range::sized(Port::known(1), 0), None);
    }
}

//! A TCP port that can be leased: 1 to 65535.
//!
//! Pure. Port 0 means "any" to the kernel, so it cannot be written down here.

use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU16, str::FromStr};

/// A TCP port, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u16")]
pub struct Port(NonZeroU16);

/// Why something is not a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a port: ports are whole numbers from 1 to 65535")]
pub struct PortError {
    given: String,
}

impl Port {
    /// The highest port there is.
    pub const MAX: Self = Self(NonZeroU16::MAX);
    /// The lowest port there is.
    pub const MIN: Self = Self(NonZeroU16::MIN);

    /// The port of that number, for numbers known when styxy was built. Panics on 0.
    pub const fn known(number: u16) -> Self {
        match NonZeroU16::new(number) {
            Some(port) => Self(port),
            None => panic!("a built-in port is never 0"),
        }
    }

    /// The number, as the kernel and people write it.
    pub const fn number(self) -> u16 {
        self.0.get()
    }

    /// The port above, unless this is the highest.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// The port below, unless this is the lowest.
    pub fn previous(self) -> Option<Self> {
        NonZeroU16::new(self.number() - 1).map(Self)
    }
}

impl TryFrom<u32> for Port {
    type Error = PortError;

    fn try_from(number: u32) -> Result<Self, PortError> {
        u16::try_from(number)
            .ok()
            .and_then(NonZeroU16::new)
            .map(Self)
            .ok_or_else(|| PortError { given: number.to_string() })
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> Self {
        port.number()
    }
}

impl FromStr for Port {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        // `u16::from_str` takes a leading plus, which nobody means in a port.
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|_| digits)
            .map(Self)
            .ok_or_else(|| PortError { given: text.to_owned() })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_from_1_to_65535_are_ports() {
        for (text, expected) in [
            ("1", Some(1)),
            ("65535", Some(65535)),
            ("0", None),
            ("65536", None),
            ("+80", None),
            (" 80", None),
            ("80x", None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(text.parse::<Port>().ok().map(Port::number), expected, "{text:?}");
        }
    }

    #[test]
    fn the_ends_have_no_neighbour_outside() {
        assert_eq!(Port::MAX.next(), None);
        assert_eq!(Port::MIN.previous(), None);
        assert_eq!(Port::known(80).next(), Some(Port::known(81)));
        assert_eq!(Port::known(80).previous(), Some(Port::known(79)));
    }
}

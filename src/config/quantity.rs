//! Durations and sizes as people write them: `10m`, `1h30m`, `500ms`, `10MiB`; a bare number is seconds or bytes.
//!
//! Pure. The same spelling serves files, variables and flags.

use super::value::ValueError;
use std::{fmt, str::FromStr, time::Duration};

/// The longest duration: any moment plus it is still a moment to the kernel.
pub const DURATION_MAX: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);
/// The units of a duration in milliseconds, longest first.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
/// The units of a size; those that are shown come first, largest first.
const SIZE_UNITS: [(&str, u64); 11] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("", 1),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    // As systemd and logrotate mean them.
    ("G", 1 << 30),
    ("M", 1 << 20),
    ("K", 1 << 10),
];

/// A number of bytes, never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// So many times 1024 × 1024 bytes.
    pub const fn mebibytes(count: u32) -> Self {
        assert!(count > 0, "a built-in size is never 0");
        Self((count as u64) << 20)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Reads a duration: numbers with units (`d`, `h`, `m`, `s`, `ms`), or a bare number of seconds.
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let wrong = || {
        ValueError::new(format!("`{}` is not a duration", text.escape_debug()))
            .hint("write 500ms, 10s, 5m, 2h, 30d, or a number of seconds")
    };
    let mut total: u64 = 0;
    let mut rest = text.trim();
    loop {
        let (number, after) = rest.split_at(digits(rest));
        let (unit, after) = after.split_at(letters(after));
        let bare = unit.is_empty() && after.is_empty() && total == 0;
        let unit = if bare { "s" } else { unit };
        let (_, scale) = TIME_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        total = scaled(number, *scale).and_then(|ms| total.checked_add(ms)).ok_or_else(wrong)?;
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    let duration = Duration::from_millis(total);
    if duration > DURATION_MAX {
        return Err(ValueError::new(format!(
            "{} is longer than {}",
            text.trim(),
            show_duration(DURATION_MAX)
        )));
    }
    Ok(duration)
}

/// Writes a duration as [`parse_duration`] reads it, to the millisecond.
pub fn show_duration(duration: Duration) -> String {
    let mut left = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, scale) in TIME_UNITS {
        let count = left / scale;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
            left %= scale;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

impl FromStr for Size {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let trimmed = text.trim();
        let (number, unit) = trimmed.split_at(digits(trimmed));
        let unit = unit.trim_start();
        SIZE_UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .and_then(|(_, scale)| scaled(number, *scale))
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(|| {
                ValueError::new(format!("`{}` is not a size", text.escape_debug()))
                    .hint("write 512KiB, 10MiB, 1GiB, or a number of bytes above 0")
            })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZE_UNITS.iter().find(|(_, scale)| self.0.is_multiple_of(*scale));
        let (unit, scale) = whole.copied().unwrap_or(("B", 1));
        write!(out, "{}{unit}", self.0 / scale)
    }
}

/// How many bytes of a number, with its fraction, the text begins with.
fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len())
}

/// How many bytes of a unit the text begins with.
fn letters(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len())
}

/// `number` times `scale`, if that is a whole number that fits; `1.5` times 1000 is 1500.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let of_whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let parts = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let of_fraction = fraction.parse::<u64>().ok()?.checked_mul(scale)?;
    if !of_fraction.is_multiple_of(parts) {
        return None;
    }
    of_whole.checked_add(of_fraction / parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_numbers_with_units_or_seconds() {
        for (text, expected) in [
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            ("10", Some(10_000)),
            ("0", Some(0)),
            ("1.5s", Some(1500)),
            ("0.25", Some(250)),
            ("10m", Some(600_000)),
            ("1h30m", Some(5_400_000)),
            ("30d", Some(2_592_000_000)),
            (" 2h ", Some(7_200_000)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1 s", None),
            ("10x", None),
            ("1m30", None),
            ("1.", None),
            (".5s", None),
            ("1..5s", None),
            ("0.1ms", None),
            ("99999999999999999999d", None),
            ("36501d", None),
            ("10S", None),
        ] {
            let read = parse_duration(text).ok().map(|d| d.as_millis());
            assert_eq!(read, expected, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_numbers_with_units_or_bytes() {
        for (text, expected) in [
            ("10MiB", Some(10 << 20)),
            ("10M", Some(10 << 20)),
            ("10mib", Some(10 << 20)),
            ("10 MB", Some(10_000_000)),
            ("1.5KiB", Some(1536)),
            ("4096", Some(4096)),
            ("0", None),
            ("0MiB", None),
            ("-1", None),
            ("MiB", None),
            ("10TiBs", None),
            ("99999999999GiB", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Size>().ok().map(Size::bytes), expected, "{text:?}");
        }
        assert_eq!(Size::mebibytes(10).to_string(), "10MiB");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_the_same(ms in 0..=DURATION_MAX.as_secs() * 1000, bytes in 1u64..) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&show_duration(duration)).unwrap(), duration);
            prop_assert_eq!(Size(bytes).to_string().parse::<Size>().unwrap(), Size(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}|[0-9.]{0,24}[dhmsKMGiB]{0,4}") {
            let _ = (parse_duration(&text), text.parse::<Size>());
        }
    }
}

//! When an automatic range was last used: written down by the day, and only ever believed to keep it longer.
//!
//! Pure. The moment is handed in. It is the wall clock's, since no other one outlives a boot.

use super::{AutoRange, Change, Registry};
use crate::ports::Port;
use jiff::{SignedDuration, Timestamp};

/// A use is written down if the last one is so old: a lease more need not change the ranges.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(24);

impl AutoRange {
    /// Whether the two are one row, whenever it was last used.
    pub fn is_row(&self, other: &Self) -> bool {
        self.range == other.range
            && self.service_type == other.service_type
            && self.created == other.created
    }

    /// How long nobody has had a lease in it, at least. Nothing is known of a row whose moments cannot be
    /// read, or lie in the future.
    pub fn unused_for(&self, now: Timestamp) -> Option<SignedDuration> {
        let since = match &self.used {
            // The last use may be as much later.
            Some(used) => used.parse::<Timestamp>().ok()?.checked_add(NOTED_EVERY).ok()?,
            None => self.created.parse::<Timestamp>().ok()?,
        };
        (now >= since).then(|| now.duration_since(since))
    }

    fn note_use(&mut self, now: Timestamp, written: &str) {
        let last = self.used.as_ref().and_then(|used| used.parse::<Timestamp>().ok());
        if last.is_none_or(|last| now.duration_since(last) >= NOTED_EVERY) {
            self.used = Some(written.to_owned());
        }
    }
}

impl Registry {
    /// Whether the ranges are the same, whenever they were last used.
    pub fn has_ranges_of(&self, other: &Self) -> bool {
        let pairs = || self.ranges.iter().zip(&other.ranges);
        self.ranges.len() == other.ranges.len() && pairs().all(|(one, other)| one.is_row(other))
    }

    /// Notes that leases in these automatic ranges were made or ended; `now` is RFC 3339.
    pub fn note_use(&mut self, ports: &[Port], now: &str) {
        let Ok(moment) = now.parse() else { return };
        for auto in &mut self.ranges {
            if ports.iter().any(|port| auto.range.contains(*port)) {
                auto.note_use(moment, now);
            }
        }
    }

    /// Notes the use that the leases of a comparison show.
    pub fn note_changes(&mut self, changes: &[Change], now: &str) {
        if self.ranges.is_empty() {
            return;
        }
        let names = changes.iter().filter_map(|change| change.instance.as_ref());
        let rows = names.filter_map(|name| self.instance(name));
        let ports: Vec<Port> = rows.flat_map(|row| &row.ports).map(|named| named.port).collect();
        self.note_use(&ports, now);
    }

    /// Takes every automatic range for used just now: nobody knows better.
    pub fn note_use_of_all(&mut self, now: &str) {
        self.ranges.iter_mut().for_each(|auto| auto.used = Some(now.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Range;

    fn auto(created: &str, used: Option<&str>) -> AutoRange {
        AutoRange {
            service_type: "grafana".parse().unwrap(),
            range: Range::known(10_000, 10_009),
            created: created.to_owned(),
            used: used.map(str::to_owned),
        }
    }

    #[test]
    fn a_use_is_noted_once_a_day() {
        let mut registry = Registry::default();
        registry.ranges.push(auto("2025-09-30T00:00:00Z", None));
        for (port, now, expected) in [
            (9999, "2025-10-01T00:00:00Z", None),
            (10_000, "2025-10-01T00:00:00Z", Some("2025-10-01T00:00:00Z")),
            (10_009, "2025-10-01T23:59:59Z", Some("2025-10-01T00:00:00Z")),
            (10_009, "2025-10-02T00:00:00Z", Some("2025-10-02T00:00:00Z")),
            // A clock that was set back takes nothing away.
            (10_009, "2025-01-01T00:00:00Z", Some("2025-10-02T00:00:00Z")),
            (10_009, "yesterday", Some("2025-10-02T00:00:00Z")),
        ] {
            registry.note_use(&[Port::known(port)], now);
            assert_eq!(registry.ranges[0].used.as_deref(), expected, "{now}");
        }
    }

    #[test]
    fn a_range_is_never_thought_unused_for_longer_than_it_is() {
        let now: Timestamp = "2025-10-10T00:00:00Z".parse().unwrap();
        let days = |days: i64| Some(SignedDuration::from_hours(24 * days));
        for (created, used, expected) in [
            ("2025-10-01T00:00:00Z", None, days(9)),
            // It may have been used until the second ended.
            ("2025-10-01T00:00:00Z", Some("2025-10-01T00:00:00Z"), days(8)),
            ("2025-10-01T00:00:00Z", Some("2025-10-09T12:00:00Z"), None),
            ("2025-10-11T00:00:00Z", None, None),
            ("", None, None),
            ("2025-10-01T00:00:00Z", Some("some day"), None),
        ] {
            assert_eq!(auto(created, used).unused_for(now), expected, "{created} {used:?}");
        }
    }

    #[test]
    fn a_row_of_an_older_file_was_never_used() {
        let old = r#"{"service_type":"grafana","range":[10000,10009],"created":"2025-09-30"}"#;
        assert_eq!(serde_json::from_str::<AutoRange>(old).unwrap(), auto("2025-09-30", None));
        assert_eq!(serde_json::to_string(&auto("2025-09-30", None)).unwrap(), old);
    }
}

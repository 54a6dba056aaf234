//! What differs between the automatic ranges of two registries: their lines in the audit log.
//!
//! Pure.

use super::{
    AutoRange, Registry,
    change::{Action, Change, Remarks, empty_line},
};
use crate::ports::Range;
use std::collections::BTreeMap;

/// The lines for ranges that came or went.
pub(super) fn lines(before: &Registry, after: &Registry, remarks: &Remarks) -> Vec<Change> {
    // By their ports, which no two share: thousands of types may have one.
    let (old, new) = (by_ports(before), by_ports(after));
    let is_in = |rows: &BTreeMap<Range, &AutoRange>, auto: &AutoRange| {
        rows.get(&auto.range).is_some_and(|other| other.is_row(auto))
    };
    let gone: Vec<&AutoRange> = before.ranges.iter().filter(|auto| !is_in(&new, auto)).collect();
    let come: Vec<&AutoRange> = after.ranges.iter().filter(|auto| !is_in(&old, auto)).collect();
    // Blocks that were joined did not end: they are what stood there before.
    let is_part = |old: &AutoRange, new: &AutoRange| {
        old.service_type == new.service_type && new.range.overlaps(old.range)
    };
    let ended = gone.iter().filter(|old| !come.iter().any(|new| is_part(old, new))).map(|auto| {
        let retired = remarks.retired.contains(&auto.range);
        let action = if retired { Action::RangeRetire } else { Action::RangeUndo };
        Change { before: Some(ends(auto.range)), ..range_line(action, auto) }
    });
    let begun = come.iter().map(|auto| {
        let parts: Vec<_> =
            gone.iter().filter(|old| is_part(old, auto)).map(|old| ends(old.range)).collect();
        let action =
            if gone.iter().any(|old| is_part(old, auto) && old.range.size() > auto.range.size()) {
                // It gave ports away.
                Action::RangeRetire
            } else if before.ranges_of(&auto.service_type).next().is_some() {
                Action::RangeGrow
            } else {
                Action::RangeCreate
            };
        let before = (!parts.is_empty()).then(|| parts.into());
        let rule = remarks.ruled.iter().find(|(range, _)| *range == auto.range);
        let rule = rule.map(|(_, rule)| rule.clone());
        Change { before, after: Some(ends(auto.range)), rule, ..range_line(action, auto) }
    });
    ended.chain(begun).collect()
}

/// A range as the log shows it.
fn ends(range: Range) -> serde_json::Value {
    serde_json::json!([range.first(), range.last()])
}

fn range_line(action: Action, auto: &AutoRange) -> Change {
    Change {
        service_type: Some(auto.service_type.clone()),
        range: Some(auto.range),
        ..empty_line(action)
    }
}

fn by_ports(registry: &Registry) -> BTreeMap<Range, &AutoRange> {
    registry.ranges.iter().map(|auto| (auto.range, auto)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first: u16, last: u16) -> AutoRange {
        AutoRange {
            service_type: "grafana".parse().unwrap(),
            range: Range::known(first, last),
            created: String::new(),
            used: None,
        }
    }

    fn registry(ranges: Vec<AutoRange>) -> Registry {
        Registry { ranges, ..Registry::default() }
    }

    #[test]
    fn blocks_that_are_joined_are_one_line_with_what_they_were() {
        let before = registry(vec![block(10, 19), block(20, 29), block(40, 49)]);
        let after = registry(vec![block(10, 29)]);
        let remarks = Remarks { retired: vec![Range::known(40, 49)], ..Remarks::default() };
        let changes = lines(&before, &after, &remarks);
        let told: Vec<_> =
            changes.iter().map(|change| (change.action, change.before.clone())).collect();
        let parts = serde_json::json!([[10, 19], [20, 29]]);
        assert_eq!(
            told,
            [
                (Action::RangeRetire, Some(serde_json::json!([40, 49]))),
                (Action::RangeGrow, Some(parts))
            ]
        );
    }

    #[test]
    fn a_new_range_has_the_rule_that_chose_it() {
        let (before, after) = (registry(vec![]), registry(vec![block(10, 19), block(40, 49)]));
        let ruled = vec![(Range::known(40, 49), "rule 'g*'".to_owned())];
        let remarks = Remarks { ruled, ..Remarks::default() };
        let changes = lines(&before, &after, &remarks);
        let told: Vec<_> = changes.iter().map(|change| change.rule.as_deref()).collect();
        assert_eq!(told, [None, Some("rule 'g*'")]);
    }

    #[test]
    fn a_range_that_gave_ports_away_is_a_line_for_each_block_that_is_left() {
        let before = registry(vec![block(10, 19)]);
        let after = registry(vec![block(10, 11), block(15, 19)]);
        let told: Vec<_> = lines(&before, &after, &Remarks::default())
            .iter()
            .map(|change| (change.action, change.before.clone(), change.after.clone()))
            .collect();
        let whole = Some(serde_json::json!([[10, 19]]));
        assert_eq!(
            told,
            [
                (Action::RangeRetire, whole.clone(), Some(serde_json::json!([10, 11]))),
                (Action::RangeRetire, whole, Some(serde_json::json!([15, 19]))),
            ]
        );
    }
}

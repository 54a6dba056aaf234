//! The table of types and ranges as Markdown: for the document, and for `types --markdown`.
//!
//! Pure. Writing the document is the store's business.

use super::view::{TypeView, View};
use crate::{
    config::{Behavior, TypeOrigin},
    ports::Range,
    registry::AutoRange,
};
use std::collections::BTreeMap;

/// The columns of the types.
const TYPES: [&str; 5] = ["type", "ports", "from", "instances", "description"];
/// The columns of who holds what.
const HOLDERS: [&str; 4] = ["port", "held by", "phase", "pid"];

/// Every type: its ports, where they come from and since when, and what it is for.
pub(super) fn types(types: &[TypeView], automatic: &[AutoRange]) -> String {
    let made: BTreeMap<Range, &AutoRange> =
        automatic.iter().map(|auto| (auto.range, auto)).collect();
    let rows: Vec<[String; 5]> = types.iter().map(|known| row(known, &made)).collect();
    table(TYPES, &rows)
}

/// Who holds which port at the moment.
pub(super) fn holders(views: &[View]) -> String {
    let mut rows: Vec<[String; 4]> = views.iter().flat_map(holder).collect();
    rows.sort_by_key(|[port, ..]| port.parse::<u16>().unwrap_or_default());
    table(HOLDERS, &rows)
}

fn row(known: &TypeView, made: &BTreeMap<Range, &AutoRange>) -> [String; 5] {
    let ports: Vec<String> = known.ranges.iter().map(|range| dated(known, *range, made)).collect();
    let from = match known.origin {
        TypeOrigin::Profile => "built in",
        TypeOrigin::Config => "configuration",
        TypeOrigin::Auto => "auto-allocation",
    };
    let instances = match known.instance_behavior {
        Behavior::Single => "single",
        Behavior::Multi => "multi",
    };
    let description = match known.origin {
        TypeOrigin::Profile | TypeOrigin::Config => cell(&known.description),
        // It says no more than the range does.
        TypeOrigin::Auto => String::new(),
    };
    let ports = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
    [cell(&known.name), ports, from.to_owned(), instances.to_owned(), description]
}

/// `10100-10109 (auto-allocated 2025-09-30)`; one that somebody configured has no date.
fn dated(known: &TypeView, range: Range, made: &BTreeMap<Range, &AutoRange>) -> String {
    let day = made
        .get(&range)
        .filter(|auto| auto.service_type.as_str() == known.name)
        .and_then(|auto| auto.created.get(..10));
    match day {
        Some(day) => format!("{range} (auto-allocated {})", cell(day)),
        None => range.to_string(),
    }
}

/// A row for each port of an instance.
fn holder(view: &View) -> Vec<[String; 4]> {
    let row = |port: String, name: &str| {
        let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
        let pid = view.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        [port, cell(&format!("{}{name}", view.full_name())), view.phase.to_string(), pid]
    };
    if view.ports.is_empty() {
        return vec![row(view.port.to_string(), "")];
    }
    view.ports.iter().map(|(name, port)| row(port.to_string(), name)).collect()
}

/// A table whose columns stand below each other also in the text itself.
fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len(), 3]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} "));
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    let rules = widths.map(|width| "-".repeat(width));
    let mut text = line(head) + &line(rules.each_ref().map(String::as_str));
    for row in rows {
        text.push_str(&line(row.each_ref().map(String::as_str)));
    }
    text
}

/// A text that stays within its cell and is nothing but text.
fn cell(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => shown.push_str("&lt;"),
            '|' | '\\' => shown.extend(['\\', letter]),
            letter if letter.is_control() => shown.push(' '),
            letter => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(name: &str, first: u16, last: u16, created: &str) -> AutoRange {
        AutoRange {
            service_type: name.parse().unwrap(),
            range: Range::known(first, last),
            created: created.to_owned(),
            used: None,
        }
    }

    #[test]
    fn each_type_has_its_ranges_with_their_dates() {
        let types_known = [
            TypeView::known("dev", TypeOrigin::Profile, &[(3000, 3099)]),
            TypeView::known("lamp", TypeOrigin::Config, &[]),
            TypeView::known("grafana", TypeOrigin::Auto, &[(10100, 10109), (10120, 10129)]),
        ];
        let automatic = [
            auto("grafana", 10100, 10109, "2025-09-30T10:00:00Z"),
            auto("grafana", 10120, 10129, "2025-10-02T10:00:00Z"),
        ];
        let text = types(&types_known, &automatic);
        let mut lines = text.lines();
        let mut next = || -> Vec<&str> {
            lines.next().unwrap().trim_matches('|').split('|').map(str::trim).collect()
        };
        assert_eq!(next(), TYPES);
        assert!(next().iter().all(|rule| rule.len() >= 3 && rule.bytes().all(|b| b == b'-')));
        assert_eq!(next(), ["dev", "3000-3099", "built in", "multi", "All that is dev"]);
        assert_eq!(next(), ["lamp", "none", "configuration", "multi", "All that is lamp"]);
        let ports =
            "10100-10109 (auto-allocated 2025-09-30), 10120-10129 (auto-allocated 2025-10-02)";
        assert_eq!(next(), ["grafana", ports, "auto-allocation", "multi", ""]);
        let widths: Vec<usize> = text.lines().map(str::len).collect();
        assert!(widths.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }

    #[test]
    fn a_description_cannot_leave_its_cell() {
        for (text, expected) in [
            ("a | b", "a \\| b"),
            ("a \\| b", "a \\\\\\| b"),
            ("two\nlines\u{1b}[2J", "two lines [2J"),
            ("<!-- styxy:end -->", "&lt;!-- styxy:end -->"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}

//! Whole lines put into a text or taken out: those of a key, and those of a table with all below it.
//!
//! Pure. The text's own indentation and ends of lines are kept.

use super::spliced;
use std::ops::Range as Span;
use toml_edit::{Item, Key, Table};

/// The text with one more line in the body of a table.
pub(super) fn into_body(text: &str, table: &Table, line: &str) -> String {
    let (at, indent) = match body_end(table) {
        Some((key, value)) => (line_end(text, value), indent(text, key)),
        None => (table.span().map_or(0, |span| line_end(text, span.end)), ""),
    };
    let lead = if at == 0 || text[..at].ends_with('\n') { "" } else { newline(text) };
    spliced(text, at..at, &format!("{lead}{indent}{line}{}", newline(text)))
}

/// The text with one more table at its end.
pub(super) fn with_table(text: &str, header: &str, line: &str) -> String {
    let newline = newline(text);
    let lead = match text {
        _ if text.trim_start_matches('\u{feff}').is_empty() => String::new(),
        _ if text.ends_with('\n') => newline.to_owned(),
        _ => newline.repeat(2),
    };
    format!("{text}{lead}[{header}]{newline}{line}{newline}")
}

/// The lines of a key and of all that stands below it. A table's comments go with it, but not those above
/// its header.
pub(super) fn pieces(text: &str, key: &Key, item: &Item, spans: &mut Vec<Span<usize>>) {
    match item {
        Item::Value(value) => {
            if let (Some(key), Some(value)) = (key.span(), value.span()) {
                spans.push(line_start(text, key.start)..line_end(text, value.end));
            }
        }
        Item::Table(table) => {
            let header = table.span().filter(|_| !table.is_dotted() && !table.is_implicit());
            if let Some(header) = &header {
                let end = body_end(table).map_or(header.end, |(_, end)| end);
                spans.push(with_blank_lines(
                    text,
                    line_start(text, header.start)..line_end(text, end),
                ));
            }
            for (name, below) in table.iter() {
                let own = below.is_value() || below.as_table().is_some_and(Table::is_dotted);
                if header.is_some() && own {
                    continue;
                }
                if let Some(key) = table.key(name) {
                    pieces(text, key, below, spans);
                }
            }
        }
        Item::None | Item::ArrayOfTables(_) => {}
    }
}

/// Where the last key of a table's own lines stands, and where its value ends.
fn body_end(table: &Table) -> Option<(usize, usize)> {
    let own = table.iter().filter_map(|(name, item)| match item {
        Item::Value(value) => Some((table.key(name)?.span()?.start, value.span()?.end)),
        Item::Table(below) if below.is_dotted() => body_end(below),
        Item::Table(_) | Item::None | Item::ArrayOfTables(_) => None,
    });
    own.max_by_key(|(_, end)| *end)
}

/// The blank lines around a table that goes: one of two gaps is enough.
fn with_blank_lines(text: &str, span: Span<usize>) -> Span<usize> {
    let blank = |line: &&str| line.trim().is_empty();
    let after: usize = text[span.end..].split_inclusive('\n').take_while(blank).map(str::len).sum();
    if span.end + after < text.len() {
        return span.start..span.end + after;
    }
    let before: usize =
        text[..span.start].split_inclusive('\n').rev().take_while(blank).map(str::len).sum();
    span.start - before..text.len()
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// What the line of a key begins with.
fn indent(text: &str, key: usize) -> &str {
    let line = &text[line_start(text, key)..key];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// How the text ends its lines.
fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

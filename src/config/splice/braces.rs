//! One pair put into a table that is written in braces, or taken out of one.
//!
//! Pure.

use super::spliced;
use toml_edit::{InlineTable, Item, Value};

/// The text with one more pair in a table in braces.
pub(super) fn into_inline(text: &str, table: &Item, pair: &str) -> String {
    let table = table.as_inline_table().expect("it was looked for");
    match (ends(table).last(), table.span()) {
        (Some(end), _) => spliced(text, *end..*end, &format!(", {pair}")),
        (None, Some(span)) => spliced(text, span, &format!("{{ {pair} }}")),
        (None, None) => text.to_owned(),
    }
}

/// The text without some pairs of a table in braces.
pub(super) fn out_of_inline(text: &str, table: &Item, gone: &Item) -> String {
    let table = table.as_inline_table().expect("it was looked for");
    let Some(whole) = table.span() else { return text.to_owned() };
    let gone: Vec<usize> = match gone {
        Item::Value(Value::InlineTable(dotted)) if dotted.is_dotted() => ends(dotted),
        item => item.span().map(|span| span.end).into_iter().collect(),
    };
    let mut left = String::new();
    let mut from = whole.start + 1;
    for end in ends(table) {
        let pair = &text[from..end];
        from = end;
        if gone.contains(&end) {
            continue;
        }
        // The first pair that stays has no comma before it.
        let pair = if left.is_empty() { pair.trim_start_matches([',', ' ', '\t']) } else { pair };
        left.push_str(pair);
    }
    let piece = if left.is_empty() { "{}".to_owned() } else { format!("{{ {left} }}") };
    spliced(text, whole, &piece)
}

/// Where the values of a table in braces end, in order.
fn ends(table: &InlineTable) -> Vec<usize> {
    let values = table.get_values();
    let mut ends: Vec<usize> =
        values.iter().filter_map(|(_, value)| Some(value.span()?.end)).collect();
    ends.sort_unstable();
    ends
}

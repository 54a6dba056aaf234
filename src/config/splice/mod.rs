//! One key put into a TOML text, changed there, or taken out: everything else stays, byte for byte.
//!
//! Pure. The text is parsed only to learn where things stand; then a piece of it is replaced. Which value a
//! key may have is `edit`'s business.

mod braces;
mod lines;

use super::{
    key_path::join,
    schema::{ROOT, Shape, find},
};
use braces::{into_inline, out_of_inline};
use lines::{into_body, pieces, with_table};
use std::ops::Range as Span;
use toml_edit::{Document, Item, Key, TableLike, Value};

/// Why a key cannot be put into a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    /// The text is not TOML.
    NotToml,
    /// So many names of the key lead to a plain value, and nothing can stand below one.
    PlainValue(usize),
}

/// The top as a shape.
static TOP: Shape = Shape::Table(ROOT);

/// What the schema says of a key; nothing for the name of a variable.
pub(super) fn shape_at(names: &[String]) -> Option<&'static Shape> {
    names.iter().try_fold(&TOP, |shape, name| step(shape, name))
}

fn step(shape: &'static Shape, name: &str) -> Option<&'static Shape> {
    match shape {
        Shape::Table(groups) | Shape::Readiness(groups) => find(groups, name).map(|key| &key.shape),
        Shape::Named(named) => Some(&named.each),
        Shape::Value(_) | Shape::Variables | Shape::ReadyWay => None,
    }
}

/// Whether a name in a text is the one that is meant: in names of the schema, spellings don't matter.
fn is_called(shape: Option<&'static Shape>, written: &str, name: &str) -> bool {
    match shape {
        Some(Shape::Table(groups) | Shape::Readiness(groups)) => {
            find(groups, written).is_some_and(|key| key.name == name)
        }
        Some(Shape::Named(_) | Shape::Value(_) | Shape::Variables | Shape::ReadyWay) | None => {
            written == name
        }
    }
}

/// The text with this value, as TOML, at that key; the key is spelled as the schema spells it, or as the
/// text already does.
pub(super) fn put(text: &str, key: &[String], value: &str) -> Result<String, Unfit> {
    let document = parsed(text)?;
    let path = Path::find(document.as_item(), key);
    if path.is_whole() {
        return match path.last().as_value().and_then(Value::span) {
            Some(span) => Ok(spliced(text, span, value)),
            // A table stands there: it makes room first.
            None => put(&take(text, key)?, key, value),
        };
    }
    let rest = &key[path.keys.len()..];
    let below = |place: usize| {
        format!("{} = {value}", join(&[path.written(place), rest.to_vec()].concat()))
    };
    match path.last() {
        Item::Value(Value::InlineTable(_)) => {
            let place =
                path.inline(path.items.len()).expect("the last item is one, or is below one");
            Ok(into_inline(text, path.items[place], &below(place)))
        }
        Item::Value(_) | Item::None | Item::ArrayOfTables(_) => {
            Err(Unfit::PlainValue(path.keys.len()))
        }
        Item::Table(table) if table.is_dotted() => {
            Ok(into_body(text, table, &below(path.header())))
        }
        Item::Table(table) if rest.len() == 1 && !table.is_implicit() => {
            Ok(into_body(text, table, &below(path.keys.len())))
        }
        Item::Table(_) => {
            let (tables, leaf) = rest.split_at(rest.len() - 1);
            let header = join(&[path.written(0), tables.to_vec()].concat());
            Ok(with_table(text, &header, &format!("{} = {value}", join(leaf))))
        }
    }
}

/// The text without that key and what stands below it; the same text if it is not there.
pub(super) fn take(text: &str, key: &[String]) -> Result<String, Unfit> {
    let document = parsed(text)?;
    let path = Path::find(document.as_item(), key);
    let Some(last_key) = path.keys.last().filter(|_| path.is_whole()) else {
        return Ok(text.to_owned());
    };
    if let Some(place) = path.inline(path.items.len() - 1) {
        return Ok(out_of_inline(text, path.items[place], path.last()));
    }
    let mut spans = Vec::new();
    pieces(text, last_key, path.last(), &mut spans);
    spans.sort_by_key(|span| std::cmp::Reverse(span.start));
    let mut left = text.to_owned();
    for span in spans {
        left.replace_range(span, "");
    }
    Ok(left)
}

fn parsed(text: &str) -> Result<Document<&str>, Unfit> {
    Document::parse(text).map_err(|_| Unfit::NotToml)
}

/// The way to a key in a document, as far as it goes.
struct Path<'d> {
    /// How many names the whole key has.
    length: usize,
    /// The keys that were found.
    keys: Vec<&'d Key>,
    /// The root, then what stands at each of them.
    items: Vec<&'d Item>,
}

impl<'d> Path<'d> {
    fn find(root: &'d Item, key: &[String]) -> Self {
        let mut path = Self { length: key.len(), keys: Vec::new(), items: vec![root] };
        let mut shape = Some(&TOP);
        for name in key {
            let table = path.last().as_table_like();
            let Some((key, item)) = table.and_then(|table| child(table, shape, name)) else {
                break;
            };
            path.keys.push(key);
            path.items.push(item);
            shape = shape.and_then(|shape| step(shape, name));
        }
        path
    }

    fn is_whole(&self) -> bool {
        self.keys.len() == self.length
    }

    fn last(&self) -> &'d Item {
        self.items.last().expect("the root is always there")
    }

    /// The names from that place on, as they are written.
    fn written(&self, place: usize) -> Vec<String> {
        self.keys[place..].iter().map(|key| key.get().to_owned()).collect()
    }

    /// The place of the last table in whose lines the end of this way stands.
    fn header(&self) -> usize {
        let is_header = |item: &&Item| item.as_table().is_some_and(|table| !table.is_dotted());
        self.items.iter().rposition(is_header).unwrap_or(0)
    }

    /// The place before `end` of the last table that is written in braces.
    fn inline(&self, end: usize) -> Option<usize> {
        let is_inline =
            |item: &Item| item.as_inline_table().is_some_and(|table| !table.is_dotted());
        self.items[..end].iter().rposition(|item| is_inline(item))
    }
}

fn child<'d>(
    table: &'d dyn TableLike,
    shape: Option<&'static Shape>,
    name: &str,
) -> Option<(&'d Key, &'d Item)> {
    let written = table.iter().map(|(written, _)| written);
    let written = written.into_iter().find(|written| is_called(shape, written, name))?;
    table.get_key_value(written)
}

fn spliced(text: &str, span: Span<usize>, piece: &str) -> String {
    [&text[..span.start], piece, &text[span.end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GAP: &[&str] = &["auto_allocation", "gap_size"];
    const RANGE: &[&str] = &["service_types", "ai", "range"];
    const HTTP: &[&str] = &["service_types", "ai", "readiness", "http"];

    fn names(key: &[&str]) -> Vec<String> {
        key.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_key_is_put_where_its_table_is() {
        for (text, key, value, expected) in [
            ("", GAP, "5", "[auto_allocation]\ngap_size = 5\n"),
            ("# Mine.\n", GAP, "5", "# Mine.\n\n[auto_allocation]\ngap_size = 5\n"),
            ("x", &[], "5", "x"),
            (
                "[auto_allocation]\n  enabled = true # yes\n  # gap_size = 1\n\n# Logs.\n[logs]\nkeep = 1\n",
                GAP,
                "5",
                "[auto_allocation]\n  enabled = true # yes\n  gap_size = 5\n  # gap_size = 1\n\n# Logs.\n[logs]\nkeep = 1\n",
            ),
            ("[auto_allocation]\n[logs]", GAP, "5", "[auto_allocation]\ngap_size = 5\n[logs]"),
            ("[auto_allocation]", GAP, "5", "[auto_allocation]\ngap_size = 5\n"),
            (
                "[autoAllocation]\ngapSize =  3 # three\nenabled = true",
                GAP,
                "5",
                "[autoAllocation]\ngapSize =  5 # three\nenabled = true",
            ),
            (
                "auto-allocation.enabled = true\n[logs]\n",
                GAP,
                "5",
                "auto-allocation.enabled = true\nauto-allocation.gap_size = 5\n[logs]\n",
            ),
            (
                "auto_allocation = { enabled = true }\n",
                GAP,
                "5",
                "auto_allocation = { enabled = true, gap_size = 5 }\n",
            ),
            ("auto_allocation = {}\n", GAP, "5", "auto_allocation = { gap_size = 5 }\n"),
            ("\u{feff}", GAP, "5", "\u{feff}[auto_allocation]\ngap_size = 5\n"),
            (
                "[logs]\r\nkeep = 1\r\n",
                GAP,
                "5",
                "[logs]\r\nkeep = 1\r\n\r\n[auto_allocation]\r\ngap_size = 5\r\n",
            ),
        ] {
            match key {
                [] => assert_eq!(put("= nothing", &names(GAP), value), Err(Unfit::NotToml)),
                key => assert_eq!(put(text, &names(key), value).as_deref(), Ok(expected), "{text}"),
            }
        }
    }

    #[test]
    fn what_the_user_names_is_taken_as_it_is() {
        for (text, key, value, expected) in [
            (
                "[serviceTypes.AI]\nrange = [1, 2]\n",
                RANGE,
                "[3, 4]",
                "[serviceTypes.AI]\nrange = [1, 2]\n\n[serviceTypes.ai]\nrange = [3, 4]\n",
            ),
            (
                "[service_types]\nai.description = \"x\"\nb.range = [8, 9]\n",
                RANGE,
                "[3, 4]",
                "[service_types]\nai.description = \"x\"\nai.range = [3, 4]\nb.range = [8, 9]\n",
            ),
            (
                "[service_types]\nb = { range = [8, 9] }\n",
                RANGE,
                "[3, 4]",
                "[service_types]\nb = { range = [8, 9] }\n\n[service_types.ai]\nrange = [3, 4]\n",
            ),
            (
                "[service_types.ai.readiness]\ntcp = true\n",
                RANGE,
                "[3, 4]",
                "[service_types.ai.readiness]\ntcp = true\n\n[service_types.ai]\nrange = [3, 4]\n",
            ),
            (
                "[service_types.ai]\nreadiness = { timeout.x = 1 }\n",
                HTTP,
                "'/'",
                "[service_types.ai]\nreadiness = { timeout.x = 1, http = '/' }\n",
            ),
            (
                "[service_types.ai]\nreadiness.timeout = 1\nrange = [1, 2]\n",
                HTTP,
                "'/'",
                "[service_types.ai]\nreadiness.timeout = 1\nreadiness.http = '/'\nrange = [1, 2]\n",
            ),
            (
                "",
                &["auto_allocation_rules", "a.b-*", "chunk_size"],
                "5",
                "[auto_allocation_rules.\"a.b-*\"]\nchunk_size = 5\n",
            ),
        ] {
            assert_eq!(put(text, &names(key), value).as_deref(), Ok(expected), "{text}");
        }
        let word = "[service_types.ai]\nreadiness = 'none'\n";
        assert_eq!(put(word, &names(HTTP), "'/'"), Err(Unfit::PlainValue(3)));
    }

    #[test]
    fn a_value_takes_the_place_of_a_table() {
        let key = names(&HTTP[..3]);
        for (text, expected) in [
            (
                "[service_types.ai]\nrange = [1, 2]\n\n# Ready?\n[service_types.ai.readiness]\ntcp = true\n",
                "[service_types.ai]\nrange = [1, 2]\nreadiness = 'none'\n\n# Ready?\n",
            ),
            (
                "[service_types.ai]\nreadiness.tcp = true\nreadiness.timeout = 5\nrange = [1, 2]\n",
                "[service_types.ai]\nrange = [1, 2]\nreadiness = 'none'\n",
            ),
        ] {
            assert_eq!(put(text, &key, "'none'").as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_key_goes_and_the_comments_around_it_stay() {
        for (text, key, expected) in [
            (
                "# Top.\n[auto_allocation]\n# The gap.\ngap_size = 5 # ports\nenabled = true\n",
                GAP,
                "# Top.\n[auto_allocation]\n# The gap.\nenabled = true\n",
            ),
            (
                "auto_allocation = { gap_size = 5, enabled = true }",
                GAP,
                "auto_allocation = { enabled = true }",
            ),
            (
                "auto_allocation = {enabled=true,gap_size=5}",
                GAP,
                "auto_allocation = { enabled=true }",
            ),
            ("auto_allocation = { gap_size = 5 }\n", GAP, "auto_allocation = {}\n"),
            (
                "[service_types.ai]\nrange = [\n  1, # one\n  2,\n]\nrestart = 'no'\n",
                RANGE,
                "[service_types.ai]\nrestart = 'no'\n",
            ),
            (
                "[logs]\nkeep = 1\n\n# AI.\n[service_types.ai]\nrange = [1, 2]\n# more\nrestart = 'no'\n\n[audit]\nkeep = 2\n\n[service_types.ai.env]\nA = 'b'\n",
                &RANGE[..2],
                "[logs]\nkeep = 1\n\n# AI.\n[audit]\nkeep = 2\n",
            ),
            (
                "service_types.ai.range = [1, 2]\nlogs.keep = 1\nservice_types.b.range = [3, 4]\n",
                &RANGE[..1],
                "logs.keep = 1\n",
            ),
            ("[logs]\nkeep = 1\n", GAP, "[logs]\nkeep = 1\n"),
            (
                "[service_types.ai]\nreadiness = { a.b = 1, a.c = 2, http = '/' }\n",
                &["service_types", "ai", "readiness", "http"],
                "[service_types.ai]\nreadiness = { a.b = 1, a.c = 2 }\n",
            ),
        ] {
            assert_eq!(take(text, &names(key)).as_deref(), Ok(expected), "{text}");
        }
    }

    proptest! {
        /// Any line of the example, changed: the others stay where they are.
        #[test]
        fn a_value_is_changed_and_nothing_else(
            key in prop::sample::select(vec![
                "auto_allocation.gap_size", "auto_allocation.placement", "service_types.ai.range",
                "service_types.ai.env.OLLAMA_HOST", "service_types.ai.readiness.timeout",
                "auto_allocation_rules.\"monitoring-*\".chunk_size", "services.web.command",
                "placement_strategies.by-team.team-frontend.max_port", "serve.listen",
            ]),
            value in prop::sample::select(vec!["7", "'x'", "[1, 2]", "\"a # b\""]),
            crlf in any::<bool>(),
        ) {
            let text = include_str!("../example.toml");
            let text = if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
            let key = toml_edit::Key::parse(key).unwrap();
            let key: Vec<String> = key.iter().map(|name| name.get().to_owned()).collect();
            let new = put(&text, &key, value).unwrap();
            let changed = text.lines().zip(new.lines()).filter(|(old, new)| old != new).count();
            prop_assert_eq!((changed, text.lines().count()), (1, new.lines().count()));
            // There and back again.
            let gone = take(&new, &key).unwrap();
            prop_assert!(gone.lines().count() + 1 >= text.lines().count());
            prop_assert_eq!(take(&gone, &key).unwrap(), gone.clone());
            let again = put(&gone, &key, value).unwrap();
            let read = |text: &str| text.parse::<toml::Table>().unwrap();
            prop_assert_eq!(read(&again), read(&new));
        }

        #[test]
        fn no_text_makes_it_panic(
            text in "(\\[?[ab_.{}= \n\r\"']{0,12}\\]?[\n ]?){0,6}|\\PC{0,40}",
            key in prop::collection::vec("[ab]|service_types|readiness", 1..4),
        ) {
            let _ = put(&text, &key, "1");
            let _ = take(&text, &key);
        }
    }
}

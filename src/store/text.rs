//! The registry as a text: one JSON object, in its first line version and checksum, then one row a line.
//!
//! Pure. Most rows of a text are those of the text before: they are neither read again nor spelled again.

use super::row::RowReader;
use crate::registry::{Instance, Registry, VersionError, check, version_of};
use std::{io::Write, ops::Range, sync::Arc};

/// `{"version":1,"check":"xxxxxxxx",` and a line feed.
const HEAD_LENGTH: usize = 33;
/// What stands before the rows of the instances, when there are any …
const BEFORE_ROWS: &str = ",\n\"instances\":[\n";
/// … between two of them …
const BETWEEN_ROWS: &str = ",\n";
/// … and behind them.
const BEHIND_ROWS: &str = "]}\n";

/// A registry, and the text that says it.
#[derive(Debug, Default)]
pub(super) struct Saved {
    pub(super) registry: Registry,
    text: String,
    /// Where in the text the instances have their rows.
    rows: Vec<Range<usize>>,
}

impl From<Registry> for Saved {
    /// One that stands nowhere yet.
    fn from(registry: Registry) -> Self {
        Self { registry, ..Self::default() }
    }
}

impl Saved {
    /// Whether this is what the text says.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        self.text.as_bytes() == text
    }

    /// Each instance with its row, as far as they have rows.
    fn rows(&self) -> impl Iterator<Item = (&Arc<Instance>, &str)> {
        let rows = self.rows.iter().map(|row| &self.text[row.clone()]);
        self.registry.instances.iter().zip(rows)
    }
}

/// Why a text is no registry.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// A newer styxy has written it.
    Newer(VersionError),
    /// It is damaged, in these words.
    Broken(String),
}

/// Reads a registry from a file's text and checks everything that can be checked. What it shares with the
/// one that was read before is not read again.
pub(super) fn parse(text: Vec<u8>, before: &Saved) -> Result<Saved, Unreadable> {
    let broken = |why: &str| Unreadable::Broken(why.to_owned());
    match version_of(&text) {
        Ok(_) => {}
        Err(newer @ VersionError::Newer { .. }) => return Err(Unreadable::Newer(newer)),
        Err(VersionError::Missing) => return Err(broken("it does not begin with a version")),
    }
    let (head, body) =
        text.split_at_checked(HEAD_LENGTH).ok_or_else(|| broken("it is cut short"))?;
    if head != self::head(body).as_bytes() {
        return Err(broken("its checksum does not match"));
    }
    let text = String::from_utf8(text).map_err(|_| broken("it is not UTF-8"))?;
    let (registry, rows) = match by_rows(&text, before) {
        Some(found) => found,
        None => {
            (serde_json::from_str(&text).map_err(|error| broken(&error.to_string()))?, Vec::new())
        }
    };
    check(&registry).map_err(|rule| broken(&rule.to_string()))?;
    Ok(Saved { registry, text, rows })
}

/// The registry of a text that is laid out as `render` does, and where its rows are; `None` where
/// serde_json knows better what is wrong.
fn by_rows(text: &str, before: &Saved) -> Option<(Registry, Vec<Range<usize>>)> {
    let (front, mut rest) = text.split_once(BEFORE_ROWS)?;
    let mut registry: Registry =
        serde_json::from_str(&format!("{front},\"instances\":[]}}")).ok()?;
    let (mut reader, mut rows) = (RowReader::default(), Vec::with_capacity(before.rows.len()));
    let mut known = before.rows().peekable();
    while rest != BEHIND_ROWS {
        if !rows.is_empty() {
            rest = rest.strip_prefix(BETWEEN_ROWS)?;
        }
        let begin = text.len() - rest.len();
        match known.next_if(|(_, row)| rest.starts_with(row)) {
            Some((instance, row)) => {
                registry.instances.push(Arc::clone(instance));
                rest = &rest[row.len()..];
            }
            None => {
                let instance;
                (instance, rest) = reader.read(rest).or_else(|| read_slowly(rest))?;
                while known.next_if(|(known, _)| known.name <= instance.name).is_some() {}
                registry.instances.push(Arc::new(instance));
            }
        }
        rows.push(begin..text.len() - rest.len());
    }
    Some((registry, rows))
}

/// The instance of a row that is spelled in an unusual way, and what follows it.
fn read_slowly(text: &str) -> Option<(Instance, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let instance = values.next()?.ok()?;
    Some((instance, &text[values.byte_offset()..]))
}

/// The first line: the version, and a checksum of all that follows.
fn head(body: &[u8]) -> String {
    format!("{{\"version\":1,\"check\":\"{:08x}\",\n", crc32fast::hash(body))
}

/// The registry's text. What it shares with the one that was saved before is not spelled again.
pub(super) fn render(registry: &Registry, before: &Saved) -> Vec<u8> {
    let mut text = vec![b' '; HEAD_LENGTH];
    text.reserve(before.text.len() + 1024);
    put(&mut text, format_args!("\"seq\":{},\"boot\":", registry.seq));
    value(&mut text, &registry.boot);
    if registry.unsettled {
        put(&mut text, format_args!(",\"unsettled\":true"));
    }
    put(&mut text, format_args!(",\n\"ranges\":["));
    for (number, range) in registry.ranges.iter().enumerate() {
        text.extend_from_slice(separator(number));
        value(&mut text, range);
    }
    put(&mut text, format_args!("],\n\"instances\":["));
    let mut known = before.rows().peekable();
    for (number, instance) in registry.instances.iter().enumerate() {
        text.extend_from_slice(separator(number));
        // The same allocation is the same instance: `before` has it too, so nobody could change it.
        match known.next_if(|(known, _)| Arc::ptr_eq(known, instance)) {
            Some((_, row)) => text.extend_from_slice(row.as_bytes()),
            None => {
                value(&mut text, &**instance);
                while known.next_if(|(known, _)| known.name <= instance.name).is_some() {}
            }
        }
    }
    text.extend_from_slice(BEHIND_ROWS.as_bytes());
    let head = head(&text[HEAD_LENGTH..]);
    text[..HEAD_LENGTH].copy_from_slice(head.as_bytes());
    text
}

/// Reads a text, writes what it says, and reads that: it says the same. Without a heading of its own a text
/// gets a right one, since nobody guesses a checksum.
pub(crate) fn read_and_write(text: &[u8]) {
    let headed = [head(text).as_bytes(), text].concat();
    for text in [text.to_vec(), headed] {
        let Ok(saved) = parse(text, &Saved::default()) else { continue };
        for before in [&Saved::default(), &saved] {
            let again = parse(render(&saved.registry, before), before);
            let again = again.expect("what was written can be read");
            assert_eq!(again.registry, saved.registry);
        }
    }
}

fn separator(number: usize) -> &'static [u8] {
    if number == 0 { b"\n" } else { BETWEEN_ROWS.as_bytes() }
}

fn value<T: serde::Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(text, value).expect("the registry's values are all plain JSON");
}

fn put(text: &mut Vec<u8>, words: std::fmt::Arguments<'_>) {
    text.write_fmt(words).expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ports, registry::AutoRange, store::row::tests::instance};
    use proptest::prelude::*;

    fn fresh(registry: &Registry) -> Vec<u8> {
        render(registry, &Saved::default())
    }

    fn ranges() -> Registry {
        let range = AutoRange {
            service_type: "grafana".parse().unwrap(),
            range: ports::Range::known(10100, 10109),
            created: "2026-01-02T03:04:05Z".to_owned(),
            used: None,
        };
        Registry { seq: 7, boot: "a-boot".to_owned(), ranges: vec![range], ..Registry::default() }
    }

    prop_compose! {
        /// Any registry that keeps the rules.
        fn registry()(instances in prop::collection::vec(instance(), 0..12)) -> Registry {
            let mut registry = ranges();
            for instance in instances {
                let clash = instance.ports.iter().any(|port| registry.by_port(port.port).is_some());
                let mut ports: Vec<_> = instance.ports.iter().map(|named| named.port).collect();
                ports.sort_unstable();
                ports.dedup();
                if !clash && !ports.is_empty() && ports.len() == instance.ports.len() {
                    registry.put(instance);
                }
            }
            registry
        }
    }

    #[test]
    fn one_row_is_one_line() {
        let mut registry = ranges();
        let row = r#"["dev","web",null,[["",3000]],7,0,null]"#;
        registry.put(serde_json::from_str(row).unwrap());
        let text = String::from_utf8(fresh(&registry)).unwrap();
        let body = text.split_once('\n').unwrap().1;
        let range =
            r#"{"service_type":"grafana","range":[10100,10109],"created":"2026-01-02T03:04:05Z"}"#;
        assert_eq!(
            body,
            format!(
                "\"seq\":7,\"boot\":\"a-boot\",\n\"ranges\":[\n{range}],\n\"instances\":[\n{row}]}}\n"
            )
        );
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(registry in registry()) {
            let text = fresh(&registry);
            prop_assert_eq!(&serde_json::from_slice::<Registry>(&text).unwrap(), &registry);
            prop_assert_eq!(parse(text, &Saved::default()).unwrap().registry, registry);
        }

        #[test]
        fn rows_are_copied_or_spelled_and_nobody_can_tell(
            first in registry(),
            second in registry(),
            keep in prop::collection::vec(any::<bool>(), 12),
        ) {
            let before = parse(fresh(&first), &Saved::default()).unwrap();
            let mut after = before.registry.clone();
            let mut keep = keep.into_iter();
            after.instances.retain(|_| keep.next().unwrap_or(true));
            for instance in second.instances {
                if instance.ports.iter().all(|named| after.by_port(named.port).is_none()) {
                    after.put(Instance::clone(&instance));
                }
            }
            if let Some(last) = after.instances.last_mut() {
                Arc::make_mut(last).last_seq = 99;
            }
            let text = render(&after, &before);
            prop_assert_eq!(&text, &fresh(&after));
            let again = parse(text.clone(), &before).unwrap();
            prop_assert!(again.is(&text));
            prop_assert_eq!(&again.rows, &parse(text, &Saved::default()).unwrap().rows);
            prop_assert_eq!(again.registry, after);
        }

        #[test]
        fn no_damage_goes_unnoticed(at in 0usize..200, byte: u8) {
            let mut text = fresh(&ranges());
            let at = at % text.len();
            let same = text[at] == byte;
            text[at] = byte;
            prop_assert_eq!(parse(text, &Saved::default()).is_ok(), same);
        }

        #[test]
        fn no_cut_goes_unnoticed(at in 0usize..200) {
            let mut text = fresh(&ranges());
            text.truncate(at % text.len());
            prop_assert!(parse(text, &Saved::default()).is_err());
        }

        #[test]
        fn no_text_makes_it_panic(text: Vec<u8>) {
            let _ = parse(text, &Saved::default());
        }
    }
}

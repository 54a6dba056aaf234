//! The registry as a text: one JSON object, in its first line version and checksum, then one row a line.
//!
//! Pure. Most rows of a text are those of the text before: they are neither read again nor spelled again.

use super::row::RowReader;
use crate::registry::{Instance, Registry, VersionError, check, version_of};
use std::{io::Write, ops::Range, sync::Arc};

/// `{"version":1,"check":"xxxxxxxx",` and a line feed.
const HEAD_LENGTH: usize = 33;
/// More changes than these, and a text is written anew: each moves all that stands behind it.
const PATCHES_MAX: usize = 4;
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
    text: Text,
}

/// The text of a registry.
#[derive(Debug, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    /// Where in it the instances have their rows.
    rows: Vec<Range<usize>>,
}

impl From<Registry> for Saved {
    /// One that stands nowhere yet.
    fn from(registry: Registry) -> Self {
        Self { registry, ..Self::default() }
    }
}

impl Saved {
    /// A registry that was written with this text.
    pub(super) fn written(registry: Registry, text: Text) -> Self {
        Self { registry, text }
    }

    /// What the file says if this is what it says.
    pub(super) fn text(&self) -> &[u8] {
        &self.text.bytes
    }

    /// Each instance with its row, as far as they have rows.
    fn rows(&self) -> impl Iterator<Item = (&Arc<Instance>, &[u8])> {
        self.rows_at().map(|(instance, row)| (instance, &self.text.bytes[row.clone()]))
    }

    /// The same with the places of the rows.
    fn rows_at(&self) -> impl Iterator<Item = (&Arc<Instance>, &Range<usize>)> {
        self.registry.instances.iter().zip(&self.text.rows)
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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
    Ok(Saved { registry, text: Text { bytes: text.into_bytes(), rows } })
}

/// The registry of a text that is laid out as `render` does, and where its rows are; `None` where
/// serde_json knows better what is wrong.
fn by_rows(text: &str, before: &Saved) -> Option<(Registry, Vec<Range<usize>>)> {
    let (front, mut rest) = text.split_once(BEFORE_ROWS)?;
    let mut registry: Registry =
        serde_json::from_str(&format!("{front},\"instances\":[]}}")).ok()?;
    let (mut reader, mut rows) = (RowReader::default(), Vec::with_capacity(before.text.rows.len()));
    let mut known = before.rows().peekable();
    while rest != BEHIND_ROWS {
        if !rows.is_empty() {
            rest = rest.strip_prefix(BETWEEN_ROWS)?;
        }
        let begin = text.len() - rest.len();
        match known.next_if(|(_, row)| rest.as_bytes().starts_with(row)) {
            Some((instance, row)) => {
                registry.instances.push(Arc::clone(instance));
                rest = &rest[row.len()..];
            }
            None => {
                let instance;
                (instance, rest) = reader.read(rest).or_else(|| read_slowly(rest))?;
                while known.next_if(|(known, _)| known.name <= instance.name).is_some() {}
                registry.instances.push(instance);
            }
        }
        rows.push(begin..text.len() - rest.len());
    }
    Some((registry, rows))
}

/// The instance of a row that is spelled in an unusual way, and what follows it.
fn read_slowly(text: &str) -> Option<(Arc<Instance>, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Instance>();
    let instance = values.next()?.ok()?;
    Some((Arc::new(instance), &text[values.byte_offset()..]))
}

/// The first line: the version, and a checksum of all that follows.
fn head(body: &[u8]) -> String {
    format!("{{\"version\":1,\"check\":\"{:08x}\",\n", crc32fast::hash(body))
}

/// The registry's text. What it shares with the one that was saved before is not spelled again.
pub(super) fn render(registry: &Registry, before: &Saved) -> Text {
    let mut text = Vec::with_capacity(before.text.bytes.len() + 1024);
    text.resize(HEAD_LENGTH, b' ');
    let mut rows = Vec::with_capacity(registry.instances.len());
    front(&mut text, registry);
    let mut known = before.rows().peekable();
    for (number, instance) in registry.instances.iter().enumerate() {
        text.extend_from_slice(separator(number));
        let begin = text.len();
        // The same allocation is the same instance: `before` has it too, so nobody could change it.
        match known.next_if(|(known, _)| Arc::ptr_eq(known, instance)) {
            Some((_, row)) => text.extend_from_slice(row),
            None => {
                value(&mut text, &**instance);
                while known.next_if(|(known, _)| known.name <= instance.name).is_some() {}
            }
        }
        rows.push(begin..text.len());
    }
    text.extend_from_slice(BEHIND_ROWS.as_bytes());
    put_head(&mut text);
    Text { bytes: text, rows }
}

/// The same, made of the text before in its own place: a large one is neither copied nor needed twice.
pub(super) fn rewrite(registry: &Registry, before: Saved) -> Text {
    let Some((Patches { all, .. }, rows)) = patches(registry, &before) else {
        return render(registry, &before);
    };
    let mut bytes = before.text.bytes;
    // From behind: what stands before a patch stays where it is.
    for (place, fresh) in all.into_iter().rev() {
        bytes.splice(place, fresh);
    }
    put_head(&mut bytes);
    Text { bytes, rows }
}

/// What makes a text to another one.
struct Patches<'a> {
    text: &'a [u8],
    /// Which parts of it become what, in their order.
    all: Vec<(Range<usize>, Vec<u8>)>,
    /// So far it is done …
    done: usize,
    /// … and this comes next.
    fresh: Vec<u8>,
}

impl Patches<'_> {
    /// Behind what comes next stands a part of the text as it is; `None` when there are too many.
    fn keep(&mut self, part: Range<usize>) -> Option<()> {
        let place = self.done..part.start;
        if self.text[place.clone()] != self.fresh {
            self.all.push((place, std::mem::take(&mut self.fresh)));
        }
        self.fresh.clear();
        self.done = part.end;
        (self.all.len() <= PATCHES_MAX).then_some(())
    }
}

/// What makes the text before to the registry's, and where the rows stand then; `None` where that is much.
fn patches<'a>(registry: &Registry, before: &'a Saved) -> Option<(Patches<'a>, Vec<Range<usize>>)> {
    let text = &before.text.bytes;
    let mut patches = Patches { text, all: Vec::new(), done: HEAD_LENGTH, fresh: Vec::new() };
    front(&mut patches.fresh, registry);
    let mut end = HEAD_LENGTH + patches.fresh.len();
    let mut rows = Vec::with_capacity(registry.instances.len());
    let mut known = before.rows_at().peekable();
    for (number, instance) in registry.instances.iter().enumerate() {
        let is_it = |known: &Arc<Instance>| Arc::ptr_eq(known, instance);
        while known.next_if(|(known, _)| !is_it(known) && known.name <= instance.name).is_some() {}
        let between = separator(number);
        patches.fresh.extend_from_slice(between);
        let length = match known.next_if(|(known, _)| is_it(known)) {
            Some((_, row)) => {
                patches.keep(row.clone())?;
                row.len()
            }
            None => {
                let before = patches.fresh.len();
                value(&mut patches.fresh, &**instance);
                patches.fresh.len() - before
            }
        };
        let begin = end + between.len();
        end = begin + length;
        rows.push(begin..end);
    }
    let behind = text.strip_suffix(BEHIND_ROWS.as_bytes())?.len();
    patches.keep(behind..text.len())?;
    Some((patches, rows))
}

/// What stands between the head and the rows.
fn front(text: &mut Vec<u8>, registry: &Registry) {
    put(text, format_args!("\"seq\":{},\"boot\":", registry.seq));
    value(text, &registry.boot);
    if registry.unsettled {
        put(text, format_args!(",\"unsettled\":true"));
    }
    put(text, format_args!(",\n\"ranges\":["));
    for (number, range) in registry.ranges.iter().enumerate() {
        text.extend_from_slice(separator(number));
        value(text, range);
    }
    put(text, format_args!("],\n\"instances\":["));
}

fn put_head(text: &mut [u8]) {
    let head = head(&text[HEAD_LENGTH..]);
    text[..HEAD_LENGTH].copy_from_slice(head.as_bytes());
}

/// Reads a text, writes what it says, and reads that: it says the same. Without a heading of its own a text
/// gets a right one, since nobody guesses a checksum.
pub(crate) fn read_and_write(text: &[u8]) {
    let headed = [head(text).as_bytes(), text].concat();
    for text in [text.to_vec(), headed] {
        let Ok(saved) = parse(text, &Saved::default()) else { continue };
        for before in [&Saved::default(), &saved] {
            let again = parse(render(&saved.registry, before).bytes, before);
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
        render(registry, &Saved::default()).bytes
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
            let Text { bytes, rows } = render(&after, &before);
            prop_assert_eq!(&bytes, &fresh(&after));
            let again = parse(bytes.clone(), &before).unwrap();
            prop_assert_eq!(again.text(), &bytes);
            prop_assert_eq!(&again.text.rows, &rows);
            let unhelped = parse(bytes.clone(), &Saved::default()).unwrap();
            prop_assert_eq!(&unhelped.text.rows, &rows);
            prop_assert_eq!(&again.registry, &after);
            // The rows that stay are those of `before` itself.
            let written = rewrite(&after, before);
            prop_assert_eq!((written.bytes, written.rows), (bytes, rows));
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

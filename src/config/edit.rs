//! Changes to a configuration's text: one key set or unset, and what differs between two texts.
//!
//! Pure. A value is written as it was typed wherever TOML takes it so; whether the whole then makes sense is
//! asked of `files`.

use super::{
    error::ConfigError,
    files::Draft,
    key_path::{from_dotted, join},
    layer::Origin,
    reader::{read_assignment, read_file},
    schema::{Shape, keys},
    service_type::ReadyCheck,
    splice::{Unfit, put, shape_at, take},
    stack::Config,
    value::ValueError,
};
use std::collections::BTreeMap;
use toml::Value as Shown;

/// What differs between two texts at one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The key, as the schema spells it.
    pub key: String,
    /// What stood there.
    pub before: Option<toml::Value>,
    /// What stands there now.
    pub after: Option<toml::Value>,
}

/// The example of every key.
const EXAMPLE: &str = include_str!("example.toml");
/// How a first file begins.
const HEADING: &str = "\
# The configuration of styxy. Without a line of it everything works: it says what shall be different.
# This is an example of every key. `styxy config show --origin` tells what holds, and who said so.
";

/// A first file: every key is shown, and none is set.
pub fn template() -> String {
    let lines = EXAMPLE.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("# {line}\n"),
    });
    format!("{HEADING}\n{}", lines.collect::<String>())
}

/// Names as one key with dots, quoted where they need it.
pub fn dotted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    join(&names)
}

/// Whether a key, however it is spelled, is the table of rules for unknown types.
pub fn is_rules(key: &str) -> bool {
    from_dotted(key, &Origin::Default).is_ok_and(|names| names == ["auto_allocation_rules"])
}

/// The draft's text with that value at that key.
pub fn set(draft: &Draft, key: &str, value: &str) -> Result<String, ConfigError> {
    let names = named(key)?;
    match shape_at(&names) {
        Some(shape @ (Shape::Table(_) | Shape::Named(_) | Shape::Variables)) => {
            return Err(whole_table(&names, shape));
        }
        Some(Shape::Value(_) | Shape::Readiness(_) | Shape::ReadyWay) | None => {}
    }
    let value = as_toml(&names, value)?;
    check_syntax(draft)?;
    match put(&draft.text, &names, &value) {
        Ok(text) => Ok(text),
        Err(Unfit::PlainValue(depth)) => {
            let room = readiness_as_table(draft, &names[..depth])?;
            put(&room, &names, &value).map_err(|_| unfit(&names))
        }
        Err(Unfit::NotToml) => Err(unfit(&names)),
    }
}

/// The draft's text without that key and all below it; the same text if nothing is set there.
pub fn unset(draft: &Draft, key: &str) -> Result<String, ConfigError> {
    let names = named(key)?;
    check_syntax(draft)?;
    take(&draft.text, &names).map_err(|_| unfit(&names))
}

/// What a change of text changes, key by key. A text that makes no sense counts as empty.
pub fn differences(before: &Draft, after: &str) -> Vec<Difference> {
    let before_values = values(before, &before.text);
    let after_values = values(before, after);
    let keys: BTreeMap<&String, ()> =
        before_values.keys().chain(after_values.keys()).map(|key| (key, ())).collect();
    keys.into_keys()
        .map(|key| Difference {
            key: key.clone(),
            before: before_values.get(key).cloned(),
            after: after_values.get(key).cloned(),
        })
        .filter(|difference| difference.before != difference.after)
        .collect()
}

/// Every value that a text gives.
fn values(draft: &Draft, text: &str) -> BTreeMap<String, Shown> {
    let mut config = Config::default();
    if read_file(&mut config, draft.layer, &draft.shown(), text).is_err() {
        return BTreeMap::new();
    }
    let given = config.entries().into_iter();
    let given = given.filter(|entry| matches!(entry.origin, Origin::File { .. }));
    given.map(|entry| (entry.key, entry.value)).collect()
}

fn named(key: &str) -> Result<Vec<String>, ConfigError> {
    from_dotted(key, &Origin::Flag("KEY".into()))
}

/// A value as TOML: what was typed, if the key takes that; else what it stands for; else as text.
fn as_toml(names: &[String], typed: &str) -> Result<String, ConfigError> {
    if let Ok(literal) = typed.trim().parse::<toml_edit::Value>() {
        let literal = literal.to_string();
        let literal = literal.trim();
        if takes(names, literal) {
            return Ok(literal.to_owned());
        }
    }
    let mut alone = Config::default();
    read_assignment(&mut alone, &Origin::Flag("VALUE".into()), names, typed)?;
    let entries = alone.get(&join(names))?;
    // Lists, ranges, numbers and facts have marks of their own; what is a text stays as it was typed.
    let marked = entries.iter().find(|entry| entry.key == join(names) && !entry.value.is_str());
    let marked = marked.map(|entry| entry.value.to_string());
    let text = toml_edit::Value::from(typed).to_string();
    let fitting = marked.into_iter().chain([text]).find(|value| takes(names, value));
    fitting.ok_or_else(|| unfit(names))
}

/// Whether a file may give that value for that key.
fn takes(names: &[String], value: &str) -> bool {
    let line = format!("{} = {value}", join(names));
    read_file(&mut Config::default(), super::Layer::User, "VALUE", &line).is_ok()
}

/// Refuses a text that is not TOML, with the line.
fn check_syntax(draft: &Draft) -> Result<(), ConfigError> {
    match read_file(&mut Config::default(), draft.layer, &draft.shown(), &draft.text) {
        Err(error @ ConfigError::Syntax { .. }) => Err(error),
        // What else is wrong with it may be what the change mends.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The text with readiness as a table where it was a word: `"http:/health"` is `{ http = "/health" }`.
fn readiness_as_table(draft: &Draft, names: &[String]) -> Result<String, ConfigError> {
    let mut config = Config::default();
    read_file(&mut config, draft.layer, &draft.shown(), &draft.text)?;
    let settings = config.supervision_at(names);
    let check = settings.and_then(|settings| settings.ready.clone()).ok_or_else(|| unfit(names))?;
    let detail = match check.detail() {
        Some(detail) => toml_edit::Value::from(detail).to_string(),
        None => "true".to_owned(),
    };
    let table = format!("{{ {} = {detail} }}", ReadyCheck::way(&check));
    put(&draft.text, names, &table).map_err(|_| unfit(names))
}

fn whole_table(names: &[String], shape: &Shape) -> ConfigError {
    let wrong = ValueError::new("is a table, and is set key by key");
    let hint = match shape {
        Shape::Table(groups) | Shape::Readiness(groups) => {
            let known: Vec<&str> = keys(groups).map(|key| key.name).collect();
            format!("known here: {}", known.join(", "))
        }
        Shape::Named(_) | Shape::Variables | Shape::Value(_) | Shape::ReadyWay => {
            format!("write {}.NAME", join(names))
        }
    };
    ConfigError::Value {
        origin: Origin::Flag("KEY".into()),
        key: join(names),
        wrong: wrong.hint(hint),
    }
}

/// The error for a key that the text has no place for.
fn unfit(names: &[String]) -> ConfigError {
    let wrong = ValueError::new("cannot be changed in the place where it stands");
    ConfigError::Value {
        origin: Origin::Flag("KEY".into()),
        key: join(names),
        wrong: wrong.hint("change it by hand: styxy config edit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;
    use proptest::prelude::*;

    fn draft(text: &str) -> Draft {
        Draft { layer: Layer::User, path: "config.toml".into(), text: text.to_owned() }
    }

    /// The line that is written for a value.
    fn line(key: &str, value: &str) -> Result<String, String> {
        let text = set(&draft(""), key, value).map_err(|error| {
            let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{error}{hint}")
        })?;
        Ok(text.lines().last().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_value_is_written_as_it_was_typed_or_as_what_it_stands_for() {
        for (key, value, expected) in [
            ("auto-allocation.require-confirmation", "true", "require_confirmation = true"),
            ("autoAllocation.requireConfirmation", "yes", "require_confirmation = true"),
            ("auto_allocation.min_port", "0x4E20", "min_port = 0x4E20"),
            ("auto_allocation.retire_after", "720h", "retire_after = \"720h\""),
            ("auto_allocation.retire_after", "90", "retire_after = 90"),
            ("auto_allocation.placement", "by-team", "placement = \"by-team\""),
            ("service_types.ai.range", "11400-11409", "range = [11400, 11409]"),
            ("service_types.ai.range", "[1, 2]", "range = [1, 2]"),
            ("service_types.ai.prefer", "80, 81", "preferred_ports = [80, 81]"),
            ("service_types.ai.description", "true", "description = \"true\""),
            ("service_types.ai.description", "", "description = \"\""),
            ("service_types.ai.description", "a \"b\"\nc", "description = 'c'"),
            ("service_types.ai.description", "'a'", "description = 'a'"),
            ("service_types.ai.env.LIST", "[1]", "LIST = \"[1]\""),
            ("service_types.ai.readiness", "http:/health", "readiness = \"http:/health\""),
            ("service_types.ai.readiness", "{ tcp = true }", "readiness = { tcp = true }"),
            ("services.web.command", "vite --open", "command = [\"vite\", \"--open\"]"),
            ("services.web.command", "['vite']", "command = ['vite']"),
            ("auto_allocation_rule.monitoring-*.chunk-size", "20", "chunk_size = 20"),
        ] {
            let written = line(key, value).unwrap_or_else(|error| panic!("{key}: {error}"));
            if value.contains('\n') {
                let text = set(&draft(""), key, value).unwrap();
                let read = differences(&draft(""), &text);
                assert_eq!(read[0].after, Some(Shown::String(value.to_owned())));
            } else {
                assert_eq!(written, expected, "{key}");
            }
        }
    }

    #[test]
    fn what_the_key_cannot_have_is_refused() {
        for (key, value, expected) in [
            (
                "auto_allocation.min_port",
                "many",
                "VALUE: auto_allocation.min_port: wants a port from 1 to 65535, not `many`",
            ),
            (
                "auto_allocation.min_prot",
                "1",
                "KEY: unknown key 'min_prot' in auto_allocation (did you mean 'min_port'?)",
            ),
            ("", "1", "KEY: unknown key ''"),
            (
                "document",
                "1",
                "KEY: document: is a table, and is set key by key (known here: path)",
            ),
            (
                "service_types.ai.env",
                "{}",
                "KEY: service_types.ai.env: is a table, and is set key by key (write service_types.ai.env.NAME)",
            ),
            ("service_types.ai.instance_behavior", "singel", "(did you mean 'single'?)"),
            ("service_types.'a b'.range", "1-2", "VALUE: service_types.\"a b\""),
            ("service_types.ai.range", "9-8", "range 9-8 is inverted"),
            ("auto_allocation.min_port", "1\nmax_port = 2", "wants a port"),
        ] {
            let error = line(key, value).expect_err(key);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_broken_file_is_named_with_its_line() {
        let error = set(&draft("[logs]\nkeep = \n"), "logs.keep", "1").unwrap_err();
        assert!(error.to_string().starts_with("config.toml:2: "), "{error}");
        // What is only nonsense may be mended.
        let text = "[auto_allocation]\nmin_port = 'x'\n";
        assert_eq!(unset(&draft(text), "auto_allocation.min_port").unwrap(), "[auto_allocation]\n");
        assert!(set(&draft(text), "auto_allocation.min_port", "9").unwrap().contains("= 9\n"));
    }

    #[test]
    fn readiness_as_a_word_makes_room_for_more() {
        let text = "[service_types.ai]\nreadiness = 'http:/health' # how\n";
        let new = set(&draft(text), "service_types.ai.readiness.timeout", "5m").unwrap();
        let expected =
            "[service_types.ai]\nreadiness = { http = \"/health\", timeout = \"5m\" } # how\n";
        assert_eq!(new, expected);
    }

    #[test]
    fn differences_are_told_key_by_key() {
        let old = draft("[autoAllocation]\nminPort = 9\ngap_size = 1\n");
        let new = "[auto_allocation]\nmin_port = 9\nmax_port = 99\n";
        let number = |number| Some(Shown::Integer(number));
        let told = [
            ("auto_allocation.gap_size", number(1), None),
            ("auto_allocation.max_port", None, number(99)),
        ]
        .map(|(key, before, after)| Difference { key: key.to_owned(), before, after });
        assert_eq!(differences(&old, new), told);
        assert_eq!(differences(&old, &old.text), []);
        assert_eq!(differences(&draft("= broken"), new).len(), 2);
    }

    #[test]
    fn a_first_file_says_nothing_and_shows_every_key() {
        assert_eq!(differences(&draft(""), &template()), []);
        let template_lines = template().replace(HEADING, "");
        let shown: Vec<&str> =
            template_lines.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
        let shown = shown.join("\n");
        assert!(differences(&draft(""), &shown).len() > 40);
        // The first key goes below the heading.
        let set = set(&draft(&template()), "logs.keep", "7").unwrap();
        assert_eq!(set, format!("{}\n[logs]\nkeep = 7\n", template()));
    }

    #[test]
    fn the_rules_are_one_table_however_they_are_called() {
        for (key, expected) in [
            ("auto-allocation-rule", true),
            ("autoAllocationRules", true),
            ("auto_allocation", false),
            ("", false),
        ] {
            assert_eq!(is_rules(key), expected, "{key}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_read_back_as_it_was_typed(text in "\\PC{0,30}|[a-z \"'#\\\\\n\t]{0,20}") {
            let set = set(&draft("# Mine.\n"), "service_types.ai.env.TEXT", &text).unwrap();
            let told = differences(&draft(""), &set);
            let read = told[0].after.as_ref().and_then(Shown::as_str).unwrap();
            // TOML that is a text may have been typed as such.
            let literal = text.trim().parse::<toml_edit::Value>().ok();
            let literal = literal.and_then(|value| value.as_str().map(str::to_owned));
            prop_assert_eq!(read, literal.unwrap_or(text));
        }
    }
}

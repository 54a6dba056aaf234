//! Keys in full, with their tables: `service_types."v1.2".range`, and the two ways to name one outside a file.
//!
//! Pure. A name of the schema may be spelled in any way there; what the user named is taken as it is.

use super::{
    error::ConfigError,
    layer::Origin,
    schema::{Keys, ROOT, Shape, find, keys},
};

/// The longest name of a variable that is taken apart: the work grows with the cube of its underscores.
const VARIABLE_LENGTH_MAX: usize = 512;

/// A key with its tables, as it would be written in one line of TOML.
pub(super) fn join(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    quoted.join(".")
}

/// A name as it stands in a key.
fn quoted(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    let mut text = String::from('"');
    for c in name.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// The key that someone names with dots (`auto-allocation.minPort`), as the schema spells it.
pub(super) fn from_dotted(text: &str, origin: &Origin) -> Result<Vec<String>, ConfigError> {
    let written: Vec<String> = match toml_edit::Key::parse(text) {
        Ok(names) => names.iter().map(|name| name.get().to_owned()).collect(),
        // A pattern is no bare key, but who types one should not have to quote it twice.
        Err(_) => text.split('.').map(|name| name.trim().to_owned()).collect(),
    };
    let mut names = Vec::with_capacity(written.len());
    let mut shape = &TOP;
    for name in written {
        let groups = match shape {
            Shape::Table(groups) | Shape::Readiness(groups) => *groups,
            Shape::Named(named) => {
                names.push(name);
                shape = &named.each;
                continue;
            }
            Shape::Variables => {
                names.push(name);
                // Nothing stands below a variable.
                shape = &Shape::Table(&[]);
                continue;
            }
            Shape::Value(_) | Shape::ReadyWay => &[],
        };
        let Some(key) = find(groups, &name) else {
            return Err(unknown(origin, name, &names, groups));
        };
        names.push(key.name.to_owned());
        shape = &key.shape;
    }
    Ok(names)
}

/// The key that a variable's name stands for, without `STYXY_SET_`: its parts have underscores between
/// them and within them. A name that the user chose is as short as possible, ends at two underscores if
/// there are any, and is lowered if it has capitals only, since variables are written so.
pub(super) fn from_variable(
    text: &str,
    whole: WholeTable,
    origin: &Origin,
) -> Result<Vec<String>, ConfigError> {
    let mut search = Search { whole, names: Vec::new(), deepest: None };
    if text.len() <= VARIABLE_LENGTH_MAX && search.resolve(&TOP, text) {
        return Ok(search.names);
    }
    let (names, rest, groups) =
        search.deepest.unwrap_or_else(|| (Vec::new(), text.to_owned(), ROOT));
    Err(unknown(origin, rest, &names, groups))
}

/// Whether a variable gives a whole table, or one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WholeTable {
    Yes,
    No,
}

/// The top as a shape.
static TOP: Shape = Shape::Table(ROOT);

/// The error for a name that a table does not have.
fn unknown(origin: &Origin, key: String, table: &[String], groups: Keys) -> ConfigError {
    ConfigError::UnknownKey {
        origin: origin.clone(),
        key,
        table: join(table),
        known: keys(groups).map(|key| key.name).collect(),
    }
}

/// The search for the parts of a variable's name.
struct Search {
    whole: WholeTable,
    names: Vec<String>,
    /// The table that was reached last before no key fitted, and what was left.
    deepest: Option<(Vec<String>, String, Keys)>,
}

impl Search {
    /// Whether the rest of the name fits below; then its parts are in `names`.
    fn resolve(&mut self, shape: &'static Shape, rest: &str) -> bool {
        let whole = rest.is_empty() && self.whole == WholeTable::Yes;
        match shape {
            Shape::Value(_) | Shape::ReadyWay => rest.is_empty(),
            Shape::Readiness(_) if rest.is_empty() => true,
            Shape::Table(groups) | Shape::Readiness(groups) => whole || self.in_table(groups, rest),
            Shape::Variables if rest.is_empty() => whole,
            Shape::Variables => {
                self.names.push(rest.to_owned());
                true
            }
            Shape::Named(named) => {
                let rest = rest.strip_prefix('_').unwrap_or(rest);
                let splits = match rest.split_once("__") {
                    Some(split) => vec![split],
                    None => splits(rest),
                };
                whole
                    || splits
                        .into_iter()
                        .any(|(name, rest)| self.below(as_named(name), &named.each, rest))
            }
        }
    }

    /// Looks for the longest key of a table that the rest begins with.
    fn in_table(&mut self, groups: Keys, rest: &str) -> bool {
        let found = splits(rest).into_iter().rev().any(|(name, rest)| {
            find(groups, name).is_some_and(|key| self.below(key.name.to_owned(), &key.shape, rest))
        });
        let depth = self.names.len();
        if !found && self.deepest.as_ref().is_none_or(|(names, _, _)| names.len() < depth) {
            self.deepest = Some((self.names.clone(), rest.to_owned(), groups));
        }
        found
    }

    /// Takes a part, if the rest fits below it.
    fn below(&mut self, name: String, shape: &'static Shape, rest: &str) -> bool {
        let depth = self.names.len();
        self.names.push(name);
        let fits = self.resolve(shape, rest);
        if !fits {
            self.names.truncate(depth);
        }
        fits
    }
}

/// All ways to part a text in two at an underscore, shortest beginning first; the last one leaves nothing.
fn splits(text: &str) -> Vec<(&str, &str)> {
    let parts = text.match_indices('_').map(|(place, _)| (&text[..place], &text[place + 1..]));
    parts.chain([(text, "")]).filter(|(name, _)| !name.is_empty()).collect()
}

/// A name out of a variable's: all capitals mean small letters.
fn as_named(name: &str) -> String {
    if name.chars().any(|c| c.is_lowercase()) { name.to_owned() } else { name.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_variables_name_is_taken_apart_by_the_schema() {
        for (text, expected) in [
            ("AUTO_ALLOCATION_MIN_PORT", "auto_allocation.min_port"),
            ("AUTO_ALLOCATION_minPortNumber", "auto_allocation.min_port"),
            ("autoAllocation_MIN_PORT", "auto_allocation.min_port"),
            ("DOCUMENT_PATH", "document.path"),
            ("SERVICE_TYPES_AI_RANGE", "service_types.ai.range"),
            ("SERVICE_TYPES_myType_RANGE", "service_types.myType.range"),
            ("SERVICE_TYPES_AI_STOP_TIMEOUT", "service_types.ai.stop_timeout"),
            ("SERVICE_TYPES_AI_READINESS", "service_types.ai.readiness"),
            (
                "SERVICE_TYPES_AI_READINESS_PROBE_TIMEOUT",
                "service_types.ai.readiness.probe_timeout",
            ),
            ("SERVICE_TYPES_MY_TYPE_RANGE", "service_types.my_type.range"),
            ("SERVICE_TYPES__MY_TYPE__RANGE", "service_types.my_type.range"),
            ("SERVICE_TYPES_AI_ENV_OLLAMA_HOST", "service_types.ai.env.OLLAMA_HOST"),
            ("SERVICES_WEB_CONTAINER_PORT", "services.web.container_port"),
            (
                "PLACEMENT_STRATEGIES_TEAM_FRONT_MIN_PORT",
                "placement_strategies.team.front.min_port",
            ),
            (
                "PLACEMENT_STRATEGIES_by-team_team-a_MIN_PORT",
                "placement_strategies.by-team.team-a.min_port",
            ),
        ] {
            let key = from_variable(text, WholeTable::No, &Origin::Default);
            assert_eq!(key.map(|names| join(&names)).ok().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_unknown_variable_names_the_nearest_key() {
        for (text, message, hint) in [
            ("AUTO_ALLOCATION_MIN_PROT", "unknown key 'MIN_PROT' in auto_allocation", "min_port"),
            ("SERVICE_TYPES_AI_RNGE", "unknown key 'RNGE' in service_types.ai", "range"),
            ("DOCMENT_PATH", "unknown key 'DOCMENT_PATH'", "document"),
        ] {
            let origin = Origin::Variable(format!("STYXY_SET_{text}").into());
            let error = from_variable(text, WholeTable::No, &origin).unwrap_err();
            assert_eq!(error.to_string(), format!("STYXY_SET_{text}: {message}"));
            assert_eq!(error.hint(), Some(format!("did you mean '{hint}'?")));
        }
    }

    #[test]
    fn a_dotted_key_is_spelled_as_the_schema_spells_it() {
        for (text, expected) in [
            ("auto-allocation.require-confirmation", Some("auto_allocation.require_confirmation")),
            ("serviceTypes.myType.portRange", Some("service_types.myType.range")),
            ("service_types.\"v1.2\".range", Some("service_types.\"v1.2\".range")),
            (
                "auto_allocation_rule.monitoring-*.chunkSize",
                Some("auto_allocation_rules.\"monitoring-*\".chunk_size"),
            ),
            ("service_types.ai.env.OLLAMA_HOST", Some("service_types.ai.env.OLLAMA_HOST")),
            ("service_types", Some("service_types")),
            ("auto_allocation.enabled.more", None),
            ("service_types.ai.env.A.B", None),
            ("nothing", None),
            ("", None),
        ] {
            let key = from_dotted(text, &Origin::Default).map(|names| join(&names));
            assert_eq!(key.ok().as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_key_in_full_reads_back_as_the_same_names(
            names in prop::collection::vec("\\PC{0,8}|[\\x00-\\x7f]{0,8}", 1..4),
        ) {
            let read = toml_edit::Key::parse(&join(&names)).unwrap();
            let read: Vec<String> = read.iter().map(|name| name.get().to_owned()).collect();
            prop_assert_eq!(read, names);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}|(SERVICE_TYPES|SERVICES)?[_A-Za]{0,16}") {
            let _ = from_variable(&text, WholeTable::Yes, &Origin::Default);
            let _ = from_dotted(&text, &Origin::Default);
        }
    }
}

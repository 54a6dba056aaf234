//! Every way in which configuration can be wrong: where, what, and what to do about it.
//!
//! Pure. All of these end with the exit code for bad configuration.

use super::{layer::Origin, nearest::suggestion, value::ValueError};
use crate::ports::Range;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that is there cannot be read.
    #[error("cannot read the configuration {}", shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write the configuration {}", shown(path))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A project's file, or a link in its place, that somebody else has put there.
    #[error("{} is not read: it belongs to user {owner}, neither to you nor to root", shown(path))]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
    },
    /// Without a home there is no user's file.
    #[error("there is no home directory to keep a configuration in")]
    Homeless,
    /// A file that is too large, or is not text.
    #[error("the configuration {} {why}", shown(path))]
    NotText {
        /// The file.
        path: PathBuf,
        /// In words.
        why: &'static str,
    },
    /// The text is not TOML.
    #[error("{origin}: {message}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What the parser says.
        message: String,
    },
    /// No such key.
    #[error("{origin}: unknown key '{}'{}", key.escape_debug(), within(table))]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// As it was written.
        key: String,
        /// The table that has no such key; empty at the top.
        table: String,
        /// The keys that the table has.
        known: Vec<&'static str>,
    },
    /// One key in two spellings.
    #[error("{origin}: '{}' is given a second time{}, as '{}'", key, within(table), spelling.escape_debug())]
    Twice {
        /// Where the second one is.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// Its table.
        table: String,
        /// How it was written there.
        spelling: String,
    },
    /// A value that the key cannot have.
    #[error("{origin}: {key}: {wrong}")]
    Value {
        /// Where.
        origin: Origin,
        /// The key, with its tables.
        key: String,
        /// What is wrong with it.
        wrong: ValueError,
    },
    /// Two ranges of one source share ports.
    #[error(
        "{origin}: range {range} of '{service_type}' overlaps range {other} of '{other_type}' ({other_origin})"
    )]
    Overlap {
        /// Where the later one is.
        origin: Origin,
        /// Whose it is.
        service_type: String,
        /// Its ports.
        range: Range,
        /// Where the earlier one is.
        other_origin: Origin,
        /// Whose it is.
        other_type: String,
        /// Its ports.
        other: Range,
    },
}

/// The hint where nothing better is known.
pub(super) const MANUAL: &str = "styxy.toml(5) tells what it may be";

impl ConfigError {
    /// What to do about it, where that is more than the message says.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { known, .. } if known.is_empty() => Some("take it out".to_owned()),
            Self::UnknownKey { key, known, .. } => Some(suggestion(key, known)),
            Self::Value { wrong, .. } => Some(wrong.hint_text().unwrap_or(MANUAL).to_owned()),
            Self::Overlap { .. } => Some("move or shorten one of the two".to_owned()),
            Self::Twice { .. } => Some("keep one of the two".to_owned()),
            Self::Homeless => Some("name the file with --file or STYXY_CONFIG".to_owned()),
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(
                "make it with `styxy config init`, or name another with STYXY_CONFIG".to_owned(),
            ),
            Self::Unreadable { path, .. } => {
                Some(format!("give yourself the right to read it: chmod u+r {}", shown(path)))
            }
            Self::Unwritable { .. } => Some(
                "give yourself the right to write there, or name another with --file".to_owned(),
            ),
            Self::Foreign { path, .. } => {
                Some(format!("make it yours (chown), or move it away: {}", shown(path)))
            }
            Self::NotText { .. } => Some("a configuration is a short text in UTF-8".to_owned()),
            Self::Syntax { .. } => {
                Some("mend that line; `styxy config validate` looks at it again".to_owned())
            }
        }
    }
}

/// A path without control characters.
fn shown(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}

/// ` in TABLE`, or nothing at the top.
fn within(table: &str) -> String {
    if table.is_empty() { String::new() } else { format!(" in {table}") }
}

#[cfg(test)]
mod tests {
    use super::MANUAL;
    use crate::config::{Config, Layer, NameError, reader::read_file};

    /// Each text is wrong: the message, and the hint.
    fn check(cases: &[(&str, &str, Option<&str>)]) {
        for (text, message, hint) in cases {
            let read = read_file(&mut Config::default(), Layer::Project, "styxy.toml", text);
            let error = read.unwrap_err();
            assert_eq!(error.to_string(), *message);
            assert_eq!(error.hint().as_deref(), *hint, "{message}");
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_file_line_and_the_nearest_valid_key() {
        check(&[
            (
                "\n\n\n\n\n[service_types.ai]\nprefered_ports = [1]",
                "styxy.toml:7: unknown key 'prefered_ports' in service_types.ai",
                Some("did you mean 'preferred_ports'?"),
            ),
            (
                "servces = {}",
                "styxy.toml:1: unknown key 'servces'",
                Some("did you mean 'services'?"),
            ),
            (
                "[service_types.ai]\nrange = [1, 2]\nreadiness = { htp = '/', tmeout = 1 }",
                "styxy.toml:3: unknown key 'htp' in service_types.ai.readiness",
                Some("did you mean 'http'?"),
            ),
            (
                "[serve]\n\"\\u001b[31m\" = 1",
                "styxy.toml:2: unknown key '\\u{1b}[31m' in serve",
                Some("known here: listen"),
            ),
            (
                "[auto_allocation]\nminPort = 1\nmin_port = 2",
                "styxy.toml:3: 'min_port' is given a second time in auto_allocation, as 'min_port'",
                Some("keep one of the two"),
            ),
        ]);
    }

    #[test]
    fn a_wrong_value_is_named_with_file_line_and_key() {
        check(&[
            (
                "[auto_allocation]\n\nmin_port = 70000",
                "styxy.toml:3: auto_allocation.min_port: \
                 wants a port from 1 to 65535, not the number 70000",
                Some(MANUAL),
            ),
            (
                "auto_allocation.enabled = 'yes'",
                "styxy.toml:1: auto_allocation.enabled: wants true or false, not the text \"yes\"",
                Some(MANUAL),
            ),
            (
                "services = 3",
                "styxy.toml:1: services: wants a table, not the number 3",
                Some(MANUAL),
            ),
            (
                "[service_types.a]\ninstance_behavior = 'singel'",
                "styxy.toml:2: service_types.a.instance_behavior: \
                 `singel` is not an instance behaviour",
                Some("did you mean 'single'?"),
            ),
            (
                "[service_types.a]\nreadiness = { tcp = true, http = '/' }",
                "styxy.toml:2: service_types.a.readiness: names two checks, tcp and http",
                Some("keep one of the two"),
            ),
            (
                "[service_types.a.readiness]\ntcp = false",
                "styxy.toml:2: service_types.a.readiness.tcp: can only be true",
                Some("leave it out"),
            ),
            (
                "[service_types.a]\nstop_timeout = 'soon'",
                "styxy.toml:2: service_types.a.stop_timeout: `soon` is not a duration",
                Some("write 500ms, 10s, 5m, 2h, 30d, or a number of seconds"),
            ),
        ]);
    }

    #[test]
    fn a_wrong_range_is_named_with_file_line_and_key() {
        check(&[
            (
                "[service_types.ai]\nrange = [20, 10]",
                "styxy.toml:2: service_types.ai.range: range 20-10 is inverted: \
                 its first port is above its last",
                Some(MANUAL),
            ),
            (
                "[service_types.ai]\nrange = []",
                "styxy.toml:2: service_types.ai.range: the range is empty: write [first, last]",
                Some(MANUAL),
            ),
            (
                "[service_types.a]\nrange = [10, 20]\n[service_types.b]\nrange = [20, 30]",
                "styxy.toml:4: range 20-30 of 'b' overlaps range 10-20 of 'a' (styxy.toml:2)",
                Some("move or shorten one of the two"),
            ),
        ]);
    }

    #[test]
    fn a_wrong_name_is_shown_with_the_rule_that_it_broke() {
        check(&[
            (
                "[service_types.'a/b']",
                "styxy.toml:1: service_types.\"a/b\": `a/b` cannot be a service type: \
                 it may hold only letters, digits, dots, dashes and underscores",
                Some(NameError::RULE),
            ),
            (
                "[service_types.a.env]\n'A=B' = 'c'",
                "styxy.toml:2: service_types.a.env.\"A=B\": `A=B` cannot be a variable",
                Some(MANUAL),
            ),
            (
                "[auto_allocation_rules.'a[']",
                "styxy.toml:1: auto_allocation_rules.\"a[\": `a[` is not a pattern: its [ has no ]",
                Some(MANUAL),
            ),
        ]);
    }

    #[test]
    fn what_is_not_toml_is_named_with_file_and_line() {
        let read = read_file(&mut Config::default(), Layer::User, "a/config.toml", "x = 1\ny = \n");
        assert!(read.unwrap_err().to_string().starts_with("a/config.toml:2: "));
    }
}

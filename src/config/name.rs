//! What service types and instances may be called: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
//!
//! Pure. So narrow that a name can be a file's name, part of a log line and a word on a page as it is.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, str::FromStr};

/// The longest name; six more characters and two dashes still fit a file's name many times over.
pub const NAME_LENGTH_MAX: usize = 64;

/// Why something is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot be a {what}: {why}", given.escape_debug())]
pub struct NameError {
    given: String,
    what: &'static str,
    why: &'static str,
}

impl NameError {
    /// The rule that was broken, in words for a hint.
    pub const RULE: &'static str =
        "1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or a digit";
}

macro_rules! name {
    ($(#[$docs:meta])* $name:ident, $what:literal) => {
        $(#[$docs])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "CompactString", into = "CompactString")]
        pub struct $name(CompactString);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<CompactString> for $name {
            type Error = NameError;

            fn try_from(text: CompactString) -> Result<Self, NameError> {
                match broken_rule(&text) {
                    None => Ok(Self(text)),
                    Some(why) => Err(NameError { given: text.into(), what: $what, why }),
                }
            }
        }

        impl From<$name> for CompactString {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                CompactString::from(text).try_into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.pad(&self.0)
            }
        }
    };
}

name!(
    /// The name of a service type: `ai`, `dev`, `grafana`.
    TypeName,
    "service type"
);
name!(
    /// The id of one instance of a type: `rag` in `ai/rag`.
    InstanceId,
    "instance id"
);

/// Whether the text keeps to the rule of names.
pub fn is_name(text: &str) -> bool {
    broken_rule(text).is_none()
}

/// Holds text that is kept as text to the rule of names; `what` says what it would be called.
pub(super) fn check_name(text: &str, what: &'static str) -> Result<(), NameError> {
    match broken_rule(text) {
        None => Ok(()),
        Some(why) => Err(NameError { given: text.to_owned(), what, why }),
    }
}

/// Which bytes a name may have: a table, since thousands of names are read in each transaction.
const MAY_HAVE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte.is_ascii() {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        byte += 1;
    }
    table
};

/// Why the text is no name, if it is none.
fn broken_rule(text: &str) -> Option<&'static str> {
    match text.as_bytes() {
        [] => Some("it is empty"),
        [first, ..] if !first.is_ascii_alphanumeric() => {
            Some("it must begin with a letter or a digit")
        }
        bytes if bytes.len() > NAME_LENGTH_MAX => Some("it is longer than 64 characters"),
        bytes if !bytes.iter().all(|byte| MAY_HAVE[usize::from(*byte)]) => {
            Some("it may hold only letters, digits, dots, dashes and underscores")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(65);
        for text in ["", ".", "..", "../x", "a/b", "-x", "_x", "a b", "a\nb", "ä", "a\0", &long] {
            assert!(text.parse::<InstanceId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn plain_names_are_kept_as_they_are() {
        for text in ["a", "0", "rag-service", "web_2", "v1.2", &"a".repeat(64)] {
            assert_eq!(text.parse::<TypeName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn an_error_shows_control_characters_escaped() {
        let error = "a\u{1b}[31m".parse::<TypeName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a\\u{1b}[31m` cannot be a service type: \
             it may hold only letters, digits, dots, dashes and underscores"
        );
    }
}

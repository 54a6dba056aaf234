//! Every exit code and its meaning. The man page has this table, and a test compares them.

use crate::operations::Kind;
use std::process::ExitCode;

/// Styxy could not do it.
pub const FAILED: i32 = 125;
/// Something was found that a person has to see to.
pub const NEEDS_A_PERSON: i32 = 1;
/// What was typed makes no sense; clap ends with it too.
pub const USAGE: i32 = 2;
/// A signal that ended something is told as this and its number.
pub const SIGNAL_BASE: i32 = 128;

/// What styxy ends with, and what that means. A command that was run adds its own codes.
pub const TABLE: &[(&str, &str)] = &[
    ("0", "done; of `run`: its command ended with 0"),
    ("1", "of `doctor`: a person has to do something"),
    ("2", "bad usage: what was typed makes no sense"),
    ("69", "no free port, or the one that was asked for is taken"),
    (
        "75",
        "blocked: another instance is in the way, runs already, or has to run first and does not",
    ),
    ("78", "bad configuration, or a new range that nobody agreed to"),
    ("124", "not ready, or not over, in time"),
    ("125", "styxy itself failed"),
    ("126", "the command cannot be executed"),
    ("127", "the command was not found"),
    ("128+n", "the command was ended by signal n, or styxy was while it was attached to one"),
    ("other", "of `run`: what its command ended with"),
];

/// What a failure of that kind ends with.
pub fn of(kind: Kind) -> i32 {
    match kind {
        Kind::Usage => USAGE,
        Kind::NoPort => 69,
        Kind::Blocked => 75,
        Kind::Config => 78,
        Kind::Timeout => 124,
        // One that has ended brings its own code along; this stands in for none.
        Kind::Failed | Kind::Ended => FAILED,
        Kind::NotExecutable => 126,
        Kind::NotFound => 127,
    }
}

/// As a process can end with it.
pub(super) fn from(code: i32) -> ExitCode {
    let failed = u8::try_from(FAILED).expect("the codes of the table fit a byte");
    ExitCode::from(u8::try_from(code).unwrap_or(failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_ends_with_a_code_of_the_table() {
        for kind in [
            Kind::Usage,
            Kind::Config,
            Kind::Blocked,
            Kind::NoPort,
            Kind::Timeout,
            Kind::NotFound,
            Kind::NotExecutable,
            Kind::Ended,
            Kind::Failed,
        ] {
            let code = of(kind).to_string();
            assert!(TABLE.iter().any(|(known, _)| *known == code), "{kind:?}: {code}");
        }
    }
}

//! How checks, restart policies, signals and choices are written, in files and flags alike.
//!
//! Pure. What they mean is said beside their types.

use super::{
    nearest::suggestion,
    project::{IfRunning, Stdin},
    service_type::{Behavior, ReadyCheck, RestartPolicy, ScopeKind, SingleScope, StopSignal},
    value::{Given, Value, ValueError, spelled},
};
use std::{fmt, str::FromStr};

/// The ways to tell that an instance is ready; those that say more do so after a colon.
pub(super) const READY_WAYS: [&str; 6] = ["tcp", "http", "exec", "log", "notify", "none"];
/// Signals that programs take as a request to end, without `SIG`, by their numbers on Linux.
const SIGNALS: [(&str, i32); 10] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("ALRM", 14),
    ("TERM", 15),
    // Apache's graceful stop.
    ("WINCH", 28),
];
/// The first real-time signal that glibc leaves to programs, and the last one.
const REAL_TIME: (i32, i32) = (34, 64);

/// Gives an enum its words: `FromStr`, `Display`, and a place among the values.
macro_rules! words {
    ($kind:ty, $wanted:literal, $($word:literal => $variant:ident),*) => {
        impl $kind {
            /// The words for it, as files and flags have them.
            pub const WORDS: &'static [&'static str] = &[$($word),*];
        }

        impl FromStr for $kind {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(unknown(text, $wanted, Self::WORDS)),
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.pad(match self {
                    $(Self::$variant => $word,)*
                })
            }
        }

        spelled! { $kind, $wanted; }
    };
}
words!(Behavior, "an instance behaviour", "single" => Single, "multi" => Multi);
words!(SingleScope, "a scope of single instances", "type" => Type, "id" => Id);
words!(ScopeKind, "a scope", "project" => Project, "machine" => Machine);
words!(IfRunning, "an answer to a second run",
    "attach" => Attach, "reuse" => Reuse, "fail" => Fail, "replace" => Replace, "wait" => Wait);
words!(Stdin, "a way with standard input", "inherit" => Inherit, "null" => Null);

spelled! {
    ReadyCheck, "a readiness check like \"tcp\" or \"http:/health\"";
    RestartPolicy, "a restart policy like \"on-failure:5\"";
}

/// The error for a word that is none of the known ones.
fn unknown(text: &str, wanted: &str, words: &[&str]) -> ValueError {
    ValueError::new(format!("`{}` is not {wanted}", text.escape_debug()))
        .hint(suggestion(text, words))
}

impl FromStr for ReadyCheck {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (way, more) = match text.split_once(':') {
            Some((way, more)) => (way, Some(more)),
            None => (text, None),
        };
        let wants = |what: &str| Err(ValueError::new(format!("readiness by {way} wants {what}")));
        match (way, more) {
            ("tcp", None) => Ok(Self::Tcp),
            ("notify", None) => Ok(Self::Notify),
            ("none", None) => Ok(Self::None),
            ("tcp" | "notify" | "none", Some(_)) => wants("nothing after it"),
            ("http", Some(path)) if is_request_path(path) => Ok(Self::Http(path.to_owned())),
            ("http", _) => wants("a path without blanks: http:/health"),
            ("exec", Some(command)) if !command.trim().is_empty() => {
                Ok(Self::Exec(command.to_owned()))
            }
            ("exec", _) => wants("a command: exec:CMD"),
            ("log", Some(regex)) if !regex.is_empty() => Ok(Self::Log(regex.to_owned())),
            ("log", _) => wants("an expression: log:REGEX"),
            _ => Err(unknown(way, "a readiness check", &READY_WAYS)),
        }
    }
}

/// Whether it can stand in the first line of a request.
fn is_request_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl ReadyCheck {
    /// The word it begins with, one of [`READY_WAYS`].
    pub(super) fn way(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http(_) => "http",
            Self::Exec(_) => "exec",
            Self::Log(_) => "log",
            Self::Notify => "notify",
            Self::None => "none",
        }
    }

    /// What stands after the colon.
    pub(super) fn detail(&self) -> Option<&str> {
        match self {
            Self::Http(text) | Self::Exec(text) | Self::Log(text) => Some(text),
            Self::Tcp | Self::Notify | Self::None => None,
        }
    }
}

impl fmt::Display for ReadyCheck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail() {
            Some(detail) => write!(out, "{}:{detail}", self.way()),
            None => out.write_str(self.way()),
        }
    }
}

impl FromStr for RestartPolicy {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once(':').map_or((text, None), |(policy, max)| (policy, Some(max))) {
            ("no", None) => Ok(Self::No),
            ("always", None) => Ok(Self::Always),
            ("on-failure", None) => Ok(Self::OnFailure { restarts_max: None }),
            ("on-failure", Some(max)) if max.bytes().all(|byte| byte.is_ascii_digit()) => {
                let max: u32 = max.parse().map_err(|_| {
                    ValueError::new(format!("`{text}` wants a number after the colon"))
                })?;
                // As with Docker, 0 is no bound.
                Ok(Self::OnFailure { restarts_max: (max > 0).then_some(max) })
            }
            _ => Err(unknown(text, "a restart policy", &["no", "on-failure", "always"])
                .hint("write no, on-failure, on-failure:5 or always")),
        }
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => out.write_str("no"),
            Self::Always => out.write_str("always"),
            Self::OnFailure { restarts_max: None } => out.write_str("on-failure"),
            Self::OnFailure { restarts_max: Some(max) } => write!(out, "on-failure:{max}"),
        }
    }
}

impl FromStr for StopSignal {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let name = text.trim().to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        let real_time = name.strip_prefix("RTMIN+").and_then(|more| more.parse::<u8>().ok());
        let number = match SIGNALS.iter().find(|(known, _)| *known == name) {
            Some((_, number)) => Some(*number),
            None if name == "RTMIN" => Some(REAL_TIME.0),
            None => real_time
                .map(|more| REAL_TIME.0 + i32::from(more))
                .or_else(|| name.parse().ok())
                .filter(|number| is_stop_signal(*number)),
        };
        number.map(Self).ok_or_else(|| {
            let names: Vec<&str> = SIGNALS.iter().map(|(name, _)| *name).collect();
            unknown(text, "a signal that ends programs", &[]).hint(suggestion(name, &names))
        })
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIGNALS.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => out.write_str(name),
            None if self.0 >= REAL_TIME.0 => write!(out, "RTMIN+{}", self.0 - REAL_TIME.0),
            None => write!(out, "{}", self.0),
        }
    }
}

/// Whether a number is one of a signal that may begin a stop.
fn is_stop_signal(number: i32) -> bool {
    SIGNALS.iter().any(|(_, known)| *known == number)
        || (REAL_TIME.0..=REAL_TIME.1).contains(&number)
}

impl Value for StopSignal {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        match given.value.as_integer() {
            Some(number) => number.as_str().parse(),
            None => given.parsed("a signal like \"TERM\""),
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check<T>(cases: &[(&str, Option<T>)])
    where
        T: FromStr<Err = ValueError> + PartialEq + fmt::Debug + Clone + fmt::Display,
    {
        for (text, expected) in cases {
            let read = text.parse::<T>().ok();
            assert_eq!(&read, expected, "{text:?}");
            if let Some(value) = read {
                assert_eq!(value.to_string().parse::<T>().ok(), Some(value), "{text:?} shown");
            }
        }
    }

    #[test]
    fn readiness_is_written_as_way_and_detail() {
        check::<ReadyCheck>(&[
            ("tcp", Some(ReadyCheck::Tcp)),
            ("http:/health", Some(ReadyCheck::Http("/health".to_owned()))),
            ("http:/a:b?c=d", Some(ReadyCheck::Http("/a:b?c=d".to_owned()))),
            (
                "exec:pg_isready -p {port}",
                Some(ReadyCheck::Exec("pg_isready -p {port}".to_owned())),
            ),
            ("log:ready: .*", Some(ReadyCheck::Log("ready: .*".to_owned()))),
            ("notify", Some(ReadyCheck::Notify)),
            ("none", Some(ReadyCheck::None)),
            ("http", None),
            ("http:health", None),
            ("http:/a b", None),
            ("http:/a\r\nHost: x", None),
            ("tcp:1", None),
            ("exec: ", None),
            ("log:", None),
            ("TCP", None),
            ("", None),
        ]);
    }

    #[test]
    fn restart_policies_are_dockers() {
        let on_failure = |restarts_max| Some(RestartPolicy::OnFailure { restarts_max });
        check::<RestartPolicy>(&[
            ("no", Some(RestartPolicy::No)),
            ("always", Some(RestartPolicy::Always)),
            ("on-failure", on_failure(None)),
            ("on-failure:5", on_failure(Some(5))),
            ("on-failure:0", on_failure(None)),
            ("on-failure:", None),
            ("on-failure:+5", None),
            ("on-failure:-1", None),
            ("on-failure:99999999999", None),
            ("always:1", None),
            ("unless-stopped", None),
        ]);
    }

    #[test]
    fn signals_are_names_or_numbers() {
        check::<StopSignal>(&[
            ("TERM", Some(StopSignal::TERM)),
            ("SIGTERM", Some(StopSignal::TERM)),
            ("sigterm", Some(StopSignal::TERM)),
            ("15", Some(StopSignal::TERM)),
            ("INT", Some(StopSignal::INT)),
            ("RTMIN+3", Some(StopSignal(37))),
            ("SIGRTMIN", Some(StopSignal(34))),
            ("40", Some(StopSignal(40))),
            ("STOP", None),
            ("0", None),
            ("-15", None),
            ("17", None),
            ("65", None),
            ("RTMIN+31", None),
            ("", None),
        ]);
        let error = "TREM".parse::<StopSignal>().unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean 'TERM'?"));
    }

    #[test]
    fn choices_are_single_words() {
        check(&[("single", Some(Behavior::Single)), ("Single", None), ("", None)]);
        check(&[("id", Some(SingleScope::Id)), ("instance", None)]);
        check(&[("machine", Some(ScopeKind::Machine)), ("project", Some(ScopeKind::Project))]);
        check(&[("replace", Some(IfRunning::Replace)), ("kill", None)]);
        check(&[("null", Some(Stdin::Null)), ("inherit", Some(Stdin::Inherit))]);
        let error = "singel".parse::<Behavior>().unwrap_err();
        assert_eq!(error.to_string(), "`singel` is not an instance behaviour");
        assert_eq!(error.hint_text(), Some("did you mean 'single'?"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}|(http|exec|log|on-failure|RTMIN)[:+]\\PC{0,9}") {
            let _ = (text.parse::<ReadyCheck>(), text.parse::<RestartPolicy>());
            let _ = (text.parse::<StopSignal>(), text.parse::<Behavior>());
        }
    }
}

//! What went wrong, on stderr: what failed, why, and what to do now; with `--json` also as an object.

use super::{exit_code, output};
use crate::operations::{Error, Failure, Kind};
use anstyle::{AnsiColor, Style};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde::Serialize;
use std::io::{self, Write};

/// How `styxy:` looks before a failure, at a terminal.
const MARK: Style = AnsiColor::Red.on_default().bold();
/// How `hint:` looks.
const HINT: Style = AnsiColor::Cyan.on_default();
/// What a message's lines begin with that are not the first: an instance's last words.
const QUOTE: &str = "\n  | ";
/// What a process ends with whose reader has gone away: 128 and SIGPIPE.
const READER_GONE: i32 = 141;

/// A failure in JSON.
#[derive(Serialize)]
struct Report<'a> {
    error: &'a Failure,
}

/// Says what went wrong; tells what to end with.
pub(super) fn report(error: Error, json: bool) -> i32 {
    if output::is_reader_gone(&error) {
        return READER_GONE;
    }
    show(&error.failure(exit_code::of), json)
}

/// Shows a failure; tells what to end with.
pub(super) fn show(failure: &Failure, json: bool) -> i32 {
    say(failure);
    if json {
        // There is no third place to say that this failed.
        let _ = output::json(&Report { error: failure });
    }
    failure.code
}

/// Says what is wrong, where it is not the end.
pub(super) fn say_why(error: &Error) {
    output::say(&format!("styxy: {error}"));
    if let Some(hint) = error.hint() {
        output::say(&format!("  hint: {hint}"));
    }
}

/// Shows a failure when stdout is a command's: the object is one line on stderr.
pub(super) fn report_beside(error: Error) -> i32 {
    let failure = error.failure(exit_code::of);
    say(&failure);
    output::json_line(&Report { error: &failure });
    failure.code
}

fn say(failure: &Failure) {
    let text = rendered(failure);
    // There is no other place to say that stderr is gone.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// The failure as text, with the colours of a terminal.
fn rendered(failure: &Failure) -> String {
    let message: Vec<String> =
        failure.message.split(QUOTE).map(|line| output::visible(line).into_owned()).collect();
    let mut text = format!("{MARK}styxy:{MARK:#} {}\n", message.join(QUOTE));
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("  {HINT}hint:{HINT:#} {}\n", output::visible(hint)));
    }
    text
}

/// Prints the help that was asked for, or what is wrong with the words; tells what to end with.
pub(super) fn report_usage(mut error: clap::Error, json: bool) -> i32 {
    escape(&mut error);
    let helps = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if json && !helps {
        // There is no third place to say that this failed.
        let _ = output::json(&Report { error: &usage(&error) });
    }
    match error.print() {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => READER_GONE,
        Err(_) => exit_code::FAILED,
        Ok(()) if helps => 0,
        Ok(()) => exit_code::USAGE,
    }
}

/// The first paragraph of what clap says.
fn usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or(&text);
    Failure {
        kind: Kind::Usage,
        code: exit_code::USAGE,
        message: first.strip_prefix("error: ").unwrap_or(first).trim_end().to_owned(),
        hint: Some("try '--help'".to_owned()),
        instance: None,
    }
}

/// What was typed is shown without control characters.
fn escape(error: &mut clap::Error) {
    let typed: Vec<(ContextKind, String)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, output::visible(text).into_owned())),
            _ => None,
        })
        .collect();
    for (kind, text) in typed {
        error.insert(kind, ContextValue::String(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments;
    use std::ffi::OsString;

    fn failure(message: &str, hint: Option<&str>) -> Failure {
        Failure {
            kind: Kind::Blocked,
            code: 75,
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
            instance: None,
        }
    }

    fn plain(failure: &Failure) -> String {
        anstream::adapter::strip_str(&rendered(failure)).to_string()
    }

    #[test]
    fn a_failure_says_what_and_what_to_do() {
        let blocked = failure("ai/rag already runs on port 11400", Some("styxy use --port 11400"));
        assert_eq!(
            plain(&blocked),
            "styxy: ai/rag already runs on port 11400\n  hint: styxy use --port 11400\n"
        );
        assert_eq!(plain(&failure("it failed", None)), "styxy: it failed\n");
    }

    #[test]
    fn what_an_instance_said_last_stays_in_lines_and_is_harmless() {
        let ended = failure("dev/web ended\n  | \u{1b}[2Jboom\n  | \rok", None);
        assert_eq!(plain(&ended), "styxy: dev/web ended\n  | \\u{1b}[2Jboom\n  | \\rok\n");
        assert!(!rendered(&ended).contains("\u{1b}[2J"));
    }

    #[test]
    fn a_failure_in_json_has_all_its_fields() {
        let text = serde_json::to_string(&Report { error: &failure("no", None) }).unwrap();
        let expected =
            r#"{"error":{"kind":"blocked","code":75,"message":"no","hint":null,"instance":null}}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn words_that_make_no_sense_are_a_failure_too() {
        let words = ["styxy", "run", "--port", "0", "--", "true"].map(OsString::from);
        let Err(error) = arguments::parse(&words) else { panic!("{words:?} made sense") };
        let failure = usage(&error);
        assert_eq!((failure.kind, failure.code), (Kind::Usage, 2));
        assert!(
            failure.message.starts_with("invalid value '0' for '--port <PORT>'"),
            "{failure:?}"
        );
    }

    #[test]
    fn words_that_make_no_sense_are_shown_harmless() {
        for words in [
            ["styxy", "run", "--id=\u{1b}[31mred"],
            ["styxy", "run", "--type=a\nb"],
            ["styxy", "\u{1b}[2J", "x"],
            ["styxy", "list", "--\u{1b}[2J"],
        ] {
            let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
            let Err(mut error) = arguments::parse(&words) else { panic!("{words:?} made sense") };
            escape(&mut error);
            let shown = error.render().ansi().to_string();
            assert!(!shown.contains("\u{1b}[2J") && !shown.contains("\u{1b}[31mred"), "{shown}");
            assert!(!shown.contains("a\nb"), "{shown}");
        }
    }
}

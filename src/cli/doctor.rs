//! `styxy doctor`: what is wrong on this machine, the worst first.

use super::{
    arguments::{Session, Verb},
    exit_code, output,
};
use crate::operations::{
    Error,
    doctor::{Finding, Level, examine},
};
use anstyle::{AnsiColor, Style};

/// How a level's word looks at a terminal.
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const INFO: Style = Style::new().bold();
/// How `hint:` looks.
const HINT: Style = AnsiColor::Cyan.on_default();

/// Tell what is wrong on this machine, and what to do about it
///
/// Looks at the configuration, the state directory and its disk, the kernel, the ranges, every lease,
/// and asks each container engine that is installed. Changes nothing. Ends with 1 when a person has to do something: for each error and warning,
/// not for what is only good to know.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let diagnosis = examine();
        if session.json {
            output::json(&diagnosis)?;
        } else if diagnosis.findings.is_empty() {
            output::print("nothing is wrong\n")?;
        } else {
            output::print(&diagnosis.findings.iter().map(shown).collect::<String>())?;
        }
        let needs_a_person = diagnosis.findings.iter().any(Finding::needs_a_person);
        Ok(if needs_a_person { exit_code::NEEDS_A_PERSON } else { 0 })
    }
}

fn shown(finding: &Finding) -> String {
    let (style, word) = match finding.level {
        Level::Error => (ERROR, "error:"),
        Level::Warning => (WARNING, "warning:"),
        Level::Info => (INFO, "info:"),
    };
    let mut text = format!("{style}{word}{style:#} {}\n", output::visible(&finding.message));
    if let Some(hint) = &finding.hint {
        text.push_str(&format!("  {HINT}hint:{HINT:#} {}\n", output::visible(hint)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_its_level_what_it_is_and_what_to_do() {
        let finding = |hint: Option<&str>| Finding {
            level: Level::Warning,
            message: "a \u{1b}[31mred disk".to_owned(),
            hint: hint.map(str::to_owned),
        };
        let plain = |hint| anstream::adapter::strip_str(&shown(&finding(hint))).to_string();
        assert_eq!(plain(None), "warning: a \\u{1b}[31mred disk\n");
        assert_eq!(plain(Some("do it")), "warning: a \\u{1b}[31mred disk\n  hint: do it\n");
    }
}

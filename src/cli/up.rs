//! `styxy up`: what the services of a project write, each line with its service's name, and calm lines between.

use super::{
    arguments::{NewRange, Session, Verb},
    exit_code, output, run,
};
use crate::operations::{
    Error, Failure,
    run::Said,
    up::{Ended, Happened, Stay},
    view::Answer,
};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::{ffi::OsString, io};

/// The colours of names, one after the other. Red is for failures.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
];
/// Behind a name and before what it says.
const BAR: &str = " | ";

/// Start the services of the project, in their order, and show their output
///
/// Each service that the project's styxy.toml or Procfile names is run as `styxy run SERVICE` runs it,
/// supervised by a process of its own, once all that it comes after is ready. Ctrl-C stops them in the
/// reverse order, a second one kills. When a service ends with a failure or is not ready in time, all are
/// stopped, and its code is what `up` ends with; one that ends with 0 has done its work, and what comes after
/// it starts. What ran before is attached to, and goes on when `up` ends. Nothing that `up` has started
/// outlives it, however it ends.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only these and what they come after [default: all]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Leave them running in the background: return when all are ready
    #[arg(short, long)]
    detach: bool,
    #[command(flatten)]
    new_range: NewRange,
}

/// A service and where it is, as JSON.
#[derive(Serialize)]
pub(super) struct Named<'a> {
    /// What the project calls it.
    pub(super) service: &'a str,
    /// Where it is.
    #[serde(flatten)]
    pub(super) answer: &'a Answer,
}

/// What is ready, as JSON.
#[derive(Serialize)]
struct Ready<'a> {
    services: Vec<Named<'a>>,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host_with(&self.new_range.assignments())?;
        let services = host.services()?;
        let lineup = host.lineup(&services, &self.services)?;
        let mut stage = Screen::new(session, lineup.names(), self.detach);
        let stay = if self.detach { Stay::UntilReady } else { Stay::WithThem };
        let words = |service: &str| self.words(service);
        let mut show =
            |service: Option<&str>, happened: &Happened<'_>| stage.show(service, happened);
        let Ended { code, ready, failure } =
            host.up(lineup, stay, &words, exit_code::of, &mut show)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if self.detach && session.json && code == 0 {
            let named = ready.iter().map(|(service, answer)| Named { service, answer });
            output::json(&Ready { services: named.collect() })?;
        }
        Ok(code)
    }
}

impl Arguments {
    /// What makes styxy run a service for this process.
    fn words(&self, service: &str) -> Vec<OsString> {
        let pid = i32::try_from(std::process::id()).expect("a pid fits 31 bits");
        let starter = if self.detach { run::UP_LEAVES } else { pid };
        let mut words = vec!["run".to_owned(), service.to_owned(), "--quiet".to_owned()];
        words.push(format!("--{}={starter}", run::UNDER_UP));
        words.extend(self.new_range.words());
        words.into_iter().map(OsString::from).collect()
    }
}

/// Where all of it is shown.
struct Screen<'a> {
    session: &'a Session,
    /// The names as they stand before a line, on stdout and on stderr.
    names: Vec<(String, [String; 2])>,
    detach: bool,
}

impl<'a> Screen<'a> {
    fn new(session: &'a Session, names: &[String], detach: bool) -> Self {
        let width = names.iter().map(String::len).max().unwrap_or(0);
        let is_coloured = [output::is_coloured(&io::stdout()), output::is_coloured(&io::stderr())];
        let colours = COLOURS.iter().cycle();
        let prefixes = names.iter().zip(colours).map(|(name, colour)| {
            let prefix = |is_coloured: bool| prefix(name, width, is_coloured.then_some(*colour));
            (name.clone(), is_coloured.map(prefix))
        });
        Self { session, names: prefixes.collect(), detach }
    }

    /// Shows what happens.
    fn show(&mut self, service: Option<&str>, happened: &Happened<'_>) -> Result<(), Error> {
        let named = service.and_then(|name| self.names.iter().find(|(known, _)| known == name));
        let [out, err] =
            named.map_or(["", ""], |(_, prefixes)| prefixes.each_ref().map(|p| &p[..]));
        match happened {
            Happened::Line(line) => {
                // As it is, colours and all: it is the instance's own output.
                return output::print_bytes(&[out.as_bytes(), line, b"\n"].concat());
            }
            Happened::Said(said) => self.say_of(service, err, said),
            Happened::Over { asked: true } => self.say(err, "stopped"),
            Happened::Over { asked: false } => self.say(err, "ended with 0"),
            Happened::Failed(failure) => self.complain(err, failure),
            Happened::Stopping => self.say(err, "stopping all; Ctrl-C kills"),
            Happened::Killing => self.say(err, "killing all"),
        }
        Ok(())
    }

    fn say_of(&self, service: Option<&str>, prefix: &str, said: &Said) {
        match said {
            Said::Ready { answer } | Said::Reused { answer } if !self.session.json => {
                self.say(prefix, &run::where_it_is(answer));
            }
            Said::Ready { answer } | Said::Reused { answer } => {
                if let (false, Some(service)) = (self.detach, service) {
                    output::json_line(&Named { service, answer });
                }
            }
            other => {
                if let Some(sentence) = run::sentence(other) {
                    self.say(prefix, &sentence);
                }
            }
        }
    }

    /// A calm line on stderr, unless it was to be quiet.
    fn say(&self, prefix: &str, sentence: &str) {
        if !self.session.quiet {
            output::say_behind(prefix, sentence);
        }
    }

    /// Why it failed. Its last lines have been shown already, where its output is.
    fn complain(&self, prefix: &str, failure: &Failure) {
        let mut lines = failure.message.lines();
        output::say_behind(prefix, lines.next().unwrap_or_default());
        if self.detach {
            lines.for_each(|line| output::say_behind(prefix, line));
        }
        if let Some(hint) = &failure.hint {
            output::say_behind(prefix, &format!("  hint: {hint}"));
        }
    }
}

/// `web | `, as wide as the longest name.
fn prefix(name: &str, width: usize, colour: Option<AnsiColor>) -> String {
    let style = colour.map_or_else(Style::new, |colour| colour.on_default());
    format!("{style}{name:width$}{BAR}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_a_column() {
        assert_eq!(prefix("web", 5, None), "web   | ");
        assert_eq!(prefix("queue", 5, None), "queue | ");
        let coloured = prefix("web", 3, Some(AnsiColor::Cyan));
        assert_eq!(coloured, "\u{1b}[36mweb | \u{1b}[0m");
    }
}

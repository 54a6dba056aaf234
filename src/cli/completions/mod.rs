//! `styxy completions`: a small script for a shell, and the words that it asks for at each TAB.
//!
//! The scripts hand over what was typed; which words fit is read off the definition, and names of instances,
//! types and services are those of this moment. So a script need not be made again for a newer styxy.

use super::{
    arguments::{Session, Verb, definition},
    output,
};
use crate::operations::{Error, Host, names::Named};
use clap::{Arg, Command, ValueEnum, ValueHint};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate, complete};
use std::ffi::OsString;

/// Print the completions for a shell
///
/// They know the instances, types and services of the moment. For one shell:
///
/// bash: source <(styxy completions bash)
///
/// zsh: source <(styxy completions zsh)
///
/// fish: styxy completions fish | source
///
/// For every one, write the script to ~/.local/share/bash-completion/completions/styxy, to _styxy in a folder
/// of zsh's fpath, or to ~/.config/fish/completions/styxy.fish.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
    /// A command line up to the cursor: what could stand there, one a line
    #[arg(last = true, hide = true, value_name = "WORD")]
    words: Vec<OsString>,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What an operation knows of names.
type Names = fn(&Host) -> Result<Vec<Named>, Error>;

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        if self.words.is_empty() {
            output::print(self.shell.script())?;
        } else {
            let candidates = candidates(self.words, *session);
            let lines = candidates.iter().map(|candidate| self.shell.line(candidate));
            output::print(&lines.collect::<String>())?;
        }
        Ok(0)
    }
}

impl Shell {
    fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("styxy.bash"),
            Self::Zsh => include_str!("_styxy"),
            Self::Fish => include_str!("styxy.fish"),
        }
    }

    /// A candidate as the shell's script reads it.
    fn line(self, candidate: &CompletionCandidate) -> String {
        let value = candidate.get_value().to_string_lossy();
        let value = output::visible(&value);
        let about = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let about = output::visible(about.lines().next().unwrap_or_default()).into_owned();
        match self {
            Self::Bash => format!("{value}\n"),
            // _describe(zshcompsys): what stands before the first bare colon is the word.
            Self::Zsh => format!("{}:{about}\n", value.replace('\\', "\\\\").replace(':', "\\:")),
            Self::Fish => format!("{value}\t{about}\n"),
        }
    }
}

/// What could stand where the last of these words is.
fn candidates(words: Vec<OsString>, session: Session) -> Vec<CompletionCandidate> {
    let place = words.len() - 1;
    if words[..place].iter().any(|word| word == "--") {
        // What stands there is another command's.
        return Vec::new();
    }
    let is_empty = words[place].is_empty();
    let mut command = with_names(definition(), session);
    let here = std::env::current_dir().ok();
    // What cannot be completed is not; a shell has no place for a complaint.
    let mut found = complete(&mut command, words, place, here.as_deref()).unwrap_or_default();
    let is_flag =
        |candidate: &CompletionCandidate| candidate.get_value().to_string_lossy().starts_with('-');
    // Flags are for who begins to type one, or has nothing else to say.
    if is_empty && !found.iter().all(is_flag) {
        found.retain(|candidate| !is_flag(candidate));
    }
    found
}

/// The definition, with what stands for a name knowing the names.
fn with_names(command: Command, session: Session) -> Command {
    command
        .mut_args(|argument| named(argument, session))
        .mut_subcommands(|below| with_names(below, session))
}

fn named(argument: Arg, session: Session) -> Arg {
    let names: Names = match argument.get_value_names() {
        Some([name]) if name == "REF" => Host::instance_names,
        Some([name]) if name == "TYPE" => Host::type_names,
        Some([name]) if name == "SERVICE" => Host::service_names,
        Some([name]) if name == "PATH" => return argument.value_hint(ValueHint::AnyPath),
        Some(_) | None => return argument,
    };
    argument.add(ArgValueCandidates::new(move || live(names, session)))
}

/// The names of the moment; none where the configuration or the registry cannot be read.
fn live(names: Names, session: Session) -> Vec<CompletionCandidate> {
    let quiet = Session { quiet: true, ..session };
    let found = quiet.host().and_then(|host| names(&host)).unwrap_or_default();
    let candidate =
        |named: Named| CompletionCandidate::new(named.name).help(Some(named.about.into()));
    found.into_iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let words = line.split(' ').map(OsString::from).collect();
        let session = Session { json: false, quiet: true, verbose: false };
        let value = |one: &CompletionCandidate| one.get_value().to_string_lossy().into_owned();
        candidates(words, session).iter().map(value).collect()
    }

    #[test]
    fn commands_flags_and_words_of_the_definition_are_offered() {
        assert!(found("styxy ").contains(&"run".to_owned()));
        assert!(!found("styxy ").iter().any(|word| word.starts_with('-')));
        assert_eq!(found("styxy re"), ["release", "restart"]);
        assert!(found("styxy run --rea").contains(&"--ready-timeout".to_owned()));
        assert_eq!(found("styxy run --if-running re"), ["reuse", "replace"]);
        assert_eq!(
            found("styxy run --if-running=re"),
            ["--if-running=reuse", "--if-running=replace"]
        );
        assert_eq!(found("styxy config auto-allocation en"), ["enable"]);
        assert_eq!(found("styxy completions z"), ["zsh"]);
    }

    #[test]
    fn a_line_is_as_its_shell_reads_it() {
        let candidate = CompletionCandidate::new("http:/x").help(Some("a: b\nc".into()));
        assert_eq!(Shell::Bash.line(&candidate), "http:/x\n");
        assert_eq!(Shell::Zsh.line(&candidate), "http\\:/x:a: b\n");
        assert_eq!(Shell::Fish.line(&candidate), "http:/x\ta: b\n");
    }
}

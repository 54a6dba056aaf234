//! `styxy config set`, `unset`, `edit`, `validate`, `init`: changes to one file, and what they changed.

use crate::{
    cli::{arguments::Session, failure, output},
    operations::{
        Error,
        configuration::{self, Changed, ChangedKey, Target, dotted, is_rules},
    },
};
use std::{
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
};

/// Which file.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
#[command(next_help_heading = "File [default: the user's]")]
pub(super) struct Place {
    /// The nearest styxy.toml, else a new one in the project's root
    #[arg(long)]
    project: bool,
    /// The system's file
    #[arg(long)]
    system: bool,
    /// This file, as if it were the user's
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
}

impl Place {
    pub(super) fn target(self) -> Target {
        self.given().unwrap_or_default()
    }

    fn given(self) -> Option<Target> {
        match self {
            Self { file: Some(path), .. } => Some(Target::File(path)),
            Self { project: true, .. } => Some(Target::Project),
            Self { system: true, .. } => Some(Target::System),
            Self { project: false, system: false, file: None } => None,
        }
    }
}

/// `set`.
#[derive(Debug, clap::Args)]
pub(super) struct Set {
    /// As in auto_allocation.gap_size; dashes, underscores and camelCase are alike
    #[arg(value_name = "KEY")]
    key: String,
    /// As in TOML, or as plain text; for auto-allocation-rule the pattern of types
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    value: String,
    #[command(flatten)]
    rule: Rule,
    #[command(flatten)]
    place: Place,
}

/// What a rule for unknown types says.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "With auto-allocation-rule PATTERN")]
struct Rule {
    /// How many ports a new range has
    #[arg(long, alias = "chunk_size", value_name = "N")]
    chunk_size: Option<String>,
    /// Where a new range should begin, or above
    #[arg(
        long,
        alias = "preferred_range",
        alias = "preferred-range-start",
        alias = "preferred_range_start",
        value_name = "PORT"
    )]
    preferred_range: Option<String>,
    /// after, before, smart, or the name of a strategy
    #[arg(long, value_name = "WAY")]
    placement: Option<String>,
}

impl Rule {
    /// What is given, by key.
    fn keys(self) -> Vec<(&'static str, String)> {
        let Self { chunk_size, preferred_range, placement } = self;
        let keys = [
            ("chunk_size", chunk_size),
            ("preferred_range_start", preferred_range),
            ("placement", placement),
        ];
        keys.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

impl Set {
    pub(super) fn perform(self, session: &Session) -> Result<(), Error> {
        let Self { key, value, rule, place } = self;
        let rule = rule.keys();
        let values = match (is_rules(&key), rule.is_empty()) {
            (true, false) => rule
                .into_iter()
                .map(|(name, given)| (dotted(&["auto_allocation_rules", &value, name]), given))
                .collect(),
            (true, true) => return Err(misused("a rule says at least one thing")),
            (false, false) => return Err(misused(&format!("`{key}` is no rule"))),
            (false, true) => vec![(key, value)],
        };
        let tell = |sentence: &str| session.tell(sentence);
        shown(&configuration::set(&values, &place.target(), &tell)?, session)
    }
}

fn misused(message: &str) -> Error {
    let hint =
        "set auto-allocation-rule PATTERN with --chunk-size, --preferred-range or --placement";
    Error::Usage { message: message.to_owned(), hint: Some(hint.to_owned()) }
}

/// `unset`.
#[derive(Debug, clap::Args)]
pub(super) struct Unset {
    /// As in auto_allocation.gap_size; dashes, underscores and camelCase are alike
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    place: Place,
}

impl Unset {
    pub(super) fn perform(self, session: &Session) -> Result<(), Error> {
        let tell = |sentence: &str| session.tell(sentence);
        shown(&configuration::unset(&self.key, &self.place.target(), &tell)?, session)
    }
}

/// `edit`.
#[derive(Debug, clap::Args)]
pub(super) struct Edit {
    #[command(flatten)]
    place: Place,
}

impl Edit {
    pub(super) fn perform(self, session: &Session) -> Result<(), Error> {
        let tell = |sentence: &str| session.tell(sentence);
        let changed = configuration::edit(&self.place.target(), &tell, &again)?;
        shown(&changed, session)
    }
}

/// Asks a person whether they go on with what makes no sense yet. Nobody is asked without a terminal.
fn again(error: &Error) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    failure::say_why(error);
    output::ask("go on editing, or discard it? [Y/n] ");
    let mut answer = String::new();
    // The end of the input is a no.
    let read = io::stdin().lock().read_line(&mut answer).unwrap_or(0);
    read > 0 && !answer.trim_start().starts_with(['n', 'N'])
}

/// `validate`.
#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    #[command(flatten)]
    place: Place,
}

impl Validate {
    pub(super) fn perform(self, session: &Session) -> Result<(), Error> {
        let tell = |sentence: &str| session.tell(sentence);
        let validated = configuration::validate(self.place.given().as_ref(), &tell)?;
        if session.json {
            return output::json(&validated);
        }
        for file in &validated.files {
            session.say(&format!("{} is good", file.display()));
        }
        if validated.files.is_empty() {
            session.say("there is no configuration file, and none is needed");
        }
        Ok(())
    }
}

/// `init`.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    #[command(flatten)]
    place: Place,
}

impl Init {
    pub(super) fn perform(self, session: &Session) -> Result<(), Error> {
        let tell = |sentence: &str| session.tell(sentence);
        let changed = configuration::init(&self.place.target(), &tell)?;
        if session.json {
            return output::json(&changed);
        }
        session.say(&format!("wrote {}: every key as a comment", changed.file.display()));
        Ok(())
    }
}

/// Tells what was changed in a file.
pub(super) fn shown(changed: &Changed, session: &Session) -> Result<(), Error> {
    if session.json {
        return output::json(changed);
    }
    let file = changed.file.display();
    for change in &changed.changes {
        session.say(&format!("{} in {file}", sentence(change)));
    }
    if changed.changes.is_empty() {
        session.say(&format!("nothing is different in {file}"));
    }
    for overridden in &changed.overridden {
        session.tell(&format!(
            "here {} says otherwise of {}, and wins",
            overridden.by, overridden.key
        ));
    }
    Ok(())
}

fn sentence(change: &ChangedKey) -> String {
    let ChangedKey { key, before, after } = change;
    match (before, after) {
        (None, Some(after)) => format!("{key} = {after}"),
        (Some(before), Some(after)) => format!("{key} = {after} (was {before})"),
        (Some(before), None) => format!("{key} is not set any more (was {before})"),
        (None, None) => key.clone(),
    }
}

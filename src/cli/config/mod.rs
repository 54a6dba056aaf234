//! `styxy config`: what holds, where it comes from, and where it is written.
//!
//! Changes are shown by `change`, the ranges of unknown types by `ranges`.

mod change;
mod picture;
mod ranges;

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::{
    config::{Entry, Places},
    operations::{Error, configuration},
};
use serde::Serialize;
use std::path::Path;

/// Show and change the configuration, and the ranges of unknown types
///
/// Changes go to the user's file unless --project, --system or --file names another. What would make the
/// configuration invalid is refused before anything is written; comments and order stay as they are.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    deed: Deed,
}

/// What is asked of the configuration.
#[derive(Debug, clap::Subcommand)]
enum Deed {
    /// Show every value that holds, as TOML
    Show {
        /// Also show who said so: a file and its line, a variable, a profile, or the default
        #[arg(long)]
        origin: bool,
    },
    /// Show the files that are looked for, lowest first: each one wins over those before it
    Path,
    /// Show the value of one key, or of all keys below it
    Get {
        /// As in auto_allocation.gap_size; dashes, underscores and camelCase are alike
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Set the value of one key, or make a rule for unknown types:
    /// set auto-allocation-rule PATTERN --chunk-size N
    Set(change::Set),
    /// Take a key, and all keys below it, out of a file
    Unset(change::Unset),
    /// Change a file in $EDITOR; it is saved when it makes sense
    Edit(change::Edit),
    /// Check the files: what is wrong is named with file, line and key
    Validate(change::Validate),
    /// Write a first file that shows every key, and sets none
    Init(change::Init),
    /// How unknown service types get their ranges, and which there are
    #[command(alias = "auto_allocation")]
    AutoAllocation(ranges::AutoAllocation),
    /// Take ranges of unknown types back; one with leases only with --force
    #[command(alias = "undo_auto")]
    UndoAuto(ranges::UndoAuto),
    /// Give back ranges that nobody has used for retire_after, and join blocks of one type that touch
    Consolidate(ranges::Consolidate),
}

/// One value in JSON.
#[derive(Serialize)]
struct Shown<'a> {
    key: &'a str,
    value: &'a toml::Value,
    origin: String,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let tell = |sentence: &str| session.tell(sentence);
        match self.deed {
            Deed::Show { origin } => {
                let entries = configuration::entries(&[], &tell)?;
                show(&entries, session, |entry| line(entry, origin))?;
            }
            Deed::Get { key } => match &configuration::get(&key, &[], &tell)?[..] {
                [only] if !session.json => output::print(&format!("{}\n", bare(&only.value)))?,
                entries => show(entries, session, |entry| line(entry, false))?,
            },
            Deed::Path => paths(&configuration::places(), session)?,
            Deed::Set(arguments) => arguments.perform(session)?,
            Deed::Unset(arguments) => arguments.perform(session)?,
            Deed::Edit(arguments) => arguments.perform(session)?,
            Deed::Validate(arguments) => arguments.perform(session)?,
            Deed::Init(arguments) => arguments.perform(session)?,
            Deed::AutoAllocation(arguments) => arguments.perform(session)?,
            Deed::UndoAuto(arguments) => arguments.perform(session)?,
            Deed::Consolidate(arguments) => arguments.perform(session)?,
        }
        Ok(0)
    }
}

fn show(
    entries: &[Entry],
    session: &Session,
    line: impl Fn(&Entry) -> String,
) -> Result<(), Error> {
    if session.json {
        let shown = entries.iter().map(|entry| Shown {
            key: &entry.key,
            value: &entry.value,
            origin: entry.origin.to_string(),
        });
        return output::json(&shown.collect::<Vec<_>>());
    }
    output::print(&entries.iter().map(line).collect::<String>())
}

/// A line of TOML, with its origin as a comment.
fn line(entry: &Entry, with_origin: bool) -> String {
    let text = format!("{} = {}", entry.key, entry.value);
    let text = output::visible(&text);
    if with_origin { format!("{text}  # {}\n", entry.origin) } else { format!("{text}\n") }
}

/// A value for scripts: a text without its quotes.
fn bare(value: &toml::Value) -> String {
    let text = match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    output::visible(&text).into_owned()
}

fn paths(places: &Places, session: &Session) -> Result<(), Error> {
    let project = places.project();
    let paths: Vec<&Path> =
        [Some(places.system.as_path()), places.user.as_deref(), project.as_deref()]
            .into_iter()
            .flatten()
            .collect();
    if session.json {
        let object = |path: &&Path| serde_json::json!({ "path": path, "exists": path.exists() });
        return output::json(&paths.iter().map(object).collect::<Vec<_>>());
    }
    let line = |path: &&Path| {
        let missing = if path.exists() { "" } else { "  (not there)" };
        format!("{}{missing}\n", output::visible(&path.to_string_lossy()))
    };
    output::print(&paths.iter().map(line).collect::<String>())
}

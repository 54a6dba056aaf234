//! `styxy config`: what holds, where it comes from, and where it is written.

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

/// Show the configuration: what holds, who said so, and where
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

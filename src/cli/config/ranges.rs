//! `styxy config auto-allocation`, `undo-auto`, `consolidate`: the ranges of unknown types.

use super::{
    change::{Place, shown},
    picture,
};
use crate::{
    cli::{arguments::Session, output},
    config::TypeName,
    operations::{
        Error, configuration,
        ranges::{Consolidated, Force, RangeView, Rehearsal, Status, Which},
    },
};

/// The key that enables it all.
const ENABLED: &str = "auto_allocation.enabled";

/// `auto-allocation`.
#[derive(Debug, clap::Args)]
pub(super) struct AutoAllocation {
    #[command(subcommand)]
    deed: Option<Deed>,
}

/// What is asked of it.
#[derive(Debug, clap::Subcommand)]
enum Deed {
    /// Show how it is set, and how many ranges there are [default]
    Status,
    /// Give unknown types ranges of their own
    Enable(Place),
    /// Refuse unknown types; ranges that are there stay
    Disable(Place),
    /// List the ranges that were made
    List,
}

impl AutoAllocation {
    pub(super) fn perform(self, session: &Session) -> Result<(), Error> {
        match self.deed.unwrap_or(Deed::Status) {
            Deed::Status => status(session),
            Deed::Enable(place) => switch(true, place, session),
            Deed::Disable(place) => switch(false, place, session),
            Deed::List => list(session),
        }
    }
}

fn switch(enabled: bool, place: Place, session: &Session) -> Result<(), Error> {
    let tell = |sentence: &str| session.tell(sentence);
    let values = [(ENABLED.to_owned(), enabled.to_string())];
    shown(&configuration::set(&values, &place.target(), &tell)?, session)
}

fn status(session: &Session) -> Result<(), Error> {
    let status = session.host()?.auto_allocation(&|sentence| session.tell(sentence))?;
    if session.json {
        return output::json(&status);
    }
    output::print(&described(&status))
}

fn described(status: &Status) -> String {
    let switched = if status.enabled { "enabled" } else { "disabled" };
    let asked = if status.require_confirmation { "yes" } else { "no" };
    let ports: usize = status.ranges.iter().map(|view| usize::from(view.range.size())).sum();
    let lines = [
        ("auto-allocation", switched.to_owned()),
        ("asks first", asked.to_owned()),
        ("new ranges", format!("{} ports, placed {}", status.chunk_size, status.placement)),
        ("between", format!("{}, {} ports apart", status.bounds, status.gap_size)),
        ("made so far", format!("{} ranges, {ports} ports", status.ranges.len())),
    ];
    lines.iter().map(|(name, value)| format!("{name:<16} {}\n", output::visible(value))).collect()
}

fn list(session: &Session) -> Result<(), Error> {
    let status = session.host()?.auto_allocation(&|sentence| session.tell(sentence))?;
    if session.json {
        return output::json(&status);
    }
    let head = ["TYPE", "PORTS", "MADE", "LAST USED", "LEASED"];
    output::print(&output::table(head, status.ranges.iter().map(row)))
}

fn row(view: &RangeView) -> [String; 5] {
    [
        view.r#type.to_string(),
        view.range.to_string(),
        day(&view.created).to_owned(),
        output::or_none(view.used.as_deref().map(day)),
        view.leased.to_string(),
    ]
}

/// The day of a moment.
fn day(moment: &str) -> &str {
    moment.get(..10).unwrap_or(moment)
}

/// `undo-auto`.
#[derive(Debug, clap::Args)]
pub(super) struct UndoAuto {
    /// All ranges of this type
    #[arg(value_name = "TYPE", conflicts_with_all = ["last", "all"])]
    service_type: Option<TypeName>,
    /// The range that was made last [default]
    #[arg(long, conflicts_with = "all")]
    last: bool,
    /// All ranges of all types
    #[arg(long)]
    all: bool,
    /// Also ranges with leases: these stay as they are, without a range
    #[arg(short, long)]
    force: bool,
}

impl UndoAuto {
    pub(super) fn perform(self, session: &Session) -> Result<(), Error> {
        let which = match self.service_type {
            Some(name) => Which::Type(name),
            None if self.all => Which::All,
            None => Which::Last,
        };
        let force = if self.force { Force::Yes } else { Force::No };
        let tell = |sentence: &str| session.tell(sentence);
        let undone = session.host()?.undo_ranges(&which, force, &tell)?;
        if session.json {
            return output::json(&undone);
        }
        for view in &undone.ranges {
            session.say(&format!("took range {} back from '{}'", view.range, view.r#type));
        }
        Ok(())
    }
}

/// `consolidate`.
#[derive(Debug, clap::Args)]
pub(super) struct Consolidate {
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl Consolidate {
    pub(super) fn perform(self, session: &Session) -> Result<(), Error> {
        let rehearsal = if self.dry_run { Rehearsal::Yes } else { Rehearsal::No };
        let tell = |sentence: &str| session.tell(sentence);
        let done = session.host()?.consolidate(rehearsal, &tell)?;
        if session.json {
            return output::json(&done);
        }
        output::print(&picture::of(&done))?;
        output::print(&deeds(&done))?;
        if done.retired.is_empty() && done.joined.is_empty() {
            session.say("nothing to consolidate");
        }
        Ok(())
    }
}

fn deeds(done: &Consolidated) -> String {
    let would = if done.dry_run { "would be " } else { "" };
    let retired = done.retired.iter().map(|view| {
        let used = view
            .used
            .as_deref()
            .map_or_else(|| "never used".to_owned(), |used| format!("last used {}", day(used)));
        format!("{would}given back: {} {} ({used})\n", view.r#type, view.range)
    });
    let joined = done.joined.iter().map(|view| {
        let parts: Vec<String> = view.parts.iter().map(ToString::to_string).collect();
        format!("{would}joined: {} {} to {}\n", view.r#type, parts.join(" and "), view.range)
    });
    retired.chain(joined).collect()
}

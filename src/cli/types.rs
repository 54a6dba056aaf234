//! `styxy types`: every service type as a table.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::{
    config::{Behavior, TypeOrigin},
    operations::{Error, view::TypeView},
    ports::Range,
};

/// List all service types with their ranges, and how full they are
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let types = session.host()?.service_types(&|sentence| session.tell(sentence))?;
        if session.json {
            output::json(&types)?;
        } else {
            let head = ["TYPE", "PORTS", "INSTANCES", "LEASED", "FREE", "FROM", "DESCRIPTION"];
            output::print(&output::table(head, types.types.iter().map(row)))?;
        }
        Ok(0)
    }
}

fn row(known: &TypeView) -> [String; 7] {
    let ranges: Vec<String> = known.ranges.iter().map(Range::to_string).collect();
    let ranges = (!ranges.is_empty()).then(|| ranges.join(", "));
    let instances = match known.instance_behavior {
        Behavior::Single => "single",
        Behavior::Multi => "multi",
    };
    let origin = match known.origin {
        TypeOrigin::Profile => "profile",
        TypeOrigin::Config => "config",
        TypeOrigin::Auto => "auto",
    };
    [
        known.name.clone(),
        output::or_none(ranges),
        instances.to_owned(),
        known.leased.to_string(),
        known.free.to_string(),
        origin.to_owned(),
        known.description.clone(),
    ]
}

//! `styxy down`: stops what a project's services run.

use super::{
    arguments::{Session, Verb},
    output,
    up::Named,
};
use crate::operations::{Error, view::Answer};
use serde::Serialize;

/// Stop the services of the project
///
/// In the reverse order of their start: those first that wait for others. Returns when nothing of them
/// is left and their ports are free again.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only these [default: all that styxy.toml or the Procfile names]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// What was stopped, as JSON.
#[derive(Serialize)]
struct Stopped<'a> {
    services: Vec<Named<'a>>,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let services = host.services()?;
        let lineup = host.lineup_of_exactly(&services, &self.services)?;
        let mut told = |service: &str, answer: &Answer| {
            if !session.json {
                session.say(&format!("{service}: {}", answer.message));
            }
        };
        let stopped = host.down(&lineup, &mut told, &|sentence| session.tell(sentence))?;
        if session.json {
            let named = stopped.iter().map(|(service, answer)| Named { service, answer });
            output::json(&Stopped { services: named.collect() })?;
        } else if stopped.is_empty() {
            session.say("no service of this project runs");
        }
        Ok(0)
    }
}

//! `styxy stop`: returns when the whole tree is gone.

use super::{
    arguments::{Session, Verb, duration},
    output,
};
use crate::operations::{Error, stop::Haste, view::Answer};
use std::time::Duration;

/// Stop an instance, its whole process tree
///
/// Sends its stop signal, waits for its stop time-out, then kills what is left. Returns when nothing
/// of it is left and its port is free again.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["reference", "all"]))]
pub(super) struct Arguments {
    /// The instance: type/id[@project], id, port, or lockId
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// All that run; those that wait to take a place are sent away first
    #[arg(short, long)]
    all: bool,
    /// How long the tree may take before it is killed, in place of the time that it was started with
    #[arg(short, long, value_name = "TIME", value_parser = duration, conflicts_with = "kill")]
    timeout: Option<Duration>,
    /// Kill at once, without a stop signal
    #[arg(short, long)]
    kill: bool,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let tell = |sentence: &str| session.tell(sentence);
        let haste = match self.timeout {
            _ if self.kill => Haste::Kill,
            Some(grace) => Haste::Within(grace),
            None => Haste::None,
        };
        match &self.reference {
            Some(reference) => output::done(&host.stop(reference, haste, &tell)?, session)?,
            None => done_all(&host.stop_all(haste, &tell)?, session)?,
        }
        Ok(0)
    }
}

fn done_all(answers: &[Answer], session: &Session) -> Result<(), Error> {
    if session.json {
        return output::json(&answers);
    }
    answers.iter().for_each(|answer| session.say(&answer.message));
    if answers.is_empty() {
        session.say("nothing runs");
    }
    Ok(())
}

//! `styxy wait`: returns when an instance is ready, or has ended.

use super::{
    arguments::{Session, Verb, duration},
    output,
    spinner::Spinner,
};
use crate::operations::{Error, vigil::Vigil, wait::Goal};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::time::Duration;

/// Wait until an instance is ready, or has stopped
///
/// For `ready`, one that is not there yet is waited for too, and one that ends before it is ready is a
/// failure. For `stopped`, one that has ended is over at once. Nothing is polled. Not so far in time,
/// the exit code is 124.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The instance: type/id[@project], id, port, or lockId
    #[arg(value_name = "REF")]
    reference: String,
    /// What to wait for
    #[arg(long = "for", value_name = "STATE", value_parser = goals(), default_value = "ready")]
    goal: Goal,
    /// How long to wait at most [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

fn goals() -> impl TypedValueParser<Value = Goal> {
    PossibleValuesParser::new(Goal::WORDS)
        .map(|word| Goal::of(&word).expect("the words are those of the goals"))
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let spinner = Spinner::new(session);
        let vigil = Vigil::begin(self.timeout, spinner.watcher());
        let tell = |sentence: &str| spinner.aside(|| session.tell(sentence));
        let answer = host.wait(&self.reference, self.goal, self.timeout, &vigil, &tell);
        spinner.clear();
        output::done(&answer?, session)?;
        Ok(0)
    }
}

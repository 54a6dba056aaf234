//! `styxy allocate`: the port alone on stdout, the sentence on stderr.

use super::{
    arguments::{Naming, NewRange, PortWishes, Session, Verb, duration},
    consent::with_consent,
    output, run,
};
use crate::operations::{
    Error,
    allocate::{Reserve, TTL_DEFAULT},
    plan::Request,
    view::MadeRange,
};
use std::{mem::ManuallyDrop, time::Duration};

/// Lease a port without running anything
///
/// Prints the port: PORT=$(styxy allocate -t api -i billing). The lease lives while the process of
/// --pid does; without one, while something listens on the port, or for the time of --ttl since it
/// was allocated, allocated again, or last seen served. `styxy release` gives it back.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    naming: Naming,
    #[command(flatten)]
    wishes: PortWishes,
    /// The lease ends with this process, instead of by time
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(2..))]
    pid: Option<i32>,
    /// How long the lease lives without a listener: ms, s, m, h, d; a bare number is seconds
    /// [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "pid")]
    ttl: Option<Duration>,
    /// Decide and print, but lease nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    new_range: NewRange,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let reserve = Reserve { pid: self.pid, ttl: self.ttl.unwrap_or(TTL_DEFAULT) };
        let mut request = Request { dry_run: self.dry_run, ..Request::default() };
        self.naming.fill(&mut request);
        self.wishes.fill(&mut request);
        self.new_range.fill(&mut request);
        // It ends with the process: to take its registry apart, row by row, would only take time.
        let host = ManuallyDrop::new(session.host_with(&self.new_range.assignments())?);
        let answer = with_consent(&mut request, |request| {
            host.allocate(request, reserve, &|sentence| session.tell(sentence))
        })?;
        match answer.new_range {
            Some(range) => {
                let made = MadeRange { range, grown: answer.grown };
                session.say(&run::new_range(&answer.r#type, made));
            }
            None if answer.existing => session.say(&answer.message),
            // The port says it all.
            None => {}
        }
        output::answer(&answer, session.json)?;
        Ok(0)
    }
}

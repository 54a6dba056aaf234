//! `styxy restart`: returns when the instance is ready again.

use super::{
    arguments::{Session, Verb, duration},
    output,
    spinner::Spinner,
};
use crate::operations::{Error, vigil::Vigil};
use std::time::Duration;

/// Stop an instance and start it again, on its port
///
/// Its supervisor stops the whole process tree as `styxy stop` does and starts the command anew, in the
/// foreground or in the background as it was; port and lease are kept. Returns when it is ready again.
/// One that waits to be started again is started at once. Not ready in time, it runs on, and the exit
/// code is 124.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The instance: type/id[@project], id, port, or lockId
    #[arg(value_name = "REF")]
    reference: String,
    /// How long to wait for it [default: as long as it may take to stop, and to get ready]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let spinner = Spinner::new(session);
        let vigil = Vigil::begin(self.timeout, spinner.watcher());
        let tell = |sentence: &str| spinner.aside(|| session.tell(sentence));
        let answer = host.restart(&self.reference, self.timeout, vigil, &tell);
        spinner.clear();
        output::done(&answer?, session)?;
        Ok(0)
    }
}

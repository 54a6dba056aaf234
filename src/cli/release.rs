//! `styxy release`: a reservation given back.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::operations::Error;

/// Give back a port that `allocate` leased
///
/// An instance that styxy supervises is ended with `styxy stop` instead.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The instance: type/id[@project], id, port, or lockId
    #[arg(value_name = "REF")]
    reference: String,
    /// Also while something listens on the port, or the process of --pid lives
    #[arg(short, long)]
    force: bool,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let answer =
            host.release(&self.reference, self.force, &|sentence| session.tell(sentence))?;
        output::done(&answer, session)?;
        Ok(0)
    }
}

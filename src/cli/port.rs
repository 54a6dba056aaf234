//! `styxy port`: the number, for scripts.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::operations::Error;

/// Print the port of an instance
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The instance: type/id[@project], id, port, or lockId
    #[arg(value_name = "REF")]
    reference: String,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let view = host.locate(&self.reference, &|sentence| session.tell(sentence))?;
        let message = format!("{} is on port {}", view.full_name(), view.port);
        output::answer(&view.answer(message), session.json)?;
        Ok(0)
    }
}

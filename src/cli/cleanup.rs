//! `styxy cleanup`: what was removed, a line each.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::operations::Error;

/// Stop and collect what crashes left: processes, leases, files
///
/// Touches nothing that lives.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let cleaned = session.host()?.cleanup(&|sentence| session.tell(sentence))?;
        if session.json {
            output::json(&cleaned)?;
        } else if cleaned.removed.is_empty() {
            session.say("nothing was left");
        } else {
            let lines =
                cleaned.removed.iter().map(|what| format!("removed {}\n", output::visible(what)));
            output::print(&lines.collect::<String>())?;
        }
        Ok(0)
    }
}

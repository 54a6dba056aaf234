//! The audit log, read on from where it was left: for the metrics, and for who follows it on the page.

use super::{
    metrics::Tally,
    problem::Problem,
    server::{Server, locked, tell},
};
use crate::operations::audit::{Event, Ledger};

/// How far the log was read, and what was counted on the way.
#[derive(Default)]
pub(super) struct Book {
    ledger: Option<Ledger>,
    tally: Tally,
    /// What was read for the metrics, and is still to be told to those who follow.
    untold: Vec<Event>,
}

/// So much is kept for who follows; nobody reads more at once.
const UNTOLD_MAX: usize = 1000;

/// What has happened since the last call.
pub(super) fn read_on(server: &Server) -> Result<Vec<Event>, Problem> {
    let mut book = locked(&server.book);
    book.read(server)?;
    Ok(std::mem::take(&mut book.untold))
}

/// What was counted so far.
pub(super) fn tally(server: &Server) -> Result<Tally, Problem> {
    let mut book = locked(&server.book);
    book.read(server)?;
    Ok(book.tally.clone())
}

impl Book {
    fn read(&mut self, server: &Server) -> Result<(), Problem> {
        let host = server.host_to_look();
        // What is in the log already is counted, and told to nobody.
        let most = if self.ledger.is_none() { 0 } else { UNTOLD_MAX };
        let ledger = match &mut self.ledger {
            Some(ledger) => ledger,
            none => none.insert(host.ledger(&tell)?),
        };
        let news = host.read_on(ledger, most, &mut |entry| self.tally.add(entry), &tell)?;
        self.untold.extend(news);
        let excess = self.untold.len().saturating_sub(UNTOLD_MAX);
        self.untold.drain(..excess);
        Ok(())
    }
}

//! `styxy logs`: what an instance wrote, as it wrote it.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::operations::{Error, follow::Wanted};

/// Show what a background instance wrote, also after its end
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The instance: type/id[@project], id, port, or lockId
    #[arg(value_name = "REF")]
    reference: String,
    /// Go on showing until the instance ends, or Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only the last N lines [default: all]
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let wanted = if self.follow { Wanted::ToItsEnd } else { Wanted::SoFar };
        let lines = self.lines.unwrap_or(usize::MAX);
        // Shown as it is, colours and all: it is the instance's own output.
        let show = &mut |piece: &[u8]| output::print_bytes(piece);
        host.show_log(&self.reference, lines, wanted, show, &|sentence| session.tell(sentence))
    }
}

//! `styxy types`: every service type as a picture, or as Markdown.
//!
//! Drawing a range is `bars`' business.

use super::{
    arguments::{Session, Verb},
    bars::{self, Glyphs},
    output,
};
use crate::operations::Error;

/// List all service types with their ranges, and how full they are
///
/// Each range is a bar, lowest first, with the number of ports between it and the next one. Colours are
/// for terminals only; the picture is as wide as COLUMNS or the terminal says.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The same as Markdown, and who holds which port at the moment
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let tell = |sentence: &str| session.tell(sentence);
        if self.markdown {
            let text = host.types_as_markdown(&tell)?;
            let lines = text.lines().map(|line| format!("{}\n", output::visible(line)));
            output::print(&lines.collect::<String>())?;
            return Ok(0);
        }
        let types = host.service_types(&tell)?;
        if session.json {
            output::json(&types)?;
        } else {
            let glyphs = if output::is_unicode() { Glyphs::UNICODE } else { Glyphs::ASCII };
            output::print(&bars::picture(&types, output::width(), glyphs))?;
        }
        Ok(0)
    }
}

//! `styxy logs`: what an instance wrote, as it wrote it.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::operations::{
    Error,
    audit::When,
    follow::{Part, Wanted},
};
use serde::Serialize;

/// A longer line is printed as several objects.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Show what a background instance wrote, also after its end
///
/// The older parts of a log that was kept small are shown with it. A moment is a time as in
/// 2026-11-22T10:00:00Z, a date (its beginning, UTC), or an age as in 10m or 3d; what was written up to
/// some seconds before it may be shown too. With --json each line is an object with the field `line`.
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
    /// Only what was written since that moment
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let wanted = if self.follow { Wanted::ToItsEnd } else { Wanted::SoFar };
        let part = Part { lines: self.lines.unwrap_or(usize::MAX), since: self.since };
        let mut objects = Objects::default();
        let show = &mut |piece: &[u8]| {
            if session.json {
                return output::print_bytes(&objects.of(piece));
            }
            // Shown as it is, colours and all: it is the instance's own output.
            output::print_bytes(piece)
        };
        let tell = |sentence: &str| session.tell(sentence);
        let code = host.show_log(&self.reference, part, wanted, show, &tell)?;
        output::print_bytes(&objects.rest())?;
        Ok(code)
    }
}

/// A line in JSON.
#[derive(Serialize)]
struct Object<'a> {
    line: &'a str,
}

/// Pieces of a log, as one object a line.
#[derive(Default)]
struct Objects {
    /// The beginning of a line.
    begun: Vec<u8>,
}

impl Objects {
    /// The lines that this piece completes.
    fn of(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") || self.begun.len() > LINE_BYTES_MAX {
                text.append(&mut self.rest());
            }
        }
        text
    }

    /// What is left at the end, a line without its end.
    fn rest(&mut self) -> Vec<u8> {
        if self.begun.is_empty() {
            return Vec::new();
        }
        let line = String::from_utf8_lossy(&self.begun);
        let object = Object { line: line.strip_suffix('\n').unwrap_or(&line) };
        let mut text = serde_json::to_vec(&object).expect("a line is plain JSON");
        text.push(b'\n');
        self.begun.clear();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_object_however_it_was_cut() {
        let text = "one\n\n\u{1b}[31mtwo\r\nthree";
        let expected = "{\"line\":\"one\"}\n{\"line\":\"\"}\n\
                        {\"line\":\"\\u001b[31mtwo\\r\"}\n{\"line\":\"three\"}\n";
        for size in 1..text.len() {
            let mut objects = Objects::default();
            let mut shown: Vec<u8> =
                text.as_bytes().chunks(size).flat_map(|piece| objects.of(piece)).collect();
            shown.extend(objects.rest());
            assert_eq!(String::from_utf8(shown).unwrap(), expected);
        }
    }
}

//! The audit log: one line for each change, append-only, numbered, rotated by size.
//!
//! Lines are written under the state lock, before the commit. Of two lines of changes that have one number
//! the later counts, and one whose number the registry has not reached does not: its transaction never
//! happened. `append` writes, `read` and `follow` keep that rule. What a reader wants to see, and how it is
//! shown, is left to others.

mod append;
mod follow;
mod line;
mod read;

pub use append::Author;
pub(super) use append::Timing;
pub use follow::Follower;
pub use line::{Entry, Line, User};
pub use read::Wanted;

use crate::config::Rotation;
use std::path::{Path, PathBuf};

/// The log's name in the state directory; rotated, it gets a number: `audit.jsonl.1` is the youngest.
const NAME: &str = "audit.jsonl";

/// The name of the file of that number; 0 is the one that is written.
fn name(number: u32) -> String {
    if number == 0 { NAME.to_owned() } else { format!("{NAME}.{number}") }
}

/// The log of one state directory.
#[derive(Debug, Clone)]
pub struct Audit {
    path: PathBuf,
    rotation: Rotation,
}

impl Audit {
    pub(super) fn new(state: &Path, rotation: Rotation) -> Self {
        Self { path: state.join(NAME), rotation }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of that number.
    fn numbered(&self, number: u32) -> PathBuf {
        self.path.with_file_name(name(number))
    }
}

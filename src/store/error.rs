//! Every way in which the store can fail, with the file's name and what to do now.

use crate::registry::{BrokenRule, VersionError};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// The store could not do what was asked; the state is as it was.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {deed} {}", path.display())]
    Io {
        /// What was tried.
        deed: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The directory was removed or exchanged by somebody while this process had it open.
    #[error("{} is not the directory any more that it was when this process began", path.display())]
    Exchanged {
        /// Which one.
        path: PathBuf,
    },
    /// Someone else held the lock all the time.
    #[error("the state lock {} was not free for {} s{}", path.display(), waited.as_secs(), holder.as_ref().map_or_else(String::new, |holder| format!(": {holder}")))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
        /// Who held it, if that can be seen from here.
        holder: Option<String>,
    },
    /// The file is of another version.
    #[error("cannot use {}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Which one.
        source: VersionError,
    },
    /// A change would have broken a rule; nothing was written. A fault of styxy's own.
    #[error("styxy was about to break its own rules, and wrote nothing")]
    Rule(#[from] BrokenRule),
}

impl StoreError {
    /// The system's refusal of a deed on a file.
    pub fn at(deed: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { deed, path: path.to_owned(), source }
    }

    /// What to do now.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    let free = path.parent().and_then(|parent| fs2::available_space(parent).ok());
                    let free =
                        free.map_or_else(String::new, |free| format!(" ({} kB free)", free / 1024));
                    Some(format!(
                        "make room on that disk{free}, then try again; nothing was changed"
                    ))
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(
                    "give yourself write permission there, or name another directory with \
                     STYXY_STATE_DIR"
                        .to_owned(),
                ),
                _ => Some("`styxy doctor` looks at the state directory".to_owned()),
            },
            Self::Exchanged { .. } => Some(
                "somebody removed or replaced it meanwhile, and nothing was changed; start again"
                    .to_owned(),
            ),
            Self::Locked { .. } => Some(
                "end or continue that process (a stopped one is continued by `kill -CONT PID`), \
                 then try again"
                    .to_owned(),
            ),
            Self::Version { source: VersionError::Newer { .. }, .. } => Some(
                "use the newer styxy, or another directory with STYXY_STATE_DIR; the file was not \
                 touched"
                    .to_owned(),
            ),
            Self::Version { source: VersionError::Missing, path } => {
                Some(format!("move it away, and it is built again: {}", path.display()))
            }
            Self::Rule(_) => Some("please report this with the command that you gave".to_owned()),
        }
    }
}

/// A transaction failed: the store, or the decision that was made inside it.
#[derive(Debug)]
pub enum TransactError<E> {
    /// The store could not do its part.
    Store(StoreError),
    /// The decision was no.
    Refused(E),
}

impl<E> From<StoreError> for TransactError<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

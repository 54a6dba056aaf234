//! The store: the one door to the state that all styxy processes share, and the window to look through.
//!
//! `Store::transact` is the only way to change it: lock, load, check, decide on a draft, commit, unlock.
//! What is decided is handed in; nothing is waited for, spawned or asked of a person meanwhile.

pub mod audit;
mod error;
mod file;
mod lock;
mod port_table;
mod rebuild;
pub mod record;
mod row;
pub mod run_dir;
mod sharing;
mod text;
mod transaction;

pub use error::{StoreError, TransactError};
pub use lock::Waiting;
pub use port_table::PortTable;
pub use transaction::{Actor, Outside};

use crate::{config::Rotation, registry::Registry};
use audit::Audit;
use file::StateFile;
use run_dir::RunDirectory;
use rustix::fs::{Mode, OFlags};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

/// The state directory, open.
#[derive(Debug)]
pub struct Store {
    directory: OwnedFd,
    path: PathBuf,
    run: RunDirectory,
    audit: Audit,
}

impl Store {
    /// Opens the state directory, which exists; makes `run/` in it if need be.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let directory = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| StoreError::at("open the state directory", path, errno.into()))?;
        let run = RunDirectory::open(directory.as_fd(), &path.join("run"))?;
        Ok(Self {
            directory,
            path: path.to_owned(),
            run,
            audit: Audit::new(path, Rotation::default()),
        })
    }

    /// The same with an audit log that is rotated so.
    #[must_use]
    pub fn rotating(self, rotation: Rotation) -> Self {
        Self { audit: Audit::new(&self.path, rotation), ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run files: who is alive, and what supervisors know of their instances.
    pub fn run(&self) -> &RunDirectory {
        &self.run
    }

    /// The audit log.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The registry as it is now, without a lock; at worst a moment old.
    pub fn read(&self, outside: &Outside<'_>) -> Result<Registry, StoreError> {
        match self.state_file().read_unlocked()? {
            file::Found::Registry(saved) => Ok(saved.registry),
            file::Found::Nothing if !self.has_traces() => Ok(self.fresh()),
            // A broken file is set aside and rebuilt by whoever meets it, under the lock.
            file::Found::Nothing | file::Found::Broken(_) => self.repaired(outside),
        }
    }

    /// A registry without a past, but for the numbers that the audit log has used up.
    fn fresh(&self) -> Registry {
        Registry { seq: self.audit.last_seq(), ..Registry::default() }
    }

    fn state_file(&self) -> StateFile<'_> {
        StateFile::new(self.directory.as_fd(), &self.path)
    }

    /// The directory, open: for what lies beside the registry.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

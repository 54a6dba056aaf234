//! The store: the one door to the state that all styxy processes share, and the window to look through.
//!
//! `Store::transact` is the only way to change it: lock, load, check, decide on a draft, commit, unlock.
//! What is decided is handed in; nothing is waited for, spawned or asked of a person meanwhile.

pub mod audit;
pub mod doomed;
mod error;
mod file;
mod lock;
pub mod memory;
mod port_table;
mod rebuild;
pub mod record;
mod row;
pub mod run_dir;
mod sharing;
pub mod storage;
mod text;
mod transaction;

pub(crate) use text::read_and_write;

pub use error::{StoreError, TransactError};
pub use lock::{LockHolder, NOTICE_AFTER, PATIENCE, StateLock, Waiting};
pub use port_table::PortTable;
pub use transaction::{Actor, Outside};

use crate::{config::Rotation, registry::Registry};
use audit::Audit;
use file::{LastRead, StateFile};
use run_dir::RunDirectory;
use std::{
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};
use storage::{Disk, Storage};

/// The state directory, open.
#[derive(Debug)]
pub struct Store<S: Storage = Disk> {
    directory: S,
    path: PathBuf,
    run: RunDirectory<S>,
    audit: Audit,
    last_read: LastRead,
}

impl Store {
    /// Opens the state directory, which exists; makes `run/` in it if need be.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let directory = Disk::open(path)
            .map_err(|errno| StoreError::at("open the state directory", path, errno.into()))?;
        Self::within(directory, path)
    }

    /// Who holds the state lock now, as far as it can be seen. Nothing is waited for.
    pub fn lock_holder(&self) -> Option<LockHolder> {
        lock::holder_in_directory(&self.path)
    }

    /// Who waits for the state lock now, as far as it can be seen.
    pub fn lock_waiters(&self) -> Vec<i32> {
        lock::waiters_in_directory(&self.path)
    }

    /// The directory, open: for what lies beside the registry.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl<S: Storage> Store<S> {
    /// The store of a directory, whatever it lies on; its path is shown to people.
    pub(crate) fn within(directory: S, path: &Path) -> Result<Self, StoreError> {
        let run = RunDirectory::open(&directory, &path.join("run"))?;
        Ok(Self {
            directory,
            path: path.to_owned(),
            run,
            audit: Audit::new(path, Rotation::default()),
            last_read: LastRead::default(),
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
    pub fn run(&self) -> &RunDirectory<S> {
        &self.run
    }

    /// The audit log.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The registry as it is now, without a lock; at worst a moment old.
    pub fn read(&self, outside: &Outside<'_>) -> Result<Registry, StoreError> {
        self.run.must_be_in(&self.directory)?;
        match self.state_file().read_unlocked()? {
            file::Found::Registry(saved) => Ok(saved.registry.clone()),
            file::Found::Nothing if !self.has_traces() => Ok(self.fresh()),
            // A broken file is set aside and rebuilt by whoever meets it, under the lock.
            file::Found::Nothing | file::Found::Broken(_) => self.repaired(outside),
        }
    }

    /// Forgets what was read, which makes the next reading slower: for who will rest for long.
    pub fn forget(&self) {
        *self.last_read.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// A registry without a past, but for the numbers that the audit log has used up.
    fn fresh(&self) -> Registry {
        Registry { seq: self.audit.last_seq(&self.directory), ..Registry::default() }
    }

    fn state_file(&self) -> StateFile<'_, S> {
        StateFile::new(&self.directory, &self.path, &self.last_read)
    }
}

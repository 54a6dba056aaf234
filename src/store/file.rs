//! `state.json` and `ranges.json`: read them, and replace them so that a crash leaves the old or the new.
//!
//! `state.json` is committed by exchanging the names of two files that stay for ever: the spare one is
//! overwritten from its first byte and cut to length, then the two change places. That is many times
//! faster than making, renaming and freeing a file each time. Readers take no lock, so they can catch a
//! file while it becomes the spare one and is overwritten: a checksum in the first line tells.

use super::{
    error::StoreError,
    storage::{Access, Storage, Stored},
    text::{Saved, Text, Unreadable, parse, render, rewrite},
};
use crate::registry::{Durability, Registry};
use rustix::io::Errno;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// The registry.
pub(super) const STATE: &str = "state.json";
const SPARE: &str = "state.json.spare";
const RANGES: &str = "ranges.json";
const RANGES_NEW: &str = "ranges.json.new";
/// So many broken files are kept for whoever wants to know what happened.
const SET_ASIDE_MAX: u32 = 5;
/// A reader that met a writer so often takes the lock.
const UNLOCKED_READS_MAX: u32 = 2;
/// Larger than any registry can become; more is not a registry.
const SIZE_MAX: u64 = 256 << 20;

/// What a state file turned out to be.
pub(super) enum Found {
    /// A registry that keeps all rules.
    Registry(Arc<Saved>),
    /// No file.
    Nothing,
    /// Not a registry, and why.
    Broken(String),
}

/// The state files of one directory.
pub(super) struct StateFile<'a, S> {
    directory: &'a S,
    path: &'a Path,
    last: &'a LastRead,
}

/// The registry that was last read or written here, since the next one is mostly the same.
pub(super) type LastRead = Mutex<Arc<Saved>>;

impl<'a, S: Storage> StateFile<'a, S> {
    pub(super) fn new(directory: &'a S, path: &'a Path, last: &'a LastRead) -> Self {
        Self { directory, path, last }
    }

    /// The registry, read while writers may be at work.
    pub(super) fn read_unlocked(&self) -> Result<Found, StoreError> {
        for _ in 0..UNLOCKED_READS_MAX {
            match self.read()? {
                Found::Broken(_) => {}
                found @ (Found::Registry(_) | Found::Nothing) => return Ok(found),
            }
        }
        let _lock = self.directory.share_lock(self.path)?;
        self.read()
    }

    /// The registry, read under the lock.
    pub(super) fn read(&self) -> Result<Found, StoreError> {
        let last = Arc::clone(&self.last.lock().unwrap_or_else(PoisonError::into_inner));
        let found = self.load(STATE, &last)?;
        if let Found::Registry(saved) = &found {
            self.remember(saved);
        }
        Ok(found)
    }

    /// The durable copy of the ranges: a registry without instances.
    pub(super) fn read_ranges(&self) -> Result<Found, StoreError> {
        self.load(RANGES, &Arc::default())
    }

    fn load(&self, name: &str, last: &Arc<Saved>) -> Result<Found, StoreError> {
        let text = match self.slurp(name, last.text()) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(Found::Registry(Arc::clone(last))),
            Err(Errno::NOENT) => return Ok(Found::Nothing),
            Err(errno) => return Err(self.failed("read", name, errno)),
        };
        match parse(text, last) {
            Ok(saved) => Ok(Found::Registry(Arc::new(saved))),
            Err(Unreadable::Newer(source)) => {
                Err(StoreError::Version { path: self.path.join(name), source })
            }
            Err(Unreadable::Broken(why)) => Ok(Found::Broken(why)),
        }
    }

    /// What a file says; `None` where that is known.
    fn slurp(&self, name: &str, known: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
        let file = self.directory.open(name, Access::Read)?;
        // Nothing is known before the first reading, and an empty file is broken.
        let text = match known {
            [] => file.read(SIZE_MAX).map(Some),
            _ => file.read_unless(known, SIZE_MAX),
        };
        text.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }

    /// Replaces the registry that was there before. What is said to be for the disk has reached it when this
    /// returns, the copy of the ranges first.
    pub(super) fn commit(
        &self,
        registry: Registry,
        before: Arc<Saved>,
        ranges: Durability,
        state: Durability,
    ) -> Result<Arc<Saved>, StoreError> {
        if ranges == Durability::Disk {
            let ranges = Registry { instances: Vec::new(), ..registry.clone() };
            let text = render(&ranges, &Saved::default());
            self.replace_synced(RANGES, RANGES_NEW, text.as_ref())?;
        }
        // Nobody else has it, mostly: then its text becomes the new one.
        self.remember(&Arc::default());
        let text = match Arc::try_unwrap(before) {
            Ok(before) => rewrite(&registry, before),
            Err(before) => render(&registry, &before),
        };
        self.publish(&text, state)?;
        if state == Durability::Disk {
            self.sync_directory()?;
        }
        let written = Arc::new(Saved::written(registry, text));
        self.remember(&written);
        Ok(written)
    }

    /// What is read next is most probably this, or differs little from it.
    fn remember(&self, saved: &Arc<Saved>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(saved);
    }

    /// Says that the ranges are about to change. A crash or a full disk between the two files would leave
    /// ranges in the copy that the registry does not have, and nobody would notice until the copy is needed.
    pub(super) fn unsettle(&self, before: &Saved) -> Result<(), StoreError> {
        let unsettled = Registry { unsettled: true, ..before.registry.clone() };
        self.publish(&render(&unsettled, before), Durability::Cache)
    }

    /// Writes the spare file, and lets it change places with the one that is read.
    fn publish(&self, text: &Text, durability: Durability) -> Result<(), StoreError> {
        let write = |errno| self.failed("write", SPARE, errno);
        let spare = self.directory.open(SPARE, Access::Write).map_err(write)?;
        overwrite(&spare, text.as_ref()).map_err(write)?;
        if durability == Durability::Disk {
            spare.sync().map_err(|error| StoreError::at("sync", &self.path.join(SPARE), error))?;
        }
        let rename = |errno| self.failed("replace", STATE, errno);
        match self.directory.exchange(SPARE, STATE) {
            Ok(()) => Ok(()),
            // The first commit has nothing to exchange with; some file systems cannot exchange at all.
            Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                self.directory.rename(SPARE, STATE).map_err(rename)
            }
            Err(errno) => Err(rename(errno)),
        }
    }

    fn replace_synced(&self, name: &str, new: &str, text: &[u8]) -> Result<(), StoreError> {
        let write = |errno| self.failed("write", new, errno);
        let file = self.directory.open(new, Access::Write).map_err(write)?;
        overwrite(&file, text).map_err(write)?;
        // Not retried: after a failed fsync the pages count as clean, and a second one would lie.
        file.sync().map_err(|error| StoreError::at("sync", &self.path.join(new), error))?;
        self.directory.rename(new, name).map_err(|errno| self.failed("replace", name, errno))?;
        self.sync_directory()
    }

    fn sync_directory(&self) -> Result<(), StoreError> {
        self.directory.sync().map_err(|errno| StoreError::at("sync", self.path, errno.into()))
    }

    /// Moves a broken file out of the way and keeps it; the oldest of several goes.
    pub(super) fn set_aside(&self) -> Result<String, StoreError> {
        let name = |number| format!("{STATE}.broken.{number}");
        for number in (1..SET_ASIDE_MAX).rev() {
            let (from, to) = (name(number), name(number + 1));
            match self.directory.rename(&from, &to) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(self.failed("set aside", &from, errno)),
            }
        }
        match self.directory.rename(STATE, &name(1)) {
            Ok(()) | Err(Errno::NOENT) => Ok(name(1)),
            Err(errno) => Err(self.failed("set aside", STATE, errno)),
        }
    }

    /// Whether the durable copy of the ranges exists: then a missing state file is no first run.
    pub(super) fn has_ranges(&self) -> bool {
        self.directory.has(RANGES)
    }

    fn failed(&self, deed: &'static str, name: &str, errno: Errno) -> StoreError {
        StoreError::at(deed, &self.path.join(name), errno.into())
    }
}

/// Writes from the first byte on and cuts the rest. Never O_TRUNC: ext4 would flush the file then.
fn overwrite(file: &impl Stored, text: &[u8]) -> Result<(), Errno> {
    let written = file.write_at(text, 0).and_then(|()| file.set_length(text.len() as u64));
    written.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ports::Range, registry::AutoRange, store::storage::Disk};

    fn registry(seq: u64) -> Registry {
        let range = AutoRange {
            service_type: "grafana".parse().unwrap(),
            range: Range::known(10100, 10109),
            created: "2026-01-02T03:04:05Z".to_owned(),
            used: Some("2026-01-03T03:04:05Z".to_owned()),
        };
        Registry { seq, boot: "a-boot".to_owned(), ranges: vec![range], ..Registry::default() }
    }

    fn commit(files: &StateFile<'_, Disk>, seq: u64) -> Result<(), StoreError> {
        let before = Arc::default();
        files.commit(registry(seq), before, Durability::Cache, Durability::Cache).map(drop)
    }

    fn found(found: Found) -> Option<Registry> {
        match found {
            Found::Registry(saved) => Some(saved.registry.clone()),
            Found::Nothing | Found::Broken(_) => None,
        }
    }

    #[test]
    fn what_was_committed_is_read_and_the_ranges_have_a_copy() {
        let place = tempfile::tempdir().unwrap();
        let directory = Disk::open(place.path()).unwrap();
        let last = LastRead::default();
        let files = StateFile::new(&directory, place.path(), &last);
        assert!(matches!(files.read().unwrap(), Found::Nothing));
        for seq in 1..5 {
            let ranges = if seq == 1 { Durability::Disk } else { Durability::Cache };
            files.commit(registry(seq), Arc::default(), ranges, Durability::Cache).unwrap();
            assert_eq!(found(files.read_unlocked().unwrap()), Some(registry(seq)));
        }
        assert_eq!(found(files.read_ranges().unwrap()), Some(registry(1)));
    }

    #[test]
    fn a_shorter_registry_leaves_nothing_of_a_longer_one() {
        let place = tempfile::tempdir().unwrap();
        let directory = Disk::open(place.path()).unwrap();
        let last = LastRead::default();
        let files = StateFile::new(&directory, place.path(), &last);
        for seq in [u64::MAX, u64::MAX, 1, 2] {
            commit(&files, seq).unwrap();
        }
        assert_eq!(found(files.read().unwrap()), Some(registry(2)));
    }

    #[test]
    fn what_was_read_before_is_not_read_again_and_hides_no_damage() {
        let place = tempfile::tempdir().unwrap();
        let directory = Disk::open(place.path()).unwrap();
        let last = LastRead::default();
        let files = StateFile::new(&directory, place.path(), &last);
        let remembered = || Arc::clone(&last.lock().unwrap());
        commit(&files, 1).unwrap();
        assert_eq!(found(files.read().unwrap()), Some(registry(1)));
        let first = remembered();
        assert_eq!(found(files.read().unwrap()), Some(registry(1)));
        assert!(Arc::ptr_eq(&first, &remembered()));
        commit(&files, 2).unwrap();
        assert_eq!(found(files.read().unwrap()), Some(registry(2)));
        std::fs::write(place.path().join(STATE), "damaged").unwrap();
        assert!(matches!(files.read().unwrap(), Found::Broken(_)));
        std::fs::write(place.path().join(STATE), "").unwrap();
        assert!(matches!(files.read().unwrap(), Found::Broken(_)));
        std::fs::remove_file(place.path().join(STATE)).unwrap();
        assert!(matches!(files.read().unwrap(), Found::Nothing));
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("precious");
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, place.path().join(SPARE)).unwrap();
        let directory = Disk::open(place.path()).unwrap();
        let last = LastRead::default();
        let files = StateFile::new(&directory, place.path(), &last);
        assert!(commit(&files, 1).is_err());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn five_broken_files_are_kept() {
        let place = tempfile::tempdir().unwrap();
        let directory = Disk::open(place.path()).unwrap();
        let last = LastRead::default();
        let files = StateFile::new(&directory, place.path(), &last);
        for number in 0..8 {
            std::fs::write(place.path().join(STATE), number.to_string()).unwrap();
            files.set_aside().unwrap();
        }
        let kept: Vec<String> = (1..=6)
            .filter_map(|n| {
                std::fs::read_to_string(place.path().join(format!("{STATE}.broken.{n}"))).ok()
            })
            .collect();
        assert_eq!(kept, ["7", "6", "5", "4", "3"]);
    }
}

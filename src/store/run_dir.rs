//! `run/`: holding `<lockId>.lock` is being alive; the record and the socket lie beside it.
//!
//! A dead holder needs no release: the kernel drops its lock with it, however it died. Files are made and
//! removed under the state lock alone, and named by six random characters, so a name is never used twice.

use super::{
    error::StoreError,
    lock,
    record::{self, Record, Vitals},
    storage::{Access, Disk, Storage, Stored},
};
use crate::registry::LockId;
use rustix::io::Errno;
use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
};

/// Its name in the state directory.
const NAME: &str = "run";
/// Longer than any record: commands are bounded by the kernel's own limit for one argument list.
const RECORD_SIZE_MAX: u64 = 8 << 20;
/// A record that changes faster than it is read is not read.
const AGREE_TRIES_MAX: u32 = 5;

/// The directory `run/`, open.
#[derive(Debug)]
pub struct RunDirectory<S = Disk> {
    directory: S,
    path: PathBuf,
}

/// An instance's run files, held: while this value lives, the instance is alive.
#[derive(Debug)]
pub struct Held<S: Storage = Disk> {
    directory: S,
    lock_id: LockId,
    lock: S::File,
    record: Option<S::File>,
    vitals: Vitals,
    /// Whether the files go with this value.
    removes: bool,
}

impl RunDirectory {
    /// Its descriptor: sockets in it are reached as `/proc/self/fd/N/NAME`, whatever its path's length.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// What waits until nobody holds that instance's lock; over at once when it has no files.
    pub fn until_free(&self, lock_id: &LockId) -> impl FnOnce() + Send + 'static {
        let lock = self.open_lock(lock_id);
        move || {
            if let Ok(lock) = lock {
                // What cannot be waited for is met again in the next transaction.
                let _ = lock::until_free(&lock);
            }
        }
    }
}

impl<S: Storage> RunDirectory<S> {
    pub(super) fn open(state: &S, path: &Path) -> Result<Self, StoreError> {
        let directory = state.below(NAME).map_err(|error| StoreError::at("open", path, error))?;
        Ok(Self { directory, path: path.to_owned() })
    }

    /// Refuses when it was removed or exchanged since it was opened: the locks of the living lie elsewhere
    /// then, and all of them would look dead from here.
    pub(super) fn must_be_in(&self, state: &S) -> Result<(), StoreError> {
        if self.directory.is_below(state, NAME) {
            Ok(())
        } else {
            Err(StoreError::Exchanged { path: self.path.clone() })
        }
    }

    /// Makes the lock of a new instance and holds it.
    pub fn hold(&self, lock_id: LockId) -> Result<Held<S>, StoreError> {
        let name = format!("{lock_id}.lock");
        let failed = |error: io::Error| StoreError::at("make", &self.path.join(&name), error);
        let made = self.directory.open(&name, Access::New);
        let lock = made.map_err(|errno| failed(errno.into()))?;
        lock.hold().map_err(failed)?;
        Ok(Held {
            directory: self.directory.clone(),
            lock_id,
            lock,
            record: None,
            vitals: Vitals::starting(),
            removes: true,
        })
    }

    /// The same with the lockId of a reservation. What a run has left that died on its way to take it over goes:
    /// it had not begun. Under the state lock only.
    pub fn hold_reserved(&self, lock_id: LockId) -> Result<Held<S>, StoreError> {
        let left = self.open_lock(&lock_id);
        if left.is_ok_and(|lock| !lock.is_held().unwrap_or(true)) {
            self.remove(&lock_id);
        }
        self.hold(lock_id)
    }

    /// Takes over the files of a dead holder, so that its name and port stay until its leftovers are gone.
    /// `None`: it is alive after all, or its files are gone. Under the state lock only.
    pub fn take_over(&self, lock_id: &LockId) -> Option<Held<S>> {
        let lock = self.open_lock(lock_id).ok()?;
        if lock.is_held().ok()? {
            return None;
        }
        // Nobody but a reader's look can be in the way now: other reclaimers wait at the state lock.
        lock.hold().ok()?;
        let there = lock.has_name();
        let record = self.open_record(lock_id, Access::Update).ok();
        let vitals = self.read(lock_id).map_or_else(Vitals::starting, |record| record.vitals);
        let directory = self.directory.clone();
        let lock_id = lock_id.clone();
        let held = Held { directory, lock_id, lock, record, vitals, removes: false };
        there.then_some(held)
    }

    /// Whether somebody holds that instance's lock.
    pub fn is_alive(&self, lock_id: &LockId) -> bool {
        match self.open_lock(lock_id) {
            // A lock that cannot be asked counts as held: better a port too few than one twice.
            Ok(lock) => lock.is_held().unwrap_or(true),
            Err(Errno::NOENT) => false,
            Err(_) => true,
        }
    }

    /// What its supervisor knows of that instance.
    pub fn read(&self, lock_id: &LockId) -> Option<Record> {
        let mut last = self.slurp(lock_id)?;
        for _ in 0..AGREE_TRIES_MAX {
            let again = self.slurp(lock_id)?;
            if again == last {
                return record::parse(&again);
            }
            last = again;
        }
        None
    }

    fn slurp(&self, lock_id: &LockId) -> Option<Vec<u8>> {
        self.open_record(lock_id, Access::Read).ok()?.read(RECORD_SIZE_MAX).ok()
    }

    /// Every lockId that has files here, in no order.
    pub fn lock_ids(&self) -> io::Result<Vec<LockId>> {
        let names = self.directory.names()?;
        let locks = names.iter().filter_map(|name| name.strip_suffix(".lock"));
        Ok(locks.filter_map(|name| name.parse().ok()).collect())
    }

    /// Removes the files of a dead instance. Under the state lock only.
    pub fn remove(&self, lock_id: &LockId) {
        remove(&self.directory, lock_id);
    }

    fn open_lock(&self, lock_id: &LockId) -> Result<S::File, Errno> {
        // For reading: who may look need not be allowed to hold.
        self.directory.open(&format!("{lock_id}.lock"), Access::Read)
    }

    fn open_record(&self, lock_id: &LockId, access: Access) -> Result<S::File, Errno> {
        self.directory.open(&format!("{lock_id}.json"), access)
    }
}

/// The last file goes last: while the lock file is there, the others can be found by its name.
fn remove<S: Storage>(directory: &S, lock_id: &LockId) {
    for suffix in ["sock", "json", "lock"] {
        // What cannot be removed is litter for `cleanup`, not a reason to fail an instance's end.
        let _ = directory.unlink(&format!("{lock_id}.{suffix}"));
    }
}

impl Held {
    /// Where the child writes its own pid and start, see [`record::LEADER_OFFSET`].
    pub fn leader_slot(&self) -> Option<(BorrowedFd<'_>, i64)> {
        self.record.as_ref().map(|file| (file.as_fd(), record::LEADER_OFFSET))
    }
}

impl<S: Storage> Held<S> {
    /// Whose files these are.
    pub fn lock_id(&self) -> &LockId {
        &self.lock_id
    }

    /// Writes the record of a new instance.
    pub fn write(&mut self, record: &Record) -> Result<(), StoreError> {
        let name = format!("{}.json", self.lock_id);
        let failed =
            |error: io::Error| StoreError::at("write the run file", Path::new(&name), error);
        let made = self.directory.open(&name, Access::Write);
        let file = made.map_err(|errno| failed(errno.into()))?;
        let text = record::render(record);
        file.write_at(text.as_bytes(), 0).map_err(failed)?;
        file.set_length(text.len() as u64).map_err(failed)?;
        self.vitals = record.vitals;
        self.record = Some(file);
        Ok(())
    }

    /// Listens on the instance's socket; before its row is published, so that nobody finds it silent.
    pub fn listen(&self) -> Result<UnixListener, StoreError> {
        let name = format!("{}.sock", self.lock_id);
        let failed = |error| StoreError::at("listen on the run socket", Path::new(&name), error);
        self.directory.listen(&name).map_err(failed)
    }

    /// What changes during a life, as last written.
    pub fn vitals(&self) -> Vitals {
        self.vitals
    }

    /// Changes the vitals, by one write in place. A full disk cannot stop it: nothing grows.
    pub fn update(&mut self, change: impl FnOnce(&mut Vitals)) {
        let before = self.vitals;
        change(&mut self.vitals);
        if before != self.vitals
            && let Some(file) = &self.record
        {
            // What cannot be shown must not end the instance; its life does not hang on this file.
            let _ = file.write_at(self.vitals.render().as_bytes(), 0);
        }
    }

    /// Leaves the files where they are when this value goes: what they tell is still true.
    pub fn leave_files(&mut self) {
        self.removes = false;
    }

    /// Takes the files away with this value, also when they were another's before.
    pub fn remove_files(&mut self) {
        self.removes = true;
    }
}

impl<S: Storage> Drop for Held<S> {
    fn drop(&mut self) {
        if self.removes {
            remove(&self.directory, &self.lock_id);
        }
        // The lock goes with its descriptor, after the files.
        let _ = &self.lock;
    }
}

/// A path to a file of that directory, short whatever the directory's own path: the kernel takes at most
/// 108 bytes for a socket's.
pub fn in_directory(directory: BorrowedFd<'_>, name: &str) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{registry::Phase, store::record::tests::details};

    fn run() -> (tempfile::TempDir, RunDirectory) {
        let place = tempfile::tempdir().unwrap();
        let state = Disk::open(place.path()).unwrap();
        let run = RunDirectory::open(&state, &place.path().join("run")).unwrap();
        (place, run)
    }

    fn lock_id() -> LockId {
        "ai-rag-7f3k2m".parse().unwrap()
    }

    #[test]
    fn holding_the_lock_is_being_alive_and_the_files_go_with_it() {
        let (place, run) = run();
        assert!(!run.is_alive(&lock_id()));
        let mut held = run.hold(lock_id()).unwrap();
        let record = Record { vitals: Vitals::starting(), details: details("ai-rag-7f3k2m") };
        held.write(&record).unwrap();
        let _socket = held.listen().unwrap();
        assert!(run.is_alive(&lock_id()));
        assert_eq!(run.lock_ids().unwrap(), [lock_id()]);
        held.update(|vitals| vitals.phase = Phase::Ready);
        assert_eq!(run.read(&lock_id()).unwrap().vitals.phase, Phase::Ready);
        drop(held);
        assert!(!run.is_alive(&lock_id()));
        assert_eq!(std::fs::read_dir(place.path().join("run")).unwrap().count(), 0);
    }

    #[test]
    fn a_dead_holder_is_taken_over_and_a_living_one_is_not() {
        let (_place, run) = run();
        let mut held = run.hold(lock_id()).unwrap();
        assert!(run.take_over(&lock_id()).is_none());
        held.leave_files();
        drop(held);
        assert!(!run.is_alive(&lock_id()));
        let mut reclaimer = run.take_over(&lock_id()).unwrap();
        assert!(run.is_alive(&lock_id()));
        assert!(run.take_over(&lock_id()).is_none());
        reclaimer.remove_files();
        drop(reclaimer);
        assert!(run.take_over(&lock_id()).is_none());
    }

    #[test]
    fn a_socket_is_reached_however_deep_the_directory_lies() {
        let place = tempfile::tempdir().unwrap();
        let deep =
            (0..20).fold(place.path().to_owned(), |path, _| path.join("a-long-directory-name"));
        std::fs::create_dir_all(&deep).unwrap();
        let state = Disk::open(&deep).unwrap();
        let run = RunDirectory::open(&state, &deep.join("run")).unwrap();
        let held = run.hold(lock_id()).unwrap();
        let _listener = held.listen().unwrap();
        let path = in_directory(run.as_fd(), &format!("{}.sock", lock_id()));
        std::os::unix::net::UnixStream::connect(path).unwrap();
    }
}

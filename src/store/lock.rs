//! The state lock, with a deadline and the holder's name; and the calls for run locks.
//!
//! The lock is a file of its own that is never renamed, unlinked or written: a rename over a locked file
//! would let a second locker in. Locks are plain flock(2): one lock whoever takes it, gone with the last
//! copy of the descriptor. They are never unlocked by a call, since that would free every copy.

use super::{
    error::StoreError,
    file::STATE,
    storage::{Access, Disk, Storage, Stored},
};
use crate::os::{clock, process, signals};
use fs2::FileExt;
use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::mpsc,
    time::{Duration, SystemTime},
};

/// How long one holder is waited for: far longer than any of them needs. A queue that moves is no reason to
/// give up, since the kernel serves it in order.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long is waited in all.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(60);
/// When it is said that it waits, and for whom.
pub const NOTICE_AFTER: Duration = Duration::from_secs(1);
/// The lock file.
const NAME: &str = "state.lock";

/// Told once, when the lock has not been free for a second.
pub type Waiting<'a> = dyn Fn(&str) + 'a;

/// The state lock, held until it is dropped.
#[derive(Debug)]
pub struct StateLock {
    /// None where nobody else can be.
    _file: Option<File>,
    /// How long it took to get.
    pub(super) waited: Duration,
}

impl StateLock {
    /// The lock of a directory that nobody shares.
    pub(super) fn unshared() -> Self {
        Self { _file: None, waited: Duration::ZERO }
    }

    /// Takes the lock of a state directory.
    pub(super) fn take(
        directory: &Disk,
        path: &Path,
        notice: &Waiting<'_>,
    ) -> Result<Self, StoreError> {
        let path = path.join(NAME);
        let began = clock::now();
        let failed = |error| StoreError::at("lock", &path, error);
        let waited = || clock::now().duration_since(began);
        let mut has_waited = false;
        loop {
            let file = open(directory).map_err(|error| StoreError::at("open", &path, error))?;
            let file = if try_exclusive(&file).map_err(failed)? {
                file
            } else {
                has_waited = true;
                wait(file, &path, notice, &waited).map_err(|error| match error {
                    Some(error) => failed(error),
                    None => {
                        // In whole seconds, as people count.
                        let waited = Duration::from_secs(waited().as_secs());
                        let holder = holder(&path).map(|holder| holder.to_string());
                        StoreError::Locked { path: path.clone(), waited, holder }
                    }
                })?
            };
            // Somebody may have removed the directory's files meanwhile: who comes next locks a new one.
            if file.has_name() {
                let waited = if has_waited { waited() } else { Duration::ZERO };
                return Ok(Self { _file: Some(file), waited });
            }
        }
    }

    /// Takes it for reading: for those whose unlocked reads kept meeting a writer.
    pub(super) fn share(directory: &Disk, path: &Path) -> Result<Self, StoreError> {
        let path = path.join(NAME);
        let failed = |error| StoreError::at("lock", &path, error);
        let file = open(directory).map_err(failed)?;
        let began = clock::now();
        retried(|| fs2::FileExt::lock_shared(&file)).map_err(failed)?;
        Ok(Self { _file: Some(file), waited: clock::now().duration_since(began) })
    }
}

fn open(directory: &Disk) -> io::Result<File> {
    Ok(directory.open(NAME, Access::Write)?)
}

/// Waits in a second thread, since a blocking flock has no deadline of its own. `None`: too long.
fn wait(
    file: File,
    path: &Path,
    notice: &Waiting<'_>,
    waited: &dyn Fn() -> Duration,
) -> Result<File, Option<io::Error>> {
    let (done, result) = mpsc::sync_channel(1);
    // With every signal blocked: a SIGCHLD that this thread took would never reach the supervisor.
    let work = move || {
        let locked = retried(|| fs2::FileExt::lock_exclusive(&file));
        // Nobody listens any more when the deadline has passed; then the file is closed here.
        let _ = done.send(locked.map(|()| file));
    };
    let spawn = || std::thread::Builder::new().stack_size(64 * 1024).spawn(work);
    signals::all_blocked(spawn).and_then(|spawned| spawned).map_err(Some)?;
    if let Ok(locked) = result.recv_timeout(NOTICE_AFTER) {
        return locked.map_err(Some);
    }
    let mut seen = Queue::look(path);
    let unseen = || "it is held by a process that cannot be seen".to_owned();
    notice(&holder(path).map_or_else(unseen, |holder| holder.to_string()));
    let mut patience = PATIENCE - NOTICE_AFTER;
    loop {
        if let Ok(locked) = result.recv_timeout(patience) {
            return locked.map_err(Some);
        }
        let now = Queue::look(path);
        if !now.has_moved_since(&seen) || waited() >= PATIENCE_IN_ALL {
            return Err(None);
        }
        (seen, patience) = (now, PATIENCE);
    }
}

/// By what it is seen that those in front come to their end.
struct Queue {
    /// Which file the registry is in, and since when: most holders write it.
    written: Option<(u64, SystemTime)>,
    /// Who holds the lock. Where many wait, the kernel's list of locks changes while it is read.
    holder: Option<i32>,
}

impl Queue {
    fn look(lock: &Path) -> Self {
        let state = std::fs::metadata(lock.with_file_name(STATE)).ok();
        let written = state.and_then(|state| Some((state.ino(), state.modified().ok()?)));
        Self { written, holder: holder_pid(lock) }
    }

    fn has_moved_since(&self, earlier: &Self) -> bool {
        let another = |(now, then)| now != then;
        self.written != earlier.written || self.holder.zip(earlier.holder).is_some_and(another)
    }
}

/// Who holds the state lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process.
    pub pid: i32,
    /// Its command line.
    pub command: String,
    /// A signal has stopped it.
    pub is_stopped: bool,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, command, is_stopped } = self;
        let state = if *is_stopped { ", which is stopped" } else { "" };
        write!(out, "it is held by pid {pid} ({command}){state}")
    }
}

/// Who holds the lock of that state directory; `None` from another PID namespace, and while it is free.
pub(super) fn holder_in_directory(path: &Path) -> Option<LockHolder> {
    holder(&path.join(NAME))
}

fn holder(path: &Path) -> Option<LockHolder> {
    let pid = holder_pid(path)?;
    let command = process::command_line(pid).map(|words| words.join(" ")).unwrap_or_default();
    let is_stopped = process::read_stat(pid).is_ok_and(|stat| matches!(stat.state, b'T' | b't'));
    Some(LockHolder { pid, command, is_stopped })
}

/// Who waits for the lock of that state directory, as far as it can be seen.
pub(super) fn waiters_in_directory(path: &Path) -> Vec<i32> {
    let path = path.join(NAME);
    let all = || {
        let (inode, table) = (path.metadata().ok()?.ino(), locks()?);
        Some(table.lines().filter_map(|line| waiter_in(line, inode)).collect())
    };
    all().unwrap_or_default()
}

fn holder_pid(path: &Path) -> Option<i32> {
    let inode = path.metadata().ok()?.ino();
    locks()?.lines().find_map(|line| holder_in(line, inode))
}

/// The kernel's list of locks, and of those who wait for one.
fn locks() -> Option<String> {
    std::fs::read_to_string("/proc/locks").ok()
}

/// The pid in a line of `/proc/locks` that is a flock held on that inode (waiters have an arrow).
fn holder_in(line: &str, inode: u64) -> Option<i32> {
    pid_in(line.split_whitespace().skip(1), inode)
}

fn waiter_in(line: &str, inode: u64) -> Option<i32> {
    let mut words = line.split_whitespace().skip(1);
    if words.next()? == "->" { pid_in(words, inode) } else { None }
}

/// From `FLOCK  ADVISORY  WRITE 1234 00:1c:567 0 EOF`.
fn pid_in<'a>(mut words: impl Iterator<Item = &'a str>, inode: u64) -> Option<i32> {
    if words.next()? != "FLOCK" {
        return None;
    }
    let pid = words.nth(2)?.parse().ok()?;
    let (_, found) = words.next()?.rsplit_once(':')?;
    (found.parse() == Ok(inode)).then_some(pid)
}

/// Takes an exclusive lock if nobody else has one.
pub(super) fn try_exclusive(file: &File) -> io::Result<bool> {
    held_or_not(retried(|| fs2::FileExt::try_lock_exclusive(file)))
}

/// Takes an exclusive lock that is free but for those who just look.
pub(super) fn exclusive(file: &File) -> io::Result<()> {
    retried(|| file.lock_exclusive())
}

/// Whether somebody holds an exclusive lock. Shared, so that two who look do not see each other.
pub(super) fn is_held(file: &File) -> io::Result<bool> {
    held_or_not(retried(|| fs2::FileExt::try_lock_shared(file))).map(|free| !free)
}

/// Waits until nobody holds an exclusive lock any more.
pub(super) fn until_free(file: &File) -> io::Result<()> {
    retried(|| fs2::FileExt::lock_shared(file))
}

fn held_or_not(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Neither fs2 nor std retries a lock that a signal interrupted.
fn retried(lock: impl Fn() -> io::Result<()>) -> io::Result<()> {
    loop {
        match lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stds_lock_and_this_one_are_the_same_lock() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        let ours = File::create(&path).unwrap();
        let theirs = File::open(&path).unwrap();
        assert!(try_exclusive(&ours).unwrap());
        assert!(theirs.try_lock().is_err());
        drop(ours);
        theirs.try_lock().unwrap();
        assert!(is_held(&File::open(&path).unwrap()).unwrap());
    }

    #[test]
    fn two_who_look_do_not_see_each_other() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        let one = File::create(&path).unwrap();
        let other = File::open(&path).unwrap();
        assert!(!is_held(&one).unwrap());
        assert!(!is_held(&other).unwrap());
    }

    #[test]
    fn who_waits_gets_the_lock_when_it_is_free_and_the_holder_is_named() {
        let place = tempfile::tempdir().unwrap();
        let directory = Disk::open(place.path()).unwrap();
        let held = StateLock::take(&directory, place.path(), &|_| {}).unwrap();
        let named = holder_in_directory(place.path()).unwrap().to_string();
        assert!(named.contains(&format!("pid {}", std::process::id())), "{named}");
        let waiter = std::thread::scope(|scope| {
            let waiter = scope.spawn(|| StateLock::take(&directory, place.path(), &|_| {}));
            drop(held);
            waiter.join().unwrap()
        });
        assert!(waiter.is_ok());
    }

    #[test]
    fn only_the_holders_line_names_a_holder() {
        let held = "4: FLOCK  ADVISORY  WRITE 1234 00:1c:567 0 EOF";
        assert_eq!(holder_in(held, 567), Some(1234));
        assert_eq!(holder_in(held, 568), None);
        let waits = "4: -> FLOCK  ADVISORY  WRITE 99 00:1c:567 0 EOF";
        assert_eq!(holder_in(waits, 567), None);
        assert_eq!((waiter_in(waits, 567), waiter_in(waits, 568)), (Some(99), None));
        assert_eq!((waiter_in(held, 567), waiter_in("", 1)), (None, None));
        assert_eq!(holder_in("1: POSIX  ADVISORY  WRITE 7 00:1c:567 0 EOF", 567), None);
        assert_eq!(holder_in("", 1), None);
    }
}

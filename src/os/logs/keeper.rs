//! Keeps the log of a running child small: copies what is in it, and takes that away from its beginning.
//!
//! A log that nobody writes costs nothing: the kernel says when it grows (inotify), and after each look
//! it is let be for a moment, so a child that writes without end is looked at some dozen times a second.
//! Where the file system can remove the beginning of a file (ext4, XFS) no byte is lost, whatever is
//! written meanwhile. Elsewhere the file is cut to nothing right after a read has found no more: what is
//! written between these two calls is lost, and there is no way to keep it.

use super::{
    make,
    marks::{self, Marks},
    open, place,
};
use crate::{
    config::{Rotation, TypeName},
    os::clock,
};
use nix::{
    errno::Errno,
    fcntl::{AtFlags, FallocateFlags, OFlag, fallocate, renameat},
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        stat::fstatat,
    },
    unistd::{UnlinkatFlags, unlinkat},
};
use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    time::{Duration, Instant},
};

/// So much is written in a second at most, it is assumed, when the next look is planned.
const GROWTH_PER_SECOND: u64 = 256 << 20;
/// A log that is almost full is not looked at more often.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// One that is far from it is looked at so much later.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Where the kernel has no watch left, so often has to do.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// What failed (a full disk) is not tried again before.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);
/// So much is copied before something else has its turn.
const SLICE_BYTES: u64 = 4 << 20;
/// A reader that holds us off so many times was stopped while it looked, and may never go on.
const REFUSALS_MAX: u32 = 200;
/// A log that is written faster than it is copied is cut after so many slices.
const CATCH_UP_MAX: u32 = 64;

/// The log of one child, watched and cut.
#[derive(Debug)]
pub struct Keeper {
    folder: File,
    name: String,
    log: File,
    rotation: Rotation,
    notices: Option<Inotify>,
    /// Its length when it was last looked at.
    seen: u64,
    copy: Option<Copy>,
    /// How often in a row a reader has held off a cut.
    refusals: u32,
    marks: Marks,
    /// Until then it is let be.
    rests_until: Option<Instant>,
}

/// A copy under way.
#[derive(Debug)]
struct Copy {
    file: File,
    /// So much of the log's beginning is copied, and then removed.
    length: u64,
    done: u64,
}

/// When a log is to be looked at.
#[derive(Debug)]
pub enum Wake<'a> {
    /// When this is readable.
    Readable(BorrowedFd<'a>),
    /// At that moment.
    At(Instant),
}

/// What a look asks for.
enum Next {
    /// To be told when it grows.
    Notice,
    /// To look again after a while.
    After(Duration),
}

impl Keeper {
    /// Keeps that log, which is there already.
    pub fn new(
        state: impl AsFd,
        service_type: &TypeName,
        name: &str,
        rotation: Rotation,
        now: Instant,
    ) -> io::Result<Self> {
        let (folder, name) = place(state, service_type, name)?;
        let log = open(folder.as_fd(), &name, OFlag::O_RDWR)?;
        let seen = log.metadata()?.len();
        let notices = watched(&log).ok();
        // What another life left is looked at at once, if it is too much.
        let rests_until = (seen > rotation.size.bytes()).then_some(now);
        let (folder, mut marks) = (File::from(folder), Marks::new(&name));
        if seen > 0 {
            // What another life has written came before this one.
            marks.mark(&folder, seen, now);
        }
        Ok(Self {
            folder,
            name,
            log,
            rotation,
            notices,
            seen,
            copy: None,
            refusals: 0,
            marks,
            rests_until,
        })
    }

    /// When it is to be tended next.
    pub fn wake(&self, now: Instant) -> Wake<'_> {
        match (self.rests_until, &self.notices) {
            (Some(until), _) => Wake::At(until),
            (None, Some(notices)) => Wake::Readable(notices.as_fd()),
            (None, None) => Wake::At(now + LOOK_EVERY),
        }
    }

    /// Looks at the log, and cuts it if it has become too long.
    pub fn tend(&mut self, now: Instant) {
        if let Some(notices) = &self.notices {
            // Before the look: what comes after it is a notice again.
            let _ = notices.read_events();
        }
        let next = self.look(now).unwrap_or_else(|_| {
            // Nobody is there to be told; the log is whole, and grows.
            self.copy = None;
            Next::After(TROUBLE_PAUSE)
        });
        if self.marks.due(self.seen, now).is_some_and(|due| due <= now) {
            self.marks.mark(&self.folder, self.seen, now);
        }
        self.rests_until = match next {
            Next::Notice => self.marks.due(self.seen, now),
            Next::After(pause) => Some(now + pause),
        };
    }

    fn look(&mut self, now: Instant) -> io::Result<Next> {
        let length = self.log.metadata()?.len();
        let limit = self.rotation.size.bytes();
        if self.copy.is_none() && length <= limit {
            let has_grown = std::mem::replace(&mut self.seen, length) != length;
            return Ok(if has_grown { Next::After(pause(limit - length)) } else { Next::Notice });
        }
        if !self.copied(length)? {
            return Ok(Next::After(Duration::ZERO));
        }
        match self.folder.try_lock() {
            Ok(()) => {}
            // Somebody looks for its place. That takes no longer than a moment.
            Err(TryLockError::WouldBlock) if self.refusals < REFUSALS_MAX => {
                self.refusals += 1;
                return Ok(Next::After(PAUSE_MIN));
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        self.refusals = 0;
        let cut = self.cut(now);
        // It goes with the descriptor at the latest.
        let _ = self.folder.unlock();
        cut?;
        self.seen = self.log.metadata()?.len();
        Ok(Next::After(pause(limit.saturating_sub(self.seen))))
    }

    /// Copies one slice more. Whether that was the last one.
    fn copied(&mut self, length: u64) -> io::Result<bool> {
        if self.rotation.keep == 0 {
            return Ok(true);
        }
        let copy = match &mut self.copy {
            Some(copy) => copy,
            none => {
                let name = format!("{}.new", self.name);
                // A killed supervisor's.
                remove(&self.folder, &name)?;
                let file = make(self.folder.as_fd(), &name, OFlag::O_WRONLY)?;
                self.log.rewind()?;
                let block = self.log.metadata()?.blksize().max(1);
                // Whole blocks can be removed, but never all that there is.
                let length = length.saturating_sub(1) / block * block;
                none.insert(Copy { file, length, done: 0 })
            }
        };
        let slice = SLICE_BYTES.min(copy.length - copy.done);
        let got = io::copy(&mut (&self.log).take(slice), &mut &copy.file)?;
        copy.done += got;
        // Less than was asked for: somebody else has cut it.
        Ok(got < slice || copy.done == copy.length)
    }

    /// Gives the copy its name, and removes from the log what is in it. Readers look for a new copy after
    /// each read of the log, so the name comes first.
    fn cut(&mut self, now: Instant) -> io::Result<()> {
        let of = |name: &str| format!("{name}{}", marks::SUFFIX);
        // All of the copy was written by now, and the marks go with it.
        let length = self.log.metadata()?.len();
        let mut marks = std::mem::replace(&mut self.marks, Marks::new(&self.name));
        marks.mark(&self.folder, length, now);
        let Some(copy) = self.copy.take() else {
            remove(&self.folder, &of(&self.name))?;
            return self.log.set_len(0);
        };
        self.make_room()?;
        let youngest = format!("{}.1", self.name);
        // One that was not written is not missed.
        let _ = rename(&self.folder, &of(&self.name), &of(&youngest));
        rename(&self.folder, &format!("{}.new", self.name), &youngest)?;
        if copy.length > 0 && remove_beginning(&self.log, copy.length).is_ok() {
            return Ok(());
        }
        for _ in 0..CATCH_UP_MAX {
            if io::copy(&mut (&self.log).take(SLICE_BYTES), &mut &copy.file)? == 0 {
                break;
            }
        }
        self.log.set_len(0)
    }

    /// Every copy gets the next number; the oldest goes.
    fn make_room(&self) -> io::Result<()> {
        let keep = self.rotation.keep;
        let name = |number: u32| format!("{}.{number}", self.name);
        let times = |number: u32| format!("{}.{number}{}", self.name, marks::SUFFIX);
        let is_there = |number: &u32| {
            fstatat(&self.folder, name(*number).as_str(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
        };
        // More were kept once.
        for number in (keep.saturating_add(1)..).take_while(is_there) {
            remove(&self.folder, &name(number))?;
            remove(&self.folder, &times(number))?;
        }
        // Where a crash left a number free, the older ones stay where they are.
        let free = (1..=keep).find(|number| !is_there(number));
        for number in (1..free.unwrap_or(keep)).rev() {
            rename(&self.folder, &name(number), &name(number + 1))?;
            // What the other one was marked with says nothing of this one.
            if rename(&self.folder, &times(number), &times(number + 1)).is_err() {
                remove(&self.folder, &times(number + 1))?;
            }
        }
        Ok(())
    }
}

impl Drop for Keeper {
    /// What was written last is marked too.
    fn drop(&mut self) {
        let now = clock::now();
        if let Ok(metadata) = self.log.metadata()
            && self.marks.due(metadata.len(), now).is_some()
            && metadata.len() > 0
        {
            self.marks.mark(&self.folder, metadata.len(), now);
        }
    }
}

/// How long a log with so much room may be let be.
fn pause(room: u64) -> Duration {
    let nanos = u128::from(room) * 1_000_000_000 / u128::from(GROWTH_PER_SECOND);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).clamp(PAUSE_MIN, PAUSE_MAX)
}

/// Removes the beginning of a file in one step, whoever appends to it meanwhile.
fn remove_beginning(file: &File, length: u64) -> nix::Result<()> {
    let length = i64::try_from(length).map_err(|_| Errno::EFBIG)?;
    fallocate(file, FallocateFlags::FALLOC_FL_COLLAPSE_RANGE, 0, length)
}

fn watched(log: &File) -> nix::Result<Inotify> {
    use std::os::fd::AsRawFd;
    let notices = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    // By its descriptor, so it is this file whatever has its name.
    let path = format!("/proc/self/fd/{}", log.as_raw_fd());
    notices.add_watch(path.as_str(), AddWatchFlags::IN_MODIFY)?;
    Ok(notices)
}

fn rename(folder: &File, from: &str, to: &str) -> io::Result<()> {
    Ok(renameat(folder, from, folder, to)?)
}

fn remove(folder: &File, name: &str) -> io::Result<()> {
    match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::ENOENT) => Ok(()),
        removed => Ok(removed?),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Reader, log_path, numbered,
            tests::{dev, open_in},
        },
        *,
    };
    use crate::os::wait_set::{Interest, WaitSet};
    use std::{
        fmt::Write as _,
        fs,
        io::Write,
        path::{Path, PathBuf},
    };
    use tempfile::TempDir;

    /// A log of that size and its keeper.
    fn kept(place: &TempDir, size: &str, keep: u32) -> (File, Keeper, PathBuf) {
        let log = open_in(place, "web").unwrap();
        let rotation = Rotation { size: size.parse().unwrap(), keep };
        let state = File::open(place.path()).unwrap();
        let keeper = Keeper::new(state, &dev(), "web", rotation, clock::now()).unwrap();
        (log, keeper, log_path(place.path(), &dev(), "web"))
    }

    /// Tends it until it wants to be told of the next growth.
    fn tend(keeper: &mut Keeper) {
        let mut now = clock::now();
        loop {
            keeper.tend(now);
            match keeper.wake(now) {
                Wake::Readable(_) => return,
                Wake::At(moment) => now = moment,
            }
        }
    }

    fn text(path: &Path) -> String {
        let mut reader = Reader::of_last_lines(path, usize::MAX).unwrap();
        let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => return String::from_utf8(text).unwrap(),
                length => text.extend_from_slice(&buffer[..length]),
            }
        }
    }

    fn lines(numbers: std::ops::Range<u32>) -> String {
        let mut text = String::new();
        numbers.for_each(|number| writeln!(text, "line number {number:08}").unwrap());
        text
    }

    fn check_cuts(place: &TempDir) {
        let (mut log, mut keeper, path) = kept(place, "16KiB", 3);
        let mut sum = 0;
        for _ in 0..5 {
            log.write_all(lines(sum..sum + 1000).as_bytes()).unwrap();
            sum += 1000;
            tend(&mut keeper);
            assert!(path.metadata().unwrap().len() <= 16 * 1024);
        }
        let kept = text(&path);
        // Five were cut off, three are there, and what is there has no gap.
        assert!(!numbered(&path, 4).exists() && numbered(&path, 3).exists());
        assert!(lines(0..sum).ends_with(&kept) && kept.len() > 3 * 16 * 1024, "{}", kept.len());
    }

    #[test]
    fn a_log_is_cut_without_a_gap() {
        check_cuts(&tempfile::tempdir().unwrap());
    }

    #[test]
    fn where_no_beginning_can_be_removed_a_log_is_cut_to_nothing() {
        // Of all file systems that are everywhere, tmpfs is one.
        check_cuts(&tempfile::tempdir_in("/dev/shm").unwrap());
    }

    #[test]
    fn what_is_written_between_copying_and_cutting_is_kept() {
        for place in [tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap()] {
            let (mut log, mut keeper, path) = kept(&place, "16KiB", 1);
            log.write_all(lines(0..2000).as_bytes()).unwrap();
            let mut reader = Reader::of_last_lines(&path, usize::MAX).unwrap();
            let mut read = vec![0; 1000];
            reader.read(&mut read).unwrap();
            while !keeper.copied(log.metadata().unwrap().len()).unwrap() {}
            log.write_all(lines(2000..2010).as_bytes()).unwrap();
            let mut ahead = Reader::of_last_lines(&path, 5).unwrap();
            assert_eq!(ahead.read(&mut [0; 4096]).unwrap(), lines(2005..2010).len());

            tend(&mut keeper);

            assert!(path.metadata().unwrap().len() < 16 * 1024);
            assert!(text(&path) == lines(0..2010));
            // Who had begun before the cut goes on where it was.
            let rest = reader.last_lines(usize::MAX).unwrap().join("\n") + "\n";
            assert!(String::from_utf8(read).unwrap() + &rest == lines(0..2010));
            // Who had read more than was cut off reads nothing twice.
            log.write_all(b"more\n").unwrap();
            assert_eq!(ahead.last_lines(9).unwrap(), ["more"]);
        }
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_to_be() {
        let place = tempfile::tempdir().unwrap();
        let (mut log, mut keeper, path) = kept(&place, "16KiB", 0);
        log.write_all(lines(0..1000).as_bytes()).unwrap();
        tend(&mut keeper);
        log.write_all(b"more\n").unwrap();
        assert_eq!(text(&path), "more\n");
        assert!(!numbered(&path, 1).exists() && !path.with_extension("log.new").exists());
    }

    #[test]
    fn what_a_killed_keeper_left_is_in_nobodys_way() {
        let place = tempfile::tempdir().unwrap();
        let (mut log, mut keeper, path) = kept(&place, "16KiB", 2);
        fs::write(path.with_extension("log.new"), "half a copy").unwrap();
        fs::write(numbered(&path, 2), "older\n").unwrap();
        log.write_all(lines(0..1000).as_bytes()).unwrap();
        tend(&mut keeper);
        assert!(text(&path) == format!("older\n{}", lines(0..1000)));
        assert_eq!(fs::read_to_string(numbered(&path, 2)).unwrap(), "older\n");
    }

    #[test]
    fn a_log_that_nobody_writes_wakes_nobody() {
        let place = tempfile::tempdir().unwrap();
        let (mut log, mut keeper, _) = kept(&place, "16KiB", 2);
        let is_ready = |keeper: &Keeper| {
            let now = clock::now();
            let Wake::Readable(grown) = keeper.wake(now) else { return None };
            let mut set = WaitSet::new();
            set.add((), grown, Interest::Readable);
            Some(set.wait(Some(now)).unwrap().count() > 0)
        };
        assert_eq!(is_ready(&keeper), Some(false));
        log.write_all(b"a line\n").unwrap();
        assert_eq!(is_ready(&keeper), Some(true));
        keeper.tend(clock::now());
        assert_eq!(is_ready(&keeper), None, "it rests");
        tend(&mut keeper);
        assert_eq!(is_ready(&keeper), Some(false));
    }
}

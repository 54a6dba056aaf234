//! A log as it grows: the kernel says when there may be more. Waiting for that is left to others.

use super::{Begin, Reader, identity};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

/// A log that is read as it grows. It is ready to be read when its descriptor is readable, and may
/// be cut, replaced, or not there yet.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    notices: Inotify,
    watch: Option<(WatchDescriptor, (u64, u64))>,
    reader: Reader,
}

impl Follow {
    /// Begins so many lines before the end. The folder has to be there, the file need not.
    pub fn start(path: &Path, lines: usize) -> io::Result<Self> {
        Self::new(path, Begin { lines, since: None })
    }

    /// Begins there. What is there already is read before the first wait.
    pub fn new(path: &Path, begin: Begin) -> io::Result<Self> {
        let notices = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        // First the folder, then what is in it: so no replacement is missed.
        let folder = path.parent().unwrap_or(Path::new("."));
        notices.add_watch(folder, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO)?;
        let reader = Reader::new(path, begin)?;
        let mut follow = Self { path: path.to_owned(), notices, watch: None, reader };
        // Who waits before reading hears of what is written from now on.
        follow.watch_anew()?;
        Ok(follow)
    }

    /// Reads on. Nothing read means: wait for the descriptor, then come again.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Before looking, so that whatever comes after the look is a notice again. That there is
        // none, or more than one reading takes, is fine: the wait tells.
        let _ = self.notices.read_events();
        loop {
            match self.reader.read(buffer)? {
                0 if self.watch_anew()? => {}
                length => return Ok(length),
            }
        }
    }

    /// Watches what is read now, if that is another file than before.
    fn watch_anew(&mut self) -> io::Result<bool> {
        let Some(log) = self.reader.current_log() else { return Ok(false) };
        let found = identity(&log.metadata()?);
        if self.watch.is_some_and(|(_, known)| known == found) {
            return Ok(false);
        }
        if let Some((watch, _)) = self.watch.take() {
            // The kernel has dropped it already if the file is gone.
            let _ = self.notices.rm_watch(watch);
        }
        let changes = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_DONT_FOLLOW;
        // Replaced once more in between, it is reported by the folder's watch.
        self.watch = self.notices.add_watch(&self.path, changes).ok().map(|watch| (watch, found));
        Ok(self.watch.is_some())
    }
}

impl AsFd for Follow {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            log_path,
            tests::{dev, open_in},
        },
        *,
    };
    use crate::os::wait_set::{Interest, WaitSet};
    use std::{fs, io::Write};
    use tempfile::tempdir;

    /// Reads on until this much has come.
    fn next(follow: &mut Follow, expected: &str) {
        let (mut text, mut set) = (Vec::new(), WaitSet::new());
        while text.len() < expected.len() {
            let mut buffer = [0; 16];
            let length = follow.read(&mut buffer).unwrap();
            text.extend_from_slice(&buffer[..length]);
            if length == 0 {
                set.clear();
                set.add((), &*follow, Interest::Readable);
                set.wait(None).unwrap().count();
            }
        }
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn a_log_is_followed_through_cuts_and_replacements() {
        let state = tempdir().unwrap();
        let mut log = open_in(&state, "web").unwrap();
        let path = log_path(state.path(), &dev(), "web");
        log.write_all(b"old\nrecent\n").unwrap();
        let mut follow = Follow::start(&path, 1).unwrap();
        next(&mut follow, "recent\n");
        assert_eq!(follow.read(&mut [0; 16]).unwrap(), 0);
        log.write_all(b"new and longer than the buffer\n").unwrap();
        next(&mut follow, "new and longer than the buffer\n");
        log.set_len(0).unwrap();
        log.write_all(b"cut\n").unwrap();
        next(&mut follow, "cut\n");
        fs::write(path.with_extension("next"), "replaced\n").unwrap();
        fs::rename(path.with_extension("next"), &path).unwrap();
        next(&mut follow, "replaced\n");
        fs::remove_file(&path).unwrap();
        assert_eq!(follow.read(&mut [0; 16]).unwrap(), 0);
        fs::write(&path, "again\n").unwrap();
        next(&mut follow, "again\n");
    }

    #[test]
    fn what_is_written_after_the_beginning_wakes_who_has_not_read_yet() {
        let state = tempdir().unwrap();
        let mut log = open_in(&state, "web").unwrap();
        let follow = Follow::start(&log_path(state.path(), &dev(), "web"), 0).unwrap();
        log.write_all(b"go\n").unwrap();
        let mut set = WaitSet::new();
        set.add((), &follow, Interest::Readable);
        assert_eq!(set.wait(Some(crate::os::clock::now())).unwrap().count(), 1);
    }

    #[test]
    fn a_log_that_is_not_there_yet_is_waited_for() {
        let state = tempdir().unwrap();
        open_in(&state, "other").unwrap();
        let mut follow = Follow::start(&log_path(state.path(), &dev(), "web"), 10).unwrap();
        assert_eq!(follow.read(&mut [0; 16]).unwrap(), 0);
        open_in(&state, "web").unwrap().write_all(b"there\n").unwrap();
        next(&mut follow, "there\n");
    }
}

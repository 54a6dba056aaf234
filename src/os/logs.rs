//! Captured output: the file that a child writes into, its last lines, and what is added to it.
//!
//! A child has the file itself for its output (a pipe would break with its reader), so a log is
//! kept small by copying it and cutting it to nothing: it is only ever appended to, and a reader
//! begins again when it has become shorter. Whose log it is, and showing it, is left to others.

use crate::{config::TypeName, os::dirs};
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor},
        stat::{Mode, fchmod},
    },
};
use std::{
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

/// The folder of all logs in the state directory.
const FOLDER: &str = "logs";
/// A log is read backwards in pieces of this size.
const BLOCK_BYTES: usize = 8192;
/// More of a log's end is never held in memory: lines for a message, not a copy.
const TAIL_BYTES_MAX: u64 = 256 * 1024;

/// Where the log of that name is: `logs/<type>/<name>.log`, for people and for readers.
pub fn log_path(state: &Path, service_type: &TypeName, name: &str) -> PathBuf {
    state.join(FOLDER).join(service_type.as_str()).join(format!("{name}.log"))
}

/// Opens that log for appending, and makes what is missing on the way. The name is a file's name
/// and nothing else; a symbolic link in any place is not followed.
pub fn open_log(state: impl AsFd, service_type: &TypeName, name: &str) -> io::Result<File> {
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    let folder = dirs::open_below(dirs::open_below(state, FOLDER)?, service_type.as_str())?;
    let name = format!("{name}.log");
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let open = |more, mode| openat(&folder, name.as_str(), flags | more, mode);
    match open(OFlag::empty(), Mode::empty()) {
        Err(Errno::ENOENT) => {}
        opened => return Ok(opened?.into()),
    }
    let own = Mode::S_IRUSR | Mode::S_IWUSR;
    match open(OFlag::O_CREAT | OFlag::O_EXCL, own) {
        // Somebody else was faster.
        Err(Errno::EEXIST) => Ok(open(OFlag::empty(), Mode::empty())?.into()),
        made => {
            let made = made?;
            let group = dirs::group_rights(&folder)? & (Mode::S_IRGRP | Mode::S_IWGRP);
            if !group.is_empty() {
                fchmod(&made, own | group)?;
            }
            Ok(made.into())
        }
    }
}

/// The last lines of a log, or what of them fits into memory set aside for a message.
pub fn tail(path: &Path, lines: usize) -> io::Result<Vec<String>> {
    let mut file = open_to_read(path)?;
    let end = file.metadata()?.len();
    let start = start_of_last(&file, end, lines)?.max(end.saturating_sub(TAIL_BYTES_MAX));
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(end - start).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
}

/// A log that is read as it grows. It is ready to be read when its descriptor is readable, and may
/// be cut short, replaced, or not there yet.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    notices: Inotify,
    watch: Option<WatchDescriptor>,
    file: Option<File>,
    offset: u64,
}

impl Follow {
    /// Begins so many lines before the end. The folder has to be there, the file need not.
    pub fn start(path: &Path, lines: usize) -> io::Result<Self> {
        let notices = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        // First the folder, then what is in it: so no replacement is missed.
        let folder = path.parent().unwrap_or(Path::new("."));
        notices.add_watch(folder, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO)?;
        let path = path.to_owned();
        let mut follow = Self { path, notices, watch: None, file: None, offset: 0 };
        follow.open_anew()?;
        if let Some(file) = &follow.file {
            follow.offset = start_of_last(file, file.metadata()?.len(), lines)?;
        }
        Ok(follow)
    }

    /// Reads on. Nothing read means: wait for the descriptor, then come again.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Before looking, so that whatever comes after the look is a notice again. That there is
        // none, or more than one reading takes, is fine: the wait tells.
        let _ = self.notices.read_events();
        loop {
            if let Some(file) = &self.file {
                let length = file.read_at(buffer, self.offset)?;
                if length > 0 {
                    self.offset += u64::try_from(length).unwrap_or(u64::MAX);
                    return Ok(length);
                }
                if file.metadata()?.len() < self.offset {
                    self.offset = 0;
                    continue;
                }
            }
            if !self.open_anew()? {
                return Ok(0);
            }
        }
    }

    /// Opens what has the name now, if that is another file than before.
    fn open_anew(&mut self) -> io::Result<bool> {
        let file = match open_to_read(&self.path) {
            // Gone: it may still be written to by who has it open.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let found = identity(file.metadata()?);
        if let Some(known) = &self.file
            && identity(known.metadata()?) == found
        {
            return Ok(false);
        }
        if let Some(watch) = self.watch.take() {
            // The kernel has dropped it already if the file is gone.
            let _ = self.notices.rm_watch(watch);
        }
        let changes = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_DONT_FOLLOW;
        // Replaced once more in between, it is reported by the folder's watch.
        self.watch = self.notices.add_watch(&self.path, changes).ok();
        (self.file, self.offset) = (Some(file), 0);
        Ok(true)
    }
}

impl AsFd for Follow {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }
}

fn open_to_read(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)
}

/// Where the last lines before `end` begin; a line without its newline counts as one.
fn start_of_last(file: &File, end: u64, lines: usize) -> io::Result<u64> {
    if lines == 0 {
        return Ok(end);
    }
    let mut block = [0; BLOCK_BYTES];
    let (mut newlines, mut position) = (0, end);
    while position > 0 {
        let length = usize::try_from(position).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let part = &mut block[..length];
        position -= u64::try_from(length).unwrap_or(position);
        match file.read_exact_at(part, position) {
            // Cut to nothing meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            read => read?,
        }
        for (index, _) in part.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = position + u64::try_from(index).unwrap_or(0) + 1;
            newlines += usize::from(after != end);
            if newlines == lines {
                return Ok(after);
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::wait_set::{Interest, WaitSet};
    use std::{
        fs,
        io::Write,
        os::unix::fs::{PermissionsExt, symlink},
    };
    use tempfile::{TempDir, tempdir};

    fn dev() -> TypeName {
        "dev".parse().unwrap()
    }

    fn open_in(state: &TempDir, name: &str) -> io::Result<File> {
        open_log(File::open(state.path()).unwrap(), &dev(), name)
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_log_is_appended_to_and_is_its_owners_alone() {
        let state = tempdir().unwrap();
        for text in ["one\n", "two\n"] {
            open_in(&state, "web@shop").unwrap().write_all(text.as_bytes()).unwrap();
        }
        let path = log_path(state.path(), &dev(), "web@shop");
        assert_eq!(path, state.path().join("logs/dev/web@shop.log"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!((mode(&path), mode(&state.path().join("logs/dev"))), (0o600, 0o700));
    }

    #[test]
    fn a_teams_log_can_be_written_by_the_team() {
        let state = tempdir().unwrap();
        fs::set_permissions(state.path(), fs::Permissions::from_mode(0o2770)).unwrap();
        open_in(&state, "web").unwrap();
        let path = log_path(state.path(), &dev(), "web");
        assert_eq!((mode(&path), mode(&state.path().join("logs/dev"))), (0o660, 0o2770));
    }

    #[test]
    fn a_log_is_never_somewhere_else() {
        let state = tempdir().unwrap();
        for name in ["", "../web", "a/b", "a\0b"] {
            assert!(open_in(&state, name).is_err(), "{name:?}");
        }
        open_in(&state, "web").unwrap();
        symlink("/dev/null", log_path(state.path(), &dev(), "link")).unwrap();
        assert!(open_in(&state, "link").is_err());
        assert!(tail(&log_path(state.path(), &dev(), "link"), 1).is_err());
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let long = "x".repeat(BLOCK_BYTES * 2);
        let text = format!("first\n{long}\n\nlast");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &text).unwrap();
        let all = ["first", &long, "", "last"];
        for lines in 0..6 {
            let expected = &all[4 - lines.min(4)..];
            assert_eq!(tail(file.path(), lines).unwrap(), expected, "{lines}");
        }
        fs::write(file.path(), "one\ntwo\n").unwrap();
        assert_eq!(tail(file.path(), 1).unwrap(), ["two"]);
        fs::write(file.path(), "").unwrap();
        assert_eq!(tail(file.path(), 1).unwrap(), [""; 0]);
    }

    #[test]
    fn of_an_endless_line_only_the_end_is_held() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(TAIL_BYTES_MAX * 3).unwrap();
        let lines = tail(file.path(), 10).unwrap();
        assert_eq!(lines.iter().map(String::len).sum::<usize>() as u64, TAIL_BYTES_MAX);
    }

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
    fn a_log_that_is_not_there_yet_is_waited_for() {
        let state = tempdir().unwrap();
        open_in(&state, "other").unwrap();
        let mut follow = Follow::start(&log_path(state.path(), &dev(), "web"), 10).unwrap();
        assert_eq!(follow.read(&mut [0; 16]).unwrap(), 0);
        open_in(&state, "web").unwrap().write_all(b"there\n").unwrap();
        next(&mut follow, "there\n");
    }
}

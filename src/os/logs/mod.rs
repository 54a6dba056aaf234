//! Captured output: the file that a child writes into, and the older ones that it was cut off from.
//!
//! A child has the file itself for its output (a pipe would break with its reader), so a log is
//! kept small by copying what is in it and taking that away from its beginning: `keeper` does that,
//! `reader` reads the copies and the log as one text, and `follow` goes on with it; `marks` know when
//! it was how long. Whose log it is, and showing it, is left to others.

mod follow;
mod keeper;
mod marks;
mod reader;

pub use follow::Follow;
pub use keeper::{Keeper, Wake};
pub use reader::{Begin, Reader};

use crate::{config::TypeName, os::dirs};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl, openat},
    sys::stat::{Mode, fchmod},
};
use std::{
    ffi::OsString,
    fs::{File, Metadata},
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
};

/// The folder of all logs in the state directory.
const FOLDER: &str = "logs";

/// Where the log of that name is: `logs/<type>/<name>.log`, for people and for readers.
pub fn log_path(state: &Path, service_type: &TypeName, name: &str) -> PathBuf {
    state.join(FOLDER).join(service_type.as_str()).join(format!("{name}.log"))
}

/// Opens that log for appending, and makes what is missing on the way. The name is a file's name
/// and nothing else; a symbolic link in any place is not followed.
pub fn open_log(state: impl AsFd, service_type: &TypeName, name: &str) -> io::Result<File> {
    let (folder, name) = place(state, service_type, name)?;
    let folder = folder.as_fd();
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND;
    match open(folder, &name, flags) {
        Err(Errno::ENOENT) => {}
        opened => return Ok(opened?),
    }
    match make(folder, &name, flags) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(open(folder, &name, flags)?)
        }
        made => made,
    }
}

/// The folder of a log, and its name there.
fn place(state: impl AsFd, service_type: &TypeName, name: &str) -> io::Result<(OwnedFd, String)> {
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(io::ErrorKind::InvalidFilename.into());
    }
    let folder = dirs::open_below(dirs::open_below(state, FOLDER)?, service_type.as_str())?;
    Ok((folder, format!("{name}.log")))
}

fn open(folder: BorrowedFd<'_>, name: &str, flags: OFlag) -> nix::Result<File> {
    // A named pipe that somebody planted is not waited for.
    let hasty = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = openat(folder, name, hasty, Mode::empty())?;
    // A command gets it for its output, and finds it as any other.
    fcntl(&file, FcntlArg::F_SETFL(flags))?;
    Ok(file.into())
}

/// A new file, for its owner, and for the group as far as the folder is.
fn make(folder: BorrowedFd<'_>, name: &str, flags: OFlag) -> io::Result<File> {
    let flags = flags | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let own = Mode::S_IRUSR | Mode::S_IWUSR;
    let made = openat(folder, name, flags, own)?;
    let group = dirs::group_rights(folder)? & (Mode::S_IRGRP | Mode::S_IWGRP);
    if !group.is_empty() {
        fchmod(&made, own | group)?;
    }
    Ok(made.into())
}

/// The copy of a log that so many came after: `web.log.1` is the youngest.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

/// By what a file is known, whatever it is called. Only as long as it is open: numbers come again.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::{
        fs,
        io::Write,
        os::unix::fs::{PermissionsExt, symlink},
    };
    use tempfile::{TempDir, tempdir};

    pub(super) fn dev() -> TypeName {
        "dev".parse().unwrap()
    }

    pub(super) fn open_in(state: &TempDir, name: &str) -> io::Result<File> {
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
        assert!(Reader::of_last_lines(&log_path(state.path(), &dev(), "link"), 1).is_err());
    }
}

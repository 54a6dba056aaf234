//! Files in a state directory that a group shares are the group's; in any other they are their owner's.
//!
//! What may be shared is told by the directory: set-gid and writable for its group, as for any team.

use crate::os::dirs;
use nix::sys::stat::Mode as Rights;
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd},
};

/// With these a file is opened in a directory where others may have planted something: a symbolic link is
/// not followed, and a named pipe that nobody writes to is not waited for.
pub(super) const PLAIN_FILE: OFlags =
    OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK);

/// What the group of a directory may do with the files in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sharing {
    group: Mode,
}

impl Sharing {
    /// As the directory says.
    pub(super) fn of(directory: BorrowedFd<'_>) -> Self {
        let rights = dirs::group_rights(directory).unwrap_or(Rights::empty());
        let group = Mode::from_raw_mode(rights.bits()) & (Mode::RGRP | Mode::WGRP);
        Self { group }
    }

    /// Opens a file, made where it is missing; a symbolic link is not followed.
    pub(super) fn open(
        self,
        directory: BorrowedFd<'_>,
        name: &str,
        flags: OFlags,
    ) -> Result<File, Errno> {
        // First without O_CREAT: with fs.protected_regular another user's file may not be opened with it.
        let flags = flags | PLAIN_FILE;
        match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => self.make(directory, name, flags | OFlags::CREATE),
            opened => Ok(opened?.into()),
        }
    }

    /// Makes a file.
    pub(super) fn make(
        self,
        directory: BorrowedFd<'_>,
        name: &str,
        flags: OFlags,
    ) -> Result<File, Errno> {
        let flags = flags | PLAIN_FILE;
        let own = Mode::RUSR | Mode::WUSR;
        let file: File = rustix::fs::openat(directory, name, flags, own)?.into();
        if !self.group.is_empty() {
            // Not left to open, which would take the umask off. Who was faster is the owner then, and has
            // done the same.
            let _ = rustix::fs::fchmod(file.as_fd(), own | self.group);
        }
        Ok(file)
    }

    /// Lets the group reach what has that name, if it shares the directory.
    pub(super) fn share(self, directory: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
        if self.group.is_empty() {
            return Ok(());
        }
        let mode = Mode::RUSR | Mode::WUSR | self.group;
        rustix::fs::chmodat(directory, name, mode, rustix::fs::AtFlags::empty())
    }
}

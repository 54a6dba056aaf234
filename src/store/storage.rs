//! A directory and the files in it, as the store uses them: every operation that a crash can fall between.
//!
//! `Disk` is the real one, at no cost of its own. `doomed` dies at one of its operations, and `memory` loses
//! its power; which operations the store makes, and in what order, is the store's business.

use super::{
    error::StoreError,
    lock::{self, StateLock, Waiting},
    run_dir::in_directory,
    sharing::{PLAIN_FILE, Sharing},
};
use crate::os::dirs;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, RenameFlags},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{fs::FileExt, net::UnixListener},
    },
    path::Path,
    sync::Arc,
};

/// For what a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To be read; it is there.
    Read,
    /// To be read and written in place; it is there.
    Update,
    /// To be read and written in place; made where it is missing.
    Write,
    /// To be read, and added to at its end; made where it is missing.
    Append,
    /// To be made: nothing has that name.
    New,
}

/// A file is compared in pieces of that size.
const PIECE: usize = 32 << 10;

/// A directory. No symbolic link in it is followed.
pub trait Storage: Clone {
    /// A file of it, open.
    type File: Stored;

    /// Opens a file.
    fn open(&self, name: &str, access: Access) -> Result<Self::File, Errno>;
    /// Gives a file another name, in place of whatever has it.
    fn rename(&self, from: &str, to: &str) -> Result<(), Errno>;
    /// Lets two files change their names.
    fn exchange(&self, one: &str, other: &str) -> Result<(), Errno>;
    /// Takes a name away.
    fn unlink(&self, name: &str) -> Result<(), Errno>;
    /// Whether something has that name.
    fn has(&self, name: &str) -> bool;
    /// The names of all that is in it, in no order.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Returns when the names have reached the disk.
    fn sync(&self) -> Result<(), Errno>;
    /// A directory in it, made where it is missing.
    fn below(&self, name: &str) -> io::Result<Self>;
    /// Whether this one is still what has that name in another one.
    fn is_below(&self, above: &Self, name: &str) -> bool;
    /// Takes the state lock.
    fn lock(&self, path: &Path, notice: &Waiting<'_>) -> Result<StateLock, StoreError>;
    /// Takes it for reading.
    fn share_lock(&self, path: &Path) -> Result<StateLock, StoreError>;
    /// Makes a socket that listens.
    fn listen(&self, name: &str) -> io::Result<UnixListener>;
}

/// A file of a [`Storage`], open.
pub trait Stored {
    /// How long it is.
    fn length(&self) -> io::Result<u64>;
    /// All of it, but no more than that.
    fn read(&self, most: u64) -> io::Result<Vec<u8>>;
    /// The same; `None` where it is what is known already.
    fn read_unless(&self, known: &[u8], most: u64) -> io::Result<Option<Vec<u8>>> {
        let text = self.read(most)?;
        Ok((text != known).then_some(text))
    }
    /// What stands there; all of the buffer is filled.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes there.
    fn write_at(&self, text: &[u8], offset: u64) -> io::Result<()>;
    /// Adds to its end.
    fn append(&self, text: &[u8]) -> io::Result<()>;
    /// Cuts it.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Returns when its content has reached the disk.
    fn sync(&self) -> io::Result<()>;
    /// Holds the file's lock as long as the file is open. Nobody else does, but for those who look.
    fn hold(&self) -> io::Result<()>;
    /// Whether somebody holds its lock.
    fn is_held(&self) -> io::Result<bool>;
    /// Whether it still has a name.
    fn has_name(&self) -> bool;
}

/// A directory of a real file system.
#[derive(Debug, Clone)]
pub struct Disk {
    directory: Arc<OwnedFd>,
    sharing: Sharing,
}

impl Disk {
    /// Opens it.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
    }
}

impl From<OwnedFd> for Disk {
    fn from(directory: OwnedFd) -> Self {
        let sharing = Sharing::of(directory.as_fd());
        Self { directory: Arc::new(directory), sharing }
    }
}

impl AsFd for Disk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl Storage for Disk {
    type File = File;

    fn open(&self, name: &str, access: Access) -> Result<File, Errno> {
        let there = |flags| {
            let flags = flags | PLAIN_FILE;
            Ok(rustix::fs::openat(&self.directory, name, flags, Mode::empty())?.into())
        };
        match access {
            // For reading alone: who may look need not be allowed to write.
            Access::Read => there(OFlags::RDONLY),
            Access::Update => there(OFlags::RDWR),
            Access::Write => self.sharing.open(self.as_fd(), name, OFlags::RDWR),
            Access::Append => self.sharing.open(self.as_fd(), name, OFlags::RDWR | OFlags::APPEND),
            Access::New => {
                let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
                self.sharing.make(self.as_fd(), name, flags)
            }
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        rustix::fs::renameat(&self.directory, from, &self.directory, to)
    }

    fn exchange(&self, one: &str, other: &str) -> Result<(), Errno> {
        let (here, way) = (&self.directory, RenameFlags::EXCHANGE);
        rustix::fs::renameat_with(here, one, here, other, way)
    }

    fn unlink(&self, name: &str) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.directory, name, AtFlags::empty())
    }

    fn has(&self, name: &str) -> bool {
        rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.directory)? {
            let entry = entry?;
            let is_directory = entry.file_type() == FileType::Directory;
            let name = entry.file_name().to_str().ok().filter(|_| !is_directory);
            names.extend(name.map(str::to_owned));
        }
        Ok(names)
    }

    fn sync(&self) -> Result<(), Errno> {
        rustix::fs::fsync(&self.directory)
    }

    fn below(&self, name: &str) -> io::Result<Self> {
        Ok(dirs::open_below(&self.directory, name)?.into())
    }

    fn is_below(&self, above: &Self, name: &str) -> bool {
        let there = rustix::fs::statat(&above.directory, name, AtFlags::SYMLINK_NOFOLLOW);
        let own = rustix::fs::fstat(&self.directory);
        there.is_ok_and(|there| {
            own.is_ok_and(|own| (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino))
        })
    }

    fn lock(&self, path: &Path, notice: &Waiting<'_>) -> Result<StateLock, StoreError> {
        StateLock::take(self, path, notice)
    }

    fn share_lock(&self, path: &Path) -> Result<StateLock, StoreError> {
        StateLock::share(self, path)
    }

    fn listen(&self, name: &str) -> io::Result<UnixListener> {
        let socket = UnixListener::bind(in_directory(self.as_fd(), name))?;
        self.sharing.share(self.as_fd(), name)?;
        Ok(socket)
    }
}

/// Whether a file says just this. It is looked at piece by piece, so that what is known needs no second place.
fn says(file: &File, known: &[u8]) -> io::Result<bool> {
    if Stored::length(file)? != known.len() as u64 {
        return Ok(false);
    }
    let mut piece = vec![0; PIECE.min(known.len())];
    let mut offset = 0;
    for known in known.chunks(PIECE) {
        let piece = &mut piece[..known.len()];
        match file.read_exact_at(piece, offset) {
            Ok(()) if piece == known => offset += known.len() as u64,
            Ok(()) => return Ok(false),
            // A writer is just cutting it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

impl Stored for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        let length = Stored::length(self).unwrap_or(0).min(most);
        let mut text = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
        self.take(most).read_to_end(&mut text)?;
        Ok(text)
    }

    fn read_unless(&self, known: &[u8], most: u64) -> io::Result<Option<Vec<u8>>> {
        if says(self, known)? { Ok(None) } else { self.read(most).map(Some) }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&self, text: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(text, offset)
    }

    fn append(&self, text: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(text)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn hold(&self) -> io::Result<()> {
        lock::exclusive(self)
    }

    fn is_held(&self) -> io::Result<bool> {
        lock::is_held(self)
    }

    fn has_name(&self) -> bool {
        rustix::fs::fstat(self).is_ok_and(|stat| stat.st_nlink > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_read_into_memory_and_all_else_is() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        let lengths = [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7];
        for (length, other) in lengths.iter().flat_map(|one| lengths.map(|other| (*one, other))) {
            let text = vec![b'a'; length];
            std::fs::write(&path, &text).unwrap();
            let file = File::open(&path).unwrap();
            let known = vec![b'a'; other];
            let expected = (length != other).then(|| text.clone());
            assert_eq!(file.read_unless(&known, 1 << 20).unwrap(), expected, "{length} {other}");
            for at in [0, length / 2, length.saturating_sub(1)] {
                let mut known = text.clone();
                if let Some(byte) = known.get_mut(at) {
                    *byte = b'b';
                    let file = File::open(&path).unwrap();
                    assert_eq!(file.read_unless(&known, 1 << 20).unwrap(), Some(text.clone()));
                }
            }
        }
    }
}

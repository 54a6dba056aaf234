//! A disk at one of whose operations the process dies, as by `kill -9`: of a write, a part may be done.
//!
//! Only for the self-test, in a process that was forked for it. Operations that change nothing are not counted:
//! to die before one of them is to die after the last that did. Nothing waits for the disk: what a process
//! has written outlives it either way.

use super::{
    error::StoreError,
    lock::{StateLock, Waiting},
    storage::{Access, Disk, Storage, Stored},
};
use rustix::{
    io::Errno,
    process::{Signal, getpid, kill_process},
};
use std::{cell::Cell, fs::File, io, os::unix::net::UnixListener, path::Path, rc::Rc};

/// When the process dies.
#[derive(Debug)]
pub struct Fate {
    /// So many operations are still done.
    left: Cell<u32>,
    /// How much of a last write is done, of 256 parts.
    torn: u8,
}

impl Fate {
    /// Dies at the operation after so many, with that much of a write done, of 256 parts.
    pub fn after(operations: u32, torn: u8) -> Self {
        Self { left: Cell::new(operations), torn }
    }

    /// Does not die.
    pub fn never() -> Self {
        Self::after(u32::MAX, 0)
    }

    /// Whether this operation is the last one; it is not done.
    fn is_due(&self) -> bool {
        match self.left.get().checked_sub(1) {
            Some(_) if self.left.get() == u32::MAX => false,
            Some(left) => {
                self.left.set(left);
                false
            }
            None => true,
        }
    }

    /// Dies if it is time.
    fn meet(&self) {
        if self.is_due() {
            die();
        }
    }

    /// Dies if it is time, with a part of the text written.
    fn meet_writing(&self, text: &[u8], write: impl FnOnce(&[u8]) -> io::Result<()>) {
        if self.is_due() {
            // Dead or not, nobody will hear whether it worked.
            let _ = write(&text[..text.len() * usize::from(self.torn) / 256]);
            die();
        }
    }
}

/// Nothing runs after it: no destructor, no exit code.
fn die() -> ! {
    let killed = kill_process(getpid(), Signal::KILL);
    unreachable!("nobody outlives SIGKILL: {killed:?}")
}

/// A directory of a real file system.
#[derive(Debug, Clone)]
pub struct Doomed {
    disk: Disk,
    fate: Rc<Fate>,
}

impl Doomed {
    /// Opens it.
    pub fn open(path: &Path, fate: Fate) -> Result<Self, StoreError> {
        let failed = |errno: Errno| StoreError::at("open the state directory", path, errno.into());
        Ok(Self { disk: Disk::open(path).map_err(failed)?, fate: Rc::new(fate) })
    }
}

/// A file of it, open.
#[derive(Debug)]
pub struct DoomedFile {
    file: File,
    fate: Rc<Fate>,
}

impl Storage for Doomed {
    type File = DoomedFile;

    fn open(&self, name: &str, access: Access) -> Result<DoomedFile, Errno> {
        match access {
            Access::Read | Access::Update => {}
            Access::Write | Access::Append | Access::New => self.fate.meet(),
        }
        let file = Storage::open(&self.disk, name, access)?;
        Ok(DoomedFile { file, fate: Rc::clone(&self.fate) })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        self.fate.meet();
        self.disk.rename(from, to)
    }

    fn exchange(&self, one: &str, other: &str) -> Result<(), Errno> {
        self.fate.meet();
        self.disk.exchange(one, other)
    }

    fn unlink(&self, name: &str) -> Result<(), Errno> {
        self.fate.meet();
        self.disk.unlink(name)
    }

    fn has(&self, name: &str) -> bool {
        self.disk.has(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn sync(&self) -> Result<(), Errno> {
        self.fate.meet();
        Ok(())
    }

    fn below(&self, name: &str) -> io::Result<Self> {
        self.fate.meet();
        Ok(Self { disk: self.disk.below(name)?, fate: Rc::clone(&self.fate) })
    }

    fn is_below(&self, above: &Self, name: &str) -> bool {
        self.disk.is_below(&above.disk, name)
    }

    fn lock(&self, path: &Path, notice: &Waiting<'_>) -> Result<StateLock, StoreError> {
        self.fate.meet();
        self.disk.lock(path, notice)
    }

    fn share_lock(&self, path: &Path) -> Result<StateLock, StoreError> {
        self.disk.share_lock(path)
    }

    fn listen(&self, name: &str) -> io::Result<UnixListener> {
        self.fate.meet();
        self.disk.listen(name)
    }
}

impl Stored for DoomedFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        Stored::read(&self.file, most)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        Stored::read_at(&self.file, buffer, offset)
    }

    fn write_at(&self, text: &[u8], offset: u64) -> io::Result<()> {
        self.fate.meet_writing(text, |part| Stored::write_at(&self.file, part, offset));
        Stored::write_at(&self.file, text, offset)
    }

    fn append(&self, text: &[u8]) -> io::Result<()> {
        self.fate.meet_writing(text, |part| self.file.append(part));
        self.file.append(text)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.fate.meet();
        self.file.set_length(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.fate.meet();
        Ok(())
    }

    fn hold(&self) -> io::Result<()> {
        self.fate.meet();
        self.file.hold()
    }

    fn is_held(&self) -> io::Result<bool> {
        self.file.is_held()
    }

    fn has_name(&self) -> bool {
        self.file.has_name()
    }
}

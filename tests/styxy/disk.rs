//! A disk of a few MiB for the state of a test, which can be filled: by bytes, or by files.
//!
//! It is mounted in a namespace of the test's own thread, and so of all that it starts: nobody else sees it,
//! and it goes with them, however the test ends.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

/// So large it is.
const OPTIONS: &str = "size=8m,nr_inodes=2000,mode=700";
/// What fills it.
const FILLER: &str = "filler";

/// A mounted one.
pub(crate) struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// Mounts it on a directory, which is made.
    pub(crate) fn mount(place: PathBuf) -> Self {
        let root = nix::unistd::geteuid().is_root();
        assert!(
            root,
            "only root can mount a disk to fill it: run this test as root, or in a container"
        );
        fs::create_dir_all(&place).expect("our own sandbox");
        unshare(CloneFlags::CLONE_NEWNS).expect("this test needs a mount namespace");
        let none: Option<&str> = None;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(none, "/", none, private, none).expect("a namespace of our own");
        mount(Some("tmpfs"), &place, Some("tmpfs"), MsFlags::empty(), Some(OPTIONS))
            .expect("this test needs a tmpfs");
        Self { place }
    }

    /// Leaves no byte.
    pub(crate) fn fill(&self) {
        // Where no file more fits, it is full already.
        let Ok(mut filler) = File::create(self.place.join(FILLER)) else { return };
        let piece = vec![b'.'; 64 << 10];
        let mut length = piece.len();
        while length > 0 {
            match filler.write(&piece[..length]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => length /= 2,
                Err(error) => panic!("the disk fails in another way: {error}"),
            }
        }
    }

    /// Leaves room, and no file more.
    pub(crate) fn fill_with_files(&self) {
        let folder = self.place.join(format!("{FILLER}s"));
        if fs::create_dir_all(&folder).is_err() {
            return;
        }
        for number in 0.. {
            match File::create(folder.join(number.to_string())) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("the disk fails in another way: {error}"),
            }
        }
    }

    /// Takes away what filled it.
    pub(crate) fn free(&self) {
        let _ = fs::remove_file(self.place.join(FILLER));
        let _ = fs::remove_dir_all(self.place.join(format!("{FILLER}s")));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Else it goes with the thread.
        let _ = umount2(&self.place, MntFlags::MNT_DETACH);
    }
}

//! What a directory's file system is, and how much room it has; who may write a file.
//!
//! What of that is a trouble is for others to say.

use rustix::fs::{self as rustix_fs, Access, AtFlags, CWD, StatVfsMountFlags};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// Names of file systems that other machines write too, by their number in linux/magic.h, or in the source
/// of those that are not in the kernel.
const SHARED: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x7461_636F, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x1983_0326, "BeeGFS"),
];
/// The same for those behind which another machine, or the host of a virtual one, may be.
const PERHAPS_SHARED: &[(u32, &str)] =
    &[(0x0102_1997, "9p"), (0x6573_5546, "FUSE"), (0x786F_4256, "vboxsf")];

/// Whether other machines may write to a file system too: a lock is then no promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It is this kernel's alone.
    Local,
    /// It may be another one's too; what it is called.
    Perhaps(&'static str),
    /// It is a network file system; what it is called.
    Network(&'static str),
}

/// A directory's file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// Who may write to it.
    pub reach: Reach,
    /// It is mounted so that nothing can be written.
    pub read_only: bool,
    /// So many bytes this user may still write.
    pub free_bytes: u64,
    /// So many files may still be made; `None` where they are not counted.
    pub free_files: Option<u64>,
}

/// A file or directory, as it lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its owner.
    pub uid: u32,
    /// Its permissions, without its kind.
    pub mode: u32,
    /// It is a symbolic link.
    pub is_link: bool,
    /// This user may write it.
    pub is_writable: bool,
}

/// What a directory's file system is.
pub fn of(directory: &Path) -> io::Result<FileSystem> {
    let kind = rustix_fs::statfs(directory)?;
    let room = rustix_fs::statvfs(directory)?;
    // The number has 32 bits; the field is wider on some machines, and signed on others.
    let [a, b, c, d, ..] = kind.f_type.to_le_bytes();
    Ok(FileSystem {
        reach: reach(u32::from_le_bytes([a, b, c, d])),
        read_only: room.f_flag.contains(StatVfsMountFlags::RDONLY),
        free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
        free_files: (room.f_files > 0).then_some(room.f_favail),
    })
}

fn reach(magic: u32) -> Reach {
    let named = |list: &[(u32, &'static str)]| {
        list.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
    };
    match (named(SHARED), named(PERHAPS_SHARED)) {
        (Some(name), _) => Reach::Network(name),
        (None, Some(name)) => Reach::Perhaps(name),
        (None, None) => Reach::Local,
    }
}

/// What lies there; `None` for nothing.
pub fn entry(path: &Path) -> io::Result<Option<Entry>> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let writes = rustix_fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS);
    Ok(Some(Entry {
        uid: found.uid(),
        mode: found.mode() & 0o7777,
        is_link: found.is_symlink(),
        is_writable: writes.is_ok(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn network_file_systems_are_told_apart() {
        assert_eq!(reach(0x6969), Reach::Network("NFS"));
        assert_eq!(reach(0x0102_1997), Reach::Perhaps("9p"));
        // ext4 and tmpfs.
        assert_eq!((reach(0xEF53), reach(0x0102_1994)), (Reach::Local, Reach::Local));
        let mut seen = std::collections::BTreeSet::new();
        assert!(SHARED.iter().chain(PERHAPS_SHARED).all(|(magic, _)| seen.insert(magic)));
    }

    #[test]
    fn a_directory_of_ours_has_room() {
        let directory = tempfile::tempdir().unwrap();
        let found = of(directory.path()).unwrap();
        assert!(!found.read_only && found.free_bytes > 0, "{found:?}");
    }

    #[test]
    fn an_entry_is_looked_at_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        assert_eq!(entry(&file).unwrap(), None);
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        let found = entry(&file).unwrap().unwrap();
        assert_eq!((found.mode, found.is_link, found.is_writable), (0o640, false, true));
        assert_eq!(found.uid, crate::os::user::uid());
        assert!(entry(&link).unwrap().unwrap().is_link);
    }
}

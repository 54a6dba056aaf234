//! What is wrong with the state directory: its disk, its owner, its rights.
//!
//! Pure. It was looked at before.

use super::findings::{Finding, Level};
use crate::os::file_system::{Entry, FileSystem, Reach};
use std::path::{Path, PathBuf};

/// With less room than this, logs and the audit log are about to fail.
const FREE_BYTES_MIN: u64 = 100 << 20;
/// With fewer files than this, runs are about to fail: each makes three.
const FREE_FILES_MIN: u64 = 1000;
/// The state directory.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) file_system: Option<FileSystem>,
    /// Who looks.
    pub(super) uid: u32,
    /// Itself first, with an empty name; then what is in it.
    pub(super) entries: Vec<(&'static str, Entry, String)>,
}

/// What is to be said of it.
pub(super) fn findings(directory: &Directory) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(disk) = &directory.file_system {
        found.extend(of_disk(&directory.path, disk));
    }
    found.extend(of_entries(directory));
    found
}

fn of_disk(path: &Path, disk: &FileSystem) -> Vec<Finding> {
    let mut found = Vec::new();
    let shown = path.display();
    let elsewhere = "name a directory on a local disk with STYXY_STATE_DIR";
    match disk.reach {
        Reach::Local => {}
        Reach::Network(kind) => found.push(Finding::new(
            Level::Error,
            format!(
                "the state directory {shown} is on a network file system ({kind}): leases of \
                 several machines would mix, and its locks hold on none for sure"
            ),
            elsewhere,
        )),
        Reach::Perhaps(kind) => found.push(Finding::new(
            Level::Warning,
            format!(
                "the state directory {shown} is on {kind}, which another machine may write \
                 too"
            ),
            elsewhere,
        )),
    }
    if disk.read_only {
        found.push(Finding::new(
            Level::Error,
            format!(
                "nothing can be written to the state directory {shown}: it is mounted read-only"
            ),
            "mount it for writing, or name another directory with STYXY_STATE_DIR",
        ));
        return found;
    }
    let room = [
        (disk.free_bytes < FREE_BYTES_MIN).then(|| format!("{} MiB", disk.free_bytes >> 20)),
        disk.free_files.filter(|free| *free < FREE_FILES_MIN).map(|free| format!("{free} files")),
    ];
    for left in room.into_iter().flatten() {
        found.push(Finding::new(
            Level::Warning,
            format!("the disk of the state directory {shown} is nearly full: {left} left"),
            "make room there; instances that run go on, new ones will fail",
        ));
    }
    found
}

fn of_entries(directory: &Directory) -> Vec<Finding> {
    let read_only = directory.file_system.is_some_and(|disk| disk.read_only);
    let owner = directory.entries.first().map(|(_, entry, _)| entry.uid);
    let shared = directory.entries.first().is_some_and(|(_, entry, _)| entry.mode & 0o020 != 0);
    let mut found = Vec::new();
    for (name, entry, owner_name) in &directory.entries {
        let path = if name.is_empty() { directory.path.clone() } else { directory.path.join(name) };
        let path = path.display();
        let give_back = || {
            let whose = if directory.uid == 0 { "its user".to_owned() } else { "you".to_owned() };
            format!("was styxy run by sudo? Give it back to {whose} with chown")
        };
        if entry.is_link && !name.is_empty() {
            found.push(Finding::new(
                Level::Error,
                format!("{path} is a symbolic link, which styxy does not follow"),
                "put the file itself there, or the whole directory elsewhere with STYXY_STATE_DIR",
            ));
        } else if !entry.is_writable && !read_only {
            found.push(Finding::new(
                Level::Error,
                format!("{path} belongs to {owner_name} and cannot be written"),
                give_back(),
            ));
        } else if directory.uid == 0 && Some(entry.uid) != owner && !shared {
            found.push(Finding::new(
                Level::Warning,
                format!("{path} belongs to {owner_name}, unlike the directory that it is in"),
                give_back(),
            ));
        }
        if entry.mode & 0o002 != 0 && !entry.is_link {
            found.push(Finding::new(
                Level::Error,
                format!("every user of this machine may write {path}"),
                format!("chmod o-rwx {path}"),
            ));
        } else if name.is_empty() && entry.mode & 0o005 != 0 && !entry.is_link {
            found.push(Finding::new(
                Level::Info,
                format!(
                    "every user of this machine may look into {path}, where command lines \
                     and logs are"
                ),
                format!("chmod o-rwx {path}"),
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Entry = Entry { uid: 1000, mode: 0o700, is_link: false, is_writable: true };
    const DISK: FileSystem = FileSystem {
        reach: Reach::Local,
        read_only: false,
        free_bytes: 1 << 40,
        free_files: Some(1 << 20),
    };

    fn directory(uid: u32, disk: FileSystem, entries: &[(&'static str, Entry)]) -> Directory {
        let owner = |entry: &Entry| if entry.uid == 0 { "root" } else { "ann" }.to_owned();
        let entries = entries.iter().map(|(name, entry)| (*name, *entry, owner(entry))).collect();
        let path = PathBuf::from("/state");
        Directory { path, file_system: Some(disk), uid, entries }
    }

    /// It is told by one finding of the level, whose message has all of these texts; by none when there are
    /// no texts.
    #[track_caller]
    fn check(directory: &Directory, level: Level, texts: &[&str]) {
        let found = findings(directory);
        assert_eq!(found.len(), usize::from(!texts.is_empty()), "{found:#?}");
        for finding in found {
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(texts.iter().all(|text| finding.message.contains(text)), "{finding:?}");
        }
    }

    #[test]
    fn a_healthy_one_is_told_nothing() {
        let entries = [("", OWN), ("state.json", Entry { mode: 0o600, ..OWN })];
        check(&directory(1000, DISK, &entries), Level::Info, &[]);
        check(&directory(0, DISK, &entries), Level::Info, &[]);
        // A directory that a group shares has files of several users in it.
        let shared = [("", Entry { mode: 0o2770, ..OWN }), ("run", Entry { uid: 7, ..OWN })];
        check(&directory(1000, DISK, &shared), Level::Info, &[]);
        check(&directory(0, DISK, &shared), Level::Info, &[]);
    }

    #[test]
    fn a_disk_that_is_shared_full_or_read_only_is_told() {
        for (disk, level, texts) in [
            (FileSystem { reach: Reach::Network("NFS"), ..DISK }, Level::Error, ["/state", "NFS"]),
            (FileSystem { reach: Reach::Perhaps("9p"), ..DISK }, Level::Warning, ["/state", "9p"]),
            (
                FileSystem { read_only: true, free_bytes: 0, ..DISK },
                Level::Error,
                ["/state", "read-only"],
            ),
            (
                FileSystem { free_bytes: 99 << 20, ..DISK },
                Level::Warning,
                ["nearly full", "99 MiB"],
            ),
            (
                FileSystem { free_files: Some(3), ..DISK },
                Level::Warning,
                ["nearly full", "3 files"],
            ),
        ] {
            check(&directory(1000, disk, &[("", OWN)]), level, &texts);
        }
        check(
            &directory(1000, FileSystem { free_files: None, ..DISK }, &[("", OWN)]),
            Level::Info,
            &[],
        );
        // What cannot be written there need not be told file by file.
        let frozen = FileSystem { read_only: true, ..DISK };
        let file = Entry { is_writable: false, ..OWN };
        check(&directory(1000, frozen, &[("", file), ("run", file)]), Level::Error, &["read-only"]);
    }

    #[test]
    fn files_of_the_wrong_owner_or_with_the_wrong_rights_are_told() {
        let roots = Entry { uid: 0, is_writable: false, ..OWN };
        for (uid, entry, level, texts) in [
            (1000, roots, Level::Error, ["/state/state.json", "root"]),
            (
                0,
                Entry { is_writable: true, ..roots },
                Level::Warning,
                ["/state/state.json", "root"],
            ),
            (1000, Entry { mode: 0o666, ..OWN }, Level::Error, ["/state/state.json", "every user"]),
            (
                1000,
                Entry { is_link: true, mode: 0o777, ..OWN },
                Level::Error,
                ["/state/state.json", "link"],
            ),
        ] {
            check(&directory(uid, DISK, &[("", OWN), ("state.json", entry)]), level, &texts);
        }
        let open = Entry { mode: 0o755, ..OWN };
        check(&directory(1000, DISK, &[("", open)]), Level::Info, &["/state", "look into"]);
        let wide = Entry { mode: 0o777, ..OWN };
        check(&directory(1000, DISK, &[("", wide)]), Level::Error, &["may write /state"]);
    }
}

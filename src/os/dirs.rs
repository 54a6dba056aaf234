//! Where styxy keeps its things: the state directory, the user's configuration, and how a
//! directory is made so that only its owners can plant something in it.
//!
//! Variables are asked of the caller's `lookup`. What lies inside the state directory is the store's.

use crate::os::user;
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, AtFlags, OFlag, openat},
    sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat},
    unistd::getgroups,
};
use std::{
    ffi::OsString,
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

/// Asks for a variable of the environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Rights that an owner's directory gives to its group, and that are handed down to what is in it.
const GROUP_RIGHTS: Mode = Mode::S_IRWXG.union(Mode::S_ISGID);

/// Why there is no directory to work in.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Neither a variable nor a home says where.
    #[error("no place for styxy's state: neither STYXY_STATE_DIR, XDG_STATE_HOME nor HOME is set")]
    NoPlace,
    /// Something else has that name.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// Whoever owns it could redirect what is written there.
    #[error("{} belongs to {owner}, and is not shared with a group of yours", path.display())]
    Foreign {
        /// The directory, or the symbolic link in its place.
        path: PathBuf,
        /// The name of its owner.
        owner: String,
    },
    /// The kernel refused.
    #[error("cannot use the directory {}", path.display())]
    Refused {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// `$STYXY_STATE_DIR`, else `$XDG_STATE_HOME/styxy`, else `~/.local/state/styxy`.
pub fn state_directory(lookup: Lookup<'_>) -> Result<PathBuf, DirectoryError> {
    if let Some(path) = lookup("STYXY_STATE_DIR").filter(|path| !path.is_empty()) {
        // Children and later commands may run elsewhere: a relative path is meant from here.
        return std::path::absolute(&path)
            .map_err(|source| DirectoryError::Refused { path: path.into(), source });
    }
    below_home(lookup, "XDG_STATE_HOME", ".local/state").ok_or(DirectoryError::NoPlace)
}

/// `$XDG_CONFIG_HOME/styxy`, else `~/.config/styxy`; none without a home.
pub fn config_directory(lookup: Lookup<'_>) -> Option<PathBuf> {
    below_home(lookup, "XDG_CONFIG_HOME", ".config")
}

/// The user's home, if the environment names one.
pub fn home(lookup: Lookup<'_>) -> Option<PathBuf> {
    absolute(lookup("HOME"))
}

/// Styxy's folder in a place of the XDG base directories.
fn below_home(lookup: Lookup<'_>, variable: &str, default: &str) -> Option<PathBuf> {
    let base = absolute(lookup(variable)).or_else(|| Some(home(lookup)?.join(default)))?;
    Some(base.join("styxy"))
}

/// The XDG specification has relative paths ignored.
fn absolute(value: Option<OsString>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Makes the directory with mode 0700 where it is missing (and its parents as usual), and makes
/// sure that nobody else put it, or a link in its place, there.
pub fn create_private(path: &Path) -> Result<(), DirectoryError> {
    let refused = |errno: Errno| DirectoryError::Refused {
        path: path.to_owned(),
        source: io::Error::from(errno),
    };
    let found = match look(path) {
        Err(Errno::ENOENT) => {
            make(path)
                .map_err(|source| DirectoryError::Refused { path: path.to_owned(), source })?;
            look(path)
        }
        found => found,
    };
    let mut found = found.map_err(refused)?;
    if is(&found, SFlag::S_IFLNK) {
        // A link of one's own to another disk is fine; one that somebody else planted is not.
        if !is_trusted_for_link(found.st_uid, user::uid()) {
            return Err(foreign(path, &found));
        }
        found = fstatat(AT_FDCWD, path, AtFlags::empty()).map_err(refused)?;
    }
    if !is(&found, SFlag::S_IFDIR) {
        return Err(DirectoryError::NotADirectory(path.to_owned()));
    }
    let shared = Mode::from_bits_truncate(found.st_mode).contains(Mode::S_IWGRP);
    if is_trusted(found.st_uid, user::uid()) || shared && is_own_group(found.st_gid) {
        return Ok(());
    }
    Err(foreign(path, &found))
}

/// Opens a directory inside another, made where it is missing: for its owner, and for the group as
/// far as the outer one is for the group. A symbolic link is not followed.
pub fn open_below(outer: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    let outer = outer.as_fd();
    match open_directory(outer, name) {
        Err(Errno::ENOENT) => {}
        opened => return Ok(opened?),
    }
    match mkdirat(outer, name, Mode::S_IRWXU) {
        // Somebody else was faster, and hands the group's rights down.
        Err(Errno::EEXIST) => Ok(open_directory(outer, name)?),
        made => {
            made?;
            let inner = open_directory(outer, name)?;
            let group = group_rights(outer)?;
            if !group.is_empty() {
                // Not left to mkdir, which would take the umask off.
                fchmod(&inner, Mode::S_IRWXU | group)?;
            }
            Ok(inner)
        }
    }
}

/// What a directory allows its group, for files and directories made in it.
pub fn group_rights(directory: impl AsFd) -> io::Result<Mode> {
    let mode = Mode::from_bits_truncate(fstat(directory)?.st_mode) & GROUP_RIGHTS;
    // Without write permission it is nobody's shared directory, only a readable one.
    Ok(if mode.contains(Mode::S_IWGRP) { mode } else { Mode::empty() })
}

fn open_directory(outer: BorrowedFd<'_>, name: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(outer, name, flags, Mode::empty())
}

/// What has that name, without following a link.
fn look(path: &Path) -> nix::Result<FileStat> {
    fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// Makes it; that somebody else was faster is fine, since it is looked at afterwards.
fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match mkdirat(AT_FDCWD, path, Mode::S_IRWXU) {
        Err(Errno::EEXIST) => Ok(()),
        made => Ok(made?),
    }
}

fn is(found: &FileStat, kind: SFlag) -> bool {
    found.st_mode & SFlag::S_IFMT.bits() == kind.bits()
}

/// Root could redirect anything anyway.
fn is_trusted_for_link(owner: u32, uid: u32) -> bool {
    owner == uid || owner == 0
}

/// Root may work in a user's directory (`sudo`, a container that shares it).
fn is_trusted(owner: u32, uid: u32) -> bool {
    is_trusted_for_link(owner, uid) || uid == 0
}

fn is_own_group(gid: u32) -> bool {
    gid == user::gid()
        || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == gid))
}

fn foreign(path: &Path, found: &FileStat) -> DirectoryError {
    DirectoryError::Foreign { path: path.to_owned(), owner: user::name(found.st_uid) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn check_state(variables: &[(&str, &str)], expected: Option<&str>) {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        let found = state_directory(&lookup).ok();
        assert_eq!(found, expected.map(PathBuf::from), "{variables:?}");
    }

    #[test]
    fn the_state_lives_where_the_variables_say() {
        let home = ("HOME", "/home/ada");
        check_state(&[home], Some("/home/ada/.local/state/styxy"));
        check_state(&[("XDG_STATE_HOME", "/var/ada"), home], Some("/var/ada/styxy"));
        check_state(&[("XDG_STATE_HOME", "relative"), home], Some("/home/ada/.local/state/styxy"));
        check_state(&[("STYXY_STATE_DIR", "/srv/styxy"), home], Some("/srv/styxy"));
        check_state(&[("STYXY_STATE_DIR", ""), home], Some("/home/ada/.local/state/styxy"));
        let here = std::env::current_dir().unwrap().join("state");
        check_state(&[("STYXY_STATE_DIR", "state")], here.to_str());
        check_state(&[("HOME", "")], None);
    }

    #[test]
    fn configuration_lives_beside_other_configuration() {
        let lookup = |name: &str| (name == "HOME").then(|| OsString::from("/home/ada"));
        assert_eq!(config_directory(&lookup), Some("/home/ada/.config/styxy".into()));
        assert_eq!(config_directory(&|_| None), None);
    }

    #[test]
    fn a_missing_directory_is_made_for_its_owner_alone() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a/b/styxy");
        create_private(&path).unwrap();
        create_private(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    }

    #[test]
    fn a_file_in_its_place_is_refused_and_a_link_of_ones_own_is_not() {
        let outer = tempfile::tempdir().unwrap();
        let (file, link) = (outer.path().join("file"), outer.path().join("link"));
        fs::write(&file, "").unwrap();
        assert!(matches!(create_private(&file), Err(DirectoryError::NotADirectory(_))));
        symlink(outer.path(), &link).unwrap();
        create_private(&link).unwrap();
    }

    #[test]
    fn others_are_trusted_by_root_alone_and_with_links_by_nobody() {
        for (owner, uid, directory, link) in
            [(7, 7, true, true), (0, 7, true, true), (7, 0, true, false), (8, 7, false, false)]
        {
            assert_eq!(is_trusted(owner, uid), directory, "{owner} {uid}");
            assert_eq!(is_trusted_for_link(owner, uid), link, "{owner} {uid}");
        }
    }

    #[test]
    fn rights_of_a_team_are_handed_down_and_those_of_readers_are_not() {
        for (outer_mode, expected) in [(0o700, 0o700), (0o755, 0o700), (0o2770, 0o2770)] {
            let outer = tempfile::tempdir().unwrap();
            fs::set_permissions(outer.path(), fs::Permissions::from_mode(outer_mode)).unwrap();
            let handle = fs::File::open(outer.path()).unwrap();
            for _ in 0..2 {
                let inner = fs::File::from(open_below(&handle, "inner").unwrap());
                assert_eq!(inner.metadata().unwrap().permissions().mode() & 0o7777, expected);
            }
        }
    }

    #[test]
    fn a_link_inside_is_not_followed() {
        let outer = tempfile::tempdir().unwrap();
        symlink("/tmp", outer.path().join("logs")).unwrap();
        assert!(open_below(fs::File::open(outer.path()).unwrap(), "logs").is_err());
    }
}

//! The file that a change is written to: which one, what stands in it, and how it is replaced, whole or not at all.
//!
//! Beside `files` the only I/O of this room. What is written was checked before.

use super::{
    error::ConfigError,
    files::{Draft, PROJECT_FILE, Places, is_missing, is_ours, open_regular, text},
    layer::Layer,
};
use rustix::{
    fs::{Access, AtFlags, Gid, Mode, Uid},
    io::Errno,
};
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// As many links as the kernel follows (path_resolution(7)).
const LINKS_MAX: usize = 40;
/// So many names are tried for the file that is written first.
const NAMES_MAX: u32 = 16;

/// Which file a change is written to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// The user's, or the one that `STYXY_CONFIG` names.
    #[default]
    User,
    /// The nearest `styxy.toml`, else a new one in the project's root.
    Project,
    /// The system's.
    System,
    /// This one, in place of the user's.
    File(PathBuf),
}

impl Target {
    /// The file with what stands in it now; without text if it is not there. `root` is the project's.
    pub fn read(&self, places: &Places, root: &Path) -> Result<Draft, ConfigError> {
        let (layer, path) = self.place(places, root)?;
        let unreadable = |source| ConfigError::Unreadable { path: path.clone(), source };
        let text = match open_regular(&path) {
            Ok((_, metadata)) if !metadata.is_file() => {
                return Err(unreadable(io::Error::other("it is not a file")));
            }
            Ok((_, metadata)) if layer == Layer::Project && !is_ours(&metadata, places.uid) => {
                return Err(ConfigError::Foreign { path, owner: metadata.uid() });
            }
            Ok((file, _)) => text(&path, file)?,
            Err(error) if is_missing(&error) => String::new(),
            Err(source) => return Err(unreadable(source)),
        };
        Ok(Draft { layer, path, text })
    }

    fn place(&self, places: &Places, root: &Path) -> Result<(Layer, PathBuf), ConfigError> {
        Ok(match self {
            Self::System => (Layer::System, places.system.clone()),
            Self::User => (Layer::User, places.user.clone().ok_or(ConfigError::Homeless)?),
            Self::Project => {
                let nearest = places.project().unwrap_or_else(|| root.join(PROJECT_FILE));
                (Layer::Project, nearest)
            }
            Self::File(path) => {
                let path = places.cwd.join(path);
                let is = |other: Option<&Path>| other.is_some_and(|other| is_same(&path, other));
                let layer = match () {
                    () if is(Some(&places.system)) => Layer::System,
                    () if is(places.project().as_deref()) => Layer::Project,
                    () => Layer::User,
                };
                (layer, path)
            }
        })
    }
}

fn is_same(path: &Path, other: &Path) -> bool {
    path == other
        || fs::metadata(path)
            .and_then(|one| fs::metadata(other).map(|other| (one, other)))
            .is_ok_and(|(one, other)| (one.dev(), one.ino()) == (other.dev(), other.ino()))
}

impl Draft {
    /// Replaces the file by this draft. Whoever reads it meanwhile finds the old text or the new; a link
    /// stays one, and its target keeps permissions and owner.
    pub fn write(&self, uid: u32) -> Result<(), ConfigError> {
        let path = target_of_links(&self.path, uid)?;
        let unwritable = |source| ConfigError::Unwritable { path: self.path.clone(), source };
        replace(&path, self.text.as_bytes()).map_err(unwritable)
    }
}

/// Where a chain of links ends, whether something is there or not. A stranger's link leads nowhere: it may
/// point at whatever file only we can write.
fn target_of_links(path: &Path, uid: u32) -> Result<PathBuf, ConfigError> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let unwritable = |source| ConfigError::Unwritable { path: path.clone(), source };
        match fs::symlink_metadata(&path) {
            Ok(metadata) if !metadata.is_symlink() => return Ok(path),
            Ok(metadata) if !is_ours(&metadata, uid) => {
                return Err(ConfigError::Foreign { path, owner: metadata.uid() });
            }
            Ok(_) => {
                let target = fs::read_link(&path).map_err(unwritable)?;
                path = path.parent().unwrap_or(Path::new("/")).join(target);
            }
            Err(error) if is_missing(&error) => return Ok(path),
            Err(source) => return Err(unwritable(source)),
        }
    }
    Err(ConfigError::Unwritable { path, source: Errno::LOOP.into() })
}

/// Writes the text beside the file and gives it the file's name.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let old = match fs::metadata(path) {
        Ok(old) => {
            // A rename asks the folder alone; who made a file read-only meant it.
            rustix::fs::accessat(rustix::fs::CWD, path, Access::WRITE_OK, AtFlags::EACCESS)?;
            Some(old)
        }
        Err(error) if is_missing(&error) => None,
        Err(error) => return Err(error),
    };
    let (beside, file) = create_beside(path)?;
    let written = fill(&file, old.as_ref(), text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What cannot be removed either is harmless: nobody reads that name.
        let _ = fs::remove_file(&beside);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    for number in 0..NAMES_MAX {
        let beside = path.with_file_name(format!(".{name}.{}.{number}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o666).open(&beside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (beside, file)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn fill(mut file: &File, old: Option<&Metadata>, text: &[u8]) -> io::Result<()> {
    if let Some(old) = old {
        let new = file.metadata()?;
        let (uid, gid) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            // Only root can give a file away; a group of our own is worth a try.
            let kept = rustix::fs::fchown(file, Some(uid), Some(gid));
            let _ = kept.or_else(|_| rustix::fs::fchown(file, None, Some(gid)));
        }
        rustix::fs::fchmod(file, Mode::from_raw_mode(old.permissions().mode() & 0o7777))?;
    }
    file.write_all(text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn draft(path: PathBuf, text: &str) -> Draft {
        Draft { layer: Layer::User, path, text: text.to_owned() }
    }

    fn uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn names(folder: &TempDir) -> usize {
        fs::read_dir(folder.path()).unwrap().count()
    }

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_nothing_is_left_beside() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a/config.toml");
        draft(path.clone(), "one").write(uid()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let before = fs::metadata(&path).unwrap();
        draft(path.clone(), "two").write(uid()).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(after.mode() & 0o7777, 0o600);
        assert_ne!(before.ino(), after.ino(), "a reader keeps the old one");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_stays_as_it_was() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        // Root writes it all the same.
        if !rustix::process::geteuid().is_root() {
            let error = draft(path.clone(), "two").write(uid()).unwrap_err();
            assert!(matches!(error, ConfigError::Unwritable { .. }));
            assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(draft(path.clone(), "two").write(uid()).is_err());
        assert!(draft(folder.path().join("config.toml/../.."), "two").write(uid()).is_err());
        assert_eq!((names(&folder), path.is_dir()), (1, true));
    }

    #[test]
    fn ones_own_links_are_followed_and_a_strangers_are_not() {
        let folder = TempDir::new().unwrap();
        let (link, second) = (folder.path().join("link"), folder.path().join("second"));
        let real = folder.path().join("real");
        symlink("second", &link).unwrap();
        symlink("real", &second).unwrap();
        draft(link.clone(), "one").write(uid()).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "one");
        assert_eq!(names(&folder), 3);
        // What belongs to root is everybody's, so root has to give the link away.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::lchown(&second, Some(12_345), None).unwrap();
        }
        let stranger = if uid() == 0 { 0 } else { uid() + 1 };
        let error = draft(link.clone(), "two").write(stranger).unwrap_err();
        assert!(matches!(error, ConfigError::Foreign { .. }), "{error}");
        assert_eq!(fs::read_to_string(&real).unwrap(), "one");
        fs::remove_file(&link).unwrap();
        symlink("link", &link).unwrap();
        let error = draft(link, "two").write(uid()).unwrap_err();
        assert!(matches!(error, ConfigError::Unwritable { .. }), "{error}");
    }

    #[test]
    fn a_path_that_another_layer_has_is_that_layers() {
        let folder = TempDir::new().unwrap();
        let cwd = folder.path().join("project/src");
        fs::create_dir_all(&cwd).unwrap();
        let places = Places {
            system: folder.path().join("system.toml"),
            user: None,
            user_is_named: false,
            cwd: cwd.clone(),
            uid: uid(),
        };
        let root = folder.path().join("project");
        let place = |target: &Target| target.place(&places, &root).ok();
        assert!(matches!(Target::User.read(&places, &root), Err(ConfigError::Homeless)));
        assert_eq!(place(&Target::Project), Some((Layer::Project, root.join("styxy.toml"))));
        fs::write(cwd.join("styxy.toml"), "").unwrap();
        assert_eq!(place(&Target::Project), Some((Layer::Project, cwd.join("styxy.toml"))));
        for (path, layer) in [
            ("styxy.toml", Layer::Project),
            ("../src/styxy.toml", Layer::Project),
            ("../../system.toml", Layer::User),
            ("other.toml", Layer::User),
        ] {
            fs::write(folder.path().join("other.toml"), "").unwrap();
            let found = place(&Target::File(path.into())).map(|(layer, _)| layer);
            assert_eq!(found, Some(layer), "{path}");
        }
        fs::write(&places.system, "").unwrap();
        let found = place(&Target::File("../../system.toml".into())).map(|(layer, _)| layer);
        assert_eq!(found, Some(Layer::System));
    }
}

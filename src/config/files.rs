//! Finds and reads the configuration's files, and lays all sources over each other.
//!
//! The only I/O of this room. Each file is opened once and read once; what its text means is `reader`'s business.

use super::{
    error::ConfigError,
    layer::Layer,
    procfile::{Procfile, read_procfile},
    reader::read_file,
    stack::Config,
    trust, validate,
    variables::{Assignment, read_flags, read_variables},
};
use rustix::fs::{Mode, OFlags};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// No configuration is larger; what is, was never meant to be one.
const FILE_SIZE_MAX: u64 = 1 << 20;
/// What is said of one that is.
const TOO_LARGE: &str = "is larger than 1 MiB";
/// What a project's file is called.
pub(super) const PROJECT_FILE: &str = "styxy.toml";
/// What names services where no project's file does.
const PROCFILE: &str = "Procfile";
/// The system's file.
const SYSTEM_FILE: &str = "/etc/styxy/config.toml";

/// Where configuration is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The system's file.
    pub system: PathBuf,
    /// The user's file, or the one that `STYXY_CONFIG` names; none without a home.
    pub user: Option<PathBuf>,
    /// Whether `STYXY_CONFIG` names it: then it has to be there.
    pub user_is_named: bool,
    /// Where the way up to the nearest project's file begins; absolute.
    pub cwd: PathBuf,
    /// A project's file counts if it belongs to this user or to root.
    pub uid: u32,
}

impl Places {
    /// The places that the environment names; `variable` looks one up.
    pub fn new(
        variable: impl Fn(&str) -> Option<OsString>,
        cwd: &Path,
        home: Option<&Path>,
        uid: u32,
    ) -> Self {
        let path = |name| variable(name).filter(|text| !text.is_empty()).map(PathBuf::from);
        // The XDG specification: a path that is not absolute is ignored.
        let xdg = path("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
        let config_home = xdg.or_else(|| home.map(|home| home.join(".config")));
        let named = path("STYXY_CONFIG").map(|path| cwd.join(path));
        let user_is_named = named.is_some();
        let user = named.or_else(|| config_home.map(|home| home.join("styxy/config.toml")));
        Self { system: PathBuf::from(SYSTEM_FILE), user, user_is_named, cwd: cwd.to_owned(), uid }
    }

    /// The nearest project's file that is there, whoever's it is.
    pub fn project(&self) -> Option<PathBuf> {
        self.project_candidates().find(|path| path.is_file())
    }

    /// Where a project's file may be, nearest first.
    fn project_candidates(&self) -> impl Iterator<Item = PathBuf> {
        self.cwd.ancestors().map(|directory| directory.join(PROJECT_FILE))
    }

    /// A path as messages have it: short where it is below the working directory.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.cwd).unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// The configuration, and what a person should be told about how it came to be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// What holds.
    pub config: Config,
    /// Files that were passed over, and why.
    pub notices: Vec<String>,
}

/// A file's text as it would be: laid over the others in place of what is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Which of the files.
    pub layer: Layer,
    /// Its path.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Draft {
    /// Its path as messages have it.
    pub(super) fn shown(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

/// Reads all sources, lowest first. Files that are missing say nothing; those that cannot be read are errors.
pub fn load(
    places: &Places,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    flags: &[Assignment],
) -> Result<Loaded, ConfigError> {
    stacked(places, Layer::Project, None)?.finish(variables, flags)
}

/// What would hold with the draft. It has to make sense with the files below it alone, since the others are
/// different in other places, and with all that holds here.
pub fn check(
    places: &Places,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    draft: &Draft,
) -> Result<Loaded, ConfigError> {
    if draft.text.len() as u64 > FILE_SIZE_MAX {
        return Err(ConfigError::NotText { path: draft.path.clone(), why: TOO_LARGE });
    }
    let alone = stacked(places, draft.layer, Some(draft))?;
    validate::consistent(&alone.config)?;
    stacked(places, Layer::Project, Some(draft))?.finish(variables, &[])
}

/// Files laid over each other, before variables and flags.
struct Stacked {
    config: Config,
    /// What the system's and the user's files say, without the project's.
    machine: Config,
    notices: Vec<String>,
}

impl Stacked {
    /// Lays variables and flags on top, and looks whether all of it makes sense.
    fn finish(
        self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[Assignment],
    ) -> Result<Loaded, ConfigError> {
        let Self { mut config, machine, notices } = self;
        read_variables(&mut config, variables)?;
        read_flags(&mut config, flags)?;
        validate::consistent(&config)?;
        config.machine = (config != machine).then(|| Box::new(machine));
        Ok(Loaded { config, notices })
    }
}

/// The files up to a layer, laid over each other.
fn stacked(places: &Places, top: Layer, draft: Option<&Draft>) -> Result<Stacked, ConfigError> {
    let mut config = Config::default();
    let mut notices = Vec::new();
    let own = [(Layer::System, Some(&places.system)), (Layer::User, places.user.as_ref())];
    for (layer, path) in own.into_iter().filter(|(layer, _)| *layer <= top) {
        if let Some(draft) = draft.filter(|draft| draft.layer == layer) {
            read_file(&mut config, layer, &places.shown(&draft.path), &draft.text)?;
            continue;
        }
        let Some(path) = path else { continue };
        match open(path)? {
            Some(file) => {
                read_file(&mut config, layer, &places.shown(path), &text(path, file)?)?;
            }
            // Who names a file means it; only the usual places may be empty.
            None if layer == Layer::User && places.user_is_named => {
                let source = io::ErrorKind::NotFound.into();
                return Err(ConfigError::Unreadable { path: path.clone(), source });
            }
            None => {}
        }
    }
    let machine = config.clone();
    if top < Layer::Project {
        return Ok(Stacked { config, machine, notices });
    }
    if let Some(draft) = draft.filter(|draft| draft.layer == Layer::Project) {
        read_file(&mut config, Layer::Project, &places.shown(&draft.path), &draft.text)?;
        notices.extend(trust::withhold(&mut config, &machine));
        config.project = draft.path.parent().map(Path::to_owned);
        return Ok(Stacked { config, machine, notices });
    }
    match nearest(places.project_candidates(), places.uid)? {
        Project::None => {}
        Project::Read { path, file } => {
            read_file(&mut config, Layer::Project, &places.shown(&path), &text(&path, file)?)?;
            notices.extend(trust::withhold(&mut config, &machine));
            config.project = path.parent().map(Path::to_owned);
        }
        Project::Foreign { path, owner } => {
            notices.push(ConfigError::Foreign { path, owner }.to_string());
        }
    }
    Ok(Stacked { config, machine, notices })
}

/// The nearest Procfile upwards from the working directory, no farther than the project's `styxy.toml` where
/// there is one. It names commands, so one of a stranger is an error.
pub fn procfile(places: &Places, project: Option<&Path>) -> Result<Option<Procfile>, ConfigError> {
    let folders = places.cwd.ancestors();
    let below = folders.take_while(|folder| project.is_none_or(|top| folder.starts_with(top)));
    match nearest(below.map(|folder| folder.join(PROCFILE)), places.uid)? {
        Project::None => Ok(None),
        Project::Read { path, file } => {
            let services = read_procfile(&places.shown(&path), &text(&path, file)?)?;
            let root = path.parent().unwrap_or(&places.cwd).to_owned();
            Ok(Some(Procfile { root, services }))
        }
        Project::Foreign { path, owner } => Err(ConfigError::Foreign { path, owner }),
    }
}

/// What was found on the way up from the working directory.
enum Project {
    None,
    Read { path: PathBuf, file: File },
    Foreign { path: PathBuf, owner: u32 },
}

/// The nearest project's file; one of a stranger ends the search, so that nothing farther up stands in for it.
fn nearest(candidates: impl Iterator<Item = PathBuf>, uid: u32) -> Result<Project, ConfigError> {
    for path in candidates {
        let (file, metadata) = match open_regular(&path) {
            Ok(opened) => opened,
            Err(error) if is_missing(&error) => continue,
            // A file that we may not read has an owner all the same; one that we may not even see is not there.
            Err(source) => match fs::metadata(&path) {
                Ok(metadata) if is_ours(&metadata, uid) => {
                    return Err(ConfigError::Unreadable { path, source });
                }
                Ok(metadata) => return Ok(Project::Foreign { path, owner: metadata.uid() }),
                Err(_) => continue,
            },
        };
        if !metadata.is_file() {
            continue;
        }
        return Ok(if is_ours(&metadata, uid) {
            Project::Read { path, file }
        } else {
            Project::Foreign { path, owner: metadata.uid() }
        });
    }
    Ok(Project::None)
}

/// Opens a file that anyone may have put there: a pipe of that name must not make us wait.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, fs::Metadata)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// Whether a file belongs to the user or to root.
pub(super) fn is_ours(metadata: &fs::Metadata, uid: u32) -> bool {
    metadata.uid() == uid || metadata.uid() == 0
}

/// Opens a file, if it is there.
fn open(path: &Path) -> Result<Option<File>, ConfigError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path: path.to_owned(), source }),
    }
}

/// Whether the error says that there is no such file.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// All of a file's text.
pub(super) fn text(path: &Path, file: File) -> Result<String, ConfigError> {
    let mut bytes = Vec::new();
    file.take(FILE_SIZE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let not_text = |why| ConfigError::NotText { path: path.to_owned(), why };
    if bytes.len() as u64 > FILE_SIZE_MAX {
        return Err(not_text(TOO_LARGE));
    }
    String::from_utf8(bytes).map_err(|_| not_text("is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Port;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    /// A directory with a system's file, a user's file and a project two levels deep.
    struct Tree {
        root: TempDir,
        places: Places,
    }

    impl Tree {
        fn new() -> Self {
            let root = TempDir::new().unwrap();
            let cwd = root.path().join("project/src");
            fs::create_dir_all(&cwd).unwrap();
            let places = Places {
                system: root.path().join("system.toml"),
                user: Some(root.path().join("user.toml")),
                user_is_named: false,
                cwd,
                uid: rustix::process::geteuid().as_raw(),
            };
            Self { root, places }
        }

        fn write(&self, name: &str, text: &str) -> &Self {
            fs::write(self.root.path().join(name), text).unwrap();
            self
        }

        fn load(&self) -> Result<Loaded, ConfigError> {
            load(&self.places, [], &[])
        }
    }

    fn min_port(loaded: &Loaded) -> (u16, String) {
        let entry = &loaded.config.get("auto_allocation.min_port").unwrap()[0];
        let port: Port = loaded.config.auto_allocation().min_port;
        (port.number(), entry.origin.to_string())
    }

    #[test]
    fn the_environment_says_where_the_users_file_is() {
        for (variables, expected) in [
            (vec![], Some("/home/u/.config/styxy/config.toml")),
            (vec![("XDG_CONFIG_HOME", "/xdg")], Some("/xdg/styxy/config.toml")),
            (vec![("XDG_CONFIG_HOME", "xdg")], Some("/home/u/.config/styxy/config.toml")),
            (
                vec![("STYXY_CONFIG", ""), ("XDG_CONFIG_HOME", "/xdg")],
                Some("/xdg/styxy/config.toml"),
            ),
            (vec![("STYXY_CONFIG", "/my.toml"), ("XDG_CONFIG_HOME", "/xdg")], Some("/my.toml")),
            (vec![("STYXY_CONFIG", "my.toml")], Some("/work/my.toml")),
        ] {
            let look_up = |name: &str| {
                variables
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, text)| OsString::from(text))
            };
            let places = Places::new(look_up, Path::new("/work"), Some(Path::new("/home/u")), 1000);
            assert_eq!(places.user.as_deref(), expected.map(Path::new), "{variables:?}");
        }
        assert_eq!(Places::new(|_| None, Path::new("/"), None, 0).user, None);
    }

    #[test]
    fn nothing_at_all_is_the_defaults() {
        let loaded = Tree::new().load().unwrap();
        assert_eq!(loaded, Loaded::default());
    }

    #[test]
    fn the_project_wins_over_the_user_and_the_user_over_the_system() {
        let tree = Tree::new();
        tree.write("system.toml", "auto_allocation.min_port = 1001");
        assert_eq!(min_port(&tree.load().unwrap()).0, 1001);
        tree.write("user.toml", "auto_allocation.min_port = 1002");
        assert_eq!(min_port(&tree.load().unwrap()).0, 1002);
        tree.write("project/styxy.toml", "\nauto_allocation.min_port = 1003");
        let loaded = tree.load().unwrap();
        assert_eq!(loaded.config.project(), Some(tree.root.path().join("project").as_path()));
        let path = tree.root.path().join("project/styxy.toml");
        assert_eq!(min_port(&loaded), (1003, format!("{}:2", path.display())));
        // The nearest one stands alone, and is named by its short path.
        tree.write("project/src/styxy.toml", "auto_allocation.max_port = 64000");
        assert_eq!(min_port(&tree.load().unwrap()).0, 1002);
        tree.write("project/src/styxy.toml", "x = 1");
        assert_eq!(tree.load().unwrap_err().to_string(), "styxy.toml:1: unknown key 'x'");
    }

    #[test]
    fn variables_and_flags_come_last() {
        let tree = Tree::new();
        tree.write("project/styxy.toml", "auto_allocation.min_port = 1003");
        let variable = ("STYXY_SET_AUTO_ALLOCATION_MIN_PORT".into(), "1004".into());
        let loaded = load(&tree.places, [variable.clone()], &[]).unwrap();
        assert_eq!(min_port(&loaded).0, 1004);
        let flag = Assignment {
            flag: "--min-port".to_owned(),
            key: "auto_allocation.min_port".to_owned(),
            value: "1005".to_owned(),
        };
        let loaded = load(&tree.places, [variable], &[flag]).unwrap();
        assert_eq!(min_port(&loaded), (1005, "--min-port".to_owned()));
    }

    #[test]
    fn a_strangers_project_file_is_not_read_and_that_is_said() {
        let mut tree = Tree::new();
        tree.write("project/styxy.toml", "not even TOML");
        tree.places.uid += 1;
        let found = tree.load();
        // What belongs to root is read by everybody, so root cannot play the stranger here.
        if rustix::process::geteuid().is_root() {
            assert!(found.is_err());
            let path = tree.root.path().join("project/styxy.toml");
            std::os::unix::fs::chown(path, Some(12_345), None).unwrap();
        }
        let loaded = tree.load().unwrap();
        assert_eq!(loaded.config, Config::default());
        assert!(loaded.notices[0].contains("/project/styxy.toml is not read: it belongs to user"));
    }

    #[test]
    fn what_is_no_file_is_no_project() {
        let tree = Tree::new();
        fs::create_dir(tree.root.path().join("project/src/styxy.toml")).unwrap();
        nix::unistd::mkfifo(
            &tree.root.path().join("project/styxy.toml"),
            nix::sys::stat::Mode::from_bits_truncate(0o600),
        )
        .unwrap();
        assert_eq!(tree.load().unwrap(), Loaded::default());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let tree = Tree::new();
        let path = tree.root.path().join("user.toml");
        tree.write("user.toml", "");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        // Root reads it all the same.
        if !rustix::process::geteuid().is_root() {
            let error = tree.load().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("cannot read the configuration {}", path.display())
            );
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(tree.load().unwrap_err(), ConfigError::Unreadable { .. }));
    }

    #[test]
    fn what_is_no_text_or_far_too_much_is_refused() {
        let tree = Tree::new();
        fs::write(tree.root.path().join("user.toml"), [0xff, 0xfe]).unwrap();
        assert!(tree.load().unwrap_err().to_string().ends_with("user.toml is not UTF-8"));
        tree.write("user.toml", &" ".repeat((1 << 20) + 1));
        assert!(tree.load().unwrap_err().to_string().ends_with("user.toml is larger than 1 MiB"));
        tree.write("user.toml", &" ".repeat(1 << 20));
        assert!(tree.load().is_ok());
        tree.write("user.toml", "\u{feff}auto_allocation.min_port = 1001\r\n");
        assert_eq!(min_port(&tree.load().unwrap()).0, 1001);
    }
}

//! `config`: what holds and who said so; and changes to a file, which are checked before they are written.
//!
//! A change is made under the state lock, so that none is lost between two, and is in the audit log. Which
//! values are good, and how a text is changed, is `config`'s business.

use super::{
    error::Error,
    host::{Host, Tell, config_places, load_config, project_root},
};
use crate::{
    config::{self, Assignment, Config, Draft, Entry, Loaded, Places, edit},
    os::editor,
    registry::Setting,
};
use serde::Serialize;
use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

pub use crate::config::{
    Target,
    edit::{dotted, is_rules},
};

/// The editor of who names none.
const EDITOR_DEFAULT: &str = "vi";

/// What was changed in a file.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// The file.
    pub file: PathBuf,
    /// Key by key.
    pub changes: Vec<ChangedKey>,
    /// Where something else wins here over what was set.
    pub overridden: Vec<Overridden>,
}

/// What was changed at one key.
#[derive(Debug, Serialize)]
pub struct ChangedKey {
    /// The key, as the schema spells it.
    pub key: String,
    /// What stood there.
    pub before: Option<toml::Value>,
    /// What stands there now.
    pub after: Option<toml::Value>,
}

/// A key that a higher layer says too.
#[derive(Debug, Serialize)]
pub struct Overridden {
    /// The key.
    pub key: String,
    /// Who says it, as `config show --origin` names it.
    pub by: String,
}

/// Files that were found to be good.
#[derive(Debug, Serialize)]
pub struct Validated {
    /// Those that are there, lowest first.
    pub files: Vec<PathBuf>,
}

/// Every setting, with its origin.
pub fn entries(flags: &[Assignment], tell: &Tell<'_>) -> Result<Vec<Entry>, Error> {
    Ok(load_config(flags, tell)?.entries())
}

/// Every setting as it is where nobody says otherwise.
pub fn built_in() -> Vec<Entry> {
    Config::default().entries()
}

/// The settings at or below a key.
pub fn get(key: &str, flags: &[Assignment], tell: &Tell<'_>) -> Result<Vec<Entry>, Error> {
    let found = load_config(flags, tell)?.get(key)?;
    if found.is_empty() {
        return Err(Error::Usage {
            message: format!("nothing is set at `{}`", key.escape_debug()),
            hint: Some("`styxy config show` shows every key".to_owned()),
        });
    }
    Ok(found)
}

/// Where configuration files are looked for.
pub fn places() -> Places {
    config_places()
}

/// Sets these keys, all or none.
pub fn set(
    values: &[(String, String)],
    target: &Target,
    tell: &Tell<'_>,
) -> Result<Changed, Error> {
    Desk::open(target, tell)?.change(|mut draft| {
        for (key, value) in values {
            draft.text = edit::set(&draft, key, value)?;
        }
        Ok(draft.text)
    })
}

/// Takes a key and all below it out of a file.
pub fn unset(key: &str, target: &Target, tell: &Tell<'_>) -> Result<Changed, Error> {
    Desk::open(target, tell)?.change(|draft| Ok(edit::unset(&draft, key)?))
}

/// Writes a first file that says nothing, but shows every key.
pub fn init(target: &Target, tell: &Tell<'_>) -> Result<Changed, Error> {
    Desk::open(target, tell)?.change(|draft| {
        if draft.path.exists() {
            return Err(Error::Usage {
                message: format!("{} is there already", draft.path.display()),
                hint: Some("change it with `styxy config edit` or `styxy config set`".to_owned()),
            });
        }
        Ok(edit::template())
    })
}

/// Lets a person change a file in their editor. What makes no sense is not saved: `again` is told why, and
/// says whether they go on.
pub fn edit(
    target: &Target,
    tell: &Tell<'_>,
    again: &dyn Fn(&Error) -> bool,
) -> Result<Changed, Error> {
    let desk = Desk::open(target, tell)?;
    let begun = target.read(&desk.places, &desk.host.place.project)?;
    let shown = if begun.path.exists() { begun.text.clone() } else { edit::template() };
    let mut scratch = Scratch::write(desk.host.store.path(), &shown)?;
    loop {
        let text = scratch.edited()?;
        if text == shown {
            return Ok(Changed::nothing(begun.path));
        }
        let saved = desk.change(|draft| {
            if draft.text == begun.text {
                return Ok(text);
            }
            scratch.is_kept = true;
            Err(Error::Usage {
                message: format!("{} was changed by somebody else meanwhile", draft.path.display()),
                hint: Some(format!("your text is kept in {}", scratch.path.display())),
            })
        });
        match saved {
            Err(error @ Error::Config(_)) if again(&error) => {}
            saved => return saved,
        }
    }
}

/// A configuration file as it is.
#[derive(Debug, Serialize)]
pub struct FileView {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is there.
    pub exists: bool,
    /// When it was written last, in UTC.
    pub modified_at: Option<String>,
    /// What stands in it.
    pub text: String,
}

/// One of the files with what stands in it.
pub fn file(target: &Target) -> Result<FileView, Error> {
    let places = config_places();
    let Draft { path, text, .. } = target.read(&places, &project_root(&places.cwd))?;
    let modified = fs::metadata(&path).and_then(|file| file.modified()).ok();
    let modified_at = modified.and_then(|time| jiff::Timestamp::try_from(time).ok());
    let modified_at = modified_at.map(|time| time.to_string());
    Ok(FileView { exists: path.exists(), modified_at, path, text })
}

/// What would change if that text stood in the file; an error if it makes no sense there.
pub fn rehearse(target: &Target, text: &str, tell: &Tell<'_>) -> Result<Changed, Error> {
    let places = config_places();
    let old = target.read(&places, &project_root(&places.cwd))?;
    let new = Draft { text: text.to_owned(), ..old.clone() };
    let config = told(config::check(&places, std::env::vars_os(), &new)?, tell);
    Ok(Changed::of(&old, &new, &config))
}

/// Replaces the file's text, unless somebody else has changed it meanwhile.
pub fn replace(
    target: &Target,
    before: &str,
    text: &str,
    tell: &Tell<'_>,
) -> Result<Changed, Error> {
    Desk::open(target, tell)?.change(|draft| {
        if draft.text != before {
            return Err(Error::Usage {
                message: format!("{} was changed by somebody else meanwhile", draft.path.display()),
                hint: Some("look at what stands there now, and change that".to_owned()),
            });
        }
        Ok(text.to_owned())
    })
}

/// Whether what holds makes sense; or what would hold with this file in its place.
pub fn validate(target: Option<&Target>, tell: &Tell<'_>) -> Result<Validated, Error> {
    let places = config_places();
    let Some(target) = target else {
        load_config(&[], tell)?;
        let project = places.project();
        let files = [Some(places.system), places.user, project].into_iter().flatten();
        return Ok(Validated { files: files.filter(|path| path.exists()).collect() });
    };
    let cwd = places.cwd.clone();
    let draft = target.read(&places, &cwd)?;
    if !draft.path.exists() {
        return Err(Error::Usage {
            message: format!("{} is not there", draft.path.display()),
            hint: Some("styxy config path".to_owned()),
        });
    }
    told(config::check(&places, std::env::vars_os(), &draft)?, tell);
    Ok(Validated { files: vec![draft.path] })
}

fn told(loaded: Loaded, tell: &Tell<'_>) -> Config {
    loaded.notices.iter().for_each(|notice| tell(notice));
    loaded.config
}

/// Where one file is changed.
struct Desk<'a> {
    host: Host,
    places: Places,
    target: &'a Target,
    tell: &'a Tell<'a>,
}

impl<'a> Desk<'a> {
    fn open(target: &'a Target, tell: &'a Tell<'a>) -> Result<Self, Error> {
        // What is broken now may be what is mended; what comes of it is checked as a whole.
        let config = load_config(&[], &|_| ()).unwrap_or_default();
        Ok(Self { host: Host::with_config(config)?, places: config_places(), target, tell })
    }

    /// One change, and the table of ports as it is then: configured ranges stand in it too.
    fn change(&self, make: impl FnOnce(Draft) -> Result<String, Error>) -> Result<Changed, Error> {
        let changed = self.changed(make)?;
        if changed.changes.iter().any(|change| change.key.starts_with("service_types.")) {
            let config = load_config(&[], self.tell)?;
            Host::with_config(config)?.refresh_table(self.tell)?;
        }
        Ok(changed)
    }

    /// One change: read, make, check, write, all under the state lock. A crash between the file and the
    /// audit line costs the line: a line that tells of what never was would be worse.
    fn changed(&self, make: impl FnOnce(Draft) -> Result<String, Error>) -> Result<Changed, Error> {
        let world = self.host.world();
        self.host.transact(self.tell, &world, |_, remarks| {
            let old = self.target.read(&self.places, &self.host.place.project)?;
            let new = Draft { text: make(old.clone())?, ..old.clone() };
            if new == old {
                return Ok(Changed::nothing(old.path));
            }
            let config = told(config::check(&self.places, std::env::vars_os(), &new)?, self.tell);
            new.write(self.places.uid)?;
            let changed = Changed::of(&old, &new, &config);
            let file = new.path.to_string_lossy();
            remarks.settings = changed.changes.iter().map(|key| key.setting(&file)).collect();
            Ok(changed)
        })
    }
}

impl Changed {
    fn of(old: &Draft, new: &Draft, config: &Config) -> Self {
        let changes: Vec<ChangedKey> =
            edit::differences(old, &new.text).into_iter().map(ChangedKey::from).collect();
        let overridden = changes
            .iter()
            .filter(|change| change.after.is_some())
            .flat_map(|change| config.get(&change.key).unwrap_or_default())
            .filter(|entry| entry.origin.layer() > Some(new.layer))
            .map(|entry| Overridden { key: entry.key, by: entry.origin.to_string() })
            .collect();
        Self { file: new.path.clone(), changes, overridden }
    }

    fn nothing(file: PathBuf) -> Self {
        Self { file, changes: Vec::new(), overridden: Vec::new() }
    }
}

impl From<edit::Difference> for ChangedKey {
    fn from(difference: edit::Difference) -> Self {
        let edit::Difference { key, before, after } = difference;
        Self { key, before, after }
    }
}

impl ChangedKey {
    fn setting(&self, file: &str) -> Setting {
        let json = |value: &Option<toml::Value>| {
            value
                .as_ref()
                .map(|value| serde_json::to_value(value).expect("a setting is plain TOML"))
        };
        Setting {
            file: file.to_owned(),
            key: self.key.clone(),
            before: json(&self.before),
            after: json(&self.after),
        }
    }
}

/// The text that a person works on; gone when they are done.
struct Scratch {
    path: PathBuf,
    is_kept: bool,
}

impl Scratch {
    fn write(folder: &Path, text: &str) -> Result<Self, Error> {
        // Editors know the language by the ending.
        let path = folder.join(format!("config-edit-{}.toml", std::process::id()));
        let failed = |source| Error::System { deed: "write the text to be edited", source };
        // Left by a dead process of the same number, if at all.
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let scratch = Self { path, is_kept: false };
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
        Ok(scratch)
    }

    /// What the person made of it.
    fn edited(&self) -> Result<String, Error> {
        let failed = |source| Error::System { deed: "edit the configuration", source };
        let status = editor::open(&editor_named(), &self.path).map_err(failed)?;
        if !status.success() {
            let words = format!("the editor ended with {status}, and nothing was changed");
            return Err(failed(std::io::Error::other(words)));
        }
        fs::read_to_string(&self.path).map_err(failed)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_kept {
            // Gone already is as good.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// As for other programs: `VISUAL`, else `EDITOR`.
fn editor_named() -> OsString {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(std::env::var_os);
    named.into_iter().find(|line| !line.is_empty()).unwrap_or_else(|| EDITOR_DEFAULT.into())
}

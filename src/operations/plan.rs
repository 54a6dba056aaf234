//! What is asked for, completed: the tool recognised, the type and the id settled, the settings laid over
//! each other. Nothing is decided here that needs the registry.

use super::{
    after::After,
    consent::Proposal,
    container::{self, Contents},
    error::Error,
    host::{Host, Place},
};
use crate::{
    config::{
        Behavior, IfRunning, InstanceId, ReadyCheck, ScopeKind, ServiceSettings, ServiceType,
        SingleScope, TypeName,
    },
    decision::{
        ask::{Ask, AskedId, Purpose},
        identity,
        port::Wish,
        range_rule::RangeWish,
        recognise::{self, Recognised},
    },
    ports::{Port, Range},
    registry::Scope,
};
use std::path::{Path, PathBuf};

/// What a person asked for, as it was typed.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--type`.
    pub service_type: Option<TypeName>,
    /// `--id`.
    pub id: Option<InstanceId>,
    /// `--port`, `--prefer`, `--ports`.
    pub wish: Wish,
    /// `--group`, and what a person answered who was asked for a new range.
    pub range: RangeWish,
    /// The new range that was agreed to: this one and no other.
    pub agreed: Option<Proposal>,
    /// `--if-running`.
    pub if_running: IfRunning,
    /// `--new`.
    pub new: bool,
    /// `--claim`.
    pub claims: Vec<PathBuf>,
    /// What flags say of scope, reservation, checks, variables, restarts and stops.
    pub settings: ServiceSettings,
    /// `--after`, and what a service comes after.
    pub after: Vec<After>,
    /// `-d`.
    pub detach: bool,
    /// In the background, and yet with the instance as long as it lives: a service of `up`.
    pub stays: bool,
    /// Started by `up` or `up -d`, which keep the order: a service of the project that is not there has done
    /// its work.
    pub in_order: bool,
    /// `--stdin null`.
    pub stdin_null: bool,
    /// `--raw`.
    pub raw: bool,
    /// `--dry-run`.
    pub dry_run: bool,
    /// The command; empty for `allocate`.
    pub command: Vec<String>,
}

impl Request {
    /// Whether the command's output goes to a log, where its lines can be read.
    pub fn keeps_log(&self) -> bool {
        self.detach
    }
}

/// A request, completed.
pub struct Plan {
    /// The type.
    pub service_type: TypeName,
    /// The id, given or derived.
    pub id: AskedId,
    /// Where the id is unique.
    pub scope: Scope,
    /// One instance, or many.
    pub behavior: Behavior,
    /// What a single one is single in.
    pub single_scope: SingleScope,
    /// The type's range, if a profile or the configuration gives it one.
    pub range: Option<Range>,
    /// What is wished of a range that has to be made.
    pub new_range: RangeWish,
    /// The new range that was agreed to.
    pub agreed: Option<Proposal>,
    /// Nothing is written, so nobody has to agree.
    pub dry_run: bool,
    /// Ports that the type prefers.
    pub preferred: Vec<Port>,
    /// How it is checked, restarted and stopped.
    pub settings: ServiceSettings,
    /// The tool that its command starts, if it is a known one.
    pub tool: Option<Recognised>,
    /// Whether its command starts containers, and which.
    pub contents: Contents,
    /// Whether the image's own check, if it has one, decides on readiness.
    pub by_health: bool,
    /// Whether its port is reserved while it starts.
    pub reserves: bool,
    /// Whether styxy listens on its ports, and passes the sockets on.
    pub listens: bool,
    /// A run, with its command's checksum, or an allocate.
    pub purpose: Purpose,
    /// Canonical paths of the data directories that it claims.
    pub claims: Vec<String>,
    /// Where those are that it came after, as variables.
    pub addresses: Vec<(String, String)>,
}

impl Plan {
    /// What is to be decided of it when others may run already.
    pub(super) fn ask(&self, if_running: IfRunning, new: bool) -> Ask<'_> {
        Ask {
            service_type: &self.service_type,
            id: &self.id,
            scope: &self.scope,
            behavior: self.behavior,
            single_scope: self.single_scope,
            purpose: self.purpose,
            if_running,
            new,
            claims: &self.claims,
            successor: None,
            is_ancestor: &|_| false,
        }
    }
}

impl Host {
    /// Completes a request.
    pub fn plan(&self, request: &Request) -> Result<Plan, Error> {
        self.plan_at(&self.place, request)
    }

    /// Completes a request that is made at another place.
    pub(super) fn plan_at(&self, place: &Place, request: &Request) -> Result<Plan, Error> {
        let scripts = |name: &str| package_script(&place.cwd, name);
        let tool = recognise::recognise(&request.command, &scripts);
        let service_type =
            request.service_type.clone().unwrap_or_else(|| recognise::default_type(tool.as_ref()));
        let known = self.config.service_type(&service_type);
        let behavior = known.as_ref().map_or(Behavior::Multi, |known| known.behavior);
        let contents = Contents::of(&request.command, &scripts);
        container::check(&contents, request)?;
        let configured = known.as_ref().and_then(|known| known.configured.ready.as_ref());
        let by_health = container::is_by_health(request, configured);
        let mut settings = settled(&request.settings, known.as_ref(), tool.as_ref());
        let listens = settings.listen_fd == Some(true) && !request.command.is_empty();
        if listens && settings.ready.as_ref().is_none_or(|ready| *ready == ReadyCheck::Tcp) {
            // There is a listener before there is a command: it says nothing.
            settings.ready = Some(ReadyCheck::None);
        }
        let scope = match settings.scope {
            Some(ScopeKind::Machine) => Scope::Machine,
            Some(ScopeKind::Project) => identity::default_scope(Behavior::Multi, &place.project),
            None => identity::default_scope(behavior, &place.project),
        };
        let id = match &request.id {
            Some(id) => AskedId::Given(id.clone()),
            None => AskedId::Derived(match behavior {
                Behavior::Single => {
                    identity::single_id(None, &recognise::tool_name(&request.command, &scripts))
                }
                Behavior::Multi => identity::multi_id(&place.project, &place.cwd),
            }),
        };
        let purpose = if request.command.is_empty() {
            Purpose::Allocate
        } else {
            Purpose::Run { command: checksum(&request.command) }
        };
        let tool_reserves = tool.as_ref().is_none_or(|recognised| !recognised.tool.no_reserve);
        Ok(Plan {
            id,
            scope,
            behavior,
            single_scope: known.as_ref().map_or_else(SingleScope::default, |k| k.single_scope),
            range: known.as_ref().and_then(|known| known.range),
            new_range: request.range.clone(),
            agreed: request.agreed.clone(),
            dry_run: request.dry_run,
            preferred: known.map_or_else(Vec::new, |known| known.preferred_ports),
            // Who is passed a socket that listens has nothing to bind over a reservation.
            reserves: listens || settings.reserve.unwrap_or(tool_reserves),
            listens,
            settings,
            tool,
            contents,
            by_health,
            purpose,
            claims: canonical(&request.claims)?,
            addresses: Vec::new(),
            service_type,
        })
    }
}

/// Flag, else configuration, else the recognised tool, else the type's profile.
fn settled(
    flags: &ServiceSettings,
    known: Option<&ServiceType>,
    tool: Option<&Recognised>,
) -> ServiceSettings {
    let mut settings = flags.clone();
    if let Some(known) = known {
        settings = settings.or(&known.configured);
    }
    if let Some(tool) = tool {
        settings = settings.or(&tool.tool.settings());
    }
    match known {
        Some(known) => settings.or(&known.profile),
        None => settings,
    }
}

/// The command's checksum: its words with a zero byte behind each, so that no two lists look alike.
fn checksum(command: &[String]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for word in command {
        hasher.update(word.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize()
}

fn canonical(claims: &[PathBuf]) -> Result<Vec<String>, Error> {
    claims
        .iter()
        .map(|path| match path.canonicalize() {
            Ok(path) if path.is_dir() => Ok(path.to_string_lossy().into_owned()),
            Ok(_) => Err(Error::Usage {
                message: format!("cannot claim {}: it is not a directory", path.display()),
                hint: Some("claim the data directory that the service writes to".to_owned()),
            }),
            Err(source) => Err(Error::Unclaimable { path: path.clone(), source }),
        })
        .collect()
}

/// A script of the nearest package.json, as `npm run NAME` would run it.
fn package_script(cwd: &Path, name: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Package {
        #[serde(default)]
        scripts: std::collections::BTreeMap<String, String>,
    }
    let file =
        cwd.ancestors().map(|folder| folder.join("package.json")).find(|file| file.is_file())?;
    let text = std::fs::read(file).ok()?;
    serde_json::from_slice::<Package>(&text).ok()?.scripts.remove(name)
}

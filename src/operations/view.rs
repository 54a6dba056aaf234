//! What is shown of an instance, the same through every face.
//!
//! Fields are named as in JSON; one is never renamed, only added; absent is null, never missing.

pub use super::container::ContainerView;

use super::{
    container,
    host::Host,
    serve::{at_post, started_at},
};
use crate::{
    config::{Behavior, TypeOrigin},
    decision::identity,
    os::{listeners, process, user},
    ports::{Port, Range},
    registry::{Holder, Instance, InstanceName, Lease, NamedPort, Phase, Registry, Scope},
    store::record::Record,
};
use serde::{Deserialize, Serialize};
use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
};

/// One instance, as `list` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Its type.
    pub r#type: String,
    /// Its id.
    pub id: String,
    /// Its project, as it is shown; null for one of the machine's.
    pub project: Option<String>,
    /// Whose it is, by name; the number itself for one without a name. Told where it is shown.
    pub user: Option<String>,
    /// The same as the kernel numbers it; null for a reservation, which is nobody's.
    pub uid: Option<u32>,
    /// The port that it gets as `PORT`.
    pub port: Port,
    /// The ports that have names.
    pub ports: BTreeMap<String, Port>,
    /// Where it is reached.
    pub url: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// The name of its lease.
    pub lock_id: String,
    /// The leader's pid; the listener's once the leader has ended.
    pub pid: Option<i32>,
    /// The supervisor's pid.
    pub supervisor_pid: Option<i32>,
    /// How often it was started again.
    pub restarts: u32,
    /// When it was started.
    pub started_at: Option<String>,
    /// When it got ready.
    pub ready_at: Option<String>,
    /// The command as it was given.
    pub command: Option<Vec<String>>,
    /// The command's working directory.
    pub cwd: Option<String>,
    /// Where its output is kept, if it is.
    pub log: Option<String>,
    /// How much of one processor its tree uses, in percent; told by `list` alone.
    pub cpu_percent: Option<f64>,
    /// The resident memory of its tree; told by `list` alone.
    pub memory_bytes: Option<u64>,
    /// Its container, if it is one.
    pub container: Option<ContainerView>,
}

/// One service type, as `types` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeView {
    /// Its name.
    pub name: String,
    /// Its ports.
    pub ranges: Vec<Range>,
    /// Who defined it.
    pub origin: TypeOrigin,
    /// One instance, or many.
    pub instance_behavior: Behavior,
    /// One line for people.
    pub description: String,
    /// How many of its ports have a lease.
    pub leased: usize,
    /// How many have none.
    pub free: usize,
}

#[cfg(test)]
impl TypeView {
    /// One of which nothing is leased.
    pub(crate) fn known(name: &str, origin: TypeOrigin, ranges: &[(u16, u16)]) -> Self {
        Self {
            name: name.to_owned(),
            ranges: ranges.iter().map(|(first, last)| Range::known(*first, *last)).collect(),
            origin,
            instance_behavior: Behavior::Multi,
            description: format!("All that is {name}"),
            leased: 0,
            free: 0,
        }
    }
}

/// What a command that names one instance answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The port.
    pub port: Port,
    /// The ports that have names.
    pub ports: BTreeMap<String, Port>,
    /// The name of the lease; null where a dry run has made none.
    pub lock_id: Option<String>,
    /// The type.
    pub r#type: String,
    /// The id.
    pub id: String,
    /// The project, as it is shown.
    pub project: Option<String>,
    /// Where it is reached.
    pub url: String,
    /// Its process.
    pub pid: Option<i32>,
    /// It was there before.
    pub existing: bool,
    /// A range was made or grown for it just now.
    pub auto_allocated: bool,
    /// That range.
    pub new_range: Option<Range>,
    /// The type had others before. For the sentence beside the answer.
    #[serde(skip)]
    pub grown: bool,
    /// The same in words.
    pub message: String,
}

/// A range that was made just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeRange {
    /// Its ports.
    pub range: Range,
    /// The type had others before.
    pub grown: bool,
}

impl View {
    /// `ai/rag`, or `dev/web@shop` in full.
    pub fn full_name(&self) -> String {
        match &self.project {
            Some(project) => format!("{}/{}@{project}", self.r#type, self.id),
            None => self.name(),
        }
    }

    /// `dev/web`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.r#type, self.id)
    }

    /// With its user's name: to be shown, and never on the way to a start or under a lock.
    #[must_use]
    pub fn with_user(self) -> Self {
        Self { user: self.uid.map(user::name), ..self }
    }

    /// With the process that listens on a port which is only reserved.
    fn served_by(self, listening: &dyn Fn(Port) -> Option<i32>) -> Self {
        let listener = || (self.phase == Phase::Reserved).then(|| listening(self.port)).flatten();
        Self { pid: self.pid.or_else(listener), ..self }
    }

    /// It is known to be somebody else's than this process.
    pub fn is_of_another_user(&self) -> bool {
        self.uid.is_some_and(|uid| uid != user::uid())
    }

    /// The answer of a command that found it so.
    pub fn answer(self, message: String) -> Answer {
        Answer {
            port: self.port,
            ports: self.ports,
            lock_id: Some(self.lock_id),
            r#type: self.r#type,
            id: self.id,
            project: self.project,
            url: self.url,
            pid: self.pid,
            existing: true,
            auto_allocated: false,
            new_range: None,
            grown: false,
            message,
        }
    }
}

impl Host {
    /// What is shown of an instance with a lease.
    pub fn view(&self, registry: &Registry, instance: &Instance) -> View {
        let view = self.view_unserved(registry, instance);
        view.served_by(&listeners::listening_process)
    }

    /// The same without a look at who listens on a reserved port.
    pub(super) fn view_unserved(&self, registry: &Registry, instance: &Instance) -> View {
        self.view_in_project(instance, self.project_shown(registry, &instance.name.scope))
    }

    /// The same, where somebody knows how its project is shown.
    fn view_in_project(&self, instance: &Instance, project: Option<String>) -> View {
        let lease = instance.lease.as_ref().expect("only instances with a lease are shown");
        let record = match lease.holder {
            Holder::Supervisor => self.store.run().read(&lease.lock_id),
            Holder::Reserved(_) => None,
        };
        let serving = at_post(&instance.name, &lease.holder);
        let phase = match (&lease.holder, &record) {
            // It takes its lease, and listens before it tells anybody where.
            (Holder::Reserved(_), _) if serving.is_some() => Phase::Ready,
            (Holder::Reserved(_), _) => Phase::Reserved,
            (Holder::Supervisor, Some(record)) => record.vitals.phase,
            (Holder::Supervisor, None) => Phase::Starting,
        };
        View {
            r#type: instance.name.service_type.to_string(),
            id: instance.name.id.to_string(),
            project,
            user: None,
            uid: match &serving {
                Some(process) => process::uid_of(process.pid),
                None => record.as_ref().map(|record| record.details.uid),
            },
            port: instance.port(),
            ports: named_ports(&instance.ports),
            url: url(instance.port()),
            phase,
            lock_id: lease.lock_id.to_string(),
            pid: pid(lease, record.as_ref()),
            supervisor_pid: record.as_ref().map(|record| record.details.supervisor.pid),
            restarts: record.as_ref().map_or(0, |record| record.vitals.restarts),
            started_at: match &serving {
                Some(process) => started_at(process),
                None => record.as_ref().map(|record| record.details.started_at.clone()),
            },
            ready_at: record.as_ref().and_then(ready_at),
            command: record.as_ref().map(|record| record.details.command.clone()),
            cwd: record.as_ref().map(|record| record.details.cwd.clone()),
            container: record.as_ref().and_then(container::view),
            log: record.and_then(|record| record.details.log),
            cpu_percent: None,
            memory_bytes: None,
        }
    }

    /// What the project of a scope is called: its folder, told apart where another has the same name.
    pub fn project_shown(&self, registry: &Registry, scope: &Scope) -> Option<String> {
        scope.root().map(|root| identity::display_name(root, registry.roots()))
    }

    /// `dev/web@shop`, in full.
    pub fn full_name(&self, registry: &Registry, name: &InstanceName) -> String {
        match self.project_shown(registry, &name.scope) {
            Some(project) => format!("{name}@{project}"),
            None => name.to_string(),
        }
    }

    /// Every instance that is alive, and every one that is dead but cannot be ended.
    pub fn views(&self, registry: &Registry) -> Vec<View> {
        let world = self.world();
        // Of thousands of instances most are of the same few projects.
        let roots: BTreeSet<&str> = registry.roots().collect();
        let project = |root| identity::display_name(root, roots.iter().copied());
        // The kernel walks through all listeners to find those of one port, so it is asked once for all.
        let served = LazyCell::new(listeners::listening_ports);
        let listening = |port: Port| match &*served {
            Some(served) if !served.contains(&port) => None,
            Some(_) | None => listeners::listening_process(port),
        };
        registry
            .leased()
            .map(|(instance, _)| instance)
            .filter(|instance| world.may_be_shown(instance))
            .map(|instance| {
                let project = instance.name.scope.root().map(project);
                self.view_in_project(instance, project).served_by(&listening)
            })
            .collect()
    }
}

/// The ports that `--ports` named.
pub fn named_ports(ports: &[NamedPort]) -> BTreeMap<String, Port> {
    let named = ports.iter().filter(|named| !named.name.is_empty());
    named.map(|named| (named.name.clone(), named.port)).collect()
}

/// Where a port of this machine is reached.
pub fn url(port: Port) -> String {
    format!("http://127.0.0.1:{port}")
}

fn pid(lease: &Lease, record: Option<&Record>) -> Option<i32> {
    match &lease.holder {
        Holder::Supervisor => {
            let vitals = record?.vitals;
            let leader = vitals.leader.filter(process::is_alive);
            leader.or(vitals.listener.filter(process::is_alive)).map(|process| process.pid)
        }
        Holder::Reserved(reservation) => reservation.process.map(|process| process.pid),
    }
}

fn ready_at(record: &Record) -> Option<String> {
    let started: jiff::Timestamp = record.details.started_at.parse().ok()?;
    let after = jiff::SignedDuration::from_millis(i64::try_from(record.vitals.ready_ms?).ok()?);
    started.checked_add(after).ok().map(|moment| moment.to_string())
}

//! One instance: its name, its ports, and its lease while it has one.
//!
//! Pure. What its supervisor knows beyond that (pids, phase, command) is in `run/`, not here.

use super::lease::Lease;
use crate::config::{InstanceId, TypeName};
use crate::ports::Port;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::{fmt, sync::Arc};

/// What an instance is called: type, id, and the project that it belongs to, if any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceName {
    /// `ai` in `ai/rag`.
    pub service_type: TypeName,
    /// `rag` in `ai/rag`.
    pub id: InstanceId,
    /// Where the name is unique.
    pub scope: Scope,
}

/// Where an instance's name is unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Option<Arc<str>>", into = "Option<Arc<str>>")]
pub enum Scope {
    /// On the machine.
    Machine,
    /// In the project with this root, an absolute path; shared by the many instances of one project.
    Project(Arc<str>),
}

impl From<Option<Arc<str>>> for Scope {
    fn from(root: Option<Arc<str>>) -> Self {
        root.map_or(Self::Machine, Self::Project)
    }
}

impl From<Scope> for Option<Arc<str>> {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Machine => None,
            Scope::Project(root) => Some(root),
        }
    }
}

impl Scope {
    /// The root of the project, if the scope is one.
    pub fn root(&self) -> Option<&str> {
        match self {
            Self::Machine => None,
            Self::Project(root) => Some(root),
        }
    }
}

impl fmt::Display for InstanceName {
    /// `ai/rag`; the project is added by those who know whether it must be told apart.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.service_type, self.id)
    }
}

/// An instance that runs or is reserved, or one whose ports are remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "InstanceRow", into = "InstanceRow")]
pub struct Instance {
    /// What it is called.
    pub name: InstanceName,
    /// Its ports; the first one is `PORT`. Never empty.
    pub ports: Ports,
    /// The number of the change that last gave it a lease or took it: the longest forgotten go first.
    pub last_seq: u64,
    /// Whether its program starts over a reservation.
    pub overlay: Overlay,
    /// Its lease. `None`: it has ended, and its ports are remembered.
    pub lease: Option<Lease>,
}

/// An instance as it is saved: a list, since names of fields would be most of the file.
type InstanceRow = (TypeName, InstanceId, Option<Arc<str>>, Ports, u64, Overlay, Option<Lease>);

impl From<InstanceRow> for Instance {
    fn from((service_type, id, root, ports, last_seq, overlay, lease): InstanceRow) -> Self {
        let name = InstanceName { service_type, id, scope: root.into() };
        Self { name, ports, last_seq, overlay, lease }
    }
}

impl From<Instance> for InstanceRow {
    fn from(instance: Instance) -> Self {
        let Instance { name, ports, last_seq, overlay, lease } = instance;
        (name.service_type, name.id, name.scope.into(), ports, last_seq, overlay, lease)
    }
}

impl Instance {
    /// The port that the child gets as `PORT`.
    pub fn port(&self) -> Port {
        self.ports[0].port
    }

    /// Whether the port is one of its own.
    pub fn has_port(&self, port: Port) -> bool {
        self.ports.iter().any(|named| named.port == port)
    }
}

/// The ports of an instance. Nearly all have one: it needs no memory of its own.
pub type Ports = SmallVec<[NamedPort; 1]>;

/// A port and what `--ports` called it; without `--ports` its name is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, Port)", into = "(String, Port)")]
pub struct NamedPort {
    /// The name, as in `PORT_HTTP`; empty for an only port.
    pub name: String,
    /// The number.
    pub port: Port,
}

impl From<(String, Port)> for NamedPort {
    fn from((name, port): (String, Port)) -> Self {
        Self { name, port }
    }
}

impl From<NamedPort> for (String, Port) {
    fn from(named: NamedPort) -> Self {
        (named.name, named.port)
    }
}

/// What is known about starting an instance's program while styxy reserves its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum Overlay {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It was ready over a reservation.
    Works,
    /// It ended at once over one, and got ready without.
    Fails,
    /// It was tried once more without one, and that did not help.
    Retried,
}

impl From<u8> for Overlay {
    fn from(code: u8) -> Self {
        match code {
            1 => Self::Works,
            2 => Self::Fails,
            3 => Self::Retried,
            _ => Self::Unknown,
        }
    }
}

impl From<Overlay> for u8 {
    fn from(overlay: Overlay) -> Self {
        match overlay {
            Overlay::Unknown => 0,
            Overlay::Works => 1,
            Overlay::Fails => 2,
            Overlay::Retried => 3,
        }
    }
}

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Leased without a supervisor.
    Reserved,
    /// Started, not ready yet.
    Starting,
    /// Ready.
    Ready,
    /// Its liveness check fails.
    Unhealthy,
    /// Ended, and about to be started again.
    Backoff,
    /// Its tree is being ended.
    Stopping,
    /// Its tree survived KILL.
    Stuck,
}

impl Phase {
    /// The word for it, as everywhere in JSON and on the screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unhealthy => "unhealthy",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Stuck => "stuck",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

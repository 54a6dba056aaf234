//! What is known of a service type, and the settings by which an instance of it is supervised.
//!
//! Pure. Settings are optional at every source; `ServiceSettings::or` lays one source over the next,
//! and the accessors at the end say what holds when no source said anything.

use super::name::TypeName;
use crate::ports::{Port, Range};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// How long a starting instance may take to get ready.
pub const READY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// How long one readiness or liveness check may take.
pub const PROBE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);
/// How long a tree may take to end after the stop signal.
pub const STOP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Everything known of one service type.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceType {
    /// Its name.
    pub name: TypeName,
    /// Its ports. `None`: nobody gave it a range, so it gets one by auto-allocation.
    pub range: Option<Range>,
    /// Who defined it.
    pub origin: TypeOrigin,
    /// Ports that are tried first.
    pub preferred_ports: Vec<Port>,
    /// One instance, or many.
    pub behavior: Behavior,
    /// What a single instance is single in.
    pub single_scope: SingleScope,
    /// One line for people.
    pub description: String,
    /// What it belongs to (`monitoring`, `database`), for placement.
    pub category: Option<String>,
    /// What the configuration says of its supervision.
    pub configured: ServiceSettings,
    /// What its profile says of its supervision; the recognised tool stands between the two.
    pub profile: ServiceSettings,
}

/// Who defined a service type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeOrigin {
    /// Built in.
    Profile,
    /// A configuration file, a variable or a flag (also one that only changes a built-in type).
    Config,
    /// Auto-allocation.
    Auto,
}

/// Whether a type may have several instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Behavior {
    /// One at a time.
    Single,
    /// As many as there are ports.
    #[default]
    Multi,
}

/// What a `single` type allows one instance of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SingleScope {
    /// The whole type.
    #[default]
    Type,
    /// Each id.
    Id,
}

/// Where an instance's name is unique, as it can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    /// In the caller's project.
    Project,
    /// On the machine.
    Machine,
}

/// How an instance is run, checked, restarted and stopped, as far as one source says it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServiceSettings {
    /// Variables for the child, with templates; keys of a higher source win one by one.
    pub env: BTreeMap<String, String>,
    /// How it is told that the instance is ready.
    pub ready: Option<ReadyCheck>,
    /// How long that may take.
    pub ready_timeout: Option<Duration>,
    /// How long one check may take.
    pub probe_timeout: Option<Duration>,
    /// How it is told that the instance still works.
    pub liveness: LivenessSettings,
    /// Whether it is started again when it ends.
    pub restart: Option<RestartPolicy>,
    /// The signal that begins a stop.
    pub stop_signal: Option<StopSignal>,
    /// How long the tree may take before KILL.
    pub stop_timeout: Option<Duration>,
    /// Where its name is unique. Without it: `multi` in the project, `single` on the machine.
    pub scope: Option<ScopeKind>,
    /// Whether its port is reserved with a socket while it starts (`--no-reserve` is `false`).
    pub reserve: Option<bool>,
    /// Whether styxy listens and passes the socket on.
    pub listen_fd: Option<bool>,
    /// The port inside its container.
    pub container_port: Option<Port>,
}

/// When an instance counts as ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadyCheck {
    /// A listener of its own tree on its port.
    Tcp,
    /// A GET of this path answers 200 to 399, and the listener is its own.
    Http(String),
    /// This command, run by `sh -c`, ends with 0.
    Exec(String),
    /// A line of its output matches this expression.
    Log(String),
    /// It says `READY=1` (sd_notify).
    Notify,
    /// As soon as the command has been exec'ed.
    None,
}

/// Docker's health check settings; off unless one is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LivenessSettings {
    /// Time between two checks.
    pub interval: Option<Duration>,
    /// How long one may take.
    pub timeout: Option<Duration>,
    /// So many failures in a row make it unhealthy.
    pub retries: Option<u32>,
    /// Failures within this time after the start do not count.
    pub start_period: Option<Duration>,
}

/// Liveness as it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// Time between two checks.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// So many failures in a row make it unhealthy.
    pub retries: u32,
    /// Failures within this time after the start do not count.
    pub start_period: Duration,
}

/// Docker's restart policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// After a failure; with a bound, so many times in a row.
    OnFailure {
        /// The most restarts in a row, if there is a bound.
        restarts_max: Option<u32>,
    },
    /// Whatever it ended with.
    Always,
}

/// A signal by its number, known to be one that programs take as a request to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopSignal(pub i32);

impl StopSignal {
    /// What asks a program to end.
    pub const TERM: Self = Self(15);
    /// What a Ctrl-C sends.
    pub const INT: Self = Self(2);
}

impl ServiceSettings {
    /// These settings, and where they say nothing, the other ones.
    #[must_use]
    pub fn or(mut self, lower: &Self) -> Self {
        for (name, value) in &lower.env {
            self.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Self {
            env: self.env,
            ready: self.ready.or_else(|| lower.ready.clone()),
            ready_timeout: self.ready_timeout.or(lower.ready_timeout),
            probe_timeout: self.probe_timeout.or(lower.probe_timeout),
            liveness: self.liveness.or(lower.liveness),
            restart: self.restart.or(lower.restart),
            stop_signal: self.stop_signal.or(lower.stop_signal),
            stop_timeout: self.stop_timeout.or(lower.stop_timeout),
            scope: self.scope.or(lower.scope),
            reserve: self.reserve.or(lower.reserve),
            listen_fd: self.listen_fd.or(lower.listen_fd),
            container_port: self.container_port.or(lower.container_port),
        }
    }
}

impl LivenessSettings {
    /// These settings, and where they say nothing, the other ones.
    #[must_use]
    pub fn or(self, lower: Self) -> Self {
        Self {
            interval: self.interval.or(lower.interval),
            timeout: self.timeout.or(lower.timeout),
            retries: self.retries.or(lower.retries),
            start_period: self.start_period.or(lower.start_period),
        }
    }

    /// What is applied: Docker's 10 s, 2 s, 3 and 0 where one value was given, nothing where none was.
    pub fn applied(self) -> Option<Liveness> {
        (self != Self::default()).then(|| Liveness {
            interval: self.interval.unwrap_or(Duration::from_secs(10)),
            timeout: self.timeout.unwrap_or(PROBE_TIMEOUT_DEFAULT),
            // As with Docker, 0 stands for the default.
            retries: self.retries.filter(|retries| *retries > 0).unwrap_or(3),
            start_period: self.start_period.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_source_wins_value_by_value() {
        let env = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let higher = ServiceSettings {
            env: env(&[("A", "high")]),
            ready: Some(ReadyCheck::Notify),
            reserve: Some(false),
            ..ServiceSettings::default()
        };
        let lower = ServiceSettings {
            env: env(&[("A", "low"), ("B", "low")]),
            ready: Some(ReadyCheck::Tcp),
            stop_timeout: Some(Duration::from_secs(30)),
            ..ServiceSettings::default()
        };
        let expected = ServiceSettings {
            env: env(&[("A", "high"), ("B", "low")]),
            ready: Some(ReadyCheck::Notify),
            stop_timeout: Some(Duration::from_secs(30)),
            reserve: Some(false),
            ..ServiceSettings::default()
        };
        assert_eq!(higher.or(&lower), expected);
    }

    #[test]
    fn liveness_is_off_until_one_value_is_given() {
        assert_eq!(LivenessSettings::default().applied(), None);
        let given = LivenessSettings { retries: Some(0), ..LivenessSettings::default() };
        let applied = given.applied().unwrap();
        assert_eq!((applied.interval, applied.retries), (Duration::from_secs(10), 3));
    }
}

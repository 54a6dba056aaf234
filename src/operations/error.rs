//! Every way in which an operation can fail: what, and why. What to do now is said in `hint`.
//!
//! A kind maps to an exit code in `cli::exit_code` and to a status in the HTTP face, nowhere else.

use super::{consent::Proposal, refused::Refused, view::View};
use crate::{
    config::{ConfigError, NameError},
    decision::{retire::UndoRefusal, template::TemplateError},
    os::{dirs::DirectoryError, leftovers::StopError, spawn::SpawnError},
    ports::Port,
    registry::{LockId, ReferenceError},
    store::StoreError,
};
use serde::{Deserialize, Serialize};
use std::{error::Error as _, io, path::PathBuf, time::Duration};

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What was asked for makes no sense.
    Usage,
    /// The configuration cannot be used.
    Config,
    /// Another instance is in the way.
    Blocked,
    /// There is no port to be had.
    NoPort,
    /// It was not ready, or not over, in time.
    Timeout,
    /// The command does not exist.
    NotFound,
    /// The command cannot be executed.
    NotExecutable,
    /// The command ended with its own code before it was ready.
    Ended,
    /// Styxy could not do it.
    Failed,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no state directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Something is not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A reference names no instance.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A template cannot be filled in.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// No range is taken back.
    #[error(transparent)]
    Undo(#[from] UndoRefusal),
    /// A decision was no.
    #[error("{}", .0.message())]
    Refused(Box<Refused>),
    /// A new range waits for somebody's consent.
    #[error(transparent)]
    Unconfirmed(Box<Proposal>),
    /// A person was asked for it, and said no.
    #[error("no port: the new range {} was declined", .0.range)]
    Declined(Box<Proposal>),
    /// A data directory is held by an instance that this registry does not know.
    #[error("{path} is in use by an instance of another registry{holder}")]
    ClaimHeld {
        /// The directory.
        path: String,
        /// Who, in words, if that can be seen.
        holder: String,
    },
    /// What was to be claimed cannot be looked at.
    #[error("cannot claim the directory {}", path.display())]
    Unclaimable {
        /// As it was given.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A dead holder has left something; whoever meets this stops that first.
    #[error("{lock_id} has left processes behind")]
    Leftovers {
        /// Its lease.
        lock_id: LockId,
    },
    /// The command does not exist.
    #[error("cannot find the command `{program}`")]
    NotFound {
        /// As it was given.
        program: String,
    },
    /// The command cannot be executed.
    #[error("cannot execute `{program}`")]
    NotExecutable {
        /// As it was given.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// The command could not be started for another reason.
    #[error(transparent)]
    Spawn(SpawnError),
    /// It ended before it was ready, while somebody waited for it in the background.
    #[error("{name} ended with {code} before it was ready{}", tail(log))]
    EndedEarly {
        /// Which instance.
        name: String,
        /// What its command ended with.
        code: i32,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// It was not ready in time.
    #[error("{name} was not ready after {seconds} s: {why}{}", tail(log))]
    NotReady {
        /// Which instance.
        name: String,
        /// How long it was waited for.
        seconds: u64,
        /// What was seen instead.
        why: String,
        /// What to do about it, where that was seen.
        advice: Option<&'static str>,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// It had not come so far in time.
    #[error("{name} was not {what} after {time}: {why}")]
    Waited {
        /// Which instance, as it is called or was asked for.
        name: String,
        /// What was waited for.
        what: &'static str,
        /// How long, in words.
        time: String,
        /// How far it was.
        why: String,
    },
    /// It ended while somebody waited for it to be ready.
    #[error("{name} ended with {code} before it was ready{}", tail(log))]
    EndedMeanwhile {
        /// Which instance.
        name: String,
        /// What its run ended with.
        code: i32,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// It has just ended.
    #[error("{name} has ended just now")]
    Over {
        /// Which instance.
        name: String,
    },
    /// Somebody else took its port between the lease and its start, with `--port` or too often.
    #[error("port {port} was taken by {thief} before {name} could listen on it")]
    Stolen {
        /// The port.
        port: Port,
        /// Who has it now.
        thief: String,
        /// Which instance.
        name: String,
    },
    /// An instance is there but not well.
    #[error("{} on port {} is unhealthy{since}", view.full_name(), view.port)]
    Unhealthy {
        /// Which one.
        view: Box<View>,
        /// Since when, in words.
        since: String,
    },
    /// The background process was killed before it could report.
    #[error("the background process was killed before the instance was ready")]
    BackgroundKilled,
    /// The supervisor of the instance that was attached to was killed.
    #[error("the supervisor of {name} was killed")]
    SupervisorKilled {
        /// Which instance.
        name: String,
    },
    /// What a dead supervisor left could not be ended.
    #[error("what {name} left behind cannot be ended")]
    Leftover {
        /// Which instance.
        name: String,
        /// What is still there.
        source: StopError,
    },
    /// The engine of a dead supervisor's container does not say whether that runs.
    #[error(
        "whether the container of {name} still runs is unknown: {engine} cannot be asked: {why}"
    )]
    EngineSilent {
        /// Which instance.
        name: String,
        /// Which engine.
        engine: String,
        /// What it said instead.
        why: String,
    },
    /// A dead supervisor's containers could not be ended.
    #[error("{engine} cannot end what {name} left behind: {}", ids.join(", "))]
    ContainersLeft {
        /// Which instance.
        name: String,
        /// Which engine.
        engine: String,
        /// The containers.
        ids: Vec<String>,
    },
    /// Something of an instance survives KILL.
    #[error("{name} cannot be ended: {survivors} survived KILL")]
    Stuck {
        /// Which instance.
        name: String,
        /// With their pids.
        survivors: String,
    },
    /// `release` of an instance that has a supervisor.
    #[error("{} is supervised by pid {}", view.full_name(), view.supervisor_pid.unwrap_or_default())]
    Supervised {
        /// Which one.
        view: Box<View>,
    },
    /// `release` of a reservation that is used.
    #[error("{} is in use{}", view.full_name(), view.pid.map_or_else(String::new, |pid| format!(" by pid {pid}")))]
    InUse {
        /// Which one.
        view: Box<View>,
    },
    /// `stop` or `restart` of a reservation.
    #[error("{} is reserved, and has no process of styxy's", view.full_name())]
    NotRunning {
        /// Which one.
        view: Box<View>,
    },
    /// It belongs to another user.
    #[error("{} belongs to {owner}", view.full_name())]
    NotYours {
        /// Which one.
        view: Box<View>,
        /// Whose it is.
        owner: String,
    },
    /// An instance that has to be ready first is not there, or will not get ready.
    #[error("{message}")]
    NotThere {
        /// Who waits for whom, and why in vain.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A service ended, with a failure.
    #[error("{name} ended with {code}")]
    EndedByItself {
        /// Which instance.
        name: String,
        /// What it ended with.
        code: i32,
    },
    /// A service that was started with others has failed, which was told already.
    #[error("{service} has failed{}", stopped.then_some(", so all that was started is stopped").unwrap_or_default())]
    ServiceFailed {
        /// Which one.
        service: String,
        /// What it ended with.
        code: i32,
        /// Whether the others were stopped.
        stopped: bool,
    },
    /// What was asked for makes no sense.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The system refused something.
    #[error("cannot {deed}")]
    System {
        /// What was tried.
        deed: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// A failure as it is shown, through whichever face.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind.
    pub kind: Kind,
    /// What the process ends with.
    pub code: i32,
    /// What failed, and why.
    pub message: String,
    /// What to do now.
    pub hint: Option<String>,
    /// The instance that is in the way.
    pub instance: Option<Box<View>>,
}

impl Error {
    /// That something had not come so far in time.
    pub(super) fn waited(name: String, what: &'static str, time: Duration, why: String) -> Self {
        let time = match time.subsec_millis() {
            0 => format!("{} s", time.as_secs()),
            _ => format!("{} ms", time.as_millis()),
        };
        Self::Waited { name, what, time, why }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Config(_) | Self::Unconfirmed(_) | Self::Declined(_) => Kind::Config,
            Self::Name(_)
            | Self::Reference(_)
            | Self::Template(_)
            | Self::Unclaimable { .. }
            | Self::Usage { .. } => Kind::Usage,
            Self::Refused(refused) => refused.kind(),
            Self::Undo(UndoRefusal::InUse { .. }) => Kind::Blocked,
            Self::Undo(UndoRefusal::Nothing | UndoRefusal::NoneOf(_)) => Kind::Usage,
            Self::NotFound { .. } => Kind::NotFound,
            Self::NotExecutable { .. } => Kind::NotExecutable,
            Self::EndedEarly { .. } | Self::EndedByItself { .. } | Self::ServiceFailed { .. } => {
                Kind::Ended
            }
            Self::NotReady { .. } | Self::Waited { .. } => Kind::Timeout,
            Self::Stolen { .. } => Kind::NoPort,
            Self::ClaimHeld { .. }
            | Self::NotThere { .. }
            | Self::Unhealthy { .. }
            | Self::Supervised { .. }
            | Self::InUse { .. }
            | Self::NotRunning { .. } => Kind::Blocked,
            Self::Store(_)
            | Self::Leftovers { .. }
            | Self::Directory(_)
            | Self::EndedMeanwhile { .. }
            | Self::Over { .. }
            | Self::SupervisorKilled { .. }
            | Self::BackgroundKilled
            | Self::Spawn(_)
            | Self::Stuck { .. }
            | Self::Leftover { .. }
            | Self::EngineSilent { .. }
            | Self::ContainersLeft { .. }
            | Self::NotYours { .. }
            | Self::System { .. } => Kind::Failed,
        }
    }

    /// Whether it may succeed in a moment: the state lock was held too long.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Store(StoreError::Locked { .. }))
    }

    /// The instance that is in the way.
    fn instance(self) -> Option<Box<View>> {
        match self {
            Self::Refused(refused) => refused.holder.map(Box::new),
            Self::Unhealthy { view, .. }
            | Self::Supervised { view }
            | Self::InUse { view }
            | Self::NotRunning { view }
            | Self::NotYours { view, .. } => Some(view),
            _ => None,
        }
        .map(|view| Box::new(view.with_user()))
    }

    /// The failure as it is shown; `code` maps kinds to exit codes.
    pub fn failure(self, code: impl Fn(Kind) -> i32) -> Failure {
        let kind = self.kind();
        let code = match &self {
            Self::EndedEarly { code, .. }
            | Self::EndedByItself { code, .. }
            | Self::ServiceFailed { code, .. } => *code,
            _ => code(kind),
        };
        let mut message = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&lower(&error.to_string()));
            cause = error.source();
        }
        Failure { kind, code, message, hint: self.hint(), instance: self.instance() }
    }
}

/// The system's messages begin in upper case and end with a number that helps nobody.
fn lower(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            format!("{}{}", first.to_lowercase(), &text[first.len_utf8()..])
        }
        _ => text.to_owned(),
    }
}

fn tail(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  | {line}")).collect()
}

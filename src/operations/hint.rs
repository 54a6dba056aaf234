//! What to do now, for every way in which an operation can fail.
//!
//! Pure. What failed, and why, is said by the error itself.

use super::error::Error;
use crate::config::NameError;
use std::io;

impl Error {
    /// What to do now.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Name(_) => Some(NameError::RULE.to_owned()),
            Self::Reference(_) => Some("`styxy list` shows all instances".to_owned()),
            Self::Refused(refused) => refused.hint(),
            Self::Unconfirmed(_) => Some(
                "agree with --yes, or set auto_allocation.require_confirmation = false".to_owned(),
            ),
            Self::Undo(refusal) => Some(refusal.hint()),
            Self::ClaimHeld { .. } => Some("queue for it with --if-running wait".to_owned()),
            Self::Unclaimable { path, source } if source.kind() == io::ErrorKind::NotFound => {
                Some(format!("make it first: mkdir -p {}", path.display()))
            }
            Self::Unclaimable { .. } => Some("claim a directory that you may enter".to_owned()),
            Self::NotFound { .. } => Some("check its spelling and PATH".to_owned()),
            Self::NotReady { advice, .. } => {
                let more_time =
                    "give it more time with --ready-timeout, or say with --ready how it gets ready";
                Some(advice.unwrap_or(more_time).to_owned())
            }
            Self::Stolen { .. } => Some("end that program, or choose another port".to_owned()),
            Self::Unhealthy { .. } => {
                Some("start a new one in its place with --if-running replace".to_owned())
            }
            Self::SupervisorKilled { .. } | Self::BackgroundKilled => Some(
                "the next run of it cleans up what was left; so does `styxy cleanup`".to_owned(),
            ),
            Self::EngineSilent { engine, .. } => Some(when_it_answers(engine)),
            Self::Stuck { .. } | Self::Leftover { .. } | Self::ContainersLeft { .. } => {
                Some("its port stays leased until nothing of it is left".to_owned())
            }
            Self::Supervised { view } => Some(format!("styxy stop {}", view.full_name())),
            Self::InUse { view } => Some(format!("styxy release --force {}", view.lock_id)),
            Self::NotRunning { view } => Some(format!("styxy release {}", view.lock_id)),
            Self::Usage { hint, .. } => hint.clone(),
            Self::NotThere { hint, .. } => Some(hint.clone()),
            Self::ServiceFailed { stopped: false, .. } => {
                Some("what is ready goes on; `styxy down` stops it".to_owned())
            }
            Self::Directory(_) => {
                Some("name a directory of your own with STYXY_STATE_DIR".to_owned())
            }
            Self::Leftovers { .. } => Some("styxy cleanup".to_owned()),
            Self::Waited { .. } => Some("give it more time with --timeout".to_owned()),
            Self::Over { .. } => Some("start it with `styxy run`".to_owned()),
            Self::Template(_) => {
                Some("name its ports with --ports, or pass braces on with --raw".to_owned())
            }
            Self::Declined(proposal) => Some(format!(
                "say where it goes: styxy config set service_types.{}.range '[FIRST, LAST]'",
                proposal.service_type
            )),
            Self::EndedMeanwhile { name, log, .. } | Self::EndedEarly { name, log, .. } => {
                Some(why_it_ended(name, log))
            }
            Self::EndedByItself { name, .. } => Some(format!("styxy logs {name}")),
            Self::ServiceFailed { service, stopped: true, .. } => Some(format!(
                "what {service} said last stands above; mend that, then `styxy up` again"
            )),
            Self::NotExecutable { program, source } => Some(executable_again(program, source)),
            Self::NotYours { view, owner } => {
                Some(format!("ask {owner}, or use it as it is: styxy use --port {}", view.port))
            }
            Self::Spawn(_) | Self::System { .. } => Some(
                "see what the system lacks: memory, processes (ulimit -u), open files (ulimit -n)"
                    .to_owned(),
            ),
        }
    }
}

/// Where to look for the reason of an early end.
fn why_it_ended(name: &str, log: &[String]) -> String {
    if log.is_empty() {
        return "it said nothing; run its command without styxy to see why".to_owned();
    }
    format!("all that it said: styxy logs {name}")
}

/// What a program lacks that is there.
fn executable_again(program: &str, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("it has to be a program, with the right to be one: chmod +x {program}")
        }
        _ => {
            format!("`file {program}` tells what it is; a script begins with a line like #!/bin/sh")
        }
    }
}

/// What an engine that is down leaves to be done.
fn when_it_answers(engine: &str) -> String {
    format!(
        "its name and port stay taken; when {engine} answers again, run it again or `styxy cleanup`"
    )
}

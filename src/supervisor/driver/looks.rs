//! What the supervisor looks at: a check on its way, the output's lines, and who serves the port.
//!
//! When to look, and what follows from it, is the machine's business.

use super::{
    LogCheck, Setup,
    family::Family,
    sight::{Seen, Sight},
};
use crate::{
    config::ReadyCheck,
    os::{
        check::{Check, Kind, Verdict},
        logs::Follow,
        spawn::Spawn,
    },
    ports::Port,
    supervisor::{
        action,
        readiness::{Finding, PortSight},
    },
};
use nix::unistd::Pid;

/// Of a log that grows faster than it is read, so much is read before something else has its turn.
const LOG_BLOCKS_MAX: usize = 16;
/// A longer line of output is looked at in pieces.
const LOG_LINE_MAX: usize = 16 * 1024;

/// The looks at one instance.
pub(super) struct Looks<'a> {
    ready: ReadyCheck,
    port: Port,
    command: Spawn<'a>,
    log: Option<LogCheck<'a>>,
    sight: Sight,
    check: Option<Check>,
    follow: Option<Follow>,
    /// The beginning of a line of output.
    line: Vec<u8>,
}

impl<'a> Looks<'a> {
    pub(super) fn new(setup: &Setup<'a>) -> Self {
        Self {
            ready: setup.policy.ready.clone(),
            port: setup.port,
            command: setup.command,
            log: setup.log,
            sight: Sight::default(),
            check: None,
            follow: None,
            line: Vec::new(),
        }
    }

    /// The command is about to be started. Before the first time nobody listens: the port was just claimed.
    pub(super) fn before_start(&mut self, is_first: bool) {
        if !is_first {
            self.sight.before_start(self.port);
        }
        self.line.clear();
        // A log that cannot be followed says nothing, and the instance is late.
        self.follow = self.log.and_then(|log| Follow::start(log.path, 0).ok());
    }

    /// Nobody waits for readiness any more.
    pub(super) fn stop_following(&mut self) {
        self.follow = None;
    }

    /// Begins a check. The finding, if it can be had at once.
    pub(super) fn begin(&mut self, check: action::Check, family: &mut Family) -> Option<Finding> {
        let port = self.port;
        let kind = match (check, &self.ready) {
            (action::Check::Readiness, ReadyCheck::Tcp | ReadyCheck::Http(_)) => {
                match (self.port(family), &self.ready) {
                    (PortSight::Unserved, _) => return Some(Finding::Failed),
                    (PortSight::Stranger, _) => return Some(Finding::Stranger),
                    (PortSight::Own, ReadyCheck::Http(path)) => Kind::Http { port, path },
                    (PortSight::Own, _) => return Some(Finding::Passed),
                }
            }
            (_, ReadyCheck::Http(path)) => Kind::Http { port, path },
            (_, ReadyCheck::Exec(command)) => {
                let Spawn { environment, directory, .. } = self.command;
                Kind::Exec { command, environment, directory }
            }
            (_, ReadyCheck::Tcp | ReadyCheck::Log(_) | ReadyCheck::Notify | ReadyCheck::None) => {
                Kind::Tcp { port }
            }
        };
        match Check::start(kind) {
            Ok(check) => self.check = Some(check),
            Err(_) => return Some(Finding::Failed),
        }
        self.advance()
    }

    /// Goes on with the check that was begun. The finding, once there is one.
    pub(super) fn advance(&mut self) -> Option<Finding> {
        let verdict = self.check.as_mut()?.advance()?;
        self.check = None;
        Some(match verdict {
            Verdict::Passed => Finding::Passed,
            Verdict::Failed(_) => Finding::Failed,
        })
    }

    /// The check's command has ended.
    pub(super) fn command_ended(&mut self) -> Option<Finding> {
        let finding = self.advance();
        // Who does not see its own end any more is dropped, or it would be met again for ever.
        let missed = self.check.take().map(|_| Finding::Failed);
        finding.or(missed)
    }

    /// Forgets the check that was begun.
    pub(super) fn abandon(&mut self) {
        self.check = None;
    }

    /// Who serves the port. If it is one of the family, it knows its listener from now on.
    pub(super) fn port(&mut self, family: &mut Family) -> PortSight {
        match self.sight.look(self.port, family, self.check_pid()) {
            Seen::Unserved => PortSight::Unserved,
            Seen::Stranger => PortSight::Stranger,
            Seen::Own(listener) => {
                family.listener = listener;
                PortSight::Own
            }
        }
    }

    /// The check's process, which is no part of the instance's tree.
    pub(super) fn check_pid(&self) -> Option<Pid> {
        self.check.as_ref().and_then(Check::pid)
    }

    /// The check to wait for.
    pub(super) fn check(&self) -> Option<&Check> {
        self.check.as_ref()
    }

    /// The log to wait for.
    pub(super) fn follow(&self) -> Option<&Follow> {
        self.follow.as_ref()
    }

    /// Reads on in the output. Whether a line says that the instance is ready.
    pub(super) fn read_log(&mut self) -> bool {
        let (Some(follow), Some(log)) = (&mut self.follow, self.log) else { return false };
        let mut block = [0; 4096];
        for _ in 0..LOG_BLOCKS_MAX {
            let length = match follow.read(&mut block) {
                Ok(0) => return false,
                Ok(length) => length,
                Err(_) => {
                    // It would be "readable" for ever.
                    self.follow = None;
                    return false;
                }
            };
            for piece in block[..length].split_inclusive(|byte| *byte == b'\n') {
                self.line.extend_from_slice(piece);
                if piece.ends_with(b"\n") || self.line.len() > LOG_LINE_MAX {
                    let said = (log.says_ready)(String::from_utf8_lossy(&self.line).trim_end());
                    self.line.clear();
                    if said {
                        self.follow = None;
                        return true;
                    }
                }
            }
        }
        false
    }
}

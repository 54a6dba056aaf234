//! What the supervisor looks at: a check on its way, the output's lines, and who serves the port.
//!
//! When to look, and what follows from it, is the machine's business.

use super::{
    Driver, LogCheck, Setup,
    family::{Aside, Family},
    insight::{Insight, elsewhere},
    proof::{Proof, Proved},
    sight::{Seen, Sight},
};
use crate::{
    config::ReadyCheck,
    os::{
        check::{Check, Kind, Verdict},
        logs::Follow,
        notify::NotifySocket,
        spawn::Spawn,
    },
    ports::Port,
    supervisor::{
        action,
        readiness::{Finding, PortSight},
    },
};
use nix::unistd::Pid;
use std::{io, os::fd::BorrowedFd, time::Instant};

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
    notify: Option<&'a NotifySocket>,
    sight: Sight,
    check: Option<Check>,
    /// What was seen besides.
    pub(super) insight: Insight,
    follow: Option<Follow>,
    /// Of an instance with containers.
    proof: Option<Proof<'a>>,
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
            notify: setup.notify,
            sight: Sight::with_passed(setup.command.sockets),
            check: None,
            insight: Insight::default(),
            follow: None,
            proof: setup
                .contained
                .map(|contained| Proof::new(contained, Driver::place(&setup.command), setup.port)),
            line: Vec::new(),
        }
    }

    /// The command is about to be started. Before the first time nobody listens: the port was just claimed.
    pub(super) fn before_start(&mut self, is_first: bool) {
        if !is_first {
            self.sight.before_start(self.port);
            self.notify.into_iter().for_each(NotifySocket::forget);
        }
        self.insight = Insight::default();
        self.proof.iter_mut().for_each(Proof::reset);
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
        let for_readiness = check == action::Check::Readiness;
        let port = self.port;
        let says_so = matches!(self.ready, ReadyCheck::Log(_) | ReadyCheck::Notify);
        let ready = self.ready.clone();
        let kind = match &ready {
            // A command may look at something else than the port.
            ReadyCheck::Exec(command) => {
                let Spawn { environment, directory, .. } = self.command;
                Kind::Exec { command, environment, directory }
            }
            ReadyCheck::Http(path) => Kind::Http { port, path },
            ReadyCheck::Tcp | ReadyCheck::Log(_) | ReadyCheck::Notify | ReadyCheck::None => {
                Kind::Tcp { port }
            }
        };
        if self.proof.is_some() && !matches!(kind, Kind::Exec { .. }) {
            return match &mut self.proof {
                // That it has said so was heard.
                _ if for_readiness && says_so => Some(Finding::Passed),
                Some(proof) => {
                    let proved = proof.begin();
                    self.go_on_from(proved)
                }
                None => None,
            };
        }
        if !matches!(kind, Kind::Exec { .. }) {
            // Whoever answers, it has to be the instance: another program's answer says nothing of it.
            let (finding, why) = match self.port(family) {
                PortSight::Own => (None, ""),
                PortSight::Unserved if for_readiness && says_so => (None, ""),
                PortSight::Unserved => (Some(Finding::Failed), "nothing listens"),
                PortSight::Stranger => (Some(Finding::Stranger), "somebody else listens"),
            };
            if finding.is_some() {
                // While it starts that is nothing to speak of, and seen again when it is late.
                self.insight.failure = (!for_readiness).then(|| format!("{why} on {port}"));
                return finding;
            }
            // That it listens is seen; that it has said so was heard.
            if for_readiness && !matches!(kind, Kind::Http { .. }) {
                return Some(Finding::Passed);
            }
        }
        match Check::start(kind) {
            Ok(check) => self.check = Some(check),
            Err(error) => return self.cannot_check(&error),
        }
        self.advance(family)
    }

    fn cannot_check(&mut self, error: &io::Error) -> Option<Finding> {
        self.insight.failure = Some(format!("its check cannot be made: {error}"));
        Some(Finding::Failed)
    }

    /// A container is asked itself once it is known to be the one that answers.
    fn go_on_from(&mut self, proved: Proved) -> Option<Finding> {
        match proved {
            Proved::Asking => return None,
            Proved::Healthy => return Some(Finding::Passed),
            Proved::No(why) => {
                self.insight.failure = Some(why);
                return Some(Finding::Failed);
            }
            Proved::Yes => {}
        }
        let ready = self.ready.clone();
        let kind = match &ready {
            ReadyCheck::Http(path) => Kind::Http { port: self.port, path },
            ReadyCheck::Tcp
            | ReadyCheck::Exec(_)
            | ReadyCheck::Log(_)
            | ReadyCheck::Notify
            | ReadyCheck::None => Kind::Published { port: self.port },
        };
        let silent = self.proof.as_ref().and_then(Proof::is_silent);
        if let (Some(why), Kind::Published { .. }) = (silent, kind) {
            self.insight.failure = Some(why);
            return Some(Finding::Failed);
        }
        match Check::start(kind) {
            Ok(check) => self.check = Some(check),
            Err(error) => return self.cannot_check(&error),
        }
        self.advance_check().map(|(verdict, _)| self.judged(verdict))
    }

    fn advance_check(&mut self) -> Option<(Verdict, bool)> {
        let verdict = self.check.as_mut()?.advance()?;
        let by_command = self.check.take().is_some_and(|check| check.pid().is_some());
        Some((verdict, by_command))
    }

    fn judged(&mut self, verdict: Verdict) -> Finding {
        match verdict {
            Verdict::Passed => Finding::Passed,
            Verdict::Failed(why) => {
                self.insight.failure = Some(why);
                Finding::Failed
            }
        }
    }

    /// Goes on with the check that was begun. The finding, once there is one.
    pub(super) fn advance(&mut self, family: &mut Family) -> Option<Finding> {
        if let Some(proved) = self.proof.as_mut().and_then(Proof::advance) {
            return self.go_on_from(proved);
        }
        let (verdict, by_command) = self.advance_check()?;
        // It may have asked somebody else on the port.
        let passed = verdict == Verdict::Passed;
        if passed && by_command && self.port(family) == PortSight::Stranger {
            return Some(Finding::Stranger);
        }
        Some(self.judged(verdict))
    }

    /// The check's command has ended.
    pub(super) fn command_ended(&mut self, family: &mut Family) -> Option<Finding> {
        let finding = self.advance(family);
        // Who does not see its own end any more is dropped, or it would be met again for ever.
        let missed = self.check.take().map(|_| Finding::Failed);
        finding.or(missed)
    }

    /// Forgets the check that was begun.
    pub(super) fn abandon(&mut self) {
        self.proof.iter_mut().for_each(Proof::abandon);
        if self.check.take().is_some() {
            self.insight.failure = Some("its check took too long".to_owned());
        }
    }

    /// It is late: sees who serves the port, and where else it listens itself.
    pub(super) fn elsewhere(&mut self, family: &mut Family) {
        if self.proof.is_some() {
            return;
        }
        let port = self.port(family);
        self.insight.port = Some(port);
        (self.insight.elsewhere, self.insight.guests) = match port {
            PortSight::Own => (Vec::new(), Vec::new()),
            PortSight::Unserved | PortSight::Stranger => {
                (elsewhere(self.port, family, self.aside()), family.guests(self.aside()))
            }
        };
    }

    /// Who serves the port. If it is one of the family, it knows its listener from now on.
    pub(super) fn port(&mut self, family: &mut Family) -> PortSight {
        if let Some(proof) = &self.proof {
            return if proof.is_proved() { PortSight::Own } else { PortSight::Unserved };
        }
        match self.sight.look(self.port, family, self.aside()) {
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

    /// Its processes, which are no part of the instance's tree.
    pub(super) fn aside(&self) -> Aside {
        let mut aside = Aside::default();
        let question = self.proof.as_ref().and_then(Proof::pid);
        self.check_pid().into_iter().chain(question).for_each(|pid| aside.add(pid));
        aside
    }

    /// When the check has to be looked at again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let check = self.check.as_ref().and_then(Check::deadline);
        let question = self.proof.as_ref().and_then(Proof::deadline);
        [check, question].into_iter().flatten().min()
    }

    /// The question about a container to wait for.
    pub(super) fn question(&self) -> Option<BorrowedFd<'_>> {
        self.proof.as_ref().and_then(Proof::as_fd)
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

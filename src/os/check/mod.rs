//! One tcp, http or exec check of an instance, in steps that never block.
//!
//! The supervisor waits on the check's descriptor and lets it advance; how long it may take, how
//! often it is made, and what its outcome means, is the supervisor's business.

mod command;
mod exchange;

use crate::{
    os::{
        clock,
        wait_set::{Interest, WaitSet},
    },
    ports::Port,
};
use command::Command;
use exchange::Exchange;
use nix::unistd::Pid;
use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

/// A killed command's end is waited for this long, in commands that have nobody else to reap it.
const REAP_MAX: Duration = Duration::from_millis(100);

/// What is asked of an instance.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// Is a connection accepted?
    Tcp {
        /// On this port of this machine.
        port: Port,
    },
    /// Is a connection accepted, and kept for a while? An engine's proxy accepts with nothing behind it, and
    /// closes.
    Published {
        /// On this port of this machine.
        port: Port,
    },
    /// Is a GET answered with 200 to 399?
    Http {
        /// On this port of this machine.
        port: Port,
        /// With a leading slash.
        path: &'a str,
    },
    /// Does the command end with 0?
    Exec {
        /// For `sh -c`.
        command: &'a str,
        /// The whole environment, as `NAME=value`.
        environment: &'a [CString],
        /// Where it runs; here, if not said.
        directory: Option<&'a CStr>,
    },
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Passed,
    /// Otherwise, and why.
    Failed(String),
}

/// A check on its way. Dropped, it is cancelled: nothing of it is left.
#[derive(Debug)]
pub struct Check(Stage);

#[derive(Debug)]
enum Stage {
    Exchange(Exchange),
    Command(Command),
}

impl Check {
    /// Begins it. Let it advance once at the beginning, then whenever its descriptor is ready.
    pub fn start(kind: Kind<'_>) -> io::Result<Self> {
        Ok(Self(match kind {
            Kind::Tcp { port } => Stage::Exchange(Exchange::new(port, None)?),
            Kind::Published { port } => Stage::Exchange(Exchange::that_lasts(port)?),
            Kind::Http { port, path } => Stage::Exchange(Exchange::new(port, Some(path))?),
            Kind::Exec { command, environment, directory } => {
                Stage::Command(Command::start(command, environment, directory)?)
            }
        }))
    }

    /// Does what can be done without waiting; the verdict, once there is one.
    pub fn advance(&mut self) -> Option<Verdict> {
        match &mut self.0 {
            Stage::Exchange(exchange) => exchange.advance(),
            Stage::Command(command) => command.advance(),
        }
    }

    /// When to let it advance though its descriptor is not ready.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.0 {
            Stage::Exchange(exchange) => exchange.kept_until(),
            Stage::Command(_) => None,
        }
    }

    /// What to wait for on the descriptor; it may change with every step.
    pub fn interest(&self) -> Interest {
        match &self.0 {
            Stage::Exchange(exchange) => exchange.interest(),
            Stage::Command(_) => Interest::Readable,
        }
    }

    /// The command's process, which who reaps all children has to leave to the check.
    pub fn pid(&self) -> Option<Pid> {
        match &self.0 {
            Stage::Exchange(_) => None,
            Stage::Command(command) => Some(command.pid()),
        }
    }

    /// Ends it, with all that it started.
    pub fn cancel(self) {
        drop(self);
    }

    /// Makes one check from beginning to end, for commands that wait for nothing else.
    pub fn run_to_end(kind: Kind<'_>, timeout: Duration) -> io::Result<Verdict> {
        let deadline = clock::now() + timeout;
        let (mut check, mut set) = (Self::start(kind)?, WaitSet::new());
        loop {
            if let Some(verdict) = check.advance() {
                return Ok(verdict);
            }
            set.clear();
            set.add((), &check, check.interest());
            let until = check.deadline().map_or(deadline, |until| until.min(deadline));
            if set.wait(Some(until))?.count() == 0 && clock::now() >= deadline {
                break;
            }
        }
        if let Stage::Command(command) = &check.0 {
            command.kill();
            set.wait(Some(clock::now() + REAP_MAX))?.count();
        }
        Ok(Verdict::Failed(format!("no answer within {timeout:?}")))
    }
}

impl AsFd for Check {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Stage::Exchange(exchange) => exchange.as_fd(),
            Stage::Command(command) => command.as_fd(),
        }
    }
}

/// Longer than any check here takes; waited for only when something is broken.
#[cfg(test)]
const AMPLE: Duration = Duration::from_secs(30);

#[cfg(test)]
fn run(kind: Kind<'_>) -> Verdict {
    Check::run_to_end(kind, AMPLE).unwrap()
}

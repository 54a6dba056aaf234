//! What can happen to an instance, as the machine is told it.
//!
//! Pure. Who notices it, and how, is the driver's business.

use super::readiness::{Finding, PortSight};
use crate::config::StopSignal;
use std::time::Duration;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The command has been exec'ed.
    Started,
    /// The command could not be exec'ed: 126 or 127 (125 when not even a process could be made).
    NotStarted {
        /// What the run ends with.
        code: i32,
    },
    /// A process that the instance's life hangs on ended.
    Ended {
        /// Which one.
        who: Who,
        /// How.
        end: End,
        /// Whether anything else of the tree is still there.
        tree_left: bool,
    },
    /// Another process of the tree ended, and styxy was its parent.
    OrphanEnded {
        /// Whether anything of the tree is still there.
        tree_left: bool,
    },
    /// What was there of the tree when it was last signalled; empty: it is gone.
    TreeSeen {
        /// Its pids.
        left: Vec<i32>,
    },
    /// The check that was begun has an answer.
    CheckEnded(Finding),
    /// The program itself said `READY=1`, or a line of its output said so.
    SaidReady,
    /// The program said `STOPPING=1`: it is about to end by itself.
    SaidStopping,
    /// The program wants so much time from now, at least, for what it is doing.
    MoreTime(Duration),
    /// Who serves the port.
    PortSeen(PortSight),
    /// A signal was sent to styxy.
    Signal(Signal),
    /// Somebody who may asks for a stop.
    Stop {
        /// At once, without grace.
        kill: bool,
    },
    /// The same, with a grace of their own in place of the instance's.
    StopWithin(Duration),
    /// Somebody who may asks for a stop and a new start.
    Restart,
    /// The machine's deadline has come.
    Tick,
}

/// A process whose end counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The command's own process.
    Leader,
    /// The process that listens, after the leader ended with 0 and left it running.
    Listener,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(i32),
    /// Of this signal.
    Signalled(Signal),
}

/// A signal by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(pub i32);

impl Signal {
    /// The terminal is gone, or: read your configuration again.
    pub const HUP: Self = Self(1);
    /// Ctrl-C.
    pub const INT: Self = Self(2);
    /// Ctrl-\.
    pub const QUIT: Self = Self(3);
    /// What a program does to itself when it gives up.
    pub const ABRT: Self = Self(6);
    /// What nobody survives.
    pub const KILL: Self = Self(9);
    /// What asks a program to end.
    pub const TERM: Self = Self(15);

    /// What a run ends with whose command died of this signal.
    pub const fn exit_code(self) -> i32 {
        128 + self.0
    }
}

impl From<StopSignal> for Signal {
    fn from(signal: StopSignal) -> Self {
        Self(signal.0)
    }
}

impl End {
    /// As the shell counts: the code, or 128 and the signal.
    pub const fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signalled(signal) => signal.exit_code(),
        }
    }

    /// Whether it ended of that signal, or said so with its code.
    pub fn is_by(self, signal: Signal) -> bool {
        self.code() == signal.exit_code()
    }
}

//! What the machine may ask for, and what it tells while it lives.
//!
//! Pure. Each is carried out by the driver at once; some are answered with an event.

use super::{event::Signal, outcome::Outcome};
use std::time::Duration;

/// One thing to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start the command; answered by `Started` or `NotStarted`.
    Start,
    /// Give up the reservation of the port for good, keep its name, and start the command.
    StartWithoutReservation,
    /// Begin one check; answered by `CheckEnded`, unless it is abandoned first.
    Check(Check),
    /// Forget the check that was begun: its answer is not wanted any more.
    AbandonCheck,
    /// See who serves the port; answered by `PortSeen`.
    LookAtPort,
    /// See where the instance listens instead of its port, for those who are told that it is late.
    LookElsewhere,
    /// Pass a signal on to the leader, or to the listener when the leader has ended.
    PassOn(Signal),
    /// Send the signal to the leader's process group.
    SignalGroup(Signal),
    /// Send the signal to all that is left of the tree; answered by `TreeSeen`.
    SignalTree {
        /// The signal.
        signal: Signal,
        /// Leave out the leader's group, which had this signal already.
        spare_group: bool,
    },
    /// KILL all that is left of the tree; answered by `TreeSeen`.
    KillTree,
    /// Tell those who watch.
    Report(Progress),
    /// The life is over. Nothing follows.
    End(Outcome),
}

/// What a check is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Whether it is ready.
    Readiness,
    /// Whether it still works.
    Liveness,
}

/// What is worth a line to somebody who watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The command runs.
    Started {
        /// Its pid.
        pid: i32,
    },
    /// The instance is ready.
    Ready {
        /// How long that took, from this start of the command.
        after: Duration,
    },
    /// It is not ready in time, and runs on. Said once.
    NotReadyYet {
        /// How long it was waited for.
        after: Duration,
        /// Somebody else serves its port.
        stranger: bool,
    },
    /// Its liveness checks fail.
    Unhealthy {
        /// So many in a row.
        failures: u32,
    },
    /// Its liveness check passes again.
    Healthy,
    /// The command ended with this code, and is started again.
    Restarting {
        /// What it ended with.
        code: i32,
        /// After so long a wait.
        delay: Duration,
    },
    /// The command ended with this code, perhaps because of the reservation: it is started once without.
    Retrying {
        /// What it ended with.
        code: i32,
    },
    /// Its tree survived KILL.
    Stuck {
        /// What is left of it.
        pids: Vec<i32>,
    },
    /// Its container's engine does not say whether it runs. The lease is kept until it does.
    EngineSilent {
        /// Which engine.
        engine: String,
        /// What it said instead.
        why: String,
    },
}

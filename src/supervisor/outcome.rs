//! How a life can end, and the exit code that says so.
//!
//! Pure. What a person is told about it is the command line's business.

use serde::{Deserialize, Serialize};

/// How a life ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// The command ended by itself, and nothing says to start it again.
    Ended {
        /// What it ended with.
        code: i32,
    },
    /// The command could not be executed.
    NotStarted {
        /// 126 or 127.
        code: i32,
    },
    /// Somebody asked for the stop.
    Stopped {
        /// What the command ended with.
        code: i32,
    },
    /// It was not ready in time, and was stopped.
    NotReady,
    /// Before it was ready it ended, and somebody else serves its port.
    PortStolen,
    /// It kept ending soon after its start.
    CrashLoop {
        /// What it ended with the last time.
        code: i32,
        /// So many ends in a row.
        ends: u32,
    },
    /// It was started again as often as it may be.
    RestartsUsedUp {
        /// What it ended with the last time.
        code: i32,
        /// So many times it was started again.
        restarts: u32,
    },
    /// Its tree survived KILL, and who waited for it gave up.
    Stuck {
        /// What is left of it.
        pids: Vec<i32>,
    },
}

/// What a life showed about starting the command over a reservation of its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lesson {
    /// Nothing.
    #[default]
    Nothing,
    /// It was ready over one.
    Works,
    /// It ended over one, and was ready without.
    Fails,
    /// It was tried without one, and that did not help.
    Retried,
}

impl Outcome {
    /// What `run` ends with.
    pub const fn exit_code(&self) -> i32 {
        match self {
            Self::Ended { code }
            | Self::NotStarted { code }
            | Self::Stopped { code }
            | Self::CrashLoop { code, .. }
            | Self::RestartsUsedUp { code, .. } => *code,
            Self::NotReady => 124,
            Self::PortStolen => 69,
            Self::Stuck { .. } => 125,
        }
    }
}

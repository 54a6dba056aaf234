//! What a run or an allocate asks for, and what can come of it.
//!
//! Pure: values. What comes of what is decided in `second_run`.

use crate::{
    config::{Behavior, IfRunning, InstanceId, SingleScope, TypeName},
    registry::{InstanceName, LockId, Scope},
};

/// Whether a command is to be run, or just a port to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `run`, with the checksum of its command before templates.
    Run {
        /// The checksum.
        command: u32,
    },
    /// `allocate`.
    Allocate,
}

/// The id that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedId {
    /// A person wrote it.
    Given(InstanceId),
    /// It was derived from the directory or the tool.
    Derived(InstanceId),
}

/// Who asks for what.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Of this type …
    pub service_type: &'a TypeName,
    /// … this id …
    pub id: &'a AskedId,
    /// … in this scope.
    pub scope: &'a Scope,
    /// One instance, or many.
    pub behavior: Behavior,
    /// What a single one is single in.
    pub single_scope: SingleScope,
    /// What for.
    pub purpose: Purpose,
    /// What to do when it runs.
    pub if_running: IfRunning,
    /// Another instance is wanted all the same.
    pub new: bool,
    /// Data directories that nobody else may use meanwhile.
    pub claims: &'a [String],
    /// The lease that this caller has in hand already, as the successor of another.
    pub successor: Option<&'a LockId>,
    /// Whether a process is the caller's ancestor: a port reserved for one is the caller's to use.
    pub is_ancestor: &'a dyn Fn(i32) -> bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Start it.
    Start {
        /// Under this name.
        name: InstanceName,
        /// With the lease of this reservation.
        takes_over: Option<LockId>,
        /// The id is not the one that was derived, since that one runs another command.
        renumbered: bool,
    },
    /// Stay with it until it ends, or say where it is (`reuse`).
    Join {
        /// Which one.
        lock_id: LockId,
        /// Only say where it is.
        reuse: bool,
    },
    /// It is reserved and served by something that styxy did not start: wait for that to end.
    JoinListener {
        /// Which one.
        lock_id: LockId,
    },
    /// Wait until that one ends, then ask again.
    Wait {
        /// Which one.
        lock_id: LockId,
    },
    /// Become its successor, stop it, then ask again.
    Replace {
        /// Which one.
        lock_id: LockId,
    },
    /// Its holder is dead and may have left something: stop that first, then ask again.
    Reclaim {
        /// Which one.
        lock_id: LockId,
    },
}

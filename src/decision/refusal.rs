//! Why not: who holds what, and what to do now.
//!
//! Pure. What a person reads is made of this in `operations::error`, where the holder's pid is known.

use crate::{
    config::TypeName,
    ports::{Port, Range},
    registry::{InstanceName, LockId},
};

/// Another instance that is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Which one.
    pub name: InstanceName,
    /// Its lease.
    pub lock_id: LockId,
    /// Its port.
    pub port: Port,
    /// The process of its reservation; a supervised one's is in its run file.
    pub pid: Option<i32>,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another instance is in the way.
    Blocked {
        /// Which one.
        holder: Box<Holder>,
        /// Why the two cannot be at once.
        why: Why,
    },
    /// The port that was asked for has a lease.
    PortLeased {
        /// The port.
        port: Port,
        /// Whose lease.
        holder: Box<Holder>,
    },
    /// The port that was asked for is used by another program.
    PortTaken {
        /// The port.
        port: Port,
    },
    /// This user may not bind the port that was asked for.
    PortNotPermitted {
        /// The port.
        port: Port,
    },
    /// No port of the range is free.
    RangeFull {
        /// Whose range.
        service_type: TypeName,
        /// Its blocks.
        ranges: Vec<Range>,
        /// Who leases ports there.
        leased: Vec<Holder>,
        /// How many of its ports other programs use.
        foreign: usize,
    },
    /// A type that nobody gave a range, and auto-allocation is off.
    NoRange {
        /// The type.
        service_type: TypeName,
    },
    /// No block of that size fits anywhere.
    NoRoom {
        /// For which type.
        service_type: TypeName,
        /// How many ports.
        chunk_size: u16,
        /// Where it could have been.
        bounds: Range,
    },
}

/// Why two instances cannot be at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The type allows one.
    SingleType,
    /// It is the same one, and `fail` was asked for.
    SameInstance,
    /// A derived id met an instance with another command.
    OtherCommand,
    /// It is being replaced already.
    BeingReplaced,
    /// Both want the same data directory.
    Claim(String),
    /// It is reserved for a process that is not an ancestor.
    Reserved,
    /// It is reserved and served by something that styxy did not start, so it cannot be replaced.
    NotOurs,
}

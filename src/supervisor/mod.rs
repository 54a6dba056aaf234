//! The life of one instance: a machine without I/O, and the loop that drives it.
//!
//! Pure but for `driver` and `line`.

mod action;
mod attempt;
pub mod checks;
pub mod driver;
mod event;
pub mod line;
mod liveness;
mod machine;
pub mod message;
mod outcome;
pub mod phases;
mod policy;
mod readiness;
mod restart;
mod stopping;

#[cfg(test)]
mod lives;
#[cfg(test)]
mod scenes;

pub use action::{Action, Check, Progress};
pub use event::{End, Event, Signal, Who};
pub use machine::{Machine, Phase};
pub use outcome::{Lesson, Outcome};
pub use policy::{Policy, WhenLate};
pub use readiness::{Finding, PortSight, Reservation};
pub use stopping::{ENGINE_PATIENCE, KILL_PATIENCE};

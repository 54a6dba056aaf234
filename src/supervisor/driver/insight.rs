//! What was seen of an instance besides its phase, for those who are told that it is not well.

use super::family::{Aside, Family};
use crate::{
    os::listeners::{Owner, SockDiag, owner_among},
    ports::Port,
    supervisor::readiness::PortSight,
};

/// A program that listens in more places than this has its own reasons.
const ELSEWHERE_MAX: usize = 4;

/// What was seen of this start of the command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Insight {
    /// Why its last check failed, where that says more than who listens.
    pub failure: Option<String>,
    /// What the program last said of itself.
    pub status: Option<String>,
    /// Who served its port when it was late.
    pub port: Option<PortSight>,
    /// Where it listened instead when it was late, and which of its processes did.
    pub elsewhere: Vec<(Port, i32)>,
    /// Which of its processes supervised an instance of its own, with another port, when it was late.
    pub guests: Vec<i32>,
}

/// On which other ports the family listens.
pub(super) fn elsewhere(own: Port, family: &Family, aside: Aside) -> Vec<(Port, i32)> {
    // A kernel that cannot be asked shows nobody, as with readiness.
    let listening = SockDiag::open().and_then(|mut kernel| kernel.all_listening());
    let pids = family.pids(aside);
    let mut found: Vec<(Port, i32)> = listening
        .unwrap_or_default()
        .into_iter()
        .filter(|listener| listener.port != own)
        .filter_map(|listener| match owner_among(listener.inode, pids.iter().copied()) {
            Owner::Process(pid) => Some((listener.port, pid)),
            Owner::NotThere | Owner::Unreadable => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup_by_key(|(port, _)| *port);
    found.truncate(ELSEWHERE_MAX);
    found
}

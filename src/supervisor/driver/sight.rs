//! Who serves the port: nobody, the instance's own tree, or a stranger.
//!
//! No connection is made. A listener whose owner cannot be read counts as our own if it came after the start
//! of the command: set-uid servers, and a container engine's proxy.

use super::family::{Aside, Family};
use crate::{
    os::{
        listeners::{Listener, Owner, SockDiag, find_owner, owner_among},
        process,
        spawn::Socket,
    },
    ports::Port,
    registry::ProcessIdentity,
};
use nix::sys::stat::fstat;
use std::io;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nobody listens.
    Unserved,
    /// Somebody of its own tree listens; who, where that can be read.
    Own(Option<ProcessIdentity>),
    /// Somebody else listens.
    Stranger,
}

/// The way to look, and what was seen before.
#[derive(Debug, Default)]
pub(super) struct Sight {
    kernel: Option<SockDiag>,
    /// Sockets that listened before the command was started.
    earlier: Vec<u32>,
    /// Sockets that listen because we do (`--listen-fd`).
    passed: Vec<u32>,
    /// Sockets that are known to be others': finding an owner among all processes is slow.
    foreign: Vec<u32>,
}

impl Sight {
    /// The way to look at a command that is passed these sockets.
    pub(super) fn with_passed(sockets: &[Socket<'_>]) -> Self {
        let inode = |socket: &Socket<'_>| u32::try_from(fstat(socket.fd).ok()?.st_ino).ok();
        Self { passed: sockets.iter().filter_map(inode).collect(), ..Self::default() }
    }

    /// Remembers who listens before the command is started.
    pub(super) fn before_start(&mut self, port: Port) {
        let listening = self.listening(port).unwrap_or_default();
        self.earlier = listening.iter().map(|listener| listener.inode).collect();
    }

    /// Looks.
    pub(super) fn look(&mut self, port: Port, family: &Family, aside: Aside) -> Seen {
        // A kernel that cannot be asked shows nobody: nothing is claimed to be ready on no evidence.
        let listening = self.listening(port).unwrap_or_default();
        self.foreign.retain(|inode| listening.iter().any(|listener| listener.inode == *inode));
        let mut seen = Seen::Unserved;
        for Listener { inode, .. } in listening {
            match self.whose(inode, family, aside) {
                Seen::Unserved => {}
                Seen::Stranger => seen = Seen::Stranger,
                own @ Seen::Own(_) => return own,
            }
        }
        seen
    }

    fn whose(&mut self, inode: u32, family: &Family, aside: Aside) -> Seen {
        if self.foreign.contains(&inode) {
            return Seen::Stranger;
        }
        let came_later = !self.earlier.contains(&inode);
        let of_tree = |pid: i32| Seen::Own(process::identify(pid).ok());
        // Parents come first, so of several owners it is the one whose end counts.
        match owner_among(inode, family.pids(aside)) {
            Owner::Process(pid) => return of_tree(pid),
            Owner::Unreadable if came_later => return Seen::Own(None),
            // The tree has let go of what it was passed.
            Owner::NotThere if self.passed.contains(&inode) => return Seen::Unserved,
            Owner::Unreadable | Owner::NotThere => {}
        }
        match find_owner(inode) {
            // It may have been forked while we looked.
            Some(pid) if family.pids(aside).contains(&pid) => of_tree(pid),
            None if came_later => Seen::Own(None),
            Some(_) | None => {
                self.foreign.push(inode);
                Seen::Stranger
            }
        }
    }

    fn listening(&mut self, port: Port) -> io::Result<Vec<Listener>> {
        let kernel = match &mut self.kernel {
            Some(kernel) => kernel,
            none => none.insert(SockDiag::open()?),
        };
        kernel.listening_on(port)
    }
}

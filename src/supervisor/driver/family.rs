//! The processes of an instance: its leader, its listener, and all that is below this supervisor.
//!
//! Each is signalled through a handle that cannot mean another process. Another supervisor below is a guest:
//! a foreground one gets the signals of the ladder and stops its own tree, a detached one is left alone.

use super::super::event::{End, Signal};
use crate::{
    os::{
        process::{self, Handle, Stat},
        signals::send_to_group,
        tree::{self, Supervisor},
    },
    registry::ProcessIdentity,
};
use nix::{
    errno::Errno,
    sys::{
        signal::Signal as Kill,
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use rustix::process::WaitOptions;
use std::{cell::RefCell, process::id as own_pid};

/// Whoever forks faster than this many sweeps is met again when the next of them ends.
const SWEEPS_MAX: usize = 8;
/// Stands for somebody below us whom the kernel would not name just now.
pub(super) const NAMELESS: i32 = 0;

/// The processes of one instance.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// The command's own process, until it has been reaped.
    pub(super) leader: Option<ProcessIdentity>,
    /// Who was seen listening on the port.
    pub(super) listener: Option<ProcessIdentity>,
    /// Who was named as its main process by itself.
    pub(super) main: Option<ProcessIdentity>,
    /// The leader's process group, also when the leader is gone.
    group: i32,
    /// Guests that have been told to KILL their own.
    urged: Vec<ProcessIdentity>,
    /// Orphans that are handed up to us are an engine's: what minds a container, or the names of a whole network.
    spares_orphans: bool,
}

/// Somebody who ended, or was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaped {
    /// The leader ended.
    Leader(End),
    /// The leader was stopped by that signal, and may go on.
    LeaderStopped(Kill),
    /// The listener ended, and the leader had before.
    Listener(End),
    /// A process ended that was handed up to us.
    Orphan,
    /// Nobody ended: another process was stopped, and may go on.
    Nobody,
    /// It is one aside, who is not ours to reap.
    Aside(Pid),
}

/// A check's command, three questions to an engine, and one about a container at most.
const ASIDE_MAX: usize = 5;

/// Processes below us that are no part of the instance's tree: they ask how it is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aside([Option<Pid>; ASIDE_MAX]);

impl Aside {
    /// One more.
    pub(super) fn add(&mut self, pid: Pid) {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(pid);
        }
    }

    fn has(self, pid: i32) -> bool {
        self.0.iter().flatten().any(|aside| aside.as_raw() == pid)
    }
}

/// Those who are below us now.
#[derive(Debug, Default)]
pub(super) struct Below {
    own: Vec<Stat>,
    guests: Vec<Stat>,
}

impl Family {
    /// One whose command is an engine's, if that is so.
    pub(super) fn new(of_engine: bool) -> Self {
        Self { spares_orphans: of_engine, ..Self::default() }
    }

    /// A new leader was started.
    pub(super) fn begin(&mut self, pid: i32) {
        // It cannot be gone: who has not been reaped keeps its entry.
        let start = process::identify(pid).map_or(0, |identity| identity.start);
        *self = Self {
            leader: Some(ProcessIdentity { pid, start }),
            group: pid,
            ..Self::new(self.spares_orphans)
        };
    }

    /// The process whose end counts when the leader has ended.
    pub(super) fn heir(&self) -> Option<ProcessIdentity> {
        self.main.or(self.listener)
    }

    /// Whether the main process was named, and lives.
    pub(super) fn main_lives(&self, aside: Aside) -> bool {
        self.main.is_some_and(|main| self.pids(aside).contains(&main.pid))
    }

    /// The leader's process group, while the leader lives.
    pub(super) fn leader_group(&self) -> Option<Pid> {
        self.leader.map(|_| Pid::from_raw(self.group))
    }

    /// The next child that changed, if any. The second answer: whether there are children at all.
    pub(super) fn reap(&mut self, aside: Aside) -> (Option<Reaped>, bool) {
        let looks = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
        let pid = loop {
            match waitid(Id::All, looks | WaitPidFlag::WNOWAIT) {
                Ok(WaitStatus::StillAlive) => return (None, true),
                Ok(WaitStatus::Stopped(pid, _)) if aside.has(pid.as_raw()) => {
                    // Nobody asks for this news, and it would come again and again.
                    let _ = waitid(Id::Pid(pid), WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG);
                }
                Ok(status) => match status.pid() {
                    Some(pid) if aside.has(pid.as_raw()) => {
                        return (Some(Reaped::Aside(pid)), true);
                    }
                    pid => break pid,
                },
                Err(Errno::EINTR) => {}
                // A signal that nix has no name for; whoever it was comes first again.
                Err(Errno::EINVAL) => break None,
                Err(_) => return (None, false),
            }
        };
        let pid = pid.and_then(|pid| rustix::process::Pid::from_raw(pid.as_raw()));
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        let waited = match pid {
            Some(pid) => rustix::process::waitpid(Some(pid), options),
            None => rustix::process::wait(options),
        };
        let Ok(Some((pid, status))) = waited else { return (None, true) };
        let pid = pid.as_raw_nonzero().get();
        let is = |known: Option<ProcessIdentity>| known.is_some_and(|known| known.pid == pid);
        if let Some(signal) = status.stopping_signal() {
            let leader = Kill::try_from(signal).ok().filter(|_| is(self.leader));
            return (Some(leader.map_or(Reaped::Nobody, Reaped::LeaderStopped)), true);
        }
        let end = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => End::Exited(code),
            (None, signal) => End::Signalled(Signal(signal.unwrap_or_default())),
        };
        let reaped = if is(self.leader) {
            self.leader = None;
            Reaped::Leader(end)
        } else if is(self.heir()) {
            self.main = None;
            self.listener = self.listener.filter(|listener| listener.pid != pid);
            if self.leader.is_some() { Reaped::Orphan } else { Reaped::Listener(end) }
        } else {
            Reaped::Orphan
        };
        (Some(reaped), true)
    }

    /// Whether anything of the tree lives.
    pub(super) fn is_left(&self, aside: Aside) -> bool {
        self.leader.is_some()
            || !self.below(aside).map_or(vec![NAMELESS], |all| all.pids()).is_empty()
    }

    /// All of its own processes, the leader first.
    pub(super) fn pids(&self, aside: Aside) -> Vec<i32> {
        self.below(aside).map_or_else(
            |_| self.leader.iter().map(|leader| leader.pid).collect(),
            |below| below.own.iter().map(|stat| stat.pid).collect(),
        )
    }

    /// The live supervisors of other instances below it.
    pub(super) fn guests(&self, aside: Aside) -> Vec<i32> {
        let below = self.below(aside);
        below
            .map_or_else(|_| Vec::new(), |below| below.guests.iter().map(|stat| stat.pid).collect())
    }

    /// Passes a signal on to the leader, or to the listener once the leader has ended.
    pub(super) fn pass_on(&self, signal: Signal) {
        let Some(signal) = known(signal) else { return };
        match (signal, self.leader_group()) {
            // A job that was stopped goes on as a whole.
            (Kill::SIGCONT, Some(group)) => drop(send_to_group(group, signal)),
            _ => self.leader.or(self.heir()).iter().for_each(|process| send(process, signal)),
        }
    }

    /// Sends a signal to the leader's group.
    pub(super) fn signal_group(&self, signal: Signal) {
        if let (Some(group), Some(signal)) = (self.leader_group(), known(signal)) {
            // That nobody is left in it is told by their ends.
            let _ = send_to_group(group, signal);
        }
    }

    /// Sends a signal to all, or to all outside the leader's group, and says who is there.
    pub(super) fn signal_all(&self, signal: Signal, spare_group: bool, aside: Aside) -> Vec<i32> {
        let Ok(below) = self.below(aside) else { return vec![NAMELESS] };
        if let Some(signal) = known(signal) {
            let spared = |stat: &&Stat| !(spare_group && stat.group == self.group);
            below.all().filter(spared).for_each(|stat| send(&stat.identity(), signal));
        }
        below.pids()
    }

    /// KILLs all, tells guests to do the same with theirs, and says who was there.
    pub(super) fn kill_all(&mut self, aside: Aside) -> Vec<i32> {
        let mut killed: Vec<ProcessIdentity> = Vec::new();
        for _ in 0..SWEEPS_MAX {
            let Ok(below) = self.below(aside) else { return vec![NAMELESS] };
            for guest in below.guests.iter().map(Stat::identity) {
                if !self.urged.contains(&guest) {
                    self.urged.push(guest);
                    // Two requests mean KILL, and two of one kind may arrive as one.
                    send(&guest, Kill::SIGINT);
                    send(&guest, Kill::SIGTERM);
                }
            }
            let fresh: Vec<_> =
                below.own.iter().map(Stat::identity).filter(|one| !killed.contains(one)).collect();
            if fresh.is_empty() {
                return below.pids();
            }
            fresh.iter().for_each(|process| send(process, Kill::SIGKILL));
            killed.extend(fresh);
        }
        killed.iter().map(|process| process.pid).collect()
    }

    fn below(&self, aside: Aside) -> std::io::Result<Below> {
        let guests = RefCell::new(Vec::new());
        let keep_out = |pid: i32| {
            if aside.has(pid) {
                return true;
            }
            match tree::supervisor(pid) {
                None => return false,
                Some(Supervisor::Detached) => {}
                Some(Supervisor::Foreground) => guests.borrow_mut().push(pid),
            }
            true
        };
        let own = match self.leader {
            Some(leader) if self.spares_orphans => {
                let below = tree::descendants(leader.pid, &keep_out)?;
                let own = process::read_stat(leader.pid).ok().filter(|stat| !stat.has_ended());
                own.into_iter().chain(below).collect()
            }
            None if self.spares_orphans => Vec::new(),
            Some(_) | None => tree::descendants(own_pid().cast_signed(), &keep_out)?,
        };
        let mut guests = guests.into_inner();
        guests.sort_unstable();
        guests.dedup();
        let guests = guests.into_iter().filter_map(|pid| process::read_stat(pid).ok());
        Ok(Below { own, guests: guests.filter(|stat| !stat.has_ended()).collect() })
    }
}

impl Below {
    fn all(&self) -> impl Iterator<Item = &Stat> {
        self.own.iter().chain(&self.guests)
    }

    fn pids(&self) -> Vec<i32> {
        self.all().map(|stat| stat.pid).collect()
    }
}

/// The signal by its name; real-time ones have none, and are never passed on.
fn known(signal: Signal) -> Option<Kill> {
    Kill::try_from(signal.0).ok()
}

fn send(process: &ProcessIdentity, signal: Kill) {
    if let Ok(Some(handle)) = Handle::open(process) {
        // Whom we may not signal (a set-uid program) shows as a survivor.
        let _ = handle.signal(signal);
    }
}

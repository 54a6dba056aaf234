//! Signals in, as things to be read one by one; signals out, to a whole process group.
//!
//! Nothing is handled asynchronously: what styxy wants to know is blocked and read from a
//! descriptor. What styxy changes for itself is remembered, for its children are to start as if it
//! were not there. What a signal means for an instance is the supervisor's business.
#![expect(unsafe_code, reason = "dispositions are read and set, one of them before `main`")]

use nix::{
    errno::Errno,
    libc,
    sys::{
        signal::{SigHandler, SigSet, SigmaskHow, Signal, killpg, signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::Pid,
};
use std::{
    io, mem,
    os::fd::{AsFd, BorrowedFd},
    ptr,
    sync::OnceLock,
};

/// What is read as an event. TSTP is left as it is: a styxy in the foreground group can be stopped.
const EVENTS: [Signal; 10] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGCONT,
    Signal::SIGWINCH,
    Signal::SIGCHLD,
];
/// Blocked and never read: so a process in the background may set the terminal's foreground group.
const HELD_OFF: [Signal; 2] = [Signal::SIGTTOU, Signal::SIGTTIN];

/// Mask and dispositions that this process was started with, as far as anyone here changes them.
#[derive(Debug, Clone, Copy)]
pub struct Original {
    mask: SigSet,
    is_pipe_ignored: bool,
    is_child_ignored: bool,
}

/// Runs before `main`, since Rust's runtime ignores SIGPIPE there and tells nobody what it was.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = remember;

extern "C" fn remember() {
    original();
}

/// How the process was started.
pub fn original() -> &'static Original {
    static ORIGINAL: OnceLock<Original> = OnceLock::new();
    ORIGINAL.get_or_init(|| Original {
        mask: SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty()),
        is_pipe_ignored: is_ignored(Signal::SIGPIPE),
        is_child_ignored: is_ignored(Signal::SIGCHLD),
    })
}

impl Original {
    /// Puts everything back: in a child, or before this process becomes another program.
    /// Async-signal-safe. Handlers are set to the default, as exec will do.
    pub fn put_back(&self) -> nix::Result<()> {
        for number in 1..=libc::SIGSYS {
            if disposition(number).is_some_and(is_handler) {
                // SAFETY: the default is no handler.
                unsafe { libc::signal(number, libc::SIG_DFL) };
            }
        }
        set_ignored(Signal::SIGPIPE, self.is_pipe_ignored)?;
        set_ignored(Signal::SIGCHLD, self.is_child_ignored)?;
        self.mask.thread_set_mask()
    }
}

/// A signal that has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub signal: Signal,
    /// From where.
    pub sender: Sender,
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The kernel: a key at the terminal, a hang-up, a child's end.
    Kernel,
    /// Somebody, with `kill`. The pid is 0 for one outside our PID namespace.
    Process(Pid),
}

/// The signals of this process, from now on read and no longer acted upon.
#[derive(Debug)]
pub struct Signals {
    queue: SignalFd,
}

impl Signals {
    /// Takes them. Those that were ignored stay so (`nohup`, background jobs of a script): they
    /// are neither blocked nor read, for a blocked signal is kept even if it is ignored.
    ///
    /// To be called before there are other threads, which would not have the mask.
    pub fn take() -> io::Result<Self> {
        original();
        // A parent that ignores its children has us ignore ours, and their ends would be lost.
        set_ignored(Signal::SIGCHLD, false)?;
        let events: SigSet = EVENTS.into_iter().filter(|&event| !is_ignored(event)).collect();
        let mut blocked = events;
        blocked.extend(HELD_OFF);
        blocked.thread_block()?;
        let queue = SignalFd::with_flags(&events, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { queue })
    }

    /// The next one, if any has arrived. Several of one kind may have become one.
    pub fn read(&self) -> io::Result<Option<Received>> {
        loop {
            match self.queue.read_signal() {
                Ok(arrived) => return Ok(arrived.as_ref().and_then(received)),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

/// What the kernel says of a signal, in our words. Only [`EVENTS`] are ever asked for.
fn received(arrived: &libc::signalfd_siginfo) -> Option<Received> {
    let signal = Signal::try_from(i32::try_from(arrived.ssi_signo).ok()?).ok()?;
    let sender = match arrived.ssi_code {
        libc::SI_USER | libc::SI_TKILL | libc::SI_QUEUE => {
            Sender::Process(Pid::from_raw(i32::try_from(arrived.ssi_pid).unwrap_or(0)))
        }
        _ => Sender::Kernel,
    };
    Some(Received { signal, sender })
}

/// Does something with every signal blocked: a thread that is started so takes none that is meant for the
/// supervisor.
pub fn all_blocked<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let done = work();
    mask.thread_set_mask()?;
    Ok(done)
}

/// Blocks every signal in this thread, for good.
pub fn block_all() -> io::Result<()> {
    Ok(SigSet::all().thread_block()?)
}

/// Sends to all processes of a group; that there is none left is the error ESRCH.
pub fn send_to_group(group: Pid, signal: Signal) -> io::Result<()> {
    if group.as_raw() <= 1 {
        // kill(2): group 0 is our own, 1 stands for everybody.
        return Err(Errno::EINVAL.into());
    }
    Ok(killpg(group, signal)?)
}

/// The name that people use: `TERM`, not `SIGTERM`.
pub fn name(signal: Signal) -> &'static str {
    let name = signal.as_str();
    name.strip_prefix("SIG").unwrap_or(name)
}

pub(super) fn is_ignored(signal: Signal) -> bool {
    disposition(signal as libc::c_int) == Some(libc::SIG_IGN)
}

fn is_handler(disposition: libc::sighandler_t) -> bool {
    disposition != libc::SIG_DFL && disposition != libc::SIG_IGN
}

/// What happens on a signal, if there is such a signal.
fn disposition(number: libc::c_int) -> Option<libc::sighandler_t> {
    // SAFETY: all zeroes is a valid `sigaction`, and a null new action only asks.
    unsafe {
        let mut current: libc::sigaction = mem::zeroed();
        (libc::sigaction(number, ptr::null(), &raw mut current) == 0)
            .then_some(current.sa_sigaction)
    }
}

/// Ignores a signal, or gives it its default.
fn set_ignored(kind: Signal, ignored: bool) -> nix::Result<()> {
    let handler = if ignored { SigHandler::SigIgn } else { SigHandler::SigDfl };
    // SAFETY: neither is a handler that could run.
    unsafe { signal(kind, handler) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::{
        forked::{Forked, alone},
        wait_set::{Interest, WaitSet},
    };
    use nix::{
        sys::signal::kill,
        unistd::{getpid, getppid},
    };

    fn next(signals: &Signals) -> Received {
        let mut set = WaitSet::new();
        set.add((), signals, Interest::Readable);
        set.wait(None).unwrap().count();
        signals.read().unwrap().unwrap()
    }

    #[test]
    fn a_sent_signal_is_read_with_its_sender() {
        alone(|| {
            let signals = Signals::take().unwrap();
            assert_eq!(signals.read().unwrap(), None);
            kill(getpid(), Signal::SIGTERM).unwrap();
            let sender = Sender::Process(getpid());
            assert_eq!(next(&signals), Received { signal: Signal::SIGTERM, sender });
            let sent = Forked::start(|| kill(getppid(), Signal::SIGHUP).unwrap());
            let sender = Sender::Process(sent.pid);
            assert_eq!(next(&signals), Received { signal: Signal::SIGHUP, sender });
            let sender = Sender::Kernel;
            assert_eq!(next(&signals), Received { signal: Signal::SIGCHLD, sender });
            sent.join();
        });
    }

    #[test]
    fn what_was_ignored_stays_ignored() {
        alone(|| {
            set_ignored(Signal::SIGHUP, true).unwrap();
            let signals = Signals::take().unwrap();
            kill(getpid(), Signal::SIGHUP).unwrap();
            assert_eq!(signals.read().unwrap(), None);
        });
    }

    #[test]
    fn a_childs_end_is_heard_of_though_it_was_ignored() {
        alone(|| {
            set_ignored(Signal::SIGCHLD, true).unwrap();
            let signals = Signals::take().unwrap();
            Forked::start(|| {}).join();
            assert_eq!(next(&signals).signal, Signal::SIGCHLD);
        });
    }

    #[test]
    fn everything_can_be_put_back() {
        alone(|| {
            let _signals = Signals::take().unwrap();
            assert!(is_ignored(Signal::SIGPIPE), "Rust's runtime does so");
            assert!(disposition(libc::SIGSEGV).is_some_and(is_handler), "and this as well");
            let was = Original { mask: Signal::SIGUSR1.into(), ..*original() };
            was.put_back().unwrap();
            assert_eq!(SigSet::thread_get_mask().unwrap(), Signal::SIGUSR1.into());
            assert_eq!(is_ignored(Signal::SIGPIPE), original().is_pipe_ignored);
            assert_eq!(disposition(libc::SIGSEGV), Some(libc::SIG_DFL));
        });
    }

    #[test]
    fn nobody_is_signalled_by_a_group_that_is_no_group() {
        for group in [1, 0, -1] {
            assert!(send_to_group(Pid::from_raw(group), Signal::SIGKILL).is_err(), "{group}");
        }
    }

    #[test]
    fn signals_have_short_names() {
        assert_eq!(name(Signal::SIGTERM), "TERM");
        assert_eq!(name(Signal::SIGWINCH), "WINCH");
    }
}

//! Ctrl-C and TERM as something to wait for, in commands that wait for others.
//!
//! A supervisor has its own way (`signals`): it passes signals on, and must not run handlers.

use crate::os::{
    clock,
    signals::{self, is_ignored},
    wait_set::{Interest, WaitSet},
};
use nix::sys::signal::{Signal, raise};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    low_level::pipe,
};
use std::{
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What ends a wait from outside.
#[derive(Debug)]
pub struct Interrupts {
    reader: UnixStream,
    /// Kept open where both are ignored: else the reader would be at its end, and readable.
    _writer: UnixStream,
    terminated: Arc<AtomicBool>,
}

/// Which of the two it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// Ctrl-C.
    Int,
    /// TERM.
    Term,
}

impl Interrupts {
    /// From now on, INT and TERM make this readable instead of ending the process. One that was ignored
    /// when the process was started (a background job of a script) stays ignored.
    pub fn take() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let terminated = Arc::new(AtomicBool::new(false));
        if !is_ignored(Signal::SIGTERM) {
            // The flag before the pipe: handlers run in the order of their registration.
            flag::register(SIGTERM, Arc::clone(&terminated))?;
            pipe::register(SIGTERM, writer.try_clone()?)?;
        }
        if !is_ignored(Signal::SIGINT) {
            pipe::register(SIGINT, writer.try_clone()?)?;
        }
        Ok(Self { reader, _writer: writer, terminated })
    }

    /// The one that has come, if one has.
    pub fn pending(&self) -> Option<Interrupt> {
        let mut set = WaitSet::new();
        set.add((), self, Interest::Readable);
        let come = set.wait(Some(clock::now())).is_ok_and(|mut come| come.next().is_some());
        come.then(|| self.which())
    }

    /// Takes in those that have come; tells how many. From then on only a further one makes this readable.
    pub fn count(&self) -> usize {
        // One byte each; what does not fit is more than anyone means.
        let mut bytes = [0; 64];
        (&self.reader).read(&mut bytes).unwrap_or(0)
    }

    /// Does something that blocks, in a thread of its own; or comes back because one of the two came.
    /// The thread is left behind then: it holds nothing that anybody waits for.
    pub fn or(&self, work: impl FnOnce() + Send + 'static) -> io::Result<Option<Interrupt>> {
        let (done, working) = UnixStream::pair()?;
        signals::all_blocked(|| {
            std::thread::Builder::new().spawn(move || {
                work();
                drop(working);
            })
        })??;
        let mut set = WaitSet::new();
        set.add(true, self, Interest::Readable);
        set.add(false, &done, Interest::Readable);
        let interrupted = set.wait(None)?.next().unwrap_or(false);
        Ok(interrupted.then(|| self.which()))
    }

    /// Which one came, once this is readable.
    pub fn which(&self) -> Interrupt {
        if self.terminated.load(Ordering::SeqCst) { Interrupt::Term } else { Interrupt::Int }
    }
}

impl Interrupt {
    /// Sends it to this process once more.
    pub fn raise(self) {
        let signal = match self {
            Self::Int => Signal::SIGINT,
            Self::Term => Signal::SIGTERM,
        };
        // It can only fail for a signal that does not exist.
        let _ = raise(signal);
    }

    /// What a process ends with that the signal ended.
    pub const fn exit_code(self) -> i32 {
        match self {
            Self::Int => 130,
            Self::Term => 143,
        }
    }
}

impl AsFd for Interrupts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

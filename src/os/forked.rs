//! Runs a test's body in a process of its own, where masks, groups and terminals may be changed.
//!
//! Only for tests. A forked process has one thread, so what is sent to it arrives where it is
//! read. It closes what it was not meant to have at once: copies of another test's sockets and
//! locks would keep them alive.
#![expect(unsafe_code, reason = "fork(2) has no safe form")]

use nix::{
    libc,
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
    unistd::{ForkResult, Pid, fork},
};
use std::{
    any::Any,
    io::{PipeReader, PipeWriter, Read, Write, pipe},
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A test's body at work.
pub(crate) struct Forked {
    pub(crate) pid: Pid,
    report: PipeReader,
}

impl Forked {
    /// Starts it. What the body panics with is reported by [`Forked::join`].
    pub(crate) fn start(body: impl FnOnce()) -> Self {
        Self::start_with(&[], body)
    }

    /// The same, with these descriptors besides 0, 1 and 2.
    pub(crate) fn start_with(kept: &[BorrowedFd<'_>], body: impl FnOnce()) -> Self {
        let (report, sink) = pipe().unwrap();
        let mut kept: Vec<RawFd> = kept.iter().map(AsRawFd::as_raw_fd).collect();
        kept.push(sink.as_raw_fd());
        kept.sort_unstable();
        // SAFETY: the child runs the body and leaves by `_exit`; glibc keeps its heap usable
        // across fork, and the body takes no lock that another test may hold.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => Self { pid: child, report },
            ForkResult::Child => {
                close_all_but(&kept);
                run(body, sink)
            }
        }
    }

    /// Waits for its end, and fails as it failed.
    pub(crate) fn join(mut self) {
        let mut said = String::new();
        self.report.read_to_string(&mut said).unwrap();
        let status = waitid(Id::Pid(self.pid), WaitPidFlag::WEXITED).unwrap();
        assert_eq!((said.as_str(), status), ("", WaitStatus::Exited(self.pid, 0)));
    }
}

/// Runs the body alone to its end.
pub(crate) fn alone(body: impl FnOnce()) {
    Forked::start(body).join();
}

fn close_all_but(kept: &[RawFd]) {
    let mut first = 3;
    for end in kept.iter().copied().chain([RawFd::MAX]).filter(|&end| end >= 3) {
        if end > first {
            // SAFETY: nobody is left in this process who would use them.
            unsafe { libc::close_range(first.unsigned_abs(), end.unsigned_abs() - 1, 0) };
        }
        first = end.saturating_add(1);
    }
}

fn run(body: impl FnOnce(), mut sink: PipeWriter) -> ! {
    // The hook would take locks that a thread of the parent may have held.
    std::panic::set_hook(Box::new(|_| {}));
    let said = catch_unwind(AssertUnwindSafe(body)).map_err(|panic| words(&*panic));
    if let Err(words) = &said {
        let _ = sink.write_all(words.as_bytes());
    }
    // SAFETY: leaves without running what belongs to the parent.
    unsafe { libc::_exit(i32::from(said.is_err())) }
}

fn words(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(words), _) => words.clone(),
        (None, Some(words)) => (*words).to_owned(),
        (None, None) => "a panic without words".to_owned(),
    }
}

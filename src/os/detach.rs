//! A process that goes on in the background, and the pipe by which it reports to the one that waits.
//!
//! Forked before any lock, socket or thread: a copy of a lock's descriptor would hold the lock.
#![expect(unsafe_code, reason = "fork(2) has no safe form")]

use nix::{
    fcntl::{OFlag, open},
    sys::{stat::Mode, wait::waitpid},
    unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe2, setsid},
};
use std::{fs::File, io};

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The one that was started: it waits for a report, or the end of the pipe without one.
    Launcher {
        /// The background process.
        background: Pid,
        /// Where the report comes.
        report: File,
    },
    /// The one in the background: a session of its own, without a terminal, silent.
    Background {
        /// Where it reports; closed with the process at the latest.
        report: File,
    },
}

/// Waits for the end of a background process that has failed.
pub fn see_off(background: Pid) {
    // Its end is all that is wanted; its code was in the report.
    let _ = waitpid(background, None);
}

/// Goes on in the background. Returns twice, once on each side.
pub fn detach() -> io::Result<Side> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: there is one thread, so the child may do whatever this process may; no lock of the
    // allocator or of std is held by a thread that the child does not have.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => {
            drop(writer);
            Ok(Side::Launcher { background: child, report: reader.into() })
        }
        ForkResult::Child => {
            drop(reader);
            setsid()?;
            let nothing = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
            dup2_stdin(&nothing)?;
            dup2_stdout(&nothing)?;
            dup2_stderr(&nothing)?;
            Ok(Side::Background { report: writer.into() })
        }
    }
}

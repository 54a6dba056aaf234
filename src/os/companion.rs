//! Another styxy that is started beside this one and reports over a pipe, which is its standard output.
//!
//! A process of its own from the first instruction on, so it has none of our descriptors and handlers. What it
//! is to do, and what its report means, is the caller's business.

use nix::{
    fcntl::{OFlag, open},
    sys::{
        prctl,
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getppid, setsid},
};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// What a supervisor that somebody killed ends with, for who waited for it.
const KILLED: i32 = 125;

/// One that was started, as long as it was not waited for.
#[derive(Debug)]
pub struct Companion {
    child: Child,
    report: ChildStdout,
}

/// How one has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this code.
    Code(i32),
    /// By a signal that it did not handle.
    Killed,
}

impl End {
    /// As an exit code.
    pub const fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Killed => KILLED,
        }
    }
}

impl Companion {
    /// Starts this very program with other words. For the main thread: a companion may be tied to the life
    /// of the *thread* that started it.
    pub fn start(words: &[OsString]) -> io::Result<Self> {
        let mut command = Command::new(own_program());
        command.arg0("styxy").args(words).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let report = child.stdout.take().expect("its stdout is a pipe");
        Ok(Self { child, report })
    }

    /// Reads on in its report; nothing is its end.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.report.read(buffer)
    }

    /// Asks it to end: TERM, and a second one means at once.
    pub fn ask_to_end(&self) {
        // Not waited for yet, so the pid is still its own; that it has just ended is fine.
        let pid = i32::try_from(self.child.id()).expect("a pid fits 31 bits");
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }

    /// Waits for its end, which its closed report has announced.
    pub fn wait(&mut self) -> io::Result<End> {
        let status = self.child.wait()?;
        let killed = status.signal().map(|_| End::Killed);
        Ok(killed.or(status.code().map(End::Code)).unwrap_or(End::Killed))
    }
}

impl AsFd for Companion {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }
}

/// The program's file has its name in `ps`; one that was replaced meanwhile is still to be had from /proc.
fn own_program() -> PathBuf {
    let by_name = std::env::current_exe().ok().filter(|path| path.is_file());
    by_name.unwrap_or_else(|| Path::new("/proc/self/exe").to_owned())
}

/// On the companion's side: goes into the background, and hands back the pipe for the report. Tied to its
/// starter, it gets TERM when that one ends, however it ends; false says that it has ended already.
pub fn step_back(tied_to: Option<i32>) -> io::Result<(File, bool)> {
    let report: OwnedFd = io::stdout().as_fd().try_clone_to_owned()?;
    if let Some(starter) = tied_to {
        prctl::set_pdeathsig(Signal::SIGTERM)?;
        // prctl(2): a parent that was gone before sends nothing.
        if getppid().as_raw() != starter {
            return Ok((report.into(), false));
        }
    }
    // A group leader cannot; who started it so wants it to be one.
    let _ = setsid();
    let nothing = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    Ok((report.into(), true))
}

/// From now on, what does not fit into the pipe at once is not said: nobody may be waited for.
pub fn never_wait(report: &File) {
    // Only a descriptor that is none could refuse.
    let _ = rustix::io::ioctl_fionbio(report, true);
}

//! How a child is started: a process group of its own, the terminal's foreground, tied to our
//! life, recorded before it runs, with the caller's signals and no descriptor of ours.
//!
//! Own clone(2), since the child shares our memory until exec and nothing is copied: 0.13 ms less
//! than fork with `pre_exec`. What the child does itself stands in `newborn`; waiting for its end
//! and stopping it are left to others.
#![expect(unsafe_code, reason = "clone(2) with a stack of our own has no safe form")]

pub(in crate::os) mod newborn;
mod search;
mod stack;
#[cfg(test)]
mod tests;

use crate::os::signals;
use newborn::{Failure, ListenPid, Newborn, be_born, bury};
use nix::{
    errno::Errno,
    libc::{self, c_char, c_int, c_void},
    sys::signal::{SigSet, SigmaskHow},
    unistd::{Pid, getpgrp, getpid, tcsetpgrp},
};
use search::candidates;
use stack::Stack;
use std::{
    ffi::{CStr, CString, OsStr},
    fmt, io, iter,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    ptr,
};

/// Runs scripts that don't say what runs them, as execvp(3) does.
const SHELL: &CStr = c"/bin/sh";

/// What is to be started, and what it is given.
#[derive(Debug, Clone, Copy)]
pub struct Spawn<'a> {
    /// A file's path, or a name that is looked for in the PATH of `environment`.
    pub program: &'a CStr,
    /// The whole argument list; the first is the program's own name for itself.
    pub arguments: &'a [CString],
    /// The whole environment, as `NAME=value`.
    pub environment: &'a [CString],
    /// Where it runs; here, if not said.
    pub directory: Option<&'a CStr>,
    /// What it reads.
    pub stdin: Input,
    /// Where it writes.
    pub output: Output<'a>,
    /// The terminal whose foreground group it becomes.
    pub foreground: Option<BorrowedFd<'a>>,
    /// Where it writes down who it is.
    pub record: Option<Record<'a>>,
    /// Listening sockets that it finds at 3 and up, counted by LISTEN_FDS.
    pub sockets: &'a [Socket<'a>],
    /// What becomes of descriptors besides these.
    pub others: Others,
}

/// A listening socket that is passed on, as sd_listen_fds(3) describes it.
#[derive(Debug, Clone, Copy)]
pub struct Socket<'a> {
    /// The socket.
    pub fd: BorrowedFd<'a>,
    /// What it is called in LISTEN_FDNAMES; without a colon, which separates these names.
    pub name: &'a str,
}

/// A child's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Ours.
    Inherit,
    /// Nothing to read.
    Null,
}

/// A child's standard output and standard error.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    /// Ours.
    Inherit,
    /// Both into this file.
    File(BorrowedFd<'a>),
    /// Each into a file of its own.
    Apart {
        /// For standard output.
        out: BorrowedFd<'a>,
        /// For standard error.
        err: BorrowedFd<'a>,
    },
    /// Nowhere.
    Null,
}

/// What a child gets of descriptors that it was not given on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// What our caller passed on, which is all without close-on-exec.
    Inherit,
    /// None.
    Close,
}

/// A place in a file for the text `%10d,%20d`: pid and start (clock ticks since boot), right-aligned.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The file.
    pub file: BorrowedFd<'a>,
    /// Where the text begins.
    pub offset: i64,
}

/// A child that has become the program. Its process group has its pid for a number.
#[derive(Debug)]
pub struct Child {
    /// Its pid.
    pub pid: Pid,
    /// Itself, whatever becomes of the pid: readable once it has ended.
    pub pidfd: OwnedFd,
}

/// Why nothing was started. Nothing is left of the attempt, and the terminal is ours again.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// There is no such program.
    #[error("`{program}` was not found")]
    NotFound {
        /// As it was asked for.
        program: String,
    },
    /// There is something, and it cannot be run.
    #[error("`{program}` cannot be executed")]
    NotExecutable {
        /// As it was asked for.
        program: String,
        /// What the kernel said.
        #[source]
        why: io::Error,
    },
    /// Something else went wrong on the way.
    #[error("the command cannot be started: {step} failed")]
    Other {
        /// On which step.
        step: Step,
        /// What the kernel said.
        #[source]
        errno: io::Error,
    },
}

/// What has to be done before a child runs its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A stack and a process.
    Clone,
    /// Its end with ours.
    Tie,
    /// Its own process group.
    Group,
    /// Writing down who it is.
    Record,
    /// Its working directory.
    Directory,
    /// Standard input, output and error.
    Streams,
    /// The sockets that are passed on.
    Sockets,
    /// The caller's mask and dispositions.
    Signals,
    /// Becoming the program.
    Exec,
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Clone => "making a process",
            Self::Tie => "tying it to this process",
            Self::Group => "making a process group",
            Self::Record => "writing down its pid",
            Self::Directory => "entering the working directory",
            Self::Streams => "opening its standard streams",
            Self::Sockets => "passing on sockets",
            Self::Signals => "putting back signals",
            Self::Exec => "executing it",
        })
    }
}

impl<'a> Spawn<'a> {
    /// A program with nothing changed: our directory, our streams, what was passed on to us.
    pub const fn new(
        program: &'a CStr,
        arguments: &'a [CString],
        environment: &'a [CString],
    ) -> Self {
        Self {
            program,
            arguments,
            environment,
            directory: None,
            stdin: Input::Inherit,
            output: Output::Inherit,
            foreground: None,
            record: None,
            sockets: &[],
            others: Others::Inherit,
        }
    }

    /// Starts it, and returns when it has become the program, or could not.
    ///
    /// For the main thread: the child is tied to the life of the *thread* that starts it.
    pub fn start(&self) -> Result<Child, SpawnError> {
        let told = told(self.sockets);
        let mut newborn = self.newborn(&told);
        let (pid, pidfd) = give_birth(&mut newborn)
            .map_err(|errno| SpawnError::Other { step: Step::Clone, errno })?;
        let Some(failure) = newborn.failure.take() else {
            return Ok(Child { pid, pidfd });
        };
        bury(pid.as_raw());
        if let Some(terminal) = self.foreground {
            take_back(terminal);
        }
        Err(self.explain(&failure, &newborn.candidates))
    }

    /// Everything that the child will need, since it may not allocate.
    fn newborn<'b>(&'b self, told: &'b [CString]) -> Newborn<'b> {
        let candidates = candidates(self.program, self.environment);
        let arguments = pointers(self.arguments);
        let script = [SHELL.as_ptr(), ptr::null()];
        let script_arguments =
            script.into_iter().chain(arguments.iter().skip(1).copied()).collect();
        let environment = if self.sockets.is_empty() {
            pointers(self.environment)
        } else {
            let inherited = self.environment.iter().filter(|entry| !is_listen_variable(entry));
            // The first place is for LISTEN_PID.
            iter::once(c"".as_ptr()).chain(pointers(told.iter().chain(inherited))).collect()
        };
        Newborn {
            parent: getpid(),
            original: signals::original(),
            record: self.record,
            foreground: self.foreground,
            directory: self.directory,
            stdin: self.stdin,
            output: self.output,
            sockets: self.sockets.iter().map(|socket| socket.fd.as_raw_fd()).collect(),
            others: self.others,
            listen_pid: ListenPid::new(),
            candidates,
            arguments,
            script_arguments,
            environment,
            failure: None,
        }
    }

    /// What to tell the caller. 127 and 126 of a shell are `NotFound` and `NotExecutable`.
    fn explain(&self, failure: &Failure, candidates: &[CString]) -> SpawnError {
        let program = self.program.to_string_lossy().into_owned();
        let errno = io::Error::from(failure.errno);
        match (failure.step, failure.errno) {
            (Step::Exec, Errno::ENOENT) if candidates.iter().any(|path| self.exists(path)) => {
                // execve(2) says so of a file that is there, too.
                let why = io::Error::other("the interpreter or loader that it names is missing");
                SpawnError::NotExecutable { program, why }
            }
            (Step::Exec, Errno::ENOENT) => SpawnError::NotFound { program },
            (Step::Exec, _) => SpawnError::NotExecutable { program, why: errno },
            (step, _) => SpawnError::Other { step, errno },
        }
    }

    fn exists(&self, candidate: &CStr) -> bool {
        let path = |text: &CStr| Path::new(OsStr::from_bytes(text.to_bytes())).to_owned();
        self.directory.map(path).unwrap_or_default().join(path(candidate)).exists()
    }
}

/// A list as exec wants it: pointers, and a null pointer at the end.
fn pointers<'a>(texts: impl IntoIterator<Item = &'a CString>) -> Vec<*const c_char> {
    texts.into_iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// What is told of sockets that are passed on, but for LISTEN_PID; nothing of none.
pub(in crate::os) fn told(sockets: &[Socket<'_>]) -> Vec<CString> {
    if sockets.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = sockets.iter().map(|socket| socket.name).collect();
    let lines =
        [format!("LISTEN_FDS={}", sockets.len()), format!("LISTEN_FDNAMES={}", names.join(":"))];
    lines.map(|line| CString::new(line).expect("names of ports and instances hold no zero")).into()
}

/// Sockets that were passed on to us are not those that we pass on.
pub(in crate::os) fn is_listen_variable(entry: &CStr) -> bool {
    let name = entry.to_bytes().split(|&byte| byte == b'=').next();
    [&b"LISTEN_PID"[..], b"LISTEN_FDS", b"LISTEN_FDNAMES"].map(Some).contains(&name)
}

/// Makes the process, and waits until it has become the program or has ended.
fn give_birth(newborn: &mut Newborn<'_>) -> io::Result<(Pid, OwnedFd)> {
    let stack = Stack::new()?;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut pidfd: c_int = -1;
    // A handler of ours must not run in the child, where it would work on our memory.
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the child runs `be_born` alone, on a stack of its own; this thread stands still
    // until it no longer uses our memory (CLONE_VFORK), and `newborn`, `pidfd` and the stack
    // outlive that. With CLONE_PIDFD the kernel writes to the fifth argument.
    let pid = unsafe {
        let newborn = ptr::from_mut(newborn).cast::<c_void>();
        libc::clone(be_born, stack.top(), flags, newborn, &raw mut pidfd)
    };
    let outcome = Errno::result(pid);
    mask.thread_set_mask()?;
    let pid = Pid::from_raw(outcome?);
    // SAFETY: the kernel has just made it, close-on-exec, and for us alone.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// Takes the foreground from the group of a child that is no more.
fn take_back(terminal: BorrowedFd<'_>) {
    let Ok(mask) = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK) else { return };
    // A terminal that went away is nobody's; there is nothing to do about it.
    let _ = tcsetpgrp(terminal, getpgrp());
    let _ = mask.thread_set_mask();
}

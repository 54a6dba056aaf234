//! What a child does between its birth and exec.
//!
//! It shares its parent's memory, and the parent (its other threads not) stands still meanwhile:
//! so nothing here allocates, locks, logs or panics, and a failure is left where the parent reads it.
#![expect(unsafe_code, reason = "system calls without the allocations of their safe forms")]

use super::{Input, Others, Output, Record, Step};
use crate::os::signals::Original;
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    libc::{self, c_char, c_int, c_void, pid_t},
    sys::stat::Mode,
    unistd::{
        Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, getpid, getppid, setpgid, tcsetpgrp,
    },
};
use std::{
    convert::Infallible,
    ffi::{CStr, CString},
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, IntoRawFd, RawFd},
    ptr,
};

/// The first descriptor after the standard streams; LISTEN_FDS count from here.
pub(in crate::os) const FIRST_SOCKET: RawFd = 3;
/// So many descriptors are closed one by one where the kernel cannot close a range.
const DESCRIPTORS_MAX: RawFd = 65_536;
/// The field of `/proc/PID/stat` that holds the start, counted from the state, which is the third.
const START_FIELD: usize = 22 - 3;
/// Columns of pid and start in the record.
const PID_WIDTH: usize = 10;
const START_WIDTH: usize = 20;
/// `LISTEN_PID=`, the digits of a pid, and the end of the text.
const LISTEN_PID: &[u8; 22] = b"LISTEN_PID=\0\0\0\0\0\0\0\0\0\0\0";
/// Where the digits begin in it.
const LISTEN_PID_DIGITS: usize = 11;

/// What stopped a newborn from becoming the program.
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) errno: Errno,
}

/// All that it needs, made ready by the parent.
pub(super) struct Newborn<'a> {
    pub(super) parent: Pid,
    pub(super) original: &'a Original,
    pub(super) record: Option<Record<'a>>,
    pub(super) foreground: Option<BorrowedFd<'a>>,
    pub(super) directory: Option<&'a CStr>,
    pub(super) stdin: Input,
    pub(super) output: Output<'a>,
    /// Sockets to be passed on, wherever they are now.
    pub(super) sockets: Vec<RawFd>,
    pub(super) others: Others,
    pub(super) listen_pid: ListenPid,
    pub(super) candidates: Vec<CString>,
    /// These three end with a null pointer.
    pub(super) arguments: Vec<*const c_char>,
    /// The same for a script without a first line that names its interpreter: the shell, a place
    /// for the script, and the arguments after the first.
    pub(super) script_arguments: Vec<*const c_char>,
    /// With sockets, the first place is for LISTEN_PID.
    pub(super) environment: Vec<*const c_char>,
    pub(super) failure: Option<Failure>,
}

/// The variable that only the child can complete, since it holds its pid.
pub(super) struct ListenPid([u8; LISTEN_PID.len()]);

impl ListenPid {
    pub(super) const fn new() -> Self {
        Self(*LISTEN_PID)
    }

    /// Completes it, and gives it as an entry of the environment.
    fn complete(&mut self, pid: Pid) -> *const c_char {
        let mut digits = [b' '; PID_WIDTH];
        right_aligned(&mut digits, pid.as_raw().unsigned_abs().into());
        let digits = digits.iter().filter(|&&byte| byte != b' ');
        self.0.iter_mut().skip(LISTEN_PID_DIGITS).zip(digits).for_each(|(to, from)| *to = *from);
        self.0.as_ptr().cast()
    }
}

/// Where the child begins. What it returns is its exit status.
pub(super) extern "C" fn be_born(newborn: *mut c_void) -> c_int {
    // SAFETY: `spawn` hands over its own `Newborn` and does not touch it until the child is gone
    // or has become the program.
    let newborn = unsafe { &mut *newborn.cast::<Newborn<'_>>() };
    let Err(failure) = newborn.become_program();
    newborn.failure = Some(failure);
    127
}

impl Newborn<'_> {
    fn become_program(&mut self) -> Result<Infallible, Failure> {
        let pid = getpid();
        at(Step::Tie, tie_to(self.parent))?;
        at(Step::Group, setpgid(Pid::from_raw(0), Pid::from_raw(0)))?;
        if let Some(record) = &self.record {
            at(Step::Record, write_record(record, pid))?;
        }
        if let Some(terminal) = self.foreground {
            // A terminal that went away meanwhile is no reason not to start.
            let _ = tcsetpgrp(terminal, pid);
        }
        if let Some(directory) = self.directory {
            at(Step::Directory, chdir(directory))?;
        }
        at(Step::Streams, self.place_streams())?;
        // Last of the descriptors: a socket's new place may have been that of any other above.
        at(Step::Sockets, self.place_sockets())?;
        if let (Some(place), false) = (self.environment.first_mut(), self.sockets.is_empty()) {
            *place = self.listen_pid.complete(pid);
        }
        if self.foreground.is_some() {
            forget_suspension();
        }
        at(Step::Signals, self.original.put_back())?;
        Err(Failure { step: Step::Exec, errno: self.exec() })
    }

    fn place_streams(&self) -> nix::Result<()> {
        if self.stdin == Input::Null || matches!(self.output, Output::Null) {
            let null = open(c"/dev/null", OFlag::O_RDWR, Mode::empty())?;
            if self.stdin == Input::Null {
                dup2_stdin(&null)?;
            }
            if matches!(self.output, Output::Null) {
                dup2_stdout(&null)?;
                dup2_stderr(&null)?;
            }
            if null.as_raw_fd() < FIRST_SOCKET {
                // It took the place of a stream that was closed, and stays there.
                let _ = null.into_raw_fd();
            }
        }
        match self.output {
            Output::File(file) => {
                dup2_stdout(file)?;
                dup2_stderr(file)?;
            }
            Output::Apart { out, err } => {
                dup2_stdout(out)?;
                dup2_stderr(err)?;
            }
            Output::Inherit | Output::Null => {}
        }
        Ok(())
    }

    /// Puts the sockets at 3 and up, and closes the rest if asked to.
    fn place_sockets(&mut self) -> nix::Result<()> {
        let end = place(&mut self.sockets)?;
        if self.others == Others::Close {
            close_from(end);
        }
        Ok(())
    }

    /// Tries the files in turn; returns only why none of them could be executed. As execvp(3).
    fn exec(&mut self) -> Errno {
        let mut outcome = Errno::ENOENT;
        for candidate in &self.candidates {
            match execute(candidate, &self.arguments, &self.environment) {
                Errno::ENOEXEC => {
                    if let Some(script) = self.script_arguments.get_mut(1) {
                        *script = candidate.as_ptr();
                    }
                    return execute(super::SHELL, &self.script_arguments, &self.environment);
                }
                Errno::EACCES => outcome = Errno::EACCES,
                // Not there, or on a file system that is not: perhaps in the next directory.
                Errno::ENOENT
                | Errno::ENOTDIR
                | Errno::ESTALE
                | Errno::ENODEV
                | Errno::ETIMEDOUT => {}
                errno => return errno,
            }
        }
        outcome
    }
}

fn at<T>(step: Step, outcome: nix::Result<T>) -> Result<T, Failure> {
    outcome.map_err(|errno| Failure { step, errno })
}

/// If styxy dies, the kernel sends TERM. It does so when the *thread* that spawned ends.
fn tie_to(parent: Pid) -> nix::Result<()> {
    // SAFETY: sets an attribute of this process.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) })?;
    // It may have died just before.
    if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH) }
}

/// Writes down who this is, before it can do anything.
fn write_record(record: &Record<'_>, pid: Pid) -> nix::Result<()> {
    let mut text = [b' '; PID_WIDTH + 1 + START_WIDTH];
    let (pid_text, rest) = text.split_at_mut(PID_WIDTH);
    let (comma, start_text) = rest.split_at_mut(1);
    comma.fill(b',');
    right_aligned(pid_text, pid.as_raw().unsigned_abs().into());
    right_aligned(start_text, own_start()?);
    // SAFETY: writes from our own buffer. One call: readers see the old text or the new.
    let written = unsafe {
        libc::pwrite(record.file.as_raw_fd(), text.as_ptr().cast(), text.len(), record.offset)
    };
    let written = Errno::result(written)?;
    // A disk may be full in the middle of a text.
    if usize::try_from(written) == Ok(text.len()) { Ok(()) } else { Err(Errno::ENOSPC) }
}

/// When this process was started, in clock ticks since boot.
fn own_start() -> nix::Result<u64> {
    let file = open(c"/proc/self/stat", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut text = [0; 1024];
    let length = nix::unistd::read(&file, &mut text)?;
    start_in(text.get(..length).unwrap_or_default()).ok_or(Errno::EPROTO)
}

/// The start time in a line of `/proc/PID/stat`, whose second field may hold anything but its end.
fn start_in(stat: &[u8]) -> Option<u64> {
    let after_name = stat.rsplit(|&byte| byte == b')').next()?;
    let mut fields = after_name.split(|&byte| byte == b' ').filter(|field| !field.is_empty());
    str::from_utf8(fields.nth(START_FIELD)?).ok()?.parse().ok()
}

/// Writes the digits at the end of their place.
fn right_aligned(place: &mut [u8], mut number: u64) {
    for byte in place.iter_mut().rev() {
        *byte = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
}

/// A Ctrl-Z typed before the program is there would stop this half-made child, and with it the
/// parent, which waits for exec. The key can be pressed again.
fn forget_suspension() {
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let mut key = MaybeUninit::uninit();
    // SAFETY: the set is made before it is used; nobody wants to know more about the signal.
    unsafe {
        libc::sigemptyset(key.as_mut_ptr());
        libc::sigaddset(key.as_mut_ptr(), libc::SIGTSTP);
        libc::sigtimedwait(key.as_ptr(), ptr::null_mut(), &raw const now);
    }
}

/// Puts sockets at 3 and up, whatever stood there; gives the first descriptor behind them. Only for a
/// process that is about to become another program.
pub(in crate::os) fn place(sockets: &mut [RawFd]) -> nix::Result<RawFd> {
    let count = RawFd::try_from(sockets.len()).map_err(|_| Errno::EMFILE)?;
    let end = FIRST_SOCKET + count;
    for fd in sockets.iter_mut() {
        // Out of the way first: one may stand where another one goes.
        // SAFETY: duplicates a descriptor, and closes none.
        *fd = Errno::result(unsafe { libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, end) })?;
    }
    for (fd, place) in sockets.iter().zip(FIRST_SOCKET..) {
        // SAFETY: nothing of this process is used after it, but for exec; the copy is without close-on-exec.
        Errno::result(unsafe { libc::dup2(*fd, place) })?;
    }
    Ok(end)
}

/// Closes everything from there on.
fn close_from(first: RawFd) {
    let start = libc::c_uint::try_from(first).unwrap_or(libc::c_uint::MAX);
    // SAFETY: this process has a descriptor table of its own and needs none of these any more.
    unsafe {
        if libc::close_range(start, libc::c_uint::MAX, 0) != 0 {
            // Before Linux 5.9, or forbidden by a container's filter.
            for fd in first..DESCRIPTORS_MAX {
                libc::close(fd);
            }
        }
    }
}

/// Returns only with the reason why it could not be done.
fn execute(file: &CStr, arguments: &[*const c_char], environment: &[*const c_char]) -> Errno {
    // SAFETY: both lists end with a null pointer, and what they point to is kept by `spawn`.
    unsafe { libc::execve(file.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    Errno::last()
}

/// Waits for a newborn that could not become the program; it is about to end.
pub(super) fn bury(pid: pid_t) {
    // SAFETY: waits for our own child and does not ask how it ended.
    while unsafe { libc::waitpid(pid, ptr::null_mut(), 0) } == -1
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_after_any_name() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        for name in ["cat", "a b) c (", ") 9 9 9 9"] {
            let line = format!("77 ({name}) {fields}");
            assert_eq!(start_in(line.as_bytes()), Some(4711), "{line}");
        }
        assert_eq!(start_in(b"77 (cat) S 1 2"), None);
    }

    #[test]
    fn numbers_end_where_their_place_ends() {
        for (number, expected) in [(0, "    0"), (7, "    7"), (120, "  120"), (54321, "54321")] {
            let mut place = *b"     ";
            right_aligned(&mut place, number);
            assert_eq!(place, expected.as_bytes());
        }
    }

    #[test]
    fn a_pid_completes_its_variable() {
        let mut variable = ListenPid::new();
        variable.complete(Pid::from_raw(4_194_304));
        let text = CStr::from_bytes_until_nul(&variable.0).unwrap();
        assert_eq!(text, c"LISTEN_PID=4194304");
    }
}

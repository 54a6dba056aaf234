//! One process and no other: who it is, whether it lives, and a handle that never means another one.
//!
//! How processes hang together is `tree`'s business.

use crate::registry::{Namespaces, ProcessIdentity};
use compact_str::CompactString;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// What is read of a stat file: the fields up to the 24th never need more than 600 bytes.
const STAT_LENGTH_MAX: usize = 1024;
/// Longer than the environments that there are.
const ENVIRONMENT_LENGTH: usize = 256 << 10;
/// So often a process is looked at that is just becoming another program …
const LOOKS_MAX: u32 = 100;
/// … and so long is rested in between, in ms: becoming one takes less than that, where it gets to run.
const BETWEEN_LOOKS: u8 = 1;

/// What the kernel says of a process in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its pid.
    pub pid: i32,
    /// The name of its program, 15 bytes at most (kernel threads: more).
    pub name: CompactString,
    /// Its state as the kernel's letter: `R`, `S`, `D`, `T`, `Z` and others.
    pub state: u8,
    /// The pid of its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// The processor time it has used, in clock ticks.
    pub cpu_ticks: u64,
    /// How many threads it has.
    pub threads: u32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
    /// The memory it holds, in pages.
    pub memory_pages: u64,
}

impl Stat {
    /// By what it is told from any other process.
    pub fn identity(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, start: self.start }
    }

    /// Whether nothing of it runs any more: a zombie is gone, whoever is slow to reap it.
    pub fn has_ended(&self) -> bool {
        // A leader that left its other threads behind is shown as a zombie, and works on in them.
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }
}

/// Reads a line of `/proc/PID/stat`.
pub fn parse_stat(line: &[u8]) -> Option<Stat> {
    // The name may hold blanks and parentheses, so it ends at the last one.
    let open = line.iter().position(|byte| *byte == b'(')?;
    let close = line.iter().rposition(|byte| *byte == b')').filter(|close| *close > open)?;
    let pid = std::str::from_utf8(&line[..open]).ok()?.trim().parse().ok()?;
    let rest = std::str::from_utf8(&line[close + 1..]).ok()?;
    // Fields are numbered from 1 in proc(5); the state is the third.
    let mut fields = [""; 22];
    fields.iter_mut().zip(rest.split_ascii_whitespace()).for_each(|(field, word)| *field = word);
    let field = |number: usize| fields[number - 3];
    let count = |number: usize| field(number).parse::<u64>().ok();
    Some(Stat {
        pid,
        name: CompactString::from_utf8_lossy(&line[open + 1..close]),
        state: field(3).bytes().next()?,
        parent: field(4).parse().ok()?,
        group: field(5).parse().ok()?,
        session: field(6).parse().ok()?,
        cpu_ticks: count(14)?.checked_add(count(15)?)?,
        threads: field(20).parse().ok()?,
        start: count(22)?,
        memory_pages: count(24)?,
    })
}

/// What the kernel says of the process that has this pid now.
pub fn read_stat(pid: i32) -> io::Result<Stat> {
    let mut line = [0; STAT_LENGTH_MAX];
    let length = File::open(format!("/proc/{pid}/stat"))?.read(&mut line)?;
    parse_stat(&line[..length]).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// The same, with `None` for a process that isn't there.
pub fn find_stat(pid: i32) -> io::Result<Option<Stat>> {
    match read_stat(pid) {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a file in `/proc/PID` could not be read because the process has ended.
pub(super) fn is_gone(error: &io::Error) -> bool {
    // Opening says ENOENT, reading from what was opened before says ESRCH.
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ESRCH as i32)
}

/// The identity of the process that has this pid now.
pub fn identify(pid: i32) -> io::Result<ProcessIdentity> {
    read_stat(pid).map(|stat| stat.identity())
}

/// Whose rights the process with this pid has.
pub fn uid_of(pid: i32) -> Option<u32> {
    Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())
}

/// Whether it is still there, and not a zombie.
pub fn is_alive(process: &ProcessIdentity) -> bool {
    read_stat(process.pid).is_ok_and(|stat| stat.identity() == *process && !stat.has_ended())
}

/// The namespaces in which this process's pids and ports mean what they say.
pub fn namespaces_of_self() -> io::Result<Namespaces> {
    Ok(Namespaces {
        pid: fs::metadata("/proc/self/ns/pid")?.ino(),
        net: fs::metadata("/proc/self/ns/net")?.ino(),
    })
}

/// The pids of all processes that can be seen.
pub fn all_pids() -> io::Result<Vec<i32>> {
    numbered_entries("/proc")
}

/// The entries of a directory whose names are numbers.
pub(super) fn numbered_entries(directory: &str) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(numbers)
}

/// A variable's value in the environment that the process was started with.
///
/// `None` also where it can't be read (another user's process) or was written over (redis, nginx).
pub fn environment_value(pid: i32, name: &str) -> Option<Vec<u8>> {
    find_variable(&environment(pid)?, name).map(<[u8]>::to_vec)
}

/// The environment that a process was started with. One that is just becoming another program has none for
/// a moment, and would be overlooked: it is looked at again.
fn environment(pid: i32) -> Option<Vec<u8>> {
    let mut empty_before = None;
    for _ in 0..LOOKS_MAX {
        let environment = environment_now(pid).ok()?;
        if !environment.is_empty() {
            return Some(environment);
        }
        let empty_at = empty_environment(pid)?;
        if empty_at.is_some() && empty_at == empty_before {
            return Some(environment);
        }
        empty_before = empty_at;
        let _ = poll(&mut [], PollTimeout::from(BETWEEN_LOOKS));
    }
    None
}

/// What there is of it. In one call, if it isn't huge: the second may find another program, and nothing.
fn environment_now(pid: i32) -> io::Result<Vec<u8>> {
    let mut file = File::open(format!("/proc/{pid}/environ"))?;
    let mut environment = vec![0; ENVIRONMENT_LENGTH];
    let length = file.read(&mut environment)?;
    environment.truncate(length);
    if length == ENVIRONMENT_LENGTH {
        file.read_to_end(&mut environment)?;
    }
    Ok(environment)
}

/// Where the empty environment of a process lies, if it has one already; `None` for kernel threads and
/// what has ended. proc(5): an environment lies between the addresses in the fields 50 and 51, which are 0
/// at first, then alike, and at last what they stay; and no two programs have it at the same place.
fn empty_environment(pid: i32) -> Option<Option<Vec<u8>>> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let mut fields = stat.rsplit(|byte| *byte == b')').next()?.split(|byte| *byte == b' ');
    let (start, end) = (fields.nth(50 - 2)?, fields.next()?);
    Some((start == end && start != b"0").then(|| start.to_owned()))
}

fn find_variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// Whether a process is this one's parent, or its parent's, and so on.
pub fn is_ancestor(pid: i32) -> bool {
    let mut below = nix::unistd::getpid().as_raw();
    // Bounded by the depth of the tree, which the kernel keeps free of circles.
    while let Ok(stat) = read_stat(below) {
        if stat.parent == pid {
            return true;
        }
        below = stat.parent;
    }
    false
}

/// The arguments that the process shows. `None` for kernel threads, zombies, and where it is gone.
pub fn command_line(pid: i32) -> Option<Vec<String>> {
    let shown = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    split_arguments(&shown)
}

fn split_arguments(shown: &[u8]) -> Option<Vec<String>> {
    // A title written over the arguments is followed by what was left of them, all zeros.
    let length = shown.iter().rposition(|byte| *byte != 0)? + 1;
    let arguments = shown[..length].split(|byte| *byte == 0);
    Some(arguments.map(|argument| String::from_utf8_lossy(argument).into_owned()).collect())
}

/// A process that can be signalled and waited for, and that is never mistaken for another one.
#[derive(Debug)]
pub struct Handle {
    identity: ProcessIdentity,
    pidfd: OwnedFd,
}

impl Handle {
    /// A handle on that very process; `None` when it has ended, whoever has its pid now.
    ///
    /// Pid 1 and below are never opened: they name no child of ours, and to `kill` whole groups.
    pub fn open(process: &ProcessIdentity) -> io::Result<Option<Self>> {
        let named = Some(process.pid).filter(|pid| *pid > 1).and_then(Pid::from_raw);
        let Some(pid) = named else { return Ok(None) };
        // Opened first, compared then: what is compared can't be exchanged for another any more.
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = find_stat(process.pid)?;
        let same = stat.is_some_and(|stat| stat.identity() == *process && !stat.has_ended());
        Ok(same.then_some(Self { identity: *process, pidfd }))
    }

    /// Whose handle it is.
    pub fn identity(&self) -> ProcessIdentity {
        self.identity
    }

    /// Sends a signal. One that has ended meanwhile needs none.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(signal) = rustix::process::Signal::from_named_raw(signal as i32) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it has ended, reaped or not.
    pub fn has_ended(&self) -> io::Result<bool> {
        // pidfd_open(2): readable when the process terminates and becomes a zombie.
        let mut waited = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut waited, PollTimeout::ZERO)? > 0)
    }
}

impl AsFd for Handle {
    /// Readable once the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_process::TestProcess;
    use proptest::prelude::*;
    use std::process::Command;

    fn cat() -> TestProcess {
        TestProcess::cat(Command::new("cat").arg("-").env("STYXY_TEST", "a=b"))
    }

    fn wait_for_end(handle: &Handle) {
        let mut waited = [PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut waited, PollTimeout::NONE).unwrap(), 1);
    }

    const LINE: &[u8] = b"812 (a) Z 1 (b) S 7 8 9 0 -1 4194560 0 0 0 0 30 12 0 0 20 0 3 0 4711 \
        8192 55 18446744073709551615 1 1 0 0 0 0 0\n";

    #[test]
    fn one_that_becomes_another_program_again_and_again_is_never_overlooked() {
        let again = "exec sh -c \"$AGAIN\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", again]).env("AGAIN", again).env("STYXY_TEST", "a=b");
        let process = TestProcess::start(&mut shell);
        for _ in 0..3_000 {
            let value = environment_value(process.pid(), "STYXY_TEST");
            assert_eq!(value.as_deref(), Some(&b"a=b"[..]));
        }
    }

    #[test]
    fn a_stat_line_is_read_after_the_last_parenthesis() {
        let stat = parse_stat(LINE).unwrap();
        assert_eq!(stat.name, "a) Z 1 (b");
        assert_eq!((stat.pid, stat.state, stat.parent), (812, b'S', 7));
        assert_eq!((stat.group, stat.session, stat.threads), (8, 9, 3));
        assert_eq!((stat.cpu_ticks, stat.start, stat.memory_pages), (42, 4711, 55));
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_stat(&line);
        }

        #[test]
        fn no_part_of_a_line_makes_it_panic(from in 0..LINE.len(), to in 0..LINE.len()) {
            let _ = parse_stat(&LINE[from.min(to)..to]);
        }
    }

    #[test]
    fn a_zombie_has_ended_unless_other_threads_of_it_live() {
        for (state, threads, expected) in
            [(b'S', 1, false), (b'Z', 1, true), (b'Z', 0, true), (b'Z', 2, false), (b'X', 0, true)]
        {
            let stat = Stat { state, threads, ..parse_stat(LINE).unwrap() };
            assert_eq!(stat.has_ended(), expected, "{} {threads}", char::from(state));
        }
    }

    #[test]
    fn a_process_is_alive_until_it_is_a_zombie() {
        let child = cat();
        let identity = identify(child.pid()).unwrap();
        assert!(is_alive(&identity));
        let handle = Handle::open(&identity).unwrap().unwrap();
        assert!(!handle.has_ended().unwrap());

        handle.signal(Signal::SIGKILL).unwrap();
        wait_for_end(&handle);

        assert!(handle.has_ended().unwrap());
        assert_eq!(read_stat(child.pid()).unwrap().state, b'Z');
        assert!(!is_alive(&identity));
        assert!(Handle::open(&identity).unwrap().is_none());
        handle.signal(Signal::SIGTERM).unwrap();
        drop(child);
        assert!(find_stat(identity.pid).unwrap().is_none_or(|stat| stat.identity() != identity));
        assert!(handle.signal(Signal::SIGTERM).is_ok(), "nothing is left that could be hit");
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_opened() {
        let child = cat();
        let identity = identify(child.pid()).unwrap();
        let recycled = ProcessIdentity { start: identity.start + 1, ..identity };
        assert!(!is_alive(&recycled));
        assert!(Handle::open(&recycled).unwrap().is_none());
    }

    #[test]
    fn pid_1_and_below_are_never_opened() {
        let start = read_stat(1).unwrap().start;
        for pid in [1, 0, -1, i32::MIN] {
            assert!(Handle::open(&ProcessIdentity { pid, start }).unwrap().is_none(), "{pid}");
        }
    }

    #[test]
    fn what_a_process_was_started_with_can_be_read() {
        let child = cat();
        assert_eq!(command_line(child.pid()).unwrap(), ["cat", "-"]);
        assert_eq!(environment_value(child.pid(), "STYXY_TEST").unwrap(), b"a=b");
        assert_eq!(environment_value(child.pid(), "STYXY_TES"), None);
        assert!(all_pids().unwrap().contains(&child.pid()));
    }

    #[test]
    fn a_title_over_the_arguments_is_one_argument() {
        for (shown, expected) in [
            (&b"nginx: master\0\0\0\0"[..], Some(vec!["nginx: master"])),
            (b"sh\0-c\0\0x\0", Some(vec!["sh", "-c", "", "x"])),
            (b"", None),
            (b"\0\0", None),
        ] {
            assert_eq!(
                split_arguments(shown),
                expected.map(|list| list.into_iter().map(str::to_owned).collect())
            );
        }
    }

    #[test]
    fn the_namespaces_are_those_that_proc_names() {
        let link = fs::read_link("/proc/self/ns/net").unwrap();
        let namespaces = namespaces_of_self().unwrap();
        assert_eq!(link.to_str().unwrap(), format!("net:[{}]", namespaces.net));
        assert_ne!(namespaces.pid, 0);
    }
}

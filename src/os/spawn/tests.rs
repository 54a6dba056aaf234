//! Real children: what they find when they begin, and what is told when they can't.

use super::*;
use crate::os::{
    forked::{Forked, alone},
    signals::Signals,
};
use nix::{
    sys::{
        signal::{SigHandler, Signal, kill, raise, signal},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::getpgid,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Seek, Write, pipe},
    net::TcpListener,
    os::{fd::AsFd, unix::fs::PermissionsExt},
};

fn texts(texts: &[&str]) -> Vec<CString> {
    texts.iter().map(|text| CString::new(*text).unwrap()).collect()
}

/// A command with the environment that it is given.
struct Command {
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Command {
    fn new(arguments: &[&str]) -> Self {
        Self { arguments: texts(arguments), environment: texts(&["PATH=/usr/bin:/bin"]) }
    }

    fn with(arguments: &[&str], environment: &[&str]) -> Self {
        Self { environment: texts(environment), ..Self::new(arguments) }
    }

    fn spawn(&self) -> Spawn<'_> {
        Spawn::new(&self.arguments[0], &self.arguments, &self.environment)
    }

    fn start(&self) -> Result<Child, SpawnError> {
        self.spawn().start()
    }
}

fn wait(child: &Child) -> WaitStatus {
    waitid(Id::PIDFd(child.pidfd.as_fd()), WaitPidFlag::WEXITED).unwrap()
}

/// Runs it to its successful end, and gives what it wrote.
fn written(spawn: Spawn<'_>) -> String {
    let mut output = tempfile::tempfile().unwrap();
    let sink = output.try_clone().unwrap();
    let child = Spawn { output: Output::File(sink.as_fd()), ..spawn }.start().unwrap();
    assert_eq!(wait(&child), WaitStatus::Exited(child.pid, 0));
    contents(&mut output)
}

fn contents(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

fn bit(signal: Signal) -> u64 {
    1 << (signal as u64 - 1)
}

/// The set in a line such as `SigBlk: 0000000000000000`, less the real-time signals: glibc itself
/// leaves the first of them ignored in what it spawns.
fn signals_of(status: &str, name: &str) -> u64 {
    let set = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(set.trim(), 16).unwrap() & 0x7fff_ffff
}

#[test]
fn arguments_environment_and_directory_are_those_given() {
    let script = r#"echo "$0 $1 $A $(pwd)""#;
    let command = Command::with(&["sh", "-c", script, "name", "a b"], &["A=1"]);
    let text = written(Spawn { directory: Some(c"/usr"), ..command.spawn() });
    assert_eq!(text, "name a b 1 /usr\n");
}

#[test]
fn what_is_missing_is_told_apart_from_what_cannot_run() {
    // Alone: a child of another test would keep a new file open for writing, so busy.
    alone(|| {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str, mode| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let path = format!("PATH={}:/usr/bin:/bin", directory.path().display());
        let start = |program: &str| Command::with(&[program], &[&path]).start();
        let (plain, bad) =
            (file("plain", "exit 0", 0o644), file("bad", "#!/nowhere/interpreter\n", 0o755));
        for program in ["plain", &plain, "bad", &bad, "/usr"] {
            let error = start(program).unwrap_err();
            assert!(matches!(error, SpawnError::NotExecutable { .. }), "{program}: {error:?}");
        }
        for program in ["no-such-program", "", "/no/such/program", "./missing"] {
            let error = start(program).unwrap_err();
            assert!(matches!(error, SpawnError::NotFound { .. }), "{program}: {error:?}");
        }
        // The search goes on after a file that may not be executed.
        file("true", "", 0o644);
        let child = start("true").unwrap();
        assert_eq!(wait(&child), WaitStatus::Exited(child.pid, 0));
    });
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell() {
    alone(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("script");
        fs::write(&path, "echo \"$1 $2\"\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let command = Command::new(&[path.to_str().unwrap(), "a", "b"]);
        assert_eq!(written(command.spawn()), "a b\n");
    });
}

#[test]
fn a_step_that_fails_is_named() {
    let command = Command::new(&["true"]);
    let nowhere = Spawn { directory: Some(c"/no/such/directory"), ..command.spawn() };
    let error = nowhere.start().unwrap_err();
    assert!(matches!(error, SpawnError::Other { step: Step::Directory, .. }), "{error:?}");
    let full = File::options().write(true).open("/dev/full").unwrap();
    let record = Some(Record { file: full.as_fd(), offset: 0 });
    let error = Spawn { record, ..command.spawn() }.start().unwrap_err();
    assert!(matches!(error, SpawnError::Other { step: Step::Record, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the command cannot be started: writing down its pid failed");
}

#[test]
fn the_child_has_written_down_who_it_is_before_it_runs() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[b'.'; 40]).unwrap();
    let record = Some(Record { file: file.as_fd(), offset: 4 });
    let stat = written(Spawn { record, ..Command::new(&["cat", "/proc/self/stat"]).spawn() });
    let mut fields = stat.split(' ');
    let (pid, start) = (fields.next().unwrap(), fields.nth(20).unwrap());
    assert_eq!(contents(&mut file), format!("....{pid:>10},{start:>20}....."));
}

#[test]
fn the_child_leads_a_group_of_its_own() {
    let child = Command::new(&["sleep", "60"]).start().unwrap();
    assert_eq!(getpgid(Some(child.pid)).unwrap(), child.pid);
    signals::send_to_group(child.pid, Signal::SIGTERM).unwrap();
    assert_eq!(wait(&child), WaitStatus::Signaled(child.pid, Signal::SIGTERM, false));
}

#[test]
fn the_child_starts_with_the_callers_mask_and_dispositions() {
    // Cargo starts tests with SIGPIPE at its default; Rust's runtime has ignored it since.
    let command = Command::new(&["cat", "/proc/self/status"]);
    let status = written(command.spawn());
    assert_eq!(signals_of(&status, "SigIgn:"), 0);
    alone(|| {
        // SAFETY: ignoring is no handler.
        unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) }.unwrap();
        let _signals = Signals::take().unwrap();
        let status = written(command.spawn());
        assert_eq!(signals_of(&status, "SigBlk:"), 0);
        assert_eq!(signals_of(&status, "SigIgn:"), bit(Signal::SIGHUP));
        assert_eq!(signals_of(&status, "SigCgt:"), 0);
    });
}

#[test]
fn our_own_mask_is_as_before() {
    alone(|| {
        let _signals = Signals::take().unwrap();
        let before = SigSet::thread_get_mask().unwrap();
        written(Command::new(&["true"]).spawn());
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
    });
}

#[test]
fn the_child_has_no_descriptor_of_ours() {
    alone(|| {
        let ours = File::open("/dev/null").unwrap();
        let passed_on = File::open("/dev/null").unwrap();
        // SAFETY: takes close-on-exec off one of our own.
        unsafe { libc::fcntl(passed_on.as_raw_fd(), libc::F_SETFD, 0) };
        let (ours, passed_on) = (ours.as_raw_fd(), passed_on.as_raw_fd());
        // A shell looks, since it opens nothing to ask whether a file is there.
        let script = format!(
            "for fd in 0 1 2 {ours} {passed_on} $(seq 3 99); do test -e /proc/$$/fd/$fd && echo $fd; done; true"
        );
        let command = Command::new(&["sh", "-c", &script]);
        let seen = |spawn| {
            let text = written(spawn);
            text.lines().map(|fd| fd.parse().unwrap()).collect::<BTreeSet<i32>>()
        };
        let inherited = seen(command.spawn());
        assert!(inherited.is_superset(&[0, 1, 2, passed_on].into()), "{inherited:?}");
        assert!(!inherited.contains(&ours), "{inherited:?}");
        let closed = seen(Spawn { others: Others::Close, ..command.spawn() });
        assert_eq!(closed, [0, 1, 2].into());
    });
}

#[test]
fn sockets_are_found_at_three_and_counted() {
    let sockets = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let names = ["c", "b", "a"];
    let mut borrowed = [0, 1, 2].map(|n: usize| Socket { fd: sockets[n].as_fd(), name: names[n] });
    borrowed.reverse();
    let inode = |socket: &Socket<'_>| {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.fd.as_raw_fd())).unwrap();
        link.to_str().unwrap().to_owned()
    };
    let script = "echo $LISTEN_FDS $((LISTEN_PID - $$)) $LISTEN_FDNAMES; \
                  for n in 3 4 5; do readlink /proc/$$/fd/$n; done; test ! -e /proc/$$/fd/6";
    let ours = ["LISTEN_PID=1", "PATH=/usr/bin:/bin", "LISTEN_FDS=9", "LISTEN_FDNAMES=x"];
    let command = Command::with(&["sh", "-c", script], &ours);
    let spawn = Spawn { sockets: &borrowed, others: Others::Close, ..command.spawn() };
    let expected: Vec<String> = borrowed.iter().map(inode).collect();
    assert_eq!(written(spawn), format!("3 0 a:b:c\n{}\n", expected.join("\n")));
}

#[test]
fn the_child_reads_and_writes_nothing_if_so_asked() {
    assert_eq!(written(Spawn { stdin: Input::Null, ..Command::new(&["cat"]).spawn() }), "");
    let script = "test /proc/self/fd/1 -ef /dev/null && test /proc/self/fd/2 -ef /dev/null";
    let command = Command::new(&["sh", "-c", script]);
    let child = Spawn { output: Output::Null, ..command.spawn() }.start().unwrap();
    assert_eq!(wait(&child), WaitStatus::Exited(child.pid, 0));
}

#[test]
fn the_child_gets_term_when_its_parent_is_killed() {
    let (output, sink) = pipe().unwrap();
    let script = "trap 'echo term; exit' TERM; sleep 60 & echo $$; wait";
    let command = Command::new(&["sh", "-c", script]);
    let parent = Forked::start_with(&[sink.as_fd()], || {
        let _signals = Signals::take().unwrap();
        Spawn { output: Output::File(sink.as_fd()), ..command.spawn() }.start().unwrap();
        raise(Signal::SIGSTOP).unwrap();
    });
    drop(sink);
    let mut lines = BufReader::new(output).lines();
    let group: i32 = lines.next().unwrap().unwrap().parse().unwrap();
    kill(parent.pid, Signal::SIGKILL).unwrap();
    waitid(Id::Pid(parent.pid), WaitPidFlag::WEXITED).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "term");
    signals::send_to_group(Pid::from_raw(group), Signal::SIGKILL).unwrap();
}

//! Namespaces for a test: what is started in one sees its own processes, network or mounts, and ends with it.

use crate::patience::{until, until_true};
use crate::processes;
use crate::running::{Ended, Running};
use crate::sandbox::{Sandbox, split};
use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;
use std::rc::Rc;

/// A place with namespaces of its own. Its first process only sleeps: it never waits for a child, as
/// that of many a container.
pub(crate) struct Space<'a> {
    sandbox: &'a Sandbox,
    pub(crate) keeper: Rc<Running>,
    /// Its first process, as it is called from outside.
    pub(crate) first: i32,
    /// What has to be entered.
    kinds: &'static [&'static str],
}

impl<'a> Space<'a> {
    /// With a PID namespace, and a `/proc` that shows it.
    pub(crate) fn of_pids(sandbox: &'a Sandbox) -> Self {
        let words = ["--pid", "--fork", "--mount-proc", "--kill-child", "--"];
        Self::new(sandbox, &words, "sleep infinity", &["--pid", "--mount"])
    }

    /// With a network of its own, in which there is nothing but the loopback device.
    pub(crate) fn of_net(sandbox: &'a Sandbox) -> Self {
        let words = ["--net", "--fork", "--kill-child", "--"];
        let first = "ip link set lo up && exec sleep infinity";
        Self::new(sandbox, &words, first, &["--net"])
    }

    /// For a container engine that needs no server: with devices, mounts and names that nobody else sees, and that
    /// end with it, whatever the engine leaves.
    pub(crate) fn of_engine(sandbox: &'a Sandbox) -> Self {
        let words = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--"];
        let first = "ip link set lo up && mount -t tmpfs none /run && \
                     mount -t tmpfs none /dev/shm && exec sleep infinity";
        Self::new(sandbox, &words, first, &["--net", "--mount", "--pid"])
    }

    fn new(
        sandbox: &'a Sandbox,
        words: &[&str],
        first: &str,
        kinds: &'static [&'static str],
    ) -> Self {
        let mut command = sandbox.command("unshare");
        command.args(words).args(["bash", "-c", first]);
        let keeper = sandbox.start_command(&format!("unshare {}", words.join(" ")), command);
        let children = format!("/proc/{0}/task/{0}/children", keeper.pid());
        let sleeps = || {
            let forbidden = "this test needs root and namespaces; the kernel said";
            assert!(keeper.is_running(), "{forbidden}: {}", keeper.story());
            let child: i32 = fs::read_to_string(&children).ok()?.trim().parse().ok()?;
            let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
            (name.trim_end() == "sleep").then_some(child)
        };
        let first = until("the first process of the namespace", sleeps, || keeper.story());
        Self { sandbox, keeper, first, kinds }
    }

    /// A command that will run in there.
    pub(crate) fn command(&self, words: &[String]) -> Command {
        let mut command = self.sandbox.command("nsenter");
        command.arg(format!("--target={}", self.first)).args(self.kinds);
        let project = format!("--chdir={}", self.sandbox.project().display());
        command.args(["--", "env", &project]).args(words);
        command
    }

    #[track_caller]
    pub(crate) fn start(&self, words: &str) -> Rc<Running> {
        let mut all = vec![env!("CARGO_BIN_EXE_styxy").to_owned()];
        all.extend(split(words));
        self.sandbox.start_command(&format!("inside: styxy {words}"), self.command(&all))
    }

    #[track_caller]
    pub(crate) fn run(&self, words: &str) -> Ended {
        self.start(words).wait()
    }

    #[track_caller]
    pub(crate) fn sh(&self, line: &str) -> Ended {
        let words = ["bash".to_owned(), "-c".to_owned(), line.to_owned()];
        self.sandbox.start_command(&format!("inside: {line}"), self.command(&words)).wait()
    }

    /// Kills processes, and waits until they are dead: the kernel takes its time for that.
    #[track_caller]
    pub(crate) fn kill(&self, pids: &[i32]) {
        let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
        let line = format!(
            "for pid in {0}; do kill -KILL $pid; done; for pid in {0}; do until \
             ! test -e /proc/$pid || grep -q '^State:.[ZX]' /proc/$pid/status; do :; done; done",
            pids.join(" ")
        );
        self.sh(&line).code(0);
    }

    /// Starts a process that gets just this pid, and sleeps; the next ones get higher pids than any other.
    #[track_caller]
    pub(crate) fn sleeper(&self, pid: i32) {
        let (next, last) = (pid - 1, "/proc/sys/kernel/ns_last_pid");
        let line = format!(
            "before=$(<{last}); echo {next} >{last}; sleep infinity >&2 & echo $!; \
             echo $((before + 100)) >{last}"
        );
        self.sh(&line).code(0).printed(&format!("{pid}\n"));
    }

    /// Whether that pid means a `sleep` that lives.
    pub(crate) fn sleeps(&self, pid: i32) -> bool {
        let line = format!("grep -E '^(Name|State):' /proc/{pid}/status");
        self.sh(&line).stdout == "Name:\tsleep\nState:\tS (sleeping)\n"
    }

    /// Ends everything in there.
    pub(crate) fn end(&self) {
        if self.keeper.is_running() {
            processes::signal(self.first, Signal::SIGKILL);
        }
        until_true("the end of the namespace", || !self.keeper.is_running());
    }
}

impl Drop for Space<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

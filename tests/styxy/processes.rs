//! Which processes belong to a sandbox, and which are alive: from `/proc`, without asking styxy.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A process, as it is shown when it should not be there.
pub(crate) struct Process {
    pub(crate) pid: i32,
    command: String,
}

impl Process {
    /// Whether its command line has that word.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.command.split(' ').any(|one| one == word || one.rsplit('/').next() == Some(word))
    }

    /// Whether it was started with that `NAME=value` in its environment.
    pub(crate) fn carries(&self, variable: &str) -> bool {
        environment(self.pid).split(|byte| *byte == 0).any(|one| one == variable.as_bytes())
    }

    /// Whether it is that command of styxy's.
    pub(crate) fn is_styxy(&self, verb: &str) -> bool {
        let mut words = self.command.split(' ');
        words.next().is_some_and(|word| word.ends_with("/styxy")) && words.next() == Some(verb)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.pid, self.command)
    }
}

/// All living processes whose environment names the folder, or that work in it. Both, since redis
/// and nginx write over their environment, and a daemon may have gone elsewhere.
pub(crate) fn of(folder: &Path) -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("/proc is mounted");
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| belongs(*pid, folder))
        .map(|pid| Process { pid, command: command_line(pid) })
        .collect()
}

fn belongs(pid: i32, folder: &Path) -> bool {
    let works_there =
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place.starts_with(folder));
    let name = folder.as_os_str().as_bytes();
    let names_it = environment(pid).windows(name.len()).any(|window| window == name);
    (works_there || names_it) && is_alive(pid)
}

/// The environment that the process was started with, if it can be read.
fn environment(pid: i32) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

/// The process's arguments, for people.
fn command_line(pid: i32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
}

/// Alive, and not a zombie that nobody has waited for yet.
pub(crate) fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] != "Z" && fields[0] != "X")
}

/// The process's parent.
pub(crate) fn parent(pid: i32) -> Option<i32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// Is the process stopped, as by Ctrl-Z?
pub(crate) fn is_stopped(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] == "T")
}

/// The fields of `/proc/PID/stat` behind the name: state, parent, group, …
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold any character, brackets too.
    let (_, behind) = text.rsplit_once(')')?;
    Some(behind.split_whitespace().map(str::to_owned).collect())
}

/// Sends a signal. A process that has just ended is no fault.
pub(crate) fn signal(pid: i32, signal: Signal) {
    assert!(pid > 1, "{pid} is nobody's to signal");
    let _ = kill(Pid::from_raw(pid), signal);
}

/// SIGKILL for everything that belongs to the folder, until nothing does.
pub(crate) fn end_all(folder: &Path) {
    for _ in 0..100 {
        let left = of(folder);
        if left.is_empty() {
            return;
        }
        for process in left {
            signal(process.pid, Signal::SIGKILL);
        }
    }
}

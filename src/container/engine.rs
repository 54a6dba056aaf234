//! Asking an engine by its own command line: one question, in a process group of its own, with a time-out.
//!
//! Never blocks but for `ask`. A command line that hangs is killed, and has not answered.

use super::sweep::{Answer, Found, Next, Question, Sweep};
use super::{
    sweep::Aim,
    whose::{self, Mark, Whose},
};
use crate::os::{
    clock, signals,
    spawn::{Child, Input, Others, Output, Spawn, SpawnError},
    wait_set::{Interest, WaitSet},
};
use nix::{
    sys::{
        signal::Signal,
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use rustix::fs::{MemfdFlags, memfd_create};
use std::{
    ffi::{CStr, CString},
    fs::File,
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::ffi::OsStringExt,
    },
    time::{Duration, Instant},
};

/// An engine goes on making a container whose command line is gone; so often it is looked whether it has.
pub const MAKING_LOOKS_MAX: u32 = 20;
/// The wait between two such looks.
pub const MAKING_PAUSE: Duration = Duration::from_millis(100);
/// Longer than any answer that makes sense.
const ANSWER_SIZE_MAX: u64 = 4 << 20;

/// Where questions are asked from.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The whole environment, as `NAME=value`.
    pub environment: &'a [CString],
    /// The directory; here, if not said.
    pub directory: Option<&'a CStr>,
}

/// One question on its way. Dropped, it is cancelled: nothing of it is left.
#[derive(Debug)]
pub struct Errand {
    child: Child,
    /// `None`: its output goes elsewhere.
    told: Option<(File, File)>,
    until: Option<Instant>,
    is_reaped: bool,
}

impl Errand {
    /// Asks.
    pub fn start(question: &Question, place: Place<'_>) -> io::Result<Self> {
        let until = Some(clock::now() + question.patience);
        Self::begin(&question.words, place, until)
    }

    /// Asks what is answered only when something happens.
    pub fn wait_for(words: &[String], place: Place<'_>) -> io::Result<Self> {
        Self::begin(words, place, None)
    }

    /// Lets the engine write into a file until there is nothing more to write.
    pub fn write_to(words: &[String], place: Place<'_>, file: BorrowedFd<'_>) -> io::Result<Self> {
        let child = spawn(words, place, Output::File(file))?;
        Ok(Self { child, told: None, until: None, is_reaped: false })
    }

    fn begin(words: &[String], place: Place<'_>, until: Option<Instant>) -> io::Result<Self> {
        let file = || memfd_create("styxy-answer", MemfdFlags::CLOEXEC).map(File::from);
        let (out, complaint) = (file()?, file()?);
        let output = Output::Apart { out: out.as_fd(), err: complaint.as_fd() };
        let child = spawn(words, place, output)?;
        Ok(Self { child, told: Some((out, complaint)), until, is_reaped: false })
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.child.pid
    }

    /// When it is given up.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Gives it up by then at the latest.
    pub fn give_up_by(&mut self, until: Instant) {
        self.until = Some(self.until.map_or(until, |earlier| earlier.min(until)));
    }

    /// The answer, once there is one.
    pub fn advance(&mut self, now: Instant) -> Option<Answer> {
        if self.status(WaitPidFlag::WNOWAIT) == Ok(WaitStatus::StillAlive) {
            if self.until.is_none_or(|until| now < until) {
                return None;
            }
            self.kill();
            return Some(Answer { code: None, out: String::new(), complaint: String::new() });
        }
        self.kill();
        let status = self.status(WaitPidFlag::empty());
        self.is_reaped = true;
        let code = match status {
            Ok(WaitStatus::Exited(_, code)) => Some(code),
            // By a signal, or its end was missed: it did not answer.
            _ => None,
        };
        let (out, complaint) = match &mut self.told {
            Some((out, complaint)) => (read(out), read(complaint)),
            None => Default::default(),
        };
        Some(Answer { code, out, complaint })
    }

    fn status(&self, more: WaitPidFlag) -> nix::Result<WaitStatus> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | more;
        waitid(Id::PIDFd(self.child.pidfd.as_fd()), flags)
    }

    /// Ends all of its group. Not if it was reaped: the number may be another's by then.
    fn kill(&self) {
        if !self.is_reaped && self.status(WaitPidFlag::WNOWAIT).is_ok() {
            // There may be nobody left in it.
            let _ = signals::send_to_group(self.child.pid, Signal::SIGKILL);
        }
    }
}

impl AsFd for Errand {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.child.pidfd.as_fd()
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            // Whom this comes too early for is reaped with the supervisor's other orphans.
            let _ = self.status(WaitPidFlag::empty());
        }
    }
}

fn spawn(words: &[String], place: Place<'_>, output: Output<'_>) -> io::Result<Child> {
    let arguments: Vec<CString> =
        words.iter().map(|word| CString::new(&word[..])).collect::<Result<_, _>>()?;
    let program = Spawn::new(&arguments[0], &arguments, place.environment);
    let (directory, stdin, others) = (place.directory, Input::Null, Others::Close);
    let spawned = Spawn { directory, stdin, output, others, ..program }.start();
    spawned.map_err(|error| match error {
        SpawnError::NotFound { .. } => io::Error::new(io::ErrorKind::NotFound, error),
        SpawnError::NotExecutable { .. } | SpawnError::Other { .. } => io::Error::other(error),
    })
}

fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    // What cannot be read was not said.
    let read = file.rewind().and_then(|()| file.take(ANSWER_SIZE_MAX).read_to_end(&mut bytes));
    read.map_or_else(|_| String::new(), |_| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the engine has not said that it has made the container. It may be making it, also when its command line
/// was killed, and nothing is listed meanwhile. A command line that gives up takes its empty file with it.
pub fn is_unmade(whose: &Whose) -> bool {
    matches!(whose.mark, Mark::Label(_)) && written_down(whose).is_none()
}

/// The container's id, once the engine has written it down, and its name, once that was found out.
pub fn written_down(whose: &Whose) -> Option<(String, Option<String>)> {
    let text = std::fs::read_to_string(&whose.cidfile).ok()?;
    let mut lines = text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
    Some((lines.next()?, lines.next()))
}

/// Writes a container's name behind its id, unless the file is a user's own: `list` asks no engine.
pub fn write_down_name(whose: &Whose, name: &str) {
    let is_new = || matches!(written_down(whose), Some((_, None)));
    if whose.owns_cidfile && !name.is_empty() && is_new() {
        let file = std::fs::OpenOptions::new().append(true).open(&whose.cidfile);
        // Without it the name is not shown, and that is all.
        let _ = file.and_then(|mut file| file.write_all(format!("\n{name}\n").as_bytes()));
    }
}

/// Whether there is a file for the container's id, whatever it says.
pub fn has_cidfile(whose: &Whose) -> bool {
    std::fs::symlink_metadata(&whose.cidfile).is_ok()
}

/// Removes the file for the container's id; a user's own one only if it is stale: it names a container of ours that
/// is gone.
pub fn remove_cidfile(whose: &Whose, is_stale: bool) {
    if whose.owns_cidfile || is_stale {
        // Where it cannot be removed, the engine says so at the next start.
        let _ = std::fs::remove_file(&whose.cidfile);
    }
}

/// Asks, and waits for the answer. For commands that supervise nobody.
pub fn ask(question: &Question, place: Place<'_>) -> Answer {
    let failed =
        |error: io::Error| Answer { code: None, out: String::new(), complaint: error.to_string() };
    let mut errand = match Errand::start(question, place) {
        Ok(errand) => errand,
        Err(error) => return failed(error),
    };
    let mut set = WaitSet::new();
    loop {
        if let Some(answer) = errand.advance(clock::now()) {
            return answer;
        }
        set.clear();
        set.add((), &errand, Interest::Readable);
        if let Err(error) = set.wait(errand.until()).map(Iterator::count) {
            return failed(error);
        }
    }
}

/// Asks the engine that is meant, wherever this is asked from.
pub fn ask_from_here(whose: &Whose, question: &Question) -> Answer {
    let environment = environment(whose);
    ask(question, Place { environment: &environment, directory: None })
}

/// One pass over containers from beginning to end, for commands that supervise nobody.
pub fn sweep(whose: &Whose, aim: Aim, directory: Option<&CStr>) -> Found {
    let environment = environment(whose);
    let place = Place { environment: &environment, directory };
    let (mut sweep, mut question) = Sweep::begin(whose, aim);
    loop {
        match sweep.step(&ask(&question, place)) {
            Next::Ask(next) => question = next,
            Next::Over(found) => return found,
        }
    }
}

/// Our own environment, but the engine that was meant then and not the one that is meant now.
fn environment(whose: &Whose) -> Vec<CString> {
    let own = std::env::vars_os().filter(|(name, _)| !name.to_str().is_some_and(whose::says_which));
    let recorded = whose.variables.iter().map(|(name, value)| (name.into(), value.into()));
    own.chain(recorded)
        .filter_map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            CString::new(name.into_vec()).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn said(script: &str, patience: Duration) -> Answer {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        let environment = [c"PATH=/usr/bin:/bin".to_owned()];
        let place = Place { environment: &environment, directory: None };
        ask(&Question { words, patience }, place)
    }

    #[test]
    fn an_answer_has_its_code_and_what_was_said_where() {
        let answer = said("echo yes; echo no >&2; exit 3", Duration::from_secs(30));
        let (out, complaint) = ("yes\n".to_owned(), "no\n".to_owned());
        assert_eq!(answer, Answer { code: Some(3), out, complaint });
    }

    #[test]
    fn one_that_hangs_has_not_answered() {
        assert_eq!(said("echo yes; sleep 600", Duration::from_millis(50)).code, None);
    }
}

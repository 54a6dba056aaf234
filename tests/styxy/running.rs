//! A command that a test has started, and what is left of one that has ended.

use crate::patience::until;
use crate::processes;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::cell::RefCell;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

/// A command that has ended, with all that it said.
#[derive(Debug)]
pub(crate) struct Ended {
    story: String,
    code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// It ended with this code.
    #[track_caller]
    pub(crate) fn code(&self, expected: i32) -> &Self {
        assert_eq!(self.code, expected, "wrong exit code\n{}", self.story);
        self
    }

    /// It ended with any code but 0.
    #[track_caller]
    pub(crate) fn failed(&self) -> &Self {
        assert_ne!(self.code, 0, "it should have failed\n{}", self.story);
        self
    }

    /// It printed exactly this.
    #[track_caller]
    pub(crate) fn printed(&self, expected: &str) -> &Self {
        assert_eq!(self.stdout, expected, "wrong output\n{}", self.story);
        self
    }

    /// Its stderr has all of these.
    #[track_caller]
    pub(crate) fn said(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.stderr.contains(text), "stderr has no `{text}`\n{}", self.story);
        }
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{}", self.story))
    }

    /// What it printed, as a port.
    #[track_caller]
    pub(crate) fn port(&self) -> u16 {
        let text = self.stdout.trim_end();
        text.parse().unwrap_or_else(|_| panic!("stdout is no port\n{}", self.story))
    }

    /// All of it, for the message of a failing test.
    pub(crate) fn story(&self) -> &str {
        &self.story
    }
}

/// What styxy says once about a server that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) line: String,
    pub(crate) port: u16,
    pub(crate) pid: i32,
}

/// A command that a test has started. It writes into files, so that nobody has to read along.
#[derive(Debug)]
pub(crate) struct Running {
    words: String,
    pid: i32,
    child: RefCell<Child>,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// Starts the command; `files` is where its output goes, with the extensions `.out` and `.err`.
    #[track_caller]
    pub(crate) fn start(words: &str, mut command: Command, files: &Path) -> Self {
        let (out, err) = (files.with_extension("out"), files.with_extension("err"));
        let file = |path: &Path| File::create(path).expect("the sandbox can be written");
        command.stdout(file(&out)).stderr(file(&err));
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {words}: {error}"));
        let pid = i32::try_from(child.id()).expect("a pid is small");
        Self { words: words.to_owned(), pid, child: RefCell::new(child), out, err }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out).unwrap_or_default()).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.err).unwrap_or_default()).into_owned()
    }

    /// The command and all its output so far.
    pub(crate) fn story(&self) -> String {
        let (out, err) = (self.stdout(), self.stderr());
        format!("$ {} (pid {})\n--- stdout\n{out}\n--- stderr\n{err}\n---", self.words, self.pid)
    }

    fn status(&self) -> Option<ExitStatus> {
        self.child.borrow_mut().try_wait().expect("our own child can be waited for")
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status().is_none()
    }

    /// Waits for its end. One that a signal ended has the code 1000 + that signal's number: styxy
    /// itself always ends by itself.
    #[track_caller]
    pub(crate) fn wait(&self) -> Ended {
        let status = until("the end of the command", || self.status(), || self.story());
        let code = status.code().or(status.signal().map(|number| 1000 + number));
        Ended {
            story: self.story(),
            code: code.expect("an end has a code or a signal"),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    /// Sends a signal, if it still runs.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.is_running() {
            processes::signal(self.pid, signal);
        }
    }

    /// Sends a signal and waits for the end.
    #[track_caller]
    pub(crate) fn end(&self, signal: Signal) -> Ended {
        self.signal(signal);
        self.wait()
    }

    /// Waits for a whole line on stderr that has all of these; fails if the command ends before.
    #[track_caller]
    pub(crate) fn says(&self, texts: &[&str]) -> String {
        self.line_of(&self.err, texts)
    }

    /// The same on stdout.
    #[track_caller]
    pub(crate) fn prints(&self, texts: &[&str]) -> String {
        self.line_of(&self.out, texts)
    }

    #[track_caller]
    fn line_of(&self, file: &Path, texts: &[&str]) -> String {
        let seek = || {
            let text = String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned();
            let whole = &text[..text.rfind('\n')?];
            let line = whole.lines().find(|line| texts.iter().all(|text| line.contains(text)))?;
            Some(line.to_owned())
        };
        let event = format!("a line with {texts:?}");
        let look = || {
            // Its end is looked at first: what it said last is there then.
            let ended = !self.is_running();
            let line = seek();
            assert!(line.is_some() || !ended, "it ended without {event}\n{}", self.story());
            line
        };
        until(&event, look, || self.story())
    }

    /// Waits for the one line that tells where a server is to be found.
    #[track_caller]
    pub(crate) fn ready(&self) -> Ready {
        let line = self.says(&["://", "pid "]);
        let url = line.split_once("://").and_then(|(_, rest)| rest.split_once(':'));
        let port = url.and_then(|(_, port)| leading_number(port));
        let pid = line.split_once("pid ").and_then(|(_, pid)| leading_number(pid));
        match (port, pid) {
            (Some(port), Some(pid)) => Ready { port, pid, line },
            _ => panic!("no address and pid in `{line}`\n{}", self.story()),
        }
    }
}

/// The number with which the text begins.
fn leading_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

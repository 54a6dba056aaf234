//! What tests of this room share: a child that talks over pipes and ends with the test, and waiting.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Asks until the answer is yes, a bounded number of times.
///
/// A descriptor that a test has closed may live on for a moment: the child of another test has a copy
/// of it between its fork and its exec.
pub(super) fn comes_true(mut ask: impl FnMut() -> bool) -> bool {
    (0..100_000).any(|_| {
        let answer = ask();
        std::thread::yield_now();
        answer
    })
}

/// A running child, killed and reaped when dropped, also by a failing test.
pub(super) struct TestProcess {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl TestProcess {
    /// Starts the command.
    pub(super) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, orders, answers }
    }

    /// Starts a command that has certainly been exec'ed when this returns: a `cat` that has answered.
    pub(super) fn cat(command: &mut Command) -> Self {
        let mut cat = Self::start(command);
        cat.tell("ready");
        assert_eq!(cat.hear(), "ready");
        cat
    }

    /// A shell that runs the script.
    pub(super) fn shell(script: &str) -> Self {
        Self::start(Command::new("sh").args(["-c", script]))
    }

    /// Kills and reaps it, and keeps its pipes open: what it started lives on.
    pub(super) fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// Writes a line to its stdin.
    pub(super) fn tell(&mut self, line: &str) {
        writeln!(self.orders, "{line}").unwrap();
    }

    /// The next line of its output. Panics when it has said its last.
    pub(super) fn hear(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.answers.read_line(&mut line).unwrap(), 0, "it ended without a word");
        line.trim_end().to_owned()
    }

    /// The next line of its output, which is a pid.
    pub(super) fn hear_pid(&mut self) -> i32 {
        self.hear().parse().unwrap()
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        self.end();
    }
}

//! One command that tells by its exit code how an instance is.
//!
//! It and all that it starts are one process group, which is gone when the check is over.

use super::Verdict;
use crate::os::{
    signals,
    spawn::{Child, Input, Others, Output, Spawn},
};
use nix::{
    sys::{
        signal::Signal,
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, BorrowedFd},
};

/// A command that is its own process group.
#[derive(Debug)]
pub(super) struct Command {
    text: String,
    child: Child,
    is_reaped: bool,
}

impl Command {
    pub(super) fn start(
        text: &str,
        environment: &[CString],
        directory: Option<&CStr>,
    ) -> io::Result<Self> {
        let arguments = [c"sh".to_owned(), c"-c".to_owned(), CString::new(text)?];
        let (stdin, output, others) = (Input::Null, Output::Null, Others::Close);
        let shell = Spawn::new(c"sh", &arguments, environment);
        let child = Spawn { directory, stdin, output, others, ..shell }.start();
        let child = child.map_err(io::Error::other)?;
        Ok(Self { text: text.to_owned(), child, is_reaped: false })
    }

    pub(super) fn advance(&mut self) -> Option<Verdict> {
        if self.status(WaitPidFlag::WNOWAIT) == Ok(WaitStatus::StillAlive) {
            return None;
        }
        // What it left behind, while its number still stands for its group.
        self.kill();
        let status = self.status(WaitPidFlag::empty());
        self.is_reaped = true;
        let text = &self.text;
        Some(match status {
            Ok(WaitStatus::Exited(_, 0)) => Verdict::Passed,
            Ok(WaitStatus::Exited(_, code)) => {
                Verdict::Failed(format!("`{text}` ended with {code}"))
            }
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                Verdict::Failed(format!("`{text}` was ended by {}", signals::name(signal)))
            }
            other => Verdict::Failed(format!("the end of `{text}` was missed: {other:?}")),
        })
    }

    fn status(&self, more: WaitPidFlag) -> nix::Result<WaitStatus> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | more;
        waitid(Id::PIDFd(self.child.pidfd.as_fd()), flags)
    }

    pub(super) fn pid(&self) -> Pid {
        self.child.pid
    }

    /// Ends all of its group. Not if it was reaped: the number may be another's by then.
    pub(super) fn kill(&self) {
        if self.status(WaitPidFlag::WNOWAIT).is_ok() {
            // There may be nobody left in it.
            let _ = signals::send_to_group(self.child.pid, Signal::SIGKILL);
        }
    }
}

impl AsFd for Command {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.child.pidfd.as_fd()
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            // Whom this comes too early for is reaped with the supervisor's other orphans.
            let _ = self.status(WaitPidFlag::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::{
        check::{AMPLE, Check, Kind, run},
        clock,
    };
    use nix::sys::stat::Mode;
    use std::{fs::File, io::Read, thread, time::Duration};

    fn failed(why: &str) -> Verdict {
        Verdict::Failed(why.to_owned())
    }

    fn exec(command: &str) -> Kind<'_> {
        Kind::Exec { command, environment: &[], directory: Some(c"/") }
    }

    #[test]
    fn a_command_is_judged_by_its_end() {
        assert_eq!(run(exec("test $(pwd) = /")), Verdict::Passed);
        assert_eq!(run(exec("exit 3")), failed("`exit 3` ended with 3"));
        assert_eq!(run(exec("kill -9 $$")), failed("`kill -9 $$` was ended by KILL"));
        let verdict = Check::run_to_end(exec("sleep 60"), Duration::from_millis(20)).unwrap();
        assert_eq!(verdict, failed("no answer within 20ms"));
    }

    #[test]
    fn nothing_is_left_of_a_command() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let script = format!("exec 3> {}; sleep 60 & wait", fifo.display());
        let began = clock::now();
        let mut check = Check::start(exec(&script)).unwrap();
        let mut held = File::open(&fifo).unwrap();
        assert_eq!(check.advance(), None);
        check.cancel();
        // The end of the file comes when the last who had it open is gone.
        assert_eq!(held.read(&mut [0; 1]).unwrap(), 0);
        // Or the next one need not wait for its reader, who would then wait for ever.
        drop(held);
        // The same of one that ended by itself and left something behind.
        let script = format!("exec 3> {}; sleep 60 &", fifo.display());
        let reader = thread::spawn(move || File::open(&fifo).unwrap().read(&mut [0; 1]).unwrap());
        assert_eq!(run(exec(&script)), Verdict::Passed);
        assert_eq!(reader.join().unwrap(), 0);
        assert!(clock::now() < began + AMPLE, "the sleepers were ended");
    }
}

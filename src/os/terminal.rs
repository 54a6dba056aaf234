//! The terminal's foreground: lent to the child, taken back, and Ctrl-Z and `fg` in between.
//!
//! A child in a group of its own that is not the foreground group could neither read nor change
//! the terminal; in our group it would get each Ctrl-C twice. So it is lent to it. Signals must
//! have been taken ([`Signals::take`](crate::os::signals::Signals::take)): with TTOU blocked, a
//! process in the background may take the foreground. When to do what is the driver's business.

use crate::os::signals::send_to_group;
use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, raise},
        termios::{SetArg, Termios, tcgetattr, tcsetattr},
    },
    unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp},
};
use rustix::stdio::stdin;
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// The terminal at standard input, and the settings to leave it with.
pub struct Terminal {
    tty: OwnedFd,
    own_group: Pid,
    settings: Termios,
    is_lent: bool,
}

impl Terminal {
    /// The terminal, if we are in its foreground. One who is not (`styxy run … &`) has nothing to
    /// lend; it may be asked for again after a CONT.
    pub fn take_if_foreground() -> Option<Self> {
        let own_group = getpgrp();
        if tcgetpgrp(stdin()) != Ok(own_group) {
            // No terminal, not our controlling one, or another group's turn.
            return None;
        }
        let settings = tcgetattr(stdin()).ok()?;
        let tty = stdin().try_clone_to_owned().ok()?;
        Some(Self { tty, own_group, settings, is_lent: false })
    }

    /// The terminal for [`Spawn::foreground`](crate::os::spawn::Spawn): the child itself makes its
    /// group the foreground group. Nothing while another job is in the foreground.
    pub fn lend(&mut self) -> Option<BorrowedFd<'_>> {
        if !self.is_ours() {
            return None;
        }
        self.is_lent = true;
        Some(self.tty.as_fd())
    }

    /// Makes ours the foreground group again, if the terminal was lent: otherwise it is somebody
    /// else's turn, and stays so.
    pub fn take_back(&mut self) -> io::Result<()> {
        if self.is_lent {
            self.is_lent = false;
            tcsetpgrp(&self.tty, self.own_group)?;
        }
        Ok(())
    }

    /// Undoes what a child that died left behind, such as switched-off echo.
    pub fn restore(&self) -> io::Result<()> {
        if self.is_ours() {
            // Not after the output has drained, which a Ctrl-S would put off for ever.
            tcsetattr(&self.tty, SetArg::TCSANOW, &self.settings)?;
        }
        Ok(())
    }

    /// The child's group was stopped by this signal: so are we, for the shell to notice. Returns
    /// when the shell has continued us, and the group has been continued as well.
    pub fn suspend_self(&mut self, group: Pid, stopped_by: Signal) -> io::Result<()> {
        self.take_back()?;
        // A Ctrl-Z that no shell would notice (`xterm -e styxy …`) is dropped by the kernel, for
        // us as for any program; SIGSTOP would leave us stopped for good.
        raise(if stopped_by == Signal::SIGSTOP { stopped_by } else { Signal::SIGTSTP })?;
        self.resume(group)
    }

    /// We were continued: with `fg` the group gets the terminal, with `bg` it goes on without.
    /// That the group has ended meanwhile is fine.
    pub fn resume(&mut self, group: Pid) -> io::Result<()> {
        let foreground = tcgetpgrp(&self.tty)?;
        if foreground == self.own_group {
            self.is_lent = tcsetpgrp(&self.tty, group).is_ok();
        } else if foreground != group {
            self.is_lent = false;
        }
        match send_to_group(group, Signal::SIGCONT) {
            Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => Ok(()),
            sent => sent,
        }
    }

    fn is_ours(&self) -> bool {
        tcgetpgrp(&self.tty) == Ok(self.own_group)
    }
}

#[cfg(test)]
mod tests {
    #![expect(unsafe_code, reason = "a test's session is given its terminal by ioctl(2)")]

    use super::*;
    use crate::os::{
        forked::Forked,
        signals::Signals,
        spawn::{Child, Spawn},
    };
    use nix::{
        libc,
        pty::openpty,
        sys::{
            signal::kill,
            termios::LocalFlags,
            wait::{Id, WaitPidFlag, WaitStatus, waitid},
        },
        unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setpgid, setsid},
    };
    use std::{
        ffi::CString,
        fs::File,
        io::{Read, Write},
        os::fd::AsRawFd,
    };

    /// What a person sees, and where they type.
    struct Screen {
        master: File,
        seen: Vec<u8>,
    }

    impl Screen {
        /// Reads on until this has been shown.
        fn wait_for(&mut self, text: &str) {
            while !self.seen.windows(text.len()).any(|part| part == text.as_bytes()) {
                let mut block = [0; 256];
                let length = self.master.read(&mut block).unwrap_or_else(|error| {
                    panic!("{text:?}: {error}: {:?}", String::from_utf8_lossy(&self.seen))
                });
                self.seen.extend_from_slice(&block[..length]);
            }
            self.seen.clear();
        }

        fn type_keys(&mut self, keys: &str) {
            self.master.write_all(keys.as_bytes()).unwrap();
        }
    }

    /// Runs the body as the leader of a session at a terminal, with the person in `person`.
    fn at_a_terminal(body: impl FnOnce(), person: impl FnOnce(&mut Screen)) {
        let pty = openpty(None, None).unwrap();
        let leader = Forked::start_with(&[pty.slave.as_fd()], || {
            setsid().unwrap();
            // SAFETY: makes the terminal that of this new session.
            let taken = unsafe { libc::ioctl(pty.slave.as_raw_fd(), libc::TIOCSCTTY, 0) };
            Errno::result(taken).unwrap();
            dup2_stdin(&pty.slave).unwrap();
            dup2_stdout(&pty.slave).unwrap();
            dup2_stderr(&pty.slave).unwrap();
            body();
        });
        drop(pty.slave);
        // Stays open until the end, which would hang up on the session otherwise.
        let mut screen = Screen { master: pty.master.into(), seen: Vec::new() };
        person(&mut screen);
        leader.join();
    }

    fn start(terminal: &mut Terminal, script: &str) -> Child {
        let arguments = ["sh", "-c", script].map(|text| CString::new(text).unwrap());
        let environment = [c"PATH=/usr/bin:/bin".to_owned()];
        let foreground = terminal.lend();
        Spawn { foreground, ..Spawn::new(c"sh", &arguments, &environment) }.start().unwrap()
    }

    fn wait(pid: Pid) -> WaitStatus {
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED).unwrap()
    }

    #[test]
    fn a_key_reaches_the_child_alone_and_the_terminal_comes_back_as_it_was() {
        let as_styxy = || {
            let signals = Signals::take().unwrap();
            let mut terminal = Terminal::take_if_foreground().unwrap();
            let script = "stty -echo; trap 'exit 3' INT; echo ready; read line";
            let child = start(&mut terminal, script);
            assert_eq!(tcgetpgrp(stdin()), Ok(child.pid));
            assert_eq!(wait(child.pid), WaitStatus::Exited(child.pid, 3));
            assert_eq!(signals.read().unwrap().unwrap().signal, Signal::SIGCHLD);
            assert_eq!(signals.read().unwrap(), None);
            let echoes = || tcgetattr(stdin()).unwrap().local_flags.contains(LocalFlags::ECHO);
            terminal.restore().unwrap();
            assert!(!echoes(), "not while it is another's");
            terminal.take_back().unwrap();
            assert_eq!(tcgetpgrp(stdin()), Ok(getpgrp()));
            terminal.restore().unwrap();
            assert!(echoes());
        };
        at_a_terminal(as_styxy, |screen| {
            screen.wait_for("ready");
            screen.type_keys("\x03");
        });
    }

    /// A shell's part: starts a job in the foreground.
    fn start_job(body: impl FnOnce()) -> Forked {
        let job = Forked::start(|| {
            setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
            let _signals = Signals::take().unwrap();
            tcsetpgrp(stdin(), getpgrp()).unwrap();
            body();
        });
        // Whoever is first, the other must not fail.
        let _ = setpgid(job.pid, job.pid);
        job
    }

    #[test]
    fn ctrl_z_stops_us_too_and_fg_and_bg_go_on() {
        let as_shell = || {
            let _signals = Signals::take().unwrap();
            let shell_group = getpgrp();
            let styxy = start_job(|| {
                let mut terminal = Terminal::take_if_foreground().unwrap();
                let script = "echo ready; read line; echo \"got $line\"; read line; exit 5";
                let child = start(&mut terminal, script);
                for _ in 0..2 {
                    let stopped = WaitStatus::Stopped(child.pid, Signal::SIGTSTP);
                    assert_eq!(wait(child.pid), stopped);
                    terminal.suspend_self(child.pid, Signal::SIGTSTP).unwrap();
                }
                // In the background it may not read.
                assert_eq!(wait(child.pid), WaitStatus::Stopped(child.pid, Signal::SIGTTIN));
                terminal.suspend_self(child.pid, Signal::SIGTTIN).unwrap();
                assert_eq!(wait(child.pid), WaitStatus::Exited(child.pid, 5));
                terminal.take_back().unwrap();
            });
            let next_stop = |say: &str, foreground: Pid| {
                assert_eq!(wait(styxy.pid), WaitStatus::Stopped(styxy.pid, Signal::SIGTSTP));
                assert_eq!(tcgetpgrp(stdin()), Ok(foreground), "{say}");
                tcsetpgrp(stdin(), shell_group).unwrap();
                print_directly(say);
            };
            let foreground = || tcsetpgrp(stdin(), styxy.pid).unwrap();
            let go_on = || kill(styxy.pid, Signal::SIGCONT).unwrap();
            next_stop("first stop", styxy.pid);
            foreground();
            go_on();
            next_stop("second stop", styxy.pid);
            go_on();
            // It had not been lent the terminal, and has not taken it.
            next_stop("third stop", shell_group);
            foreground();
            go_on();
            styxy.join();
        };
        at_a_terminal(as_shell, |screen| {
            screen.wait_for("ready");
            screen.type_keys("\x1a");
            screen.wait_for("first stop");
            screen.type_keys("hello\n");
            screen.wait_for("got hello");
            screen.type_keys("\x1a");
            screen.wait_for("third stop");
            screen.type_keys("bye\n");
        });
    }

    /// Not by `print!`, which a test's harness captures.
    fn print_directly(text: &str) {
        nix::unistd::write(rustix::stdio::stdout(), text.as_bytes()).unwrap();
    }

    #[test]
    fn a_key_that_no_shell_would_notice_does_not_stop_us() {
        let as_styxy = || {
            let _signals = Signals::take().unwrap();
            let mut terminal = Terminal::take_if_foreground().unwrap();
            let child = start(&mut terminal, "echo ready; read line; exit 6");
            assert_eq!(wait(child.pid), WaitStatus::Stopped(child.pid, Signal::SIGTSTP));
            terminal.suspend_self(child.pid, Signal::SIGTSTP).unwrap();
            print_directly("on we go");
            assert_eq!(wait(child.pid), WaitStatus::Exited(child.pid, 6));
        };
        at_a_terminal(as_styxy, |screen| {
            screen.wait_for("ready");
            screen.type_keys("\x1a");
            screen.wait_for("on we go");
            screen.type_keys("\n");
        });
    }

    #[test]
    fn in_the_background_there_is_nothing_to_lend() {
        let as_shell = || {
            Forked::start(|| {
                setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
                assert!(Terminal::take_if_foreground().is_none());
            })
            .join();
        };
        at_a_terminal(as_shell, |_| {});
    }
}

//! A person at a terminal: a real pty with bash in it, keys in, a screen out.

use crate::patience::until;
use crate::processes;
use crate::sandbox::Sandbox;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

/// What the shell shows when it waits for a command.
const PROMPT: &str = "@prompt@ ";
/// Ctrl-C, as the keyboard sends it.
pub(crate) const CTRL_C: &str = "\u{3}";
/// Ctrl-Z, as the keyboard sends it.
pub(crate) const CTRL_Z: &str = "\u{1a}";
/// A terminal of no usual size, so that a guess is not taken for it.
const SIZE: Winsize = Winsize { ws_row: 31, ws_col: 97, ws_xpixel: 0, ws_ypixel: 0 };

/// A terminal in which bash waits for commands.
pub(crate) struct Terminal {
    shell: Child,
    keyboard: File,
    /// All that was ever shown; a thread reads it, so that nothing blocks on a full terminal.
    screen: Arc<Mutex<String>>,
    /// What lies before was seen by an `expect` already.
    seen: usize,
}

impl Terminal {
    /// Opens one in the sandbox and waits for the first prompt.
    pub(crate) fn open(sandbox: &Sandbox) -> Self {
        let pty = openpty(Some(&SIZE), None).expect("the machine has ptys");
        // setsid(1) makes a session of which this terminal is the controlling one.
        let mut command = sandbox.command("setsid");
        command.args(["--ctty", "bash", "--noprofile", "--norc", "--noediting", "-i"]);
        let side = || pty.slave.try_clone().expect("descriptors are left");
        command.env("PS1", PROMPT).env("TERM", "xterm");
        command.stdin(side()).stdout(side()).stderr(side());
        let shell = command.spawn().expect("setsid and bash are installed");
        drop((command, pty.slave));
        let keyboard = File::from(pty.master);
        let mut output = keyboard.try_clone().expect("descriptors are left");
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The other side closed is an error here (EIO), and the end.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]);
                shown.lock().expect("nobody panics with it").push_str(&text);
            }
        });
        let mut terminal = Self { shell, keyboard, screen, seen: 0 };
        terminal.expect(PROMPT);
        terminal
    }

    /// Types keys, without a line's end.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Types a line.
    pub(crate) fn line(&mut self, line: &str) {
        self.keys(&format!("{line}\n"));
    }

    /// Waits for the text after what was seen before, and returns what came before it.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        let look = || {
            let screen = self.screen.lock().expect("nobody panics with it");
            let at = screen[self.seen..].find(text)?;
            Some((screen[self.seen..self.seen + at].to_owned(), self.seen + at + text.len()))
        };
        let (before, seen) = until(&format!("{text:?} on the screen"), look, || self.story());
        self.seen = seen;
        before
    }

    /// Waits until the shell asks for a command, and returns what was shown before.
    #[track_caller]
    pub(crate) fn prompt(&mut self) -> String {
        self.expect(PROMPT)
    }

    /// The exit code of the command before.
    #[track_caller]
    pub(crate) fn code(&mut self) -> i32 {
        self.line("echo code=$?=");
        // The line itself is echoed, and has no digits there.
        self.expect("code=$?=");
        self.expect("code=");
        let code = self.expect("=");
        self.prompt();
        code.parse().unwrap_or_else(|_| panic!("`{code}` is no code\n{}", self.story()))
    }

    /// Changes the window's size, as a person does with the mouse.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let terminal = format!("/proc/{}/fd/0", self.shell.id());
        let size = ["rows", &rows.to_string(), "cols", &columns.to_string()];
        let status = Command::new("stty").arg("-F").arg(terminal).args(size).status();
        assert!(status.expect("stty is installed").success());
    }

    /// Does it echo what is typed and hand it over line by line, as at a prompt?
    pub(crate) fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).expect("it is a terminal").local_flags;
        modes.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }

    /// All that was shown.
    pub(crate) fn story(&self) -> String {
        self.screen.lock().expect("nobody panics with it").clone()
    }

    /// The shell's pid.
    pub(crate) fn shell_pid(&self) -> i32 {
        i32::try_from(self.shell.id()).expect("a pid is small")
    }

    /// What closing the window does to who sits in it; waits for the shell's end.
    pub(crate) fn hang_up(mut self) {
        processes::signal(self.shell_pid(), Signal::SIGHUP);
        let look = || self.shell.try_wait().expect("our own child");
        until("the end of the shell", look, String::new);
    }

    /// Leaves the shell and waits for its end.
    pub(crate) fn close(mut self) {
        self.line("exit");
        let look = || self.shell.try_wait().expect("our own child");
        until("the end of the shell", look, || {
            self.screen.lock().expect("nobody panics with it").clone()
        });
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let (Ok(None), Ok(pid)) = (self.shell.try_wait(), i32::try_from(self.shell.id())) {
            processes::signal(pid, Signal::SIGKILL);
            let _ = self.shell.wait();
        }
    }
}

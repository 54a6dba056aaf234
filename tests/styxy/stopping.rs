//! Stops at every moment of a life: while it starts, while it stops, and when something will not end.

use crate::patience::until_true;
use crate::processes::is_alive;
use crate::pty::{CTRL_C, Terminal};
use crate::running::Running;
use crate::sandbox::{Sandbox, recorded_pids, wait_for_line};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

#[test]
fn a_stop_has_a_time_of_its_own() {
    let sandbox = Sandbox::new();
    let tree = "child record=seen deaf daemon=deaf,sleep serve";
    let (running, _) = sandbox.serve(&format!("run -t web -i a --stop-timeout 1h -- {tree}"));

    sandbox.run("stop web/a --timeout 200ms").code(0);

    wait_for_line(&sandbox.file("seen"), "TERM");
    running.wait().code(137);
    sandbox.nothing_is_left();
    sandbox.run("stop web/a --timeout 1s --kill").code(2);
}

#[test]
fn a_stop_that_takes_too_long_can_be_hurried() {
    for hurry in ["--kill", "--timeout 0"] {
        let sandbox = Sandbox::new();
        let words = "run -t web -i a --stop-timeout 1h -- child record=seen deaf serve";
        let (running, _) = sandbox.serve(words);
        let slow = sandbox.start("stop web/a");
        wait_for_line(&sandbox.file("seen"), "TERM");
        assert!(slow.is_running());

        sandbox.run(&format!("stop web/a {hurry}")).code(0);

        slow.wait().code(0);
        running.wait().code(137);
    }
}

#[test]
fn who_is_still_starting_can_be_stopped() {
    let sandbox = Sandbox::new();
    let launcher = sandbox.start("run -d -t web -i a -- child record=seen sleep");
    let pid = recorded_pids(&sandbox.file("seen"), 1)[0];
    assert!(launcher.is_running());

    sandbox.run("stop web/a").code(0);

    launcher.wait().code(143).said(&["web/a", "before it was ready"]).printed("");
    assert!(!is_alive(pid));

    let running = sandbox.start("run -t web -i a -- child record=other daemon=deaf,sleep sleep");
    recorded_pids(&sandbox.file("other"), 1);
    running.signal(Signal::SIGTERM);
    running.end(Signal::SIGTERM).failed();
    sandbox.nothing_is_left();
}

#[test]
fn all_are_stopped_at_the_same_time_also_who_is_inside_another() {
    let sandbox = Sandbox::new();
    let inner = "styxy run -t web -i inner -- child record=inner serve";
    let (outer, _) = sandbox.serve(&format!("run -t web -i outer --ready none -- {inner}"));
    sandbox.wait_until_ready("web", "inner");
    // Each waits for the other's signal before it ends: one after the other they never would.
    let tree = |own: &str, other: &str| {
        format!(
            "run -d -t web -i {own} --stop-timeout 1h -- child record={own} stay={other}.on serve"
        )
    };
    sandbox.run(&tree("a", "b")).code(0);
    sandbox.run(&tree("b", "a")).code(0);
    let stop = sandbox.start("stop --all");
    for (own, other) in [("a", "b"), ("b", "a")] {
        wait_for_line(&sandbox.file(own), "TERM");
        fs::write(sandbox.file(&format!("{own}.on")), other).unwrap();
    }

    stop.wait().code(0);

    outer.wait().failed();
    assert!(sandbox.instances().is_empty());
    sandbox.nothing_is_left();
}

#[test]
fn a_second_ctrl_c_kills_what_the_leader_left() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    terminal.line(
        "styxy run -t web -i a --stop-timeout 1h -- child daemon=record=deaf,deaf,sleep serve",
    );
    terminal.expect("pid ");
    let deaf = recorded_pids(&sandbox.file("deaf"), 1)[0];
    terminal.keys(CTRL_C);
    // The leader is gone, and the ladder has begun.
    wait_for_line(&sandbox.file("deaf"), "TERM");
    assert!(is_alive(deaf));

    terminal.keys(CTRL_C);
    terminal.prompt();

    assert_eq!(terminal.code(), 130);
    assert!(!is_alive(deaf));
    terminal.close();
}

#[test]
fn ctrl_c_is_no_reason_to_start_again() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    terminal.line("styxy run -t web -i a --restart always -- child record=seen serve");
    terminal.expect("pid ");
    terminal.keys(CTRL_C);
    terminal.prompt();
    assert_eq!(terminal.code(), 130);
    assert_eq!(recorded_pids(&sandbox.file("seen"), 1).len(), 1);

    // While it waits there is nobody but styxy.
    terminal.line("styxy run -t web -i a --no-reserve --restart always -- child exit=1");
    for _ in 0..4 {
        terminal.expect("starting it again in");
    }
    terminal.keys(CTRL_C);
    terminal.prompt();
    assert_eq!(terminal.code(), 130);
    terminal.close();
}

/// A program that becomes another user's, so that a styxy without rights cannot end it.
const ARMOURED: &str = "import os, socket, sys, time\n\
    door = socket.socket()\n\
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n\
    door.bind(('127.0.0.1', int(os.environ['PORT'])))\n\
    os.setresuid(0, 0, 0)\n\
    open('pid', 'w').write(f'{os.getpid()}\\n')\n\
    door.listen()\n\
    time.sleep(1000)\n";

/// A sandbox of a user without rights, in which a program runs that this user cannot end.
pub(crate) struct Armoured {
    pub(crate) sandbox: Sandbox,
    /// `run`, of `tiny/a`.
    pub(crate) running: Rc<Running>,
    /// The program.
    pub(crate) survivor: i32,
}

impl Armoured {
    pub(crate) fn new() -> Self {
        let root = nix::unistd::geteuid().is_root();
        assert!(
            root,
            "only root can make such a program: run this test as root, or in a container"
        );
        let sandbox = Sandbox::new();
        fs::copy("/usr/bin/python3", sandbox.file("python")).expect("our own sandbox");
        fs::set_permissions(sandbox.file("python"), fs::Permissions::from_mode(0o4755))
            .expect("our own sandbox");
        fs::write(sandbox.file("armoured.py"), ARMOURED).expect("our own sandbox");
        // The types of the sandbox, for a user who has no home here.
        let nobody = 65_534;
        let state = sandbox.folder("state");
        for path in [&state, &sandbox.project()] {
            std::os::unix::fs::chown(path, Some(nobody), Some(nobody)).expect("our own sandbox");
        }
        let run = "run -t tiny -i a --stop-timeout 100ms -- ./python -E -s armoured.py";
        let running = as_nobody(&sandbox, run);
        running.says(&["tiny/a", "pid "]);
        let text = fs::read_to_string(sandbox.file("pid")).expect("our own sandbox");
        Self { running, survivor: text.trim().parse().expect("a pid"), sandbox }
    }

    /// Starts styxy as that user.
    pub(crate) fn start(&self, words: &str) -> Rc<Running> {
        as_nobody(&self.sandbox, words)
    }
}

fn as_nobody(sandbox: &Sandbox, words: &str) -> Rc<Running> {
    let mut command = sandbox.command("setpriv");
    let rights = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
    command.args(rights).arg(env!("CARGO_BIN_EXE_styxy"));
    command.args(crate::sandbox::split(words));
    sandbox.start_command(&format!("styxy {words}, as nobody"), command)
}

#[test]
fn who_survives_kill_is_named_and_keeps_its_port() {
    let armoured = Armoured::new();
    let as_nobody = |words: &str| armoured.start(words);
    let Armoured { sandbox, running, survivor } = &armoured;
    let survivor = *survivor;

    as_nobody("stop tiny/a").wait().code(125).said(&["KILL", &format!("pid {survivor}")]);

    assert!(is_alive(survivor) && running.is_running());
    assert_eq!(sandbox.instance("tiny", "a").unwrap()["phase"], "stuck");
    // Asked again, it is told again.
    as_nobody("stop tiny/a").wait().code(125).said(&[&format!("pid {survivor}")]);
    // Who does not want to wait for it leaves it, and its port is still not given out.
    running.end(Signal::SIGTERM).code(125).said(&[&format!("pid {survivor}")]);
    let other = as_nobody("allocate -t tiny -i b").wait();
    assert_eq!(other.code(0).port(), sandbox.port(221));
    as_nobody("allocate -t tiny -i c").wait().code(69);

    crate::processes::signal(survivor, Signal::SIGKILL);
    until_true("the end of the survivor", || !is_alive(survivor));
    let next = as_nobody("run -t tiny -i a -- true").wait();
    next.code(0);
    as_nobody("release tiny/b").wait().code(0);
}

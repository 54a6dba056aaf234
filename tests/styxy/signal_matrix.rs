//! Every signal to every kind of supervisor: in the foreground without a terminal, at one, and detached.
//!
//! What an instance ends with is heard by a run that is attached to it: the same way for all three.

use crate::patience::until_true;
use crate::processes;
use crate::pty::Terminal;
use crate::running::Running;
use crate::sandbox::{Sandbox, recorded_pids, server_pid, wait_for_line};
use nix::sys::signal::Signal;
use std::rc::Rc;

/// Where a supervisor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Foreground,
    AtTerminal,
    Detached,
}

const STAGES: [Stage; 3] = [Stage::Foreground, Stage::AtTerminal, Stage::Detached];

/// An instance on its stage, and who is attached to it.
struct Scene<'a> {
    sandbox: &'a Sandbox,
    stage: Stage,
    supervisor: i32,
    child: i32,
    port: u16,
    attached: Rc<Running>,
    terminal: Option<Terminal>,
}

impl<'a> Scene<'a> {
    /// Starts `child record=seen CHILD serve` there and waits until it is ready.
    #[track_caller]
    fn start(sandbox: &'a Sandbox, stage: Stage, flags: &str, child: &str) -> Self {
        let words = format!("run -t web -i a {flags} -- child record=seen {child} serve");
        let mut terminal = None;
        match stage {
            Stage::Foreground => {
                sandbox.start(&words);
            }
            Stage::AtTerminal => {
                let mut opened = Terminal::open(sandbox);
                opened.line(&format!("styxy {words}"));
                opened.expect("pid ");
                terminal = Some(opened);
            }
            Stage::Detached => {
                sandbox.run(&words.replacen("run", "run -d", 1)).code(0);
            }
        }
        let row = sandbox.wait_until_ready("web", "a");
        let pid = |key: &str| i32::try_from(row[key].as_i64().unwrap_or(0)).unwrap_or(0);
        let attached = sandbox.start("run -t web -i a -- child serve");
        attached.says(&["attached"]);
        Self {
            sandbox,
            stage,
            supervisor: pid("supervisorPid"),
            child: recorded_pids(&sandbox.file("seen"), 1)[0],
            port: u16::try_from(row["port"].as_u64().unwrap_or(0)).unwrap_or(0),
            attached,
            terminal,
        }
    }

    fn send(&self, signal: Signal) {
        processes::signal(self.supervisor, signal);
    }

    fn sees(&self, name: &str) {
        wait_for_line(&self.sandbox.file("seen"), name);
    }

    /// It ends with this code, for everyone who sees it, and leaves nothing.
    #[track_caller]
    fn ends_with(self, code: i32) {
        self.attached.wait().code(code);
        if let Some(mut terminal) = self.terminal {
            terminal.prompt();
            assert_eq!(terminal.code(), code, "at the terminal\n{}", terminal.story());
            assert!(terminal.is_cooked());
            terminal.close();
        }
        until_true("the end of the supervisor", || !processes::is_alive(self.supervisor));
        assert!(!processes::is_alive(self.child), "{:?}", self.stage);
        assert!(self.sandbox.instances().is_empty());
        self.sandbox.nothing_is_left();
    }
}

#[test]
fn int_and_term_are_a_stop() {
    for stage in STAGES {
        for (signal, name, code) in [(Signal::SIGINT, "INT", 130), (Signal::SIGTERM, "TERM", 143)] {
            let sandbox = Sandbox::new();
            let scene = Scene::start(&sandbox, stage, "", "");
            scene.send(signal);
            scene.sees(name);
            scene.ends_with(code);
        }
    }
}

#[test]
fn a_second_one_of_them_is_a_kill() {
    for stage in STAGES {
        for (first, name, second) in [
            (Signal::SIGINT, "INT", Signal::SIGINT),
            (Signal::SIGINT, "INT", Signal::SIGTERM),
            (Signal::SIGTERM, "TERM", Signal::SIGINT),
            (Signal::SIGTERM, "TERM", Signal::SIGTERM),
        ] {
            let sandbox = Sandbox::new();
            let scene = Scene::start(&sandbox, stage, "--stop-timeout 1h", "deaf");
            scene.send(first);
            scene.sees(name);
            scene.send(second);
            scene.ends_with(137);
        }
    }
}

#[test]
fn the_others_are_passed_on_and_stop_nothing() {
    for stage in STAGES {
        let sandbox = Sandbox::new();
        let scene = Scene::start(&sandbox, stage, "", "");
        for (signal, name) in [
            (Signal::SIGHUP, "HUP"),
            (Signal::SIGUSR1, "USR1"),
            (Signal::SIGUSR2, "USR2"),
            (Signal::SIGALRM, "ALRM"),
            (Signal::SIGCONT, "CONT"),
            (Signal::SIGWINCH, "WINCH"),
        ] {
            scene.send(signal);
            scene.sees(name);
        }
        assert_eq!(server_pid(scene.port), scene.child, "{stage:?}");
        // This one too; a server ends by it, and nothing is done against that.
        scene.send(Signal::SIGQUIT);
        scene.sees("QUIT");
        scene.ends_with(131);
    }
}

#[test]
fn a_restart_policy_does_not_outlive_a_stop_that_was_asked_for() {
    for stage in STAGES {
        let sandbox = Sandbox::new();
        let scene = Scene::start(&sandbox, stage, "--restart always", "");
        scene.send(Signal::SIGTERM);
        scene.sees("TERM");
        scene.ends_with(143);
        assert_eq!(recorded_pids(&sandbox.file("seen"), 1).len(), 1, "{stage:?}");
    }
}

#[test]
fn a_supervisor_that_stood_still_goes_on_where_it_was() {
    for stage in [Stage::Foreground, Stage::Detached] {
        let sandbox = Sandbox::new();
        let scene = Scene::start(&sandbox, stage, "", "");
        scene.send(Signal::SIGSTOP);
        until_true("the supervisor to stand still", || processes::is_stopped(scene.supervisor));
        // Its server does not depend on it.
        assert_eq!(server_pid(scene.port), scene.child);
        scene.send(Signal::SIGTERM);
        scene.send(Signal::SIGCONT);
        scene.ends_with(143);
    }
}

#[test]
fn what_was_ignored_stays_ignored() {
    let sandbox = Sandbox::new();
    let run = "exec styxy run -t web -i a -- child record=seen serve";
    let mut command = sandbox.command("bash");
    command.args(["-c", &format!("trap '' HUP; {run}")]);
    let running = sandbox.start_command("bash", command);
    let ready = running.ready();
    running.signal(Signal::SIGHUP);
    running.signal(Signal::SIGUSR1);
    wait_for_line(&sandbox.file("seen"), "USR1");

    assert_eq!(server_pid(ready.port), ready.pid);
    let seen = std::fs::read_to_string(sandbox.file("seen")).unwrap();
    assert!(!seen.contains("HUP"), "{seen}");
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_terminal_that_hangs_up_leaves_nothing_but_what_is_detached() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    terminal.line("styxy run -d -t web -i d -- child serve");
    terminal.prompt();
    // It dies of HUP, as most programs do.
    terminal.line("styxy run -t web -i a --ready none -- sleep 1000");
    terminal.expect("pid ");
    let supervisor = sandbox.instance("web", "a").unwrap()["supervisorPid"].as_i64().unwrap();

    terminal.hang_up();

    let supervisor = i32::try_from(supervisor).unwrap();
    until_true("the end of the supervisor", || !processes::is_alive(supervisor));
    assert!(sandbox.instance("web", "a").is_none());
    assert_eq!(sandbox.instance("web", "d").unwrap()["phase"], "ready");
    sandbox.run("stop web/d").code(0);
    sandbox.nothing_is_left();
}

//! `styxy wait`: until an instance is ready, or over; whatever phase it is in when the wait begins.

use crate::processes;
use crate::sandbox::{Sandbox, ask, recorded_pids};
use nix::sys::signal::Signal;
use std::fs;

/// A server that listens only when `go` is there.
const SLOW: &str = "child record=seen await=go serve";

#[test]
fn one_that_is_ready_is_answered_at_once() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");

    let answer = sandbox.json("wait web/a");

    assert_eq!((&answer["port"], &answer["pid"]), (&ready.port.into(), &ready.pid.into()));
    sandbox.run(&format!("wait {} --for ready", ready.port)).code(0).said(&["web/a", "ready"]);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn one_that_starts_is_waited_for() {
    let sandbox = Sandbox::new();
    let running = sandbox.start(&format!("run -t web -i a -- {SLOW}"));
    recorded_pids(&sandbox.file("seen"), 1);
    let wait = sandbox.start("wait web/a --json");
    sandbox.run("wait web/a --timeout 300ms").code(124).said(&["web/a", "ready", "it is starting"]);
    assert!(wait.is_running());

    fs::write(sandbox.file("go"), "").unwrap();

    assert_eq!(wait.wait().code(0).json()["port"], sandbox.port(0));
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn one_that_is_not_there_yet_is_waited_for() {
    let sandbox = Sandbox::new();
    sandbox.run("wait web/a --timeout 200ms").code(124).said(&["no instance `web/a` yet"]);
    let wait = sandbox.start("wait web/a --json");
    wait.says(&["no instance `web/a` yet"]);

    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");

    assert_eq!(wait.wait().code(0).json()["pid"], ready.pid);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn one_that_is_reserved_is_waited_for_until_it_runs() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate --type web --id a").code(0);
    let wait = sandbox.start("wait web/a --json");
    wait.says(&["web/a", "reserved"]);

    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");

    assert_eq!(wait.wait().code(0).json()["pid"], ready.pid);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn one_that_ends_before_it_is_ready_is_a_failure() {
    let sandbox = Sandbox::new();
    let child = "child record=seen await=go exit=0";
    let running = sandbox.start(&format!("run -t web -i a --no-reserve -- {child}"));
    recorded_pids(&sandbox.file("seen"), 1);
    let wait = sandbox.start("wait web/a");
    // It is listened to by then.
    sandbox.run("wait web/a --timeout 200ms").code(124);

    fs::write(sandbox.file("go"), "").unwrap();

    running.wait().code(0);
    let code = wait.wait();
    // Begun after the end, it would wait for the next one.
    code.code(125).said(&["web/a", "ended with 0 before it was ready"]);
}

#[test]
fn one_that_stops_makes_room_for_the_next() {
    let sandbox = Sandbox::new();
    let run = "run -t web -i a --stop-timeout 20s -- child";
    let (first, _) = sandbox.serve(&format!("{run} stay=go serve"));
    first.signal(Signal::SIGTERM);
    sandbox.wait_for_phase("web", "a", "stopping");
    let wait = sandbox.start("wait web/a --json");
    sandbox.run("wait web/a --timeout 200ms").code(124).said(&["it is stopping"]);

    fs::write(sandbox.file("go"), "").unwrap();
    first.wait();
    let (second, ready) = sandbox.serve(&format!("{run} serve"));

    assert_eq!(wait.wait().code(0).json()["pid"], ready.pid);
    second.end(Signal::SIGTERM).code(143);
}

#[test]
fn the_end_is_waited_for_until_nothing_is_left() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    let wait = sandbox.start("wait web/a --for stopped --json");
    let late = sandbox.run("wait web/a --for stopped --timeout 200ms --json").code(124).json();
    assert_eq!((&late["error"]["code"], &late["error"]["kind"]), (&124.into(), &"timeout".into()));

    ask(ready.port, "/exit/7");

    let answer = wait.wait().code(0).json();
    assert_eq!((&answer["port"], &answer["id"]), (&ready.port.into(), &"a".into()));
    assert!(sandbox.instances().is_empty());
    running.wait().code(7);
}

#[test]
fn one_that_has_ended_is_over_at_once() {
    let sandbox = Sandbox::new();
    sandbox.run("wait web/a --for stopped").code(2).said(&["no instance `web/a`"]);
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    running.end(Signal::SIGTERM).code(143);

    let answer = sandbox.json("wait web/a --for stopped");

    assert_eq!((&answer["port"], &answer["lockId"]), (&ready.port.into(), &().into()));
}

#[test]
fn what_a_killed_supervisor_left_is_not_over() {
    let sandbox = Sandbox::new();
    let running = sandbox.start("run -t web -i a -- child deaf record=seen serve");
    running.ready();
    let wait = sandbox.start("wait web/a --for stopped");
    sandbox.run("wait web/a --for stopped --timeout 200ms").code(124);
    let left = recorded_pids(&sandbox.file("seen"), 1)[0];

    processes::signal(running.pid(), Signal::SIGKILL);

    running.wait();
    wait.says(&["a killed", "web/a"]);
    processes::signal(left, Signal::SIGKILL);
    wait.wait().code(0);
    sandbox.run("cleanup").code(0);
}

#[test]
fn a_reserved_one_is_over_with_its_process() {
    let sandbox = Sandbox::new();
    let holder = sandbox.start_command("sleep", {
        let mut sleep = sandbox.command("sleep");
        sleep.arg("600");
        sleep
    });
    sandbox.run(&format!("allocate --type web --id a --pid {}", holder.pid())).code(0);
    let wait = sandbox.start("wait web/a --for stopped");
    wait.says(&["web/a", "reserved"]);

    holder.signal(Signal::SIGKILL);

    holder.wait();
    wait.wait().code(0);
}

//! Signals to styxy, and trees that end: in order, in time, and as a whole.

use crate::patience::until_true;
use crate::processes::{self, is_alive};
use crate::sandbox::{Sandbox, ask, recorded_pids, server_pid, wait_for_line};
use nix::sys::signal::Signal;

#[test]
fn a_signal_sent_to_styxy_stops_the_whole_tree() {
    for (signal, name, code) in [(Signal::SIGTERM, "TERM", 143), (Signal::SIGINT, "INT", 130)] {
        let sandbox = Sandbox::new();
        let tree = "child record=seen fork=record=seen,sleep daemon=record=seen,sleep serve";
        let (running, _) = sandbox.serve(&format!("run -t web -i a -- {tree}"));
        let pids = recorded_pids(&sandbox.file("seen"), 3);

        running.end(signal).code(code);

        assert!(!pids.iter().any(|pid| is_alive(*pid)));
        wait_for_line(&sandbox.file("seen"), name);
        assert!(sandbox.instances().is_empty());
    }
}

#[test]
fn the_stop_signal_may_be_another_one() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --stop-signal QUIT -- child record=seen serve";
    let (running, _) = sandbox.serve(words);

    running.end(Signal::SIGTERM).code(131);

    wait_for_line(&sandbox.file("seen"), "QUIT");
}

#[test]
fn one_that_does_not_want_to_end_is_killed_when_its_time_is_over() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --stop-timeout 200ms -- child record=seen deaf serve";
    let (running, _) = sandbox.serve(words);

    running.end(Signal::SIGTERM).code(137);

    wait_for_line(&sandbox.file("seen"), "TERM");
    sandbox.nothing_is_left();
}

#[test]
fn a_second_signal_kills_at_once() {
    let sandbox = Sandbox::new();
    let tree = "child record=seen deaf daemon=deaf,sleep serve";
    let (running, _) = sandbox.serve(&format!("run -t web -i a --stop-timeout 1h -- {tree}"));
    running.signal(Signal::SIGTERM);
    wait_for_line(&sandbox.file("seen"), "TERM");

    running.end(Signal::SIGTERM).code(137);

    sandbox.nothing_is_left();
}

#[test]
fn the_leaders_end_does_not_end_the_stop() {
    let sandbox = Sandbox::new();
    // The leader ends at TERM; one of its tree takes its time, and gets it.
    let tree = "child record=leader daemon=record=slow,stay=go,sleep serve";
    let (running, ready) = sandbox.serve(&format!("run -t web -i a --stop-timeout 1h -- {tree}"));
    let slow = recorded_pids(&sandbox.file("slow"), 1)[0];
    running.signal(Signal::SIGTERM);
    until_true("the end of the leader", || !is_alive(ready.pid));
    wait_for_line(&sandbox.file("slow"), "TERM");

    assert!(running.is_running());
    assert_eq!(sandbox.instance("web", "a").unwrap()["phase"], "stopping");
    std::fs::write(sandbox.file("go"), "").unwrap();

    running.wait().code(143);
    assert!(!is_alive(slow));
}

#[test]
fn other_signals_are_passed_on() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child record=seen serve");
    for (signal, name) in [
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGUSR2, "USR2"),
        (Signal::SIGALRM, "ALRM"),
        (Signal::SIGWINCH, "WINCH"),
    ] {
        running.signal(signal);
        wait_for_line(&sandbox.file("seen"), name);
    }
    assert_eq!(server_pid(ready.port), ready.pid);
    running.signal(Signal::SIGQUIT);
    wait_for_line(&sandbox.file("seen"), "QUIT");
    running.wait().code(131);
}

#[test]
fn what_a_leader_leaves_behind_is_stopped_and_its_code_is_the_runs() {
    let sandbox = Sandbox::new();
    let tree = "child daemon=record=seen,sleep fork=record=seen,sleep serve";
    let (running, ready) = sandbox.serve(&format!("run -t web -i a -- {tree}"));
    let pids = recorded_pids(&sandbox.file("seen"), 2);

    ask(ready.port, "/exit/6");

    running.wait().code(6);
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn a_server_that_went_to_the_background_is_supervised_on() {
    for command in
        ["sh -c 'child record=seen serve & exit 0'", "child daemon=record=seen,serve exit=0"]
    {
        let sandbox = Sandbox::new();
        let running = sandbox.start(&format!("run -t web -i a -- {command}"));
        let ready = running.ready();
        let server = recorded_pids(&sandbox.file("seen"), 1)[0];

        assert_eq!(server_pid(ready.port), server);
        // The leader has ended: the listener is the one to name.
        until_true("the listener to be named", || {
            sandbox.instance("web", "a").is_some_and(|row| row["pid"] == server)
        });
        ask(ready.port, "/exit/6");
        running.wait().code(6);

        let (running, _) = sandbox.serve(&format!("run -t web -i a -- {command}"));
        let server = recorded_pids(&sandbox.file("seen"), 2)[1];
        running.end(Signal::SIGTERM).code(143);
        assert!(!is_alive(server));
    }
}

#[test]
fn a_fast_leader_with_no_server_takes_its_children_along() {
    let sandbox = Sandbox::new();
    let tree = "child daemon=deaf,sleep exit=0";
    sandbox.run(&format!("run -t web -i a --ready none --stop-timeout 100ms -- {tree}")).code(0);

    sandbox.nothing_is_left();
}

#[test]
fn a_tree_that_grows_while_it_is_stopped_is_stopped_as_a_whole() {
    let sandbox = Sandbox::new();
    // At TERM each member starts another one, in a session of its own, before it ends.
    let hydra =
        "trap \"setsid sh hydra & exit\" TERM; echo start $$ >>seen; while :; do sleep 1; done";
    std::fs::write(sandbox.file("hydra"), hydra).unwrap();
    let running = sandbox.start("run -t web -i a --stop-timeout 200ms --ready none -- sh hydra");
    recorded_pids(&sandbox.file("seen"), 1);

    running.end(Signal::SIGTERM);

    sandbox.nothing_is_left();
    assert!(sandbox.instances().is_empty());
}

#[test]
fn a_stopped_child_is_ended_too() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --stop-timeout 500ms -- child serve";
    let (running, ready) = sandbox.serve(words);
    processes::signal(ready.pid, Signal::SIGSTOP);
    until_true("the child to stand still", || processes::is_stopped(ready.pid));

    running.end(Signal::SIGTERM).failed();

    sandbox.nothing_is_left();
}

#[test]
fn an_idle_supervisor_does_not_wake_up() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    let switches = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
        let of = |name: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        of("voluntary_ctxt_switches") + of("nonvoluntary_ctxt_switches")
    };
    // A second is measured by another process, which sleeps; nothing else happens meanwhile.
    let second = || sandbox.sh("sleep 1");
    second();
    let before = switches();
    second();

    assert_eq!(switches(), before);
    assert_eq!(server_pid(ready.port), ready.pid);
    running.end(Signal::SIGTERM).code(143);
}

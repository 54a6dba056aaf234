//! A second run of an instance that is alive stays with it: to the same end, or until it leaves.

use crate::patience::until_true;
use crate::sandbox::{Sandbox, ask, recorded_pids, server_pid};
use nix::sys::signal::Signal;

#[test]
fn a_second_run_attaches_and_ends_with_the_same_code() {
    for instance in ["-t solo -i rag", "-t lamp -i rag", "-t web -i rag"] {
        let sandbox = Sandbox::new();
        let words = format!("run {instance} -- child record=seen serve");
        let (first, ready) = sandbox.serve(&words);

        let second = sandbox.start(&words);
        second.says(&["/rag", &ready.port.to_string()]);
        ask(ready.port, "/exit/7");

        first.wait().code(7);
        second.wait().code(7);
        assert_eq!(recorded_pids(&sandbox.file("seen"), 1), [ready.pid]);
    }
}

#[test]
fn an_attached_run_ends_as_the_instance_that_is_stopped() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve("run -t solo -i rag -- child serve");
    let second = sandbox.start("run -t solo -i rag -- child serve");
    second.says(&[&ready.port.to_string()]);

    sandbox.run("stop solo/rag").code(0);

    first.wait().code(143);
    second.wait().code(143);
}

#[test]
fn one_that_leaves_leaves_the_instance_running() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve("run -t solo -i rag -- child record=seen serve");
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let second = sandbox.start("run -t solo -i rag -- child record=seen serve");
        second.says(&[&ready.port.to_string()]);

        second.end(signal).code(code);

        assert_eq!(server_pid(ready.port), ready.pid);
    }
    assert!(first.is_running());
    first.end(Signal::SIGTERM).code(143);
}

#[test]
fn one_that_comes_early_waits_until_the_instance_is_ready() {
    let sandbox = Sandbox::new();
    let first = sandbox.start("run -t solo -i rag -- child record=seen await=go serve");
    recorded_pids(&sandbox.file("seen"), 1);
    let second = sandbox.start("run -t solo -i rag --if-running reuse --json -- child serve");
    let third = sandbox.start("run -t solo -i rag -- child serve");

    // Nobody is told of a server that does not answer yet.
    assert!(second.is_running() && third.is_running());
    assert_eq!(second.stdout(), "");
    std::fs::write(sandbox.file("go"), "").unwrap();

    let ready = first.ready();
    let reused = second.wait();
    assert_eq!(reused.code(0).json()["port"], ready.port);
    third.says(&[&ready.port.to_string()]);
    ask(ready.port, "/exit/0");
    first.wait().code(0);
    third.wait().code(0);
}

#[test]
fn the_attached_learn_when_the_supervisor_was_killed() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve("run -t solo -i rag -- child serve");
    let attached: Vec<_> =
        (0..3).map(|_| sandbox.start("run -t solo -i rag -- child serve")).collect();
    for second in &attached {
        second.says(&[&ready.port.to_string()]);
    }

    first.end(Signal::SIGKILL).code(1009);

    for second in &attached {
        second.wait().code(125).said(&["solo/rag"]);
    }
    // The first to notice has cleared up after it.
    sandbox.nothing_is_left();
    assert!(sandbox.instances().is_empty());
}

#[test]
fn attaching_says_what_differs() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve("run -t solo -i rag -- child serve");

    let second = sandbox.start("run -t solo -i rag -- child record=other serve");
    second.says(&[&ready.port.to_string()]);
    until_true("a word about the other command", || second.stderr().contains("record=other"));

    second.end(Signal::SIGTERM).code(143);
    assert!(!sandbox.file("other").exists());
    first.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_second_run_elsewhere_attaches_to_a_single_instance() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve("run -t solo -i rag -- child serve");

    let elsewhere = sandbox.folder("elsewhere");
    let second = sandbox.start_in(&elsewhere, "run -t solo -i rag -- child serve");
    second.says(&[&ready.port.to_string()]);

    ask(ready.port, "/exit/5");
    first.wait().code(5);
    second.wait().code(5);
}

#[test]
fn a_detached_second_run_is_a_reuse() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve("run -t solo -i rag -- child serve");

    let second = sandbox.run("run -d -t solo -i rag --json -- child serve");

    let answer = second.code(0).json();
    assert_eq!((&answer["port"], &answer["existing"]), (&ready.port.into(), &true.into()));
    first.end(Signal::SIGTERM).code(143);
}

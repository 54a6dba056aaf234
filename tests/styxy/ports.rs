//! Which port an instance gets, and what stands in the way: strangers, thieves, programs that need
//! a port for themselves.

use crate::sandbox::{Sandbox, recorded_pids, server_pid};
use nix::sys::signal::Signal;
use std::net::TcpListener;

/// The port that a run of the type and id gets.
#[track_caller]
fn port_of(sandbox: &Sandbox, words: &str) -> u16 {
    sandbox.run(&format!("run {words} -- echo {{port}}")).code(0).port()
}

/// A stranger: this test's own process listens there.
fn stranger(address: &str, port: u16) -> TcpListener {
    TcpListener::bind((address, port)).expect("the port is free")
}

#[test]
fn the_lowest_free_port_is_given_and_kept() {
    let sandbox = Sandbox::new();
    let (a, ready) = sandbox.serve("run -t web -i a -- child serve");
    assert_eq!(ready.port, sandbox.port(0));
    assert_eq!(port_of(&sandbox, "-t web -i b"), sandbox.port(1));
    a.end(Signal::SIGTERM).code(143);

    // A service keeps its port, and a new one takes none that another remembers.
    assert_eq!(port_of(&sandbox, "-t web -i c"), sandbox.port(2));
    assert_eq!(port_of(&sandbox, "-t web -i b"), sandbox.port(1));
    assert_eq!(port_of(&sandbox, "-t web -i a"), sandbox.port(0));
}

#[test]
fn the_longest_forgotten_port_is_given_when_all_are_remembered() {
    let sandbox = Sandbox::new();
    assert_eq!(port_of(&sandbox, "-t tiny -i a"), sandbox.port(220));
    assert_eq!(port_of(&sandbox, "-t tiny -i b"), sandbox.port(221));
    assert_eq!(port_of(&sandbox, "-t tiny -i a"), sandbox.port(220));

    assert_eq!(port_of(&sandbox, "-t tiny -i c"), sandbox.port(221));
}

#[test]
fn a_port_that_was_busy_a_moment_ago_is_kept_across_a_restart() {
    let sandbox = Sandbox::new();
    for _ in 0..3 {
        let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
        assert_eq!(ready.port, sandbox.port(0));
        // The server closes first: its side of the connection stays in TIME_WAIT.
        server_pid(ready.port);
        running.end(Signal::SIGTERM).code(143);
    }
}

#[test]
fn a_port_that_was_asked_for_is_given_or_refused() {
    let sandbox = Sandbox::new();
    let outside = sandbox.free_port();
    assert_eq!(port_of(&sandbox, &format!("-t web -i a --port {outside}")), outside);

    let (held, _) = sandbox.serve(&format!("run -t web -i b --port {outside} -- child serve"));
    let refused = sandbox.run(&format!("run -t web -i c --port {outside} -- touch started"));
    refused.code(69).said(&[&outside.to_string(), "web/b"]);
    assert!(!sandbox.file("started").exists());
    held.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_port_that_is_preferred_is_given_when_it_is_free() {
    let sandbox = Sandbox::new();
    let wish = sandbox.port(50);
    assert_eq!(port_of(&sandbox, &format!("-t web -i a --prefer {wish}")), wish);

    let _stranger = stranger("127.0.0.1", wish);
    assert_eq!(port_of(&sandbox, &format!("-t web -i b --prefer {wish}")), sandbox.port(0));
}

#[test]
fn the_types_preferred_ports_come_before_its_lowest() {
    let sandbox = Sandbox::with_config(|ports| {
        let (range, wish) = (ports.range(0, 99), ports.port(30));
        format!("[service_types.web]\nrange = {range}\npreferred_ports = [{wish}]\n")
    });

    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    assert_eq!(ready.port, sandbox.port(30));
    assert_eq!(port_of(&sandbox, "-t web -i b"), sandbox.port(0));
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_port_in_use_by_a_stranger_is_passed_over() {
    for address in ["127.0.0.1", "0.0.0.0", "127.0.0.2", "::1", "::"] {
        let sandbox = Sandbox::new();
        let _stranger = stranger(address, sandbox.port(0));

        assert_eq!(port_of(&sandbox, "-t web -i a"), sandbox.port(1), "{address}");
    }
}

#[test]
fn a_stranger_on_a_port_that_was_asked_for_is_named_with_its_pid() {
    for address in ["127.0.0.1", "::1"] {
        let sandbox = Sandbox::new();
        let port = sandbox.free_port();
        let _stranger = stranger(address, port);

        let refused = sandbox.run(&format!("run -t web -i a --port {port} -- touch started"));

        let pid = std::process::id().to_string();
        refused.code(69).said(&[&port.to_string(), &pid]);
        assert!(!sandbox.file("started").exists());
        assert!(sandbox.instances().is_empty());
    }
}

#[test]
fn a_full_range_is_an_error_that_lists_who_holds_what() {
    let sandbox = Sandbox::new();
    let (a, _) = sandbox.serve("run -t tiny -i a -- child serve");
    let _stranger = stranger("127.0.0.1", sandbox.port(221));

    let refused = sandbox.run("run -t tiny -i b -- touch started");

    let (first, last) = (sandbox.port(220).to_string(), sandbox.port(221).to_string());
    let pid = std::process::id().to_string();
    refused.code(69).said(&["tiny", "tiny/a", &first, &last, &pid]);
    assert!(!sandbox.file("started").exists());
    a.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_leased_port_is_nobody_elses_even_before_it_is_served() {
    let sandbox = Sandbox::new();
    let waiting = "run -t web -i a --ready none -- child record=seen await=go serve";
    let running = sandbox.start(waiting);
    recorded_pids(&sandbox.file("seen"), 1);

    // Not another registry's, and not a program's that asks the kernel politely.
    let mut elsewhere = sandbox.styxy("run -t web -i a -- echo {port}");
    elsewhere.env("STYXY_STATE_DIR", sandbox.folder("other-state"));
    let other = sandbox.start_command("another registry", elsewhere).wait();
    assert_eq!(other.code(0).port(), sandbox.port(1));
    let polite = format!("import socket; socket.socket().bind(('127.0.0.1', {}))", sandbox.port(0));
    sandbox.sh(&format!("/usr/bin/python3 -c \"{polite}\"")).code(1).said(&["in use"]);

    std::fs::write(sandbox.file("go"), "").unwrap();
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_server_that_wants_its_port_for_itself_is_started_once_more() {
    let sandbox = Sandbox::rested();
    let server = "child record=seen serve-plain";
    let (running, ready) = sandbox.serve(&format!("run -t web -i a -- {server}"));
    // It is not asked anything: a connection that it closes would keep its port from it for a minute.
    let started = recorded_pids(&sandbox.file("seen"), 2);
    assert_eq!((started.len(), started[1]), (2, ready.pid));
    running.end(Signal::SIGTERM).code(143);

    // What the retry showed is remembered: from now on once is enough.
    std::fs::remove_file(sandbox.file("seen")).unwrap();
    let (running, again) = sandbox.serve(&format!("run -t web -i a -- {server}"));
    assert_eq!(again.port, ready.port);
    assert_eq!(recorded_pids(&sandbox.file("seen"), 1).len(), 1);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn with_no_reserve_it_is_started_just_once() {
    let sandbox = Sandbox::rested();
    let words = "run -t web -i a --no-reserve -- child record=seen serve-plain";
    let (running, _) = sandbox.serve(words);

    assert_eq!(recorded_pids(&sandbox.file("seen"), 1).len(), 1);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_command_that_just_fails_is_not_started_again_and_again() {
    let sandbox = Sandbox::new();
    for starts in [2, 3] {
        // Once over the reservation, once without; the second run knows that it does not help.
        sandbox.run("run -t web -i a -- child record=seen exit=9").code(9);
        assert_eq!(recorded_pids(&sandbox.file("seen"), starts).len(), starts);
    }
    sandbox.run("run -t web -i b --ready none -- child record=other exit=9").code(9);
    assert_eq!(recorded_pids(&sandbox.file("other"), 1).len(), 1);
}

#[test]
fn a_stolen_port_is_given_up_for_the_next_one() {
    let sandbox = Sandbox::new();
    let running = sandbox.start("run -t web -i a -- child record=seen await=go serve");
    recorded_pids(&sandbox.file("seen"), 1);
    // A listener with SO_REUSEADDR gets past the reservation, as the server itself would.
    let _thief = stranger("127.0.0.1", sandbox.port(0));
    std::fs::write(sandbox.file("go"), "").unwrap();

    running.says(&[&sandbox.port(0).to_string(), &std::process::id().to_string()]);
    let ready = running.ready();
    assert_eq!(ready.port, sandbox.port(1));
    assert_eq!(server_pid(ready.port), ready.pid);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_stolen_port_that_was_asked_for_is_an_error() {
    let sandbox = Sandbox::new();
    let port = sandbox.free_port();
    let running = sandbox
        .start(&format!("run -t web -i a --port {port} -- child record=seen await=go serve"));
    recorded_pids(&sandbox.file("seen"), 1);
    let _thief = stranger("127.0.0.1", port);
    std::fs::write(sandbox.file("go"), "").unwrap();

    running.wait().code(69).said(&[&port.to_string(), &std::process::id().to_string()]);
    assert!(sandbox.instances().is_empty());
}

#[test]
fn an_unknown_type_gets_a_range_of_its_own_behind_a_gap() {
    let sandbox = Sandbox::with_config(|ports| {
        let (web, first, last) = (ports.range(0, 9), ports.port(0), ports.port(239));
        format!(
            "[service_types.web]\nrange = {web}\n\n\
             [auto_allocation]\nmin_port = {first}\nmax_port = {last}\n"
        )
    });
    let made = sandbox.run("allocate --type grafana --id main --json");
    let (first, last) = (sandbox.port(20), sandbox.port(29));

    made.code(0)
        .said(&[&format!("Auto-allocated range {first}-{last} for new service type 'grafana'")]);
    let answer = made.json();
    assert_eq!(answer["autoAllocated"], true);
    assert_eq!(answer["newRange"], serde_json::json!([first, last]));
    assert_eq!(answer["port"], first);
    let next = sandbox.run("allocate --type grafana --id other --json").code(0).json();
    assert_eq!((&next["autoAllocated"], &next["newRange"]), (&false.into(), &().into()));
    assert_eq!(next["port"], first + 1);
    assert_eq!(port_of(&sandbox, "-t jaeger -i dev"), sandbox.port(40));
}

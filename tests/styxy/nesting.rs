//! styxy inside styxy, and `run` where `allocate` was before.

use crate::processes;
use crate::sandbox::{Sandbox, server_pid};
use nix::sys::signal::Signal;
use std::net::TcpListener;

#[test]
fn a_run_inside_its_own_instance_gives_way_to_its_command() {
    for inner in ["run", "run -t web -i a", "run -i a"] {
        let sandbox = Sandbox::new();
        let words = format!("run -t web -i a -- styxy {inner} -- child serve={{port}}");
        let (outer, ready) = sandbox.serve(&words);

        assert_eq!(ready.port, sandbox.port(0));
        assert_eq!(server_pid(ready.port), ready.pid);
        // The inner one is no more: the server took its place.
        assert_eq!(processes::parent(ready.pid), Some(outer.pid()));
        assert_eq!(sandbox.instances().len(), 1);
        outer.end(Signal::SIGTERM).code(143);
    }
}

#[test]
fn a_run_inside_a_script_of_its_own_instance_gives_way_too() {
    let sandbox = Sandbox::new();
    let inner = "styxy run -t web -i a -- child serve; exit 9";
    let (outer, ready) = sandbox.serve(&format!("run -t web -i a -- sh -c '{inner}'"));

    assert_eq!(ready.port, sandbox.port(0));
    crate::sandbox::ask(ready.port, "/exit/1");
    outer.wait().code(9);
}

#[test]
fn a_run_of_another_name_inside_an_instance_is_an_instance_of_its_own() {
    let sandbox = Sandbox::new();
    let inner = "styxy run -t web -i b -- child serve & exec child serve";
    let outer = sandbox.start(&format!("run -t web -i a -- bash -c '{inner}'"));
    let one = sandbox.wait_until_ready("web", "a");
    let two = sandbox.wait_until_ready("web", "b");

    assert_ne!(one["port"], two["port"]);
    // The outer end takes the inner one along, and the inner stops its own.
    outer.end(Signal::SIGTERM).code(143);
    sandbox.nothing_is_left();
    assert!(sandbox.instances().is_empty());
}

#[test]
fn the_variable_alone_makes_nobody_an_inner_run() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve("run -t web -i a -- child serve");
    let lock_id = sandbox.instance("web", "a").unwrap()["lockId"].as_str().unwrap().to_owned();

    let mut stranger = sandbox.styxy("run -t web -i a --if-running fail -- touch started");
    stranger.env("STYXY_LOCK_ID", lock_id);
    sandbox.start_command("a stranger with the variable", stranger).wait().code(75);

    assert!(!sandbox.file("started").exists());
    assert_eq!(server_pid(ready.port), ready.pid);
    first.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_run_takes_over_the_lease_that_was_allocated() {
    let sandbox = Sandbox::new();
    let reserved = sandbox.json("allocate --type web --id a --ttl 10m");
    assert_eq!(sandbox.instance("web", "a").unwrap()["phase"], "reserved");

    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");

    assert_eq!(reserved["port"], ready.port);
    assert_eq!(sandbox.instance("web", "a").unwrap()["lockId"], reserved["lockId"]);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_lease_of_a_living_process_is_not_taken_over_by_a_stranger() {
    let sandbox = Sandbox::new();
    let pid = std::process::id();
    sandbox.run(&format!("allocate --type web --id a --pid {pid}")).code(0);

    // This test process is an ancestor of what it starts, so a stranger's pid is needed.
    let holder = sandbox.start_command("sleep", {
        let mut command = sandbox.command("sleep");
        command.arg("infinity");
        command
    });
    sandbox.run(&format!("allocate --type web --id b --pid {}", holder.pid())).code(0);
    let refused = sandbox.run("run -t web -i b -- touch started");
    refused.code(75).said(&[&format!("reserved by pid {}", holder.pid()), "styxy release web-b-"]);
    assert!(!sandbox.file("started").exists());
    sandbox.run("run -t web -i a -- true").code(0);

    // It is alive as long as that process is, and not a moment longer.
    holder.end(Signal::SIGKILL);
    assert!(sandbox.instance("web", "b").is_none());
    sandbox.run("run -t web -i b -- true").code(0);
}

#[test]
fn a_run_attaches_to_a_reserved_port_that_is_served() {
    let sandbox = Sandbox::new();
    let port = sandbox.run("allocate --type web --id a").code(0).port();
    let server = sandbox.start_command("a server that styxy did not start", {
        let mut command = sandbox.command("child");
        command.arg(format!("serve={port}"));
        command
    });
    crate::patience::until_true("the server to listen", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });

    sandbox.run("run -t web -i a --if-running replace -- touch started").code(75);
    let attached = sandbox.start("run -t web -i a -- touch started");
    attached.says(&[&port.to_string()]);
    crate::sandbox::ask(port, "/exit/4");

    // styxy did not start it, so it cannot know its code.
    server.wait().code(4);
    attached.wait().code(0);
    assert!(!sandbox.file("started").exists());
}

#[test]
fn a_reserved_port_that_is_served_stays_taken() {
    let sandbox = Sandbox::new();
    let port = sandbox.run("allocate --type web --id a --ttl 1ms").code(0).port();
    {
        let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert_ne!(sandbox.run("allocate --type web --id b").code(0).port(), port);
        assert!(sandbox.instance("web", "a").is_some());
    }
}

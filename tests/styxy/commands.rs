//! Commands that change something: `allocate`, `release`, `stop`, `cleanup`.

use crate::patience::until_true;
use crate::processes::is_alive;
use crate::sandbox::{Sandbox, recorded_pids, server_pid, wait_for_line};
use nix::sys::signal::Signal;

#[test]
fn allocate_prints_the_port_alone() {
    let sandbox = Sandbox::new();
    let port = sandbox.port(0);
    sandbox
        .sh("PORT=$(styxy allocate --type web --id a) && echo got $PORT")
        .code(0)
        .printed(&format!("got {port}\n"));
}

#[test]
fn allocate_again_is_the_same_lease() {
    let sandbox = Sandbox::new();
    let first = sandbox.json("allocate --type web --id a");
    let again = sandbox.json("allocate --type web --id a");

    assert_eq!(again["port"], first["port"]);
    assert_eq!(again["lockId"], first["lockId"]);
    assert_eq!((&first["existing"], &again["existing"]), (&false.into(), &true.into()));
    assert_eq!(sandbox.instances().len(), 1);
}

#[test]
fn allocate_of_what_runs_reuses_it() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t solo -i rag -- child serve");

    let ended = sandbox.run("allocate --type solo --id rag");

    let (port, pid) = (ready.port, ready.pid);
    ended.code(0).printed(&format!("{port}\n"));
    ended.said(&[&format!("solo/rag already runs on port {port} (pid {pid}), reusing")]);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn the_seeds_spelling_of_the_flags_is_understood() {
    let sandbox = Sandbox::new();
    let port = sandbox.port(0);
    sandbox
        .run("allocate --service-type web --instance-id a")
        .code(0)
        .printed(&format!("{port}\n"));
    sandbox
        .run("run --service-type web --instance-id a -- echo {port}")
        .code(0)
        .printed(&format!("{port}\n"));
}

#[test]
fn a_dry_allocation_writes_nothing() {
    let sandbox = Sandbox::new();
    let dry = sandbox.run("allocate --type web --id a --dry-run").code(0).port();

    assert_eq!(dry, sandbox.port(0));
    assert!(!sandbox.state().join("state.json").exists());
}

#[test]
fn release_gives_a_reserved_port_back() {
    let sandbox = Sandbox::new();
    for by in ["name", "lockId", "port"] {
        let lease = sandbox.json("allocate --type web --id a");
        let reference = match by {
            "name" => "web/a".to_owned(),
            "lockId" => lease["lockId"].as_str().unwrap().to_owned(),
            _ => lease["port"].to_string(),
        };
        sandbox.run(&format!("release {reference}")).code(0);
        assert!(sandbox.instances().is_empty(), "by {by}");
    }
}

#[test]
fn release_of_what_is_supervised_is_refused_and_names_stop() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");

    sandbox.run("release web/a").code(75).said(&["styxy stop"]);

    assert_eq!(server_pid(ready.port), ready.pid);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn release_of_what_is_served_wants_force() {
    let sandbox = Sandbox::new();
    let port = sandbox.run("allocate --type web --id a").code(0).port();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();

    sandbox.run("release web/a").failed().said(&["--force"]);
    assert_eq!(sandbox.instances().len(), 1);
    sandbox.run("release web/a --force").code(0);
    assert!(sandbox.instances().is_empty());
    drop(listener);

    sandbox.run(&format!("allocate --type web --id b --pid {}", std::process::id())).code(0);
    sandbox.run("release web/b").failed().said(&["--force"]);
    sandbox.run("release web/b --force").code(0);
}

#[test]
fn stop_returns_when_the_whole_tree_is_gone() {
    let sandbox = Sandbox::new();
    let tree = "child record=seen daemon=record=seen,deaf,sleep serve";
    let words = format!("run -t web -i a --stop-timeout 200ms -- {tree}");
    let (running, _) = sandbox.serve(&words);
    let pids = recorded_pids(&sandbox.file("seen"), 2);

    sandbox.run("stop web/a").code(0);

    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    assert!(sandbox.instances().is_empty());
    running.wait().code(143);
}

#[test]
fn stop_all_leaves_nobody_and_no_standby_jumps_in() {
    let sandbox = Sandbox::new();
    let (one, _) = sandbox.serve("run -t web -i a -- child serve");
    let (two, _) = sandbox.serve("run -t solo -i rag -- child record=seen serve");
    let standby = sandbox.start("run -t solo -i rag --if-running wait -- child record=seen serve");
    standby.says(&["solo/rag"]);

    sandbox.run("stop --all").code(0);

    assert!(sandbox.instances().is_empty());
    one.wait().code(143);
    two.wait().code(143);
    standby.wait().failed();
    assert_eq!(recorded_pids(&sandbox.file("seen"), 1).len(), 1);
}

fn has_socket(pid: i32) -> bool {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut targets = descriptors.filter_map(|descriptor| descriptor.path().read_link().ok());
    targets.any(|target| target.to_string_lossy().starts_with("socket:"))
}

#[test]
fn a_second_stop_waits_for_the_same_end() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --stop-timeout 60s -- child record=seen stay=go serve";
    let (running, _) = sandbox.serve(words);
    let stops: Vec<_> = (0..3).map(|_| sandbox.start("stop web/a")).collect();
    wait_for_line(&sandbox.file("seen"), "TERM");
    // Who asks its supervisor has found the instance.
    until_true("each stop's question", || stops.iter().all(|stop| has_socket(stop.pid())));
    assert!(stops.iter().all(|stop| stop.is_running()));

    std::fs::write(sandbox.file("go"), "").unwrap();

    for stop in &stops {
        stop.wait().code(0);
    }
    running.wait().code(143);
}

#[test]
fn a_run_during_a_stop_waits_for_its_end_and_starts() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --stop-timeout 60s -- child record=seen stay=go serve";
    let (running, old) = sandbox.serve(words);
    running.signal(Signal::SIGTERM);
    wait_for_line(&sandbox.file("seen"), "TERM");
    sandbox.wait_for_phase("web", "a", "stopping");

    let next = sandbox.start("run -t web -i a -- child record=next serve");
    next.says(&["web/a"]);
    assert!(!sandbox.file("next").exists());
    std::fs::write(sandbox.file("go"), "").unwrap();

    running.wait().code(143);
    let new = next.ready();
    assert_eq!(new.port, old.port);
    assert_ne!(new.pid, old.pid);
    next.end(Signal::SIGTERM).code(143);
}

#[test]
fn cleanup_touches_nothing_that_lives() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    sandbox.run("allocate --type web --id b").code(0);

    sandbox.run("gc").code(0);

    assert_eq!(server_pid(ready.port), ready.pid);
    assert_eq!(sandbox.instances().len(), 2);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_reserved_lease_ends_with_its_process() {
    let sandbox = Sandbox::new();
    let holder = sandbox.start_command("sleep", {
        let mut command = sandbox.command("sleep");
        command.arg("infinity");
        command
    });
    let words = format!("allocate --type tiny --pid {} --id", holder.pid());
    for id in ["a", "b"] {
        sandbox.run(&format!("{words} {id}")).code(0);
    }
    sandbox.run("allocate --type tiny --id c").code(69).said(&["tiny/a", "tiny/b"]);

    holder.end(Signal::SIGKILL);

    until_true("the leases to be gone", || sandbox.instances().is_empty());
    sandbox.run("allocate --type tiny --id c").code(0);
}

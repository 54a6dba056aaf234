//! SIGKILL of anyone at any time: the next command leaves nothing behind and gives the same port.

use crate::patience::until_true;
use crate::processes::{self, is_alive};
use crate::sandbox::{Sandbox, recorded_pids, server_pid};
use nix::sys::signal::Signal;
use std::fs;
use std::path::PathBuf;

/// A server whose tree does not want to end: an ordinary child and one in a session of its own,
/// both deaf to everything but KILL, and so is the server.
const STUBBORN: &str = "child record=seen deaf fork=record=seen,deaf,sleep \
                        daemon=record=seen,deaf,sleep serve";
/// So many processes of it write down their start.
const STUBBORN_COUNT: usize = 3;

/// Starts the stubborn tree as `web/a` and returns its supervisor, port and pids.
fn stubborn(sandbox: &Sandbox) -> (i32, u16, Vec<i32>) {
    let words = format!("run -t web -i a --stop-timeout 200ms -- {STUBBORN}");
    let (running, ready) = sandbox.serve(&words);
    (running.pid(), ready.port, recorded_pids(&sandbox.file("seen"), STUBBORN_COUNT))
}

/// Kills a process, and waits until it is dead: the kernel takes its time for that.
fn kill(pid: i32) {
    processes::signal(pid, Signal::SIGKILL);
    until_true("the killed process is dead", || !is_alive(pid));
}

#[test]
fn after_a_killed_supervisor_the_next_run_clears_up_and_gets_the_same_port() {
    let sandbox = Sandbox::new();
    let (supervisor, port, tree) = stubborn(&sandbox);

    kill(supervisor);
    assert!(tree.iter().all(|pid| is_alive(*pid)), "they are deaf to TERM");
    let (running, ready) = sandbox.serve("run -t web -i a --stop-timeout 200ms -- child serve");

    assert_eq!(ready.port, port);
    assert_eq!(server_pid(port), ready.pid);
    assert!(!tree.iter().any(|pid| is_alive(*pid)), "{}", sandbox.story());
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn until_then_its_name_and_its_port_stay_taken() {
    let sandbox = Sandbox::new();
    let (supervisor, port, tree) = stubborn(&sandbox);

    kill(supervisor);
    let other = sandbox.run("run -t web -i b -- echo {port}").code(0).port();

    // Who only passes by stops nothing.
    assert_ne!(other, port);
    assert!(tree.iter().all(|pid| is_alive(*pid)));
    sandbox.run("cleanup").code(0);
}

#[test]
fn cleanup_leaves_nothing_of_killed_supervisors() {
    let sandbox = Sandbox::new();
    let (supervisor, _, tree) = stubborn(&sandbox);
    let (other, _) = sandbox.serve("run -t web -i b -- child deaf serve");
    let (alive, ready) = sandbox.serve("run -t web -i c -- child serve");

    kill(supervisor);
    kill(other.pid());
    let removed = sandbox.json("cleanup")["removed"].take();

    assert_eq!(removed.as_array().unwrap().len(), 2, "{removed}");
    assert!(!tree.iter().any(|pid| is_alive(*pid)));
    let left: Vec<_> = sandbox.instances().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(left, ["c"]);
    assert_eq!(server_pid(ready.port), ready.pid);
    alive.end(Signal::SIGTERM).code(143);
    sandbox.nothing_is_left();
}

/// Ends the supervisor that holds a name, somehow.
type End = fn(&Sandbox, i32);

#[test]
fn who_was_killed_while_it_waited_for_another_to_end_leaves_nothing_when_that_one_has_ended() {
    let ends: [(&str, End); 3] = [
        ("a cleanup", |sandbox, holder| {
            kill(holder);
            sandbox.run("cleanup").code(0);
        }),
        ("the next run", |sandbox, holder| {
            kill(holder);
            sandbox.run("run -t web -i a --ready none -- true").code(0);
        }),
        ("its own end", |_, holder| {
            processes::signal(holder, Signal::SIGTERM);
            processes::signal(holder, Signal::SIGCONT);
            until_true("it has ended", || !is_alive(holder));
        }),
    ];
    for (what, end) in ends {
        let sandbox = Sandbox::new();
        let (holder, _, tree) = stubborn(&sandbox);
        // It does not hear that it is to end.
        processes::signal(holder, Signal::SIGSTOP);
        kill_a_successor(&sandbox);

        end(&sandbox, holder);

        assert!(!tree.iter().any(|pid| is_alive(*pid)), "{what}");
        assert_eq!(run_files(&sandbox), [] as [PathBuf; 0], "{what}");
        sandbox.nothing_is_left();
    }
}

/// One that is to replace the holder of a name is killed while it waits for its end.
fn kill_a_successor(sandbox: &Sandbox) {
    let successor = sandbox.start("run -t web -i a --if-running replace -- child serve");
    let is_known = |lock: &PathBuf| {
        let lock_id = lock.file_stem().expect("its name").to_str().expect("a lockId");
        let registry = fs::read_to_string(sandbox.state().join("state.json"));
        registry.expect("a registry").contains(lock_id)
    };
    let is_lock = |file: &PathBuf| file.extension().is_some_and(|kind| kind == "lock");
    until_true("a successor stands in the registry", || {
        let locks: Vec<_> = run_files(sandbox).into_iter().filter(is_lock).collect();
        locks.len() == 2 && locks.iter().all(is_known)
    });
    kill(successor.pid());
}

fn run_files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let files = fs::read_dir(sandbox.state().join("run")).expect("a run");
    files.map(|entry| entry.expect("a file").path()).collect()
}

#[test]
fn a_killed_child_ends_the_run_and_its_whole_tree() {
    let sandbox = Sandbox::new();
    let words = format!("run -t web -i a --stop-timeout 200ms -- {STUBBORN}");
    let (running, ready) = sandbox.serve(&words);
    recorded_pids(&sandbox.file("seen"), STUBBORN_COUNT);

    kill(ready.pid);

    running.wait().code(137);
    sandbox.nothing_is_left();
    assert!(sandbox.instances().is_empty());
    assert_eq!(sandbox.run("run -t web -i a -- echo {port}").port(), ready.port);
}

#[test]
fn after_supervisor_and_child_were_killed_the_rest_is_found_all_the_same() {
    for child_first in [true, false] {
        let sandbox = Sandbox::new();
        let (supervisor, port, tree) = stubborn(&sandbox);
        let child = server_pid(port);

        let order = if child_first { [child, supervisor] } else { [supervisor, child] };
        order.into_iter().for_each(kill);
        let again = sandbox.run("run -t web -i a --stop-timeout 200ms -- echo {port}");

        assert_eq!(again.code(0).port(), port);
        assert!(!tree.iter().any(|pid| is_alive(*pid)), "{}", sandbox.story());
        sandbox.nothing_is_left();
    }
}

#[test]
fn a_gentle_child_ends_with_its_killed_supervisor() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child record=seen serve");

    running.end(Signal::SIGKILL);

    crate::sandbox::wait_for_line(&sandbox.file("seen"), "TERM");
    crate::patience::until_true("the end of the child", || !is_alive(ready.pid));
    assert!(sandbox.instances().is_empty());
    assert_eq!(sandbox.run("run -t web -i a -- echo {port}").port(), ready.port);
}

/// What a supervisor does on its way from the lease to the server and back. `?`: not every machine
/// has it.
const STEPS: &[&str] = &[
    "flock",
    "openat",
    "write",
    "pwrite64",
    "ftruncate",
    "?rename",
    "renameat2",
    "?unlink",
    "unlinkat",
    "socket",
    "bind",
    "setsockopt",
    "listen",
    "?vfork",
    "clone",
    "clone3",
    "setpgid",
];
/// At the first, the second, … of such a step.
const TURNS: std::ops::RangeInclusive<u32> = 1..=4;

#[test]
fn a_supervisor_killed_at_any_step_leaves_nothing_for_ever() {
    let sandbox = Sandbox::new();
    let run =
        "styxy run -t web -i a --ready none --stop-timeout 50ms -- child daemon=deaf,sleep exit=0";
    for step in STEPS {
        for turn in TURNS {
            let inject = format!("-e trace={step} -e inject={step}:signal=KILL:when={turn}");
            sandbox.sh(&format!("exec strace -qq -o /dev/null {inject} {run}"));

            let next = sandbox.run("run -t web -i a --stop-timeout 50ms -- echo {port}");

            assert_eq!(next.code(0).port(), sandbox.port(0), "killed at {step} {turn}");
            sandbox.nothing_is_left();
            assert!(sandbox.instances().is_empty(), "killed at {step} {turn}");
        }
    }
}

#[test]
fn a_recycled_pid_is_not_taken_for_a_leftover() {
    let sandbox = Sandbox::new();
    let (running, _) = sandbox.serve("run -t web -i a -- child serve");
    running.end(Signal::SIGKILL);

    // The record now names a process that is not the one it was written for.
    let bystander = sandbox.start_command("a bystander", {
        let mut command = sandbox.command("sleep");
        command.arg("infinity");
        command
    });
    let record = sandbox.record_of("web-a-");
    let text = std::fs::read_to_string(&record).unwrap();
    let leader: String = text[..text.find(',').unwrap()].to_owned();
    let forged = format!("{{\"leader\":[{:>10}", bystander.pid());
    assert_eq!(leader.len(), forged.len());
    std::fs::write(&record, text.replacen(&leader, &forged, 1)).unwrap();
    sandbox.run("run -t web -i a -- true").code(0);

    assert!(bystander.is_running());
    bystander.end(Signal::SIGKILL);
}

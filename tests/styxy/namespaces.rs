//! Namespaces that share a state directory: what lives in one counts as taken in the other, and is never
//! signalled from there; and what the kernel may do in one: give a pid again, leave the dead unreaped.

use crate::patience::until_true;
use crate::processes;
use crate::sandbox::{Sandbox, server_pid, split};
use crate::space::Space;
use nix::sys::signal::Signal;
use std::fs;

/// The pids, in the space's own numbers, that its supervisor and its leader have.
fn inner_pids(sandbox: &Sandbox, space: &Space<'_>, name: &str) -> (i32, i32) {
    let list = space.run("list --json").code(0).json();
    let instances = list["instances"].as_array().expect("a list");
    let found = instances.iter().find(|one| one["id"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name}\n{}", sandbox.story()));
    let pid = |key: &str| i32::try_from(found[key].as_i64().expect("a pid")).expect("it is small");
    (pid("supervisorPid"), pid("pid"))
}

#[test]
fn what_lives_in_another_pid_namespace_is_taken_here_and_goes_when_dead() {
    let sandbox = Sandbox::new();
    let space = Space::of_pids(&sandbox);
    let inside = space.start("run -t solo -i rag -- child serve");
    let ready = inside.ready();

    sandbox.run("run -t solo -i chat -- touch started").code(75).said(&["solo/rag"]);
    sandbox.run("run -t solo -i rag --if-running fail -- touch started").code(75);
    sandbox.run("cleanup").code(0);
    assert!(!sandbox.file("started").exists());
    let row = sandbox.instance("solo", "rag").expect("it lives");
    assert_eq!(row["port"], ready.port);
    // A number of there would be somebody else here.
    assert!(row["pid"].is_null(), "{row}");
    assert_eq!(server_pid(ready.port), ready.pid);

    space.end();
    assert!(sandbox.instances().is_empty());
    let next = sandbox.run("run -t solo -i rag -- echo {port}");
    assert_eq!(next.code(0).port(), ready.port);
}

#[test]
fn what_lives_outside_is_taken_in_a_pid_namespace_and_can_be_stopped_by_its_supervisor() {
    let sandbox = Sandbox::new();
    let space = Space::of_pids(&sandbox);
    let (outside, ready) = sandbox.serve("run -t solo -i rag -- child serve");

    space.run("run -t solo -i chat -- touch started").code(75).said(&["solo/rag"]);
    space.run("cleanup").code(0);
    assert!(!sandbox.file("started").exists());
    assert_eq!(space.run("port solo/rag").code(0).port(), ready.port);

    // It is asked, not signalled: who signals is the supervisor, where the pids mean something.
    space.run("stop solo/rag").code(0);
    outside.wait().code(143);
}

#[test]
fn the_pids_of_a_dead_instance_mean_nothing_in_another_namespace() {
    let sandbox = Sandbox::new();
    let space = Space::of_pids(&sandbox);
    let (outside, ready) = sandbox.serve("run -t web -i a --stop-timeout 50ms -- child deaf serve");
    let supervisor = outside.pid();
    space.sleeper(ready.pid);
    space.sleeper(supervisor);
    outside.end(Signal::SIGKILL);

    space.run("cleanup").code(0);
    let other = space.run("run -t web -i a -- bash -c 'echo $PORT'").code(0).port();

    assert_ne!(other, ready.port, "it is served, whoever asks");
    assert!(processes::is_alive(ready.pid), "it was signalled from another namespace");
    assert!(space.sleeps(ready.pid), "a stranger was signalled\n{}", sandbox.story());
    assert!(space.sleeps(supervisor), "a stranger was signalled\n{}", sandbox.story());
    processes::signal(ready.pid, Signal::SIGKILL);
    until_true("the end of the child", || !processes::is_alive(ready.pid));
}

#[test]
fn a_pid_that_was_given_again_is_never_signalled() {
    for command in ["cleanup", "stop web/a", "run -t web -i a -- true"] {
        let sandbox = Sandbox::new();
        let space = Space::of_pids(&sandbox);
        // The pid of a zombie is not free, and this place's first process leaves them: these have a
        // parent of their own, which waits.
        let script = "exec styxy run -t web -i a -- child serve";
        let words = ["python3".to_owned(), "-c".to_owned(), REAPER.to_owned(), script.to_owned()];
        let reaper = sandbox.start_command("inside: a reaper", space.command(&words));
        sandbox.wait_until_ready("web", "a");
        let (supervisor, leader) = inner_pids(&sandbox, &space, "a");

        space.sh(&format!("kill -KILL {supervisor}")).code(0);
        reaper.wait();
        for pid in [supervisor, leader] {
            space.sh(&format!("test -e /proc/{pid}")).failed();
        }
        for pid in [supervisor, leader] {
            space.sleeper(pid);
        }
        space.run(command);

        for pid in [supervisor, leader] {
            assert!(space.sleeps(pid), "`{command}` signalled {pid}\n{}", sandbox.story());
        }
        assert!(sandbox.instances().is_empty(), "{}", sandbox.story());
    }
}

/// Runs a line of shell and waits for all that it leaves behind.
const REAPER: &str = "\
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
subprocess.Popen(['bash', '-c', sys.argv[1]])
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
";

#[test]
fn the_process_of_a_reservation_is_not_another_with_its_pid() {
    let sandbox = Sandbox::new();
    let space = Space::of_pids(&sandbox);
    let line = "sleep infinity & pid=$!; styxy allocate --type web --id a --pid $pid >&2; \
        kill -KILL $pid; wait $pid; echo $pid";
    let pid: i32 = space.sh(line).code(0).stdout.trim_end().parse().unwrap();

    space.sleeper(pid);

    space.run("cleanup").code(0);
    assert!(sandbox.instances().is_empty(), "{}", sandbox.story());
    assert!(space.sleeps(pid));
}

#[test]
fn a_first_process_that_never_waits_makes_nothing_hang() {
    let sandbox = Sandbox::new();
    let space = Space::of_pids(&sandbox);
    // Its orphans stay zombies for as long as the place is there.
    space.run("run -d -t web -i a -- child fork=sleep serve").code(0);
    space.run("restart web/a").code(0);
    space.run("stop web/a").code(0);
    assert!(sandbox.instances().is_empty());

    space.run("run -d -t web -i a --stop-timeout 50ms -- child daemon=deaf,sleep serve").code(0);
    let (supervisor, leader) = inner_pids(&sandbox, &space, "a");
    space.kill(&[supervisor, leader]);
    let again = space.run("run -t web -i a -- echo {port}");
    assert_eq!(again.code(0).port(), sandbox.port(0));
    space.run("run -d -t web -i a --stop-timeout 50ms -- child deaf serve").code(0);
    let (supervisor, _) = inner_pids(&sandbox, &space, "a");
    space.kill(&[supervisor]);
    space.run("cleanup").code(0);
    assert!(sandbox.instances().is_empty());
    let zombies = space.sh("grep -l '^State:.Z' /proc/[0-9]*/status | wc -l");
    assert_ne!(zombies.stdout, "0\n", "somebody waits here\n{}", sandbox.story());
}

#[test]
fn styxy_may_be_the_first_process_itself() {
    let sandbox = Sandbox::new();
    let words = ["--pid", "--fork", "--mount-proc", "--kill-child", "--"];
    let mut command = sandbox.command("unshare");
    command
        .args(words)
        .args(split("styxy run -t web -i a -- child daemon=sleep fork=exit=0 serve"));
    let keeper = sandbox.start_command("styxy as the first process", command);
    let ready = keeper.ready();
    let children = format!("/proc/{0}/task/{0}/children", keeper.pid());
    let supervisor = fs::read_to_string(children).unwrap().trim().parse().unwrap();

    sandbox.run("run -t web -i a --if-running fail -- true").code(75);
    processes::signal(supervisor, Signal::SIGTERM);

    keeper.wait().code(143);
    assert!(sandbox.instances().is_empty());
    assert_eq!(sandbox.run("run -t web -i a -- echo {port}").code(0).port(), ready.port);
}

#[test]
fn what_lives_in_another_network_is_taken_here_and_goes_when_dead() {
    let sandbox = Sandbox::new();
    let space = Space::of_net(&sandbox);
    let inside = space.start("run -t web -i a -- child serve");
    let ready = inside.ready();

    // The kernel would let both have it.
    assert_ne!(sandbox.run("run -t web -i b -- echo {port}").code(0).port(), ready.port);
    sandbox.run(&format!("run -t web -i b --port {} -- touch started", ready.port)).failed();
    sandbox.run("run -t web -i a --if-running fail -- touch started").code(75);
    sandbox.run("cleanup").code(0);
    assert!(!sandbox.file("started").exists());
    assert_eq!(sandbox.instance("web", "a").expect("it lives")["port"], ready.port);

    processes::signal(server_supervisor(&sandbox), Signal::SIGKILL);
    inside.wait();
    sandbox.run("cleanup").code(0);
    assert!(sandbox.instances().is_empty());
    until_true("the end of its child", || !processes::is_alive(ready.pid));
    assert_eq!(
        sandbox
            .run("run -t web -i b --port {}".replace("{}", &ready.port.to_string()).as_str())
            .failed()
            .stdout,
        ""
    );
}

/// The supervisor of the one instance that there is, which lives in the same PID namespace.
fn server_supervisor(sandbox: &Sandbox) -> i32 {
    let list = sandbox.instances();
    i32::try_from(list[0]["supervisorPid"].as_i64().expect("a pid")).expect("it is small")
}

#[test]
fn a_reservation_of_another_network_is_not_kept_for_ever_by_those_who_cannot_see_it() {
    let sandbox = Sandbox::new();
    let space = Space::of_net(&sandbox);
    space.run("allocate --type web --id a --ttl 100ms").code(0);
    space.end();

    // Each look of ours used to count as if somebody had seen it served.
    let gone = || {
        sandbox.styxy("cleanup").output().expect("styxy can be started");
        sandbox.instances().is_empty()
    };
    until_true("the end of the reservation", gone);
}

#[test]
fn a_directory_that_has_another_path_in_another_mount_namespace_is_the_same_one() {
    let sandbox = Sandbox::new();
    let (outside, ready) = sandbox.serve("run -t solo -i rag -- child serve");
    let inside = |words: &str| {
        // As a container sees a volume: elsewhere, with its own processes, and nothing of the first path.
        let volume = sandbox.folder("volume").display().to_string();
        let line = format!(
            "mount --bind $STYXY_STATE_DIR {volume} && mount -t tmpfs tmpfs $STYXY_STATE_DIR && \
             export STYXY_STATE_DIR={volume} && styxy {words}"
        );
        let mut command = sandbox.command("unshare");
        command.args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--"]);
        command.args(["bash", "-c", &line]);
        sandbox.start_command(&line, command).wait()
    };

    inside("run -t solo -i chat -- touch started").code(75).said(&["solo/rag"]);
    assert_ne!(inside("run -t web -i a -- echo {port}").code(0).port(), ready.port);
    assert_eq!(inside("port solo/rag").code(0).port(), ready.port);
    inside("cleanup").code(0);
    assert!(!sandbox.file("started").exists());
    assert_eq!(server_pid(ready.port), ready.pid);
    inside("stop solo/rag").code(0);
    outside.wait().code(143);
}

//! How containers end: stopped against their will, crashed away from, started again, and with an engine that is down.

use crate::containers::{SERVER, run};
use crate::engine::{Engine, IMAGE, engine, lock_id};
use crate::patience::{let_pass, until, until_true};
use crate::processes;
use crate::sandbox::{Sandbox, ask};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// A `docker` whose behaviour depends on files beside it: `down` (no engine can be reached; `refused` has what was
/// asked meanwhile) and `deaf` (a `run` that hears no TERM and never ends).
fn wayward(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.folder("wayward").join("docker");
    let script = "#!/bin/bash\n\
        here=${0%/*}\n\
        if [ -e \"$here/down\" ]; then\n\
            echo \"$*\" >>\"$here/refused\"; echo 'Cannot connect to the Docker daemon' >&2; exit 1\n\
        fi\n\
        if [ \"$1\" = run ] && [ -e \"$here/deaf\" ]; then\n\
            trap '' TERM INT; docker \"$@\" & wait; while :; do sleep 60; done\n\
        fi\n\
        exec docker \"$@\"\n";
    fs::write(&path, script).expect("the sandbox can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
    path
}

#[test]
fn a_command_line_that_hangs_hangs_nobody() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let docker = wayward(&sandbox);
    fs::write(docker.with_file_name("deaf"), "").expect("our own folder");
    let words = format!(
        "run -t web -i pg --container-port 80 --stop-timeout 300ms -- {} run --rm --init {IMAGE} {SERVER}",
        docker.display()
    );
    let running = sandbox.start(&words);
    let instance = sandbox.wait_until_ready("web", "pg");
    sandbox.run("stop pg").code(0);
    running.wait();
    assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
}

/// Kills the supervisor and the engine's command line, neither of which can react to the other's end.
pub(crate) fn crash(sandbox: &Sandbox) -> String {
    let instance = sandbox.instance("web", "pg").expect("it runs");
    let pid = |name: &str| instance[name].as_i64().and_then(|pid| i32::try_from(pid).ok());
    kill_both(pid("supervisorPid").expect("it has one"), pid("pid"));
    lock_id(&instance)
}

/// The supervisor cannot see the end of what it started; both are dead when this returns. Until then a cleanup is
/// right to find that nothing was left.
fn kill_both(supervisor: i32, leader: Option<i32>) {
    processes::signal(supervisor, Signal::SIGSTOP);
    leader.into_iter().for_each(|pid| processes::signal(pid, Signal::SIGKILL));
    processes::signal(supervisor, Signal::SIGKILL);
    let killed = || leader.into_iter().chain([supervisor]);
    until_true("the end of the killed", || !killed().any(processes::is_alive));
}

#[test]
fn what_a_crash_leaves_is_gone_with_cleanup_or_the_next_run() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let line = run("--container-port 80", "--rm --init", SERVER);
    for again in ["cleanup", &run("--ready none", "--rm", "true")] {
        let running = sandbox.start(&line);
        running.ready();
        let killed = crash(&sandbox);
        running.wait();
        assert_eq!(engine.states(&killed), ["running"], "a container outlives its command line");
        sandbox.run(again).code(0);
        assert_eq!(engine.states(&killed), [""; 0]);
    }
    assert_eq!(sandbox.instances().len(), 0);
}

#[test]
fn one_that_was_run_without_rm_is_left_stopped() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let line = run("--container-port 80", "--init", SERVER);
    let running = sandbox.start(&line);
    running.ready();
    let killed = crash(&sandbox);
    running.wait();
    sandbox.run("cleanup").code(0);
    assert_eq!(engine.states(&killed), ["exited"]);
    engine.remove(&killed);
}

/// How many crashes in the first moments there are, and as many more as are needed to meet all of these.
const ROUNDS: u32 = 12;

#[test]
fn a_crash_in_the_first_moments_leaves_nothing_either() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let mut never_told = 0;
    for round in 0..ROUNDS * 3 {
        if round >= ROUNDS && never_told > 0 {
            break;
        }
        let remove = if round % 2 == 0 { "--rm " } else { "" };
        let line = run("--container-port 80", &format!("{remove}--init"), SERVER);
        let running = sandbox.start(&line);
        // The record has the command's pid before the command does anything.
        let leads = || leader_of(&sandbox);
        let leader = until("its command", leads, || running.story());
        if round < ROUNDS {
            // Further from the start with each round: before, while and after the engine makes the container.
            let_pass(Duration::from_millis(5) * round);
        } else {
            // On a busy machine these were all too early or too late: now, as soon as it is asked to.
            let cidfile = leader.2.with_extension("cid");
            until_true("the file for its id", || cidfile.exists());
        }
        let (killed, cidfile) = crash_in(&sandbox, leader);
        running.wait();
        never_told += usize::from(fs::read_to_string(&cidfile).is_ok_and(|id| id.is_empty()));
        sandbox.run("cleanup").code(0);
        let left = engine.states(&killed);
        // Without --rm, one that ran is its user's; one that never did is nobody's.
        let is_fine = |state: &String| round % 2 == 1 && state == "exited";
        assert!(left.iter().all(is_fine), "round {round}: {left:?}");
        engine.remove(&killed);
        assert!(!cidfile.exists(), "round {round}");
    }
    assert!(never_told > 0, "no round met an engine that had not told the id yet");
    assert_eq!(sandbox.instances().len(), 0);
    sandbox.nothing_is_left();
}

/// What the record says of the command, without a look at anything else.
fn leader_of(sandbox: &Sandbox) -> Option<(i32, i32, PathBuf)> {
    let entries = fs::read_dir(sandbox.state().join("run")).ok()?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let record = paths.find(|path| path.extension().is_some_and(|suffix| suffix == "json"))?;
    let told: Value = serde_json::from_slice(&fs::read(&record).ok()?).ok()?;
    let pid = |pid: &Value| pid.as_i64().and_then(|pid| i32::try_from(pid).ok());
    let leader = pid(&told["leader"][0]).filter(|&pid| pid > 0)?;
    Some((leader, pid(&told["supervisor"]["pid"])?, record))
}

/// Kills the two as `crash` does. The instance's lockId, and the file for its container's id.
fn crash_in(
    sandbox: &Sandbox,
    (leader, supervisor, record): (i32, i32, PathBuf),
) -> (String, PathBuf) {
    // It may be over already, in the rounds that come late.
    kill_both(supervisor, Some(leader).filter(|&pid| processes::is_alive(pid)));
    let cidfile = record.with_extension("cid");
    let lock_id = record.file_stem().expect("it has a name").to_string_lossy().into_owned();
    assert!(record.starts_with(sandbox.state()));
    (lock_id, cidfile)
}

#[test]
fn only_what_the_label_names_is_touched() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let other = bystander(engine);
    let running = sandbox.start(&run("--container-port 80", "--rm --init", SERVER));
    running.ready();
    crash(&sandbox);
    running.wait();
    sandbox.run("cleanup").code(0);
    assert_eq!(
        engine.docker(&["container", "inspect", "-f", "{{.State.Running}}", &other]),
        "true"
    );
    engine.docker(&["rm", "--force", &other]);
}

/// A container that is not styxy's.
pub(crate) fn bystander(engine: &Engine) -> String {
    engine.docker(&["run", "-d", "--label", "styxy.lock-id=web-pg-000000", IMAGE, "sleep", "600"])
}

#[test]
fn an_engine_that_is_down_means_unknown_and_the_lease_stays() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let docker = wayward(&sandbox);
    let down = docker.with_file_name("down");
    let words = format!(
        "run -t web -i pg --container-port 80 -- {} run --rm --init {IMAGE} {SERVER}",
        docker.display()
    );
    let running = sandbox.start(&words);
    let port = running.ready().port;
    let killed = crash(&sandbox);
    running.wait();
    fs::write(&down, "").expect("our own folder");
    sandbox.run("cleanup").code(125).said(&["unknown", "docker", "Cannot connect"]);
    sandbox.run(&words).code(125).said(&["unknown", "stay taken"]);
    assert_eq!(sandbox.instance("web", "pg").expect("its row is kept")["phase"], "stuck");
    sandbox.run(&format!("run -t web -i other --port {port} -- true")).code(69);
    assert_eq!(engine.states(&killed), ["running"]);
    fs::remove_file(&down).expect("our own file");
    sandbox.run("cleanup").code(0);
    assert_eq!(engine.states(&killed), [""; 0]);
    assert_eq!(sandbox.instances().len(), 0);
}

#[test]
fn a_living_supervisor_finds_the_truth_when_its_engine_is_back() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let docker = wayward(&sandbox);
    let down = docker.with_file_name("down");
    let words = format!(
        "run -t web -i pg --container-port 80 -- {} run -d --rm --init {IMAGE} {SERVER}",
        docker.display()
    );
    let running = sandbox.start(&words);
    running.ready();
    let watched = || sandbox.instance("web", "pg").filter(|one| one["pid"].is_i64());
    let instance = until("the pid of `docker wait`", watched, || running.story());
    fs::write(&down, "").expect("our own folder");
    // The engine's command line that waits for the container's end goes down with its engine.
    let waiter = instance["pid"].as_i64().expect("it was seen just now");
    processes::signal(i32::try_from(waiter).expect("a pid"), Signal::SIGKILL);
    running.says(&["unknown", "Cannot connect"]);
    assert!(running.is_running());
    fs::remove_file(&down).expect("our own file");
    until_true("the engine's word again", || {
        sandbox.instance("web", "pg").is_some_and(|one| one["pid"].is_i64())
    });
    sandbox.run("stop pg").code(0);
    running.wait();
    assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
}

#[test]
fn a_stop_that_no_engine_heard_is_asked_for_again() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let docker = wayward(&sandbox);
    let (down, refused) = (docker.with_file_name("down"), docker.with_file_name("refused"));
    let words = format!(
        "run -t web -i pg --container-port 80 --stop-timeout 100ms -- {} run --rm --init {IMAGE} {SERVER}",
        docker.display()
    );
    let running = sandbox.start(&words);
    let leader = running.ready().pid;
    let instance = sandbox.instance("web", "pg").expect("it runs");
    fs::write(&down, "").expect("our own folder");
    running.signal(Signal::SIGTERM);
    running.says(&["unknown", "Cannot connect"]);
    // The command line goes with the KILL that its container does not hear of; what is left is asked for in vain.
    until_true("the command line's end", || !processes::is_alive(leader));
    let count = || fs::read_to_string(&refused).unwrap_or_default().lines().count();
    let before = count();
    until_true("one more question", || count() > before);
    fs::remove_file(&down).expect("our own file");
    running.wait();
    assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
}

#[test]
fn the_truth_is_found_again_when_an_engine_is_restarted() {
    let mut engine = Engine::start().expect("a second engine, since others use the first one");
    let sandbox = engine.sandbox();
    for docker in ["--rm --init", "--rm -d --init"] {
        let running = sandbox.start(&run("--container-port 80", docker, SERVER));
        let instance = sandbox.wait_until_ready("web", "pg");
        // Nobody is told that it is gone while nobody can know; the engine may just have said so.
        engine.down();
        engine.up();
        // An engine that goes down takes its containers along.
        running.wait();
        assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
        assert_eq!(sandbox.instances().len(), 0);
    }
    // And another one can be started at once.
    let (running, ready) = sandbox.serve(&run("--container-port 80", "--rm --init", SERVER));
    assert_eq!(ask(ready.port, "/").trim(), "hello");
    sandbox.run("stop pg").code(0);
    running.wait();
}

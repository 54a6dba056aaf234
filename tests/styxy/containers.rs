//! Instances that are containers: a real engine, and a command line of it that can be made to misbehave.

use crate::engine::{Engine, IMAGE, engine, lock_id};
use crate::patience::{until, until_true};
use crate::processes;
use crate::sandbox::{Sandbox, ask};
use nix::sys::signal::Signal;
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A server that hears TERM, since `--init` passes it on.
const SERVER: &str = "httpd -f -p 80 -h /www";

fn run(flags: &str, docker: &str, command: &str) -> String {
    format!("run -t web -i pg {flags} -- docker run {docker} {IMAGE} {command}")
}

/// A `docker` whose behaviour depends on files beside it: `down` (no engine can be reached) and `deaf` (a `run`
/// that hears no TERM and never ends).
fn wayward(sandbox: &Sandbox) -> PathBuf {
    let path = sandbox.folder("wayward").join("docker");
    let script = "#!/bin/bash\n\
        here=${0%/*}\n\
        if [ -e \"$here/down\" ]; then echo 'Cannot connect to the Docker daemon' >&2; exit 1; fi\n\
        if [ \"$1\" = run ] && [ -e \"$here/deaf\" ]; then\n\
            trap '' TERM INT; docker \"$@\" & wait; while :; do sleep 60; done\n\
        fi\n\
        exec docker \"$@\"\n";
    fs::write(&path, script).expect("the sandbox can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
    path
}

#[test]
fn a_container_is_published_on_the_leased_port_shown_and_stopped() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let (running, ready) = sandbox.serve(&run("--container-port 80", "--rm --init", SERVER));
    assert_eq!(ask(ready.port, "/").trim(), "hello");
    let instance = sandbox.wait_until_ready("web", "pg");
    let container = &instance["container"];
    assert_eq!((&container["engine"], &container["image"]), (&"docker".into(), &IMAGE.into()));
    let id = container["id"].as_str().expect("it has an id");
    assert_eq!(engine.docker(&["container", "inspect", "-f", "{{.State.Running}}", id]), "true");
    let table = sandbox.run("list").stdout;
    assert!(table.contains(&format!("docker {} {IMAGE}", &id[..12])), "{table}");
    sandbox.run("stop pg").code(0);
    running.wait();
    assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
    sandbox.nothing_is_left();
}

#[test]
fn the_exit_code_is_the_engines() {
    let sandbox = engine().sandbox();
    sandbox.run(&run("", "--rm", "sh -c 'exit 7'")).code(7);
    sandbox.run(&run("", "--rm", "no-such-program")).code(127);
    sandbox.run("run -- docker run --pull never no-such-image").code(125);
    // Of one in the background, by its own word, whether it was faster than anybody could ask or not.
    sandbox.run(&run("--ready none", "-d", "sh -c 'exit 9'")).code(9);
    sandbox.run(&run("--ready none", "-d --rm", "sh -c 'sleep 1; exit 9'")).code(9);
}

#[test]
fn templates_reach_the_engine_and_the_container() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let docker =
        "--rm --init -p 127.0.0.1:{port:http}:80 -p127.0.0.1:{port:more}:81 -e PORT={port}";
    let words = "sh -c 'echo $PORT > /www/port; httpd -p 81 -h /www; exec httpd -f -p 80 -h /www'";
    let (_running, ready) = sandbox.serve(&run("--ports http,more", docker, words));
    let more = sandbox.instance("web", "pg").expect("it runs")["ports"]["more"].clone();
    let more = u16::try_from(more.as_u64().expect("a port")).expect("a port");
    assert_eq!(ask(ready.port, "/port").trim(), ready.port.to_string());
    assert_eq!(ask(more, "/port").trim(), ready.port.to_string());
    sandbox.run("stop pg").code(0);
}

#[test]
fn a_port_of_the_container_needs_a_container() {
    let sandbox = Sandbox::new();
    sandbox.run("run --container-port 80 -- true").code(2).said(&["docker run"]);
}

#[test]
fn one_in_the_background_is_watched_and_its_log_kept() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let words = "sh -c 'echo from the container; exec httpd -f -p 80 -h /www'";
    sandbox.run(&run("-d --container-port 80", "-d --rm --init", words)).code(0);
    let instance = sandbox.wait_until_ready("web", "pg");
    until_true("its output in the log", || {
        sandbox.run("logs pg").stdout.contains("from the container")
    });
    let id = instance["container"]["id"].as_str().expect("it has an id");
    engine.docker(&["kill", id]);
    sandbox.run("wait pg --for stopped").code(0);
    assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
}

#[test]
fn a_first_process_that_hears_no_signal_is_stopped_in_time() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let words = "sh -c 'httpd -p 80 -h /www; while :; do sleep 1; done'";
    for docker in ["--rm", "--rm -d"] {
        let running =
            sandbox.start(&run("--container-port 80 --stop-timeout 200ms", docker, words));
        let instance = sandbox.wait_until_ready("web", "pg");
        sandbox.run("stop pg").code(0);
        running.wait().code(137);
        assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
    }
}

#[test]
fn a_proxy_with_nothing_behind_it_is_not_ready() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let words = "sh -c 'until [ -e /go ]; do sleep 0.1; done; exec httpd -f -p 80 -h /www'";
    for check in ["tcp", "http:/"] {
        let flags = format!("--container-port 80 --ready {check}");
        let running = sandbox.start(&run(&flags, "--rm --init --name styxy-late", words));
        let instance = sandbox.wait_for_phase("web", "pg", "starting");
        let port = u16::try_from(instance["port"].as_u64().expect("a port")).expect("a port");
        // The proxy accepts and closes; more than once, so that a check had its chance.
        for _ in 0..3 {
            let mut connection =
                until("a proxy", || TcpStream::connect(("127.0.0.1", port)).ok(), String::new);
            let _ = connection.read(&mut [0]);
            assert_eq!(sandbox.instance("web", "pg").expect("it runs")["phase"], "starting");
        }
        engine.docker(&["exec", "styxy-late", "touch", "/go"]);
        running.ready();
        sandbox.run("stop pg").code(0);
        running.wait();
    }
}

#[test]
fn an_images_own_health_check_decides() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let health = "--health-cmd 'test -e /well' --health-interval 100ms";
    let docker = format!("--rm --init --name styxy-health {health}");
    let running = sandbox.start(&run("--container-port 80", &docker, SERVER));
    let port = sandbox.wait_for_phase("web", "pg", "starting")["port"].as_u64().expect("a port");
    let port = u16::try_from(port).expect("a port");
    until_true("its server", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
            && engine.docker(&["ps"]).contains("styxy-health")
    });
    assert_eq!(sandbox.instance("web", "pg").expect("it runs")["phase"], "starting");
    engine.docker(&["exec", "styxy-health", "touch", "/well"]);
    running.ready();
    sandbox.run("stop pg").code(0);
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
fn crash(sandbox: &Sandbox) -> String {
    let instance = sandbox.instance("web", "pg").expect("it runs");
    let pid = |name: &str| instance[name].as_i64().and_then(|pid| i32::try_from(pid).ok());
    let supervisor = pid("supervisorPid").expect("it has one");
    processes::signal(supervisor, Signal::SIGSTOP);
    pid("pid").into_iter().for_each(|pid| processes::signal(pid, Signal::SIGKILL));
    processes::signal(supervisor, Signal::SIGKILL);
    lock_id(&instance)
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

#[test]
fn a_crash_in_the_first_moments_leaves_nothing_either() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let line = run("--container-port 80", "--init", SERVER);
    // Further from the start with each round: before, while and after the engine makes the container.
    for round in 0..8 {
        let running = sandbox.start(&line);
        let started = || sandbox.instance("web", "pg").filter(|one| one["pid"].is_i64());
        until("its command", started, || running.story());
        for _ in 0..round {
            sandbox.instances();
        }
        let killed = crash(&sandbox);
        running.wait();
        sandbox.run("cleanup").code(0);
        let left = engine.states(&killed);
        // Without --rm, one that ran is its user's; one that never did is nobody's.
        assert!(left.iter().all(|state| state == "exited"), "round {round}: {left:?}");
        engine.remove(&killed);
    }
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
fn bystander(engine: &Engine) -> String {
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

/// A project of two containers, named by what is unique to this sandbox.
fn compose(sandbox: &Sandbox) -> String {
    let text = format!(
        "version: '3'\nservices:\n  \
         web: {{image: {IMAGE}, init: true, command: '{SERVER}', ports: ['127.0.0.1:${{PORT_WEB}}:80']}}\n  \
         db: {{image: {IMAGE}, init: true, command: '{SERVER}', ports: ['127.0.0.1:${{PORT_DB}}:80']}}\n"
    );
    fs::write(sandbox.file("docker-compose.yml"), text).expect("the sandbox can be written");
    format!("styxy{}", sandbox.port(0))
}

fn of_project(engine: &Engine, project: &str) -> usize {
    let filter = format!("label=com.docker.compose.project={project}");
    engine.docker(&["ps", "--all", "--quiet", "--filter", &filter]).lines().count()
}

#[test]
fn a_project_of_compose_gets_its_ports_and_goes_down() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let project = compose(&sandbox);
    let other = bystander(engine);
    for up in ["up", "up -d"] {
        let words = format!("run -t web -i pg --ports web,db -- docker-compose -p {project} {up}");
        let running = sandbox.start(&words);
        let instance = sandbox.wait_until_ready("web", "pg");
        for port in ["web", "db"] {
            let port = u16::try_from(instance["ports"][port].as_u64().expect("a port"));
            let port = port.expect("a port");
            until_true("its page", || TcpStream::connect(("127.0.0.1", port)).is_ok());
            assert_eq!(ask(port, "/").trim(), "hello");
        }
        sandbox.run("stop pg").code(0);
        running.wait();
        assert_eq!(of_project(engine, &project), 0, "{up}");
    }
    assert_eq!(
        engine.docker(&["container", "inspect", "-f", "{{.State.Running}}", &other]),
        "true"
    );
    engine.docker(&["rm", "--force", &other]);
}

#[test]
fn a_project_that_a_crash_left_goes_down_with_cleanup_from_anywhere() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let project = compose(&sandbox);
    let words = format!("run -t web -i pg --ports web,db -- docker-compose -p {project} up");
    let running = sandbox.start(&words);
    sandbox.wait_until_ready("web", "pg");
    crash(&sandbox);
    running.wait();
    assert_eq!(of_project(engine, &project), 2);
    sandbox.run_in(&sandbox.folder("elsewhere"), "cleanup").code(0);
    assert_eq!(of_project(engine, &project), 0);
}

#[test]
fn doctor_says_whether_the_engine_can_be_reached() {
    let sandbox = engine().sandbox();
    let told = sandbox.run("doctor").stdout;
    assert!(told.contains("docker can be reached"), "{told}");
    sandbox.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let told = sandbox.run("doctor").stdout;
    assert!(told.contains("docker is installed, and cannot be reached"), "{told}");
}

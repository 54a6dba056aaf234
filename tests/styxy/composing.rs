//! Instances that are projects of compose: of its first edition, of docker's plugin, of podman's and of nerdctl's.

use crate::container_ends::{bystander, crash};
use crate::containers::SERVER;
use crate::engine::{Engine, IMAGE, engine};
use crate::fake_engine::FakeEngine;
use crate::patience::until_true;
use crate::podman;
use crate::sandbox::{Sandbox, ask};
use serde_json::Value;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Debian's own, and docker's plugin.
const EDITIONS: [&str; 2] = ["docker-compose", "docker compose"];

/// Lets a sandbox's docker find the plugin that `tests/setup` has installed.
pub(crate) fn plug_in(sandbox: &Sandbox) {
    let plugins = sandbox.home().join(".docker/cli-plugins");
    fs::create_dir_all(&plugins).expect("the sandbox can be written");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in a folder");
    let program = target.join("test-venv/bin/docker-compose");
    assert!(program.exists(), "tests/setup has not been run: no {}", program.display());
    symlink(program, plugins.join("docker-compose")).expect("our own folder");
}

fn sandbox(engine: &Engine) -> Sandbox {
    let sandbox = engine.sandbox();
    plug_in(&sandbox);
    sandbox
}

/// A project of two containers, named by what is unique to this sandbox.
fn project(sandbox: &Sandbox, image: &str) -> String {
    let text = format!(
        "version: '3'\nservices:\n  \
         web: {{image: {image}, init: true, command: '{SERVER}', ports: ['127.0.0.1:${{PORT_WEB}}:80']}}\n  \
         db: {{image: {image}, init: true, command: '{SERVER}', ports: ['127.0.0.1:${{PORT_DB}}:80']}}\n"
    );
    fs::write(sandbox.file("docker-compose.yml"), text).expect("the sandbox can be written");
    format!("styxy{}", sandbox.port(0))
}

fn of_project(engine: &Engine, project: &str) -> usize {
    let filter = format!("label=com.docker.compose.project={project}");
    engine.docker(&["ps", "--all", "--quiet", "--filter", &filter]).lines().count()
}

/// The leased ports, as the project's file knows them.
fn ports(instance: &Value) -> [u16; 2] {
    ["web", "db"].map(|name| {
        let port = u16::try_from(instance["ports"][name].as_u64().expect("a port"));
        port.expect("a port")
    })
}

#[test]
fn a_project_gets_its_ports_and_goes_down() {
    let engine = engine();
    let sandbox = sandbox(engine);
    let project = project(&sandbox, IMAGE);
    let other = bystander(engine);
    for (compose, up) in EDITIONS.into_iter().flat_map(|one| [(one, "up"), (one, "up -d")]) {
        let words = format!("run -t web -i pg --ports web,db -- {compose} -p {project} {up}");
        let running = sandbox.start(&words);
        // One event after the other: docker-compose is slow on a busy machine.
        until_true("its containers", || of_project(engine, &project) == 2);
        for port in ports(&sandbox.wait_until_ready("web", "pg")) {
            until_true("its page", || TcpStream::connect(("127.0.0.1", port)).is_ok());
            assert_eq!(ask(port, "/").trim(), "hello");
        }
        let stop = sandbox.start("stop pg");
        let filter = format!("label=com.docker.compose.project={project}");
        let running_ones = || engine.docker(&["ps", "--quiet", "--filter", &filter]);
        until_true("the end of what runs in them", || running_ones().is_empty());
        until_true("the end of its containers", || of_project(engine, &project) == 0);
        running.wait();
        stop.wait().code(0);
    }
    assert_eq!(
        engine.docker(&["container", "inspect", "-f", "{{.State.Running}}", &other]),
        "true"
    );
    engine.docker(&["rm", "--force", &other]);
}

#[test]
fn a_project_that_a_crash_left_goes_down_with_cleanup_from_anywhere_and_no_other_does() {
    let engine = engine();
    let sandbox = sandbox(engine);
    let project = project(&sandbox, IMAGE);
    // Another one of the same file.
    let other = format!("{project}other");
    let others = format!("run -t web -i other --ports web,db -- docker compose -p {other} up -d");
    let others = sandbox.start(&others);
    sandbox.wait_until_ready("web", "other");
    for compose in EDITIONS {
        let words = format!("run -t web -i pg --ports web,db -- {compose} -p {project} up");
        let running = sandbox.start(&words);
        until_true("its containers", || of_project(engine, &project) == 2);
        sandbox.wait_until_ready("web", "pg");
        crash(&sandbox);
        running.wait();
        assert_eq!(of_project(engine, &project), 2);
        // Those that have ended are parts of the project all the same; the plugin may be ending them by itself.
        let filter = format!("--filter label=com.docker.compose.project={project}");
        sandbox.sh(&format!("docker kill $(docker ps --quiet {filter})"));
        let cleanup = sandbox.start_in(&sandbox.folder("elsewhere"), "cleanup");
        // One event after the other here, too.
        until_true("the end of its containers", || of_project(engine, &project) == 0);
        cleanup.wait().code(0);
        assert_eq!(of_project(engine, &other), 2);
    }
    sandbox.run("stop other").code(0);
    others.wait();
    assert_eq!(of_project(engine, &other), 0);
}

#[test]
fn podmans_compose_gets_its_ports_and_goes_down() {
    let sandbox = podman::sandbox();
    let space = podman::space(&sandbox);
    let project = project(&sandbox, podman::IMAGE);
    let file = sandbox.file("docker-compose.yml");
    let compose = format!("podman-compose -f {} -p {project}", file.display());
    let bystander = space.sh(&format!("podman run -d {} sleep 600", podman::IMAGE));
    for (up, end) in [("up", "stop pg"), ("up -d", "stop pg"), ("up", "cleanup")] {
        let running = space.start(&format!("run -t web -i pg --ports web,db -- {compose} {up}"));
        let is_ready = || podman::instance(&space)["phase"] == "ready";
        until_true("podman-compose", || is_ready() && podman::states(&space) == ["running"; 3]);
        for port in ports(&podman::instance(&space)) {
            assert_eq!(podman::page(&space, port), "hello\n");
        }
        if end == "cleanup" {
            podman::crash(&space, &running, &podman::instance(&space));
        }
        space.run(end).code(0);
        running.wait();
        let left = space.sh("podman ps --all --quiet --no-trunc").code(0).stdout.clone();
        assert_eq!(left, bystander.stdout, "{up}, {end}");
    }
}

#[test]
fn nerdctls_compose_gets_its_ports_and_goes_down() {
    let sandbox = Sandbox::new();
    let fake = FakeEngine::new(&sandbox, "nerdctl");
    for (up, end) in [("up", "stop pg"), ("up -d", "stop pg"), ("up", "cleanup")] {
        let nerdctl = fake.program();
        let flags = "run -t web -i pg --ready none --ports web,db";
        let running = sandbox.start(&format!("{flags} -- {nerdctl} compose -p shop {up}"));
        until_true("its container", || fake.get("state") == "running\n");
        let [web, db] = ports(&sandbox.wait_until_ready("web", "pg"));
        assert_eq!(fake.get("ports"), format!("{web} {db}\n"));
        if end == "cleanup" {
            crash(&sandbox);
        }
        sandbox.run(end).code(0);
        running.wait();
        assert_eq!((fake.get("id"), sandbox.instances().len()), (String::new(), 0));
        let ended = ["nerdctl compose -p shop stop -t 10", "nerdctl compose -p shop down"];
        let asked = [fake.asked("compose -p shop stop"), fake.asked("compose -p shop down")];
        assert_eq!(asked.map(|lines| lines.last().cloned().unwrap_or_default()), ended);
    }
}

#[test]
fn nerdctls_own_container_is_found_by_its_label_stopped_and_cleaned_up() {
    let sandbox = Sandbox::new();
    let fake = FakeEngine::new(&sandbox, "nerdctl");
    for (docker, end) in [("--rm", "stop pg"), ("--rm -d", "stop pg"), ("--rm", "cleanup")] {
        let line = format!("run -t web -i pg --ready none -- {} run {docker} img", fake.program());
        let running = sandbox.start(&line);
        until_true("its container", || fake.get("state") == "running\n");
        let instance = sandbox.wait_until_ready("web", "pg");
        let label = format!("styxy.lock-id={}\n", instance["lockId"].as_str().expect("a lease"));
        assert_eq!(
            (fake.get("label"), &instance["container"]["engine"]),
            (label, &"nerdctl".into())
        );
        if end == "cleanup" {
            crash(&sandbox);
        }
        sandbox.run(end).code(0);
        running.wait();
        assert_eq!((fake.get("id"), sandbox.instances().len()), (String::new(), 0));
    }
}

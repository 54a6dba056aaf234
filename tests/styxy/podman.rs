//! Instances that are containers of podman, which has no server: each command line does all of it, and leaves a
//! process that minds the container.
//!
//! In namespaces of its own, so that nobody else's containers, networks and mounts are met, and none is left.

use crate::patience::until_true;
use crate::running::Running;
use crate::sandbox::Sandbox;
use crate::space::Space;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::rc::Rc;

pub(crate) const IMAGE: &str = "localhost/styxy-test";

/// A sandbox in which podman finds its own storage and nothing else.
pub(crate) fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let root = sandbox.folder("podman").display().to_string();
    // As much as works inside of a container, too.
    let settings = format!(
        "[containers]\ndefault_ulimits = [\"nofile=4096:20000\", \"nproc=4096:4096\"]\n\
         [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
         [network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = \"{root}/networks\"\n"
    );
    let storage = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{root}/graph\"\nrunroot = \"{root}/run\"\n"
    );
    for (name, variable, text) in [
        ("containers.conf", "CONTAINERS_CONF", settings),
        ("storage.conf", "CONTAINERS_STORAGE_CONF", storage),
    ] {
        let file = Path::new(&root).join(name);
        fs::write(&file, text).expect("the sandbox can be written");
        sandbox.set(variable, &file.to_string_lossy());
    }
    sandbox
}

/// Where podman has the tests' image. A machine on which it cannot run fails the test.
pub(crate) fn space(sandbox: &Sandbox) -> Space<'_> {
    let space = Space::of_engine(sandbox);
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/image");
    let import = format!(
        "set -o pipefail; bash {} | podman import --change 'CMD [\"/bin/sh\"]' - {IMAGE}",
        image.display()
    );
    for line in [import, format!("podman run --rm {IMAGE} echo it runs")] {
        let ended = space.sh(&format!("{line} || echo NO PODMAN, so nothing is tested >&2"));
        assert!(!ended.stderr.contains("NO PODMAN"), "{}", ended.story());
    }
    space
}

/// What `list` in there knows of the instance.
pub(crate) fn instance(space: &Space<'_>) -> Value {
    let list = space.run("list --json").code(0).json();
    list["instances"][0].clone()
}

/// The states of all containers in there.
pub(crate) fn states(space: &Space<'_>) -> Vec<String> {
    let inspect = "podman container inspect --format '{{.State.Status}}'";
    let line = format!("for id in $(podman ps --all --quiet); do {inspect} $id; done");
    let told = space.sh(&line).code(0).stdout.clone();
    told.lines().map(str::to_owned).collect()
}

fn run(podman: &str) -> String {
    format!(
        "run -t web -i pg --container-port 80 --stop-timeout 300ms -- \
         podman run {podman} {IMAGE} httpd -f -p 80 -h /www"
    )
}

pub(crate) fn page(space: &Space<'_>, port: u16) -> String {
    let line = format!("busybox wget -q -O - http://127.0.0.1:{port}/");
    space.sh(&line).code(0).stdout.clone()
}

/// Kills the supervisor and podman's command line, neither of which can react to the other's end.
pub(crate) fn crash(space: &Space<'_>, running: &Rc<Running>, instance: &Value) {
    let pids = ["supervisorPid", "pid"].map(|key| instance[key].as_i64().expect("a pid"));
    // Not stopped before: nsenter stops with its child, and would stay so.
    space.sh(&format!("kill -KILL {} {}", pids[0], pids[1])).code(0);
    running.wait();
}

#[test]
fn a_container_of_podman_is_published_shown_stopped_and_cleaned_up() {
    let sandbox = sandbox();
    let space = space(&sandbox);
    for podman in ["--rm", "--rm -d", "--name styxy-kept"] {
        let running = space.start(&run(podman));
        let port = running.ready().port;
        assert_eq!(page(&space, port).trim(), "hello");
        let shown = instance(&space);
        let container = &shown["container"];
        assert_eq!((&container["engine"], &container["image"]), (&"podman".into(), &IMAGE.into()));
        assert!(container["id"].is_string() && container["name"].is_string(), "{container}");
        space.run("stop pg").code(0);
        let ended = running.wait();
        if podman != "--rm -d" {
            // What podman has removed, its `wait` may not know any more.
            ended.code(137);
        }
        let kept: &[&str] = if podman.contains("--rm") { &[] } else { &["exited"] };
        assert_eq!(states(&space), kept, "{podman}");
    }
    space.sh("podman rm styxy-kept").code(0);

    let other = space.sh(&format!("podman run -d --label styxy.lock-id=x {IMAGE} sleep 600"));
    let running = space.start(&run("--rm"));
    running.ready();
    crash(&space, &running, &instance(&space));
    assert_eq!(states(&space), ["running", "running"], "it outlives its command line");
    space.run("cleanup").code(0);
    let left = space.sh("podman ps --all --quiet --no-trunc").code(0).stdout.clone();
    assert_eq!(left, other.stdout, "what is not styxy's is not touched");
}

#[test]
fn the_exit_code_is_podmans_and_a_kept_container_is_started_again() {
    let sandbox = sandbox();
    let space = space(&sandbox);
    let line = format!("run -t web -i pg --ready none -- podman run --rm {IMAGE} sh -c 'exit 7'");
    space.run(&line).code(7);
    // Once it is waited for; one that is faster, and removed, could not be asked any more.
    let go = "sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 7'";
    let line = line.replace("--rm", "--rm -d --name styxy-go").replace("sh -c 'exit 7'", go);
    let running = space.start(&line);
    let waits = "pgrep -f '[p]odman wait'";
    until_true("podman to be waiting", || !space.sh(waits).stdout.is_empty());
    // The container may be gone before this command line has written down that it was there: its code tells nothing.
    space.sh("podman exec styxy-go touch /go");
    running.wait().code(7);
    space.run("run --ready none -- podman run --pull never no-such-image").code(125);
    let words = "sh -c 'echo start >> /starts; test $(wc -l < /starts) = 3'";
    for detach in ["", "-d"] {
        let line = format!(
            "run -t web -i pg --ready none --restart on-failure -- \
             podman run {detach} --name styxy-kept {IMAGE} {words}"
        );
        space.run(&line).code(0);
        assert_eq!(states(&space), ["exited"]);
        space.sh("podman rm styxy-kept").code(0);
    }
}

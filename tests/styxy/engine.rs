//! A private Docker engine, one for all tests of a run. It ends with them.
//!
//! A machine on which it cannot run fails the tests that need it: nothing is passed over in silence.

use crate::sandbox::Sandbox;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

/// The image that `tests/engine` makes: a busybox with a page that says hello.
pub(crate) const IMAGE: &str = "styxy-test";

/// A running engine.
pub(crate) struct Engine {
    host: String,
    /// Closed by the end of this process: then the engine ends too.
    _life: ChildStdin,
}

/// The engine, started by the first who asks for it.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    let started = ENGINE.get_or_init(start);
    started
        .as_ref()
        .unwrap_or_else(|why| panic!("NO CONTAINER ENGINE, so nothing is tested: {why}"))
}

fn start() -> Result<Engine, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine");
    // A socket's path has to be short, and the target directory may lie deep.
    let folder = format!("/tmp/styxy-engine-{}", std::process::id());
    let mut child = Command::new("bash")
        .arg(script)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let life = child.stdin.take().expect("it is a pipe");
    let mut line = String::new();
    let read = BufReader::new(child.stdout.take().expect("it is a pipe")).read_line(&mut line);
    match line.trim_end().split_once('=') {
        Some(("DOCKER_HOST", host)) if read.is_ok() => {
            Ok(Engine { host: host.to_owned(), _life: life })
        }
        _ => Err("tests/engine could not start one; what it said stands above".to_owned()),
    }
}

impl Engine {
    /// A sandbox whose commands reach this engine.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.set("DOCKER_HOST", &self.host);
        sandbox
    }

    /// What `docker WORDS` prints; it has to succeed.
    #[track_caller]
    pub(crate) fn docker(&self, words: &[&str]) -> String {
        let output = Command::new("docker").args(words).env("DOCKER_HOST", &self.host).output();
        let output = output.expect("tests/setup has installed docker");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {words:?}: {complaint}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The states of an instance's containers, whatever they are.
    #[track_caller]
    pub(crate) fn states(&self, lock_id: &str) -> Vec<String> {
        let filter = format!("label=styxy.lock-id={lock_id}");
        let told = self.docker(&["ps", "--all", "--filter", &filter, "--format", "{{.State}}"]);
        told.lines().map(str::to_owned).collect()
    }

    /// How an instance's container has all that is left of it removed.
    #[track_caller]
    pub(crate) fn remove(&self, lock_id: &str) {
        let filter = format!("label=styxy.lock-id={lock_id}");
        for id in self.docker(&["ps", "--all", "--quiet", "--filter", &filter]).lines() {
            self.docker(&["rm", "--force", id]);
        }
    }
}

/// The lockId of what `list` knows of an instance.
#[track_caller]
pub(crate) fn lock_id(instance: &Value) -> String {
    instance["lockId"].as_str().expect("every instance has one").to_owned()
}

//! A private Docker engine, one for all tests of a run. It ends with them.
//!
//! A machine on which it cannot run fails the tests that need it: nothing is passed over in silence.

use crate::sandbox::Sandbox;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The image that `tests/engine` makes: a busybox with a page that says hello.
pub(crate) const IMAGE: &str = "styxy-test";

/// A running engine.
pub(crate) struct Engine {
    /// Where it is reached.
    pub(crate) host: String,
    /// Closed by the end of this process: then the engine ends too.
    life: ChildStdin,
    told: BufReader<ChildStdout>,
    script: Child,
}

/// The engine, started by the first who asks for it.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    let started = ENGINE.get_or_init(Engine::start);
    started
        .as_ref()
        .unwrap_or_else(|why| panic!("NO CONTAINER ENGINE, so nothing is tested: {why}"))
}

impl Engine {
    /// Another one, for a test that ends it.
    pub(crate) fn start() -> Result<Self, String> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine");
        // A socket's path has to be short, and the target directory may lie deep.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = format!("/tmp/styxy-engine-{}-{number}", std::process::id());
        let mut command = Command::new("bash");
        command.arg(script).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().map_err(|error| error.to_string())?;
        let life = script.stdin.take().expect("it is a pipe");
        let told = BufReader::new(script.stdout.take().expect("it is a pipe"));
        let mut engine = Self { host: String::new(), life, told, script };
        match engine.line().split_once('=') {
            Some(("DOCKER_HOST", host)) => engine.host = host.to_owned(),
            _ => {
                return Err(
                    "tests/engine could not start one; what it said stands above".to_owned()
                );
            }
        }
        Ok(engine)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("it is a pipe");
        line.trim_end().to_owned()
    }

    /// Ends its server, as for an upgrade.
    pub(crate) fn down(&mut self) {
        writeln!(self.life, "down").expect("it listens");
        assert_eq!(self.line(), "down");
    }

    /// Kills its server, which can tell its containers nothing.
    pub(crate) fn kill(&mut self) {
        writeln!(self.life, "killed").expect("it listens");
        assert_eq!(self.line(), "killed");
    }

    /// Halts its server, which takes connections and answers nobody.
    pub(crate) fn halt(&mut self) {
        writeln!(self.life, "halted").expect("it listens");
        assert_eq!(self.line(), "halted");
    }

    /// Starts its server again, or lets one that was halted go on.
    pub(crate) fn up(&mut self) {
        writeln!(self.life, "up").expect("it listens");
        assert_eq!(self.line(), "up");
    }

    /// A sandbox whose commands reach this engine.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.set("DOCKER_HOST", &self.host);
        sandbox
    }

    /// What `docker WORDS` prints; it has to succeed.
    #[track_caller]
    pub(crate) fn docker(&self, words: &[&str]) -> String {
        self.try_docker(words).unwrap_or_else(|complaint| panic!("docker {words:?}: {complaint}"))
    }

    /// What `docker WORDS` prints, or complains of.
    pub(crate) fn try_docker(&self, words: &[&str]) -> Result<String, String> {
        let output = Command::new("docker").args(words).env("DOCKER_HOST", &self.host).output();
        let output = output.expect("tests/setup has installed docker");
        let said = if output.status.success() { &output.stdout } else { &output.stderr };
        let said = String::from_utf8_lossy(said).trim_end().to_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    /// All its containers at one moment, whatever their state. No program is started for that.
    #[track_caller]
    pub(crate) fn containers(&self) -> Vec<Container> {
        let answer = self.get("/containers/json?all=1");
        let list = answer.split_once("\r\n\r\n").map(|(_, body)| serde_json::from_str(body));
        let Some(Ok(Value::Array(list))) = list else { panic!("no list: {answer}") };
        list.iter().map(Container::of).collect()
    }

    /// Whether it has such a container; for a moment it lists one longer.
    #[track_caller]
    pub(crate) fn knows(&self, container: &Container) -> bool {
        let answer = self.get(&format!("/containers/{}/json", container.id));
        !answer.starts_with("HTTP/1.0 404 ")
    }

    /// What it answers to a question over its socket.
    #[track_caller]
    fn get(&self, path: &str) -> String {
        let socket = self.host.strip_prefix("unix://").expect("it listens there");
        let mut stream = UnixStream::connect(socket).expect("the engine listens");
        stream.set_read_timeout(Some(crate::patience::LIMIT)).expect("a limit");
        let request = format!("GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the engine listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the engine answers");
        answer
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

/// A container, as its engine lists it.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) is_running: bool,
    /// The host's ports that lead to it.
    pub(crate) ports: Vec<u64>,
    labels: Value,
    /// Since when it is in which state, for people.
    #[expect(dead_code, reason = "shown where a test fails")]
    status: Value,
}

impl Container {
    fn of(listed: &Value) -> Self {
        let ports = listed["Ports"].as_array().into_iter().flatten();
        Self {
            id: listed["Id"].as_str().expect("each has one").to_owned(),
            is_running: listed["State"] == "running",
            ports: ports.filter_map(|port| port["PublicPort"].as_u64()).collect(),
            labels: listed["Labels"].clone(),
            status: listed["Status"].clone(),
        }
    }

    /// What the label says; nothing if it has none of that name.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels[name].as_str().unwrap_or_default()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // What is no word for it ends it; it may have ended already.
        let _ = writeln!(self.life, "end");
        let _ = self.script.wait();
    }
}

/// The lockId of what `list` knows of an instance.
#[track_caller]
pub(crate) fn lock_id(instance: &Value) -> String {
    instance["lockId"].as_str().expect("every instance has one").to_owned()
}

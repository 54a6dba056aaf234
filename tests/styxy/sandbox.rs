//! A place of its own for each test: state, configuration, home, project and ports.
//!
//! When it is dropped it ends what the test started, and fails the test if anything is left.

use crate::patience::{comes_true, until, until_true};
use crate::port_block::PortBlock;
use crate::processes;
use crate::running::{Ended, Ready, Running};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::cell::RefCell;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use tempfile::TempDir;

/// Where Debian has what tests start; the caller's own PATH may lead elsewhere.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Ports from here to the end of the block belong to no type of the sandbox: a test's own.
pub(crate) const FREE_PLACE: u16 = 240;

/// A place of its own for one test.
pub(crate) struct Sandbox {
    folder: TempDir,
    root: PathBuf,
    ports: PortBlock,
    variables: RefCell<Vec<(String, String)>>,
    started: RefCell<Vec<Rc<Running>>>,
}

impl Sandbox {
    /// With four types of its own: `web` (multi, 200 ports), `solo` (single), `lamp` (single by
    /// id), `tiny` (two ports).
    pub(crate) fn new() -> Self {
        Self::with_config(|ports| {
            let (web, solo) = (ports.range(0, 199), ports.range(200, 209));
            let (lamp, tiny) = (ports.range(210, 219), ports.range(220, 221));
            let single = "instance_behavior = \"single\"";
            format!(
                "[service_types.web]\nrange = {web}\n\n\
                 [service_types.solo]\nrange = {solo}\n{single}\n\n\
                 [service_types.lamp]\nrange = {lamp}\n{single}\nsingle_scope = \"id\"\n\n\
                 [service_types.tiny]\nrange = {tiny}\n"
            )
        })
    }

    /// One whose type `web` has one port, on which even a server without SO_REUSEADDR can start.
    pub(crate) fn rested() -> Self {
        Self::with_config(|ports| format!("[service_types.web]\nrange = {}\n", ports.rested()))
    }

    /// With a user's configuration of the test's own.
    pub(crate) fn with_config(config: impl FnOnce(&PortBlock) -> String) -> Self {
        let folder = tempfile::Builder::new().prefix("styxy-test-").tempdir().expect("a folder");
        // Servers that run as another user must be able to reach what is theirs in here.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our folder");
        let root = folder.path().canonicalize().expect("the folder is there");
        let ports = PortBlock::claim();
        let (variables, started) = Default::default();
        let sandbox = Self { folder, root, ports, variables, started };
        for place in [sandbox.project(), sandbox.home(), sandbox.root.join("output")] {
            fs::create_dir(place).expect("the sandbox can be written");
        }
        sandbox.write_config(&config(&sandbox.ports));
        sandbox
    }

    /// Everything of this sandbox is below it.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Where commands are started if nothing else is said.
    pub(crate) fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    /// A file in the project.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.project().join(name)
    }

    /// A new folder beside the project: another project, or data.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.root.join(name);
        fs::create_dir_all(&path).expect("the sandbox can be written");
        path
    }

    /// The port at that place of the sandbox's block.
    pub(crate) fn port(&self, place: u16) -> u16 {
        self.ports.port(place)
    }

    /// A port that no type of the sandbox has.
    pub(crate) fn free_port(&self) -> u16 {
        self.port(FREE_PLACE)
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.home().join(".config/styxy/config.toml")
    }

    pub(crate) fn write_config(&self, text: &str) {
        let file = self.config_file();
        fs::create_dir_all(file.parent().expect("it has a folder")).expect("our home");
        fs::write(file, text).expect("our home");
    }

    /// Any command in this sandbox: a clean environment, the project as working directory.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path())
            .env("HOME", self.home())
            .env("LANG", "C.UTF-8")
            .env("STYXY_STATE_DIR", self.state())
            .envs(self.variables.borrow().iter().cloned())
            .current_dir(self.project())
            .stdin(Stdio::null());
        command
    }

    /// From now on, every command of this sandbox has that variable.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.variables.borrow_mut().push((name.to_owned(), value.to_owned()));
    }

    /// A styxy command, not yet started. Words are split as a shell does, with single quotes.
    pub(crate) fn styxy(&self, words: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_styxy"));
        command.args(split(words));
        command
    }

    /// Starts a command of this sandbox.
    #[track_caller]
    pub(crate) fn start_command(&self, words: &str, command: Command) -> Rc<Running> {
        let number = self.started.borrow().len();
        let files = self.root.join(format!("output/{number}"));
        let running = Rc::new(Running::start(words, command, &files));
        self.started.borrow_mut().push(Rc::clone(&running));
        running
    }

    /// Starts `styxy WORDS`.
    #[track_caller]
    pub(crate) fn start(&self, words: &str) -> Rc<Running> {
        self.start_command(&format!("styxy {words}"), self.styxy(words))
    }

    /// Starts `styxy WORDS` and waits until it says that its server is ready.
    #[track_caller]
    pub(crate) fn serve(&self, words: &str) -> (Rc<Running>, Ready) {
        let running = self.start(words);
        let ready = running.ready();
        (running, ready)
    }

    /// Runs `styxy WORDS` to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &str) -> Ended {
        self.start(words).wait()
    }

    /// Runs `styxy WORDS` to its end in another folder.
    #[track_caller]
    pub(crate) fn run_in(&self, folder: &Path, words: &str) -> Ended {
        self.start_in(folder, words).wait()
    }

    /// Starts `styxy WORDS` in another folder.
    #[track_caller]
    pub(crate) fn start_in(&self, folder: &Path, words: &str) -> Rc<Running> {
        let mut command = self.styxy(words);
        command.current_dir(folder);
        self.start_command(&format!("styxy {words}"), command)
    }

    /// Runs a line of shell to its end; styxy is on its PATH.
    #[track_caller]
    pub(crate) fn sh(&self, line: &str) -> Ended {
        let mut command = self.command("bash");
        command.args(["-c", line]);
        self.start_command(line, command).wait()
    }

    /// What `styxy WORDS --json` prints; it has to succeed.
    #[track_caller]
    pub(crate) fn json(&self, words: &str) -> Value {
        self.run(&format!("{words} --json")).code(0).json()
    }

    /// What `styxy list --json` knows.
    #[track_caller]
    pub(crate) fn instances(&self) -> Vec<Value> {
        let mut list = self.json("list");
        match list["instances"].take() {
            Value::Array(instances) => instances,
            other => panic!("`instances` is no list: {other}"),
        }
    }

    /// What `list` knows of one instance.
    #[track_caller]
    pub(crate) fn instance(&self, service_type: &str, id: &str) -> Option<Value> {
        self.instances()
            .into_iter()
            .find(|instance| instance["type"] == service_type && instance["id"] == id)
    }

    /// Waits until `list` says that the instance is ready, and returns what it knows of it.
    #[track_caller]
    pub(crate) fn wait_until_ready(&self, service_type: &str, id: &str) -> Value {
        self.wait_for_phase(service_type, id, "ready")
    }

    /// Waits until `list` says that the instance is in the phase.
    #[track_caller]
    pub(crate) fn wait_for_phase(&self, service_type: &str, id: &str, phase: &str) -> Value {
        let event = format!("{service_type}/{id} in phase {phase}");
        let look = || self.peek(service_type, id).filter(|instance| instance["phase"] == phase);
        until(&event, look, || self.story())
    }

    /// What `list` knows of one instance, without a trace in the story.
    fn peek(&self, service_type: &str, id: &str) -> Option<Value> {
        let output = self.styxy("list --json").output().expect("styxy can be started");
        let mut list: Value = serde_json::from_slice(&output.stdout).ok()?;
        let is_it = |one: &Value| one["type"] == service_type && one["id"] == id;
        let place = list["instances"].as_array()?.iter().position(is_it)?;
        Some(list["instances"][place].take())
    }

    /// The record of the supervisor whose lockId begins like that.
    #[track_caller]
    pub(crate) fn record_of(&self, prefix: &str) -> PathBuf {
        let entries = fs::read_dir(self.state().join("run")).expect("there is a `run` folder");
        let mut records =
            entries.map(|entry| entry.expect("it can be read").path()).filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(prefix) && name.ends_with(".json")
            });
        records.next().unwrap_or_else(|| panic!("no record of {prefix}"))
    }

    /// Fails if any process of this sandbox is alive.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self) {
        let left = processes::of(&self.root);
        assert!(left.is_empty(), "left behind: {left:#?}\n{}", self.story());
    }

    /// All commands of this test with their output.
    pub(crate) fn story(&self) -> String {
        let started = self.started.borrow();
        started.iter().map(|running| running.story()).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            processes::end_all(&self.root);
            return;
        }
        let started = std::mem::take(&mut *self.started.borrow_mut());
        for running in &started {
            running.signal(Signal::SIGTERM);
        }
        for running in &started {
            running.wait();
        }
        // Who ended in the background has given its lease back a moment before it is gone.
        let mut left = Vec::new();
        comes_true(|| {
            left = processes::of(&self.root);
            left.is_empty()
        });
        processes::end_all(&self.root);
        let folder = self.folder.path().display();
        assert!(left.is_empty(), "the test left processes of {folder} behind: {left:#?}");
    }
}

/// Our children, what `tests/setup` installed, styxy, and the system.
fn path() -> String {
    let children = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/styxy/children");
    let styxy = Path::new(env!("CARGO_BIN_EXE_styxy")).parent().expect("it is in a folder");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in a folder");
    let (styxy, venv) = (styxy.display(), target.join("test-venv/bin"));
    format!("{children}:{styxy}:{SYSTEM_PATH}:{}", venv.display())
}

/// Splits a line into words; single quotes keep blanks together.
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut begun, mut quoted) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (quoted, begun) = (!quoted, true),
            c if c.is_whitespace() && !quoted => {
                if std::mem::take(&mut begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    assert!(!quoted, "a quote is not closed in `{line}`");
    words.extend(begun.then_some(word));
    words
}

/// Asks the HTTP server on the port, and returns the body of its answer.
#[track_caller]
pub(crate) fn ask(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .unwrap_or_else(|error| panic!("nobody answers on port {port}: {error}"));
    stream.set_read_timeout(Some(crate::patience::LIMIT)).expect("a limit");
    // In one write: a server that answers the first packet may be gone at the second.
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let answer = String::from_utf8_lossy(&answer);
    answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned())
}

/// The pid of the `child serve` that answers on the port.
#[track_caller]
pub(crate) fn server_pid(port: u16) -> i32 {
    let body = ask(port, "/");
    let pid = body.trim_end().strip_prefix("pid ").and_then(|pid| pid.parse().ok());
    pid.unwrap_or_else(|| panic!("no child of ours answers on port {port}: {body}"))
}

/// Waits until the file has that line.
pub(crate) fn wait_for_line(file: &Path, line: &str) {
    let read = || fs::read_to_string(file).unwrap_or_default();
    let event = format!("`{line}` in {}", file.display());
    until_true(&event, || read().lines().any(|found| found == line));
}

/// The pids that the `record=FILE` of our children wrote down, once there are that many.
pub(crate) fn recorded_pids(file: &Path, count: usize) -> Vec<i32> {
    let pids = || -> Vec<i32> {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().filter_map(|line| line.strip_prefix("start ")?.parse().ok()).collect()
    };
    until_true(&format!("{count} starts in {}", file.display()), || pids().len() >= count);
    pids()
}

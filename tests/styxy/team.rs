//! Two users who share a registry through a group's directory: each has what is theirs, and nobody can
//! touch the other's.

use crate::processes;
use crate::running::{Ended, Running};
use crate::sandbox::{Sandbox, server_pid};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, chown};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

/// Nobody on the machine has these numbers.
pub(crate) const ANNA: u32 = 54_001;
pub(crate) const BERT: u32 = 54_002;
/// In no group of theirs.
const EVE: u32 = 54_003;
const TEAM: u32 = 54_100;

/// A sandbox whose state directory belongs to the team.
pub(crate) struct Team {
    pub(crate) sandbox: Sandbox,
}

impl Team {
    pub(crate) fn new() -> Self {
        let root = nix::unistd::geteuid().is_root();
        assert!(root, "only root can be two other users: run this test as root, or in a container");
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.state()).expect("our own sandbox");
        let (nobody, team) = (Some(Uid::from_raw(ANNA)), Some(Gid::from_raw(TEAM)));
        chown(&sandbox.state(), nobody, team).expect("root may");
        mode(&sandbox.state(), 0o2770);
        mode(&sandbox.project(), 0o777);
        // What they start must be theirs to read, wherever this project lies.
        let bin = sandbox.folder("bin");
        let children = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/styxy/children/child");
        for (program, name) in [(env!("CARGO_BIN_EXE_styxy"), "styxy"), (children, "child")] {
            fs::copy(program, bin.join(name)).expect("our own sandbox");
            mode(&bin.join(name), 0o755);
        }
        Self { sandbox }
    }

    /// `styxy WORDS`, as that user, whose umask is 077 as a careful person's.
    fn command(&self, uid: u32, words: &str) -> Command {
        let groups =
            if uid == EVE { "--clear-groups".to_owned() } else { format!("--groups={TEAM}") };
        let mut command = self.sandbox.command("setpriv");
        let path = format!("{}:/usr/bin:/bin", self.sandbox.root().join("bin").display());
        command
            .args([&format!("--reuid={uid}"), &format!("--regid={uid}"), &groups, "--"])
            .args(["bash", "-c", &format!("umask 077; exec styxy {words}")])
            .env("PATH", path);
        command
    }

    #[track_caller]
    pub(crate) fn start(&self, uid: u32, words: &str) -> Rc<Running> {
        self.sandbox.start_command(&format!("{uid}: styxy {words}"), self.command(uid, words))
    }

    #[track_caller]
    pub(crate) fn run(&self, uid: u32, words: &str) -> Ended {
        self.start(uid, words).wait()
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("root may");
}

#[test]
fn two_users_share_the_ports_and_neither_stops_the_other() {
    let team = Team::new();
    let anna = team.start(ANNA, "run -t web -i a -- child serve");
    let of_anna = anna.ready();
    let bert = team.start(BERT, "run -t web -i b -- child serve");
    let of_bert = bert.ready();
    assert_ne!(of_anna.port, of_bert.port);
    let reserved = team.run(BERT, "allocate --type web --id c").code(0).port();
    assert!(reserved != of_anna.port && reserved != of_bert.port);

    // Whose each one is has a column where one is somebody else's.
    let listed = team.run(BERT, "list");
    for uid in [ANNA, BERT] {
        assert!(listed.code(0).stdout.contains(&format!("  {uid}  ")), "{}", listed.stdout);
    }

    for (user, other, name) in [(ANNA, BERT, "web/b"), (BERT, ANNA, "web/a")] {
        for words in ["stop", "stop --kill", "restart"] {
            let refused = team.run(user, &format!("{words} {name}"));
            refused.failed().said(&[name, &other.to_string()]);
        }
        assert_eq!(
            team.run(user, &format!("port {name}")).code(0).port(),
            match other {
                ANNA => of_anna.port,
                _ => of_bert.port,
            }
        );
    }
    assert_eq!(server_pid(of_anna.port), of_anna.pid);
    assert_eq!(server_pid(of_bert.port), of_bert.pid);

    // All of one's own is stopped; that there is more is said.
    team.run(BERT, "stop --all").failed().said(&["web/a", &ANNA.to_string()]);
    bert.wait().code(143);
    assert!(anna.is_running());
    team.run(ANNA, "stop web/a").code(0);
    anna.wait().code(143);
}

#[test]
fn who_replaces_what_belongs_to_another_starts_nothing() {
    let team = Team::new();
    let anna = team.start(ANNA, "run -t solo -i a -- child serve");
    let ready = anna.ready();

    for words in ["run -t solo -i a --if-running replace", "run -t solo -i b --if-running replace"]
    {
        team.run(BERT, &format!("{words} -- touch started")).failed().said(&["solo/a"]);
    }

    assert!(!team.sandbox.file("started").exists());
    assert_eq!(server_pid(ready.port), ready.pid);
    anna.end(Signal::SIGTERM).code(143);
}

#[test]
fn the_audit_log_names_both_and_the_files_are_the_teams() {
    let team = Team::new();
    team.run(ANNA, "run -d -t web -i a --ready none -- child sleep").code(0);
    team.run(BERT, "run -d -t web -i b --ready none -- child sleep").code(0);

    let audit = team.run(BERT, "audit --action allocate --json");
    let users: Vec<(String, String)> = audit.code(0).stdout.lines().map(user_and_id).collect();
    assert_eq!(users, [(ANNA.to_string(), "a".to_owned()), (BERT.to_string(), "b".to_owned())]);
    all_are_the_teams(&team.sandbox.state());

    team.run(ANNA, "stop web/a").code(0);
    team.run(BERT, "stop web/b").code(0);
}

fn user_and_id(line: &str) -> (String, String) {
    let line: Value = serde_json::from_str(line).expect("a line of the log is JSON");
    let field = |key: &str| line[key].as_str().expect("it is a text").to_owned();
    (field("user"), field("id"))
}

fn all_are_the_teams(folder: &Path) {
    for entry in fs::read_dir(folder).expect("root may") {
        let path = entry.expect("root may").path();
        let found = fs::symlink_metadata(&path).expect("it stays");
        let rights = if found.is_dir() { 0o2770 } else { 0o660 };
        assert_eq!((found.gid(), found.mode() & 0o7777), (TEAM, rights), "{}", path.display());
        if found.is_dir() {
            all_are_the_teams(&path);
        }
    }
}

#[test]
fn what_a_killed_supervisor_left_is_ended_by_its_user_alone() {
    let team = Team::new();
    let anna = team.start(ANNA, "run -t web -i a --stop-timeout 50ms -- child deaf serve");
    let ready = anna.ready();
    anna.end(Signal::SIGKILL);

    team.run(BERT, "cleanup");
    let other = team.run(BERT, "run -t web -i b -- bash -c 'echo $PORT'");
    assert_ne!(other.code(0).port(), ready.port, "its port is not free");
    team.run(BERT, "run -t web -i a -- touch started").failed().said(&["web/a"]);
    assert!(!team.sandbox.file("started").exists());
    assert!(processes::is_alive(ready.pid), "{}", team.sandbox.story());

    let again = team.run(ANNA, "run -t web -i a -- bash -c 'echo $PORT'");
    assert_eq!(again.code(0).port(), ready.port);
    assert!(!processes::is_alive(ready.pid));
}

#[test]
fn who_is_not_in_the_group_is_told_so() {
    let team = Team::new();
    team.run(ANNA, "run -t web -i a -- true").code(0);
    for words in ["run -t web -i a -- touch started", "list", "stop web/a"] {
        team.run(EVE, words).code(125).said(&[team.sandbox.state().to_str().unwrap()]);
    }
    assert!(!team.sandbox.file("started").exists());
}

#[test]
fn a_directory_that_a_user_may_only_read_is_read() {
    let team = Team::new();
    let anna = team.start(ANNA, "run -t web -i a -- child serve");
    let ready = anna.ready();
    mode(&team.sandbox.state(), 0o555);
    mode(&team.sandbox.state().join("run"), 0o555);

    let refused = team.run(ANNA, "run -d -t web -i b -- touch started");
    refused.code(125).said(&["state", "denied", "STYXY_STATE_DIR"]);
    assert_eq!(team.run(ANNA, "port web/a").code(0).port(), ready.port);
    assert!(!team.sandbox.file("started").exists());
    mode(&team.sandbox.state().join("run"), 0o2770);
    mode(&team.sandbox.state(), 0o2770);
    anna.end(Signal::SIGTERM).code(143);
}

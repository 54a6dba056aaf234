//! A witness: a script around a server that knows whether another one has its port or its name, whatever
//! styxy thinks of it.

use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use nix::sys::stat;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

/// The locks go with the server's last process. Of the type `solo` there is one instance, whatever its id.
/// Names mean something within one age: that of a state directory. A `flock` that was killed itself has
/// seen nobody.
const SCRIPT: &str = r#"#!/bin/sh
twice() { echo "$1 twice" >> "$TWICE"; exit 99; }
take() { flock -n "$1"; case $? in 0) ;; 1) twice "$2";; *) exit 98;; esac; }
name=$STYXY_TYPE-$STYXY_ID
case $STYXY_TYPE in solo) name=solo;; esac
exec 8> "$LOCKS/port-$PORT"; take 8 "port $PORT"
exec 9> "$LOCKS/name-$name$AGE"; take 9 "$name"
echo "start $$" >> "$LOCKS/starts"
exec "$@"
"#;

/// Puts it into the project, as `./witness COMMAND`.
pub(crate) fn call(sandbox: &Sandbox) {
    sandbox.folder("locks");
    let witness = sandbox.file("witness");
    fs::write(&witness, SCRIPT).expect("the sandbox can be written");
    fs::set_permissions(&witness, fs::Permissions::from_mode(0o755)).expect("our file");
}

/// A command below which it will be started.
pub(crate) fn listen<'a>(sandbox: &Sandbox, command: &'a mut Command) -> &'a mut Command {
    let root = sandbox.root();
    command.env("LOCKS", root.join("locks")).env("TWICE", root.join("twice"))
}

/// How many servers were started.
pub(crate) fn starts(sandbox: &Sandbox) -> usize {
    let starts = fs::read_to_string(sandbox.root().join("locks/starts"));
    starts.unwrap_or_default().lines().count()
}

/// The files whose locks are held at this moment: `name-NAMEAGE` and `port-PORT` of each server. Seen from outside:
/// whoever tries such a lock may be in a server's way.
pub(crate) fn claims(sandbox: &Sandbox) -> BTreeSet<String> {
    let held = fs::read_to_string("/proc/locks").expect("/proc is mounted");
    let held: BTreeSet<&str> = held
        .lines()
        .filter(|line| !line.contains("->"))
        .filter_map(|line| line.split_whitespace().find(|word| word.matches(':').count() == 2))
        .collect();
    let locks = fs::read_dir(sandbox.root().join("locks")).expect("it was called");
    let locks = locks.map(|entry| entry.expect("it can be read"));
    let is_held = |meta: &fs::Metadata| {
        let (major, minor) = (stat::major(meta.dev()), stat::minor(meta.dev()));
        held.contains(format!("{major:02x}:{minor:02x}:{}", meta.ino()).as_str())
    };
    locks
        .filter(|entry| entry.metadata().is_ok_and(|meta| is_held(&meta)))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Fails if it has seen two at once.
#[track_caller]
pub(crate) fn has_seen_nothing(sandbox: &Sandbox, seed: u64) {
    let twice = fs::read_to_string(sandbox.root().join("twice")).unwrap_or_default();
    assert_eq!(twice, "", "seed {seed}\n{}", sandbox.story());
}

#[test]
fn a_witness_tells_whose_locks_are_held() {
    let sandbox = Sandbox::new();
    call(&sandbox);
    let mut command = sandbox.styxy("run -t web -i a -- ./witness child serve");
    listen(&sandbox, &mut command).env("AGE", "0");
    let running = sandbox.start_command("a server with a witness", command);
    let port = running.ready().port;
    let expected = ["name-web-a0".to_owned(), format!("port-{port}")];
    assert_eq!(claims(&sandbox), BTreeSet::from(expected));
    running.end(Signal::SIGTERM).code(143);
    assert_eq!(claims(&sandbox), BTreeSet::new());
}

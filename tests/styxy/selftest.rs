//! `styxy selftest`: processes that are killed at any operation, power that is cut at any moment, and nothing
//! that was promised lost.

use crate::sandbox::Sandbox;
use serde_json::Value;
use std::fs;
use std::process::{Child, Stdio};

#[test]
fn ten_thousand_kills_and_thirty_thousand_power_cuts_lose_nothing() {
    let sandbox = Sandbox::new();
    let start = |_| {
        let mut command = sandbox.styxy("selftest --crash 5000 --power 15000 --json");
        command.env("TMPDIR", sandbox.root()).stdout(Stdio::piped());
        command.spawn().expect("styxy is built")
    };
    // One for each of two processors.
    let children: Vec<Child> = (0..2).map(start).collect();

    for child in children {
        let output = child.wait_with_output().expect("our own child");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["finding"], Value::Null, "{report:#}");
        let reached = |key: &str, count| report[key].as_u64().is_some_and(|found| found >= count);
        assert!(reached("kills", 5_000) && reached("states", 15_000), "{report:#}");
        assert!(output.status.success());
    }
    let left = fs::read_dir(sandbox.root()).unwrap().flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("selftest")).collect();
    assert!(left.is_empty(), "its directory is left: {left:?}");
    assert!(!sandbox.state().exists(), "the user's state is not touched");
}

#[test]
fn one_calm_line_tells_that_nothing_was_lost() {
    let sandbox = Sandbox::new();

    let ended = sandbox.run("selftest --crash 100 --power 100 --seed 7");

    assert_eq!(ended.code(0).stdout.lines().count(), 1);
    assert!(ended.stdout.contains("no range lost"), "{}", ended.story());
    assert!(ended.stdout.ends_with("(seed 7)\n"), "{}", ended.story());
}

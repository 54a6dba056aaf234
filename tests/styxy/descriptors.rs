//! What a child has open: the streams, what the caller passed on, and nothing of styxy's.
//!
//! Sockets that are passed on purpose are tested in `passed_sockets`.

use crate::pty::Terminal;
use crate::sandbox::{Sandbox, recorded_pids};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;

/// What a process has open: number, and what stands behind it.
fn open_in(pid: i32) -> BTreeSet<(String, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("it is alive and ours");
    let seen = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let behind = fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().into_string().ok()?, behind.to_string_lossy().into_owned()))
    });
    seen.collect()
}

/// The numbers alone.
fn numbers(pid: i32) -> Vec<i32> {
    let open = open_in(pid);
    let found: BTreeSet<i32> = open.iter().filter_map(|(number, _)| number.parse().ok()).collect();
    found.into_iter().collect()
}

/// What a test's own shell passes on, whatever that is on this machine.
const PASSED_ON: &str = "exec 7</dev/null 9>/dev/zero";

#[test]
fn a_child_has_what_it_would_have_without_styxy_also_after_a_restart() {
    let sandbox = Sandbox::new();
    let start = |line: &str| {
        let mut command = sandbox.command("bash");
        command.args(["-c", &format!("{PASSED_ON}; exec {line}")]);
        sandbox.start_command(line, command)
    };
    let bare = start("child record=bare sleep");
    let expected = numbers(recorded_pids(&sandbox.file("bare"), 1)[0]);
    assert!([0, 1, 2, 7, 9].iter().all(|number| expected.contains(number)), "{expected:?}");

    // With all that makes styxy open something: several ports, a claim, a check by a command, a restart.
    let flags = "--ports x,y --claim . --ready exec:true --health-interval 1s --restart always";
    let wrapped = start(&format!("styxy run -t web -i a {flags} -- child record=seen sleep"));
    for count in 1..3 {
        let child = recorded_pids(&sandbox.file("seen"), count)[count - 1];
        // Somebody attached has a connection to the supervisor, and is no business of the child's.
        let attached = sandbox.start("run -t web -i a -- child sleep");
        attached.says(&["attached"]);
        assert_eq!(numbers(child), expected, "start {count}");
        assert!(!open_in(child).iter().any(|(_, behind)| {
            behind.starts_with(sandbox.state().to_str().unwrap_or("?"))
                || behind.contains("inotify")
        }));
        attached.end(Signal::SIGINT).code(130);
        crate::processes::signal(child, Signal::SIGKILL);
    }
    wrapped.end(Signal::SIGTERM).failed();
    bare.end(Signal::SIGTERM).code(1015);
}

#[test]
fn in_the_background_it_has_the_three_streams_and_its_log() {
    let sandbox = Sandbox::new();
    let flags = "--ports x,y --claim . --restart always --ready exec:true";
    let line =
        format!("{PASSED_ON}; styxy run -d -t web -i a {flags} --json -- child record=seen sleep");
    sandbox.sh(&line).code(0);
    let log = sandbox.instance("web", "a").unwrap()["log"].as_str().unwrap().to_owned();
    for count in 1..3 {
        let child = recorded_pids(&sandbox.file("seen"), count)[count - 1];
        let streams = [("0", "/dev/null"), ("1", &log), ("2", &log)];
        let streams = streams.map(|(number, behind)| (number.to_owned(), behind.to_owned()));
        assert_eq!(open_in(child), streams.into(), "start {count}");
        crate::processes::signal(child, Signal::SIGKILL);
    }
    sandbox.run("stop web/a").code(0);
}

#[test]
fn the_command_of_a_check_has_the_three_streams() {
    let sandbox = Sandbox::new();
    let check = "exec:for n in /proc/$$/fd/*; do readlink $n; done >links; mv links seen";
    let mut command = sandbox.styxy("run -t web -i a --listen-fd --ready");
    command.args([check, "--", "sleep", "1000"]);
    let running = sandbox.start_command("styxy run", command);
    running.ready();

    let seen = fs::read_to_string(sandbox.file("seen")).unwrap();
    let foreign = |line: &&str| line.contains("socket:") || line.contains("/state/");
    assert_eq!(seen.lines().find(foreign), None, "{seen}");
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn at_a_terminal_it_has_the_terminal_three_times() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal
        .line("styxy run -t web -i a --quiet --ready none -- child record=seen say=begun lines");
    terminal.expect("begun");
    let child = recorded_pids(&sandbox.file("seen"), 1)[0];
    let tty = fs::read_link(format!("/proc/{child}/fd/0")).unwrap();

    assert!(tty.starts_with("/dev/pts"), "{tty:?}");
    let tty = tty.to_str().unwrap().to_owned();
    let streams = ["0", "1", "2"].map(|number| (number.to_owned(), tty.clone()));
    assert!(open_in(child).is_superset(&streams.into()));
    let bare = numbers(terminal.shell_pid());
    let own: Vec<i32> =
        numbers(child).into_iter().filter(|number| !bare.contains(number)).collect();
    assert_eq!(own, [] as [i32; 0]);
    terminal.line("exit 0");
    terminal.prompt();
    terminal.close();
}

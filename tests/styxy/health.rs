//! Whether an instance that was ready still works: what is said, what is done, and by whose answer.

use crate::patience::until_true;
use crate::processes::{self, is_alive};
use crate::sandbox::{Sandbox, recorded_pids, wait_for_line};
use nix::sys::signal::Signal;
use std::fs;
use std::net::TcpListener;

const OFTEN: &str = "--health-interval 20ms --health-retries 2";

/// Has the server answer with that status from now on. Renamed, so that it never reads half of it.
fn answer_with(sandbox: &Sandbox, status: &str) {
    fs::write(sandbox.file("next"), status).expect("our own project");
    fs::rename(sandbox.file("next"), sandbox.file("status")).expect("our own project");
}

#[test]
fn without_a_policy_unhealthy_is_said_and_taken_back() {
    let sandbox = Sandbox::new();
    answer_with(&sandbox, "200");
    let child = "child status=status serve";
    let words = format!("run -t web -i a --ready http:/ {OFTEN} -- {child}");
    let (running, ready) = sandbox.serve(&words);

    answer_with(&sandbox, "500");

    running.says(&["web/a", "unhealthy", "2 checks", "the answer was 500"]);
    let row = sandbox.wait_for_phase("web", "a", "unhealthy");
    assert_eq!((&row["restarts"], &row["pid"]), (&0.into(), &ready.pid.into()));
    sandbox.run(&format!("run -t web -i a -- {child}")).code(75).said(&["replace"]);

    answer_with(&sandbox, "204");

    running.says(&["web/a", "healthy again"]);
    sandbox.wait_until_ready("web", "a");
    assert!(is_alive(ready.pid));
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn with_a_policy_it_is_stopped_and_started_again() {
    let sandbox = Sandbox::new();
    answer_with(&sandbox, "200");
    let child = "child record=seen status=status fork=record=forked,sleep serve";
    let words = format!("run -t web -i a --ready http:/ {OFTEN} --restart on-failure -- {child}");
    let (running, ready) = sandbox.serve(&words);
    let forked = recorded_pids(&sandbox.file("forked"), 1)[0];

    answer_with(&sandbox, "500");

    running.says(&["unhealthy"]);
    recorded_pids(&sandbox.file("forked"), 2);
    answer_with(&sandbox, "200");
    // The whole tree was stopped, by the signal first.
    assert!(!is_alive(ready.pid) && !is_alive(forked));
    wait_for_line(&sandbox.file("seen"), "TERM");
    let row = sandbox.wait_until_ready("web", "a");
    assert_eq!(row["port"], ready.port);
    assert!(row["restarts"].as_u64().unwrap() >= 1);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_check_that_hangs_has_failed_and_is_gone() {
    let check = "for pid in $(cat pids); do kill -0 $pid && echo overlap >>bad; done 2>/dev/null; \
                 test -e ill || exit 0; echo $$ >>pids; sleep 1000 & echo $! >>pids; wait";
    let sandbox = Sandbox::new();
    let health = "--health-interval 20ms --health-timeout 300ms --health-retries 2";
    let words = format!("run -t web -i a --ready 'exec:{check}' {health} -- child serve");
    let (running, _) = sandbox.serve(&words);

    fs::write(sandbox.file("ill"), "").unwrap();

    running.says(&["unhealthy", "took too long"]);
    // On a busy machine a check may be over before it has begun to write.
    let written = || fs::read_to_string(sandbox.file("pids")).unwrap_or_default();
    until_true("two checks that hang", || written().lines().count() >= 4);
    fs::remove_file(sandbox.file("ill")).unwrap();
    running.says(&["healthy again"]);
    let text = fs::read_to_string(sandbox.file("pids")).unwrap();
    let pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(pids.len() >= 4, "{pids:?}");
    until_true("the end of all checks", || !pids.iter().any(|pid| is_alive(*pid)));
    assert!(!sandbox.file("bad").exists(), "two checks at once");
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_strangers_answer_is_no_sign_of_life() {
    let sandbox = Sandbox::new();
    // The server is gone, and what started it lives on.
    let script = "sh -c 'child record=seen serve; exec sleep 1000'";
    let (running, _) = sandbox.serve(&format!("run -t web -i a {OFTEN} -- {script}"));
    let server = recorded_pids(&sandbox.file("seen"), 1)[0];
    processes::signal(server, Signal::SIGKILL);
    until_true("the end of the server", || !is_alive(server));
    let _thief = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();

    running.says(&["unhealthy", "on"]);
    sandbox.wait_for_phase("web", "a", "unhealthy");

    running.end(Signal::SIGTERM).code(143);
}

//! Commands that end and are started again: when, how often, and what is kept meanwhile.

use crate::patience::{until, until_true};
use crate::processes;
use crate::running::Running;
use crate::sandbox::{Sandbox, ask, recorded_pids};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, UnixAddr, bind, socket};
use std::os::fd::AsRawFd;

/// How often it was started, by what it wrote down.
fn starts(sandbox: &Sandbox) -> usize {
    recorded_pids(&sandbox.file("seen"), 0).len()
}

/// Waits until it was said so many times that it waits before it is started again.
fn says_it_waits(running: &Running, times: usize) {
    let event = format!("{times} waits");
    let count = || running.stderr().matches("starting it again in").count();
    until(&event, || (count() >= times).then_some(()), || running.story());
}

/// Whether the port can be had by who does not ask to share it, or its name by another styxy.
fn is_given_up(port: u16) -> bool {
    let taken = |outcome: nix::Result<()>| match outcome {
        Ok(()) => false,
        Err(errno) => {
            assert_eq!(errno, Errno::EADDRINUSE);
            true
        }
    };
    let tcp = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
        .expect("sockets are left");
    let number = taken(bind(tcp.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)));
    let unix = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
        .expect("sockets are left");
    let address =
        UnixAddr::new_abstract(format!("styxy-port-{port}").as_bytes()).expect("sockets are left");
    let name = taken(bind(unix.as_raw_fd(), &address));
    !(number && name)
}

#[test]
fn port_name_and_lease_are_kept_between_attempts() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --restart always -- child record=seen serve";
    let (running, ready) = sandbox.serve(words);
    let before = sandbox.instance("web", "a").unwrap();

    for round in 1..=3 {
        let pids = recorded_pids(&sandbox.file("seen"), round);
        processes::signal(pids[round - 1], Signal::SIGKILL);
        until_true("the next start", || {
            assert!(!is_given_up(ready.port), "the port was to be had in round {round}");
            starts(&sandbox) > round
        });
        // It is ready for less than a second each time, so there is a wait before the next start.
        until_true("a server", || std::net::TcpStream::connect(("127.0.0.1", ready.port)).is_ok());
    }

    let after = sandbox.wait_until_ready("web", "a");
    assert_eq!(after["restarts"], 3);
    for kept in ["port", "lockId", "supervisorPid", "startedAt"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    running.end(Signal::SIGTERM).code(143);
    assert!(is_given_up(ready.port));
}

#[test]
fn the_policy_says_which_ends_are_answered() {
    for (policy, code, expected) in
        [("no", 1, 1), ("on-failure", 0, 1), ("on-failure:2", 3, 3), ("always", 127, 1)]
    {
        let sandbox = Sandbox::new();
        let words = format!("run -t web -i a --ready none --restart {policy}");
        sandbox.run(&format!("{words} -- child record=seen exit={code}")).code(code);
        assert_eq!(starts(&sandbox), expected, "{policy} {code}");
    }
}

#[test]
fn restarts_that_are_used_up_are_said() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --ready none --restart on-failure:1 -- child exit=3";
    sandbox.run(words).code(3).said(&["web/a is not started again", "1 times", "with 3"]);
}

#[test]
fn a_crash_loop_is_an_end_whatever_the_code() {
    for (code, detach, ready) in [(0, "", "none"), (3, "", "none"), (3, "-d", "tcp")] {
        let sandbox = Sandbox::new();
        let words =
            format!("run {detach} -t web -i a --no-reserve --ready {ready} --restart always");
        let ended = sandbox.run(&format!("{words} -- child record=seen say=boom exit={code}"));
        ended.code(code).said(&["5 times in a row"]);
        if detach == "-d" {
            ended.said(&["boom", "before it was ready"]);
        }
        assert_eq!(starts(&sandbox), 5);
        assert!(sandbox.instances().is_empty());
    }
}

#[test]
fn who_was_asked_to_end_is_not_started_again() {
    let sandbox = Sandbox::new();
    for stop in ["stop web/a", "stop --kill web/a"] {
        let _ = std::fs::remove_file(sandbox.file("seen"));
        let (running, _) =
            sandbox.serve("run -t web -i a --restart always -- child record=seen serve");
        sandbox.run(stop).code(0);
        running.wait().failed();
        assert_eq!(starts(&sandbox), 1, "{stop}");
    }
    let (running, ready) = sandbox.serve("run -t web -i a --restart always -- child serve");
    ask(ready.port, "/exit/0");
    running.says(&["starting it again"]);
    running.end(Signal::SIGINT).failed();
    assert!(sandbox.instances().is_empty());
}

#[test]
fn a_stop_during_a_wait_ends_it_at_once() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let sandbox = Sandbox::new();
        let words = "run -t web -i a --no-reserve --restart always -- child record=seen exit=1";
        let running = sandbox.start(words);
        // The fourth wait is the longest before it counts as a loop.
        says_it_waits(&running, 4);

        running.end(signal).code(code);

        assert_eq!(starts(&sandbox), 4);
        assert!(sandbox.instances().is_empty());
    }
}

//! `styxy restart`: the same instance on the same port, with another process.

use crate::patience::until_true;
use crate::processes::{self, is_alive};
use crate::sandbox::{Sandbox, ask, recorded_pids, server_pid};
use nix::sys::signal::Signal;
use std::fs;

#[test]
fn a_foreground_instance_keeps_its_port_and_gets_another_process() {
    let sandbox = Sandbox::new();
    let (running, first) = sandbox.serve("run -t web -i a -- child serve");
    let before = sandbox.instance("web", "a").unwrap();

    let answer = sandbox.run("restart web/a --json").code(0).json();

    let pid = server_pid(first.port);
    assert_ne!(pid, first.pid);
    assert!(!is_alive(first.pid));
    assert_eq!((&answer["port"], &answer["pid"]), (&first.port.into(), &pid.into()));
    let after = sandbox.instance("web", "a").unwrap();
    for key in ["lockId", "port", "supervisorPid", "startedAt"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!((&after["phase"], &after["restarts"]), (&"ready".into(), &1.into()));
    assert!(running.is_running());
    running.end(Signal::SIGTERM).code(143);
    sandbox.nothing_is_left();
}

#[test]
fn a_server_below_its_leader_that_ends_with_it_ends_nothing_that_is_new() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t web -i a -- child record=starts fork=serve sleep").code(0);
    // Leader and server end at the same time, and are often seen dead in one look.
    for times in 2..6 {
        sandbox.run("restart web/a").code(0);
        recorded_pids(&sandbox.file("starts"), times);
    }

    assert_eq!(sandbox.wait_until_ready("web", "a")["restarts"], 4);
    sandbox.run("stop web/a").code(0);
    sandbox.nothing_is_left();
}

#[test]
fn the_whole_tree_is_ended_before_it_starts_again() {
    let sandbox = Sandbox::new();
    let tree = "child daemon=record=below,deaf,sleep serve";
    sandbox.run(&format!("run -d -t web -i a --stop-timeout 200ms -- {tree}")).code(0);
    let below = recorded_pids(&sandbox.file("below"), 1)[0];

    sandbox.run("restart web/a").code(0).said(&["web/a", &sandbox.port(0).to_string()]);

    assert!(!is_alive(below));
    recorded_pids(&sandbox.file("below"), 2);
    sandbox.run("stop web/a").code(0);
    sandbox.nothing_is_left();
}

#[test]
fn who_follows_the_log_or_is_attached_stays() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t web -i a -- child say=up record=seen serve").code(0);
    let follow = sandbox.start("logs -f web/a");
    let attached = sandbox.start("run -t web -i a -- child say=up record=seen serve");
    attached.says(&["attached"]);

    sandbox.run("restart web/a").code(0);

    recorded_pids(&sandbox.file("seen"), 2);
    assert!(follow.is_running() && attached.is_running());
    let row = sandbox.instance("web", "a").unwrap();
    let supervisor = i32::try_from(row["supervisorPid"].as_i64().unwrap()).unwrap();
    ask(sandbox.port(0), "/exit/5");
    attached.wait().code(5);
    follow.wait().code(0).printed("up\nup\n");
    until_true("the end of the supervisor", || !is_alive(supervisor));
}

#[test]
fn two_who_ask_at_once_start_it_once_or_one_after_the_other() {
    let sandbox = Sandbox::new();
    let child = "child record=seen stay=go serve";
    sandbox.run(&format!("run -d -t web -i a --stop-timeout 20s -- {child}")).code(0);
    let asking = [sandbox.start("restart web/a"), sandbox.start("restart web/a")];
    sandbox.wait_for_phase("web", "a", "stopping");

    fs::write(sandbox.file("go"), "").unwrap();

    for one in asking {
        one.wait().code(0);
    }
    let restarts = sandbox.instance("web", "a").unwrap()["restarts"].as_u64().unwrap();
    let starts = recorded_pids(&sandbox.file("seen"), 2);
    // One that is stopped while it starts may not come to record itself.
    assert!((1..=2).contains(&restarts) && starts.len() as u64 <= restarts + 1, "{starts:?}");
    // Never two at once: all but the last are gone.
    let (last, earlier) = starts.split_last().unwrap();
    assert!(earlier.iter().all(|pid| !is_alive(*pid)));
    assert_eq!(server_pid(sandbox.port(0)), *last);
    sandbox.run("stop web/a").code(0);
}

#[test]
fn one_that_waits_to_be_started_again_is_started_at_once() {
    let sandbox = Sandbox::new();
    // It fails as long as `fail` is there.
    fs::write(sandbox.file("fail"), "").unwrap();
    let child = "sh -c 'test -e fail && exit 3; exec child serve'";
    let run = sandbox.start(&format!("run -t web -i a --restart always --no-reserve -- {child}"));
    run.says(&["starting it again in", "ms"]);
    // Held there, so that however slow the test is, the asking comes in time.
    run.signal(Signal::SIGSTOP);
    fs::remove_file(sandbox.file("fail")).unwrap();
    let restart = sandbox.start("restart web/a");
    run.signal(Signal::SIGCONT);

    restart.wait().code(0);

    assert_eq!(sandbox.instance("web", "a").unwrap()["phase"], "ready");
    run.end(Signal::SIGTERM).code(143);
}

#[test]
fn one_that_is_not_ready_in_time_runs_on() {
    let sandbox = Sandbox::new();
    let child = "sh -c 'test -e slow && child await=go exit=0; exec child serve'";
    sandbox.run(&format!("run -d -t web -i a -- {child}")).code(0);
    fs::write(sandbox.file("slow"), "").unwrap();

    let late = sandbox.run("restart web/a --timeout 1s");

    late.code(124).said(&["web/a", "1 s"]);
    fs::write(sandbox.file("go"), "").unwrap();
    sandbox.run("wait web/a").code(0);
    assert_eq!(sandbox.instance("web", "a").unwrap()["restarts"], 1);
    sandbox.run("stop web/a").code(0);
}

#[test]
fn its_own_time_to_get_ready_counts_if_no_other_is_given() {
    let sandbox = Sandbox::new();
    let child = "sh -c 'test -e slow && child await=go exit=0; exec child serve'";
    sandbox.run(&format!("run -d -t web -i a --ready-timeout 1s -- {child}")).code(0);
    fs::write(sandbox.file("slow"), "").unwrap();

    sandbox.run("restart web/a").code(124).said(&["1 s"]);

    sandbox.run("stop web/a").code(0);
}

#[test]
fn one_that_does_not_start_any_more_says_why() {
    let sandbox = Sandbox::new();
    let child = "sh -c 'test -e broken && echo no-model && exit 4; exec child serve'";
    sandbox.run(&format!("run -d -t web -i a --no-reserve -- {child}")).code(0);
    fs::write(sandbox.file("broken"), "").unwrap();

    sandbox.run("restart web/a").code(125).said(&["web/a", "ended with 4", "no-model"]);

    assert!(sandbox.instances().is_empty());
}

#[test]
fn what_does_not_run_is_not_restarted() {
    let sandbox = Sandbox::new();
    sandbox.run("restart web/a").code(2).said(&["no instance `web/a`"]);
    sandbox.run("allocate --type web --id a").code(0);
    sandbox.run("restart web/a").code(75).said(&["web/a", "reserved"]);
    let (running, _) = sandbox.serve("run -t web -i b -- child serve");
    running.end(Signal::SIGTERM).code(143);
    sandbox.run("restart web/b").code(2).said(&["no instance `web/b`"]);

    let killed = sandbox.start("run -t web -i c -- child deaf serve");
    killed.ready();
    processes::signal(killed.pid(), Signal::SIGKILL);
    killed.wait();
    sandbox.run("restart web/c").failed().said(&["web/c"]);
    sandbox.run("cleanup").code(0);
}

//! `run -d`: the launcher returns when the server is ready, and leaves it well looked after.

use crate::processes::{self, is_alive};
use crate::sandbox::{Sandbox, ask, recorded_pids, server_pid};
use nix::sys::signal::Signal;
use std::fs;

#[test]
fn it_returns_when_ready_with_the_port() {
    let sandbox = Sandbox::new();
    // In a substitution, which lasts until nobody holds its pipe any more.
    let started = sandbox.sh("port=$(styxy run -d -t web -i a -- child serve) && echo $port");

    let port = started.code(0).port();
    assert_eq!(port, sandbox.port(0));
    let row = sandbox.instance("web", "a").unwrap();
    assert_eq!((&row["phase"], &row["pid"]), (&"ready".into(), &server_pid(port).into()));
    sandbox.run("stop web/a").code(0);
    sandbox.nothing_is_left();
}

#[test]
fn its_supervisor_is_nobodys_child_and_on_no_terminal() {
    let sandbox = Sandbox::new();
    let lease = sandbox.run("run -d -t web -i a --json -- child serve").code(0).json();
    let row = sandbox.instance("web", "a").unwrap();
    let supervisor = i32::try_from(row["supervisorPid"].as_i64().unwrap()).unwrap();
    let leader = i32::try_from(lease["pid"].as_i64().unwrap()).unwrap();

    assert_eq!(processes::parent(leader), Some(supervisor));
    assert_ne!(processes::parent(supervisor), Some(std::process::id().cast_signed()));
    for process in [supervisor, leader] {
        let stdin = fs::read_link(format!("/proc/{process}/fd/0")).unwrap();
        assert_eq!(stdin.to_str(), Some("/dev/null"));
    }
    sandbox.run("stop web/a").code(0);
}

#[test]
fn its_output_is_in_the_log() {
    let sandbox = Sandbox::new();
    let run = "run -d -t web -i a -- sh -c 'echo to stdout; echo to stderr >&2; exec child serve'";
    sandbox.run(run).code(0);
    let log = sandbox.instance("web", "a").unwrap()["log"].as_str().unwrap().to_owned();
    assert!(log.starts_with(sandbox.state().join("logs/web").to_str().unwrap()), "{log}");

    sandbox.run("logs web/a").code(0).printed("to stdout\nto stderr\n");
    assert_eq!(fs::read_to_string(&log).unwrap(), "to stdout\nto stderr\n");
    sandbox.run("stop web/a").code(0);
    // It is there after the end too.
    sandbox.run("logs web/a").code(0).printed("to stdout\nto stderr\n");
}

#[test]
fn a_log_can_be_followed_to_its_end() {
    let sandbox = Sandbox::new();
    let child = "child record=seen say=first await=go say=second serve";
    sandbox.run(&format!("run -d -t web -i a --ready none -- {child}")).code(0);
    let follow = sandbox.start("logs --follow web/a");
    follow.prints(&["first"]);

    fs::write(sandbox.file("go"), "").unwrap();

    follow.prints(&["second"]);
    sandbox.run("stop web/a").code(0);
    follow.wait().code(0);
}

#[test]
fn one_that_does_not_get_ready_is_stopped_and_its_last_lines_are_shown() {
    let sandbox = Sandbox::new();
    let words = "run -d -t web -i a --ready-timeout 500ms --stop-timeout 500ms";

    let ended = sandbox.run(&format!("{words} -- child say=still-loading sleep"));

    ended.code(124).said(&["web/a", "still-loading"]).printed("");
    sandbox.nothing_is_left();
    assert!(sandbox.instances().is_empty());
}

#[test]
fn one_that_ends_before_it_is_ready_has_its_own_code() {
    let sandbox = Sandbox::new();
    sandbox
        .run("run -d -t web -i a --no-reserve -- child say=no-model exit=4")
        .code(4)
        .said(&["no-model"]);
    sandbox.run("run -d -t web -i a -- no-such-command").code(127);
    assert!(sandbox.instances().is_empty());
}

#[test]
fn it_outlives_its_launcher_and_its_session() {
    let sandbox = Sandbox::new();
    sandbox.sh("setsid bash -c 'styxy run -d -t web -i a -- child record=seen serve'").code(0);
    let row = sandbox.instance("web", "a").unwrap();

    // What a closing terminal does to everyone in its session.
    let pid = i32::try_from(row["supervisorPid"].as_i64().unwrap()).unwrap();
    assert!(is_alive(pid));
    assert_eq!(recorded_pids(&sandbox.file("seen"), 1), [server_pid(sandbox.port(0))]);

    sandbox.run("stop web/a").code(0);
}

#[test]
fn it_is_attached_to_and_replaced_like_any_other() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t solo -i rag -- child serve").code(0);
    let attached = sandbox.start("run -t solo -i rag -- child serve");
    attached.says(&["solo/rag"]);
    ask(sandbox.port(200), "/exit/6");
    attached.wait().code(6);

    let first = sandbox.run("run -d -t solo -i rag --json -- child serve").code(0).json();
    let second = sandbox.run("run -d -t solo -i rag --if-running replace --json -- child serve");
    let second = second.code(0).json();
    assert_eq!(second["port"], first["port"]);
    assert_ne!(second["pid"], first["pid"]);
    sandbox.run("stop solo/rag").code(0);
    sandbox.nothing_is_left();
}

#[test]
fn a_killed_one_is_cleared_up_by_the_next() {
    let sandbox = Sandbox::new();
    let tree = "child deaf daemon=record=seen,deaf,sleep serve";
    let run = format!("run -d -t web -i a --stop-timeout 200ms --json -- {tree}");
    let first = sandbox.run(&run).code(0).json();
    let row = sandbox.instance("web", "a").unwrap();
    let deaf = recorded_pids(&sandbox.file("seen"), 1)[0];
    let pid = i32::try_from(row["supervisorPid"].as_i64().unwrap()).unwrap();
    processes::signal(pid, Signal::SIGKILL);
    crate::patience::until_true("the end of the supervisor", || !is_alive(pid));

    let second = sandbox.run(&run).code(0).json();

    assert_eq!(second["port"], first["port"]);
    assert!(!is_alive(deaf));
    sandbox.run("stop web/a").code(0);
    sandbox.nothing_is_left();
}

#[test]
fn bad_input_is_refused_before_anything_is_left_running() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t web -i ../a -- true").code(2);
    sandbox.run("run -d -t web -i a --port 0 -- true").code(2);
    let _stranger = std::net::TcpListener::bind(("127.0.0.1", sandbox.free_port())).unwrap();
    let taken = format!("run -d -t web -i a --port {} -- child serve", sandbox.free_port());
    sandbox.run(&taken).code(69).said(&[&std::process::id().to_string()]);
    sandbox.nothing_is_left();
}

#[test]
fn a_person_sees_a_spinner_while_it_starts_and_the_port_then() {
    let sandbox = Sandbox::new();
    let mut terminal = crate::pty::Terminal::open(&sandbox);
    terminal.line("PATH=$PATH; styxy run -d -t web -i a -- child await=go serve");
    terminal.expect("web/a on port");
    terminal.expect("getting ready");

    fs::write(sandbox.file("go"), "").unwrap();

    terminal.expect(&format!("web/a  http://127.0.0.1:{}", sandbox.port(0)));
    assert_eq!(terminal.prompt().lines().last(), Some(&*sandbox.port(0).to_string()));
    // Nobody sees one who does not want to, or is no person.
    fs::remove_file(sandbox.file("go")).unwrap();
    terminal.line("styxy run -d -q -t web -i b --ready-timeout 1s -- child await=go serve");
    assert!(!terminal.prompt().contains("getting"));
    sandbox.run("run -d -t web -i c -- child serve").code(0);
    assert!(!sandbox.story().contains("getting"));
    sandbox.run("stop --all").code(0);
    terminal.close();
}

#[test]
fn a_person_who_does_not_want_to_wait_leaves_it_starting() {
    let sandbox = Sandbox::new();
    let mut terminal = crate::pty::Terminal::open(&sandbox);
    terminal.line("styxy run -d -t web -i a -- child await=go serve");
    terminal.expect("getting ready");

    terminal.keys(crate::pty::CTRL_C);

    terminal.expect("goes on in the background");
    terminal.prompt();
    assert_eq!(terminal.code(), 130);
    fs::write(sandbox.file("go"), "").unwrap();
    sandbox.run("wait web/a").code(0);
    sandbox.run("stop web/a").code(0);
    terminal.close();
}

#[test]
fn its_supervisor_does_not_wake_up_while_nothing_is_written() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t web -i a -- child say=hello serve").code(0);
    let row = sandbox.instance("web", "a").unwrap();
    let status = format!("/proc/{}/status", row["supervisorPid"]);
    let switches = || -> u64 {
        let status = fs::read_to_string(&status).unwrap();
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
    };
    // What was written at the start is looked at, and noted once more after a second.
    sandbox.sh("sleep 2");
    let before = switches();
    sandbox.sh("sleep 1");

    assert_eq!(switches(), before);
    sandbox.run("stop web/a").code(0);
}

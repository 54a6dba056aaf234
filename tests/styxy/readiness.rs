//! When an instance is ready: each way of telling, by the instance's own word or listener and nobody else's.

use crate::patience::until_true;
use crate::processes::is_alive;
use crate::sandbox::{Sandbox, recorded_pids, server_pid, wait_for_line};
use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, sendmsg, socket,
};
use std::fs::{self, File};
use std::io::{IoSlice, Read};
use std::net::TcpListener;
use std::os::fd::AsRawFd;

/// Where an instance is to speak, once it has written that down.
fn notify_socket(sandbox: &Sandbox) -> String {
    let told = || fs::read_to_string(sandbox.file("socket")).unwrap_or_default();
    until_true("the socket's name", || told().ends_with('\n'));
    told().trim_end().to_owned()
}

/// Says it from here, and waits until it was heard: a barrier falls only when all before it was.
fn say_as_a_stranger(name: &str, text: &str) {
    let address = UnixAddr::new_abstract(name.trim_start_matches('@').as_bytes())
        .expect("the socket is there");
    let speaker = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .expect("the socket is there");
    let (end, barrier) = nix::unistd::pipe().expect("the socket is there");
    let rights = [barrier.as_raw_fd()];
    let say = |text: &str, rights: &[ControlMessage<'_>]| {
        let parts = [IoSlice::new(text.as_bytes())];
        let flags = MsgFlags::empty();
        sendmsg(speaker.as_raw_fd(), &parts, rights, flags, Some(&address))
            .expect("the socket is there");
    };
    say(text, &[]);
    say("BARRIER=1", &[ControlMessage::ScmRights(&rights)]);
    drop(barrier);
    assert_eq!(File::from(end).read(&mut [0; 1]).expect("the socket is there"), 0);
}

#[test]
fn a_program_says_itself_that_it_is_ready() {
    let sandbox = Sandbox::new();
    let child = "child record=seen notify=STATUS=warm await=go notify=READY=1 sleep";
    let script = format!("echo $NOTIFY_SOCKET >socket; exec {child}");
    let running = sandbox.start(&format!("run -t web -i a --ready notify -- sh -c '{script}'"));
    recorded_pids(&sandbox.file("seen"), 1);
    assert_eq!(sandbox.instance("web", "a").unwrap()["phase"], "starting");
    let name = notify_socket(&sandbox);
    assert!(name.starts_with('@') && name.len() < 20, "{name}");

    fs::write(sandbox.file("go"), "").unwrap();

    running.ready();
    assert_eq!(sandbox.instance("web", "a").unwrap()["phase"], "ready");
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn only_the_tree_is_believed() {
    let sandbox = Sandbox::new();
    let script = "echo $NOTIFY_SOCKET >socket; exec child await=go notify=READY=1 sleep";
    let running = sandbox.start(&format!("run -t web -i a --ready notify -- sh -c '{script}'"));
    let name = notify_socket(&sandbox);

    say_as_a_stranger(&name, "READY=1\nSTOPPING=1");

    assert_eq!(sandbox.instance("web", "a").unwrap()["phase"], "starting");
    fs::write(sandbox.file("go"), "").unwrap();
    running.ready();
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn who_wants_more_time_gets_it() {
    let sandbox = Sandbox::new();
    let child =
        "child record=seen notify=EXTEND_TIMEOUT_USEC=600000000 await=go notify=READY=1 sleep";
    let words = format!("run -t web -i a --ready notify --ready-timeout 5s -- {child}");
    let running = sandbox.start(&words);
    recorded_pids(&sandbox.file("seen"), 1);
    // Longer than the time-out; another process sleeps it.
    sandbox.sh("sleep 6");
    assert!(running.is_running());
    fs::write(sandbox.file("go"), "").unwrap();

    running.ready();
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_daemon_may_name_its_main_process() {
    let sandbox = Sandbox::new();
    // It serves nothing: without a name nobody would know what to supervise.
    let main = "record=seen,notify=MAINPID=self+READY=1,await=go,exit=7";
    let words = format!("run -t web -i a --ready notify -- child daemon={main} exit=0");
    let running = sandbox.start(&words);
    let pid = recorded_pids(&sandbox.file("seen"), 1)[0];
    until_true("the main process to be named", || {
        sandbox.instance("web", "a").is_some_and(|row| row["pid"] == pid && row["phase"] == "ready")
    });

    fs::write(sandbox.file("go"), "").unwrap();

    running.wait().code(7);
}

#[test]
fn a_main_process_of_somebody_else_is_none() {
    let sandbox = Sandbox::new();
    let own = std::process::id();
    let rest = format!("record=seen,notify=MAINPID={own}+READY=1,await=go,exit=7");
    let running =
        sandbox.start(&format!("run -t web -i a --ready notify -- child daemon={rest} exit=0"));
    let row = sandbox.wait_until_ready("web", "a");
    assert_ne!(row["pid"], own);
    fs::write(sandbox.file("go"), "").unwrap();

    // Nobody was named, so it is the leader's code.
    running.wait().code(0);
}

#[test]
fn who_says_that_it_is_stopping_is_left_to_it() {
    let sandbox = Sandbox::new();
    let child = "child record=seen notify=READY=1 await=go notify=STOPPING=1 await=end exit=3";
    let (running, _) = sandbox.serve(&format!("run -t web -i a --ready notify -- {child}"));
    fs::write(sandbox.file("go"), "").unwrap();
    sandbox.wait_for_phase("web", "a", "stopping");

    fs::write(sandbox.file("end"), "").unwrap();

    running.wait().code(3);
    let seen = fs::read_to_string(sandbox.file("seen")).unwrap();
    assert!(!seen.contains("TERM"), "{seen}");
}

#[test]
fn what_it_last_said_is_told_when_it_is_late() {
    let sandbox = Sandbox::new();
    let child = "child notify='STATUS=loading the model' sleep";
    let words = format!("run -d -t web -i a --ready notify --ready-timeout 5s -- {child}");
    sandbox.run(&words).code(124).said(&["READY=1", "loading the model"]);
}

#[test]
fn a_server_that_ignores_its_port_is_found_where_it_is() {
    let sandbox = Sandbox::new();
    let elsewhere = sandbox.free_port();
    let child = format!("child record=seen serve=127.0.0.1:{elsewhere}");
    let ended = sandbox.run(&format!("run -d -t web -i a --ready-timeout 5s -- {child}"));

    let pid = recorded_pids(&sandbox.file("seen"), 1)[0];
    ended.code(124).said(&[
        &format!("port {elsewhere} (pid {pid}) instead of port {}", sandbox.port(0)),
        "{port}",
    ]);
    sandbox.nothing_is_left();
}

#[test]
fn a_stranger_on_its_port_is_named() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --ready-timeout 5s -- child record=seen sleep";
    let running = sandbox.start(words);
    recorded_pids(&sandbox.file("seen"), 1);
    let _thief = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();

    running.wait().code(124).said(&[&format!("(pid {})", std::process::id())]);
}

#[test]
fn an_answer_of_200_to_399_is_ready_and_a_redirect_is_not_followed() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("status"), "503").unwrap();
    let child = "child record=seen status=status serve";
    let running = sandbox.start(&format!("run -t web -i a --ready http:/health -- {child}"));
    wait_for_line(&sandbox.file("seen"), "GET /health 503");
    assert_eq!(sandbox.instance("web", "a").unwrap()["phase"], "starting");
    // Renamed, so that the server never reads half of it.
    fs::write(sandbox.file("next"), "302").unwrap();
    fs::rename(sandbox.file("next"), sandbox.file("status")).unwrap();

    running.ready();
    let seen = fs::read_to_string(sandbox.file("seen")).unwrap();
    assert!(!seen.contains("/away"), "{seen}");
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn an_answer_that_stays_wrong_is_told() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("status"), "503").unwrap();
    let words = "run -t web -i a --ready http:/health --ready-timeout 10s";
    let ended = sandbox.run(&format!("{words} -- child status=status serve"));
    ended.code(124).said(&["the answer was 503"]);
}

#[test]
fn a_check_that_hangs_is_killed_with_its_group_and_never_meets_the_next() {
    // Who was killed, and has not come to its end yet, does nothing any more: the kernel tells of the signal.
    let over = "^State:.[ZX]|^...Pnd:.*[13579bdf]..$";
    let check = format!(
        "for pid in $(cat pids); do text=$(cat /proc/$pid/status) && \
         ( echo \"$text\" | grep -Eq '{over}' || echo overlap >>bad ); done 2>/dev/null; \
         echo $$ >>pids; sleep 1000 & echo $! >>pids; test -e go || wait"
    );
    let sandbox = Sandbox::with_config(|ports| {
        let range = ports.range(0, 9);
        let ready = format!("{{ exec = '''{check}''', probe_timeout = \"300ms\" }}");
        format!("[service_types.web]\nrange = {range}\nreadiness = {ready}\n")
    });
    let running = sandbox.start("run -t web -i a -- child serve");
    let pids = || -> Vec<i32> {
        let text = fs::read_to_string(sandbox.file("pids")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    until_true("three checks", || pids().len() >= 6);
    until_true("the end of the first two", || !pids()[..4].iter().any(|pid| is_alive(*pid)));
    assert_eq!(sandbox.instance("web", "a").unwrap()["phase"], "starting");

    fs::write(sandbox.file("go"), "").unwrap();

    running.ready();
    // What a check left running that passed is gone too.
    until_true("the end of all checks", || !pids().iter().any(|pid| is_alive(*pid)));
    assert!(!sandbox.file("bad").exists(), "two checks at once");
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_check_that_asked_somebody_else_does_not_count() {
    let sandbox = Sandbox::new();
    let check = "exec:test -e go && echo passed >>checks";
    let running =
        sandbox.start(&format!("run -t web -i a --ready '{check}' -- child record=seen sleep"));
    recorded_pids(&sandbox.file("seen"), 1);
    let thief = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    fs::write(sandbox.file("go"), "").unwrap();
    let passed = || fs::read_to_string(sandbox.file("checks")).unwrap_or_default().lines().count();
    until_true("three checks that passed", || passed() >= 3);
    assert_eq!(sandbox.instance("web", "a").unwrap()["phase"], "starting");

    drop(thief);

    running.ready();
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_line_of_the_log_says_so() {
    let sandbox = Sandbox::new();
    let child = "child say=hello record=seen await=go 'say=ready in 12 ms' sleep";
    let launcher =
        sandbox.start(&format!("run -d -t web -i a --ready 'log:ready in [0-9]+ ms$' -- {child}"));
    recorded_pids(&sandbox.file("seen"), 1);
    assert!(launcher.is_running());
    fs::write(sandbox.file("go"), "").unwrap();

    assert_eq!(launcher.wait().code(0).port(), sandbox.port(0));
    sandbox.run("stop web/a").code(0);
    sandbox
        .run("run -d -t web -i a --ready 'log:(' -- true")
        .code(2)
        .said(&["`(` is not a regular expression", "unclosed group"]);
    sandbox.run("run -t web -i b --ready log:x -- true").code(2).said(&["-d"]);
    assert!(sandbox.instances().is_empty());
}

#[test]
fn restarts_do_not_put_off_the_time_out() {
    let sandbox = Sandbox::new();
    let words = "run -d -t web -i a --no-reserve --ready-timeout 3s --restart always";
    // Five ends would take longer than three seconds.
    sandbox.run(&format!("{words} -- sh -c 'sleep 1; exit 1'")).code(124);
    assert!(sandbox.instances().is_empty());
}

#[test]
fn who_waits_for_a_script_that_runs_another_instance_is_told_of_it() {
    let sandbox = Sandbox::new();
    let inner = "styxy run -t web -i inner -- child serve; exit";
    let words = format!("run -d -t web -i outer --ready-timeout 5s -- sh -c '{inner}'");
    let told = ["; below it a styxy (pid ", "hint: call it without `styxy run` in front"];
    sandbox.run(&words).code(124).said(&told);
    assert!(sandbox.instances().is_empty());
}

#[test]
fn a_nested_instance_does_not_speak_for_the_outer_one() {
    let sandbox = Sandbox::new();
    let inner = "styxy run -d -t web -i inner --ready none -- child record=seen await=go notify=READY=1 serve";
    let running = sandbox.start(&format!(
        "run -t web -i outer --ready notify -- sh -c '{inner} && exec child await=own notify=READY=1 sleep'"
    ));
    recorded_pids(&sandbox.file("seen"), 1);
    fs::write(sandbox.file("go"), "").unwrap();
    until_true("the inner one to have spoken", || {
        std::net::TcpStream::connect(("127.0.0.1", sandbox.port(1))).is_ok()
    });
    assert!(server_pid(sandbox.port(1)) > 0);
    assert_eq!(sandbox.instance("web", "outer").unwrap()["phase"], "starting");
    fs::write(sandbox.file("own"), "").unwrap();
    running.ready();
    running.end(Signal::SIGTERM).code(143);
    sandbox.run("stop web/inner").code(0);
}

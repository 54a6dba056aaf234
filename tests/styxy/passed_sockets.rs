//! `--listen-fd`: styxy listens, and the command is passed the sockets.

use crate::processes::{self, is_alive};
use crate::sandbox::{Sandbox, ask, recorded_pids, server_pid};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

/// The numbers of a process's descriptors.
fn descriptors(pid: i32) -> Vec<i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("it is alive and ours");
    let number = |name: &str| name.parse::<i32>().ok();
    let numbers = entries.filter_map(|entry| number(entry.ok()?.file_name().to_str()?));
    numbers.collect::<BTreeSet<_>>().into_iter().collect()
}

/// What stands behind a process's descriptor: a socket is known by its inode.
fn behind(pid: i32, descriptor: i32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).expect("it is open")
}

#[track_caller]
fn nobody_can_listen_on(port: u16) {
    for address in ["127.0.0.1", "0.0.0.0", "::1", "::"] {
        let thief = TcpListener::bind((address, port)).map_err(|error| error.kind());
        assert_eq!(thief.err(), Some(ErrorKind::AddrInUse), "{address}");
    }
}

#[test]
fn a_server_answers_on_the_socket_that_it_was_passed() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a --listen-fd -- child serve-passed");

    assert_eq!(server_pid(ready.port), ready.pid);
    nobody_can_listen_on(ready.port);
    sandbox.run(&format!("allocate --type web --id b --port {}", ready.port)).code(69);
    let checked = sandbox.json(&format!("check {}", ready.port));
    assert_eq!(checked["listener"]["pid"], ready.pid, "{checked}");
    running.end(Signal::SIGTERM).code(143);
    assert!(TcpStream::connect(("127.0.0.1", ready.port)).is_err(), "it still listens");
    assert_eq!(sandbox.json(&format!("check {}", ready.port))["free"], true);
}

#[test]
fn a_connection_waits_until_the_command_takes_it() {
    let sandbox = Sandbox::new();
    let child = "child record=seen await=go serve-passed";
    let (running, ready) = sandbox.serve(&format!("run -t web -i a --listen-fd -- {child}"));
    recorded_pids(&sandbox.file("seen"), 1);
    let mut early = TcpStream::connect(("127.0.0.1", ready.port)).unwrap();
    early.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    nobody_can_listen_on(ready.port);

    fs::write(sandbox.file("go"), "").unwrap();

    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(&format!("pid {}\n", ready.pid)), "{answer}");
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn several_ports_come_as_several_sockets_with_their_names() {
    let sandbox = Sandbox::new();
    let child = "child fork=await=never serve-passed=grpc";
    let words = format!("run -t web -i a --ports http,grpc,admin --listen-fd -- {child}");
    let (running, ready) = sandbox.serve(&words);

    let (http, grpc) = (sandbox.port(0), sandbox.port(1));
    assert_eq!(ready.port, http);
    assert_eq!(server_pid(grpc), ready.pid);
    assert_eq!(sandbox.instance("web", "a").unwrap()["ports"]["admin"], sandbox.port(2));
    (http..=sandbox.port(2)).for_each(nobody_can_listen_on);
    running.end(Signal::SIGTERM).code(143);

    // Also where the configuration says so.
    fs::write(sandbox.file("styxy.toml"), "[service_types.lamp]\nlisten_fd = true\n").unwrap();
    let lamp = "run -t lamp -i a --ready tcp -- sh -c 'readlink /proc/self/fd/3 | cut -c1-6'";
    sandbox.run(lamp).code(0).printed("socket\n");
    let show = "echo $LISTEN_FDS $LISTEN_FDNAMES; test $LISTEN_PID = $$";
    sandbox.run(&format!("run -t web -i b --listen-fd -- sh -c '{show}'")).code(0).printed("1 b\n");
    sandbox
        .run(&format!("run -t web -i b --ports x,y-z --listen-fd -- sh -c '{show}'"))
        .code(0)
        .printed("2 x:y-z\n");
}

#[test]
fn the_socket_outlives_each_start_of_the_command() {
    let sandbox = Sandbox::new();
    let words =
        "run -t web -i a --listen-fd --restart on-failure -- child record=seen serve-passed";
    let (running, ready) = sandbox.serve(words);
    let inode = behind(ready.pid, 3);
    for count in 2..4 {
        ask(ready.port, "/exit/1");
        // Never refused: it waits for the next one.
        let next = server_pid(ready.port);

        assert_eq!(recorded_pids(&sandbox.file("seen"), count)[count - 1], next);
        assert_eq!(behind(next, 3), inode);
    }
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn who_lets_go_of_its_socket_is_no_thief() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --listen-fd --ready http:/";

    let ended = sandbox.run(&format!("{words} -- sh -c 'exec 3<&-; exit 5'"));

    ended.code(5);
    assert!(!ended.stderr.contains("another"), "{}", ended.story());
}

#[test]
fn readiness_may_be_that_it_answers() {
    let sandbox = Sandbox::new();
    let child = "child record=seen await=go serve-passed";
    let words = format!("run -t web -i a --listen-fd --ready http:/ -- {child}");
    let running = sandbox.start(&words);
    recorded_pids(&sandbox.file("seen"), 1);
    assert_eq!(sandbox.wait_for_phase("web", "a", "starting")["readyAt"], serde_json::Value::Null);

    fs::write(sandbox.file("go"), "").unwrap();

    let ready = running.ready();
    assert_eq!(server_pid(ready.port), ready.pid);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn in_the_background_a_child_has_its_streams_and_its_sockets_and_nothing_else() {
    let sandbox = Sandbox::new();
    let line = "exec 3</dev/null 7</dev/null; styxy run -d -t web -i a --ready none --json";
    for (flags, expected) in [("", vec![0, 1, 2]), ("--listen-fd --ports x,y", vec![0, 1, 2, 3, 4])]
    {
        let ended = sandbox.sh(&format!("{line} {flags} -- sleep 1000"));
        let pid = i32::try_from(ended.code(0).json()["pid"].as_i64().unwrap()).unwrap();

        assert_eq!(descriptors(pid), expected, "{flags}");
        sandbox.run("stop web/a").code(0);
    }
    // In the foreground what the caller passed on stays, behind the sockets.
    let (around, ls) = ("exec 3</dev/null 4</dev/null 7</dev/null;", "ls /proc/self/fd");
    let bare = sandbox.sh(&format!("{around} {ls}"));
    let run = "styxy run -t web -i a --listen-fd --ports x,y --raw --";
    sandbox.sh(&format!("{around} {run} {ls}")).code(0).printed(&bare.code(0).stdout);
}

#[test]
fn an_inner_run_passes_on_what_it_was_passed_or_listens_itself() {
    for (outer, inner) in [("", "--listen-fd"), ("--listen-fd", "--listen-fd"), ("--listen-fd", "")]
    {
        let sandbox = Sandbox::new();
        let inner = format!("styxy run {inner} --ready none -- child serve-passed");
        let words = format!("run -t web -i a {outer} --ready http:/ -- {inner}");
        let (running, ready) = sandbox.serve(&words);

        assert_eq!(server_pid(ready.port), ready.pid);
        running.end(Signal::SIGTERM).code(143);
    }
    // Through a shell the pid is another one, which an inner run can put right.
    let sandbox = Sandbox::new();
    let inner = "styxy run --listen-fd -- child serve-passed; exit 3";
    let words = format!("run -t web -i a --listen-fd --ready http:/ -- sh -c '{inner}'");
    let (running, ready) = sandbox.serve(&words);
    ask(ready.port, "/exit/0");
    running.wait().code(3);
}

#[test]
fn what_a_killed_one_left_is_stopped_and_the_port_is_the_same_again() {
    let sandbox = Sandbox::new();
    let words = "run -t web -i a --listen-fd --stop-timeout 100ms -- child deaf serve-passed";
    let (running, ready) = sandbox.serve(words);
    assert_eq!(server_pid(ready.port), ready.pid);
    running.end(Signal::SIGKILL);
    // The server has the socket still, so the port is nobody else's.
    sandbox.run(&format!("run -t web -i b --port {} -- true", ready.port)).code(69);

    let (running, again) = sandbox.serve(words);

    assert_eq!(again.port, ready.port);
    assert!(!is_alive(ready.pid));
    processes::signal(again.pid, Signal::SIGKILL);
    running.wait().code(137);
}

#[test]
fn servers_that_know_of_passed_sockets_serve_on_them() {
    let sandbox = Sandbox::new();
    let server = "require('http').createServer((_, answer) => answer.end('a page of node'))\
                  .listen({ fd: 3 })";
    fs::write(sandbox.file("server.js"), server).unwrap();
    let app = "async def app(scope, receive, send):\n\
               \x20   await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n\
               \x20   await send({'type': 'http.response.body', 'body': b'a page of uvicorn'})\n";
    fs::write(sandbox.file("app.py"), app).unwrap();
    for (command, page) in [
        ("node server.js", "a page of node"),
        // Styxy knows its flag for a port, and does not add it.
        ("uvicorn --fd 3 --lifespan off app:app", "a page of uvicorn"),
    ] {
        let words = format!("run -t web -i a --listen-fd --ready http:/ -- {command}");
        let (running, ready) = sandbox.serve(&words);

        assert_eq!(ask(ready.port, "/"), page, "{}", running.story());
        running.end(Signal::SIGTERM);
    }
}

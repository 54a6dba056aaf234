//! `styxy serve`: who is let in, and what is answered, by TCP and by the socket.

use crate::patience::{until, until_true};
use crate::running::Running;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

/// A server of the sandbox's own.
pub(crate) struct Served {
    pub(crate) running: Rc<Running>,
    pub(crate) port: u16,
    pub(crate) url: String,
    pub(crate) token: String,
}

/// An answer: status, head and body, and the body's bytes, where it is no text.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

/// Starts a server on a port of the sandbox's block.
pub(crate) fn served(sandbox: &Sandbox) -> Served {
    served_by(sandbox, |words| sandbox.start(words))
}

/// The same, started by somebody else.
pub(crate) fn served_by(sandbox: &Sandbox, start: impl FnOnce(&str) -> Rc<Running>) -> Served {
    let port = sandbox.port(250);
    let running = start(&format!("serve --port {port} --json"));
    let line = until(
        "the address",
        || running.stdout().lines().next().map(str::to_owned),
        || sandbox.story(),
    );
    let said: Value = serde_json::from_str(&line).expect("it prints JSON");
    assert_eq!(said["port"], port);
    let token = fs::read_to_string(sandbox.state().join("auth.token")).expect("a token");
    let url = said["url"].as_str().expect("an address").to_owned();
    Served { running, port, url, token: token.trim().to_owned() }
}

/// Sends bytes, and reads the whole answer.
fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> Answer {
    // Who is refused early need not read the rest.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let border = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let bytes = border.map_or_else(Vec::new, |border| answer.split_off(border)[4..].to_vec());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let head = text(&answer);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head, body: text(&bytes), bytes }
}

/// A request with these headers and no others.
pub(crate) fn send(port: u16, request: &str, headers: &[&str], body: &str) -> Answer {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(crate::patience::LIMIT)).expect("a limit");
    exchange(stream, written(request, headers, body).as_bytes())
}

pub(crate) fn written(request: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length =
        if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{request} HTTP/1.1\r\n{headers}{length}Connection: close\r\n\r\n{body}")
}

impl Served {
    /// A request as a client with the token sends it.
    pub(crate) fn ask(&self, request: &str, body: &Value) -> Answer {
        let (host, token) = (
            format!("Host: 127.0.0.1:{}", self.port),
            format!("Authorization: Bearer {}", self.token),
        );
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(self.port, request, &[&host, &token, "Content-Type: application/json"], &body)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask(&format!("GET {path}"), &Value::Null);
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        answer.json()
    }
}

/// Host, Origin, Sec-Fetch-Site, token, content type and body, each right or wrong, against each other.
#[test]
fn who_has_no_business_here_is_sent_away() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let port = served.port;
    let right = format!("Host: 127.0.0.1:{port}");
    let named = format!("Host: localhost:{port}");
    let bearer = format!("Authorization: Bearer {}", served.token);
    let key = format!("X-API-Key: {}", served.token);
    let ours = format!("Origin: http://127.0.0.1:{port}");
    let (json, form) = ("Content-Type: application/json", "Content-Type: text/plain");
    let (right, named, bearer, key, ours) =
        (right.as_str(), named.as_str(), bearer.as_str(), key.as_str(), ours.as_str());
    let (wrong_token, no_token) = ("Authorization: Bearer 0123", "Accept: */*");
    let mut count = 0;
    let mut check = |request: &str, headers: &[&str], body: &str, expected: u16| {
        let answer = send(port, request, headers, body);
        assert_eq!(answer.status, expected, "{request} {headers:?}: {}", answer.body);
        let allows = answer.head.to_ascii_lowercase().contains("access-control-");
        assert!(!allows, "{request}: {}", answer.head);
        count += 1;
    };
    // Host × token, for reading and for changing.
    let web = r#"{"service_type":"web","service_name":"guarded","dry_run":true}"#;
    for (host, good) in [
        (right, true),
        (named, true),
        ("Host: [::1]:80", true),
        ("Host: 127.0.0.1", true),
        ("Host: evil.example", false),
        ("Host: 127.0.0.1.evil.example", false),
        ("Host: 0.0.0.0", false),
    ] {
        let status = |let_in: u16| if good { let_in } else { 421 };
        check("GET /allocations", &[host, bearer], "", status(200));
        check("GET /allocations", &[host, key], "", status(200));
        check("GET /allocations", &[host, wrong_token], "", status(401));
        check("GET /allocations", &[host, no_token], "", status(401));
        check("POST /allocate", &[host, bearer, json], web, status(200));
        check("GET /health", &[host], "", status(200));
        check("GET /", &[host], "", status(200));
    }
    // Origin and Sec-Fetch-Site, with the token.
    for (line, expected) in [
        (ours, 200),
        ("Origin: null", 403),
        ("Origin: http://evil.example", 403),
        ("Origin: http://localhost:1", 403),
        ("Sec-Fetch-Site: same-origin", 200),
        ("Sec-Fetch-Site: none", 200),
        ("Sec-Fetch-Site: same-site", 403),
        ("Sec-Fetch-Site: cross-site", 403),
    ] {
        check("GET /allocations", &[right, bearer, line], "", expected);
        check("POST /allocate", &[right, bearer, json, line], web, expected);
        check("GET /metrics", &[right, line], "", expected);
    }
    // Methods, paths, content types and bodies.
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(70_000));
    check("OPTIONS /allocate", &[right, ours], "", 405);
    check("PATCH /allocate", &[right, bearer], "", 405);
    check("GET /allocate", &[right, bearer], "", 405);
    check("GET /nothing", &[right, bearer], "", 404);
    check("GET /ui/../app.js", &[right, bearer], "", 404);
    check("POST /allocate", &[right, bearer, form], web, 415);
    check("POST /allocate", &[right, bearer], web, 415);
    check("POST /allocate", &[right, bearer, json], "[1]", 400);
    check("POST /allocate", &[right, bearer, json], "{", 400);
    check("POST /allocate", &[right, bearer, json], "{}", 400);
    check("POST /allocate", &[right, bearer, json], &large, 413);
    check("POST /allocate", &[right, json], &large, 401);
    check("POST /allocate", &[right, bearer, json], r#"{"service_type":"../x"}"#, 400);
    check(
        "POST /allocate",
        &[right, bearer, json],
        r#"{"service_type":"web","serviceType":"a"}"#,
        400,
    );
    check("POST /run", &[right, bearer, json], r#"{"command":["true"]}"#, 403);
    check("POST /session", &[right, json], r#"{"code":"wrong"}"#, 401);
    check("GET /check/0", &[right, bearer], "", 400);
    check("GET /check/65536", &[right, bearer], "", 400);
    check("GET /instances/web%2Fnobody", &[right, bearer], "", 404);
    check("DELETE /allocate/web-nobody-000000", &[right, bearer], "", 400);
    check("GET /allocations", &[right, right, bearer], "", 400);
    check("GET /allocations", &[bearer], "", 400);
    check("HEAD /health", &[right], "", 200);
    assert!(count >= 60, "{count} requests");
    assert_eq!(served.get("/allocations")["allocations"].as_array().map(Vec::len), Some(1));
}

#[test]
fn slow_and_endless_heads_do_not_hold_the_server() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let mut silent: Vec<TcpStream> = (0..32)
        .map(|_| TcpStream::connect(("127.0.0.1", served.port)).expect("it listens"))
        .collect();
    silent.iter_mut().for_each(|stream| stream.write_all(b"GET / HTTP/1.1\r\nHos").expect("sent"));
    assert_eq!(served.get("/health")["status"], "ok");
    let long = format!("X-Long: {}", "x".repeat(40_000));
    let answer = send(served.port, "GET /health", &["Host: localhost", &long], "");
    assert_eq!(answer.status, 431);
    let many: Vec<String> = (0..200).map(|number| format!("X-{number}: x")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(send(served.port, "GET /health", &many, "").status, 431);
    // The server hangs up on those who say nothing.
    for stream in &mut silent {
        stream.set_read_timeout(Some(crate::patience::LIMIT)).expect("a limit");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("hung up, not timed out");
    }
}

#[test]
fn a_lease_is_made_and_given_back_as_with_the_original_daemon() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let made = served.ask("POST /allocate", &json!({"serviceType": "web", "serviceName": "shop"}));
    let made = made.json();
    assert_eq!((&made["success"], &made["port"]), (&json!(true), &json!(sandbox.port(0))));
    assert_eq!(made["lock_id"], made["lockId"]);
    assert!(made.get("auto_allocated").is_none(), "{made}");
    let body = json!({"service_type": "web", "instance_id": "a", "service_name": "shop"});
    let held = served.ask("POST /allocate", &body).json();
    assert_ne!(held["port"], made["port"], "a holder is a scope of its own");
    let again = served.ask("POST /allocate", &body).json();
    assert_eq!((&again["existing"], &again["port"]), (&json!(true), &held["port"]));
    assert_eq!(again["existingInstanceId"], "shop");
    let new = served.ask("POST /allocate", &json!({"service_type": "fresh", "service_name": "x"}));
    let new = new.json();
    assert_eq!(new["auto_allocated"], true, "{new}");
    assert_eq!(new["allocated_range"][0], new["port"]);
    assert_eq!(new["chunk_size"], 10);
    let path = format!("/check/{}", made["port"]);
    let check = served.get(&path);
    assert_eq!(
        (&check["available"], &check["allocated_to"]["service_name"]),
        (&json!(false), &json!("shop"))
    );
    let listed = served.get("/allocations");
    let listed = listed["allocations"].as_array().expect("a list");
    assert_eq!(listed.len(), 4, "with the server's own: {listed:?}");
    for key in
        ["lockId", "service_type", "serviceType", "instance_id", "project_path", "process_id"]
    {
        assert!(listed[0].get(key).is_some(), "{key} is not in {}", listed[0]);
    }
    let lock_id = made["lockId"].as_str().expect("a lockId");
    let gone = served.ask(&format!("DELETE /allocate/{lock_id}"), &Value::Null);
    assert_eq!((gone.status, &gone.json()["port"]), (200, &made["port"]));
    let again = served.ask(&format!("DELETE /allocate/{lock_id}"), &Value::Null);
    assert_eq!((again.status, &again.json()["success"]), (400, &json!(false)));
    assert_eq!(served.get("/status")["status"], "running");
    assert_eq!(served.get("/config")["service_types"]["web"]["portRange"][0], sandbox.port(0));
    let document = served.get("/openapi.json");
    assert_eq!(document["openapi"], "3.1.0");
    let described = &document["components"]["schemas"]["Instance"]["properties"];
    assert_eq!(names(&served.get("/instances")["instances"][0]), names(described));
    // What the command line sees is the same.
    assert_eq!(sandbox.instances().len(), 3);
}

fn names(object: &Value) -> BTreeSet<&String> {
    object.as_object().expect("an object").keys().collect()
}

#[test]
fn the_code_is_good_once_and_the_token_is_its_owners_alone() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let mode = fs::metadata(sandbox.state().join("auth.token")).expect("a token").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let mode = fs::metadata(sandbox.state().join("serve.sock")).expect("a socket").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let (_, code) = served.url.split_once("#code=").expect("a code in the fragment");
    let swap = || {
        let host = format!("Host: 127.0.0.1:{}", served.port);
        let origin = format!("Origin: http://127.0.0.1:{}", served.port);
        let body = json!({ "code": code }).to_string();
        send(
            served.port,
            "POST /session",
            &[&host, &origin, "Content-Type: application/json"],
            &body,
        )
    };
    let session = swap();
    assert_eq!(session.status, 200, "{}", session.body);
    let session = session.json()["token"].as_str().expect("a token").to_owned();
    assert_ne!(session, served.token);
    let page = Served {
        token: session,
        url: String::new(),
        running: Rc::clone(&served.running),
        ..served
    };
    page.get("/allocations");
    assert_eq!(swap().status, 401);
}

#[test]
fn a_second_serve_attaches_and_the_lease_ends_with_the_first() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let own = sandbox.instance("coordination", "styxy").expect("its own lease");
    assert_eq!(own["port"], served.port);
    let second = sandbox.start("serve --json");
    let line = until(
        "the address",
        || second.stdout().lines().next().map(str::to_owned),
        || sandbox.story(),
    );
    let said: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&said["existing"], &said["port"]), (&json!(true), &json!(served.port)));
    assert_ne!(said["url"], served.url, "a code of its own");
    served.running.signal(Signal::SIGTERM);
    served.running.wait().code(143);
    second.wait().code(0);
    assert_eq!(sandbox.instances(), Vec::<Value>::new());
    assert!(!sandbox.state().join("serve.sock").exists());
}

#[test]
fn the_socket_needs_no_token_and_takes_a_command_line() {
    let sandbox = Sandbox::new();
    let _served = served(&sandbox);
    let by_socket = |request: &str, body: &str| {
        let stream = UnixStream::connect(sandbox.state().join("serve.sock")).expect("it listens");
        let headers = ["Host: styxy", "Content-Type: application/json"];
        exchange(stream, written(request, &headers, body).as_bytes())
    };
    assert_eq!(by_socket("GET /allocations", "").status, 200);
    let body = json!({
        "service_type": "web", "instance_id": "by-socket", "command": ["child", "serve"],
        "project_path": sandbox.project(),
    });
    let started = by_socket("POST /run", &body.to_string());
    assert_eq!(started.status, 200, "{}", started.body);
    sandbox.wait_until_ready("web", "by-socket");
    let wrong = by_socket("POST /run", r#"{"command":["no-such-command-here"]}"#);
    assert_eq!((wrong.status, &wrong.json()["kind"]), (400, &json!("not-found")), "{}", wrong.body);
    let lock_id = started.json()["lockId"].as_str().expect("a lockId").to_owned();
    let again = by_socket(&format!("POST /instances/{lock_id}/restart"), "");
    assert_eq!(again.status, 200, "{}", again.body);
    sandbox.wait_until_ready("web", "by-socket");
    let stopped = by_socket(&format!("POST /instances/{lock_id}/stop"), "");
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    assert_eq!(sandbox.instance("web", "by-socket"), None);
}

#[test]
fn a_lease_of_another_process_is_told_at_once() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let mut stream = TcpStream::connect(("127.0.0.1", served.port)).expect("it listens");
    stream.set_read_timeout(Some(crate::patience::LIMIT)).expect("a limit");
    let token = format!("X-API-Key: {}", served.token);
    stream
        .write_all(written("GET /events", &["Host: localhost", &token], "").as_bytes())
        .expect("sent");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.find(|line| line == "event: snapshot").expect("a snapshot");
    sandbox.run("allocate -t web -i told").code(0);
    let told = lines.find(|line| line.starts_with("data: ") && line.contains("\"told\""));
    assert!(told.expect("a change").contains("\"allocate\""));
    sandbox.run("release web/told").code(0);
    let told =
        lines.find(|line| line.starts_with("data: ") && line.contains("\"gone\":[\"web-told"));
    assert!(told.is_some());
}

#[test]
fn a_detached_server_is_an_instance_like_any_other() {
    let sandbox = Sandbox::new();
    let port = sandbox.port(250);
    for existing in [false, true] {
        let said = sandbox.json(&format!("serve --detach --port {port}"));
        assert_eq!((&said["port"], &said["existing"]), (&json!(port), &json!(existing)));
    }
    let served = sandbox.wait_until_ready("coordination", "styxy");
    assert_eq!(served["port"], port);
    until_true("an answer", || send(port, "GET /health", &["Host: localhost"], "").status == 200);
    sandbox.run("stop coordination/styxy").code(0);
    assert_eq!(sandbox.instances(), Vec::<Value>::new());
}

/// Whoever comes while another one is about to listen meets it all the same.
#[test]
fn one_that_only_begins_to_serve_is_waited_for() {
    // The first time it listens is at its socket, the second time at its port: each a while late.
    for (time, first, second) in [
        (1, "serve --json", Some("serve --json")),
        (1, "serve --detach --json", None),
        (2, "serve --detach --json", None),
    ] {
        let sandbox = Sandbox::new();
        let line = |running: &Running| {
            let line = || running.stdout().lines().next().map(str::to_owned);
            let line = until("the address", line, || sandbox.story());
            serde_json::from_str::<Value>(&line).expect("JSON")
        };
        let port = sandbox.port(250);
        let mut late = sandbox.command("strace");
        let delay = format!("inject=listen:delay_enter=1s:when={time}");
        late.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=listen", "-e", &delay, "styxy"]);
        late.args(first.split(' ')).args(["--port", &port.to_string()]);
        let late = sandbox.start_command("a late server", late);
        if let Some(second) = second {
            until_true("its lease", || sandbox.instance("coordination", "styxy").is_some());
            let second = sandbox.start(second);
            let said = line(&second);
            assert_eq!((&said["existing"], &said["port"]), (&json!(true), &json!(port)));
        }
        assert_eq!(line(&late)["port"], port);
        sandbox.run("stop coordination/styxy").code(0);
        late.wait();
        assert_eq!(sandbox.instances(), Vec::<Value>::new());
    }
}

#[test]
fn metrics_count_what_every_process_did_and_survive_a_restart() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate -t web -i counted").code(0);
    sandbox.run("release web/counted").code(0);
    for _ in 0..2 {
        let served = served(&sandbox);
        let answer = send(served.port, "GET /metrics", &["Host: localhost"], "");
        for line in
            ["styxy_allocations_total{type=\"web\"} 1", "styxy_releases_total{type=\"web\"} 1"]
        {
            assert!(answer.body.lines().any(|found| found == line), "{line}: {}", answer.body);
        }
        served.running.signal(Signal::SIGTERM);
        served.running.wait();
        promtool(&answer.body);
    }
}

/// Prometheus' own tool has nothing to complain of.
fn promtool(metrics: &str) {
    let mut tool = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("tests/setup installs it");
    tool.stdin.take().expect("a pipe").write_all(metrics.as_bytes()).expect("it reads");
    let output = tool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_unit_for_systemd_is_printed() {
    let sandbox = Sandbox::new();
    let unit = sandbox.run("serve --print-unit").code(0).stdout.clone();
    for line in ["[Service]", "Restart=on-failure", "WantedBy=default.target"] {
        assert!(unit.lines().any(|found| found == line), "{unit}");
    }
}

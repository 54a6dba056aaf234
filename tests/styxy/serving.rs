//! `styxy serve` among others: a real Prometheus, changes by file notification alone, services by their names.

use crate::patience::{LIMIT, until, until_true};
use crate::processes::{self, is_alive};
use crate::sandbox::{Sandbox, ask, recorded_pids};
use crate::serve::{Answer, Served, send, served, written};
use nix::libc;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;

#[test]
fn a_real_prometheus_scrapes_it() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate -t web -i counted").code(0);
    let served = served(&sandbox);
    let config = format!(
        "global:\n  scrape_interval: 5s\n  scrape_timeout: 5s\nscrape_configs:\n- job_name: styxy\n  \
         static_configs:\n  - targets: ['127.0.0.1:{}']\n",
        served.port
    );
    fs::write(sandbox.file("prometheus.yml"), config).expect("our project");

    let words = "prometheus --config.file=prometheus.yml --storage.tsdb.path=data";
    let (prometheus, ready) = sandbox.serve(&format!("run -t web -i prometheus -- {words}"));

    let value = |query: &str| {
        let answer = ask(ready.port, &format!("/api/v1/query?query={query}"));
        let answer: Value = serde_json::from_str(&answer).ok()?;
        answer["data"]["result"][0]["value"][1].as_str().map(str::to_owned)
    };
    // `up` is 1 when all that was scraped made sense.
    for (query, expected) in [
        ("up%7Bjob%3D%22styxy%22%7D", "1"),
        // Prometheus has a lease of its own.
        ("styxy_allocations_total%7Btype%3D%22web%22%7D", "2"),
        ("styxy_leases%7Btype%3D%22web%22%2Cphase%3D%22ready%22%7D", "1"),
    ] {
        until(
            &format!("{query} to be {expected}"),
            || (value(query).as_deref() == Some(expected)).then_some(()),
            || format!("{:?}\n{}", value(query), ask(ready.port, "/api/v1/targets")),
        );
    }
    prometheus.end(Signal::SIGTERM).code(0);
}

/// In how many milliseconds the process wakes by itself, -1 for never; `None` while it does something, or has
/// threads that are not yet tired of waiting.
fn wakes_in(pid: i32) -> Option<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?.count();
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
    let mut words = call.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    #[cfg(target_arch = "x86_64")]
    let waits = [libc::SYS_epoll_wait, libc::SYS_epoll_pwait];
    #[cfg(not(target_arch = "x86_64"))]
    let waits = [libc::SYS_epoll_pwait];
    let timeout = words.nth(3).filter(|_| tasks == 1 && waits.contains(&number))?;
    let timeout = u64::from_str_radix(timeout.strip_prefix("0x")?, 16).ok()?;
    // The kernel shows a whole register, of which an int is the lower half.
    let bytes = timeout.to_ne_bytes();
    let half = if cfg!(target_endian = "little") { &bytes[..4] } else { &bytes[4..] };
    half.try_into().ok().map(i32::from_ne_bytes)
}

/// The lines of a stream of events, from behind the snapshot on.
fn events(served: &Served) -> impl Iterator<Item = String> + use<> {
    let mut stream = TcpStream::connect(("127.0.0.1", served.port)).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    let token = format!("X-API-Key: {}", served.token);
    let request = written("GET /events", &["Host: localhost", &token], "");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.find(|line| line == "event: snapshot").expect("a snapshot");
    lines.next().expect("its data");
    lines
}

#[test]
fn nothing_wakes_it_while_nothing_happens_and_it_hears_of_changes_at_once() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t web -i watched -- child serve").code(0);
    let served = served(&sandbox);
    let pid = served.running.pid();
    let story = || fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let never = || wakes_in(pid).filter(|wakes_in| *wakes_in == -1);
    until("a wait without an end", never, story);

    let mut lines = events(&served);
    // Only to say that the connection is alive: nothing is looked at.
    let for_the_stream = || wakes_in(pid).filter(|wakes_in| *wakes_in > 10_000);
    until("a wait for changes", for_the_stream, story);

    let mut told = |texts: &[&str]| {
        let is_it = |line: &String| texts.iter().all(|text| line.contains(text));
        assert!(lines.any(|line| is_it(&line)), "no event with {texts:?}\n{}", sandbox.story());
    };
    sandbox.run("allocate -t web -i told").code(0);
    told(&["\"told\"", "\"allocate\""]);
    sandbox.run("release web/told").code(0);
    told(&["\"gone\":[\"web-told"]);
    // The kernel closes the files of who was killed: that is a notice too.
    let watched = sandbox.instance("web", "watched").expect("it runs");
    let supervisor = watched["supervisorPid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    processes::signal(supervisor.expect("a pid"), Signal::SIGKILL);
    told(&["\"gone\":[\"web-watched"]);
    sandbox.run("cleanup").code(0);
    until("a wait for changes", for_the_stream, story);
}

/// What stands in a line of an answer's head.
fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[test]
fn each_file_of_the_page_comes_as_it_is_to_who_takes_gzip_and_to_who_does_not() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let ask = |request: &str, accepted: &[&str]| {
        let answer = send(served.port, request, &[&["Host: localhost"], accepted].concat(), "");
        assert_eq!(answer.status, 200, "{request}: {}", answer.head);
        assert_eq!(header(&answer, "Vary"), Some("Accept-Encoding"), "{request}");
        assert_eq!(header(&answer, "Cache-Control"), Some("no-store"), "{request}");
        let policy = header(&answer, "Content-Security-Policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'"), "{request}: {policy}");
        answer
    };
    let unpacked = |bytes: &[u8]| {
        let file = sandbox.file("answer.gz");
        fs::write(&file, bytes).expect("our project");
        let output = Command::new("gzip").arg("-dc").arg(&file).output().expect("it is there");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/ui");
    for entry in fs::read_dir(folder).expect("the page") {
        let file = entry.expect("a file").path();
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        let path = if name == "index.html" { "/".to_owned() } else { format!("/ui/{name}") };
        let expected = fs::read(&file).expect("a file of the page");
        for (accepted, is_packed) in [
            (&[][..], false),
            (&["Accept-Encoding: gzip;q=0, br"], false),
            (&["Accept-Encoding: gzip, deflate, br, zstd"], true),
        ] {
            let answer = ask(&format!("GET {path}"), accepted);
            let encoding = is_packed.then_some("gzip");
            assert_eq!(header(&answer, "Content-Encoding"), encoding, "{path} {accepted:?}");
            let length = answer.bytes.len().to_string();
            assert_eq!(header(&answer, "Content-Length"), Some(length.as_str()), "{path}");
            let same = match is_packed {
                true => unpacked(&answer.bytes) == expected && answer.bytes.len() < expected.len(),
                false => answer.bytes == expected,
            };
            assert!(same, "{path} {accepted:?}");

            let head = ask(&format!("HEAD {path}"), accepted);
            assert_eq!(head.bytes, b"", "{path}");
            for name in ["Content-Encoding", "Content-Type"] {
                assert_eq!(header(&head, name), header(&answer, name), "{path} {name}");
            }
            assert_eq!(header(&head, "Content-Length"), Some(length.as_str()), "{path}");
        }
    }
}

#[test]
fn who_holds_the_state_lock_is_told_as_long_as_somebody_waits_for_it() {
    let sandbox = Sandbox::new();
    let services = "[services.front]\ntype = 'web'\ncommand = 'child serve'\n";
    fs::write(sandbox.file("styxy.toml"), services).expect("our project");
    let served = served(&sandbox);
    let mut lines = events(&served);
    let mut told = || {
        lines.find(|line| line == "event: lock").expect("an event");
        let data = lines.next().expect("its data");
        serde_json::from_str::<Value>(data.strip_prefix("data: ").expect("data")).expect("JSON")
    };
    // A start waits in a process of its own.
    for request in ["POST /cleanup", "POST /services/front/start"] {
        let lock = fs::File::open(sandbox.state().join("state.lock")).expect("it stays");
        lock.lock().expect("nobody holds it for long");
        let (port, key) = (served.port, format!("X-API-Key: {}", served.token));
        let answered =
            std::thread::spawn(move || send(port, request, &["Host: localhost", &key], "").status);
        let held = told();
        assert_eq!(held["pid"], std::process::id(), "{request}: {held}");
        assert_eq!((&held["stopped"], &held["patienceMs"]), (&json!(false), &json!(10_000)));
        assert!(held["command"].as_str().expect("a command").contains("styxy"), "{held}");
        assert!(held["heldMs"].as_u64() >= Some(1000), "{request}: {held}");
        drop(lock);
        assert_eq!(told(), Value::Null, "{request}");
        assert_eq!(answered.join().expect("an answer"), 200, "{request}");
    }
    sandbox.run("stop web/front").code(0);
}

#[test]
fn a_service_is_started_by_the_name_that_the_project_has_for_it() {
    let sandbox = Sandbox::new();
    fs::write(
        sandbox.file("styxy.toml"),
        "[services.front]\ntype = 'web'\ncommand = 'child serve'\n",
    )
    .expect("our project");
    let elsewhere = sandbox.folder("elsewhere");
    let served = served(&sandbox);

    let listed = served.get(&format!("/services?project_path={}", sandbox.project().display()));
    assert_eq!(listed["services"], json!(["front"]));
    let here = json!({ "projectPath": sandbox.project() });
    let first = served.ask("POST /services/front/start", &here);
    assert_eq!(first.status, 200, "{}", first.body);
    let port = first.json()["port"].clone();
    assert_eq!(sandbox.wait_until_ready("web", "front")["port"], port);
    let again = served.ask("POST /services/front/start", &json!({})).json();
    assert_eq!((&again["existing"], &again["port"]), (&json!(true), &port));

    for (name, body, said) in [
        ("nobody", here.clone(), "no service is called"),
        ("--help", here, "no service is called"),
        ("front", json!({ "project_path": elsewhere }), "names no services"),
        ("front", json!({ "project_path": "elsewhere" }), "not an absolute path"),
    ] {
        let refused = served.ask(&format!("POST /services/{name}/start"), &body);
        assert_eq!(refused.status, 400, "{name}: {}", refused.body);
        assert!(refused.body.contains(said), "{name}: {}", refused.body);
    }
    sandbox.run("stop web/front").code(0);
}

#[test]
fn its_lease_is_shown_as_running_and_stays_its_own() {
    let sandbox = Sandbox::new();
    // Reserved for nobody in particular, it becomes the server's.
    let port = sandbox.port(250);
    sandbox
        .run(&format!("allocate -t coordination -i styxy --scope machine --port {port}"))
        .code(0);
    let served = served(&sandbox);
    let own = sandbox.instance("coordination", "styxy").expect("its own lease");
    assert_eq!((&own["phase"], &own["pid"]), (&json!("ready"), &json!(served.running.pid())));
    assert_eq!(own["url"], format!("http://127.0.0.1:{port}"));

    let stranger = "allocate -t coordination -i styxy --scope machine --pid";
    let stranger = format!("{stranger} {}", std::process::id());
    let answer = sandbox.json(&stranger);
    assert_eq!((&answer["existing"], &answer["pid"]), (&json!(true), &own["pid"]));
    served.running.signal(Signal::SIGTERM);
    served.running.wait().code(143);
    until_true("the end of its lease", || sandbox.instance("coordination", "styxy").is_none());
}

#[test]
fn in_front_of_somebody_it_is_listed_and_stopped_like_any_instance() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let own = sandbox.instance("coordination", "styxy").expect("its own lease");
    let started = own["startedAt"].as_str().expect("a time");
    assert!(started.starts_with("20") && started.ends_with('Z'), "{started}");
    let refused = sandbox.run("restart coordination/styxy");
    refused.failed().said(&["in front of somebody", "styxy stop coordination/styxy"]);
    assert_eq!(send(served.port, "GET /health", &["Host: localhost"], "").status, 200);

    let stopped = sandbox.json("stop coordination/styxy");
    assert_eq!(stopped["port"], served.port);
    served.running.wait().code(143);
    assert_eq!(sandbox.instance("coordination", "styxy"), None);

    // Who only took its name for some process is no reason to signal that one.
    let (_other, ready) = sandbox.serve("run -t web -i other -- child serve");
    let name = "-t coordination -i styxy --scope machine";
    sandbox.run(&format!("allocate {name} --pid {}", ready.pid)).code(0);
    sandbox.run("stop coordination/styxy").code(75).said(&["no process of styxy's"]);
    assert!(is_alive(ready.pid));
}

#[test]
fn what_a_detached_server_has_started_outlives_it() {
    let sandbox = Sandbox::new();
    let services = "[services.front]\ntype = 'web'\ncommand = 'child serve'\n";
    fs::write(sandbox.file("styxy.toml"), services).expect("our project");
    let port = sandbox.port(250);
    sandbox.json(&format!("serve --detach --port {port}"));
    sandbox.wait_until_ready("coordination", "styxy");
    let token = fs::read_to_string(sandbox.state().join("auth.token")).expect("a token");
    let (host, token) = (format!("Host: localhost:{port}"), format!("X-API-Key: {}", token.trim()));
    let headers = [host.as_str(), token.as_str(), "Content-Type: application/json"];
    let body = json!({ "project_path": sandbox.project() }).to_string();
    let started = send(port, "POST /services/front/start", &headers, &body);
    assert_eq!(started.status, 200, "{}", started.body);
    let front = sandbox.wait_until_ready("web", "front");

    sandbox.run("stop coordination/styxy").code(0);
    let left = sandbox.wait_until_ready("web", "front");
    assert_eq!((&left["pid"], &left["lockId"]), (&front["pid"], &front["lockId"]));
    assert_eq!(left["restarts"], 0);
    sandbox.run("stop web/front").code(0);
    assert_eq!(sandbox.instances(), Vec::<serde_json::Value>::new());
}

#[test]
fn what_has_ended_is_told_with_its_code_and_when_it_is_tried_again() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let start = || sandbox.start("run -t web -i a --restart on-failure:9 -- bash -c 'exit 3'");
    let mut running = start();
    // It is given up after five ends: one that nobody could look at in time is followed by another one.
    let look = || {
        if !running.is_running() {
            running = start();
        }
        let told = served.ask("GET /instances/web%2fa/checks", &Value::Null);
        let told = (told.status == 200).then(|| told.json()["nextTry"].take());
        told.filter(|next| !next.is_null())
    };
    let next = until("a wait for the next try", look, || sandbox.story());
    let number = |name: &str| next[name].as_u64().expect("a number");
    assert_eq!((number("code"), number("of")), (3, 9));
    assert!((1..=4).contains(&number("number")) && number("inMs") <= 800, "{next}");
    sandbox.run("stop --all").code(0);
}

/// Also to who comes later than all of it, as a page that is opened again.
#[test]
fn the_phases_since_its_start_its_policy_and_its_processes_are_told() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t web -i a --restart always -- child record=seen serve").code(0);
    let first = recorded_pids(&sandbox.file("seen"), 1)[0];
    processes::signal(first, Signal::SIGKILL);
    recorded_pids(&sandbox.file("seen"), 2);
    sandbox.run("wait web/a").code(0);
    sandbox.run("allocate -t web -i nobody").code(0);

    let served = served(&sandbox);
    let told = served.get("/instances/web%2fa/checks");
    let phases = told["phases"].as_array().expect("phases");
    let ages: Vec<u64> = phases.iter().filter_map(|phase| phase["agoMs"].as_u64()).collect();
    assert!(
        ages.len() == phases.len() && ages.is_sorted_by(|older, newer| older >= newer),
        "{told}"
    );
    // Who was ready for a second is started again without a wait.
    let names: Vec<&Value> =
        phases.iter().map(|phase| &phase["phase"]).filter(|phase| *phase != "backoff").collect();
    assert_eq!(names, ["starting", "ready", "starting", "ready"], "{told}");
    assert_eq!(told["phasesDropped"], false);
    assert_eq!((&told["restart"], &told["ready"]), (&json!("always"), &json!("tcp")));
    let tree = told["processes"].as_array().expect("processes");
    assert_eq!((tree.len(), &told["processesMore"]), (1, &json!(0)), "{told}");
    assert!(tree[0]["pid"].as_i64() != Some(first.into()) && tree[0]["name"].is_string(), "{told}");
    let reserved = served.get("/instances/web%2fnobody/checks");
    assert_eq!(reserved["phases"], json!([]));
    sandbox.run("stop --all").code(0);
}

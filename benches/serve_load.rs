//! `styxy serve` under load: how many requests a second, what one costs the server, its memory, and its page.
//!
//! `cargo bench --bench serve_load` starts a server of its own, with 100 leases. Clients keep their
//! connections and ask again as soon as they are answered. On a machine that is shared, the processor time of
//! a request says more than the rate does: clients and whoever else is there take their part of the machine.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Leases that are there.
const LEASES: usize = 100;
/// How long each load lasts.
const LOAD: Duration = Duration::from_secs(5);
/// So many leases are made in a terminal, to see how soon they are told.
const COMMANDS: usize = 21;
/// What may be resident, in KiB.
const RESIDENT_MAX: u64 = 12 * 1024;
/// Threads that have nothing to do have ended by then, on any machine.
const CALM_MAX: Duration = Duration::from_secs(60);
/// So long it is watched while it has nothing to do.
const QUIET: Duration = Duration::from_secs(5);

/// The server.
struct Server {
    child: Child,
    port: u16,
    url: String,
    token: String,
}

/// One connection that is kept.
struct Client<'a> {
    server: &'a Server,
    stream: BufReader<TcpStream>,
}

fn main() {
    let place = tempfile::tempdir().expect("a directory for the state");
    let server = start(place.path());
    let mut client = Client::new(&server);
    for number in 0..LEASES {
        client.allocate(&format!("n{number}"));
    }
    drop(client);
    say("load                              clients  per second    wanted  CPU µs each");
    for clients in [1, 4, 16] {
        report("GET /allocations", (clients, 2000), &server, |client, _| {
            let body = client.ask("GET", "/allocations", "");
            assert!(body.len() > LEASES * 100, "all leases are told");
        });
    }
    for clients in [1, 4] {
        report("allocate and release", (clients, 1000), &server, |client, number| {
            let lock_id = client.allocate(&format!("pair{number}"));
            client.ask("DELETE", &format!("/allocate/{lock_id}"), "");
        });
    }
    let most = RESIDENT_MAX;
    say(&format!("resident after the load: {} KiB; wanted: {most} KiB", resident(&server)));
    report_events(&server, place.path());
    report_quiet(&server);
    drop(server);
    report_pages();
}

/// How long after its command a lease is told to who listens.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn report_events(server: &Server, place: &Path) {
    let mut events = Client::new(server);
    events.send("GET", "/events", "");
    let mut line = String::new();
    let mut wait_for = |what: &str| {
        while !line.contains(what) {
            line.clear();
            let length = events.stream.read_line(&mut line).expect("the stream goes on");
            assert!(length > 0, "the stream has ended before {what}");
        }
    };
    wait_for("event: snapshot");
    let mut times: Vec<Duration> = (0..COMMANDS)
        .map(|number| {
            let id = format!("told{number}");
            let made = styxy(place).args(["allocate", "--type", "bench", "--id", &id]).output();
            let ended = Instant::now();
            assert!(made.expect("it is built").status.success(), "a lease of a terminal");
            wait_for(&id);
            ended.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (middle, last) = (times[COMMANDS / 2].as_millis(), times[COMMANDS - 1].as_millis());
    say(&format!(
        "a lease of a terminal is told after {middle} ms, at most {last}; wanted: 200 ms"
    ));
}

/// What it takes while it has nothing to do.
#[expect(clippy::disallowed_methods, reason = "it waits until nothing is done any more")]
fn report_quiet(server: &Server) {
    // Threads that have nothing to do end, and give back what they have used.
    let is_calm = || status(server, "Threads:") == 1;
    let calm = (0..CALM_MAX.as_secs()).any(|_| {
        std::thread::sleep(Duration::from_secs(1));
        is_calm()
    });
    assert!(calm, "its threads do not end");
    let before = processor_time(server);
    std::thread::sleep(QUIET);
    let used = (processor_time(server) - before).as_millis();
    let (seconds, resident) = (QUIET.as_secs(), resident(server));
    say(&format!("processor time in {seconds} s of quiet: {used} ms; wanted: 0 ms"));
    say(&format!("resident after that: {resident} KiB; wanted: {RESIDENT_MAX} KiB"));
}

/// The page in a real browser, where `tests/setup` has installed one: what it has measured.
fn report_pages() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in a folder");
    let (modules, shots) = (target.join("test-node"), target.join("page-measured"));
    if !modules.exists() {
        return say("the page was not measured: `bash tests/setup` installs a browser's driver");
    }
    fs::create_dir_all(&shots).expect("the target can be written");
    let figures = shots.join("figures.txt");
    fs::write(&figures, "").expect("the target can be written");
    for job in ["told", "thousand"] {
        let place = tempfile::tempdir().expect("a directory for the state");
        let server = start(place.path());
        let mut client = Client::new(&server);
        let told = if job == "thousand" {
            (0..1000).for_each(|number| _ = client.allocate(&format!("n{number}")));
            server.token.clone()
        } else {
            let (program, cwd) = (env!("CARGO_BIN_EXE_styxy"), place.path());
            let state = cwd.join("state");
            let env = serde_json::json!({
                "STYXY_STATE_DIR": state,
                "XDG_CONFIG_HOME": cwd.join("config"),
            });
            let words = ["allocate", "-t", "bench", "-i"];
            let told =
                serde_json::json!({ "program": program, "words": words, "env": env, "cwd": cwd });
            told.to_string()
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/page.mjs");
        let mut node = Command::new("node");
        node.arg(script).arg(&modules).arg(&server.url).arg(&shots).args([job, &told]);
        let output = node.output().expect("node is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let found = fs::read_to_string(&figures).expect("what was measured");
    found.lines().for_each(|line| say(line.split_once(' ').map_or(line, |(_, figure)| figure)));
}

#[expect(clippy::print_stdout, reason = "its report is what a benchmark is run for")]
fn say(line: &str) {
    println!("{line}");
}

fn styxy(place: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_styxy"));
    command
        .env("STYXY_STATE_DIR", place.join("state"))
        .env("XDG_CONFIG_HOME", place.join("config"))
        .current_dir(place)
        .stdin(Stdio::null());
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

fn start(place: &Path) -> Server {
    let config = place.join("config/styxy");
    fs::create_dir_all(&config).expect("a directory for the configuration");
    let types = "[service_types.bench]\nrange = [20000, 29999]\n\
                 [service_types.many]\nrange = [61000, 62099]\n";
    fs::write(config.join("config.toml"), types).expect("a configuration");
    let mut serve = styxy(place);
    serve.args(["serve", "--json"]).stdout(Stdio::piped());
    let mut child = serve.spawn().expect("it is built");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("an address");
    let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let port = said["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
    let token = fs::read_to_string(place.join("state/auth.token")).expect("a token");
    let url = said["url"].as_str().expect("an address").to_owned();
    Server { child, port, url, token: token.trim().to_owned() }
}

impl<'a> Client<'a> {
    fn new(server: &'a Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self { server, stream: BufReader::new(stream) }
    }

    fn send(&mut self, method: &str, path: &str, body: &str) {
        let (port, token) = (self.server.port, &self.server.token);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-API-Key: {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("sent");
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> String {
        self.send(method, path, body);
        let mut length = 0;
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer");
        assert!(line.starts_with("HTTP/1.1 200"), "{method} {path}: {line}");
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a head");
            let lower = line.trim_end().to_ascii_lowercase();
            match lower.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        String::from_utf8(body).expect("text")
    }

    fn allocate(&mut self, name: &str) -> String {
        let body = format!("{{\"service_type\":\"bench\",\"service_name\":\"{name}\"}}");
        let answer: serde_json::Value =
            serde_json::from_str(&self.ask("POST", "/allocate", &body)).expect("JSON");
        answer["lockId"].as_str().expect("a lockId").to_owned()
    }
}

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn report(
    load: &str,
    (clients, wanted): (u64, u64),
    server: &Server,
    ask: impl Fn(&mut Client<'_>, u64) + Sync,
) {
    let (count, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (began, before) = (Instant::now(), processor_time(server));
    std::thread::scope(|scope| {
        for number in 0..clients {
            let (count, is_over, ask) = (&count, &is_over, &ask);
            scope.spawn(move || {
                let mut client = Client::new(server);
                while !is_over.load(Ordering::Relaxed) {
                    ask(&mut client, number);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(LOAD);
        is_over.store(true, Ordering::Relaxed);
    });
    let (elapsed, count) = (began.elapsed(), count.into_inner());
    let each = (processor_time(server) - before).as_micros() / u128::from(count.max(1));
    let rate = u128::from(count) * 1000 / elapsed.as_millis();
    say(&format!("{load:32} {clients:>8} {rate:>11} {wanted:>9} {each:>12}"));
}

/// What the server has used so far; /proc tells it in hundredths of a second.
fn processor_time(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.child.id())).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

/// Its resident memory, in KiB.
fn resident(server: &Server) -> u64 {
    status(server, "VmRSS:")
}

/// A number that the kernel tells of it.
fn status(server: &Server, name: &str) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

//! `styxy serve` under load: how many requests a second, what one costs the server, and its memory.
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
/// Threads that have nothing to do have ended by then.
const QUIET: Duration = Duration::from_secs(8);

/// The server.
struct Server {
    child: Child,
    port: u16,
    token: String,
}

/// One connection that is kept.
struct Client<'a> {
    server: &'a Server,
    stream: BufReader<TcpStream>,
}

#[expect(clippy::print_stdout, reason = "its report is what a benchmark is run for")]
#[expect(clippy::disallowed_methods, reason = "it waits until nothing is done any more")]
fn main() {
    let place = tempfile::tempdir().expect("a directory for the state");
    let mut server = start(place.path());
    let mut client = Client::new(&server);
    for number in 0..LEASES {
        client.allocate(&format!("n{number}"));
    }
    drop(client);
    println!("{:32} {:>8} {:>10} {:>12}", "load", "clients", "per second", "CPU µs each");
    for clients in [1, 4, 16] {
        report("GET /allocations", clients, &server, |client, _| {
            let body = client.ask("GET", "/allocations", "");
            assert!(body.len() > LEASES * 100, "all leases are told");
        });
    }
    for clients in [1, 4] {
        report("allocate and release", clients, &server, |client, number| {
            let lock_id = client.allocate(&format!("pair{number}"));
            client.ask("DELETE", &format!("/allocate/{lock_id}"), "");
        });
    }
    println!("resident after the load: {} KiB", resident(&server));
    std::thread::sleep(QUIET);
    println!("resident after {} s of quiet: {} KiB", QUIET.as_secs(), resident(&server));
    server.child.kill().expect("it is our child");
    server.child.wait().expect("it is our child");
}

fn start(place: &Path) -> Server {
    let config = place.join("config/styxy");
    fs::create_dir_all(&config).expect("a directory for the configuration");
    fs::write(config.join("config.toml"), "[service_types.bench]\nrange = [20000, 29999]\n")
        .expect("a configuration");
    let mut child = Command::new(env!("CARGO_BIN_EXE_styxy"))
        .args(["serve", "--json"])
        .env("STYXY_STATE_DIR", place.join("state"))
        .env("XDG_CONFIG_HOME", place.join("config"))
        .current_dir(place)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it is built");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("an address");
    let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let port = said["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
    let token = fs::read_to_string(place.join("state/auth.token")).expect("a token");
    Server { child, port, token: token.trim().to_owned() }
}

impl<'a> Client<'a> {
    fn new(server: &'a Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self { server, stream: BufReader::new(stream) }
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> String {
        let (port, token) = (self.server.port, &self.server.token);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-API-Key: {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("sent");
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

#[expect(clippy::print_stdout, reason = "its report is what a benchmark is run for")]
#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn report(load: &str, clients: u64, server: &Server, ask: impl Fn(&mut Client<'_>, u64) + Sync) {
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
    println!("{load:32} {clients:>8} {rate:>10} {each:>12}");
}

/// What the server has used so far; /proc tells it in hundredths of a second.
fn processor_time(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.child.id())).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

/// Its resident memory.
fn resident(server: &Server) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", server.child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

//! The servers that people start, as they are: a port, a ready line, an answer, and a clean end.

use crate::patience::until_true;
use crate::processes::is_alive;
use crate::sandbox::{Sandbox, ask};
use nix::sys::signal::Signal;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

/// Starts the server, lets `answers` ask it, ends it by TERM, and finds nothing of it.
#[track_caller]
fn check(sandbox: &Sandbox, command: &str, code: i32, answers: impl Fn(u16) -> String, text: &str) {
    for round in 0..2 {
        let (running, ready) = sandbox.serve(&format!("run -t web -i server -- {command}"));
        assert_eq!(ready.port, sandbox.port(0), "in round {round}");
        let answer = answers(ready.port);
        assert!(answer.contains(text), "no {text} in {answer:?}\n{}", running.story());

        running.end(Signal::SIGTERM).code(code);

        assert!(!is_alive(ready.pid));
        sandbox.nothing_is_left();
        assert!(sandbox.instances().is_empty());
        assert!(TcpStream::connect(("127.0.0.1", ready.port)).is_err(), "it still listens");
        assert_eq!(sandbox.json(&format!("check {}", ready.port))["free"], true);
    }
}

/// Sends a line and returns what comes back at once.
fn say(port: u16, line: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(line.as_bytes()).expect("it listens");
    let mut answer = [0; 512];
    let length = stream.read(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

fn page(port: u16) -> String {
    ask(port, "/")
}

#[test]
fn python_http_server() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("index.html"), "a page of python's").unwrap();
    check(&sandbox, "/usr/bin/python3 -m http.server {port}", 143, page, "a page of python's");
}

#[test]
fn python_http_server_gets_its_port_also_when_nobody_wrote_it_down() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("index.html"), "a page of python's").unwrap();
    check(&sandbox, "/usr/bin/python3 -m http.server", 143, page, "a page of python's");
}

#[test]
fn node() {
    let sandbox = Sandbox::new();
    let server = "require('http').createServer((_, answer) => answer.end('a page of node'))\
                  .listen(process.env.PORT)";
    fs::write(sandbox.file("server.js"), server).unwrap();
    check(&sandbox, "node server.js", 143, page, "a page of node");
}

#[test]
fn node_behind_a_package_script() {
    let sandbox = Sandbox::new();
    let server = "require('http').createServer((_, answer) => answer.end('a page of node'))\
                  .listen(process.env.PORT)";
    fs::write(sandbox.file("server.js"), server).unwrap();
    // What `npm run` does: a shell that stays between, and leaves the server alone at its own end.
    check(&sandbox, "sh -c 'node server.js; true'", 143, page, "a page of node");
}

#[test]
fn redis() {
    let sandbox = Sandbox::new();
    let command = "redis-server --port {port} --save '' --appendonly no --daemonize no";
    // It ends of its own will at TERM, with 0.
    check(&sandbox, command, 0, |port| say(port, "PING\r\n"), "+PONG");
}

#[test]
fn redis_gets_its_port_also_when_nobody_wrote_it_down() {
    let sandbox = Sandbox::new();
    check(&sandbox, "redis-server --save ''", 0, |port| say(port, "PING\r\n"), "+PONG");
}

#[test]
fn uvicorn() {
    let sandbox = Sandbox::new();
    let app = "async def app(scope, receive, send):\n    \
               if scope['type'] != 'http':\n        raise NotImplementedError\n    \
               await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n    \
               await send({'type': 'http.response.body', 'body': b'a page of uvicorn'})\n";
    fs::write(sandbox.file("app.py"), app).unwrap();
    // It ignores PORT; its flag is given to it. At TERM it cleans up, then dies of it.
    check(&sandbox, "uvicorn app:app --lifespan off", 143, page, "a page of uvicorn");
}

#[test]
fn nginx_which_goes_to_the_background() {
    let sandbox = Sandbox::new();
    let project = sandbox.project();
    let place = project.display();
    fs::write(sandbox.file("index.html"), "a page of nginx").unwrap();
    // Workers of root's nginx run as another user; the page is for everyone.
    let user = if nix::unistd::geteuid().is_root() { "user www-data;\n" } else { "" };
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {place}/{kind};\n"))
        .concat();
    let config = format!(
        "{user}pid {place}/nginx.pid;\nerror_log {place}/error.log;\nworker_processes 2;\n\
         events {{}}\nhttp {{\n    access_log off;\n{paths}    server {{\n        \
         listen 127.0.0.1:@PORT@;\n        root {place};\n    }}\n}}\n"
    );
    fs::write(sandbox.file("nginx.conf.in"), config).unwrap();
    let script = "sed s/@PORT@/$PORT/ nginx.conf.in > nginx.conf; exec nginx -e $PWD/error.log -c $PWD/nginx.conf";
    fs::write(sandbox.file("start"), script).unwrap();

    // Its master ends of its own will at TERM, with 0.
    check(&sandbox, "sh start", 0, page, "a page of nginx");

    assert!(!sandbox.file("nginx.pid").exists(), "nginx was not let end by itself");
}

/// Where Debian has the newest PostgreSQL's programs.
fn postgres_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("tests/setup installs postgresql");
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    programs.filter(|path| path.join("initdb").exists()).max().expect("it has programs")
}

#[test]
fn postgres_as_its_own_user() {
    let sandbox = Sandbox::new();
    let programs = postgres_programs();
    let (programs, data) = (programs.display(), sandbox.folder("data"));
    // It refuses to run as root.
    let user = if nix::unistd::geteuid().is_root() {
        sandbox.sh(&format!("chown postgres {}", data.display())).code(0);
        "setpriv --reuid=postgres --regid=postgres --clear-groups "
    } else {
        ""
    };
    let data = data.display();
    let made = sandbox.sh(&format!(
        "cd {data} && exec {user}{programs}/initdb --pgdata={data} --auth=trust --no-sync \
         --username=tester --no-instructions"
    ));
    made.code(0);
    let server = format!(
        "{user}{programs}/postgres -D {data} -p {{port}} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off"
    );
    let asks = |port: u16| {
        let query = format!(
            "{programs}/psql -h 127.0.0.1 -p {port} -U tester -d postgres -Atc \
             \"select 'a row of ' || current_setting('port')\""
        );
        // Ready is: it listens. It may still be starting up for a moment then.
        until_true("an answer of postgres", || {
            let mut command = sandbox.command("bash");
            command.args(["-c", &query]);
            command.output().is_ok_and(|output| output.status.success())
        });
        sandbox.sh(&query).stdout
    };

    check(&sandbox, &server, 0, asks, &format!("a row of {}", sandbox.port(0)));

    let left = fs::read_dir(sandbox.folder("data")).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name == "postmaster.pid"), "it was not let end by itself");
}

#[test]
fn a_server_without_so_reuseaddr() {
    let sandbox = Sandbox::rested();
    let server = "import http.server, os, socketserver\n\
                  class Plain(socketserver.TCPServer):\n    allow_reuse_address = False\n\
                  Plain(('127.0.0.1', int(os.environ['PORT'])), \
                  http.server.SimpleHTTPRequestHandler).serve_forever()\n";
    fs::write(sandbox.file("server.py"), server).unwrap();
    fs::write(sandbox.file("index.html"), "a plain page").unwrap();
    let (running, ready) = sandbox.serve("run -t web -i plain -- /usr/bin/python3 server.py");

    assert!(page(ready.port).contains("a plain page"));
    running.end(Signal::SIGTERM).code(143);
    sandbox.nothing_is_left();
}

#[test]
fn a_known_tool_has_its_own_type_and_name() {
    let sandbox = Sandbox::new();
    let running = sandbox.start("run -- redis-server --save ''");
    let ready = running.ready();

    assert!(ready.line.contains("infrastructure/"), "{}", ready.line);
    assert!((6370..=6399).contains(&ready.port), "{}", ready.line);
    assert_eq!(say(ready.port, "PING\r\n"), "+PONG\r\n");
    running.end(Signal::SIGTERM).code(0);
}

#[test]
fn the_command_of_the_readme_serves_and_is_attached_to() {
    let sandbox = Sandbox::new();
    let words = "run --type ai --id rag -- python3 -m http.server {port}";
    let (first, ready) = sandbox.serve(words);
    assert!(ready.line.contains("ai/rag"), "{}", ready.line);
    assert!((11400..=11499).contains(&ready.port), "{}", ready.line);
    fs::write(sandbox.file("index.html"), "a page of the readme's").unwrap();
    assert!(page(ready.port).contains("a page of the readme's"));

    let second = sandbox.start(words);
    second.says(&[&ready.port.to_string()]);
    // A Python that ends while a thread of it still writes is aborted.
    let threads = || fs::read_dir(format!("/proc/{}/task", ready.pid)).expect("it runs").count();
    crate::patience::until_true("its answers to be given", || threads() == 1);
    // Python's server takes Ctrl-C for a wish and ends with 0.
    first.end(Signal::SIGINT).code(0);
    second.wait().code(0);
    assert!(sandbox.instances().is_empty());
}

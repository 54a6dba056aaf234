//! Instances that are containers of a real engine: how they are published, proved, shown and joined.

use crate::container_ends::{bystander, crash};
use crate::engine::{IMAGE, engine, lock_id};
use crate::patience::{until, until_true};
use crate::pty::{CTRL_C, Terminal};
use crate::sandbox::{Sandbox, ask};
use std::fs;
use std::io::Read;
use std::net::TcpStream;

/// A server that hears TERM, since `--init` passes it on.
pub(crate) const SERVER: &str = "httpd -f -p 80 -h /www";

pub(crate) fn run(flags: &str, docker: &str, command: &str) -> String {
    format!("run -t web -i pg {flags} -- docker run {docker} {IMAGE} {command}")
}

#[test]
fn a_container_is_published_on_the_leased_port_shown_and_stopped() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let (running, ready) = sandbox.serve(&run("--container-port 80", "--rm --init", SERVER));
    assert_eq!(ask(ready.port, "/").trim(), "hello");
    let instance = sandbox.wait_until_ready("web", "pg");
    let container = &instance["container"];
    assert_eq!((&container["engine"], &container["image"]), (&"docker".into(), &IMAGE.into()));
    let id = container["id"].as_str().expect("it has an id");
    assert_eq!(engine.docker(&["container", "inspect", "-f", "{{.State.Running}}", id]), "true");
    let name = engine.docker(&["container", "inspect", "-f", "{{.Name}}", id]);
    assert_eq!(container["name"], name.trim_start_matches('/'), "the engine has chosen it");
    let table = sandbox.run("list").stdout;
    assert!(table.contains(&format!("docker {} {IMAGE}", &id[..12])), "{table}");
    sandbox.run("stop pg").code(0);
    running.wait();
    assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
    sandbox.nothing_is_left();
}

#[test]
fn the_exit_code_is_the_engines() {
    let engine = engine();
    let sandbox = engine.sandbox();
    sandbox.run(&run("", "--rm", "sh -c 'exit 7'")).code(7);
    sandbox.run(&run("", "--rm", "no-such-program")).code(127);
    sandbox.run("run -- docker run --pull never no-such-image").code(125);
    // Of one in the background, by its own word, whether it was faster than anybody could ask or not.
    sandbox.run(&run("--ready none", "-d", "sh -c 'exit 9'")).code(9);
    let words = "sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 9'";
    let running = sandbox.start(&run("--ready none", "-d --rm --name styxy-go", words));
    waited_for(&sandbox, running.ready().pid);
    engine.docker(&["exec", "styxy-go", "touch", "/go"]);
    running.wait().code(9);
}

#[test]
fn templates_reach_the_engine_and_the_container() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let docker =
        "--rm --init -p 127.0.0.1:{port:http}:80 -p127.0.0.1:{port:more}:81 -e PORT={port}";
    let words = "sh -c 'echo $PORT > /www/port; httpd -p 81 -h /www; exec httpd -f -p 80 -h /www'";
    let (_running, ready) = sandbox.serve(&run("--ports http,more", docker, words));
    let more = sandbox.instance("web", "pg").expect("it runs")["ports"]["more"].clone();
    let more = u16::try_from(more.as_u64().expect("a port")).expect("a port");
    assert_eq!(ask(ready.port, "/port").trim(), ready.port.to_string());
    assert_eq!(ask(more, "/port").trim(), ready.port.to_string());
    sandbox.run("stop pg").code(0);
}

#[test]
fn a_port_of_the_container_needs_a_container() {
    let sandbox = Sandbox::new();
    sandbox.run("run --container-port 80 -- true").code(2).said(&["docker run"]);
}

#[test]
fn one_in_the_background_is_watched_and_its_log_kept() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let words = "sh -c 'echo from the container; exec httpd -f -p 80 -h /www'";
    sandbox.run(&run("-d --container-port 80", "-d --rm --init", words)).code(0);
    let instance = sandbox.wait_until_ready("web", "pg");
    until_true("its output in the log", || {
        sandbox.run("logs pg").stdout.contains("from the container")
    });
    let id = instance["container"]["id"].as_str().expect("it has an id");
    engine.docker(&["kill", id]);
    sandbox.run("wait pg --for stopped").code(0);
    assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
}

#[test]
fn a_first_process_that_hears_no_signal_is_stopped_in_time() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let words = "sh -c 'httpd -p 80 -h /www; while :; do sleep 1; done'";
    for docker in ["--rm", "--rm -d"] {
        let running =
            sandbox.start(&run("--container-port 80 --stop-timeout 200ms", docker, words));
        let instance = sandbox.wait_until_ready("web", "pg");
        if docker.contains("-d") {
            waited_for(&sandbox, running.ready().pid);
        }
        sandbox.run("stop pg").code(0);
        running.wait().code(137);
        assert_eq!(engine.states(&lock_id(&instance)), [""; 0]);
    }
}

/// Waits until `docker wait` runs, which knows the exit code of what is then removed; its pid is shown after that
/// of `docker run -d`.
fn waited_for(sandbox: &Sandbox, leader: i32) {
    let pid = || sandbox.instance("web", "pg").and_then(|one| one["pid"].as_i64());
    until_true("docker wait", || pid().is_some_and(|pid| pid != i64::from(leader)));
}

#[test]
fn a_proxy_with_nothing_behind_it_is_not_ready() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let words = "sh -c 'until [ -e /go ]; do sleep 0.1; done; exec httpd -f -p 80 -h /www'";
    for check in ["tcp", "http:/"] {
        let flags = format!("--container-port 80 --ready {check}");
        let running = sandbox.start(&run(&flags, "--rm --init --name styxy-late", words));
        let instance = sandbox.wait_for_phase("web", "pg", "starting");
        let port = u16::try_from(instance["port"].as_u64().expect("a port")).expect("a port");
        // The proxy accepts and closes; more than once, so that a check had its chance.
        for _ in 0..3 {
            let mut connection =
                until("a proxy", || TcpStream::connect(("127.0.0.1", port)).ok(), String::new);
            let _ = connection.read(&mut [0]);
            assert_eq!(sandbox.instance("web", "pg").expect("it runs")["phase"], "starting");
        }
        engine.docker(&["exec", "styxy-late", "touch", "/go"]);
        running.ready();
        sandbox.run("stop pg").code(0);
        running.wait();
    }
}

#[test]
fn an_images_own_health_check_decides() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let health = "--health-cmd 'test -e /well' --health-interval 100ms";
    let docker = format!("--rm --init --name styxy-health {health}");
    let running = sandbox.start(&run("--container-port 80", &docker, SERVER));
    let port = sandbox.wait_for_phase("web", "pg", "starting")["port"].as_u64().expect("a port");
    let port = u16::try_from(port).expect("a port");
    until_true("its server", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
            && engine.docker(&["ps"]).contains("styxy-health")
    });
    assert_eq!(sandbox.instance("web", "pg").expect("it runs")["phase"], "starting");
    engine.docker(&["exec", "styxy-health", "touch", "/well"]);
    running.ready();
    sandbox.run("stop pg").code(0);
}

#[test]
fn doctor_says_whether_the_engine_can_be_reached() {
    let sandbox = engine().sandbox();
    let told = sandbox.run("doctor").stdout;
    assert!(told.contains("docker can be reached"), "{told}");
    sandbox.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let told = sandbox.run("doctor").stdout;
    assert!(told.contains("docker is installed, and cannot be reached"), "{told}");
}

#[test]
fn a_person_in_a_container_has_a_terminal() {
    let sandbox = engine().sandbox();
    let mut terminal = Terminal::open(&sandbox);
    terminal.line(&format!("styxy {}", run("--quiet --ready none", "--rm -it", "sh")));
    terminal.expect("/ # ");
    // docker passes the size on when the shell runs already.
    terminal.line("until [ \"$(stty size)\" = '31 97' ]; do sleep 0.1; done; echo it=$((40 + 2))");
    terminal.expect("it=42");
    // Ctrl-C is for who is in front, in there.
    terminal.line("sh -c 'echo up=$((40 + 3)); exec sleep 600'");
    terminal.expect("up=43");
    terminal.keys(CTRL_C);
    terminal.expect("/ # ");
    terminal.line("echo ended=$?=");
    terminal.expect("ended=130=");
    terminal.expect("/ # ");
    terminal.line("exit 7");
    terminal.prompt();
    assert_eq!(terminal.code(), 7);
    assert!(terminal.is_cooked());
    terminal.close();
    assert_eq!(sandbox.instances().len(), 0);
}

#[test]
fn a_second_run_joins_the_container_that_is_this_instances() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let line = run("--container-port 80", "--rm --init", SERVER);
    let running = sandbox.start(&line);
    running.ready();
    let instance = sandbox.wait_until_ready("web", "pg");
    let port = instance["port"].as_u64().expect("a port").to_string();
    let reuse = line.replace("run -t", "run --if-running reuse -t");
    sandbox.run(&reuse).code(0).said(&[&port]);
    // Whoever else has the port now: the engine knows that it is not this one.
    let other = bystander(engine);
    let lock_id = lock_id(&instance);
    fs::write(sandbox.state().join(format!("run/{lock_id}.cid")), &other).expect("our own file");
    sandbox.run(&reuse).code(75).said(&["unhealthy"]);
    engine.docker(&["rm", "--force", &other]);
    sandbox.run("stop pg").code(0);
    running.wait();
    assert_eq!(engine.states(&lock_id), [""; 0]);
}

#[test]
fn one_that_is_kept_is_started_again_with_what_it_holds() {
    let engine = engine();
    let sandbox = engine.sandbox();
    // Each start leaves a line on the container's own disk; the third one is content.
    let words = "sh -c 'echo start >> /starts; echo so far $(wc -l < /starts); \
                 test $(wc -l < /starts) = 3'";
    let kinds = [("", ""), ("-d", ""), ("", "-d"), ("-d", "-d")];
    for (round, (flags, docker)) in kinds.into_iter().enumerate() {
        // A log is an instance's, from one run to the next: each round has one of its own.
        let id = format!("pg{round}");
        let docker = format!("--name styxy-kept {docker}");
        let flags = format!("{flags} --ready none --restart on-failure");
        let line = run(&flags, &docker, words).replace("-i pg", &format!("-i {id}"));
        let running = sandbox.start(&line);
        if flags.starts_with("-d") {
            running.wait();
            sandbox.run(&format!("wait {id} --for stopped"));
            let log = sandbox.run(&format!("logs {id}")).stdout;
            let times = |line: &str| log.lines().filter(|found| *found == line).count();
            let told = ["so far 1", "so far 2", "so far 3"].map(times);
            assert_eq!(told, [1, 1, 1], "{docker}: {log}");
        } else {
            running.wait().code(0);
        }
        let left = engine.docker(&[
            "ps",
            "--all",
            "--filter",
            "name=styxy-kept",
            "--format",
            "{{.State}}",
        ]);
        assert_eq!(left, "exited", "one container, and the user's own");
        let starts = engine.docker(&["logs", "styxy-kept"]);
        assert!(starts.contains("so far 3"), "{starts}");
        engine.docker(&["rm", "styxy-kept"]);
    }
}

#[test]
fn a_restart_starts_the_same_container_again_or_a_new_one_as_its_user_wants() {
    let engine = engine();
    let sandbox = engine.sandbox();
    for (remove, is_same) in [("", true), ("--rm", false)] {
        let docker = format!("{remove} --init --name styxy-again");
        let (running, ready) = sandbox.serve(&run("--container-port 80", &docker, SERVER));
        let id = || sandbox.wait_until_ready("web", "pg")["container"]["id"].clone();
        let before = id();
        sandbox.run("restart pg").code(0);
        assert_eq!(ask(ready.port, "/").trim(), "hello");
        assert_eq!(before == id(), is_same, "{remove}");
        sandbox.run("stop pg").code(0);
        running.wait();
        if is_same {
            engine.docker(&["rm", "styxy-again"]);
        }
    }
}

#[test]
fn one_inside_a_shells_plain_words_is_supervised_too() {
    let engine = engine();
    let sandbox = engine.sandbox();
    for command in [
        format!("sh -c 'exec docker run --rm {IMAGE} {SERVER}'"),
        format!("env DOCKER_HOST={} sh -c 'docker run --rm --init {IMAGE} {SERVER}'", engine.host),
    ] {
        let flags = "run -t web -i pg --container-port 80 --stop-timeout 300ms --";
        let running = sandbox.start(&format!("{flags} {command}"));
        running.ready();
        let killed = crash(&sandbox);
        running.wait();
        sandbox.run("cleanup").code(0);
        assert_eq!(engine.states(&killed), [""; 0], "{command}");
        // Of the second one's engine, this is all that is known from now on.
        sandbox.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    }
}

#[test]
fn one_that_is_hidden_in_a_text_is_told_of_and_left_to_its_engine() {
    let sandbox = engine().sandbox();
    let line = format!("run --ready none -- sh -c 'true && docker run --rm {IMAGE} true'");
    sandbox.run(&line).code(0).said(&["neither stopped nor cleaned up", "docker run"]);
    // Of a package's script, what is in there can be said.
    let command = format!("docker run --rm {IMAGE} true");
    let package = format!("{{\"scripts\": {{\"db\": \"{command}\"}}}}");
    fs::write(sandbox.file("package.json"), package).expect("the sandbox can be written");
    let script = sandbox.run("run --ready none -- npm run db");
    script.code(0).said(&["neither stopped nor cleaned up", &format!("`{command}`")]);
    let line = line.replace("--ready none", "--container-port 80");
    sandbox.run(&line).code(2).said(&["--container-port", "plain words"]);
}

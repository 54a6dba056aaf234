//! Every example in `examples/` does what its first lines say, on a copy of it.

use crate::composing::plug_in;
use crate::engine::{Engine, IMAGE, engine};
use crate::patience::{until, until_true};
use crate::running::Running;
use crate::sandbox::{Sandbox, ask, server_pid};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn text(name: &str) -> String {
    fs::read_to_string(examples().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A sandbox with a copy of an example, and the built-in types that it uses on ports of its own.
fn with(example: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::with_config(|ports| {
        let of = |name: &str, first: u16| {
            format!("[service_types.{name}]\nrange = {}\n", ports.range(first, first + 19))
        };
        ["dev", "api", "database", "ai"].into_iter().zip([0, 20, 40, 60]).fold(
            String::new(),
            |text, (name, first)| {
                let single = if name == "ai" { "instance_behavior = 'single'\n" } else { "" };
                text + &of(name, first) + single
            },
        )
    });
    let copy = sandbox.file(example);
    copy_folder(&examples().join(example), &copy);
    (sandbox, copy)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the sandbox can be written");
    for entry in fs::read_dir(from).expect("the example is there") {
        let entry = entry.expect("it can be read");
        let copy = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &copy);
        } else {
            fs::copy(entry.path(), copy).expect("the sandbox can be written");
        }
    }
}

/// Starts a line of shell in a folder; styxy is on its PATH.
#[track_caller]
fn start(sandbox: &Sandbox, folder: &Path, line: &str) -> Rc<Running> {
    let mut command = sandbox.command("bash");
    command.args(["-c", line]).current_dir(folder).env("npm_config_update_notifier", "false");
    sandbox.start_command(line, command)
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[test]
fn the_rag_service_is_loaded_once_whoever_asks() {
    let (sandbox, rag) = with("rag");

    let askers: Vec<_> = (0..4).map(|_| start(&sandbox, &rag, "styxy run -d rag")).collect();
    let ports: Vec<u16> = askers.iter().map(|asker| asker.wait().code(0).port()).collect();

    assert_eq!(ports, [sandbox.port(60); 4]);
    assert_eq!(lines(&rag.join("data/loads")), 1);
    assert!(ask(ports[0], "/ask?q=styxy").contains("knows nothing about styxy"));
    // Another type, the same collection.
    let second = "styxy run --type dev --claim data -- python3 rag.py";
    start(&sandbox, &rag, second).wait().code(75).said(&["ai/rag"]);
    sandbox.run("stop ai/rag").code(0);
}

#[test]
fn the_shop_comes_up_in_order_each_part_told_where_the_others_are() {
    let (sandbox, shop) = with("shop");

    let up = start(&sandbox, &shop, "exec styxy up");
    up.says(&["web", "| dev/web", "http://127.0.0.1:"]);
    let line = up.prints(&["web", "| open http://127.0.0.1:"]);
    let port: u16 = line.rsplit(':').next().unwrap().parse().unwrap();

    let page = ask(port, "/");
    assert!(page.contains("<li>lamp: 20</li><li>table: 90</li>"), "{page}");
    assert!(sandbox.instance("dev", "migrate").is_none(), "its work is done");
    up.end(Signal::SIGINT).code(130);
    sandbox.nothing_is_left();

    start(&sandbox, &shop, "styxy up -d").wait().code(0);
    assert_eq!(sandbox.instances().len(), 3);
    start(&sandbox, &shop, "styxy down").wait().code(0);
    assert!(sandbox.instances().is_empty());
}

#[test]
fn the_startup_script_does_the_same_before_and_after() {
    let (sandbox, flock) = with("flock");
    let starts = flock.join("starts");
    let port = sandbox.free_port();
    let before = format!("RAG_PORT={port} ./before.sh");

    let first = start(&sandbox, &flock, &before).wait();
    let again = start(&sandbox, &flock, &before).wait();
    let pid = server_pid(port);
    first.code(0).printed(&format!("started on port {port} (pid {pid})\n"));
    again.code(0).printed(&format!("already runs on port {port} (pid {pid})\n"));
    assert_eq!(lines(&starts), 1);
    crate::processes::signal(pid, Signal::SIGKILL);
    // What its first lines say of it: whoever has that pid now is taken for the service.
    fs::write(flock.join("run/rag.pid"), std::process::id().to_string()).unwrap();
    start(&sandbox, &flock, &before).wait().code(0);
    assert_eq!(lines(&starts), 1);

    fs::remove_file(&starts).unwrap();
    let ports: Vec<u16> =
        (0..2).map(|_| start(&sandbox, &flock, "./after.sh").wait().code(0).port()).collect();
    assert_eq!(ports, [sandbox.port(60); 2]);
    assert_eq!(lines(&starts), 1);
    sandbox.run("stop ai/rag").code(0);
}

/// Images that are called as those of the example, made of the one that is there.
fn images(engine: &Engine) {
    let made = engine.docker(&["create", IMAGE]);
    for (port, name) in [(80, "nginx:alpine"), (5432, "postgres:16-alpine")] {
        let command = format!("CMD httpd -f -p {port} -h /www");
        engine.docker(&["commit", "--change", &command, &made, name]);
    }
    engine.docker(&["rm", &made]);
}

#[test]
fn the_compose_project_has_the_leased_ports_and_its_second_checkout_others() {
    let engine = engine();
    images(engine);
    let (sandbox, _) = with("compose");
    sandbox.set("DOCKER_HOST", &engine.host);
    plug_in(&sandbox);
    let mut started = Vec::new();
    for (checkout, place) in [("first", 0), ("second", 2)] {
        // Compose calls a project as its folder: by what is unique to this sandbox.
        let folder = sandbox.file(&format!("{checkout}{}", sandbox.port(0)));
        copy_folder(&examples().join("compose"), &folder);
        // As the file says, but for the stop: nobody in there is the first process that hears TERM.
        let run = format!(
            "styxy run --type dev --id {checkout} --ports web,db --stop-timeout 1s -- docker compose up"
        );
        assert!(text("compose/docker-compose.yml").contains("--ports web,db -- docker compose up"));
        started.push((checkout, place, start(&sandbox, &folder, &run)));
        sandbox.wait_until_ready("dev", checkout);
    }
    for &(checkout, place, _) in &started {
        for port in [sandbox.port(place), sandbox.port(place + 1)] {
            until_true("its server", || TcpStream::connect(("127.0.0.1", port)).is_ok());
            assert_eq!(ask(port, "/").trim(), "hello", "{checkout}");
        }
    }
    for (checkout, _, running) in started {
        sandbox.run(&format!("stop {checkout}")).code(0);
        running.wait();
        let filter = format!("label=com.docker.compose.project={checkout}{}", sandbox.port(0));
        assert_eq!(engine.docker(&["ps", "--all", "--quiet", "--filter", &filter]), "");
    }
    let alone = start(&sandbox, &sandbox.file("compose"), "docker compose config").wait();
    alone.failed().said(&["styxy run --ports"]);
}

#[test]
fn the_scripts_of_package_json_share_one_server() {
    let (sandbox, site) = with("node");

    start(&sandbox, &site, "npm test --silent").wait().code(0);
    let pid = sandbox.wait_until_ready("dev", "node")["pid"].clone();
    start(&sandbox, &site, "npm test --silent")
        .wait()
        .code(0)
        .printed(&format!("the server answers: pid {pid}\n"));
    let dev = start(&sandbox, &site, "npm run dev --silent");
    dev.says(&["dev/node already runs", "attached"]);
    // styxy in front of a script that says styxy itself is the same instance.
    let again = start(&sandbox, &site, "styxy run -d -- npm run dev --silent").wait();
    again.code(0).said(&["another command runs under this directory's name"]);
    sandbox.run("stop --all").code(0);

    dev.wait();
    assert!(sandbox.instances().is_empty());
}

#[test]
fn the_editors_task_sees_the_server_begin_and_end_to_start() {
    let (sandbox, site) = with("node");
    let tasks: Value = serde_json::from_str(&text("node/.vscode/tasks.json")).expect("JSON");
    let task = &tasks["tasks"][0];
    let mut words = vec![task["command"].as_str().unwrap()];
    words.extend(task["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()));
    let background = &task["problemMatcher"]["background"];
    let matches = |which: &str, line: &str| {
        let script = "process.exit(RegExp(process.argv[1]).test(process.argv[2]) ? 0 : 1)";
        let mut node = sandbox.command("node");
        node.args(["-e", script, background[which].as_str().unwrap(), line]);
        node.status().expect("node is installed").success()
    };

    let server = start(&sandbox, &site, &format!("exec {}", words.join(" ")));
    let ready = server.ready();
    assert!(matches("endsPattern", &ready.line) && !matches("beginsPattern", &ready.line));
    crate::processes::signal(server_pid(ready.port), Signal::SIGKILL);
    let again = server.says(&["dev/node ended with 137"]);
    assert!(matches("beginsPattern", &again) && !matches("endsPattern", &again), "{again}");

    // It hears TERM itself, once it is there again.
    sandbox.wait_until_ready("dev", "node");
    server.end(Signal::SIGTERM).code(0);
}

#[test]
fn units_for_systemd_are_what_systemd_takes() {
    let (sandbox, units) = with("systemd");
    let styxy = env!("CARGO_BIN_EXE_styxy");
    let printed = sandbox.run("serve --print-unit").code(0).stdout.clone();
    assert_eq!(printed, text("systemd/styxy.service").replace("/usr/bin/styxy", styxy));

    let runtime = sandbox.folder("runtime");
    for name in ["styxy.service", "rag.service"] {
        let unit = text(&format!("systemd/{name}")).replace("/usr/bin/styxy", styxy);
        fs::write(units.join(name), unit).unwrap();
        let mut verify = sandbox.command("systemd-analyze");
        verify.args(["verify", "--user", "--man=no", name]).current_dir(&units);
        verify.env("XDG_RUNTIME_DIR", &runtime);
        let ended = sandbox.start_command(name, verify).wait();
        assert!(ended.code(0).stderr.is_empty(), "{}", ended.story());
    }
}

#[cfg(feature = "serve")]
#[test]
fn prometheus_scrapes_what_serve_serves() {
    let (sandbox, _) = with("node");
    let served = crate::serve::served(&sandbox);
    sandbox.run("allocate --type dev --id site").code(0);
    let config = text("prometheus.yml")
        .replace("127.0.0.1:9876", &format!("127.0.0.1:{}", served.port))
        .replace("scrape_interval: 15s", "scrape_interval: 3s");
    fs::write(sandbox.file("prometheus.yml"), config).unwrap();

    let words = "run --type dev --id prometheus --ready http:/-/ready -- prometheus \
                 --config.file=prometheus.yml --storage.tsdb.path=series \
                 --web.listen-address=127.0.0.1:{port}";
    let (prometheus, ready) = sandbox.serve(words);
    let query = "/api/v1/query?query=styxy_leases";
    let look = || {
        let answer: Value = serde_json::from_str(&ask(ready.port, query)).ok()?;
        answer["data"]["result"].as_array().filter(|series| !series.is_empty()).cloned()
    };
    let series = until("a scrape", look, || sandbox.story());
    assert!(series.iter().any(|one| one["metric"]["type"] == "dev"), "{series:?}");

    // What the dashboard asks for is there.
    let metrics = ask(served.port, "/metrics");
    let dashboard: Value = serde_json::from_str(&text("grafana.json")).expect("JSON");
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let name = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let name = name.into_iter().find(|word| word.starts_with("styxy_")).expect(expression);
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
            assert!(metrics.contains(&format!("# TYPE {name} ")), "no {name}\n{metrics}");
        }
    }
    prometheus.end(Signal::SIGTERM);
    served.running.end(Signal::SIGTERM);
}

/// The blocks of shell in a text, one after another.
fn shell(text: &str) -> String {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect()
}

#[test]
fn what_the_guide_for_assistants_says_works_as_it_stands_there() {
    let (sandbox, site) = with("node");
    let script = shell(&text("agents.md"));
    assert!(script.lines().count() > 5, "{script}");

    let ended = start(&sandbox, &site, &format!("set -eux\n{script}")).wait();

    ended.code(0).said(&["dev/site@node stopped"]);
    assert!(ended.stdout.contains("pid ") && ended.stdout.contains("\"existing\":true"));
    assert!(sandbox.instances().is_empty());
}

#[test]
fn every_example_is_in_the_list_and_every_link_leads_somewhere() {
    let list = text("README.md");
    for entry in fs::read_dir(examples()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // `page` belongs to the servers in Rust.
        let told = name.ends_with(".rs") || ["README.md", "page"].contains(&name.as_str());
        assert!(told || list.contains(&format!("[{name}")), "the list has no {name}");
    }
    for link in list.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(examples().join(link).exists(), "{link}");
    }
}

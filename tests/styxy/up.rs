//! Services that a project names: `up` starts and stops them in their order, `down` stops them, `run NAME`
//! runs one.

use crate::patience::until_true;
use crate::processes;
use crate::pty::{CTRL_C, Terminal};
use crate::sandbox::{Sandbox, ask, server_pid, wait_for_line};
use nix::sys::signal::Signal;
use std::fs;

/// A service of the type `web`: its command, and further lines.
fn service(name: &str, command: &str, more: &str) -> String {
    format!("[services.{name}]\ntype = 'web'\ncommand = '''{command}'''\n{more}\n")
}

/// A server that writes into `order` when it is started, and when it is asked to end.
fn server(name: &str, more: &str) -> String {
    let command = format!(
        "trap 'echo stop {name} >> order; exit 0' TERM; echo start {name} >> order; child serve & wait"
    );
    service(name, &command, more)
}

fn project(sandbox: &Sandbox, services: &[String]) {
    fs::write(sandbox.file("styxy.toml"), services.concat()).expect("our project");
}

/// db, api after it, front after that.
fn three(sandbox: &Sandbox) {
    let services =
        [server("front", "after = ['api']"), server("api", "after = ['db']"), server("db", "")];
    project(sandbox, &services);
}

fn order(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.file("order")).unwrap_or_default().replace('\n', ", ")
}

#[test]
fn services_start_in_their_order_and_stop_in_the_reverse_one() {
    let sandbox = Sandbox::new();
    three(&sandbox);

    let up = sandbox.start("up");
    for name in ["db", "api", "front"] {
        up.says(&[&format!("{name:5} | web/{name}  http://127.0.0.1:"), "pid "]);
    }
    let ended = up.end(Signal::SIGINT);

    ended.code(130).printed("");
    let expected = "start db, start api, start front, stop front, stop api, stop db, ";
    assert_eq!(order(&sandbox), expected, "{}", ended.story());
    sandbox.nothing_is_left();
    assert!(sandbox.instances().is_empty());
}

#[test]
fn a_service_waits_until_what_it_comes_after_is_ready_and_is_told_where_that_is() {
    let sandbox = Sandbox::new();
    let db = service("my-db", "child await=go serve", "");
    let api = "echo start api >> order; echo db=$STYXY_WEB_MY_DB_PORT at $STYXY_WEB_MY_DB_URL; \
               exec child serve";
    project(&sandbox, &[db, service("api", api, "after = ['my-db']")]);

    let up = sandbox.start("up");
    sandbox.wait_for_phase("web", "my-db", "starting");
    // Whatever was started before this line stands before it.
    fs::write(sandbox.file("order"), "go\n").unwrap();
    fs::write(sandbox.file("go"), "").unwrap();
    up.says(&["api   | web/api  http://"]);

    let port = sandbox.instance("web", "my-db").unwrap()["port"].as_u64().unwrap();
    up.prints(&[&format!("api   | db={port} at http://127.0.0.1:{port}")]);
    assert_eq!(order(&sandbox), "go, start api, ");
    up.end(Signal::SIGTERM).code(143);
}

#[test]
fn ctrl_c_stops_all_and_a_second_one_kills() {
    let sandbox = Sandbox::new();
    project(&sandbox, &[service("stubborn", "child record=seen deaf serve", "")]);
    let mut terminal = Terminal::open(&sandbox);

    terminal.line("styxy up");
    terminal.expect("pid ");
    terminal.keys(CTRL_C);
    terminal.expect("stopping all");
    wait_for_line(&sandbox.file("seen"), "TERM");
    terminal.keys(CTRL_C);
    terminal.prompt();

    assert_eq!(terminal.code(), 130);
    terminal.close();
    sandbox.nothing_is_left();
}

#[test]
fn names_are_coloured_at_a_terminal_and_only_there() {
    let sandbox = Sandbox::new();
    project(&sandbox, &[service("db", "child say=hello serve", "")]);
    let mut terminal = Terminal::open(&sandbox);
    for (words, shown) in
        [("styxy up", "\u{1b}[36mdb | \u{1b}[0mhello"), ("NO_COLOR=1 styxy up", "\ndb | hello")]
    {
        terminal.line(words);
        terminal.expect(shown);
        terminal.expect("pid ");
        terminal.keys(CTRL_C);
        terminal.prompt();
    }
    terminal.close();

    let up = sandbox.start("up");
    assert_eq!(up.prints(&["hello"]), "db | hello");
    up.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_killed_up_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    three(&sandbox);
    let up = sandbox.start("up");
    up.says(&["front | web/front"]);

    up.end(Signal::SIGKILL);

    until_true("the end of all services", || processes::of(sandbox.root()).is_empty());
    assert!(sandbox.instances().is_empty());
}

#[test]
fn a_service_that_fails_ends_the_others_and_its_code_is_returned() {
    let sandbox = Sandbox::new();
    let api = service("api", "child serve", "after = ['db']");
    project(&sandbox, &[server("db", ""), api]);
    let up = sandbox.start("up");
    let port = up.says(&["api | web/api  http://"]);
    let port = port.rsplit(':').next().unwrap().split(' ').next().unwrap().parse().unwrap();

    ask(port, "/exit/7");
    let ended = up.wait();

    ended.code(7).said(&["api | web/api ended with 7", "api has failed", "db  | stopped"]);
    assert_eq!(order(&sandbox), "start db, stop db, ");
    sandbox.nothing_is_left();
}

#[test]
fn one_that_is_not_ready_in_time_ends_all_with_124() {
    let sandbox = Sandbox::new();
    let slow = service("slow", "child sleep", "readiness = { tcp = true, timeout = '300ms' }");
    project(&sandbox, &[server("db", ""), slow, server("web", "after = ['slow']")]);

    let ended = sandbox.run("up");

    ended.code(124).said(&["slow | web/slow was not ready"]);
    assert!(!order(&sandbox).contains("start web"), "{}", ended.story());
    sandbox.nothing_is_left();
}

#[test]
fn one_that_ends_with_0_has_done_its_work() {
    let sandbox = Sandbox::new();
    let migrate = service("migrate", "echo migrated >> order", "");
    project(&sandbox, &[migrate, server("api", "after = ['migrate']")]);

    let up = sandbox.start("up");
    up.says(&["api     | web/api  http://"]);

    up.says(&["migrate | ended with 0"]);
    assert_eq!(order(&sandbox), "migrated, start api, ");
    sandbox.run("stop web/api").code(0);
    up.wait().code(0).said(&["api     | stopped"]);

    // In the background too.
    sandbox.run("up -d").code(0);
    assert_eq!(order(&sandbox), "migrated, start api, stop api, migrated, start api, ");
    sandbox.run("down").code(0);
}

#[test]
fn one_that_somebody_stops_does_not_end_the_others() {
    let sandbox = Sandbox::new();
    project(&sandbox, &[service("a", "child serve", ""), service("b", "child serve", "")]);
    let up = sandbox.start("up");
    up.says(&["a | web/a  http"]);
    up.says(&["b | web/b  http"]);

    sandbox.run("stop web/a").code(0);
    up.says(&["a | stopped"]);

    assert_eq!(sandbox.instance("web", "b").unwrap()["phase"], "ready");
    up.end(Signal::SIGINT).code(130);
}

#[test]
fn in_the_background_they_go_on_until_down() {
    let sandbox = Sandbox::new();
    three(&sandbox);

    let started = sandbox.json("up -d");
    let names: Vec<&str> = started["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["service"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["db", "api", "front"]);
    assert_eq!(started["services"][0]["existing"], false);
    sandbox.run("up -d web").code(2).printed("").said(&["no service is called `web`"]);
    assert_eq!(sandbox.json("up -d")["services"][2]["existing"], true);

    let stopped = sandbox.json("down");

    let names: Vec<&str> = stopped["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["service"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["front", "api", "db"]);
    let expected = "start db, start api, start front, stop front, stop api, stop db, ";
    assert_eq!(order(&sandbox), expected);
    sandbox.run("down").code(0).said(&["no service of this project runs"]);
    sandbox.nothing_is_left();
}

#[test]
fn what_ran_before_is_joined_and_goes_on() {
    let sandbox = Sandbox::new();
    three(&sandbox);
    sandbox.run("up -d db").code(0).said(&["db | web/db  http://"]);

    let up = sandbox.start("up api");
    up.says(&["db  | web/db already runs on http://", "attached"]);
    up.says(&["api | web/api  http://"]);
    up.end(Signal::SIGINT).code(130).said(&["db  | detached: web/db goes on"]);

    assert_eq!(sandbox.instance("web", "db").unwrap()["phase"], "ready");
    assert!(sandbox.instance("web", "api").is_none());
    sandbox.run("down db").code(0).said(&["db: web/db@project stopped"]);
}

#[test]
fn in_the_background_what_is_ready_stays_when_another_one_fails() {
    let sandbox = Sandbox::new();
    let api = service("api", "echo last words; exit 3", "after = ['db']");
    project(&sandbox, &[server("db", ""), api]);

    let ended = sandbox.run("up -d");

    ended.code(3).said(&["api | web/api ended with 3 before", "last words", "styxy down"]);
    assert_eq!(sandbox.instance("web", "db").unwrap()["phase"], "ready");
    sandbox.run("down").code(0);
    sandbox.nothing_is_left();
}

#[test]
fn a_procfile_is_read_where_no_styxy_toml_names_services() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("Procfile"), "# two\nweb: child serve $PORT\nwork: child sleep\n")
        .unwrap();
    let more = "[services.other]\ncommand = 'true'";

    let up = sandbox.start("up web");
    let line = up.says(&["web | ", "http://127.0.0.1:"]);
    let port = line.rsplit(':').next().unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(processes::is_alive(server_pid(port)));
    up.end(Signal::SIGINT).code(130);

    fs::write(sandbox.file("Procfile"), "web: child serve\nwork\n").unwrap();
    sandbox.run("up").code(78).said(&["Procfile:2: wants `name: command` in each line"]);
    fs::write(sandbox.file("styxy.toml"), more).unwrap();
    sandbox.run("run web").code(2).said(&["no service is called `web`", "other"]);
}

#[test]
fn a_service_runs_by_its_name_and_flags_win() {
    let sandbox = Sandbox::new();
    let below = sandbox.folder("project/below");
    let more = "cwd = 'below'\nid = 'main'\nenv = { A = 'file', B = 'file' }\nready = 'none'";
    project(&sandbox, &[service("web", "echo $A $B $STYXY_ID; pwd", more)]);

    let ended = sandbox.run_in(&below, "run web -e A=flag");

    ended.code(0).printed(&format!("flag file main\n{}\n", below.display()));
    sandbox
        .run("run web --id other")
        .code(0)
        .printed(&format!("file file other\n{}\n", below.display()));
    sandbox.run("run wbe").code(2).said(&["no service is called `wbe`", "did you mean 'web'?"]);
    let elsewhere = sandbox.folder("elsewhere");
    sandbox.run_in(&elsewhere, "run web").code(2).said(&["this project names no services"]);
}

#[test]
fn services_that_wait_for_each_other_are_named_with_file_and_line() {
    let sandbox = Sandbox::new();
    project(&sandbox, &[server("a", "after = ['b']"), server("b", "after = ['a']")]);
    let said = "styxy.toml:4: services.a.after: waits for itself: a after b after a";
    for words in ["up", "up -d b", "down"] {
        sandbox.run(words).code(78).said(&[said]);
    }
    project(&sandbox, &[server("web", "after = ['databse']"), server("database", "")]);
    let said = "styxy.toml:4: services.web.after: no service is called `databse`";
    for words in ["up", "run web"] {
        sandbox.run(words).code(78).said(&[said, "did you mean 'database'?"]);
    }
}

#[test]
fn a_run_starts_after_another_one_with_its_address() {
    let sandbox = Sandbox::new();
    let db = sandbox.start("run -t web -i db -- child await=go serve");
    sandbox.wait_for_phase("web", "db", "starting");
    let show = "echo $STYXY_WEB_DB_PORT $STYXY_WEB_DB_URL";
    let web =
        sandbox.start(&format!("run -t lamp -i web --after web/db --ready none -- sh -c '{show}'"));
    web.says(&["lamp/web waits until web/db is ready"]);

    fs::write(sandbox.file("go"), "").unwrap();

    let port = db.ready().port;
    web.wait().code(0).printed(&format!("{port} http://127.0.0.1:{port}\n"));
    db.end(Signal::SIGINT).code(130);
}

#[test]
fn a_run_does_not_start_after_one_that_is_not_there_or_ends() {
    let sandbox = Sandbox::new();
    let run = "run -t lamp -i web --after web/db -- child record=seen serve";
    sandbox.run(run).code(75).said(&["lamp/web starts after `web/db`, which does not run"]);

    let db = sandbox.start("run -t web -i db -- child await=go exit=4");
    sandbox.wait_for_phase("web", "db", "starting");
    let web = sandbox.start(run);
    web.says(&["waits until web/db is ready"]);
    fs::write(sandbox.file("go"), "").unwrap();

    web.wait().code(75).said(&["web/db@project, which ended with 4 before it was ready"]);
    db.wait().code(4);
    assert!(!sandbox.file("seen").exists());
    // A service says so too when it is run alone.
    project(&sandbox, &[server("api", "after = ['db']"), server("db", "")]);
    sandbox
        .run("run api")
        .code(75)
        .said(&["web/api starts after web/db, which does not run", "styxy up"]);
}

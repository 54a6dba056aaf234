//! What a person can do wrong, or meet: each with its exit code, what failed, and what to do now.

use crate::running::Ended;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use std::fs;

/// What is typed, what it ends with, what is said of it, and what the hint names.
type Row<'a> = (&'a str, i32, &'a [&'a str], &'a str);

/// The hint below a message: the last line on stderr that is one.
fn hint(ended: &Ended) -> Option<&str> {
    ended.stderr.lines().filter_map(|line| line.trim_start().strip_prefix("hint: ")).next_back()
}

/// It fails as it should: in words for people, and as an object for programs.
#[track_caller]
fn check(sandbox: &Sandbox, (words, code, what, expected): Row<'_>) {
    let ended = sandbox.run(words);
    ended.code(code).said(what);
    let hint = hint(&ended).unwrap_or_else(|| panic!("no hint\n{}", ended.story()));
    assert!(hint.contains(expected), "`{hint}` has no `{expected}`\n{}", ended.story());
    for wrong in ["(os error", "panicked", "Error {", "  ."] {
        assert!(!ended.stderr.contains(wrong), "`{wrong}`\n{}", ended.story());
    }
    // The flag stands before the command, whose own words stay as they are.
    let again = sandbox.run(&format!("--json {words}"));
    again.code(code);
    let object =
        again.stdout.lines().chain(again.stderr.lines()).find(|line| line.starts_with('{'));
    let object = object.unwrap_or_else(|| panic!("no object\n{}", again.story()));
    let object: serde_json::Value = serde_json::from_str(object).expect("an object of JSON");
    assert_eq!(object["error"]["code"], code, "{}", again.story());
    assert!(object["error"]["hint"].is_string(), "{}", again.story());
}

fn check_all(sandbox: &Sandbox, rows: &[Row<'_>]) {
    rows.iter().for_each(|row| check(sandbox, *row));
}

#[test]
fn who_names_what_is_not_there_is_told_what_is() {
    let sandbox = Sandbox::new();
    check_all(
        &sandbox,
        &[
            ("stop web/nobody", 2, &["web/nobody"], "styxy list"),
            ("use nobody", 2, &["nobody"], "styxy list"),
            ("port 1", 2, &["1"], "styxy list"),
            ("logs web/nobody", 2, &["web/nobody"], "styxy l"),
            ("restart web/nobody", 2, &["web/nobody"], "styxy list"),
            ("release nobody", 2, &["nobody"], "styxy list"),
            ("stop 'a b'", 2, &["a b"], ""),
            ("wait web/nobody --timeout 50ms", 124, &["web/nobody", "50 ms"], "--timeout"),
            ("run --after web/nobody -- true", 75, &["web/nobody"], "start that first"),
            ("up", 2, &["no services"], "styxy.toml"),
            ("run front", 2, &["no services"], "styxy.toml"),
            ("config get auto_allocation.gap", 78, &["gap"], "gap_size"),
            ("config set auto_allocation.gap_sise 3", 78, &["gap_sise"], "gap_size"),
            ("config set auto_allocation.gap_size many", 78, &["gap_size", "many"], ""),
            ("config undo-auto", 2, &[], ""),
        ],
    );
}

#[test]
fn who_is_in_the_way_is_named_with_the_way_out() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t solo -i rag --claim . -- child serve");
    let held = sandbox.run("allocate -t web -i held").code(0).port();
    let mut sleep = sandbox.command("sleep");
    sleep.arg("60");
    let sleeper = sandbox.start_command("sleep 60", sleep);
    let (pid, own) = (sleeper.pid(), std::process::id());
    let lock_id = sandbox.instance("web", "held").unwrap()["lockId"].as_str().unwrap().to_owned();
    sandbox.run(&format!("allocate -t web -i mine --pid {pid}")).code(0);
    let foreign = std::net::TcpListener::bind(("127.0.0.1", sandbox.free_port())).unwrap();
    let (port, taken) = (ready.port, sandbox.free_port());
    check_all(
        &sandbox,
        &[
            (
                "run -t solo -i other -- true",
                75,
                &["solo/rag", &port.to_string(), &ready.pid.to_string()],
                &format!("styxy use --port {port}"),
            ),
            ("run -t solo -i rag --if-running fail -- true", 75, &["solo/rag"], "styxy use"),
            ("run -t web -i b --claim . -- true", 75, &["solo/rag"], "--if-running wait"),
            (&format!("run -t web -i b -p {port} -- true"), 69, &["solo/rag"], "styxy stop"),
            (
                &format!("run -t web -i b -p {held} -- true"),
                69,
                &["web/held"],
                &format!("styxy release {lock_id}"),
            ),
            (
                &format!("run -t web -i b -p {taken} -- true"),
                69,
                &[&taken.to_string(), &own.to_string()],
                "leave --port out",
            ),
            ("release solo/rag", 75, &["solo/rag"], "styxy stop solo/rag"),
            ("stop web/held", 75, &["web/held"], "styxy release"),
            ("restart web/held", 75, &["web/held"], "styxy release"),
            ("release web/mine", 75, &["web/mine"], "--force"),
            ("run -t web -i mine -- true", 75, &["web/mine", &pid.to_string()], "styxy release"),
        ],
    );
    sandbox.run("allocate -t tiny -i a").code(0);
    sandbox.run("allocate -t tiny -i b").code(0);
    check(&sandbox, ("run -t tiny -- true", 69, &["tiny/a", "tiny/b"], "service_types.tiny.range"));
    drop(foreign);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_command_that_does_not_run_says_what_it_lacks() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("plain"), "#!/bin/sh\n").unwrap();
    check_all(
        &sandbox,
        &[
            ("run -t web -- no-such-command", 127, &["no-such-command"], "PATH"),
            ("run -t web -- ./plain", 126, &["./plain", "permission denied"], "chmod +x ./plain"),
            ("run -t web --claim nowhere -- true", 2, &["nowhere"], "mkdir -p"),
            ("run -t web --claim plain -- true", 2, &["plain", "not a directory"], "directory"),
            ("run -t web -- echo {port:http}", 2, &["http"], "--ports"),
            ("run -t web -d --ready 'log:(' -- true", 2, &["("], "backslash"),
            ("run -t web --ready log:x -- true", 2, &["log"], "-d"),
            ("run -d -t web -i early -- sh -c 'echo why; exit 3'", 3, &["why"], "styxy logs"),
            ("run -d -t web -i still -- sh -c 'exit 3'", 3, &["web/still"], "without styxy"),
            (
                "run -d -t web -i slow --ready-timeout 300ms -- sleep 60",
                124,
                &["web/slow"],
                "--ready-timeout",
            ),
        ],
    );
}

#[test]
fn a_configuration_that_cannot_be_used_is_named_with_the_way_to_mend_it() {
    let rows: &[(&str, &[&str], &str)] = &[
        ("no TOML", &["config.toml:1"], "styxy config validate"),
        ("[nonsense]\n", &["config.toml:1", "nonsense"], ""),
        ("[service_types.web]\nrange = [5, 4]\n", &["config.toml:2", "range"], ""),
        ("[auto_allocation]\nplacement = 'behind'\n", &["config.toml:2", "behind"], ""),
        ("[auto_allocation]\ngap_size = -1\n", &["config.toml:2", "gap_size"], ""),
        ("[service_types.web]\nrestart = 'often'\n", &["config.toml:2", "often"], ""),
    ];
    for (text, what, expected) in rows {
        let sandbox = Sandbox::new();
        sandbox.write_config(text);
        check(&sandbox, ("run -t web -- true", 78, what, expected));
    }
    let sandbox = Sandbox::new();
    sandbox.write_config("[auto_allocation]\nenabled = false\n");
    check(&sandbox, ("run -t unknown -- true", 78, &["unknown"], "auto_allocation.enabled"));
    sandbox.write_config("[auto_allocation]\nrequire_confirmation = true\n");
    check(&sandbox, ("run -t unknown -- true", 78, &["unknown"], "--yes"));
}

#[test]
fn a_registry_that_cannot_be_used_is_named_with_the_way_out() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate -t web -i a").code(0);
    let file = sandbox.state().join("state.json");
    let newer = "{\"version\":999,\"check\":\"00000000\"}\n";
    fs::write(&file, newer).unwrap();
    check(&sandbox, ("run -t web -- true", 125, &["state.json", "999"], "newer styxy"));
    assert_eq!(fs::read_to_string(&file).unwrap(), newer);
}

/// What clap finds wrong has its own words, which name what is meant.
#[test]
fn words_that_make_no_sense_are_named_with_what_was_meant() {
    let sandbox = Sandbox::new();
    for (words, what) in [
        ("lst", "'list'"),
        ("run --prot 3000 -- true", "'--port'"),
        ("run", "CMD"),
        ("run --port 0 -- true", "'0'"),
        ("run --if-running perhaps -- true", "attach, reuse, fail, replace, wait"),
        ("run --ready soon -- true", "tcp"),
        ("run --stop-timeout soon -- true", "500ms"),
        ("allocate --id a/b", "'a/b'"),
        ("stop", "REF"),
    ] {
        let ended = sandbox.run(words);
        ended.code(2).said(&[what, "--help"]);
        let object = sandbox.run(&format!("{words} --json"));
        // Behind the two dashes it is the command's own.
        if !words.contains("--") {
            assert!(object.code(2).json()["error"]["hint"].is_string(), "{}", object.story());
        }
    }
}

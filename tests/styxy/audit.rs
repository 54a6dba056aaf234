//! `styxy audit`: what happened, filtered, followed, and complete through rotations.

use crate::patience::until_true;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::io::Write;

/// Lines of JSON.
fn objects(text: &str) -> Vec<Value> {
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    whole.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

/// `action type/id` of every line.
fn told(sandbox: &Sandbox, words: &str) -> Vec<String> {
    let printed = sandbox.run(&format!("audit --json {words}")).code(0).stdout.clone();
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or("-").to_owned();
    let told =
        |one: &Value| format!("{} {}/{}", text(one, "action"), text(one, "type"), text(one, "id"));
    objects(&printed).iter().map(told).collect()
}

#[test]
fn what_happened_is_told_and_can_be_filtered() {
    let sandbox = Sandbox::new();
    sandbox.run("audit").code(0).printed("").said(&["nothing of that kind"]);
    let port = sandbox.run("allocate --type web --id a").port();
    sandbox.run("allocate --type web --id a").code(0);
    sandbox.run("allocate --type lamp --id b").code(0);
    sandbox.run("release web/a").code(0);

    let all = ["allocate web/a", "attach web/a", "allocate lamp/b", "release web/a"];
    assert_eq!(told(&sandbox, ""), all);
    assert_eq!(told(&sandbox, "--type lamp"), ["allocate lamp/b"]);
    assert_eq!(told(&sandbox, "--id a --action allocate,release"), [all[0], all[3]]);
    assert_eq!(told(&sandbox, "--action attach --action blocked"), ["attach web/a"]);
    assert_eq!(told(&sandbox, "--since 1h"), all);
    assert_eq!(told(&sandbox, "--until 1h"), [""; 0]);
    assert_eq!(told(&sandbox, "--since 2020-01-01 --until 2099-01-01T00:00:00Z"), all);
    let who = sandbox.sh("id -un").code(0).stdout.trim_end().to_owned();
    let number = sandbox.sh("id -u").code(0).stdout.trim_end().to_owned();
    for user in [&who, &number] {
        assert_eq!(told(&sandbox, &format!("--user {user}")), all);
    }
    assert_eq!(told(&sandbox, "--user 4000000000"), [""; 0]);

    let lines = sandbox.run("audit").code(0).stdout.clone();
    let line = lines.lines().last().unwrap();
    for text in ["release", "web/a@project", &port.to_string(), &who, "release web/a"] {
        assert!(line.contains(text), "no {text} in\n{lines}");
    }
    assert_eq!(lines.lines().count(), 5, "{lines}");
}

#[test]
fn a_line_in_json_has_every_field() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate --type web --id a").code(0);
    sandbox.run("release web/a").code(0);

    let lines = objects(&sandbox.run("audit --json").code(0).stdout);

    let always = [
        "seq",
        "time",
        "user",
        "pid",
        "command",
        "action",
        "type",
        "id",
        "port",
        "range",
        "before",
        "after",
        "lockWaitUs",
        "transactionUs",
    ];
    for line in &lines {
        for field in always {
            assert!(line.get(field).is_some(), "no {field} in {line}");
        }
    }
    assert_eq!((&lines[0]["seq"], &lines[1]["seq"]), (&1.into(), &2.into()));
    assert!(lines[0].get("readyMs").is_none());
    assert_eq!(lines[1].get("readyMs"), Some(&Value::Null));
    // Nothing ran there; what did tells how it ended.
    assert!(lines[1].get("exitCode").is_none());
    sandbox.run("run --type web --id a -- bash -c 'exit 3'").code(3);
    let ended = sandbox.run("audit --json --action release").code(0).stdout.clone();
    let ended: Value = serde_json::from_str(ended.lines().last().unwrap()).unwrap();
    assert_eq!(ended["exitCode"], 3, "{ended}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let sandbox = Sandbox::new();
    for words in ["--since yesterday", "--until 2026", "--action run", "--type a/b", "--id ''"] {
        sandbox.run(&format!("audit {words}")).code(2);
    }
    sandbox.run("audit --user 'nobody is called so'").code(2).said(&["nobody is called so"]);
}

#[test]
fn lines_of_transactions_that_never_happened_are_not_shown() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate --type web --id a").code(0);
    let log = sandbox.state().join("audit.jsonl");
    let line = fs::read_to_string(&log).unwrap();
    let mut file = fs::File::options().append(true).open(&log).unwrap();
    // Killed before its commit, and killed amid the line after that.
    let never =
        line.replace("\"seq\":1,", "\"seq\":2,").replace("\"id\":\"a\"", "\"id\":\"never\"");
    write!(file, "{never}{{\"seq\":3,\"ti").unwrap();

    assert_eq!(told(&sandbox, ""), ["allocate web/a"]);
    sandbox.run("allocate --type web --id b").code(0);
    assert_eq!(told(&sandbox, ""), ["allocate web/a", "allocate web/b"]);
}

#[test]
fn no_line_is_lost_by_rotation_among_many_writers_and_to_those_who_follow() {
    const WRITERS: usize = 12;
    const TURNS: usize = 6;
    let sandbox = Sandbox::new();
    let config = fs::read_to_string(sandbox.config_file()).unwrap();
    sandbox.write_config(&format!("{config}\n[audit]\nsize = \"2KiB\"\nkeep = 500\n"));
    let follower = sandbox.start("audit --follow --json");
    let releases = sandbox.start("audit -f --action release");

    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let line = format!(
                "for turn in {{1..{TURNS}}}; do \
                 styxy allocate -q --type web --id w{writer}-$turn >&2 && \
                 styxy release -q web/w{writer}-$turn || exit; done"
            );
            let mut command = sandbox.command("bash");
            command.args(["-c", &line]);
            sandbox.start_command(&line, command)
        })
        .collect();
    for writer in &writers {
        writer.wait().code(0);
    }

    let total = WRITERS * TURNS * 2;
    let expected: Vec<u64> = (1..=total as u64).collect();
    let numbers = |text: &str| -> Vec<u64> {
        objects(text).iter().map(|line| line["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&sandbox.run("audit --json").code(0).stdout), expected);
    until_true("every line at the follower", || numbers(&follower.stdout()).len() >= total);
    assert_eq!(numbers(&follower.stdout()), expected);
    until_true("every release, and the head", || {
        releases.stdout().lines().count() == WRITERS * TURNS + 1
    });

    let files: Vec<_> = fs::read_dir(sandbox.state())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("audit.jsonl"))
        .collect();
    assert!(files.len() > 10, "only {} files", files.len());
    assert!(files.iter().all(|file| file.metadata().unwrap().len() <= 2048));
    follower.end(Signal::SIGINT).code(130);
    releases.end(Signal::SIGTERM).code(143);
}

#[test]
fn only_so_many_files_are_kept() {
    let sandbox = Sandbox::new();
    let config = fs::read_to_string(sandbox.config_file()).unwrap();
    sandbox.write_config(&format!("{config}\n[audit]\nsize = 1\nkeep = 2\n"));
    for number in 0..5 {
        sandbox.run(&format!("allocate --type web --id w{number}")).code(0);
    }

    let kept = ["allocate web/w2", "allocate web/w3", "allocate web/w4"];
    assert_eq!(told(&sandbox, ""), kept);
    assert!(!sandbox.state().join("audit.jsonl.3").exists());
}

#[test]
fn a_follower_sleeps_until_something_happens() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate --type web --id before").code(0);
    let follower = sandbox.start("audit --follow --type web");
    follower.prints(&["allocate", "web/before"]);

    // How often it went to sleep by itself, once it has.
    let field = |name: &str| -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", follower.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("no {name}\n{status}")).to_owned()
    };
    let sleeps = || field("voluntary_ctxt_switches:");
    let wakes = || {
        let before = sleeps();
        sandbox.run("list").code(0);
        before != sleeps()
    };
    // It falls asleep some time after its last line, and is said to sleep a moment before it does.
    until_true("the follower to sleep", || field("State:").contains('S') && !wakes());
    assert!((0..10).all(|_| !wakes()), "what changed nothing has woken it up");

    sandbox.run("allocate --type lamp --id other").code(0);
    sandbox.run("release web/before").code(0);
    follower.prints(&["release", "web/before"]);
    assert!(!follower.stdout().contains("lamp"), "{}", follower.story());
    follower.end(Signal::SIGINT).code(130);
}

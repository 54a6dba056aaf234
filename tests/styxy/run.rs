//! `styxy run` with one command: its exit code, its variables, its words, its streams.

use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

#[test]
fn the_exit_code_is_the_childs() {
    let sandbox = Sandbox::new();
    for (command, code) in [
        ("true", 0),
        ("sh -c 'exit 7'", 7),
        ("sh -c 'exit 255'", 255),
        ("sh -c 'kill -TERM $$'", 143),
        ("sh -c 'kill -KILL $$'", 137),
        ("sh -c 'kill -SEGV $$'", 139),
    ] {
        sandbox.run(&format!("run -t web -i a -- {command}")).code(code);
        sandbox.run(&format!("run -t web -i a --ready none -- {command}")).code(code);
    }
    assert!(sandbox.instances().is_empty());
}

#[test]
fn a_command_that_cannot_be_started_is_126_or_127() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("plain"), "echo no").unwrap();

    sandbox.run("run -t web -i a -- no-such-command").code(127).said(&["no-such-command"]);
    sandbox.run("run -t web -i a -- ./no/such").code(127).said(&["./no/such"]);
    sandbox.run("run -t web -i a -- ./plain").code(126).said(&["./plain"]);
    sandbox.run("run -t web -i a -- /tmp").code(126);

    assert!(sandbox.instances().is_empty());
}

#[test]
fn bad_usage_is_2_and_changes_nothing() {
    let sandbox = Sandbox::new();
    for words in [
        "run",
        "run -t web --",
        "run --no-such-flag -- true",
        "run --port 0 -- true",
        "run --port 65536 -- true",
        "run --port many -- true",
        "run --if-running perhaps -- true",
        "run --ready whenever -- true",
        "run --stop-timeout soon -- true",
        "no-such-command",
        "port",
        "stop --no-such-flag",
    ] {
        sandbox.run(words).code(2);
        assert!(!sandbox.state().exists(), "`{words}` wrote something");
    }
}

#[test]
fn the_child_is_told_its_port_and_its_name() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run("run -t web -i a -- env");
    ended.code(0);

    let variable = |name: &str| {
        let prefix = format!("{name}=");
        let line = ended.stdout.lines().find(|line| line.starts_with(&prefix));
        line.unwrap_or_else(|| panic!("no {name}\n{}", ended.story()))[prefix.len()..].to_owned()
    };
    let port = sandbox.port(0).to_string();
    assert_eq!(variable("PORT"), port);
    assert_eq!(variable("STYXY_PORT"), port);
    assert_eq!(variable("STYXY_TYPE"), "web");
    assert_eq!(variable("STYXY_ID"), "a");
    assert!(variable("STYXY_URL").starts_with("http://"));
    assert!(variable("STYXY_URL").trim_end_matches('/').ends_with(&format!(":{port}")));
    assert!(variable("STYXY_LOCK_ID").starts_with("web-a-"));
    // The rest is the caller's.
    assert_eq!(variable("HOME"), sandbox.home().to_str().unwrap());
}

#[test]
fn words_and_variables_are_filled_in() {
    let sandbox = Sandbox::new();
    let port = sandbox.port(0);
    for (words, expected) in [
        ("echo {port} --port={port}", format!("{port} --port={port}")),
        ("echo {type}/{id}", "web/a".to_owned()),
        ("echo {{port}} {other} {} {", "{{port}} {other} {} {".to_owned()),
    ] {
        let ended = sandbox.run(&format!("run -t web -i a -- {words}"));
        ended.code(0).printed(&format!("{expected}\n"));
    }
    sandbox.run("run -t web -i a --raw -- echo {port} {url}").code(0).printed("{port} {url}\n");
    sandbox
        .run("run -t web -i a -e ADDR=at:{port} -e FIXED=as-it-is -- sh -c 'echo $ADDR $FIXED'")
        .code(0)
        .printed(&format!("at:{port} as-it-is\n"));
    let url = sandbox.run("run -t web -i a -- echo {url} {host}").stdout;
    assert!(url.starts_with("http://") && url.contains(&format!(":{port}")), "{url}");
}

#[test]
fn variables_are_the_flags_else_the_configurations_else_the_callers() {
    let sandbox = Sandbox::new();
    let configured = "[service_types.web.env]\nA = 'configured'\nB = 'at {port}'\n";
    fs::write(sandbox.file("styxy.toml"), configured).unwrap();
    let mut command = sandbox.styxy("run -t web -i a -e A=flag=1 -e EMPTY= -e VITE_PORT -- sh -c");
    command.arg("echo $A,$B,$C,${EMPTY-unset},$VITE_PORT");
    command.env("A", "caller").env("B", "caller").env("C", "caller").env("EMPTY", "full");

    let ended = sandbox.start_command("styxy run", command).wait();

    let port = sandbox.port(0);
    ended.code(0).printed(&format!("flag=1,at {port},caller,,{port}\n"));
}

#[test]
fn what_cannot_be_filled_in_starts_nothing_and_keeps_no_port() {
    let sandbox = Sandbox::new();
    for (words, said) in [
        ("-- touch started {port:http}", "this instance has one port without a name"),
        ("--ports http,grpc -- touch started {port:htp}", "its ports are http, grpc"),
        ("-e URL=at:{port:x} -- touch started", "no port is called `x`"),
        ("-e STYXY_LOCK_ID=mine -- touch started", "STYXY_LOCK_ID is set by styxy"),
    ] {
        sandbox.run(&format!("run -t web -i a {words}")).code(2).said(&[said]);
        assert!(!sandbox.file("started").exists(), "{words}");
        assert!(sandbox.instances().is_empty(), "{words}");
    }
}

#[test]
fn several_ports_are_leased_at_once_and_named() {
    let sandbox = Sandbox::new();
    let echo = "echo $PORT $PORT_HTTP $PORT_GRPC {port:http} {port:grpc}";
    let ended = sandbox.run(&format!("run -t web -i a --ports http,grpc -- sh -c '{echo}'"));

    let (http, grpc) = (sandbox.port(0), sandbox.port(1));
    ended.code(0).printed(&format!("{http} {http} {grpc} {http} {grpc}\n"));
}

#[test]
fn several_ports_are_leased_all_or_none() {
    let sandbox = Sandbox::new();
    let (one, _) = sandbox.serve("run -t tiny -i one -- child serve");

    sandbox.run("run -t tiny -i two --ports http,grpc -- touch started").code(69);

    assert!(!sandbox.file("started").exists());
    assert_eq!(sandbox.instances().len(), 1);
    one.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_dry_run_decides_and_writes_nothing() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run("run -t web -i a --dry-run -- touch started");

    ended.code(0);
    let (port, shown) = (sandbox.port(0).to_string(), format!("{}{}", ended.stdout, ended.stderr));
    assert!(shown.contains(&port), "the port is not shown\n{}", ended.story());
    assert!(!sandbox.file("started").exists());
    assert!(!sandbox.state().join("state.json").exists());
}

#[test]
fn a_server_is_announced_by_one_calm_line() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");

    assert_eq!(ready.port, sandbox.port(0));
    assert_eq!(ready.pid, crate::sandbox::server_pid(ready.port));
    assert!(ready.line.contains("web/a"), "{}", ready.line);
    let ended = running.end(Signal::SIGTERM);
    ended.code(143).printed("");
    assert_eq!(ended.stderr, format!("{}\n", ready.line));
}

#[test]
fn quiet_says_nothing_and_json_says_one_object() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a --quiet -- echo hello").code(0).printed("hello\n");
    let quiet = sandbox.start("run -t web -i a --quiet -- child say=hello serve");
    sandbox.wait_until_ready("web", "a");
    assert_eq!(quiet.end(Signal::SIGTERM).stderr, "");

    let running = sandbox.start("run -t web -i a --json -- child say=hello serve");
    let line = running.says(&["lockId"]);
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["port"], sandbox.port(0));
    assert_eq!(object["id"], "a");
    assert_eq!(object["existing"], false);
    let ended = running.end(Signal::SIGTERM);
    ended.printed("hello\n");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.story());
}

#[test]
fn the_childs_streams_are_the_callers() {
    let sandbox = Sandbox::new();
    sandbox
        .sh("printf 'in and out' | styxy run -t web -i a -- sh -c 'cat; echo aside >&2'")
        .code(0)
        .printed("in and out")
        .said(&["aside"]);
    // Not copied by anyone: the very pipe of the caller.
    let mut command = sandbox.styxy("run -t web -i a -- readlink /proc/self/fd/0");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mine = format!("/proc/self/fd/{}", {
        use std::os::fd::AsRawFd;
        child.stdin.as_ref().unwrap().as_raw_fd()
    });
    let pipe = fs::read_link(mine).unwrap();
    child.stdin.as_mut().unwrap().write_all(b"unread").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), pipe.to_str().unwrap());
}

#[test]
fn stdin_can_be_nothing() {
    let sandbox = Sandbox::new();
    let read = "readlink /proc/self/fd/0";
    sandbox
        .sh(&format!("echo x | styxy run -t web -i a --stdin null -- {read}"))
        .code(0)
        .printed("/dev/null\n");
}

#[test]
fn what_a_child_inherits_is_what_it_would_have_without_styxy() {
    let sandbox = Sandbox::new();
    for line in [
        "grep -E 'Sig(Blk|Ign|Cgt)|Umask' /proc/self/status",
        "ls /proc/self/fd",
        "cat /proc/self/limits",
        "pwd",
    ] {
        for around in
            ["", "trap '' HUP PIPE TTIN; umask 027; ulimit -n 321; exec 7</dev/null; cd /; "]
        {
            let bare = sandbox.sh(&format!("{around}{line}"));
            let wrapped = sandbox.sh(&format!("{around}styxy run -t web -i a --raw -- {line}"));
            wrapped.code(0).printed(&bare.code(0).stdout);
        }
    }
}

#[test]
fn the_state_directory_is_its_owners_alone() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a -- true").code(0);

    let mode = fs::metadata(sandbox.state()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn the_way_a_run_went_stands_in_the_audit_log() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a -- true").code(0);

    let log = fs::read_to_string(sandbox.state().join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<_> = lines.iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["allocate", "release"]);
    for line in &lines {
        assert_eq!((&line["type"], &line["id"]), (&"web".into(), &"a".into()));
        assert_eq!(line["port"], sandbox.port(0));
    }
    let numbers: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(numbers[0] < numbers[1], "{numbers:?}");
}

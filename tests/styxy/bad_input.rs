//! Bad input gets a clear error and changes nothing.

use crate::running::Ended;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::chown;

/// Runs something harmless under this configuration; it has to be refused as bad.
#[track_caller]
fn refused(config: impl Fn(u16) -> String) -> Ended {
    let sandbox = Sandbox::new();
    let config = config(sandbox.port(0));
    sandbox.write_config(&config);

    let ended = sandbox.run("run -t web -i a -- touch started");

    ended.code(78).said(&["config.toml"]);
    assert!(!sandbox.file("started").exists(), "started under\n{config}");
    assert!(!sandbox.state().join("state.json").exists(), "wrote under\n{config}");
    ended
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
    let ended = refused(|port| {
        format!("[service_types.web]\nrange = [{port}, {port}]\nprefered_ports = [{port}]\n")
    });
    ended.said(&["config.toml:3", "prefered_ports", "service_types.web", "preferred_ports"]);

    refused(|_| "[auto_alocation]\nenabled = true\n".to_owned()).said(&[
        "config.toml:1",
        "auto_alocation",
        "auto_allocation",
    ]);
    refused(|_| "\n[auto_allocation]\nchunk_size = 3\n".to_owned()).said(&[
        "config.toml:3",
        "chunk_size",
        "default_chunk_size",
    ]);
}

#[test]
fn a_range_that_cannot_be_is_named_with_its_line() {
    for range in ["[12, 11]", "[0, 10]", "[10, 65536]", "[-1, 10]", "[10]", "\"many\"", "[]"] {
        refused(|_| format!("[service_types.web]\nrange = {range}\n"))
            .said(&["config.toml:2", "range"]);
    }
}

#[test]
fn two_ranges_of_one_file_do_not_overlap() {
    let ended = refused(|port| {
        let (middle, last) = (port + 5, port + 10);
        format!(
            "[service_types.web]\nrange = [{port}, {middle}]\n\n\
             [service_types.other]\nrange = [{middle}, {last}]\n"
        )
    });
    ended.said(&["web", "other"]);
}

#[test]
fn a_value_of_a_wrong_kind_is_named_with_its_line() {
    for (line, key) in [
        ("instance_behavior = \"twice\"", "instance_behavior"),
        ("stop_timeout = \"soon\"", "stop_timeout"),
        ("stop_signal = \"HURRY\"", "stop_signal"),
        ("restart = \"perhaps\"", "restart"),
        ("description = 7", "description"),
        ("preferred_ports = [70000]", "preferred_ports"),
        ("readiness = { http = 5 }", "http"),
    ] {
        refused(|port| format!("[service_types.web]\nrange = [{port}, {port}]\n{line}\n"))
            .said(&["config.toml:3", key]);
    }
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    refused(|_| "[service_types.web]\nrange = [1, \n".to_owned()).said(&["config.toml:"]);
}

#[test]
fn a_bad_variable_is_named() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.styxy("run -t web -i a -- touch started");
    command.env("STYXY_SET_AUTO_ALLOCATION__ENABLED", "perhaps");
    command.env("STYXY_SET_NO_SUCH_KEY", "1");

    let ended = sandbox.start_command("with bad variables", command).wait();

    ended.code(78).said(&["STYXY_SET_"]);
    assert!(!sandbox.file("started").exists());
}

#[test]
fn hostile_names_are_refused_and_shown_harmless() {
    let long = "a".repeat(65);
    let names = [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        "-a",
        "_a",
        "a b",
        "a\nb",
        "\u{1b}[31mred",
        "ä",
        "{port}",
        "$(id)",
        &long,
    ];
    for name in names {
        let sandbox = Sandbox::new();
        for (flag, other) in [("--id", "--type=web"), ("--type", "--id=a")] {
            let mut command = sandbox.styxy("run");
            command.arg(format!("{flag}={name}")).args([other, "--", "touch", "started"]);
            let ended = sandbox.start_command(&format!("{flag} {name:?}"), command).wait();

            ended.code(2);
            assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr.escape_debug());
            assert!(!sandbox.file("started").exists());
            assert!(!sandbox.state().exists(), "{flag} {name:?} wrote something");
        }
    }
}

#[test]
fn a_state_directory_that_cannot_be_written_starts_nothing() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("plain"), "").unwrap();
    for directory in ["/proc/styxy-cannot-be-here".into(), sandbox.file("plain/state")] {
        let mut command = sandbox.styxy("run -t web -i a -- touch started");
        command.env("STYXY_STATE_DIR", &directory);

        let ended = sandbox.start_command("with a bad directory", command).wait();

        ended.code(125).said(&[directory.to_str().unwrap()]);
        assert!(!sandbox.file("started").exists());
    }
}

#[test]
fn a_registry_that_cannot_be_replaced_starts_nothing() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a -- true").code(0);
    // A folder in the place of each file that would be written: root is stopped by it too.
    for name in ["state.json", "state.json.spare"] {
        let _ = fs::remove_file(sandbox.state().join(name));
        fs::create_dir(sandbox.state().join(name)).unwrap();
    }

    sandbox.run("run -t web -i b -- touch started").code(125).said(&["state.json"]);

    assert!(!sandbox.file("started").exists());
    sandbox.nothing_is_left();
}

#[test]
fn a_project_file_of_somebody_else_is_not_read_and_that_is_said() {
    let root = nix::unistd::geteuid().is_root();
    assert!(root, "only root can give a file away: run this test as root, or in a container");
    let sandbox = Sandbox::new();
    let file = sandbox.file("styxy.toml");
    fs::write(&file, "[service_types.web]\nenv = { EVIL = \"yes\" }\n").unwrap();
    let echo = "run -t web -i a -- sh -c 'echo evil=$EVIL'";
    sandbox.run(echo).code(0).printed("evil=yes\n");

    chown(&file, Some(65_534), None).unwrap();

    sandbox.run(echo).code(0).printed("evil=\n").said(&["styxy.toml"]);
}

#[test]
fn a_config_file_that_was_named_must_be_there() {
    let sandbox = Sandbox::new();
    let missing = sandbox.file("nowhere.toml");
    let mut command = sandbox.styxy("run -t web -i a -- touch started");
    command.env("STYXY_CONFIG", &missing);

    let ended = sandbox.start_command("with STYXY_CONFIG", command).wait();

    ended.code(78).said(&["nowhere.toml"]);
    assert!(!sandbox.file("started").exists());
}

#[test]
fn a_command_that_names_nobody_says_so() {
    let sandbox = Sandbox::new();
    for words in
        ["port web/none", "stop web/none", "use web/none", "env web/none", "release web/none"]
    {
        sandbox.run(words).failed().said(&["web/none"]).printed("");
    }
    let error = sandbox.run("port web/none --json").failed().json()["error"].take();
    assert!(error["message"].as_str().unwrap().contains("web/none"), "{error}");
}

#[test]
fn an_error_in_json_is_an_object_on_stdout() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t solo -i rag -- child serve");

    let answer = sandbox.run("allocate --type solo --id chat --json").code(75).json();

    let error = answer["error"].as_object().unwrap();
    let mut keys: Vec<&str> = error.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["code", "hint", "instance", "kind", "message"]);
    assert_eq!(error["code"], 75);
    assert_eq!(error["instance"]["port"], ready.port);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.config_file()).unwrap();
    fs::create_dir(sandbox.config_file()).unwrap();

    sandbox.run("run -t web -i a -- touch started").code(78).said(&["config.toml"]);

    assert!(!sandbox.file("started").exists());
}

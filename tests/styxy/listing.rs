//! Commands that look at instances and change nothing: `list`, `port`, `use`, `env`, `check`,
//! `scan`, `types`.

use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use std::fs;

#[test]
fn list_is_a_table_with_a_row_for_each_instance() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    sandbox.run("allocate --type web --id b").code(0);

    let list = sandbox.run("list");

    let rows: Vec<&str> = list.code(0).stdout.lines().collect();
    let row = |name: &str| {
        let row = rows.iter().find(|row| row.contains(name));
        row.unwrap_or_else(|| panic!("no row for {name}\n{}", list.story()))
    };
    for text in [ready.port.to_string(), ready.pid.to_string(), "ready".to_owned()] {
        assert!(row("web/a").contains(&text), "no {text}\n{}", list.story());
    }
    assert!(row("web/b").contains("reserved"), "{}", list.story());
    // A pipe gets neither colours nor padding by a terminal's width.
    assert!(!list.stdout.contains('\u{1b}'));
    assert_eq!(sandbox.run("ps").stdout.lines().count(), rows.len());
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn an_empty_list_is_no_error_and_writes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.run("list").code(0);
    assert_eq!(sandbox.json("list"), serde_json::json!({ "instances": [] }));
    for words in ["types", "config show", "config path", "scan 3000-3001", "check 3000"] {
        sandbox.run(words).code(0);
    }
    assert!(!sandbox.state().join("state.json").exists());
}

#[test]
fn a_watched_list_follows_what_happens() {
    let sandbox = Sandbox::new();
    let watch = sandbox.start("list --watch");
    let (running, _) = sandbox.serve("run -t web -i a -- child serve");

    watch.prints(&["web/a"]);

    running.end(Signal::SIGTERM).code(143);
    watch.end(Signal::SIGINT).code(130);
}

#[test]
fn a_watched_list_tells_news_and_not_each_tick_of_a_clock() {
    let sandbox = Sandbox::new();
    let watch = sandbox.start("list --watch --json");
    watch.prints(&["{\"instances\":[]}"]);
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    watch.prints(&["\"phase\":\"ready\""]);
    let (other, _) = sandbox.serve("run -t web -i b -- child serve");
    let ready_ones = || {
        watch.stdout().lines().last().map_or(0, |line| line.matches("\"phase\":\"ready\"").count())
    };
    crate::patience::until_true("both to be ready", || ready_ones() == 2);
    let printed = || watch.stdout().lines().count();
    let before = printed();
    // The kernel counts the time of a busy process, and the list is looked at again meanwhile.
    sandbox.sh("timeout 3 sh -c 'while :; do :; done'").failed();
    assert_eq!(printed(), before, "{}", watch.story());

    let rows = |line: &str| {
        let list: serde_json::Value = serde_json::from_str(line).unwrap();
        list["instances"].as_array().unwrap().len()
    };
    assert_eq!(rows(watch.stdout().lines().next().unwrap()), 0);
    other.end(Signal::SIGTERM).code(143);
    running.end(Signal::SIGTERM).code(143);
    crate::patience::until_true("the empty list", || {
        watch.stdout().lines().last().is_some_and(|line| rows(line) == 0)
    });
    assert!(watch.stdout().contains(&ready.port.to_string()));
    watch.end(Signal::SIGTERM).code(143);
}

#[test]
fn what_the_whole_tree_uses_is_listed() {
    let sandbox = Sandbox::new();
    // Its memory is in a child of the leader, which works for a while first.
    let busy = "import sys; block = bytearray(60 << 20); sum(range(20_000_000)); \
                print('done', flush=True); sys.stdin.read()";
    std::fs::write(sandbox.file("busy.py"), busy).unwrap();
    let line = "sleep 1000 | /usr/bin/python3 busy.py";
    let running =
        sandbox.start(&format!("run -t web -i a --ready none --stop-timeout 1s -- sh -c '{line}'"));
    running.prints(&["done"]);
    sandbox.run("allocate --type web --id b").code(0);

    let row = sandbox.instance("web", "a").unwrap();
    assert!(row["memoryBytes"].as_u64().unwrap() > 60 << 20, "{row}");
    assert!(row["cpuPercent"].as_f64().unwrap() > 0.0, "{row}");
    let reserved = sandbox.instance("web", "b").unwrap();
    assert!(reserved["memoryBytes"].is_null() && reserved["cpuPercent"].is_null(), "{reserved}");
    let list = sandbox.run("list");
    assert!(list.stdout.contains(" MiB ") && list.stdout.contains('%'), "{}", list.story());
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn an_instance_inside_another_counts_for_itself() {
    let sandbox = Sandbox::new();
    let hold = "child await=go serve";
    let inner = format!("styxy run -t web -i b -- {hold} & exec {hold}");
    let outer = sandbox.start(&format!("run -t web -i a --ready none -- bash -c '{inner}'"));
    sandbox.wait_for_phase("web", "b", "starting");
    let memory = |id: &str| sandbox.instance("web", id).and_then(|row| row["memoryBytes"].as_u64());
    crate::patience::until_true("both to be as large", || {
        // Two of the same kind: were the inner one part of the outer, that would be twice as large.
        let (a, b) = (memory("a").unwrap_or(0), memory("b").unwrap_or(0));
        b > 5 << 20 && a > 5 << 20 && a < b + b / 2
    });
    outer.end(Signal::SIGTERM).code(143);
}

#[test]
fn an_instance_may_be_named_in_four_ways() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i alpha -- child serve");
    let lock_id = sandbox.instance("web", "alpha").unwrap()["lockId"].as_str().unwrap().to_owned();

    for name in ["web/alpha", "web/alpha@project", "alpha", &lock_id, &ready.port.to_string()] {
        assert_eq!(sandbox.run(&format!("port {name}")).code(0).port(), ready.port, "{name}");
    }
    let (lamp, _) = sandbox.serve("run -t lamp -i alpha -- child serve");
    sandbox.run("port alpha").failed().said(&["web/alpha", "lamp/alpha"]);
    lamp.end(Signal::SIGTERM).code(143);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn use_prints_what_a_client_needs() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");

    let by_port = sandbox.run(&format!("use --port {}", ready.port));
    let by_name = sandbox.run("use web/a");

    assert_eq!(by_port.code(0).stdout, by_name.code(0).stdout);
    let port = ready.port.to_string();
    for text in ["http://", &port, "export "] {
        assert!(by_name.stdout.contains(text), "no {text}\n{}", by_name.story());
    }
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn env_can_be_evaluated_by_a_shell() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");

    let line = "eval \"$(styxy env web/a)\"; echo $PORT $STYXY_TYPE $STYXY_ID";
    sandbox.sh(line).code(0).printed(&format!("{} web a\n", ready.port));

    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn check_says_whether_a_port_is_free_and_who_has_it() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    let _stranger = std::net::TcpListener::bind(("127.0.0.1", sandbox.free_port())).unwrap();

    let leased = sandbox.run(&format!("check {}", ready.port)).stdout;
    let foreign = sandbox.run(&format!("check {}", sandbox.free_port())).stdout;
    let free = sandbox.run(&format!("check {}", sandbox.port(9))).stdout;

    assert!(leased.contains("web/a") && leased.contains(&ready.pid.to_string()), "{leased}");
    assert!(foreign.contains(&std::process::id().to_string()), "{foreign}");
    assert!(free.contains("free"), "{free}");
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn types_are_listed_with_their_ranges() {
    let sandbox = Sandbox::new();
    let types = sandbox.run("types").code(0).stdout.clone();
    let row = |name: &str| {
        types
            .lines()
            .find(|row| row.split_whitespace().next() == Some(name))
            .unwrap_or_else(|| panic!("no {name}: {types}"))
    };

    assert!(row("web").contains(&sandbox.port(0).to_string()), "{types}");
    assert!(row("ai").contains("11400") && row("ai").contains("single"), "{types}");
}

#[test]
fn configuration_tells_each_value_and_where_it_comes_from() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("styxy.toml"), "[service_types.web]\ndescription = \"ours\"\n").unwrap();

    let range = sandbox.run("config get service_types.web.range").code(0).stdout.clone();
    assert!(range.contains(&sandbox.port(0).to_string()), "{range}");
    let camel = sandbox.run("config get serviceTypes.web.range").code(0).stdout.clone();
    assert_eq!(camel, range);
    let gap = sandbox.run("config get auto_allocation.gap_size").code(0).stdout.clone();
    assert_eq!(gap.trim_end(), "10");
    sandbox.run("config get auto_allocation.gap_sise").failed().said(&["gap_size"]);

    let shown = sandbox.run("config show --origin").code(0).stdout.clone();
    let line_of = |text: &str| {
        shown.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {shown}"))
    };
    assert!(line_of("ours").contains("styxy.toml:2"), "{shown}");
    assert!(shown.contains("config.toml:2"), "{shown}");
    let path = sandbox.run("config path").code(0).stdout.clone();
    assert!(path.contains(sandbox.config_file().to_str().unwrap()), "{path}");
    assert!(path.contains(sandbox.file("styxy.toml").to_str().unwrap()), "{path}");
}

#[test]
fn later_layers_win() {
    let sandbox = Sandbox::new();
    let gap = |variable: Option<&str>| {
        let mut command = sandbox.styxy("config get auto_allocation.gap_size");
        command.envs(variable.map(|value| ("STYXY_SET_AUTO_ALLOCATION_GAP_SIZE", value)));
        let ended = sandbox.start_command("config get", command).wait();
        ended.code(0).stdout.trim_end().to_owned()
    };
    assert_eq!(gap(None), "10");
    sandbox.write_config("[auto_allocation]\ngap_size = 11\n");
    assert_eq!(gap(None), "11");
    fs::write(sandbox.file("styxy.toml"), "[autoAllocation]\ngapSize = 12\n").unwrap();
    assert_eq!(gap(None), "12");
    assert_eq!(gap(Some("13")), "13");
}

#[test]
fn help_and_version_need_no_home() {
    let sandbox = Sandbox::new();
    sandbox.write_config("broken [");
    let short = concat!("styxy ", env!("CARGO_PKG_VERSION"));
    sandbox.run("-V").code(0).printed(&format!("{short}\n"));
    let version = sandbox.run("--version").code(0).stdout.clone();
    let build = version.strip_prefix(short).and_then(|rest| rest.strip_suffix(")\n"));
    assert!(
        build.is_some_and(|build| build.starts_with(" (") && build.contains("linux")),
        "{version}"
    );
    let help = sandbox.run("--help").code(0).stdout.clone();
    for command in ["run", "allocate", "list", "stop", "port", "logs", "check", "config", "cleanup"]
    {
        assert!(help.contains(command), "no {command} in\n{help}");
    }
    sandbox.run("help run").code(0);
    sandbox.run("run --help").code(0);
    assert!(!sandbox.state().exists());
}

#[test]
fn completions_are_a_script_that_the_shell_accepts() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.run(&format!("completions {shell}")).code(0).stdout.clone();
        assert!(script.contains(&format!("completions {shell} -- ")), "{shell}: {script}");
        sandbox.sh(&format!("styxy completions {shell} | {shell} -n")).code(0);
    }
}

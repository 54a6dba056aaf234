//! Ranges of unknown types: where they go, that they are exact in a storm, and who is asked before.

use crate::port_block::{HighPorts, PortBlock};
use crate::pty::{CTRL_C, Terminal};
use crate::sandbox::Sandbox;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::{Child, Stdio};

/// `[auto_allocation]` within the sandbox's own ports, and more settings.
fn within(ports: &PortBlock, more: &str) -> String {
    let (first, last) = (ports.port(0), ports.port(239));
    format!("[auto_allocation]\nmin_port = {first}\nmax_port = {last}\n{more}\n")
}

/// A sandbox in which every new range wants consent.
fn careful() -> Sandbox {
    Sandbox::with_config(|ports| within(ports, "require_confirmation = true"))
}

/// Ten ports from that place of the sandbox's block on, as people read them.
fn ten(sandbox: &Sandbox, place: u16) -> String {
    format!("{}-{}", sandbox.port(place), sandbox.port(place + 9))
}

/// So many unknown types at once; the first port of each one's range.
fn storm(sandbox: &Sandbox, count: usize) -> BTreeSet<u16> {
    let start = |number| -> Child {
        let mut command = sandbox.styxy(&format!("allocate --type kind-{number} --id main"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("styxy is built")
    };
    let children: Vec<Child> = (0..count).map(start).collect();
    let port = |child: Child| {
        let output = child.wait_with_output().expect("our own child");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().parse().expect("a port")
    };
    children.into_iter().map(port).collect()
}

#[test]
fn sixty_four_unknown_types_at_once_keep_every_gap_exactly() {
    let high = HighPorts::claim();
    let sandbox = Sandbox::with_config(|_| high.config(""));

    let firsts = storm(&sandbox, 64);

    assert_eq!(firsts, (0..64).map(|place| HighPorts::FIRST + 20 * place).collect());
    let types = sandbox.json("types");
    let types = types["types"].as_array().unwrap().iter();
    let automatic = types.filter(|one| one["origin"] == "auto").map(|one| &one["ranges"]);
    let expected = firsts.iter().map(|first| json!([[first, first + 9]]));
    assert!(automatic.eq(expected.collect::<Vec<_>>().iter()));
}

#[test]
fn five_hundred_unknown_types_at_once_are_all_answered() {
    let high = HighPorts::claim();
    let sandbox = Sandbox::with_config(|_| high.config("default_chunk_size = 4\ngap_size = 4"));

    let firsts = storm(&sandbox, 500);

    assert_eq!(firsts, (0..500).map(|place| HighPorts::FIRST + 8 * place).collect());
}

#[test]
fn rules_and_strategies_say_where_a_range_goes() {
    let sandbox = Sandbox::with_config(|ports| {
        let (web, start) = (ports.range(40, 49), ports.port(120));
        let (team, last) = (ports.port(200), ports.port(219));
        format!(
            "{}[service_types.web]\nrange = {web}\n\
             [auto_allocation_rules.'monitoring-*']\nchunk_size = 20\npreferred_range_start = {start}\n\
             [auto_allocation_rules.'first-*']\nplacement = 'before'\n\
             [auto_allocation_rules.'team-*']\nplacement = 'by-team'\n\
             [placement_strategies.by-team.team-red]\nmin_port = {team}\nmax_port = {last}\n",
            within(ports, "")
        )
    });
    let mut made = 0;
    for (words, place, size) in [
        ("grafana", 120, 20),
        ("first-a", 20, 10),
        ("first-b", 0, 10),
        // Before all others is no room any more.
        ("first-c", 60, 10),
        ("other", 150, 10),
        ("team-red-a", 200, 10),
        ("team-blue --group team-red", 220, 0),
        ("team-green", 220, 10),
    ] {
        let ended = sandbox.run(&format!("allocate --id main --json --type {words}"));
        if size == 0 {
            // A group's bounds hold even when they are full.
            ended.code(69).said(&[&format!("{}-{}", sandbox.port(200), sandbox.port(219))]);
        } else {
            let range = json!([sandbox.port(place), sandbox.port(place + size - 1)]);
            assert_eq!(ended.code(0).json()["newRange"], range, "{words}");
            made += 1;
        }
    }

    // What has decided is in the audit log, of the ranges alone.
    let told = sandbox.run("audit --json").code(0).stdout.clone();
    let told: Vec<Value> =
        told.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let ruled: Vec<&str> = told.iter().filter_map(|line| line["rule"].as_str()).collect();
    assert_eq!((told.len(), ruled.len()), (2 * made + 1, made), "{told:?}");
    let (near, team) = (sandbox.port(120), "within the bounds of group 'team-red'");
    assert_eq!(ruled[0], format!("rule 'monitoring-*', close to port {near}"));
    assert_eq!(ruled[1], "rule 'first-*', before existing ranges");
    assert_eq!(ruled[4], "placement 'after', after existing ranges");
    assert_eq!(ruled[5], format!("rule 'team-*', {team}"));
    assert_eq!(ruled[6], "rule 'team-*', after existing ranges");
    let lines_with_rule = told.iter().filter(|line| line.get("rule").is_some());
    assert!(lines_with_rule.into_iter().all(|line| line["action"] == "range.create"), "{told:?}");
}

#[test]
fn a_full_range_of_an_unknown_type_grows_beside_itself() {
    let sandbox = Sandbox::with_config(|ports| within(ports, "default_chunk_size = 2"));
    for (id, port, new) in [
        ("a", 0, json!([sandbox.port(0), sandbox.port(1)])),
        ("b", 1, json!(null)),
        ("c", 2, json!([sandbox.port(2), sandbox.port(3)])),
    ] {
        let answer = sandbox.json(&format!("allocate --type grafana --id {id}"));
        assert_eq!((&answer["port"], &answer["newRange"]), (&json!(sandbox.port(port)), &new));
    }
    // As many as are wanted at once, though a chunk is smaller.
    let several = sandbox.json("allocate --type jaeger --id a --ports a,b,c");
    assert_eq!(several["newRange"], json!([sandbox.port(14), sandbox.port(16)]));
    assert_eq!(sandbox.instances().len(), 4);
}

#[test]
fn where_nobody_can_be_asked_a_new_range_is_an_error_that_names_the_flag() {
    let sandbox = careful();
    for words in [
        "allocate --type newservice --id a",
        "run --type newservice --id a -- touch started",
        "run -d --type newservice --id a -- touch started",
    ] {
        let refused = sandbox.run(words);
        refused.code(78).said(&["`newservice`", &ten(&sandbox, 0), "--yes"]);
    }
    assert!(!sandbox.file("started").exists());
    assert!(!sandbox.state().join("state.json").exists());
    let error = sandbox.run("allocate --type newservice --id a --json").code(78).json();
    assert_eq!(error["error"]["kind"], "config");

    let dry = sandbox.json("allocate --type newservice --id a --dry-run");
    assert_eq!(dry["port"], sandbox.port(0));
    sandbox.run("allocate --type newservice --id a --yes").code(0);
    sandbox.run("run --yes --type other --id a -- true").code(0);
    // A range that is there already needs nobody's consent.
    sandbox.run("allocate --type newservice --id b").code(0);
}

#[test]
fn at_a_terminal_a_person_agrees_to_a_new_range() {
    let sandbox = careful();
    let mut terminal = Terminal::open(&sandbox);
    for (words, place) in [
        ("allocate --type newservice --id a", 0),
        ("run -d --type background --id a -- child serve", 20),
        ("run --type front --id a --ready none -- echo on {port}", 40),
    ] {
        terminal.line(&format!("styxy {words}"));
        terminal.expect("⚠ Unknown service type '");
        terminal.expect(&format!("Propose auto-allocation: ports {}", ten(&sandbox, place)));
        terminal.expect("Placement: after existing ranges");
        terminal.expect("Proceed? [y/N/customize]: ");
        terminal.line("y");
        terminal.expect(&sandbox.port(place).to_string());
        terminal.prompt();
        assert_eq!(terminal.code(), 0);
    }
    sandbox.run("stop background/a").code(0);
    terminal.close();
}

#[test]
fn who_says_no_or_leaves_has_changed_nothing() {
    let sandbox = careful();
    let mut terminal = Terminal::open(&sandbox);
    for (keys, code) in [("\n", 78), ("n\n", 78), ("maybe\nno\n", 78), ("\u{4}", 78), (CTRL_C, 130)]
    {
        terminal.line("styxy allocate --type newservice --id a");
        terminal.expect("Proceed? [y/N/customize]: ");
        terminal.keys(keys);
        terminal.prompt();
        assert_eq!(terminal.code(), code, "{keys:?}");
    }
    assert!(!sandbox.state().join("state.json").exists());
    terminal.close();
}

#[test]
fn who_customizes_says_size_placement_and_start_and_is_shown_what_comes_of_it() {
    let sandbox = careful();
    let mut terminal = Terminal::open(&sandbox);
    terminal.line("styxy allocate --type newservice --id a");
    terminal.expect("Proceed? [y/N/customize]: ");
    terminal.line("customize");
    // More than there is: what was proposed at first comes back.
    terminal.expect("Ports [10]: ");
    terminal.line("no number");
    terminal.expect("a number of ports is wanted");
    terminal.line("4000");
    terminal.expect("Placement (after, before, smart) [as proposed]: ");
    terminal.line("");
    terminal.expect("First port [as proposed]: ");
    terminal.line("");
    terminal.expect("no room for 4000 ports");
    terminal.expect(&format!("ports {}", ten(&sandbox, 0)));
    terminal.expect("Proceed? [y/N/customize]: ");
    terminal.line("c");
    terminal.expect("Ports [10]: ");
    terminal.line("5");
    terminal.expect("Placement (after, before, smart) [as proposed]: ");
    terminal.line("beside");
    terminal.expect("one of these is wanted: after, before, smart");
    terminal.line("");
    terminal.expect("First port [as proposed]: ");
    terminal.line("65535");
    terminal.expect("a port is wanted");
    let start = sandbox.port(100);
    terminal.line(&start.to_string());
    terminal.expect(&format!("Propose auto-allocation: ports {start}-{}", start + 4));
    terminal.expect(&format!("Placement: close to port {start}"));
    terminal.expect("Proceed? [y/N/customize]: ");
    terminal.line("y");
    terminal.expect(&format!("Auto-allocated range {start}-{}", start + 4));
    terminal.prompt();
    assert_eq!(terminal.code(), 0);
    terminal.close();
}

#[test]
fn nobody_waits_for_who_is_asked_and_when_the_world_has_changed_he_is_asked_again() {
    let sandbox = careful();
    let mut terminal = Terminal::open(&sandbox);
    for words in ["allocate --type newservice --id a", "run -d --type later --id a -- child serve"]
    {
        let before = sandbox.json("types")["types"].as_array().unwrap().len();
        terminal.line(&format!("styxy {words}"));
        terminal.expect("Proceed? [y/N/customize]: ");
        let other = sandbox.json(&format!("allocate --type other-{before} --id a --yes"));
        terminal.line("y");
        terminal.expect("The ranges have changed meanwhile.");
        let first = other["port"].as_u64().unwrap() + 20;
        terminal.expect(&format!("Propose auto-allocation: ports {first}-{}", first + 9));
        terminal.expect("Proceed? [y/N/customize]: ");
        terminal.line("y");
        terminal.expect(&first.to_string());
        terminal.prompt();
        assert_eq!(terminal.code(), 0);
    }
    sandbox.run("stop later/a").code(0);
    terminal.close();
}

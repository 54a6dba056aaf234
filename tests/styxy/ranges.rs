//! Automatic ranges after they were made: `config auto-allocation`, `undo-auto`, `consolidate`.

use crate::port_table::{row, table};
use crate::processes;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;

/// With room for unknown types: blocks of ten with gaps of `gap`, and what else is said of them.
fn sandbox(gap: u16, more: &str) -> Sandbox {
    Sandbox::with_config(|ports| {
        let (first, last) = (ports.port(0), ports.port(239));
        format!(
            "[auto_allocation]\nmin_port = {first}\nmax_port = {last}\ngap_size = {gap}\n{more}\n"
        )
    })
}

fn list(sandbox: &Sandbox) -> Vec<(String, Value)> {
    let status = sandbox.json("config auto-allocation list");
    let ranges = status["ranges"].as_array().expect("it is a list").iter();
    ranges
        .map(|view| {
            (view["type"].as_str().expect("it is a text").to_owned(), view["range"].clone())
        })
        .collect()
}

fn names(sandbox: &Sandbox) -> Vec<String> {
    list(sandbox).into_iter().map(|(name, _)| name).collect()
}

/// The actions of the audit log that tell of ranges.
fn actions(sandbox: &Sandbox) -> Vec<String> {
    let log =
        fs::read_to_string(sandbox.state().join("audit.jsonl")).expect("the sandbox is readable");
    let lines =
        log.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let actions = lines.map(|line| line["action"].as_str().expect("it is a text").to_owned());
    actions.filter(|action| action.starts_with("range.")).collect()
}

/// A range for each type, and no lease.
fn made(sandbox: &Sandbox, names: &[&str]) {
    for name in names {
        sandbox.run(&format!("allocate -t {name} -i x")).code(0);
        sandbox.run(&format!("release {name}/x")).code(0);
    }
}

#[test]
fn the_last_range_one_types_or_all_are_taken_back() {
    let sandbox = sandbox(10, "");
    made(&sandbox, &["a", "b", "c", "d"]);
    let first = sandbox.port(60);

    sandbox
        .run("config undo-auto")
        .code(0)
        .said(&[&format!("took range {first}-{} back from 'd'", first + 9)]);
    assert_eq!(names(&sandbox), ["a", "b", "c"]);
    // It comes back where it was: nothing remembers that it had gone.
    let again = sandbox.json("allocate -t d -i x");
    assert_eq!((&again["newRange"], &again["port"]), (&json!([first, first + 9]), &json!(first)));
    sandbox.run("release d/x").code(0);
    sandbox.run("config undo_auto b").code(0);
    assert_eq!(names(&sandbox), ["a", "c", "d"]);
    let undone = sandbox.json("config undo-auto --all");
    assert_eq!(undone["ranges"].as_array().map(Vec::len), Some(3));
    assert!(names(&sandbox).is_empty());
    sandbox.run("config undo-auto").code(2).said(&["no range was auto-allocated"]);
    sandbox.run("config undo-auto web").code(2).said(&["for type `web`"]);
    sandbox.run("config undo-auto a --all").code(2);
    let undo = actions(&sandbox).iter().filter(|action| *action == "range.undo").count();
    assert_eq!(undo, 5);
}

#[test]
fn a_range_with_a_lease_is_taken_back_by_force_and_the_lease_lives() {
    let sandbox = sandbox(10, "");
    let (running, ready) = sandbox.serve("run -t a -i x -- child serve");
    made(&sandbox, &["b"]);

    sandbox.run("config undo-auto a").code(75).said(&["in use by a/x", "--force"]);
    sandbox.run("config undo-auto --all").code(75);
    assert_eq!(names(&sandbox), ["a", "b"]);
    sandbox.run("config undo-auto a --force").code(0);
    assert_eq!(names(&sandbox), ["b"]);
    assert_eq!(sandbox.instance("a", "x").unwrap()["port"], ready.port);
    // The next range keeps clear of the lease.
    let next = sandbox.json("allocate -t a -i y");
    assert!(next["port"].as_u64().unwrap() > u64::from(ready.port) + 9);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_dead_holder_is_not_in_the_way() {
    let sandbox = sandbox(10, "");
    let (running, _) = sandbox.serve("run -t a -i x -- child serve");
    processes::signal(running.pid(), Signal::SIGKILL);
    running.wait();
    sandbox.run("cleanup").code(0);
    sandbox.run("config undo-auto a").code(0);
    assert!(names(&sandbox).is_empty());
}

#[test]
fn consolidation_gives_back_what_nobody_uses_and_joins_what_touches() {
    let sandbox = sandbox(0, "default_chunk_size = 2");
    let port = |place| sandbox.port(place);
    // Two blocks of `a`, both with a lease; one of `b` without; one of `c` with.
    for id in ["1", "2", "3"] {
        sandbox.run(&format!("allocate -t a -i {id}")).code(0);
    }
    made(&sandbox, &["b"]);
    sandbox.run("allocate -t c -i x").code(0);
    let before = list(&sandbox);
    assert_eq!(before.len(), 4);

    // Nothing is old enough.
    let early = sandbox.json("config consolidate --dry-run");
    assert_eq!(early["retired"], json!([]));
    sandbox.run("config set auto_allocation.retire_after 0").code(0);
    let ended = sandbox.run("config consolidate --dry-run");
    let (low, high) = (port(0), port(7));
    let expected = format!(
        "before  {low} ####==## {high}\n\
         after   {low} ####..## {high}\n        \
         # with leases  = without  o other types  . free\n\
         free before {}-{last}\n\
         free after  {}-{}, {}-{last}\n\
         would be given back: b {}-{} (last used {})\n\
         would be joined: a {}-{} and {}-{} to {}-{}\n",
        port(8),
        port(4),
        port(5),
        port(8),
        port(4),
        port(5),
        &today(&sandbox),
        port(0),
        port(1),
        port(2),
        port(3),
        port(0),
        port(3),
        last = port(239),
    );
    ended.code(0).printed(&expected);
    assert_eq!(list(&sandbox), before, "a dry run changes nothing");

    let done = sandbox.json("config consolidate");
    assert_eq!(done["joined"][0]["range"], json!([port(0), port(3)]));
    assert_eq!((&done["dryRun"], &done["retired"][0]["type"]), (&json!(false), &json!("b")));
    let after = [("a", [port(0), port(3)]), ("c", [port(6), port(7)])];
    assert_eq!(list(&sandbox), after.map(|(name, range)| (name.to_owned(), json!(range))));
    assert_eq!(sandbox.instances().len(), 4, "no lease is touched");
    assert_eq!(actions(&sandbox)[4..], ["range.retire", "range.grow"]);
    sandbox.run("config consolidate").code(0).said(&["nothing to consolidate"]);
}

/// The day on which the ranges were made.
fn today(sandbox: &Sandbox) -> String {
    let status = sandbox.json("config auto-allocation list");
    status["ranges"][0]["created"].as_str().expect("it is a moment")[..10].to_owned()
}

#[test]
fn on_release_ranges_are_consolidated_if_that_is_asked_for() {
    let sandbox = sandbox(10, "consolidate_on_release = true\nretire_after = 0");
    sandbox.run("allocate -t a -i x").code(0);
    sandbox.run("run -t b -i x -- true").code(0);
    assert_eq!(names(&sandbox), ["a"]);
    sandbox.run("release a/x").code(0);
    assert!(names(&sandbox).is_empty());
    let retired = ["range.create", "range.create", "range.retire", "range.retire"];
    assert_eq!(actions(&sandbox), retired);

    sandbox.run("config set auto_allocation.retire_after 30d").code(0);
    made(&sandbox, &["a"]);
    assert_eq!(names(&sandbox), ["a"]);
}

#[test]
fn a_use_is_written_down_but_makes_nothing_durable() {
    let sandbox = sandbox(10, "");
    sandbox.run("allocate -t a -i x").code(0);
    let durable = fs::read(sandbox.state().join("ranges.json")).unwrap();
    sandbox.run("allocate -t a -i y").code(0);
    sandbox.run("release a/y").code(0);

    assert_eq!(fs::read(sandbox.state().join("ranges.json")).unwrap(), durable);
    let status = sandbox.json("config auto-allocation list");
    let used = status["ranges"][0]["used"].as_str().unwrap();
    assert_eq!(used[..10], today(&sandbox));
    assert_eq!(status["ranges"][0]["leased"], 1);
}

#[test]
fn auto_allocation_is_shown_and_switched() {
    let sandbox = sandbox(10, "");
    made(&sandbox, &["a"]);
    let (first, last) = (sandbox.port(0), sandbox.port(239));
    let expected = format!(
        "auto-allocation  enabled\n\
         asks first       no\n\
         new ranges       10 ports, placed after\n\
         between          {first}-{last}, 10 ports apart\n\
         made so far      1 ranges, 10 ports\n"
    );
    sandbox.run("config auto-allocation").code(0).printed(&expected);
    sandbox.run("config auto-allocation status").code(0).printed(&expected);

    sandbox.run("config auto-allocation disable").code(0);
    assert_eq!(sandbox.json("config auto-allocation")["enabled"], false);
    sandbox.run("allocate -t b -i x").failed();
    sandbox.run("allocate -t a -i x").code(0);
    sandbox.run("config auto_allocation enable --project").code(0);
    sandbox.run("allocate -t b -i x").code(0);
    let table = sandbox.run("config auto-allocation list");
    table.code(0);
    assert!(table.stdout.starts_with("TYPE"), "{}", table.story());
    assert_eq!(table.stdout.lines().count(), 3);
}

#[test]
fn a_configured_range_takes_its_ports_from_an_automatic_one_when_nobody_is_there() {
    let sandbox = sandbox(1, "");
    let shows = |words: &str, text: &str| {
        let shown = sandbox.run(words);
        assert!(shown.code(0).stdout.contains(text), "no {text}\n{}", shown.story());
    };
    let lock_id =
        sandbox.run("allocate --type grafana --id a --json").code(0).json()["lockId"].clone();
    let key = "service_types.graphs.range";
    let range = format!("[{},{}]", sandbox.port(0), sandbox.port(3));
    sandbox.run(&format!("config set {key} {range}")).code(0);
    let document = || fs::read_to_string(sandbox.state().join("PORT_MANAGEMENT.md")).unwrap();
    let written = format!("{}-{}", sandbox.port(0), sandbox.port(3));
    assert_eq!(
        row(&table(&document()), "graphs")[1],
        written,
        "the table follows the configuration"
    );

    // Somebody is there, so the range stays, and the port is his.
    let port = |words: &str| sandbox.run(words).code(0).json()["port"].as_u64().unwrap();
    assert_eq!(port("allocate --type graphs --id a --json"), u64::from(sandbox.port(1)));
    let both = format!("{}-{}", sandbox.port(0), sandbox.port(9));
    shows("config auto-allocation list", &both);
    sandbox.run(&format!("release {}", lock_id.as_str().unwrap())).code(0);
    sandbox.run("release graphs/a").code(0);

    assert_eq!(port("allocate --type grafana --id b --json"), u64::from(sandbox.port(4)));
    let left = format!("{}-{}", sandbox.port(4), sandbox.port(9));
    shows("config auto-allocation list", &left);
    shows("audit --action range.retire", &left);
    assert_eq!(port("allocate --type graphs --id b --json"), u64::from(sandbox.port(0)));
}

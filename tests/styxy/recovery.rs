//! A registry that is broken, missing or from another version: nothing that lives is lost.

use crate::patience::until_true;
use crate::processes;
use crate::sandbox::{Sandbox, recorded_pids, server_pid};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

fn state_file(sandbox: &Sandbox) -> PathBuf {
    sandbox.state().join("state.json")
}

/// The ways in which a file can be broken.
fn broken(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let flipped = text.replacen("\"seq\":", "\"seq\":9", 1);
    assert_ne!(flipped, text, "the registry has a `seq`: {text}");
    vec![
        ("cut in the middle", text.as_bytes()[..text.len() / 2].to_vec()),
        ("cut in its first line", text.as_bytes()[..9].to_vec()),
        ("empty", Vec::new()),
        ("not JSON", b"these are not the bytes you are looking for\n".to_vec()),
        ("not UTF-8", vec![0xff, 0xfe, 0, 7]),
        ("JSON of something else", b"[1, 2, 3]\n".to_vec()),
        ("changed without its checksum", flipped.into_bytes()),
    ]
}

#[test]
fn a_broken_registry_is_set_aside_and_built_again() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    let whole = fs::read_to_string(state_file(&sandbox)).unwrap();
    for (how, bytes) in broken(&whole) {
        fs::write(state_file(&sandbox), &bytes).unwrap();

        let other = sandbox.run("run -t web -i b -- echo {port}");

        assert_ne!(other.code(0).port(), ready.port, "{how}");
        assert_eq!(other.stderr.lines().count(), 1, "one warning, when {how}:\n{}", other.story());
        other.said(&["state.json"]);
        assert!(is_kept_aside(&sandbox, &bytes), "the file that was {how} is gone");
        let row = sandbox.instance("web", "a").unwrap_or_else(|| panic!("a is lost, when {how}"));
        assert_eq!((&row["port"], &row["pid"]), (&ready.port.into(), &ready.pid.into()));
        let next = sandbox.run("run -t web -i b -- true");
        assert_eq!(next.code(0).stderr, "", "warned twice, when {how}");
    }
    let reused = sandbox.run("run -t web -i a --if-running reuse --json -- child serve");
    assert_eq!(reused.code(0).json()["pid"], ready.pid);
    assert_eq!(server_pid(ready.port), ready.pid);
    running.end(Signal::SIGTERM).code(143);
    assert!(sandbox.instances().is_empty());
}

/// Is there a file beside the registry with just these bytes?
fn is_kept_aside(sandbox: &Sandbox, bytes: &[u8]) -> bool {
    let mut entries = fs::read_dir(sandbox.state()).expect("the state directory is there");
    entries.any(|entry| {
        let path = entry.expect("it can be read").path();
        path != state_file(sandbox) && fs::read(&path).is_ok_and(|found| found == bytes)
    })
}

#[test]
fn no_more_than_five_broken_registries_are_kept() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a -- true").code(0);
    let broken = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains(".broken.");
    let files = || fs::read_dir(sandbox.state()).unwrap().flatten().filter(broken).count();
    for number in 0..8 {
        fs::write(state_file(&sandbox), format!("broken {number}")).unwrap();
        sandbox.run("run -t web -i a -- true").code(0);
    }

    assert_eq!(files(), 5);
    assert!(is_kept_aside(&sandbox, b"broken 7"));
}

#[test]
fn a_reader_of_a_broken_registry_finds_the_living_too() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    fs::write(state_file(&sandbox), "{").unwrap();

    assert_eq!(sandbox.run("port web/a").code(0).port(), ready.port);
    sandbox.run("stop web/a").code(0);
    running.wait().code(143);
}

#[test]
fn a_missing_registry_is_built_again_from_what_runs() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t solo -i rag -- child serve");
    for file in ["state.json", "state.json.spare"] {
        let _ = fs::remove_file(sandbox.state().join(file));
    }

    sandbox.run("run -t solo -i chat -- touch started").code(75).said(&["solo/rag"]);

    assert!(!sandbox.file("started").exists());
    assert_eq!(sandbox.instance("solo", "rag").unwrap()["port"], ready.port);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn what_the_dead_left_is_stopped_also_when_its_row_was_lost() {
    let sandbox = Sandbox::new();
    let command = "child deaf record=seen sleep";
    let words = format!("run -t web -i a --ready none --stop-timeout 200ms -- {command}");
    let running = sandbox.start(&words);
    let left = recorded_pids(&sandbox.file("seen"), 1)[0];
    processes::signal(running.pid(), Signal::SIGKILL);
    running.wait();
    let record = fs::read_dir(sandbox.state().join("run")).unwrap().flatten().find_map(|entry| {
        Some(entry.path()).filter(|path| path.extension().is_some_and(|it| it == "json"))
    });
    let record = record.expect("a supervisor that was killed leaves its record");
    let hidden = sandbox.file("hidden");
    fs::rename(&record, &hidden).unwrap();
    fs::remove_file(state_file(&sandbox)).unwrap();
    sandbox.run("run -t web -i b -- true").code(0);
    fs::rename(&hidden, &record).unwrap();

    assert!(processes::is_alive(left));
    sandbox.run("cleanup").code(0).printed("removed what web/a had left running, and its lease\n");
    assert!(!processes::is_alive(left));
    sandbox.run("cleanup").code(0).said(&["nothing was left"]);
}

#[test]
fn a_reservation_outlives_a_run_that_died_on_its_way_to_take_it_over() {
    let sandbox = Sandbox::new();
    let port = sandbox.run("allocate -t web -i a").code(0).port();
    let row = sandbox.instance("web", "a").unwrap();
    let lock_id = row["lockId"].as_str().unwrap();
    let run = sandbox.state().join("run");
    let files = || fs::read_dir(&run).unwrap().count();
    // It had made its files, and had not changed the registry yet.
    let die = || {
        for suffix in ["lock", "sock"] {
            fs::write(run.join(format!("{lock_id}.{suffix}")), "").unwrap();
        }
    };

    die();
    let removed = format!("removed the run files of {lock_id}\n");
    sandbox.run("cleanup").code(0).printed(&removed);
    assert_eq!(files(), 0);
    assert_eq!(sandbox.instance("web", "a").unwrap()["lockId"], lock_id);

    die();
    assert_eq!(sandbox.run("run -t web -i a -- echo {port}").code(0).port(), port);
    assert_eq!(files(), 0);
}

#[test]
fn ranges_outlive_the_registry() {
    let sandbox = Sandbox::with_config(|ports| {
        let (first, last) = (ports.port(0), ports.port(239));
        format!("[auto_allocation]\nmin_port = {first}\nmax_port = {last}\n")
    });
    for name in ["one", "two", "three"] {
        sandbox.run(&format!("run -t {name} -i x -- true")).code(0);
    }
    fs::write(state_file(&sandbox), "gone").unwrap();

    // In another order than the first time: each has the range that it had.
    for (name, place) in [("three", 40), ("one", 0), ("two", 20)] {
        let port = sandbox.run(&format!("run -t {name} -i x -- echo {{port}}")).code(0).port();
        assert_eq!(port, sandbox.port(place), "{name}");
    }
}

#[test]
fn a_registry_of_a_newer_styxy_is_refused_untouched() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a -- true").code(0);
    // Neither its checksum nor the rest of it is ours to understand.
    let newer = "{\"version\":999,\"hash\":\"?\",\n\"all\":\"different\"}\n";
    fs::write(state_file(&sandbox), newer).unwrap();

    for words in ["run -t web -i a -- touch started", "list", "allocate --type web", "cleanup"] {
        sandbox.run(words).code(125).said(&["999", "state.json"]);
        assert_eq!(fs::read_to_string(state_file(&sandbox)).unwrap(), newer);
    }
    assert!(!sandbox.file("started").exists());
    assert!(!is_kept_aside(&sandbox, newer.as_bytes()));
}

#[test]
fn a_registry_that_is_a_symbolic_link_is_not_followed() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a -- true").code(0);
    let target = sandbox.file("precious");
    fs::write(&target, "precious").unwrap();
    fs::remove_file(state_file(&sandbox)).unwrap();
    std::os::unix::fs::symlink(&target, state_file(&sandbox)).unwrap();

    sandbox.run("run -t web -i a -- touch started");

    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn an_instance_that_cannot_write_its_end_still_ends_with_its_code() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    let (state, aside) = (sandbox.state(), sandbox.root().join("aside"));
    fs::rename(&state, &aside).unwrap();
    fs::write(&state, "a file where the directory was").unwrap();

    crate::sandbox::ask(ready.port, "/exit/9");

    running.wait().code(9);
    fs::remove_file(&state).unwrap();
    fs::rename(&aside, &state).unwrap();
    assert!(sandbox.instances().is_empty());
    assert_eq!(sandbox.run("run -t web -i a -- echo {port}").port(), ready.port);
}

#[test]
fn who_waits_for_the_registry_is_told_who_holds_it() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a -- true").code(0);
    let lock = sandbox.state().join("state.lock");
    let holder = fs::File::open(&lock).unwrap();
    holder.lock().unwrap();

    let waiting = sandbox.start("run -t web -i a -- sh -c 'exit 5'");
    waiting.says(&["state.lock", &std::process::id().to_string()]);
    holder.unlock().unwrap();

    waiting.wait().code(5);
}

#[test]
fn readers_do_not_wait_for_the_registry() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    let holder = fs::File::open(sandbox.state().join("state.lock")).unwrap();
    holder.lock().unwrap();

    assert_eq!(sandbox.run("port web/a").code(0).port(), ready.port);
    assert_eq!(sandbox.instances().len(), 1);

    holder.unlock().unwrap();
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn who_waited_for_a_lock_that_was_removed_meanwhile_waits_for_the_one_that_counts() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a -- true").code(0);
    let path = sandbox.state().join("state.lock");
    let locked = || {
        let file = fs::File::create(&path).unwrap();
        file.lock().unwrap();
        file
    };
    let old = locked();
    let waiting = sandbox.start("run -t web -i a -- sh -c 'exit 5'");
    waiting.says(&["state.lock", &std::process::id().to_string()]);
    fs::remove_file(&path).unwrap();
    let new = locked();
    let inode = fs::metadata(&path).unwrap().ino().to_string();

    old.unlock().unwrap();

    // In the kernel's list, who waits has an arrow.
    let waits = |line: &str| line.contains("->") && line.contains(&format!(":{inode} "));
    until_true("a second wait", || {
        assert!(waiting.is_running(), "two held the lock\n{}", waiting.story());
        fs::read_to_string("/proc/locks").unwrap().lines().any(waits)
    });
    new.unlock().unwrap();
    waiting.wait().code(5);
}

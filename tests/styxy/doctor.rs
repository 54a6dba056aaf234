//! `styxy doctor`: what is wrong is told, with what to do; and what is right is left alone.

use crate::disk::SmallDisk;
use crate::hostile::{READ_ONLY, in_mounts};
use crate::processes;
use crate::sandbox::{Sandbox, server_pid};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};

/// What `doctor` finds that somebody has to see to, and the rest; its exit code fits.
#[track_caller]
fn findings(sandbox: &Sandbox) -> (Vec<Value>, Vec<Value>) {
    let ended = sandbox.run("doctor --json");
    let object = ended.json();
    assert_eq!(object.as_object().map(serde_json::Map::len), Some(1), "{object}");
    let all = object["findings"].as_array().unwrap_or_else(|| panic!("no findings: {object}"));
    for finding in all {
        let keys: Vec<&String> =
            finding.as_object().unwrap_or_else(|| panic!("no object: {finding}")).keys().collect();
        assert_eq!(keys, ["hint", "level", "message"], "{finding}");
        assert!(finding["hint"].is_string() || finding["hint"].is_null(), "{finding}");
    }
    let (known, serious): (Vec<_>, Vec<_>) =
        all.iter().cloned().partition(|finding| finding["level"] == "info");
    ended.code(i32::from(!serious.is_empty()));
    (serious, known)
}

/// It finds one serious thing, of that level and with these words.
#[track_caller]
fn finds(sandbox: &Sandbox, level: &str, texts: &[&str]) {
    let (serious, _) = findings(sandbox);
    let [finding] = &serious[..] else { panic!("not one: {serious:#?}\n{}", sandbox.story()) };
    assert_eq!(finding["level"], level, "{finding}");
    let message = finding["message"].as_str().unwrap_or_default();
    assert!(texts.iter().all(|text| message.contains(text)), "no {texts:?} in {message}");
    assert!(finding["hint"].is_string(), "{finding}");
    let shown = sandbox.run("doctor");
    let word = format!("{level}: {message}\n");
    assert!(shown.code(1).stdout.contains(&word), "{}", shown.story());
}

#[test]
fn where_nothing_is_wrong_nothing_has_to_be_done() {
    let sandbox = Sandbox::new();
    assert_eq!(findings(&sandbox).0, [] as [Value; 0]);
    // Servers of all kinds: one in the tree, one on a passed socket, one inside another, a reserved one.
    let running = [
        sandbox.serve("run -t web -i a -- sh -c 'child serve; true'").0,
        sandbox.serve("run -t web -i b --listen-fd -- child serve-passed").0,
        sandbox.serve("run -t web -i c -- styxy run -t web -i d --new -- child serve").0,
    ];
    sandbox.run("allocate --type web --id e --ttl 1h").code(0);
    let before = fs::read(sandbox.state().join("state.json")).unwrap();

    assert_eq!(findings(&sandbox).0, [] as [Value; 0]);

    assert_eq!(fs::read(sandbox.state().join("state.json")).unwrap(), before);
    for one in running {
        one.end(Signal::SIGTERM).failed();
    }
}

#[test]
fn what_a_killed_supervisor_left_is_told_until_it_is_cleaned_up() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a --stop-timeout 1s -- child deaf serve");
    running.end(Signal::SIGKILL);

    let (port, pid) = (ready.port.to_string(), format!("pid {}", ready.pid));
    finds(&sandbox, "warning", &["web/a", &pid, &port, "killed"]);

    sandbox.run("cleanup").code(0);
    assert_eq!(findings(&sandbox).0, [] as [Value; 0]);
}

#[test]
fn a_stranger_on_a_leased_port_is_told() {
    let sandbox = Sandbox::new();
    let running = sandbox.start("run -t web -i a --ready none -- child sleep");
    let port = sandbox.wait_until_ready("web", "a")["port"].as_u64().unwrap();
    let _stranger = TcpListener::bind(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();

    let me = format!("pid {}", std::process::id());
    finds(&sandbox, "error", &["web/a", &port.to_string(), &me]);

    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_broken_configuration_is_told_and_does_not_hide_the_rest() {
    let sandbox = Sandbox::new();
    let (running, _) = sandbox.serve("run -t web -i a -- child deaf serve");
    running.end(Signal::SIGKILL);
    sandbox.write_config("[auto_allocation]\ngap_sise = 3\n");

    let (serious, _) = findings(&sandbox);

    let texts: Vec<&str> =
        serious.iter().filter_map(|finding| finding["message"].as_str()).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("config.toml:2") && texts[0].contains("gap_sise"), "{texts:?}");
    assert!(texts[1].contains("web/a"), "{texts:?}");
    sandbox.write_config("");
    sandbox.run("cleanup").code(0);
}

#[test]
fn a_registry_that_cannot_be_used_is_told() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate --type web --id a").code(0);
    let state = sandbox.state().join("state.json");
    let good = fs::read_to_string(&state).unwrap();
    let newer = "{\"version\":999}\n";
    fs::write(&state, newer).unwrap();

    finds(&sandbox, "error", &["state.json", "999"]);

    assert_eq!(fs::read_to_string(&state).unwrap(), newer);
    fs::write(&state, good).unwrap();
    sandbox.run("release web/a").code(0);
}

#[test]
fn rights_that_are_too_wide_are_told() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate --type web --id a").code(0);
    let set = |name: &str, mode| {
        fs::set_permissions(sandbox.state().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("", 0o755);
    let (serious, known) = findings(&sandbox);
    assert_eq!(serious, [] as [Value; 0]);
    assert!(
        known.iter().any(|it| it["message"].as_str().unwrap().contains("look into")),
        "{known:?}"
    );
    set("", 0o700);

    set("state.json", 0o666);

    finds(&sandbox, "error", &["state.json", "every user"]);
}

#[test]
fn a_range_where_the_kernel_takes_ports_is_told() {
    let sandbox = Sandbox::new();
    let kernels = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let first: u16 = kernels.split_whitespace().next().unwrap().parse().unwrap();
    let config = format!("[service_types.lab]\nrange = [{}, {}]\n", first + 500, first + 509);
    sandbox.write_config(&config);

    finds(&sandbox, "warning", &["lab", &first.to_string()]);
}

#[test]
fn a_lease_whose_holder_is_gone_needs_nobody() {
    let sandbox = Sandbox::new();
    let holder = sandbox.start_command("sleep", {
        let mut sleep = sandbox.command("sleep");
        sleep.arg("1000");
        sleep
    });
    sandbox.run(&format!("allocate --type web --id a --pid {}", holder.pid())).code(0);
    assert_eq!(findings(&sandbox).0, [] as [Value; 0]);
    processes::signal(holder.pid(), Signal::SIGKILL);
    holder.wait();

    let (serious, known) = findings(&sandbox);

    assert_eq!(serious, [] as [Value; 0]);
    let told = |it: &Value| it["message"].as_str().is_some_and(|text| text.contains("web/a"));
    assert!(known.iter().any(told), "{known:?}");
    sandbox.run("doctor").code(0);
    // A server that is there still is no stranger's.
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    assert_eq!(server_pid(ready.port), ready.pid);
    running.end(Signal::SIGTERM).code(143);
}

/// The messages of all that somebody has to see to.
fn serious(report: &Value) -> Vec<String> {
    let all = report["findings"].as_array().unwrap_or_else(|| panic!("no findings: {report}"));
    let serious = all.iter().filter(|finding| finding["level"] != "info");
    serious.map(|finding| finding["message"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_directory_on_a_read_only_mount_is_told_once() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate --type web --id a").code(0);
    assert_eq!(findings(&sandbox).0, [] as [Value; 0]);

    let told = in_mounts(&sandbox, READ_ONLY, "doctor --json");

    let messages = serious(&told.code(1).json());
    let [message] = &messages[..] else { panic!("not one: {messages:#?}") };
    let state = sandbox.state().display().to_string();
    assert!(message.contains(&state) && message.contains("mounted read-only"), "{message}");
}

#[test]
fn a_disk_without_room_is_told_by_bytes_and_by_files() {
    let sandbox = Sandbox::new();
    let disk = SmallDisk::mount(sandbox.state());
    sandbox.run("allocate --type web --id a").code(0);
    let state = sandbox.state().display().to_string();
    // It is small, and there are many names left.
    finds(&sandbox, "warning", &[&state, "nearly full", "7 MiB left"]);

    disk.fill();
    finds(&sandbox, "warning", &[&state, "nearly full", " 0 MiB left"]);
    sandbox.run("run -t web -i b -- touch started").code(125).said(&["o space left on device"]);
    disk.free();
    disk.fill_with_files();
    let (serious, _) = findings(&sandbox);
    let has = |text: &str| serious.iter().any(|it| it["message"].as_str().unwrap().contains(text));
    assert!(has(" MiB left") && has(": 0 files left"), "{serious:#?}");
    sandbox.run("run -t web -i b -- touch started").code(125).said(&["o space left on device"]);

    disk.free();
    assert!(!sandbox.file("started").exists());
    sandbox.run("run -t web -i b -- touch started").code(0);
    sandbox.run("release web/a").code(0);
}

#[test]
fn files_that_belong_to_another_user_are_told_to_root_and_to_that_user() {
    /// Nobody on the machine has this number.
    const ANNA: u32 = 54_001;
    let root = nix::unistd::geteuid().is_root();
    assert!(root, "only root can give a file away: run this test as root, or in a container");
    let sandbox = Sandbox::new();
    sandbox.run("allocate --type web --id a").code(0);
    let file = sandbox.state().join("state.json");

    // As after a `sudo styxy`, seen by root …
    chown(&file, Some(ANNA), None).unwrap();
    finds(&sandbox, "warning", &["state.json", &ANNA.to_string(), "unlike the directory"]);
    // … and by who may not write what root has left.
    chown(&file, Some(0), None).unwrap();
    chown(sandbox.state(), Some(ANNA), None).unwrap();
    let mut command = sandbox.command("setpriv");
    let ids = [format!("--reuid={ANNA}"), format!("--regid={ANNA}")];
    command.args(ids).args(["--clear-groups", "--", "styxy", "doctor", "--json"]);
    let bin = sandbox.folder("bin");
    fs::copy(env!("CARGO_BIN_EXE_styxy"), bin.join("styxy")).unwrap();
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let told = sandbox.start_command("doctor, as another user", command).wait();
    let messages = serious(&told.code(1).json());
    let is_told =
        |message: &String| message.contains("state.json belongs to root and cannot be written");
    assert!(messages.iter().any(is_told), "{messages:#?}");
    chown(sandbox.state(), Some(0), None).unwrap();
    assert_eq!(findings(&sandbox).0, [] as [Value; 0]);
}

//! Hostile places: what somebody has planted in the state directory, what cannot be written, and what
//! another version of styxy has left there.

use crate::port_table::narrow;
use crate::running::Ended;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const PRECIOUS: &str = "precious\n";

/// Puts a symbolic link in the place of a file of the state directory; what was there is gone.
fn plant(sandbox: &Sandbox, name: &str, target: &Path) {
    clear(sandbox, name);
    symlink(target, sandbox.state().join(name)).expect("our own directory");
}

fn clear(sandbox: &Sandbox, name: &str) {
    let path = sandbox.state().join(name);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(&path).expect("our own directory"),
        Ok(_) => fs::remove_file(&path).expect("our own directory"),
        Err(_) => {}
    }
}

#[test]
fn a_link_planted_for_a_file_is_not_written_through() {
    // Each of them is written by the first run of a type without a range.
    for name in ["state.json.spare", "audit.jsonl", "ranges.json.new", "state.lock"] {
        let sandbox = Sandbox::with_config(narrow);
        sandbox.run("allocate --type known --id a").code(0);
        let target = sandbox.file("precious");
        fs::write(&target, PRECIOUS).unwrap();
        plant(&sandbox, name, &target);

        let ended = sandbox.run("run -t another -i a -- touch started");

        ended.code(125).said(&[name, "symbolic link"]);
        assert!(!sandbox.file("started").exists(), "{name}");
        assert_eq!(fs::read_to_string(&target).unwrap(), PRECIOUS, "{name}");
        clear(&sandbox, name);
        sandbox.run("run -t another -i a -- touch started").code(0);
        assert!(sandbox.file("started").exists(), "{name}");
    }
}

#[test]
fn a_link_planted_for_a_file_that_is_not_there_makes_none() {
    for name in ["state.json.spare", "audit.jsonl", "ranges.json.new", "state.lock"] {
        let sandbox = Sandbox::with_config(narrow);
        fs::create_dir(sandbox.state()).unwrap();
        plant(&sandbox, name, &sandbox.file("made"));

        sandbox.run("run -t another -i a -- touch started").code(125).said(&[name]);

        assert!(!sandbox.file("made").exists(), "{name}");
        assert!(!sandbox.file("started").exists(), "{name}");
    }
}

#[test]
fn a_link_planted_for_the_run_folder_is_not_followed() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i a -- true").code(0);
    let elsewhere = sandbox.folder("elsewhere");
    plant(&sandbox, "run", &elsewhere);

    for words in ["run -t web -i a -- touch started", "list", "cleanup"] {
        sandbox.run(words).code(125).said(&["state/run"]);
    }

    assert!(!sandbox.file("started").exists());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_link_planted_for_the_logs_is_not_followed() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t solo -i a -- true").code(0);
    let elsewhere = sandbox.folder("elsewhere");
    let refused = |planted: &str| {
        let ended = sandbox.run("run -d -t solo -i a --ready none -- touch started");
        ended.code(125).said(&["log"]);
        assert!(!sandbox.file("started").exists(), "{planted}");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "{planted}");
        assert!(sandbox.instances().is_empty(), "{planted}");
    };

    plant(&sandbox, "logs", &elsewhere);
    refused("logs");
    clear(&sandbox, "logs");
    fs::create_dir(sandbox.state().join("logs")).unwrap();
    plant(&sandbox, "logs/solo", &elsewhere);
    refused("logs/solo");
    clear(&sandbox, "logs/solo");
    fs::create_dir(sandbox.state().join("logs/solo")).unwrap();
    plant(&sandbox, "logs/solo/a.log", &elsewhere.join("made"));
    refused("logs/solo/a.log");
}

#[test]
fn a_link_planted_for_the_table_is_not_followed() {
    let sandbox = Sandbox::with_config(narrow);
    sandbox.run("allocate --type known --id a").code(0);
    let target = sandbox.file("precious");
    fs::write(&target, PRECIOUS).unwrap();
    plant(&sandbox, "PORT_MANAGEMENT.md", &target);

    // A table that is out of date is no reason to refuse a lease.
    sandbox.run("allocate --type another --id a").code(0).said(&["PORT_MANAGEMENT.md"]);

    assert_eq!(fs::read_to_string(&target).unwrap(), PRECIOUS);
    let left = fs::read_dir(sandbox.state()).unwrap().flatten();
    let names: Vec<_> = left.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.starts_with(".PORT")), "{names:?}");
}

#[test]
fn a_named_pipe_planted_for_a_file_makes_nobody_wait() {
    let sandbox = Sandbox::with_config(narrow);
    let (running, ready) = sandbox.serve("run -t known -i a -- child serve");
    let lock = sandbox.record_of("known-a-").with_extension("lock");
    let lock = Path::new("run").join(lock.file_name().unwrap());
    for name in ["state.json", "ranges.json", "audit.jsonl", "state.json.spare"] {
        clear(&sandbox, name);
        nix::unistd::mkfifo(&sandbox.state().join(name), Mode::S_IRWXU).unwrap();

        // Whether they do what they were told is not asked here, but that they end.
        for words in ["list", "run -t another -i a -- true", "cleanup", "audit"] {
            sandbox.run(words);
        }

        clear(&sandbox, name);
        assert_eq!(sandbox.run("port known/a").code(0).port(), ready.port, "{name}");
    }
    let lock = sandbox.state().join(lock);
    fs::rename(&lock, lock.with_extension("aside")).unwrap();
    nix::unistd::mkfifo(&lock, Mode::S_IRWXU).unwrap();
    sandbox.run("list");
    sandbox.run("run -t known -i b -- true");
    fs::rename(lock.with_extension("aside"), &lock).unwrap();
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_named_pipe_planted_for_a_log_makes_nobody_wait() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t solo -i a --ready none -- true").code(0);
    clear(&sandbox, "logs/solo/a.log");
    nix::unistd::mkfifo(&sandbox.state().join("logs/solo/a.log"), Mode::S_IRWXU).unwrap();

    sandbox.run("run -d -t solo -i a --ready none -- touch started").code(125).said(&["log"]);
    sandbox.run("logs solo/a");

    assert!(!sandbox.file("started").exists());
}

/// What mount(8) does to the state directory, in a mount namespace of its own, before styxy is started.
pub(crate) fn in_mounts(sandbox: &Sandbox, mounts: &str, words: &str) -> Ended {
    let line = format!("set -e; {mounts}; styxy {words}");
    let mut command = sandbox.command("unshare");
    command.args(["--mount", "--", "bash", "-c", &line]).env("STATE", sandbox.state());
    let ended = sandbox.start_command(&line, command).wait();
    assert!(!ended.stderr.contains("unshare"), "no mount namespace here:\n{}", ended.story());
    assert!(!ended.stderr.contains("mount:"), "no mount here:\n{}", ended.story());
    ended
}

/// All files of a folder and below, with what is in them.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("it can be read") {
        let entry = entry.expect("it can be read");
        let kind = entry.file_type().expect("it can be read");
        if kind.is_dir() {
            found.extend(contents(&entry.path()));
        } else if kind.is_file() {
            found.insert(entry.path(), fs::read(entry.path()).expect("it can be read"));
        }
    }
    found
}

/// The state directory as one that nobody can write.
pub(crate) const READ_ONLY: &str = "mount --bind $STATE $STATE; mount -o remount,ro,bind $STATE";

#[test]
fn on_a_read_only_mount_readers_read_and_nothing_is_started() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    let before = contents(&sandbox.state());

    let port = in_mounts(&sandbox, READ_ONLY, "port web/a");
    assert_eq!(port.code(0).port(), ready.port);
    let list = in_mounts(&sandbox, READ_ONLY, "list --json");
    assert_eq!(list.code(0).json()["instances"][0]["pid"], ready.pid);
    in_mounts(&sandbox, READ_ONLY, "audit").code(0);
    for words in ["run -t web -i b -- touch started", "allocate --type web --id b", "cleanup"] {
        let refused = in_mounts(&sandbox, READ_ONLY, words);
        refused.code(125).said(&["state/state", "ead-only file system", "STYXY_STATE_DIR"]);
    }

    assert!(!sandbox.file("started").exists());
    assert_eq!(contents(&sandbox.state()), before);
    assert_eq!(crate::sandbox::server_pid(ready.port), ready.pid);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_read_only_directory_without_a_registry_starts_nothing() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.state()).unwrap();

    for words in ["run -t web -i b -- touch started", "allocate --type web --id b"] {
        let refused = in_mounts(&sandbox, READ_ONLY, words);
        refused.code(125).said(&["state/run", "ead-only file system", "STYXY_STATE_DIR"]);
    }

    assert!(!sandbox.file("started").exists());
    assert!(contents(&sandbox.state()).is_empty());
}

/// The state directory as an overlay's lower layer, with the upper one in memory.
const OVERLAY: &str = "mkdir $STATE.over; mount -t tmpfs tmpfs $STATE.over; \
    mkdir $STATE.over/up $STATE.over/work; \
    mount -t overlay -o lowerdir=$STATE,upperdir=$STATE.over/up,workdir=$STATE.over/work overlay $STATE";

#[test]
fn on_an_overlay_what_the_image_brought_along_is_used_and_stays_as_it_is() {
    let sandbox = Sandbox::with_config(narrow);
    for name in ["one", "two"] {
        sandbox.run(&format!("run -t {name} -i x -- true")).code(0);
    }
    let before = contents(&sandbox.state());

    let words = "run -t two -i x -- echo {port}; styxy run -t three -i x -- echo {port}; \
        styxy run -t three -i x -- echo {port}";
    let ended = in_mounts(&sandbox, OVERLAY, words);

    let ports: Vec<u16> = ended.code(0).stdout.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(ports, [sandbox.port(3), sandbox.port(6), sandbox.port(6)], "{}", ended.story());
    assert_eq!(contents(&sandbox.state()), before);
}

/// The registry's text with its checksum, as any version that writes version 1 spells it.
fn version_1(sandbox: &Sandbox, body: &str) -> String {
    let body_file = sandbox.file("body");
    fs::write(&body_file, body).expect("the sandbox can be written");
    let line = "import zlib; print('%08x' % zlib.crc32(open('body', 'rb').read()))";
    let check = sandbox.sh(&format!("python3 -c \"{line}\"")).code(0).stdout.trim_end().to_owned();
    format!("{{\"version\":1,\"check\":\"{check}\",\n{body}")
}

#[test]
fn what_the_first_version_wrote_is_read_and_brought_up_to_date() {
    let sandbox = Sandbox::with_config(narrow);
    sandbox.run("run -t known -i a -- true").code(0);
    let file = sandbox.state().join("state.json");
    let (first, last) = (sandbox.port(30), sandbox.port(31));
    // No word of when a range was used, and other spaces than ours.
    let body = format!(
        "\"seq\": 7, \"boot\": \"another\",\n\"ranges\": [{{\"service_type\": \"old\", \
         \"range\": [{first}, {last}], \"created\": \"2025-09-30\"}}],\n\"instances\": []}}\n"
    );
    let _ = fs::remove_file(sandbox.state().join("ranges.json"));
    fs::write(&file, version_1(&sandbox, &body)).unwrap();

    let ended = sandbox.run("run -t old -i a -- echo {port}");

    assert_eq!((ended.code(0).port(), ended.stderr.as_str()), (first, ""));
    let now = fs::read_to_string(&file).unwrap();
    assert!(now.starts_with("{\"version\":1,") && now.contains("\"used\""), "{now}");
}

#[test]
fn beside_a_newer_styxy_the_older_ones_instance_lives_on_and_ends_with_its_code() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    let file = sandbox.state().join("state.json");
    let ours = fs::read(&file).unwrap();
    let newer = "{\"version\":2,\"leases\":{}}\n";
    fs::write(&file, newer).unwrap();

    sandbox.run("run -t web -i b -- touch started").code(125).said(&["version 2", "newer styxy"]);
    assert!(!sandbox.file("started").exists());
    assert_eq!(crate::sandbox::server_pid(ready.port), ready.pid);
    crate::sandbox::ask(ready.port, "/exit/9");

    running.wait().code(9);
    assert_eq!(fs::read_to_string(&file).unwrap(), newer);
    fs::write(&file, ours).unwrap();
    assert!(sandbox.instances().is_empty());
}

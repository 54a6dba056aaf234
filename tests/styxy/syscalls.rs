//! The program as it is shipped, killed at each of its system calls, and refused each call on its state: the
//! registry is the old or the new one, and the exit code is one of those that are documented.
//!
//! strace does it (`-e inject`). Where the system forbids tracing, these tests fail and say so.

use crate::sandbox::Sandbox;
use std::fs;
use std::process::Command;

/// What a command can end with, besides the code of its child.
const CODES: &[i32] = &[0, 2, 69, 75, 78, 124, 125, 126, 127];
/// All that changes something. To be killed at another call is to be killed after the last of these that was
/// done. `?`: not every machine has it.
const CHANGES: &[&str] = &[
    "openat",
    "?mkdir",
    "mkdirat",
    "fchmod",
    "flock",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "?rename",
    "renameat",
    "renameat2",
    "?unlink",
    "unlinkat",
    "socket",
    "bind",
    "listen",
    "setsockopt",
    "?vfork",
    "clone",
    "clone3",
    "kill",
    "exit_group",
];
/// What the kernel is asked about the files of the state directory.
const CALLS: &[&str] = &[
    "openat",
    "flock",
    "fcntl",
    "read",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "?rename",
    "renameat",
    "renameat2",
    "?unlink",
    "unlinkat",
    "fstat",
    "newfstatat",
    "statx",
    "lseek",
    "getdents64",
];
/// What the kernel can refuse them with.
const REFUSALS: &[&str] = &["ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES", "EINTR"];
/// Of the calls of one kind, the first, the second … is refused, in turn.
const TURNS: usize = 3;
/// No command here makes as many calls of one kind that change something.
const TURNS_MAX: usize = 60;

/// The commands, as a script's lines. `{n}` is a number that grows.
const COMMANDS: &[&str] = &[
    "styxy allocate --type web --id a{n}",
    "styxy allocate --type kind{n} --id main",
    "styxy release web/given{n}",
    "styxy run -t web -i r{n} --ready none -- true",
];

/// A sandbox with a type of its own and room for unknown ones.
fn sandbox() -> Sandbox {
    Sandbox::with_config(|ports| {
        let (web, first, last) = (ports.range(0, 99), ports.port(100), ports.port(239));
        format!(
            "[service_types.web]\nrange = {web}\n[auto_allocation]\nmin_port = {first}\n\
             max_port = {last}\ndefault_chunk_size = 1\ngap_size = 1\n"
        )
    })
}

/// Fails where nothing can be traced: silence would look like proof.
#[track_caller]
fn must_trace(sandbox: &Sandbox) {
    let code = inject(sandbox, "-e inject=getppid:error=EPERM:when=1", "true");
    assert_eq!(code, Some(0), "strace cannot trace here (ptrace is forbidden?): NOTHING IS PROVED");
}

/// Runs the command under strace with that injection; its code, or none when it was killed.
fn inject(sandbox: &Sandbox, injection: &str, command: &str) -> Option<i32> {
    let line = format!("exec strace -qq -o /dev/null {injection} {command}");
    let mut shell: Command = sandbox.command("bash");
    let output = shell.args(["-c", &line]).output().expect("bash is there");
    output.status.code().filter(|code| *code < 128)
}

/// The leases as `list` shows them, or how it failed.
fn listed(sandbox: &Sandbox) -> Vec<String> {
    let mut names: Vec<String> = sandbox
        .instances()
        .iter()
        .map(|one| format!("{}/{}:{}", one["type"], one["id"], one["port"]))
        .collect();
    names.sort();
    names
}

/// After it, the registry can be read and written, and what was there is there.
fn is_whole(sandbox: &Sandbox, before: &[String], what: &str) {
    let after = listed(sandbox);
    let gone: Vec<&String> = before.iter().filter(|name| !after.contains(name)).collect();
    let given = |name: &&String| name.contains("given");
    assert!(gone.iter().all(given) && gone.len() <= 1, "{what}: lost {gone:?}");
    assert!(after.len() <= before.len() + 1, "{what}: {before:?}, then {after:?}");
    let ports: std::collections::BTreeSet<&str> =
        after.iter().filter_map(|name| name.rsplit_once(':').map(|(_, port)| port)).collect();
    assert_eq!(ports.len(), after.len(), "{what}: a port twice in {after:?}");
    let broken = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains(".broken.");
    let found =
        fs::read_dir(sandbox.state()).expect("it is there").flatten().filter(broken).count();
    assert_eq!(found, 0, "{what}: the registry was broken");
}

/// Prepares what the command needs, and puts the number in.
fn prepared(sandbox: &Sandbox, command: &str, number: usize) -> String {
    if command.contains("release") {
        sandbox.run(&format!("allocate --type web --id given{number}")).code(0);
    }
    command.replace("{n}", &number.to_string())
}

/// Gives back all that the commands left, so that there is room for the next ones.
fn tidy(sandbox: &Sandbox) {
    for one in sandbox.instances() {
        let lock_id = one["lockId"].as_str().expect("it has a lease").to_owned();
        sandbox.run(&format!("release {lock_id} --force"));
    }
    sandbox.run("config undo-auto --all");
}

#[test]
fn killed_at_any_of_its_system_calls_a_command_leaves_the_old_state_or_the_new() {
    let sandbox = sandbox();
    must_trace(&sandbox);
    let (mut number, mut kills) = (0, 0);
    for command in COMMANDS {
        for call in CHANGES {
            for turn in 1..TURNS_MAX {
                number += 1;
                let command = prepared(&sandbox, command, number);
                let before = listed(&sandbox);
                let injection = format!("-e trace={call} -e inject={call}:signal=KILL:when={turn}");
                let code = inject(&sandbox, &injection, &command);
                is_whole(&sandbox, &before, &format!("{command}, killed at {call} {turn}"));
                if code.is_some() {
                    break;
                }
                kills += 1;
            }
            tidy(&sandbox);
        }
        sandbox.run("cleanup").code(0);
    }
    sandbox.nothing_is_left();
    // Each of the commands opens, writes, locks and exchanges a dozen times.
    assert!(kills > 12 * COMMANDS.len(), "{kills} kills prove nothing");
}

#[test]
fn a_refused_system_call_is_a_documented_exit_and_leaves_the_old_state_or_the_new() {
    let sandbox = sandbox();
    must_trace(&sandbox);
    sandbox.run("allocate --type web --id first").code(0);
    let state = sandbox.state();
    let (mut number, mut failures) = (0, 0);
    for command in COMMANDS {
        for call in CALLS {
            for refusal in REFUSALS {
                let turn = 1 + number % TURNS;
                number += 1;
                let command = prepared(&sandbox, command, number);
                let before = listed(&sandbox);
                let paths = [
                    "",
                    "/state.json",
                    "/state.json.spare",
                    "/state.lock",
                    "/ranges.json.new",
                    "/audit.jsonl",
                    "/run",
                ]
                .map(|file| format!("-P {}{file}", state.display()))
                .join(" ");
                let injection =
                    format!("{paths} -e trace={call} -e inject={call}:error={refusal}:when={turn}");
                let code = inject(&sandbox, &injection, &command);
                let what = format!("{command}, {call} {turn} refused with {refusal}");
                assert!(code.is_some_and(|code| CODES.contains(&code)), "{what}: {code:?}");
                failures += usize::from(code != Some(0));
                is_whole(&sandbox, &before, &what);
            }
        }
        tidy(&sandbox);
        sandbox.run("allocate --type web --id first").code(0);
    }
    assert!(failures > 6 * COMMANDS.len(), "{failures} failures prove nothing");
}

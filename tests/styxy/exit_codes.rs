//! The table of exit codes: a real process ends with each of them, and with no other the man page knows.

use crate::running::Ended;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use styxy::cli::exit_code;

/// How a row of the table is reached: the code that comes, and how.
type Row = (&'static str, i32, fn(&Sandbox) -> Ended);

const ROWS: &[Row] = &[
    ("0", 0, |sandbox| sandbox.run("run -t web -i a -- true")),
    ("0", 0, |sandbox| sandbox.run("list --json")),
    ("1", 1, |sandbox| {
        sandbox.run("allocate --type web --id a").code(0);
        let mode = fs::Permissions::from_mode(0o666);
        fs::set_permissions(sandbox.state().join("state.json"), mode).expect("our file");
        sandbox.run("doctor")
    }),
    ("2", 2, |sandbox| sandbox.run("run --port 0 -- true")),
    ("2", 2, |sandbox| sandbox.run("run -t web -- echo {port:nobody}")),
    ("69", 69, |sandbox| {
        let _stranger = TcpListener::bind(("127.0.0.1", sandbox.free_port())).expect("our port");
        sandbox.run(&format!("run -t web --port {} -- true", sandbox.free_port()))
    }),
    ("75", 75, |sandbox| {
        sandbox.serve("run -t solo -i a -- child serve");
        sandbox.run("run -t solo -i a --if-running fail -- true")
    }),
    ("78", 78, |sandbox| {
        sandbox.write_config("[auto_allocation]\ngap_size = 'wide'\n");
        sandbox.run("run -t web -- true")
    }),
    ("124", 124, |sandbox| {
        sandbox.run("run -t web -i a --ready-timeout 300ms --stop-timeout 1s -- child sleep")
    }),
    ("124", 124, |sandbox| {
        sandbox.run("run -d -t web -i a --ready-timeout 300ms --stop-timeout 1s -- child sleep")
    }),
    ("125", 125, |sandbox| {
        let mut command = sandbox.styxy("run -t web -i a -- true");
        command.env("STYXY_STATE_DIR", "/dev/null/state");
        sandbox.start_command("styxy run", command).wait()
    }),
    ("126", 126, |sandbox| sandbox.run("run -t web -i a -- /")),
    ("127", 127, |sandbox| sandbox.run("run -t web -i a -- no-such-command")),
    ("128+n", 137, |sandbox| sandbox.run("run -t web -i a -- sh -c 'kill -KILL $$'")),
    ("128+n", 130, |sandbox| {
        sandbox.serve("run -t solo -i a -- child serve");
        let attached = sandbox.start("run -t solo -i a -- child serve");
        attached.says(&["attached"]);
        attached.end(Signal::SIGINT)
    }),
    ("other", 42, |sandbox| sandbox.run("run -t web -i a --ready none -- sh -c 'exit 42'")),
    // A command may end with what would be styxy's own; it is passed on all the same.
    ("other", 125, |sandbox| sandbox.run("run -t web -i a --ready none -- sh -c 'exit 125'")),
];

#[test]
fn every_code_of_the_table_is_reached() {
    for (row, code, reach) in ROWS {
        let sandbox = Sandbox::new();
        let ended = reach(&sandbox);
        ended.code(*code);
        // What styxy itself ends with, it explains.
        let own = !matches!(*row, "0" | "1" | "128+n" | "other");
        assert_eq!(own, explains(&ended.stderr), "{row}\n{}", ended.story());
    }
    let reached: BTreeSet<&str> = ROWS.iter().map(|(row, ..)| *row).collect();
    let known: BTreeSet<&str> = exit_code::TABLE.iter().map(|(row, _)| *row).collect();
    assert_eq!(reached, known);
}

fn explains(stderr: &str) -> bool {
    let begins = |line: &str| line.starts_with("styxy: ") || line.starts_with("error: ");
    stderr.lines().any(begins)
}

#[test]
fn the_man_page_has_the_same_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/styxy.1");
    let text = fs::read_to_string(page).unwrap();
    let (_, section) = text.split_once(".SH \"EXIT STATUS\"\n").unwrap();
    let section = section.split("\n.SH").next().unwrap();
    let codes: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("\\fB")?.strip_suffix("\\fR"))
        .collect();
    let known: Vec<&str> = exit_code::TABLE.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, known);
}

#[test]
fn a_failure_in_json_has_the_code_that_the_process_ends_with() {
    for (row, code, reach) in [
        ("69", 69, "allocate --type tiny --id a --ports x,y,z --json"),
        ("2", 2, "allocate --type ../x --json"),
        ("2", 2, "port web/nobody --json"),
        ("127", 127, "run -d -t web -i a --json -- no-such-command"),
        ("126", 126, "run -d -t web -i a --json -- /"),
        ("124", 124, "run -d -t web -i a --ready-timeout 300ms --json -- sleep 1000"),
        ("other", 7, "run -d -t web -i a --no-reserve --json -- sh -c 'exit 7'"),
    ] {
        let sandbox = Sandbox::new();
        let ended = sandbox.run(reach);
        assert_eq!(ended.code(code).json()["error"]["code"], code, "{row}\n{}", ended.story());
    }
}

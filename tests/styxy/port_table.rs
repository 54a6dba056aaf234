//! The table of types and ranges in the user's document.

use crate::port_block::PortBlock;
use crate::sandbox::Sandbox;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Unknown types get single ports, side by side, within the sandbox's block.
pub(crate) fn narrow(ports: &PortBlock) -> String {
    format!(
        "[auto_allocation]\nmin_port = {}\nmax_port = {}\ndefault_chunk_size = 2\ngap_size = 1\n",
        ports.port(0),
        ports.port(239)
    )
}

/// The table between the markers.
pub(crate) fn table(document: &str) -> String {
    let (_, rest) = document.split_once("<!-- styxy:begin").expect("an opening marker");
    let (_, rest) = rest.split_once('\n').expect("it is a line");
    rest.split_once("<!-- styxy:end -->").expect("a closing marker").0.to_owned()
}

/// The cells of the row of a type.
pub(crate) fn row(table: &str, name: &str) -> Vec<String> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let row = table.lines().map(cells).find(|cells| cells[0] == name);
    row.unwrap_or_else(|| panic!("no {name}:\n{table}"))
}

#[test]
fn the_document_tells_of_each_range_and_keeps_what_is_the_users() {
    let sandbox = Sandbox::with_config(narrow);
    sandbox.run("allocate --type ai --id a").code(0);
    let path = sandbox.state().join("PORT_MANAGEMENT.md");
    assert!(!path.exists(), "no range has changed");

    sandbox.run("allocate --type grafana --id a").code(0);
    let document = fs::read_to_string(&path).unwrap();
    let today = sandbox.sh("date -u +%F").stdout.trim_end().to_owned();
    let (first, last) = (sandbox.port(0), sandbox.port(1));
    assert_eq!(
        row(&table(&document), "grafana"),
        [
            "grafana",
            &format!("{first}-{last} (auto-allocated {today})"),
            "auto-allocation",
            "multi",
            ""
        ]
    );
    assert_eq!(row(&table(&document), "ai")[1..4], ["11400-11499", "built in", "single"]);

    let mine = document.replace("# Ports\n", "# Ours\r\n\nNot styxy's.\n") + "\tAnd\u{a0}more";
    fs::write(&path, &mine).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    sandbox.run("allocate --type jaeger --id a").code(0);
    let document = fs::read_to_string(&path).unwrap();
    assert!(row(&table(&document), "jaeger")[1].starts_with(&sandbox.port(3).to_string()));
    assert_eq!(document.replace(&table(&document), ""), mine.replace(&table(&mine), ""));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o604);
}

#[test]
fn the_document_may_be_elsewhere_and_every_one_of_many_writers_is_in_it() {
    let sandbox = Sandbox::with_config(|ports| {
        format!("{}[document]\npath = \"~/docs/CORE/PORTS.md\"\n", narrow(ports))
    });
    let runs: Vec<_> =
        (0..24).map(|n| sandbox.start(&format!("allocate --type new{n} --id a"))).collect();
    for run in &runs {
        run.wait().code(0);
    }

    let document = fs::read_to_string(sandbox.home().join("docs/CORE/PORTS.md")).unwrap();
    for number in 0..24 {
        row(&table(&document), &format!("new{number}"));
    }
    let beside = fs::read_dir(sandbox.home().join("docs/CORE")).unwrap().count();
    assert_eq!(beside, 1, "nothing is left beside it");
    assert!(!sandbox.state().join("PORT_MANAGEMENT.md").exists());
}

#[test]
fn a_document_that_cannot_be_written_costs_no_lease() {
    let sandbox = Sandbox::with_config(narrow);
    let path = sandbox.state().join("PORT_MANAGEMENT.md");
    fs::create_dir_all(path.join("in the way")).unwrap();

    let ended = sandbox.run("allocate --type grafana --id a");

    ended.code(0).said(&["table of ports is out of date", path.to_str().unwrap()]);
    assert_eq!(ended.port(), sandbox.port(0));
    assert_eq!(sandbox.run("allocate --type grafana --id b").port(), sandbox.port(1));
}

#[test]
fn a_projects_file_cannot_say_which_document_is_written() {
    let sandbox = Sandbox::with_config(narrow);
    fs::write(sandbox.home().join(".profile"), "mine\n").unwrap();
    let text = "[document]\npath = \"~/.profile\"\n\n[audit]\nkeep = 0\n";
    fs::write(sandbox.file("styxy.toml"), text).unwrap();

    let ended = sandbox.run("allocate --type grafana --id a");

    ended.code(0).said(&["styxy.toml:2: document.path", "styxy.toml:5: audit.keep"]);
    assert_eq!(fs::read_to_string(sandbox.home().join(".profile")).unwrap(), "mine\n");
    assert!(sandbox.state().join("PORT_MANAGEMENT.md").exists());
    let keep = sandbox.run("config get audit.keep").code(0).stdout.clone();
    assert_eq!(keep, "5\n");
}

#[test]
fn a_projects_types_are_not_in_the_machines_document() {
    let sandbox = Sandbox::with_config(narrow);
    let text =
        format!("[service_types.ours]\nrange = [{}, {}]\n", sandbox.port(240), sandbox.port(241));
    fs::write(sandbox.file("styxy.toml"), text).unwrap();
    sandbox.run("allocate --type grafana --id a").code(0);

    let document = fs::read_to_string(sandbox.state().join("PORT_MANAGEMENT.md")).unwrap();
    assert!(!document.contains("| ours"), "{document}");
}

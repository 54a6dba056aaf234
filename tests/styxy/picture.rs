//! `styxy types`: as a picture, and as Markdown.

use crate::port_table::{narrow, row, table};
use crate::pty::Terminal;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use std::fs;

#[test]
fn markdown_also_has_the_projects_types_and_each_cell_stays_one() {
    let sandbox = Sandbox::with_config(narrow);
    let text = format!(
        "[service_types.ours]\nrange = [{}, {}]\ndescription = \"a | b\"\n",
        sandbox.port(240),
        sandbox.port(241)
    );
    fs::write(sandbox.file("styxy.toml"), text).unwrap();

    let markdown = sandbox.run("types --markdown").code(0).stdout.clone();

    let line = markdown.lines().find(|line| line.starts_with("| ours")).unwrap();
    assert!(line.contains("a \\| b"), "{line}");
}

#[test]
fn markdown_is_the_documents_table_and_who_holds_what() {
    let sandbox = Sandbox::with_config(narrow);
    sandbox.run("allocate --type grafana --id a").code(0);
    let (running, ready) = sandbox.serve("run -t jaeger -i b -- child serve");

    let markdown = sandbox.run("types --markdown").code(0).stdout.clone();

    let document = fs::read_to_string(sandbox.state().join("PORT_MANAGEMENT.md")).unwrap();
    let holders = markdown.strip_prefix(&table(&document)).expect("the same table first");
    let (port, pid) = (ready.port.to_string(), ready.pid.to_string());
    assert_eq!(row(holders, &port), [&port, "jaeger/b@project", "ready", &pid]);
    let reserved = sandbox.port(0).to_string();
    assert_eq!(row(holders, &reserved), [&reserved, "grafana/a@project", "reserved", "-"]);
    running.end(Signal::SIGTERM).code(143);
}

/// What `styxy types` prints with these variables.
fn picture(sandbox: &Sandbox, variables: &[(&str, &str)]) -> String {
    let mut command = sandbox.styxy("types");
    command.envs(variables.iter().copied());
    sandbox.start_command("styxy types", command).wait().code(0).stdout.clone()
}

#[test]
fn types_are_a_picture_of_what_is_used_reserved_and_free() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate --type tiny --id a").code(0);
    let (running, _) = sandbox.serve("run -t tiny -i b -- child serve");
    sandbox.run("allocate --type lamp --id c").code(0);

    let line = |text: &str, name: &str| {
        let found = text.lines().find(|line| line.split_whitespace().next() == Some(name));
        found.unwrap_or_else(|| panic!("no {name}\n{text}")).to_owned()
    };
    let wide = picture(&sandbox, &[]);
    assert!(
        line(&wide, "tiny").contains(" ▒█  ") || line(&wide, "tiny").contains(" ▒█╌"),
        "{wide}"
    );
    assert!(line(&wide, "lamp").contains("▒░░░░░░░░░╌0╌"), "{wide}");
    assert!(line(&wide, "tiny").contains("2/2"), "{wide}");
    let ascii = picture(&sandbox, &[("LANG", "C"), ("COLUMNS", "70")]);
    assert!(line(&ascii, "lamp").contains("=.........~0~") && ascii.is_ascii(), "{ascii}");
    for (columns, text) in
        [("80", &wide), ("70", &ascii), ("200", &picture(&sandbox, &[("COLUMNS", "200")]))]
    {
        let width: usize = columns.parse().unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= width), "{columns}\n{text}");
        assert!(!text.contains('\u{1b}'), "{columns}\n{text}");
    }
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_terminal_gets_colours_and_its_width_unless_it_wants_none() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal.line("styxy types");
    let coloured = terminal.prompt();
    terminal.line("NO_COLOR=1 styxy types");
    let plain = terminal.prompt();

    assert!(coloured.contains("\u{1b}["), "{coloured}");
    // Colours of our own; the terminal's line discipline adds none.
    assert!(!plain.contains("\u{1b}[1m") && !plain.contains("\u{1b}[2m"), "{plain}");
    let widest = plain.lines().map(|line| line.trim_end().chars().count()).max();
    assert!(widest.is_some_and(|widest| widest > 80 && widest <= 97), "{plain}");
    terminal.close();
}

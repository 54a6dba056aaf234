//! Holds the house to its plan: who imports whom, what is pure, how files begin, how long they are
//! and how things are called.
//!
//! Clippy holds the rest (the length of functions, unwraps, clocks). Every check is a function of a
//! file's path and text; the tests at the end plant each fault once and see it found.

#[path = "tidy/reading.rs"]
mod reading;

use reading::{
    lines_with, modules_of_tests, paths, type_names, without_comments_and_strings, without_tests,
};
use std::fmt;
use std::path::{Path, PathBuf};

/// What a room, or one file of it, may import from the others; its own room it always may.
struct Row {
    room: &'static str,
    may: &'static [&'static str],
    /// The way out, for the sentence that names a fault.
    instead: &'static str,
}

const fn row(room: &'static str, may: &'static [&'static str], instead: &'static str) -> Row {
    Row { room, may, instead }
}

/// Who may import whom. Every row names only rows above it, so no cycle is possible.
const HOUSE: &[Row] = &[
    row("ports", &[], "a port knows nothing of styxy"),
    row("config", &["ports"], "hand the value in"),
    row("registry", &["ports", "config"], "hand the value in"),
    row("decision", &["ports", "config", "registry"], "ask the `World` that was handed in"),
    row("supervisor", &["config"], "let the machine ask for an action, and the driver perform it"),
    row("os", &["ports", "config", "registry"], "the kernel is asked, it asks nobody"),
    row("container", &["ports", "config"], "let `engine` ask, and hand the answer in"),
    row("container::engine", &["ports", "config", "os"], "let an operation hand it in"),
    row("store", &["ports", "config", "registry", "os", "container"], "hand the value in"),
    row(
        "supervisor::driver",
        &["ports", "config", "registry", "os", "container", "store::run_dir"],
        "let an operation hand it in",
    ),
    row(
        "supervisor::line",
        &["ports", "config", "registry", "os", "store::run_dir"],
        "let an operation hand it in",
    ),
    row(
        "operations",
        &["ports", "config", "registry", "decision", "supervisor", "os", "container", "store"],
        "let the face print or serve what the operation answers",
    ),
    row("cli", &["ports", "config", "registry", "operations"], "ask an operation instead"),
    row("http", &["ports", "config", "registry", "operations"], "ask an operation instead"),
    row(
        "fuzzed",
        &["ports", "config", "registry", "decision", "supervisor", "os", "store", "http"],
        "it only hands texts to who reads them",
    ),
    row("main", &["operations", "cli", "http"], "only the faces meet there"),
];

/// A file longer than this holds two things.
const LINES_MAX: usize = 500;
/// What a file is called whose noun is missing.
const DRAWERS: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc"];
/// What a type is called whose noun is missing.
const EMPTY_ENDINGS: &[&str] = &["Manager", "Handler", "Info", "Data"];
/// What a file with `Pure.` in its heading does not touch.
const IMPURE: &[&str] =
    &["std::fs", "std::net", "std::process", "std::env", "std::thread", "nix", "rustix"];

/// Names of `std::net` that are mere values.
const ADDRESSES: &[&str] =
    &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "SocketAddrV4", "SocketAddrV6"];

/// One place that is not as the plan says.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    file: String,
    line: usize,
    sentence: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.sentence)
    }
}

/// A Rust file: its path below the crate's root, and its text.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
    /// The text without comments, strings and the tests at its end; lines stay where they are.
    code: String,
}

impl<'a> Source<'a> {
    fn new(path: &'a str, text: &'a str) -> Self {
        let code = without_tests(&without_comments_and_strings(text)).to_owned();
        Self { path, text, code }
    }

    fn fault(&self, line: usize, sentence: String) -> Fault {
        Fault { file: self.path.to_owned(), line, sentence }
    }

    /// The file as a module: `src/os/claim.rs` is `os::claim`, `src/os/mod.rs` is `os`.
    fn module(&self) -> Option<Vec<&str>> {
        let path = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let mut parts: Vec<&str> = path.split('/').collect();
        if parts.last() == Some(&"mod") {
            parts.pop();
        }
        (parts != ["lib"]).then_some(parts)
    }

    /// All that is wrong with the file.
    fn faults(&self) -> Vec<Fault> {
        let mut faults = self.in_any_folder();
        if let Some(module) = self.module() {
            faults.extend(self.foreign_imports(&module));
            faults.extend(self.impurities());
            faults.extend(self.words_out_of_place(&module));
        }
        // `use crate::store::{self, Store}` is one fault.
        faults.dedup();
        faults
    }

    fn in_any_folder(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !self.text.starts_with("//! ") {
            faults.push(self.fault(1, "does not begin with `//!` and what it is for".into()));
        }
        let lines = self.text.lines().count();
        if lines > LINES_MAX {
            faults.push(self.fault(lines, format!("has {lines} lines, more than {LINES_MAX}")));
        }
        for name in self.path.trim_end_matches(".rs").split('/') {
            if DRAWERS.contains(&name) {
                faults.push(self.fault(1, format!("`{name}` is a drawer: find the noun")));
            }
        }
        for (line, name) in type_names(&self.code) {
            if let Some(ending) = EMPTY_ENDINGS.iter().find(|ending| name.ends_with(*ending)) {
                faults.push(self.fault(line, format!("`{name}`: what is a `{ending}`?")));
            }
        }
        faults
    }

    fn foreign_imports(&self, module: &[&str]) -> Vec<Fault> {
        let importer = module.join("::");
        let Some(row) = house_row(&importer) else {
            return vec![self.fault(1, format!("no row of the table names `{importer}`"))];
        };
        let mut faults = Vec::new();
        for (line, path) in paths(&self.code, module) {
            let (Some("crate" | "styxy"), Some(room)) =
                (path.first().map(String::as_str), path.get(1))
            else {
                continue;
            };
            // `crate::main` and the like are no rooms; the compiler knows them better.
            let known = HOUSE.iter().any(|row| row.room == room);
            let own = *room == module[0];
            let allowed = row.may.iter().any(|may| begins_with(&path[1..], may));
            if known && !own && !allowed {
                let (room_of, instead) = (row.room, row.instead);
                let sentence = format!("`{room_of}` may not import `{room}`: {instead}");
                faults.push(self.fault(line, sentence));
            }
        }
        faults
    }

    fn impurities(&self) -> Vec<Fault> {
        let heading = self.text.lines().take_while(|line| line.starts_with("//!"));
        if !heading.flat_map(str::split_whitespace).any(|word| word == "Pure.") {
            return Vec::new();
        }
        let mut faults: Vec<Fault> = paths(&self.code, &[])
            .into_iter()
            .filter_map(|(line, path)| {
                let impure = IMPURE.iter().find(|what| begins_with(&path, what))?;
                let is_value = path.get(2).is_some_and(|name| ADDRESSES.contains(&name.as_str()));
                if *impure == "std::net" && is_value {
                    return None;
                }
                Some(self.fault(line, format!("says it is pure, and mentions `{impure}`")))
            })
            .collect();
        for clock in ["Instant::now", "SystemTime::now"] {
            for line in lines_with(&self.code, clock) {
                faults.push(self.fault(line, format!("says it is pure, and mentions `{clock}`")));
            }
        }
        faults
    }

    fn words_out_of_place(&self, module: &[&str]) -> Vec<Fault> {
        const ONLY: &[(&[&str], &[&str], &str)] = &[
            (&["unsafe"], &["os"], "only `os` may be `unsafe`"),
            (&["println!", "eprintln!", "print!", "eprint!"], &["cli"], "only `cli` prints"),
            (&["process::exit"], &["cli", "main"], "only `main` and `cli` exit"),
        ];
        let mut faults = Vec::new();
        for (words, rooms, sentence) in ONLY {
            if rooms.contains(&module[0]) {
                continue;
            }
            for word in *words {
                for line in lines_with(&self.code, word) {
                    faults.push(self.fault(line, (*sentence).to_owned()));
                }
            }
        }
        faults
    }
}

/// The most particular row: a file's own, else its room's.
fn house_row(importer: &str) -> Option<&'static Row> {
    let room = importer.split("::").next()?;
    let row_of = |name: &str| HOUSE.iter().find(|row| row.room == name);
    // `supervisor::driver::sight` is a part of `supervisor::driver`.
    let part = importer.split("::").take(2).collect::<Vec<_>>().join("::");
    row_of(&part).or_else(|| row_of(room))
}

/// Does the path begin with these names?
fn begins_with(path: &[String], names: &str) -> bool {
    let mut path = path.iter();
    names.split("::").all(|name| path.next().is_some_and(|own| own == name))
}

/// Every Rust file below the folder.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a folder of the project can be read").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_house_is_as_its_plan_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        rust_files(&root.join(folder), &mut files);
    }
    assert!(files.len() > 50, "only {} files were found", files.len());
    let texts: Vec<(&str, String)> = files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(root).unwrap().to_str().unwrap();
            (path, std::fs::read_to_string(file).unwrap())
        })
        .collect();
    let tests: Vec<String> =
        texts.iter().flat_map(|(path, text)| modules_of_tests(path, text)).collect();
    let mut report = Vec::new();
    for (path, text) in &texts {
        let source = Source::new(path, text);
        // A test may look at a clock, or ask the room above.
        let only_tests = tests.iter().any(|test| test == path);
        let faults = if only_tests { source.in_any_folder() } else { source.faults() };
        report.extend(faults.iter().map(Fault::to_string));
    }
    report.sort();
    assert!(report.is_empty(), "{} faults:\n{}", report.len(), report.join("\n"));
}

#[test]
fn every_row_of_the_table_names_only_rows_above_it() {
    for (place, row) in HOUSE.iter().enumerate() {
        for may in row.may {
            let room = may.split("::").next().unwrap();
            let above = HOUSE[..place].iter().any(|above| above.room == room);
            assert!(above, "`{}` names `{room}`, which is not above it", row.room);
        }
    }
}

/// The faults of a file with a proper heading, as sentences with their lines.
fn found(path: &str, code: &str) -> Vec<String> {
    let text = format!("//! For a test. Pure.\n{code}");
    let faults = Source::new(path, &text).faults();
    faults.iter().map(|fault| format!("{}: {}", fault.line, fault.sentence)).collect()
}

#[test]
fn a_planted_import_is_found_with_its_line_and_the_way_out() {
    let sentence = "2: `cli` may not import `store`: ask an operation instead";
    for code in [
        "use crate::store::Store;",
        "use crate::store;",
        "use crate::{\n    operations::run,\n    store::{self, Store},\n};",
        "fn f() { crate::store::Store::open() }",
        "use super::super::store::Store;",
        "use crate::{registry::Lease as L, store as s};",
    ] {
        assert_eq!(found("src/cli/list.rs", code), [sentence], "{code}");
    }
    assert_eq!(found("src/main.rs", "use styxy::store::Store;").len(), 1);
    assert_eq!(found("src/supervisor/machine.rs", "use crate::os::clock;").len(), 1);
    assert_eq!(found("src/supervisor/driver.rs", "use crate::store::{run_dir, Store};").len(), 1);
    assert_eq!(found("src/attic/mod.rs", ""), ["1: no row of the table names `attic`"]);
}

#[test]
fn what_the_table_allows_is_no_fault() {
    for (path, code) in [
        ("src/cli/list.rs", "use crate::operations::list;\nuse super::output;"),
        ("src/supervisor/driver.rs", "use crate::{os::signals, store::run_dir::RunDir};"),
        (
            "src/decision/port.rs",
            "/// As [`crate::store`] says.\nconst A: &str = \"crate::store\";",
        ),
        ("src/decision/port.rs", "#[cfg(test)]\nmod tests {\n    use crate::os::clock;\n}"),
        ("src/decision/port.rs", "use std::net::{Ipv4Addr, SocketAddr};"),
        ("src/lib.rs", "pub mod store;"),
        ("src/main.rs", "fn main() { styxy::cli::main() }"),
    ] {
        assert_eq!(found(path, code), Vec::<String>::new(), "{path}: {code}");
    }
}

#[test]
fn a_file_of_tests_alone_is_known_by_its_declaration() {
    let text = "mod machine;\n#[cfg(test)]\nmod lives;\npub use machine::Machine;\n";
    let either = |folder: &str| [format!("{folder}/lives.rs"), format!("{folder}/lives/mod.rs")];
    assert_eq!(modules_of_tests("src/supervisor/mod.rs", text), either("src/supervisor"));
    assert_eq!(modules_of_tests("src/ports/port.rs", text), either("src/ports/port"));
    assert_eq!(modules_of_tests("src/ports/port.rs", "#[cfg(test)]\nmod tests {"), [""; 0]);
    // What comes after such a line is no test.
    let planted = "#[cfg(test)]\nmod lives;\nuse crate::store::Store;";
    assert_eq!(found("src/cli/mod.rs", planted).len(), 1);
}

#[test]
fn every_other_planted_fault_is_found() {
    let long = "// A line.\n".repeat(LINES_MAX);
    for (path, code) in [
        ("src/ports/port.rs", "use std::fs::File;"),
        ("src/ports/port.rs", "use std::{fmt, net::TcpListener};"),
        ("src/ports/port.rs", "fn f() { nix::unistd::getpid(); }"),
        ("src/ports/port.rs", "fn f(c: char) -> bool { c == '\"' && Instant::now() > LATER }"),
        ("src/ports/misc.rs", ""),
        ("src/ports/port.rs", "pub struct PortManager;"),
        ("src/ports/port.rs", "unsafe fn f() {}"),
        ("src/ports/port.rs", "fn f<'a>(x: &'a str) { println!(\"{x}\") }"),
        ("src/operations/stop.rs", "fn f() -> ! { std::process::exit(1) }"),
        ("src/ports/port.rs", &long),
    ] {
        assert!(!found(path, code).is_empty(), "{path}: {}", code.lines().next().unwrap_or(""));
    }
    let bare = Source::new("tests/styxy/run.rs", "use std::fs;\n").faults();
    assert_eq!(
        bare[0].to_string(),
        "tests/styxy/run.rs:1: does not begin with `//!` and what it is for"
    );
}

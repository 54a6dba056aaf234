//! Every text that comes from outside, handed to who reads it: one function for each fuzz target.
//!
//! Pure. Each one asserts what must hold of any text whatever; `fuzz/` seeks texts for which it does not,
//! and `tests/corpora.rs` tries again those that were found or thought of.

use crate::{
    config::read_checked,
    decision::{
        recognise::{recognise, tool_name},
        template::{self, Values},
    },
    os::process,
    ports::Port,
    registry::{Instance, InstanceName, NamedPort, Overlay, Reference, Scope},
    store,
    supervisor::message::{FromClient, Lines, ToClient, write},
};

/// Tries one text.
pub type Target = fn(&[u8]);

/// The targets with their names, as in `fuzz/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("commands", commands),
    ("configuration", configuration),
    #[cfg(feature = "serve")]
    ("headers", headers),
    ("messages", messages),
    ("process_stat", process_stat),
    ("references", references),
    ("state", state),
    ("templates", templates),
];

/// `state.json`, with and without its first line.
pub fn state(text: &[u8]) {
    store::read_and_write(text);
}

/// A configuration file.
pub fn configuration(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    match read_checked(text) {
        Ok(config) => {
            for service_type in config.service_types() {
                let known = config.service_type(&service_type.name);
                assert_eq!(known.as_ref(), Some(&service_type));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A line of `/proc/PID/stat`.
pub fn process_stat(line: &[u8]) {
    let Some(stat) = process::parse_stat(line) else { return };
    // What the name is does not matter: it is the process's own to choose.
    let open = line.iter().position(|byte| *byte == b'(').expect("a name is in parentheses");
    let close = line.iter().rposition(|byte| *byte == b')').expect("a name is in parentheses");
    let renamed = [&line[..=open], b") R 1 (", &line[close..]].concat();
    let again = process::parse_stat(&renamed).expect("only the name has changed");
    assert_eq!((again.identity(), again.parent), (stat.identity(), stat.parent));
}

/// A command, one word a line; the same text is every script that it may name.
pub fn commands(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let words: Vec<String> = text.lines().map(str::to_owned).collect();
    for script in [None, Some(text.to_owned())] {
        let scripts = |_: &str| script.clone();
        let name = tool_name(&words, &scripts);
        if let Some(recognised) = recognise(&words, &scripts) {
            assert_eq!(name, recognised.tool.name);
            // Words are added, and none is lost, though the text for a shell is spelled anew.
            assert!(recognised.inject(Port::known(4242)).len() >= words.len());
        }
    }
}

/// A text with templates.
pub fn templates(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let name = instance("web/main", None, 4242).name;
    let named = |name: &str, port| NamedPort { name: name.to_owned(), port: Port::known(port) };
    let ports = [named("http", 4242), named("grpc", 4343)];
    let values = Values { name: &name, ports: &ports, host: "127.0.0.1" };
    match template::fill(text, &values) {
        Ok(filled) => {
            let says_port = filled.contains("4242") || filled.contains("4343");
            assert!(says_port || !template::mentions_port(text));
            assert!(filled == text || text.contains('{'));
        }
        Err(error) => assert!(error.to_string().contains("grpc")),
    }
}

/// What a person writes to name an instance.
pub fn references(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    let Ok(reference) = Reference::parse(text) else { return };
    assert_eq!(reference.text(), text);
    let rows = [
        instance("web/main", None, 3000),
        instance("web/main", Some("/home/ada/shop"), 3001),
        instance("web/3000", None, 3002),
        instance("ai/rag", Some("/home/ada/shop"), 3003),
    ];
    let among: Vec<&Instance> = rows.iter().collect();
    let find = |caller: &Scope| {
        let shown = |root: &str| root.rsplit('/').next().unwrap_or_default().to_owned();
        reference.find(&among, caller, &shown).map(|found| found.name.clone())
    };
    for caller in [Scope::Machine, rows[1].name.scope.clone()] {
        match find(&caller) {
            Ok(name) => {
                let id = text.split('@').next().unwrap_or_default().rsplit('/').next();
                let row = rows.iter().find(|row| row.name == name).expect("one of these");
                let by_port = text.parse().is_ok_and(|port| row.has_port(port));
                assert!(by_port || id == Some(name.id.as_str()));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// What comes over a run socket, to a supervisor or from one.
pub fn messages(bytes: &[u8]) {
    let mut lines = Lines::default();
    lines.push(bytes);
    // Each round takes a line away, whatever is in it.
    for _ in bytes.iter().filter(|byte| **byte == b'\n') {
        if let Ok(Some(message)) = lines.next_message::<FromClient>() {
            let mut again = Lines::default();
            again.push(&write(&message));
            assert_eq!(again.next_message(), Ok(Some(message)));
        }
    }
    assert!(!matches!(lines.next_message::<FromClient>(), Ok(Some(_))));
    lines.push(b"\n");
    lines.push(bytes);
    while let Ok(Some(_)) = lines.next_message::<ToClient>() {}
}

/// The headers of a request, one a line.
#[cfg(feature = "serve")]
pub fn headers(text: &[u8]) {
    crate::http::judge_text(text);
}

/// An instance that has ended.
fn instance(name: &str, root: Option<&str>, port: u16) -> Instance {
    let (service_type, id) = name.split_once('/').expect("a name of this file");
    let name = InstanceName {
        service_type: service_type.parse().expect("a name of this file"),
        id: id.parse().expect("a name of this file"),
        scope: Scope::from(root.map(Into::into)),
    };
    let ports = [NamedPort { name: String::new(), port: Port::known(port) }].into();
    Instance { name, ports, last_seq: 0, overlay: Overlay::Unknown, lease: None }
}

//! The JSON that scripts read: every key of the contract, always there, and of its kind.

use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use serde_json::Value;

/// What a value has to be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Number,
    Fraction,
    Text,
    Truth,
    List,
    Map,
    /// Of the kind, or null.
    Maybe(&'static Self),
}
use Kind::{Fraction, List, Map, Maybe, Number, Text, Truth};

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Number => value.is_u64(),
            Fraction => value.is_f64(),
            Text => value.is_string(),
            Truth => value.is_boolean(),
            List => value.is_array(),
            Map => value.is_object(),
            Maybe(kind) => value.is_null() || kind.fits(value),
        }
    }
}

type Shape = &'static [(&'static str, Kind)];

const LEASE: Shape = &[
    ("port", Number),
    ("ports", Map),
    ("lockId", Text),
    ("type", Text),
    ("id", Text),
    ("project", Maybe(&Text)),
    ("url", Text),
    ("pid", Maybe(&Number)),
    ("existing", Truth),
    ("autoAllocated", Truth),
    ("newRange", Maybe(&List)),
    ("message", Maybe(&Text)),
];

const INSTANCE: Shape = &[
    ("type", Text),
    ("id", Text),
    ("project", Maybe(&Text)),
    ("user", Maybe(&Text)),
    ("uid", Maybe(&Number)),
    ("port", Number),
    ("ports", Map),
    ("url", Text),
    ("phase", Text),
    ("lockId", Text),
    ("pid", Maybe(&Number)),
    ("supervisorPid", Maybe(&Number)),
    ("restarts", Number),
    ("startedAt", Maybe(&Text)),
    ("readyAt", Maybe(&Text)),
    ("command", Maybe(&List)),
    ("cwd", Maybe(&Text)),
    ("log", Maybe(&Text)),
    ("cpuPercent", Maybe(&Fraction)),
    ("memoryBytes", Maybe(&Number)),
    ("container", Maybe(&Map)),
];

const TYPE: Shape = &[
    ("name", Text),
    ("ranges", List),
    ("origin", Text),
    ("instanceBehavior", Text),
    ("description", Maybe(&Text)),
    ("leased", Number),
    ("free", Number),
];

const PORT: Shape =
    &[("port", Number), ("free", Truth), ("lease", Maybe(&Map)), ("listener", Maybe(&Map))];

const LISTENER: Shape =
    &[("address", Text), ("pid", Maybe(&Number)), ("uid", Number), ("command", Maybe(&Text))];

/// Exactly these keys, each of its kind.
#[track_caller]
fn check(value: &Value, shape: Shape) {
    let map = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    for (key, kind) in shape {
        let found = map.get(*key).unwrap_or_else(|| panic!("no `{key}` in {value}"));
        assert!(kind.fits(found), "`{key}` is no {kind:?}: {value}");
    }
    let more: Vec<_> =
        map.keys().filter(|key| shape.iter().all(|(known, _)| known != key)).collect();
    assert!(more.is_empty(), "{more:?} are not in the contract: {value}");
}

#[test]
fn all_that_answer_with_a_lease_answer_alike() {
    let sandbox = Sandbox::new();
    let allocated = sandbox.json("allocate --type web --id one");
    check(&allocated, LEASE);
    assert_eq!(allocated["pid"], Value::Null);
    assert_eq!(allocated["existing"], false);

    let started = sandbox.run("run -d -t web -i two --json -- child serve").code(0).json();
    check(&started, LEASE);
    let reuse = "run -t web -i two --if-running reuse --json -- child serve";
    let located = ["use web/two --json", "port web/two --json", reuse, "wait web/two --json"];
    for words in located.into_iter().chain(["restart web/two --json", "stop web/two --json"]) {
        let answer = sandbox.run(words).code(0).json();
        check(&answer, LEASE);
        for key in ["port", "ports", "lockId", "type", "id", "project", "url"] {
            assert_eq!(answer[key], started[key], "{key} of {words}");
        }
    }
    let released = sandbox.json("release web/one");
    check(&released, LEASE);
    assert_eq!(released["port"], allocated["port"]);
}

#[test]
fn several_ports_are_a_map_by_name() {
    let sandbox = Sandbox::new();
    let lease = sandbox.json("allocate --type web --id one --ports http,grpc");

    check(&lease, LEASE);
    let (http, grpc) = (sandbox.port(0), sandbox.port(1));
    assert_eq!(lease["ports"], serde_json::json!({ "http": http, "grpc": grpc }));
    assert_eq!(lease["port"], http);
}

#[test]
fn list_tells_all_of_an_instance() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    sandbox.run("allocate --type web --id b").code(0);

    let served = sandbox.instance("web", "a").unwrap();
    check(&served, INSTANCE);
    assert_eq!(served["phase"], "ready");
    assert_eq!(served["pid"], ready.pid);
    assert_eq!(served["supervisorPid"], running.pid());
    assert_eq!(served["command"], serde_json::json!(["child", "serve"]));
    assert_eq!(served["cwd"], sandbox.project().to_str().unwrap());
    assert_eq!(served["container"], Value::Null);
    let own = nix::unistd::geteuid().as_raw();
    assert_eq!(served["uid"], own);
    assert_eq!(served["user"], user_name(own));
    for key in ["startedAt", "readyAt"] {
        let time = served[key].as_str().unwrap();
        assert!(time.ends_with('Z') && time.contains('T'), "{key}: {time}");
    }
    let reserved = sandbox.instance("web", "b").unwrap();
    check(&reserved, INSTANCE);
    assert_eq!(reserved["phase"], "reserved");
    for key in ["pid", "supervisorPid", "user", "uid"] {
        assert_eq!(reserved[key], Value::Null, "{key}");
    }
    // What it uses changes from look to look.
    let lasting = |words: &str| {
        let mut list = sandbox.json(words);
        for row in list["instances"].as_array_mut().unwrap() {
            (row["cpuPercent"], row["memoryBytes"]) = (Value::Null, Value::Null);
        }
        list
    };
    assert_eq!(lasting("ps"), lasting("list"));
    running.end(Signal::SIGTERM).code(143);
}

/// As id(1) calls that user; the number of one who has no name.
fn user_name(uid: u32) -> String {
    let id = std::process::Command::new("id").args(["-nu", &uid.to_string()]).output();
    let name = String::from_utf8(id.expect("coreutils").stdout).expect("a name");
    if name.is_empty() { uid.to_string() } else { name.trim().to_owned() }
}

#[test]
fn types_tell_their_ranges_and_what_is_left_of_them() {
    let sandbox = Sandbox::new();
    let lease = sandbox.json("allocate --type web --id a");
    let types = sandbox.json("types")["types"].take();
    for one in types.as_array().unwrap() {
        check(one, TYPE);
    }
    let named = |name: &str| {
        let types = types.as_array().unwrap();
        types.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no type {name}"))
    };

    let web = named("web");
    assert_eq!(web["ranges"], serde_json::json!([[sandbox.port(0), sandbox.port(199)]]));
    assert_eq!((&web["origin"], &web["instanceBehavior"]), (&"config".into(), &"multi".into()));
    assert_eq!((&web["leased"], &web["free"]), (&1.into(), &199.into()));
    assert_eq!(lease["port"], sandbox.port(0));
    for (name, first, last) in [
        ("dev", 3000, 3099),
        ("monitoring", 3100, 3199),
        ("ui", 4000, 4099),
        ("docs", 4100, 4199),
        ("hub", 4400, 4499),
        ("functions", 5000, 5099),
        ("database", 5430, 5499),
        ("storybook", 6006, 6029),
        ("infrastructure", 6370, 6399),
        ("api", 8000, 8099),
        ("proxy", 8100, 8199),
        ("build", 8200, 8299),
        ("messaging", 9050, 9098),
        ("auth", 9099, 9199),
        ("test", 9200, 9299),
        ("coordination", 9870, 9899),
        ("ai", 11400, 11499),
    ] {
        let built_in = named(name);
        assert_eq!(built_in["ranges"], serde_json::json!([[first, last]]), "{name}");
        assert_eq!(built_in["origin"], "profile", "{name}");
        let behavior = if name == "ai" { "single" } else { "multi" };
        assert_eq!(built_in["instanceBehavior"], behavior, "{name}");
    }
}

#[test]
fn check_tells_who_leases_a_port_and_who_listens() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");

    let taken = sandbox.json(&format!("check {}", ready.port));
    check(&taken, PORT);
    check(&taken["lease"], INSTANCE);
    check(&taken["listener"], LISTENER);
    assert_eq!((&taken["free"], &taken["listener"]["pid"]), (&false.into(), &ready.pid.into()));
    running.end(Signal::SIGTERM).code(143);

    let free = sandbox.json(&format!("check {}", sandbox.port(5)));
    check(&free, PORT);
    assert_eq!(
        (&free["free"], &free["lease"], &free["listener"]),
        (&true.into(), &().into(), &().into())
    );
    let _stranger = std::net::TcpListener::bind(("127.0.0.1", sandbox.free_port())).unwrap();
    let foreign = sandbox.json(&format!("check {}", sandbox.free_port()));
    check(&foreign, PORT);
    assert_eq!((&foreign["free"], &foreign["lease"]), (&false.into(), &().into()));
    assert_eq!(foreign["listener"]["pid"], std::process::id());
}

#[test]
fn scan_is_a_list_of_such_ports() {
    let sandbox = Sandbox::new();
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    let _stranger = std::net::TcpListener::bind(("127.0.0.1", sandbox.port(7))).unwrap();

    let scan = sandbox.json(&format!("scan {}-{}", sandbox.port(0), sandbox.port(9)));

    let ports = scan.as_array().unwrap_or_else(|| panic!("no list: {scan}"));
    ports.iter().for_each(|one| check(one, PORT));
    let taken: Vec<_> = ports.iter().filter(|one| one["free"] == false).collect();
    let numbers: Vec<_> = taken.iter().map(|one| one["port"].clone()).collect();
    assert_eq!(numbers, [Value::from(ready.port), Value::from(sandbox.port(7))]);
    running.end(Signal::SIGTERM).code(143);
}

#[test]
fn cleanup_tells_what_it_removed() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.json("cleanup"), serde_json::json!({ "removed": [] }));
}

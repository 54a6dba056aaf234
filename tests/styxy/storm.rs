//! A storm, and its history: what many processes did at once, line by line of the audit log, is a story that
//! one careful clerk could have written.
//!
//! The clerk is a model of a few maps: a line that takes what is taken, or ends what was not there, fails.

use crate::running::Running;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// So many processes at once …
const PROCESSES: usize = 40;
/// … so many times.
const ROUNDS: usize = 3;
/// Ports between the ranges of two types.
const GAP: u64 = 3;
/// Ports of a new range.
const CHUNK: u64 = 2;

/// What the clerk knows after a line.
#[derive(Debug, Default)]
struct Clerk {
    seq: u64,
    /// How often each kind of change was made.
    kinds: BTreeMap<String, usize>,
    /// The pids that were killed. The row of a dead run may stay until somebody collects it.
    killed: BTreeSet<u64>,
    /// Leases of such runs.
    dead: BTreeSet<String>,
    /// Each lease with its instance and its ports.
    leases: BTreeMap<String, (String, BTreeSet<u64>)>,
    /// Each automatic range with its type, by its first port.
    ranges: BTreeMap<u64, (u64, String)>,
}

impl Clerk {
    /// Takes a line into the books, or says why it cannot be true.
    fn write(&mut self, line: &Value) -> Result<(), String> {
        let seq = line["seq"].as_u64().ok_or("it has no number")?;
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        match text("action").as_str() {
            // These tell of no change, and carry the number that was there.
            "attach" | "blocked" | "exhausted" if seq <= self.seq => return Ok(()),
            _ if seq != self.seq + 1 => return Err(format!("it comes after {}", self.seq)),
            "allocate" => {
                if !line["before"].is_null() {
                    self.end(&line["before"])?;
                }
                self.begin(&format!("{}/{}", text("type"), text("id")), &line["after"])?;
                let is_killed = line["pid"].as_u64().is_some_and(|pid| self.killed.contains(&pid));
                if is_killed && text("command").contains(" run ") {
                    self.dead.extend(line["after"]["lockId"].as_str().map(str::to_owned));
                }
            }
            "release" | "reclaim" => self.end(&line["before"])?,
            kind @ ("range.create" | "range.grow") => {
                self.make(kind == "range.create", text("type"), &line["range"])?;
            }
            other => return Err(format!("nobody did anything like {other}")),
        }
        self.seq = seq;
        *self.kinds.entry(text("action")).or_default() += 1;
        Ok(())
    }

    fn begin(&mut self, name: &str, after: &Value) -> Result<(), String> {
        let ports: BTreeSet<u64> =
            after["ports"].as_object().into_iter().flatten().filter_map(|p| p.1.as_u64()).collect();
        let service_type = name.split('/').next().unwrap_or_default();
        for (lock_id, (other, held)) in &self.leases {
            if !held.is_disjoint(&ports) {
                return Err(format!("{name} gets {ports:?}, and {other} has {held:?}"));
            }
            // `solo` is single, whatever its id; of the others, each id is.
            let is_rival = service_type == "solo" && other.starts_with("solo/");
            if other == name || is_rival && !self.dead.contains(lock_id) {
                return Err(format!("{other} lives already"));
            }
        }
        let automatic = service_type.starts_with("kind-");
        let is_own = |port: &u64| {
            let below = self.ranges.range(..=port).next_back();
            below.is_some_and(|(_, (last, owner))| port <= last && owner == service_type)
        };
        if ports.is_empty() || automatic && !ports.iter().all(is_own) {
            return Err(format!("{ports:?} are not the type's"));
        }
        let lock_id = after["lockId"].as_str().ok_or("a lease without a name")?;
        match self.leases.insert(lock_id.to_owned(), (name.to_owned(), ports)) {
            Some(_) => Err(format!("{lock_id} is there already")),
            None => Ok(()),
        }
    }

    fn end(&mut self, before: &Value) -> Result<(), String> {
        let lock_id = before["lockId"].as_str().ok_or("a lease without a name")?;
        self.leases.remove(lock_id).map(|_| ()).ok_or(format!("{lock_id} is not there"))
    }

    fn make(&mut self, is_first: bool, owner: String, range: &Value) -> Result<(), String> {
        let (Some(first), Some(last)) = (range[0].as_u64(), range[1].as_u64()) else {
            return Err("a range without ends".to_owned());
        };
        if is_first == self.ranges.values().any(|(_, other)| *other == owner) {
            return Err(format!("whether {owner} has a range is told wrongly"));
        }
        if last + 1 - first != CHUNK {
            return Err(format!("{first}-{last} has not {CHUNK} ports"));
        }
        for (low, (high, other)) in &self.ranges {
            let gap = if *other == owner { 0 } else { GAP };
            if first <= high + gap && *low <= last + gap {
                return Err(format!("{first}-{last} is too close to {low}-{high} of {other}"));
            }
        }
        self.ranges.insert(first, (last, owner));
        Ok(())
    }
}

/// The books after all lines of the sandbox's log, in the order of their numbers.
#[track_caller]
fn replay(sandbox: &Sandbox, killed: &BTreeSet<u64>) -> Clerk {
    let printed = sandbox.run("audit --json").code(0).stdout.clone();
    let mut lines: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    lines.sort_by_key(|line| line["seq"].as_u64());
    let mut clerk = Clerk { killed: killed.clone(), ..Clerk::default() };
    for line in lines {
        if let Err(why) = clerk.write(&line) {
            panic!("this line contradicts those before it: {why}\n{line}\n{clerk:#?}");
        }
    }
    clerk
}

/// One process of a round: half of them are of types that nobody knows.
fn start(sandbox: &Sandbox, round: usize, number: usize) -> Rc<Running> {
    let (kind, id) = (number % 7, (number / 7 + round) % 4);
    let service_type = match number % 4 {
        0 => "web".to_owned(),
        2 => "solo".to_owned(),
        _ => format!("kind-{kind}"),
    };
    match number % 5 {
        0 => sandbox.start(&format!("allocate --type {service_type} --id i{id}")),
        1 => sandbox.start(&format!("release {service_type}/i{id}")),
        2 => sandbox.start(&format!(
            "run -t {service_type} -i i{id} --if-running wait --ready none -- sh -c 'exit 5'"
        )),
        _ => sandbox.start(&format!("run -t {service_type} -i i{id} --ready none -- sleep 300")),
    }
}

/// While nobody died on the way, each range is where the one before it ends, or the gap behind that.
#[track_caller]
fn stand_in_a_row(ranges: &BTreeMap<u64, (u64, String)>, mut end: u64) {
    let mut last_owner = None;
    for (first, (last, owner)) in ranges {
        let gap = if last_owner.is_none_or(|other| other == owner) { 0 } else { GAP };
        assert_eq!(*first, end + gap, "{ranges:#?}");
        (end, last_owner) = (last + 1, Some(owner));
    }
}

#[test]
fn the_history_of_a_storm_contradicts_itself_nowhere() {
    let sandbox = Sandbox::with_config(|ports| {
        format!(
            "[service_types.web]\nrange = {}\n\
             [service_types.solo]\nrange = {}\ninstance_behavior = \"single\"\n\
             [auto_allocation]\nmin_port = {}\nmax_port = {}\n\
             gap_size = {GAP}\ndefault_chunk_size = {CHUNK}\n",
            ports.range(0, 3),
            ports.range(10, 12),
            ports.port(20),
            ports.port(239)
        )
    });
    let doomed = sandbox.start("run -t web -i doomed --ready none -- sleep 300");
    sandbox.wait_until_ready("web", "doomed");
    let mut killed = BTreeSet::new();
    let kill = |running: &Running| {
        running.signal(Signal::SIGKILL);
        u64::try_from(running.pid()).expect("a pid is positive")
    };
    killed.insert(kill(&doomed));
    for round in 0..ROUNDS {
        let mut storm: Vec<Rc<Running>> = Vec::new();
        for number in 0..PROCESSES {
            storm.push(start(&sandbox, round, number));
            // In later rounds one that has begun a while ago dies now and then, wherever it is.
            if let Some(old) = number.checked_sub(6).filter(|old| old % 3 + 1 == round) {
                killed.insert(kill(&storm[old]));
            }
        }
        // Those that wait for nobody have their say before the others end.
        for (number, running) in storm.iter().enumerate() {
            if number % 5 < 2 {
                running.wait();
            }
        }
        for running in &storm {
            running.signal(Signal::SIGTERM);
        }
        for running in &storm {
            running.wait();
        }
        let clerk = replay(&sandbox, &killed);
        if round == 0 {
            stand_in_a_row(&clerk.ranges, u64::from(sandbox.port(20)));
        }
    }
    sandbox.run("cleanup").code(0);

    let clerk = replay(&sandbox, &killed);
    for kind in ["allocate", "release", "reclaim", "range.create"] {
        assert!(clerk.kinds.contains_key(kind), "a calm storm: {:?}", clerk.kinds);
    }
    // The books are the truth: what they hold is what is there.
    let name =
        |one: &Value| format!("{}/{}", one["type"].as_str().unwrap(), one["id"].as_str().unwrap());
    let there: BTreeSet<String> = sandbox.instances().iter().map(name).collect();
    assert_eq!(there, clerk.leases.values().map(|(name, _)| name.clone()).collect());
    sandbox.nothing_is_left();
}

#[test]
fn a_history_that_contradicts_itself_is_found() {
    let make = |seq: u64, name: &str, first: u64| {
        let range = [first, first + CHUNK - 1];
        json!({"seq": seq, "action": "range.create", "type": name, "range": range})
    };
    let begin = |seq: u64, name: &str, id: &str, port: u64| {
        let after = json!({"lockId": format!("{name}-{id}-{seq}"), "ports": {"": port}});
        json!({"seq": seq, "action": "allocate", "type": name, "id": id, "after": after})
    };
    let end = |seq: u64, lock_id: &str| json!({"seq": seq, "action": "release", "before": {"lockId": lock_id}});
    let first = || vec![make(1, "kind-a", 100), begin(2, "kind-a", "x", 100)];
    let is_true = |line: Option<Value>| {
        let mut clerk = Clerk::default();
        first().iter().chain(&line).all(|line| clerk.write(line).is_ok())
    };
    for line in
        [begin(3, "kind-a", "y", 101), end(3, "kind-a-x-2"), make(3, "kind-b", 100 + CHUNK + GAP)]
    {
        assert!(is_true(Some(line.clone())), "{line}");
    }
    for line in [
        begin(4, "kind-a", "y", 101),
        begin(2, "kind-a", "y", 101),
        begin(3, "kind-a", "y", 100),
        begin(3, "kind-a", "x", 101),
        begin(3, "kind-b", "x", 101),
        end(3, "kind-a-y-2"),
        make(3, "kind-b", 99 + CHUNK + GAP),
        make(3, "kind-a", 100 + CHUNK),
    ] {
        assert!(!is_true(Some(line.clone())), "{line}");
    }
}

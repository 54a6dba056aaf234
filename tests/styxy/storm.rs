//! A storm, and its history: what many processes did at once, line by line of the audit log, is a story that
//! one careful clerk could have written; and the children themselves saw no other with their port or name.
//!
//! The clerk is a model of a few maps: a line that takes what is taken, or ends what was not there, fails.
//! `STYXY_STORM_PROCESSES` and `STYXY_STORM_ROUNDS` say how large it is, `STYXY_STORM_SEED` how the dice fall.

use crate::dice::{self, Dice};
use crate::patience::until;
use crate::port_block::HighPorts;
use crate::sandbox::Sandbox;
use crate::witness;
use jiff::Timestamp;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

/// So many processes at once, if nobody says another number …
const PROCESSES: usize = 40;
/// … so many times.
const ROUNDS: usize = 3;
/// Ports between the ranges of two types.
const GAP: u64 = 3;
/// Ports of a new range.
const CHUNK: u64 = 2;
/// So many unknown types are there in a round, one of which was not there in the round before.
const KINDS: usize = 7;
/// So many ids they have; the types that are known have at least so many.
const IDS: usize = 4;

/// What may be said of a refusal, or of an end.
const KNOWN: [&str; 7] = [
    "no instance `",
    " is supervised by pid ",
    " allows a single instance: ",
    "waiting for ",
    " was killed",
    " has no free port",
    " is reserved",
];

/// The same, where a thousand wait for one lock on a few busy processors.
const CROWD: [&str; 3] = [
    "state.lock was not free for ",
    "the lease could not be given back",
    "stopping what a killed ",
];

/// A lease in the books.
#[derive(Debug)]
struct Held {
    name: String,
    ports: BTreeSet<u64>,
    /// Which process lives as long as it, if one does, and since when.
    supervisor: Option<u64>,
    since: Timestamp,
    /// By which command line: told when it is in the way.
    command: String,
}

/// What the clerk knows after a line.
#[derive(Debug, Default)]
struct Clerk {
    seq: u64,
    /// How often each kind of change was made.
    kinds: BTreeMap<String, usize>,
    /// When which process was killed. A pid may be given again.
    kills: Vec<(u64, [Timestamp; 2])>,
    /// Each lease.
    leases: BTreeMap<String, Held>,
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
                let since = text("time").parse().map_err(|error| format!("its time: {error}"))?;
                let command = text("command");
                let supervisor = line["pid"].as_u64().filter(|_| command.contains(" run "));
                let name = format!("{}/{}", text("type"), text("id"));
                let after = &line["after"];
                self.begin(Held { name, ports: ports(after), supervisor, since, command }, after)?;
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

    /// Whether the process behind a lease was killed after it got it, and before that moment. Its row stays
    /// until somebody looks for that name or passes by; nobody else may end it.
    fn is_dead(&self, held: &Held, moment: Timestamp) -> bool {
        let is_its = |(pid, [begin, end]): &(u64, [Timestamp; 2])| {
            held.supervisor == Some(*pid) && held.since <= *end && *begin <= moment
        };
        self.kills.iter().any(is_its)
    }

    fn begin(&mut self, new: Held, after: &Value) -> Result<(), String> {
        let Held { name, ports, .. } = &new;
        let service_type = name.split('/').next().unwrap_or_default();
        for held in self.leases.values() {
            let other = &held.name;
            if !held.ports.is_disjoint(ports) {
                return Err(format!("{name} gets {ports:?}, and there is {held:?}"));
            }
            // A name has one row at most, dead or alive. Of `solo` one instance may live, whatever its id:
            // the row of a dead one with another id is in nobody's way.
            let is_rival = service_type == "solo" && other.starts_with("solo/");
            if other == name || is_rival && !self.is_dead(held, new.since) {
                return Err(format!("{} lives by {}: {held:?}", held.name, held.command));
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
        match self.leases.insert(lock_id.to_owned(), new) {
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

    /// Each range is where the one before it ends, or the gap behind that: whoever dies, none is lost.
    #[track_caller]
    fn ranges_stand_in_a_row(&self, mut end: u64) {
        let mut last_owner = None;
        for (first, (last, owner)) in &self.ranges {
            let gap = if last_owner.is_none_or(|other| other == owner) { 0 } else { GAP };
            assert_eq!(*first, end + gap, "{:#?}", self.ranges);
            (end, last_owner) = (last + 1, Some(owner));
        }
    }
}

/// All ports of a lease.
fn ports(after: &Value) -> BTreeSet<u64> {
    let named = after["ports"].as_object().into_iter().flatten();
    named.filter_map(|(_, port)| port.as_u64()).collect()
}

/// One process of a storm.
struct Blown {
    child: Child,
    /// Its words, without what is different in each round.
    deed: &'static str,
    /// It ends by itself.
    ends: bool,
    killed: bool,
}

/// The sandbox, the books, and how it went.
struct Storm {
    sandbox: Sandbox,
    dice: Dice,
    seed: u64,
    processes: usize,
    /// Where automatic ranges begin.
    first: u64,
    clerk: Clerk,
    /// What they all said.
    said: File,
    /// How often each kind of process ended with which code.
    ends: BTreeMap<(&'static str, i32), usize>,
}

impl Storm {
    fn new(processes: usize, rounds: usize, high: Option<&HighPorts>) -> Self {
        let sandbox = Sandbox::with_config(|ports| {
            let ids = u16::try_from(ids(processes)).expect("a port for each of them");
            let settings = format!("gap_size = {GAP}\ndefault_chunk_size = {CHUNK}\n");
            let (first, last) = (ports.port(20), ports.port(239));
            let automatic = high.map_or_else(
                || format!("[auto_allocation]\nmin_port = {first}\nmax_port = {last}\n{settings}"),
                |high| high.config(&settings),
            );
            format!(
                "[service_types.web]\nrange = {}\n[service_types.solo]\nrange = {}\n\
                 instance_behavior = \"single\"\n{automatic}",
                ports.range(0, ids.min(16) - 1),
                ports.range(240, 242),
            )
        });
        let own = u64::from(sandbox.port(20));
        let first = if high.is_some() { u64::from(HighPorts::FIRST) } else { own };
        assert!(high.is_some() || rounds <= ROUNDS, "there are too few ports for that");
        witness::call(&sandbox);
        let said = OpenOptions::new().append(true).create(true).open(sandbox.root().join("said"));
        let dice = Dice::new("STYXY_STORM_SEED");
        Self {
            seed: dice.seed(),
            said: said.expect("the sandbox can be written"),
            clerk: Clerk::default(),
            ends: BTreeMap::new(),
            sandbox,
            dice,
            processes,
            first,
        }
    }

    /// Starts one of a round: half of them are of types that nobody knows.
    fn start(&mut self, round: usize) -> Blown {
        let ids = ids(self.processes);
        let (service_type, ids) = match self.dice.below(4) {
            0 => ("web".to_owned(), ids.min(16)),
            1 => ("solo".to_owned(), 3),
            _ => (format!("kind-{}", round + self.dice.below(KINDS)), IDS),
        };
        let id = self.dice.below(ids);
        let run = format!("run -t {service_type} -i i{id} --ready none");
        let (words, deed, ends) = match self.dice.below(5) {
            0 => (format!("allocate --type {service_type} --id i{id} --ttl 1d"), "allocate", true),
            1 => (format!("release {service_type}/i{id}"), "release", true),
            2 => (format!("{run} --if-running wait -- ./witness sh -c 'exit 5'"), "wait", true),
            _ => (format!("{run} -- ./witness sleep 1000"), "run", false),
        };
        let mut command: Command = self.sandbox.styxy(&words);
        let said = || self.said.try_clone().expect("a file");
        witness::listen(&self.sandbox, &mut command).stdout(said()).stderr(said());
        Blown { child: command.spawn().expect("styxy is built"), deed, ends, killed: false }
    }

    /// What was said, each line once.
    fn told(&self) -> String {
        let said = fs::read(self.sandbox.root().join("said")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        said.lines().collect::<BTreeSet<&str>>().into_iter().collect::<Vec<&str>>().join("\n")
    }

    /// Kills one of them, which may have ended before: its pid is its own until it is waited for.
    fn kill(&mut self, blown: &mut Blown) {
        let pid = blown.child.id();
        let begin = Timestamp::now();
        crate::processes::signal(i32::try_from(pid).expect("a pid is small"), Signal::SIGKILL);
        self.clerk.kills.push((pid.into(), [begin, Timestamp::now()]));
        blown.killed = true;
    }

    fn wait(&mut self, blown: &mut Blown) {
        let Blown { child, deed, killed, .. } = blown;
        let event = format!("the end of a {deed} (pid {})", child.id());
        let over = || child.try_wait().expect("our own child");
        let status = until(&event, over, || self.told());
        let code = status.code().or(status.signal().map(|number| 1000 + number));
        let code = code.expect("an end has a code or a signal");
        if !*killed {
            *self.ends.entry((*deed, code)).or_default() += 1;
        }
    }

    /// A killed run that nobody asks for again: its row is collected by who passes by.
    fn one_dies_in_peace(&mut self) {
        let doomed = self.sandbox.start("run -t web -i doomed --ready none -- sleep 1000");
        self.sandbox.wait_until_ready("web", "doomed");
        let pid = u64::try_from(doomed.pid()).expect("a pid is positive");
        let begin = Timestamp::now();
        doomed.end(Signal::SIGKILL);
        self.clerk.kills.push((pid, [begin, Timestamp::now()]));
    }

    /// Many processes at once, some killed on the way, and what the log says of them.
    fn round(&mut self, round: usize) {
        let (began, is_deadly) = (Timestamp::now(), round > 0);
        let mut storm: Vec<Blown> = Vec::new();
        for _ in 0..self.processes {
            storm.push(self.start(round));
            // One that has begun a while ago dies now and then, wherever it is.
            if is_deadly && self.dice.below(6) == 0 {
                let place = self.dice.below(storm.len());
                self.kill(&mut storm[place]);
            }
        }
        // Those that wait for nobody have their say before the others end.
        storm
            .iter_mut()
            .filter(|one| one.ends && one.deed != "wait")
            .for_each(|one| self.wait(one));
        for one in &storm {
            // What has been waited for has no pid any more.
            if !one.ends || one.deed == "wait" {
                let pid = i32::try_from(one.child.id()).expect("a pid is small");
                crate::processes::signal(pid, Signal::SIGTERM);
            }
        }
        storm
            .iter_mut()
            .filter(|one| !one.ends || one.deed == "wait")
            .for_each(|one| self.wait(one));
        self.replay(began);
        self.clerk.ranges_stand_in_a_row(self.first);
        witness::has_seen_nothing(&self.sandbox, self.seed);
    }

    /// Takes the lines since a moment into the books, in the order of their numbers.
    #[track_caller]
    fn replay(&mut self, since: Timestamp) {
        let printed =
            self.sandbox.run(&format!("audit --json --since {since}")).code(0).stdout.clone();
        let mut lines: Vec<Value> =
            printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        // `--since` is to the second, as what is shown.
        let time = |line: &Value| line["time"].as_str().and_then(|time| time.parse().ok());
        lines.retain(|line| time(line).is_none_or(|time: Timestamp| time >= since));
        lines.sort_by_key(|line| line["seq"].as_u64());
        for line in lines {
            if let Err(why) = self.clerk.write(&line) {
                let (seed, unexpected) = (self.seed, self.unexpected());
                panic!(
                    "this line contradicts those before it: {why} (seed {seed})\n{line}\n\
                     {unexpected:#?}"
                );
            }
        }
    }

    /// Each ended as the manual says, by itself or after TERM, and nobody said anything that was not to be
    /// expected. Who does not yet listen for TERM dies of it (1015).
    #[track_caller]
    fn ends_are_documented(&self) {
        for ((deed, code), count) in &self.ends {
            let codes: &[i32] = match *deed {
                // Who stands for a minute in the queue of a thousand is refused, and told so.
                "allocate" | "release" if *code == 125 => self.crowd(),
                "allocate" => &[0, 69, 75],
                "release" => &[0, 2, 75],
                // Who is attached to one that is killed ends with 125.
                _ => &[5, 69, 75, 125, 143, 1015],
            };
            let is_known = codes.contains(code);
            assert!(
                is_known,
                "{count} × {deed} ended with {code}: {:?}\n{}",
                self.ends,
                self.told()
            );
        }
        let unexpected = self.unexpected();
        assert!(unexpected.is_empty(), "{unexpected:#?}");
    }

    /// What a storm that is too large for the machine may end with; one of the usual size may not.
    fn crowd(&self) -> &'static [i32] {
        if self.processes > PROCESSES { &[125] } else { &[] }
    }

    /// What was said, and is not of a kind that is known.
    fn unexpected(&self) -> Vec<String> {
        let told = self.told();
        let said = told.lines().filter(|line| line.starts_with("styxy: "));
        let crowd: &[&str] = if self.crowd().is_empty() { &[] } else { &CROWD };
        let known = KNOWN.iter().chain(crowd);
        let is_known = |said: &&str| known.clone().any(|known| said.contains(known));
        said.filter(|said| !is_known(said)).map(str::to_owned).collect()
    }
}

/// So many ids a known type has.
fn ids(processes: usize) -> usize {
    (processes / 16).max(IDS)
}

#[test]
fn the_history_of_a_storm_contradicts_itself_nowhere() {
    let processes = dice::number("STYXY_STORM_PROCESSES", PROCESSES);
    let rounds = dice::number("STYXY_STORM_ROUNDS", ROUNDS);
    let high = (rounds > ROUNDS).then(HighPorts::claim);
    let mut storm = Storm::new(processes, rounds, high.as_ref());
    let began = Timestamp::now();
    storm.one_dies_in_peace();
    storm.replay(began);
    for round in 0..rounds {
        storm.round(round);
    }
    let ended = Timestamp::now();
    storm.sandbox.run("cleanup").code(0);
    storm.replay(ended);

    let clerk = &storm.clerk;
    let took = ended.duration_since(began).as_secs();
    dice::report(&format!(
        "{processes} processes, {rounds} rounds, {} kills, {} changes, {} ranges, {took} s (seed {}): \
         {:?}",
        clerk.kills.len(),
        clerk.seq,
        clerk.ranges.len(),
        storm.seed,
        storm.ends
    ));
    for kind in ["allocate", "release", "reclaim", "range.create"] {
        assert!(clerk.kinds.contains_key(kind), "a calm storm: {:?}", clerk.kinds);
    }
    storm.ends_are_documented();
    // The books are the truth: what they hold is what is there.
    let name =
        |one: &Value| format!("{}/{}", one["type"].as_str().unwrap(), one["id"].as_str().unwrap());
    let there: BTreeSet<String> = storm.sandbox.instances().iter().map(name).collect();
    assert_eq!(there, clerk.leases.values().map(|held| held.name.clone()).collect());
    storm.sandbox.nothing_is_left();
}

#[test]
fn a_history_that_contradicts_itself_is_found() {
    let moment = |second: u64| format!("2026-11-22T10:00:{second:02}Z");
    let make = |seq: u64, name: &str, first: u64| {
        let range = [first, first + CHUNK - 1];
        json!({"seq": seq, "action": "range.create", "type": name, "range": range})
    };
    let begin = |seq: u64, name: &str, id: &str, port: u64| {
        let after = json!({"lockId": format!("{name}-{id}-{seq}"), "ports": {"": port}});
        json!({
            "seq": seq, "action": "allocate", "type": name, "id": id, "after": after,
            "pid": seq, "command": "styxy run x", "time": moment(seq)
        })
    };
    let end = |seq: u64, lock_id: &str| json!({"seq": seq, "action": "release", "before": {"lockId": lock_id}});
    let first =
        || vec![make(1, "kind-a", 100), begin(2, "kind-a", "x", 100), begin(3, "solo", "x", 9)];
    let is_true = |line: Value, kills: &[(u64, u64)]| {
        let when =
            |&(pid, second): &(u64, u64)| (pid, [moment(second).parse().expect("a moment"); 2]);
        let mut clerk = Clerk { kills: kills.iter().map(when).collect(), ..Clerk::default() };
        first().iter().chain([&line]).all(|line| clerk.write(line).is_ok())
    };
    for line in
        [begin(4, "kind-a", "y", 101), end(4, "kind-a-x-2"), make(4, "kind-b", 100 + CHUNK + GAP)]
    {
        assert!(is_true(line.clone(), &[]), "{line}");
    }
    for line in [
        begin(5, "kind-a", "y", 101),
        begin(3, "kind-a", "y", 101),
        begin(4, "kind-a", "y", 100),
        begin(4, "kind-a", "x", 101),
        begin(4, "kind-b", "x", 101),
        begin(4, "solo", "y", 10),
        end(4, "kind-a-y-2"),
        make(4, "kind-b", 99 + CHUNK + GAP),
        make(4, "kind-a", 100 + CHUNK),
    ] {
        assert!(!is_true(line.clone(), &[]), "{line}");
    }
    // The row of a killed run of the single type is in the way of its own name alone; neither is one whose
    // pid had been killed before it was given to it, or is killed afterwards.
    let (other, same) = (begin(4, "solo", "y", 10), begin(4, "solo", "x", 10));
    assert!(is_true(other.clone(), &[(3, 3)]));
    assert!(!is_true(same, &[(3, 3)]));
    for kill in [(3, 2), (3, 5), (2, 3)] {
        assert!(!is_true(other.clone(), &[kill]), "{kill:?}");
    }
}

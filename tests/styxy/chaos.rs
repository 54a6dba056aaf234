//! Chaos: whoever is there is killed, halted or asked to go, at random, while clocks jump, disks are full, engines
//! fail and the directory goes away; nothing is given twice, nothing is left.
//!
//! A play ends when it has killed so often as `STYXY_CHAOS_KILLS` says (some dozens if it does not), and not before so
//! many minutes are over as `STYXY_CHAOS_MINUTES` says; `STYXY_CHAOS_SEED` repeats its deeds.

use crate::clock::{Clock, YEARS};
use crate::dice::{self, Dice};
use crate::disk::SmallDisk;
use crate::failing_engine::{FailingEngine, is_command_line};
use crate::patience::{Stopwatch, until};
use crate::processes::{self, Process, is_alive};
use crate::running::Running;
use crate::sandbox::Sandbox;
use crate::witness;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

/// So many kills, if nobody says another number.
const KILLS: usize = 60;
/// So many commands run at once at most.
const RUNNING_MAX: usize = 24;
/// Where few come to start, as on a busy machine, it goes on: so many deeds for each kill at most.
const DEEDS_MAX: usize = 20;
/// After so many deeds a disk that was full has room again, and who stood still goes on.
const PATIENCE: usize = 6;
/// Who is started again and again. `solo` is single, and the last three have no range of their own.
const NAMES: [&str; 10] = [
    "-t web -i w0",
    "-t web -i w1",
    "-t web -i w2",
    "-t web -i w3",
    "-t solo -i rag",
    "-t solo -i rag",
    "-t lamp -i l0",
    "-t kind-a -i k",
    "-t kind-b -i k",
    "-t kind-c -i k",
];
/// What they run: servers, one of them deaf, and what does not listen at all.
const COMMANDS: [&str; 5] = [
    "-- ./witness child serve",
    "-- ./witness child deaf serve",
    "--ready none -- ./witness sleep 1000",
    "--ready none -- ./witness sleep 1000",
    "--ready none -- ./witness sh -c 'trap : TERM; while :; do sleep 1000; done'",
];
const KINDS: [&str; 6] =
    ["", "", "-d", "--if-running wait", "--if-running replace", "--restart always"];

/// The sandbox, who runs in it, and what happens next.
struct Chaos {
    /// What the state is on, if it can be full. It goes before the sandbox does.
    disk: Option<SmallDisk>,
    sandbox: Sandbox,
    /// Where some of the servers run, in containers.
    engine: Option<FailingEngine>,
    state: PathBuf,
    clock: Clock,
    dice: Dice,
    seed: u64,
    running: Vec<Rc<Running>>,
    /// By how many seconds the clocks of those who start now are wrong.
    shift: i64,
    /// Which state directory this is.
    age: usize,
    /// For so many deeds more the disk stays full, and this one stands still.
    full: usize,
    halted: Option<(usize, i32)>,
    kills: usize,
    deeds: usize,
}

impl Chaos {
    /// With an engine and a disk that fail, or without.
    fn new(is_whole: bool) -> Self {
        // Before the disk, which only this thread and what it starts from then on will see.
        let engine = is_whole.then(FailingEngine::start);
        let sandbox = Sandbox::with_config(|ports| {
            let single = "instance_behavior = \"single\"";
            format!(
                "[service_types.web]\nrange = {}\n[service_types.solo]\nrange = {}\n{single}\n\
                 [service_types.lamp]\nrange = {}\n{single}\nsingle_scope = \"id\"\n\
                 [auto_allocation]\nmin_port = {}\nmax_port = {}\n[audit]\nsize = \"100KiB\"\nkeep = 2\n\
                 [serve]\nlisten = \"127.0.0.1:{}\"\n",
                ports.range(0, 9),
                ports.range(20, 24),
                ports.range(30, 34),
                ports.port(50),
                ports.port(199),
                ports.port(250),
            )
        });
        witness::call(&sandbox);
        let place = sandbox.root().join("disk");
        // The directory itself can be taken away there; what it is mounted on could not.
        let state = place.join("state");
        sandbox.set("STYXY_STATE_DIR", state.to_str().expect("a plain path"));
        let disk = is_whole.then(|| SmallDisk::mount(place));
        if let Some(engine) = &engine {
            engine.serve(&sandbox);
        }
        let dice = Dice::new("STYXY_CHAOS_SEED");
        Self {
            disk,
            engine,
            state,
            clock: Clock::build(&sandbox),
            seed: dice.seed(),
            sandbox,
            dice,
            running: Vec::new(),
            shift: 0,
            age: 0,
            full: 0,
            halted: None,
            kills: 0,
            deeds: 0,
        }
    }

    fn start(&mut self, words: &str) {
        let mut command = self.sandbox.styxy(words);
        witness::listen(&self.sandbox, &mut command).env("AGE", self.age.to_string());
        if self.shift != 0 {
            self.clock.shift(self.shift, &mut command);
        }
        let running = self.sandbox.start_command(&format!("styxy {words}"), command);
        self.running.push(running);
    }

    fn start_server(&mut self) {
        self.launch();
        // Some are disturbed at once, most when they have come so far that they say something.
        if self.dice.below(4) > 0 {
            self.hear();
        }
    }

    /// Until the last one has said how it stands, or has ended.
    fn hear(&self) {
        let running = self.running.last().expect("it was started just now");
        let says = || {
            let says = !running.is_running() || !running.stderr().is_empty();
            says.then_some(())
        };
        let story = || format!("{}\n{}", running.story(), self.story());
        // Who stands still may be the one that it waits for.
        if self.halted.is_none() && self.engine.as_ref().is_none_or(FailingEngine::answers) {
            until("a run that says how it stands", says, story);
        }
    }

    fn launch(&mut self) {
        let name = self.dice.one_of(&NAMES).expect("there are some");
        let kind = self.dice.one_of(&KINDS).expect("there are some");
        let command = match &self.engine {
            Some(engine) if self.dice.below(3) == 0 => engine.command(&mut self.dice, self.age),
            _ => (*self.dice.one_of(&COMMANDS).expect("there are some")).to_owned(),
        };
        self.start(&format!("run {name} {kind} --stop-timeout 200ms {command}"));
    }

    /// What there is, and what is known of it, for the message of a failing test.
    fn story(&self) -> String {
        let processes = processes::of(self.sandbox.root());
        let engine = self.engine.as_ref().map_or(String::new(), FailingEngine::story);
        let list = self.sandbox.run("list --json").stdout;
        let log = self.sandbox.run("audit --json").stdout;
        let log: Vec<&str> = log.lines().rev().take(100).collect();
        let alive = self.running.iter().filter(|running| running.is_running());
        let alive: Vec<String> = alive.map(|running| running.story()).collect();
        let (seed, alive) = (self.seed, alive.join("\n"));
        format!(
            "seed {seed}\n{alive}\n{processes:#?}\n{engine}\n{list}\nthe youngest first: {log:#?}"
        )
    }

    /// All processes of the sandbox of that kind.
    fn pids(&self, is_meant: impl Fn(&Process) -> bool) -> Vec<i32> {
        let found = processes::of(self.sandbox.root());
        found.iter().filter(|one| is_meant(one)).map(|one| one.pid).collect()
    }

    fn kill_one(&mut self, is_meant: impl Fn(&Process) -> bool) {
        let pids = self.pids(is_meant);
        if let Some(pid) = self.dice.one_of(&pids) {
            processes::signal(*pid, Signal::SIGKILL);
            self.kills += 1;
        }
    }

    /// Everybody at once, as where memory ran out.
    fn kill_all(&mut self) {
        let pids = self.pids(|one| is_supervisor(one) || one.has("sleep") || is_command_line(one));
        pids.iter().for_each(|pid| processes::signal(*pid, Signal::SIGKILL));
        self.kills += pids.len();
    }

    /// A supervisor, its server, or who serves the page, stands still while others come by.
    fn halt_one(&mut self) {
        let pids = match self.dice.below(4) {
            0 => self.pids(|one| is_server(one) || is_command_line(one)),
            _ => self.pids(is_supervisor),
        };
        if let Some(pid) = self.dice.one_of(&pids).copied() {
            processes::signal(pid, Signal::SIGSTOP);
            self.halted = Some((PATIENCE, pid));
        }
    }

    fn fill(&mut self) {
        let Some(disk) = &self.disk else { return };
        self.full = PATIENCE;
        match self.dice.below(2) {
            0 => disk.fill(),
            _ => disk.fill_with_files(),
        }
    }

    /// Ends what lasts for some deeds.
    fn pass(&mut self) {
        self.full = self.full.saturating_sub(1);
        if let Some(disk) = self.disk.as_ref().filter(|_| self.full == 0) {
            disk.free();
        }
        if let Some(engine) = &mut self.engine {
            engine.pass();
        }
        if let Some((left, pid)) = self.halted.take() {
            match left.checked_sub(1) {
                Some(left) => self.halted = Some((left, pid)),
                None => processes::signal(pid, Signal::SIGCONT),
            }
        }
    }

    /// The state directory is taken away from those who use it, or all that is in it. They go on, their ports stay
    /// theirs, and with a word each ends with its whole tree and its container; who comes meanwhile begins anew.
    /// Only of the dead nobody knows any more: so there are none at that moment.
    fn rob(&mut self) {
        self.end_all();
        for _ in 0..4 {
            self.launch();
            // Who comes later finds another directory than the one that it was started for.
            self.hear();
        }
        let _ = fs::remove_dir_all(&self.state);
        if self.dice.below(2) == 0 {
            let _ = fs::create_dir(&self.state);
        }
        let robbed = self.age;
        self.age += 1;
        for _ in 0..4 {
            self.start_server();
        }
        self.end_age(robbed);
    }

    /// Ends those who were robbed. Of their containers only they know, and each takes its own along.
    fn end_age(&mut self, age: usize) {
        let robbed = format!("AGE={age}");
        // Once: a second word is stronger than the first. Some go into the background only now.
        let mut told = BTreeSet::new();
        let mut is_over = || {
            let left = self.pids(|one| is_supervisor(one) && one.carries(&robbed));
            let new = left.iter().filter(|pid| told.insert(**pid));
            new.for_each(|pid| processes::signal(*pid, Signal::SIGTERM));
            left.is_empty().then_some(())
        };
        until("the end of who was robbed", &mut is_over, || self.story());
        if let Some(engine) = &self.engine {
            engine.has_none_of(age, self.seed);
        }
    }

    fn deed(&mut self) {
        self.deeds += 1;
        self.pass();
        self.running.retain(|running| running.is_running());
        if self.engine.is_some() && self.dice.below(10) == 0 {
            self.deed_of_engine();
        } else {
            self.deed_of_styxy();
        }
        witness::has_seen_nothing(&self.sandbox, self.seed);
        if let Some(engine) = &mut self.engine {
            engine.has_seen_nothing(&self.sandbox, self.seed);
        }
    }

    /// The engine fails, or what belongs to it is killed.
    fn deed_of_engine(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        match self.dice.below(10) {
            0 => self.kills += engine.fail(&mut self.dice),
            1..=3 => self.kills += engine.kill_container(&mut self.dice),
            _ => self.kill_one(is_command_line),
        }
    }

    fn deed_of_styxy(&mut self) {
        let number = self.dice.below(9);
        match self.dice.below(25) {
            _ if self.running.len() >= RUNNING_MAX => self.kill_one(|one| one.is_styxy("run")),
            0..=6 => self.start_server(),
            7..=9 => self.kill_one(|one| one.is_styxy("run")),
            10..=11 => self.kill_one(is_server),
            12 if self.halted.is_none() => self.halt_one(),
            12 | 13 => self.start("cleanup"),
            14 => {
                let name = self.dice.one_of(&["web/w0", "solo/rag", "lamp/l0", "kind-a/k"]);
                self.start(&format!("stop {}", name.expect("there are some")));
            }
            15 => self.start(&format!("allocate -t kind-{number} -i reserved")),
            16 => self.start(&format!("release kind-{number}/reserved")),
            17 => {
                self.start(&format!("allocate -t kind-{number} -i killed"));
                self.kill_one(|one| one.is_styxy("allocate"));
            }
            18 => {
                // Whoever holds a lease gets its row back.
                let _ = fs::remove_file(self.state.join("state.json"));
            }
            19 => self.start("config consolidate"),
            20 => self.start(["serve", "serve", "serve -d"][number % 3]),
            21 => self.kill_one(|one| one.is_styxy("serve")),
            22 => self.shift = [0, YEARS, -YEARS, 3600][number % 4],
            23 if number < 4 => self.kill_all(),
            // It takes long where containers are to be ended.
            _ if number < if self.engine.is_some() { 2 } else { 3 } => self.rob(),
            _ => self.fill(),
        }
    }

    /// Those who queue for a name get it when the one before goes; so it is said until nobody is left.
    fn end_all(&mut self) {
        (self.full, self.shift) = (0, 0);
        if let Some((_, pid)) = self.halted.take() {
            processes::signal(pid, Signal::SIGCONT);
        }
        self.pass();
        if let Some(engine) = &mut self.engine {
            engine.mend();
        }
        let mut is_over = || {
            self.sandbox.run("stop --all");
            self.running.iter().for_each(|running| running.signal(Signal::SIGTERM));
            // What was left starting in the background, by one that was killed itself, has no row yet: it
            // is stopped when it has one.
            let is_reserved = |one: &serde_json::Value| one["phase"] == "reserved";
            let is_over = !self.running.iter().any(|running| running.is_running())
                && self.sandbox.instances().iter().all(is_reserved)
                && !self.pids(is_supervisor).into_iter().any(is_alive);
            is_over.then_some(())
        };
        until("the end of all", &mut is_over, || self.story());
        self.sandbox.run("cleanup").code(0);
    }

    /// How many processes have started, and how many containers.
    fn starts(&self) -> [usize; 2] {
        [witness::starts(&self.sandbox), self.engine.as_ref().map_or(0, FailingEngine::containers)]
    }

    fn nothing_is_left(&self) {
        let (sandbox, seed) = (&self.sandbox, self.seed);
        let left = processes::of(sandbox.root());
        assert!(left.iter().all(|one| !is_alive(one.pid)), "{left:#?} (seed {seed})");
        let supervised = sandbox.instances();
        assert!(supervised.iter().all(|one| one["phase"] == "reserved"), "{supervised:#?}");
        let run = fs::read_dir(self.state.join("run")).expect("it was used");
        let files: Vec<_> = run.map(|entry| entry.expect("it can be read").file_name()).collect();
        assert!(files.is_empty(), "{files:?} (seed {seed})");
        if let Some(engine) = &self.engine {
            engine.nothing_is_left(sandbox, seed);
        }
    }
}

fn is_server(one: &Process) -> bool {
    one.has("child") || one.has("sleep")
}

fn is_supervisor(one: &Process) -> bool {
    one.is_styxy("run") || one.is_styxy("serve")
}

fn play(is_whole: bool) {
    let kills = dice::number("STYXY_CHAOS_KILLS", KILLS);
    let minutes = dice::number("STYXY_CHAOS_MINUTES", 0);
    let watch = Stopwatch::start();
    let mut chaos = Chaos::new(is_whole);
    let is_enough = |chaos: &Chaos| {
        let [processes, containers] = chaos.starts();
        processes + containers > kills / 4 && (!is_whole || containers > 0)
    };

    while chaos.kills < kills
        || watch.minutes() < minutes
        || (!is_enough(&chaos) && chaos.deeds < kills * DEEDS_MAX)
    {
        chaos.deed();
    }
    chaos.end_all();

    witness::has_seen_nothing(&chaos.sandbox, chaos.seed);
    chaos.nothing_is_left();
    let [starts, containers] = chaos.starts();
    let failures = chaos.engine.as_ref().map_or(0, FailingEngine::failures);
    assert!(
        is_enough(&chaos),
        "{starts} processes and {containers} containers (seed {})",
        chaos.seed
    );
    dice::report(&format!(
        "{} deeds, {} kills, {starts} processes and {containers} containers started, \
         {failures} failures of the engine, {} state directories, {} minutes (seed {})",
        chaos.deeds,
        chaos.kills,
        chaos.age + 1,
        watch.minutes(),
        chaos.seed
    ));
}

#[test]
fn whatever_is_killed_nothing_is_given_twice_and_nothing_is_left() {
    play(false);
}

#[test]
fn among_containers_whose_engine_fails_and_on_a_disk_that_fills_up_nothing_is_given_twice_nor_left()
{
    play(true);
}

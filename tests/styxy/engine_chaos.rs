//! Chaos among containers: supervisors, the engine's command lines and the engine itself are killed at random; no
//! name has two containers that run, and in the end none is left.
//!
//! `STYXY_CHAOS_CONTAINERS` says how many kills (a few if it does not), `STYXY_CHAOS_SEED` repeats a run.

use crate::containers::SERVER;
use crate::dice::{self, Dice};
use crate::engine::{Engine, IMAGE};
use crate::patience::{until, until_true};
use crate::processes::{self, Process, is_alive};
use crate::running::Running;
use crate::sandbox::Sandbox;
use nix::sys::signal::Signal;
use std::rc::Rc;

/// So many kills, if nobody says another number.
const KILLS: usize = 12;
/// So many commands run at once at most.
const RUNNING_MAX: usize = 6;
/// After so many deeds an engine that was ended is started again.
const PATIENCE: usize = 3;
const IDS: [&str; 3] = ["a", "b", "c"];
const KINDS: [&str; 5] =
    ["", "-d", "--if-running replace", "--if-running wait", "--restart always"];

struct Chaos {
    engine: Engine,
    sandbox: Sandbox,
    dice: Dice,
    seed: u64,
    running: Vec<Rc<Running>>,
    /// For so many deeds more there is no engine; none: it runs.
    down: Option<usize>,
    kills: usize,
    deeds: usize,
    starts: usize,
}

fn is_supervisor(one: &Process) -> bool {
    one.is_styxy("run")
}

fn is_command_line(one: &Process) -> bool {
    one.has("docker") && !is_supervisor(one)
}

impl Chaos {
    fn new() -> Self {
        let engine = Engine::start().unwrap_or_else(|why| panic!("NO CONTAINER ENGINE: {why}"));
        let dice = Dice::new("STYXY_CHAOS_SEED");
        Self {
            sandbox: engine.sandbox(),
            engine,
            seed: dice.seed(),
            dice,
            running: Vec::new(),
            down: None,
            kills: 0,
            deeds: 0,
            starts: 0,
        }
    }

    fn start(&mut self, words: &str) {
        self.running.push(self.sandbox.start(words));
    }

    fn start_server(&mut self) {
        let id = self.dice.one_of(&IDS).expect("there are some");
        let kind = self.dice.one_of(&KINDS).expect("there are some");
        let docker = ["", "-d"][self.dice.below(2)];
        self.starts += 1;
        self.start(&format!(
            "run -t web -i {id} {kind} --container-port 80 --stop-timeout 300ms -- \
             docker run {docker} --rm --init {IMAGE} {SERVER}"
        ));
        // Some are disturbed at once, most when they have come so far that they say something.
        if self.dice.below(4) > 0 {
            let running = self.running.last().expect("it was started just now");
            let says = || (!running.is_running() || !running.stderr().is_empty()).then_some(());
            until("a run that says how it stands", says, || running.story());
        }
    }

    fn kill(&mut self, is_meant: impl Fn(&Process) -> bool, all: bool) {
        let found = processes::of(self.sandbox.root());
        let pids: Vec<i32> = found.iter().filter(|one| is_meant(one)).map(|one| one.pid).collect();
        let chosen = if all {
            &pids[..]
        } else {
            self.dice.one_of(&pids).map_or(&[][..], std::slice::from_ref)
        };
        chosen.iter().for_each(|pid| processes::signal(*pid, Signal::SIGKILL));
        self.kills += chosen.len();
    }

    fn end_engine(&mut self) {
        if self.down.is_some() {
            return;
        }
        self.down = Some(PATIENCE);
        match self.dice.below(2) {
            0 => self.engine.down(),
            _ => self.engine.kill(),
        }
        self.kills += 1;
    }

    fn start_engine(&mut self) {
        if self.down.take().is_some() {
            self.engine.up();
        }
    }

    fn deed(&mut self) {
        self.deeds += 1;
        match self.down {
            Some(0) => self.start_engine(),
            Some(left) => self.down = Some(left - 1),
            None => {}
        }
        self.running.retain(|running| running.is_running());
        match self.dice.below(12) {
            _ if self.running.len() >= RUNNING_MAX => self.kill(is_supervisor, false),
            0..=4 => self.start_server(),
            5..=6 => self.kill(is_supervisor, false),
            7 => self.kill(is_command_line, false),
            8 => self.kill(|one| is_supervisor(one) || is_command_line(one), true),
            9 => {
                let id = self.dice.one_of(&IDS).expect("there are some");
                self.start(&format!("stop web/{id}"));
            }
            10 => self.start("cleanup"),
            _ => self.end_engine(),
        }
        if self.down.is_none() {
            self.no_name_runs_twice();
        }
    }

    fn no_name_runs_twice(&self) {
        let format = "{{.Label \"styxy.lock-id\"}} {{.Status}}";
        let told = self.engine.docker(&["ps", "--format", format]);
        for id in IDS {
            let containers = told.lines().filter(|line| line.starts_with(&format!("web-{id}-")));
            assert!(
                containers.count() <= 1,
                "{told}\nseed {}\n{}",
                self.seed,
                self.sandbox.story()
            );
        }
    }

    fn end_all(&mut self) {
        self.start_engine();
        until_true(&format!("the end of all (seed {})", self.seed), || {
            self.sandbox.run("stop --all");
            self.running.iter().for_each(|running| running.signal(Signal::SIGTERM));
            self.running.retain(|running| running.is_running());
            let left = processes::of(self.sandbox.root());
            let supervised = left.iter().any(|one| is_supervisor(one) && is_alive(one.pid));
            self.running.is_empty() && !supervised && self.sandbox.instances().is_empty()
        });
        self.sandbox.run("cleanup").code(0);
    }
}

#[test]
fn whoever_is_killed_no_name_has_two_containers_and_none_is_left() {
    let mut chaos = Chaos::new();
    while chaos.kills < dice::number("STYXY_CHAOS_CONTAINERS", KILLS) {
        chaos.deed();
    }
    chaos.end_all();

    chaos.no_name_runs_twice();
    let format = "{{.Label \"styxy.lock-id\"}} {{.Status}} {{.CreatedAt}}";
    let left = chaos.engine.docker(&["ps", "--all", "--format", format]);
    assert_eq!(left, "", "seed {}\n{}", chaos.seed, chaos.sandbox.story());
    chaos.sandbox.nothing_is_left();
    dice::report(&format!(
        "{} deeds, {} kills, {} starts (seed {})",
        chaos.deeds, chaos.kills, chaos.starts, chaos.seed
    ));
}

//! Chaos: whoever is there is killed, stopped or asked to go, at random; nothing is given twice, nothing is left.
//!
//! `STYXY_CHAOS_DEEDS` says how many deeds (a few hundred if it does not), `STYXY_CHAOS_SEED` repeats a run.

use crate::dice::{self, Dice};
use crate::patience::{until, until_true};
use crate::processes::{self, is_alive};
use crate::running::Running;
use crate::sandbox::Sandbox;
use crate::witness;
use nix::sys::signal::Signal;
use std::fs;
use std::rc::Rc;

/// So many deeds, if nobody says another number: a minute on a machine with two busy cores.
const DEEDS: usize = 300;
/// So many commands run at once at most.
const RUNNING_MAX: usize = 24;
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
/// The sandbox, who runs in it, and what happens next.
struct Chaos {
    sandbox: Sandbox,
    dice: Dice,
    running: Vec<Rc<Running>>,
    kills: usize,
}

impl Chaos {
    fn new(dice: Dice) -> Self {
        let sandbox = Sandbox::with_config(|ports| {
            let single = "instance_behavior = \"single\"";
            format!(
                "[service_types.web]\nrange = {}\n[service_types.solo]\nrange = {}\n{single}\n\
                 [service_types.lamp]\nrange = {}\n{single}\nsingle_scope = \"id\"\n\
                 [auto_allocation]\nmin_port = {}\nmax_port = {}\n",
                ports.range(0, 9),
                ports.range(20, 24),
                ports.range(30, 34),
                ports.port(50),
                ports.port(199),
            )
        });
        witness::call(&sandbox);
        Self { sandbox, dice, running: Vec::new(), kills: 0 }
    }

    fn start(&mut self, words: &str) {
        let mut command = self.sandbox.styxy(words);
        witness::listen(&self.sandbox, &mut command);
        let running = self.sandbox.start_command(&format!("styxy {words}"), command);
        self.running.push(running);
    }

    fn start_server(&mut self) {
        self.launch();
        // Some are disturbed at once, most when they have come so far that they say something.
        if self.dice.below(4) > 0 {
            let running = self.running.last().expect("it was started just now");
            let says = || {
                let says = !running.is_running() || !running.stderr().is_empty();
                says.then_some(())
            };
            let story =
                || format!("{}\n{:#?}", running.story(), processes::of(self.sandbox.root()));
            until("a run that says how it stands", says, story);
        }
    }

    fn launch(&mut self) {
        let name = self.dice.one_of(&NAMES).expect("there are some");
        let kind = ["", "", "-d", "--if-running wait", "--if-running replace", "--restart always"];
        let kind = self.dice.one_of(&kind).expect("there are some");
        let deaf = if self.dice.below(5) == 0 { "deaf" } else { "" };
        self.start(&format!(
            "run {name} {kind} --stop-timeout 200ms -- ./witness child record=seen {deaf} serve"
        ));
    }

    /// All processes of the sandbox whose command line has that word.
    fn pids(&self, word: &str) -> Vec<i32> {
        let found = processes::of(self.sandbox.root());
        found.iter().filter(|one| one.has(word)).map(|one| one.pid).collect()
    }

    fn kill_one(&mut self, word: &str) {
        let pids = self.pids(word);
        if let Some(pid) = self.dice.one_of(&pids) {
            processes::signal(*pid, Signal::SIGKILL);
            self.kills += 1;
        }
    }

    /// A supervisor stands still while others come by.
    fn halt_one(&mut self) {
        let pids = self.pids("run");
        if let Some(pid) = self.dice.one_of(&pids).copied() {
            processes::signal(pid, Signal::SIGSTOP);
            self.launch();
            self.start("list --quiet");
            self.kill_one("child");
            processes::signal(pid, Signal::SIGCONT);
        }
    }

    fn deed(&mut self) {
        self.running.retain(|running| running.is_running());
        let number = self.dice.below(9);
        match self.dice.below(20) {
            _ if self.running.len() >= RUNNING_MAX => self.kill_one("run"),
            0..=6 => self.start_server(),
            7..=9 => self.kill_one("run"),
            10..=11 => self.kill_one("child"),
            12 => self.halt_one(),
            13 => self.start("cleanup"),
            14 => {
                let name = self.dice.one_of(&["web/w0", "solo/rag", "lamp/l0", "kind-a/k"]);
                self.start(&format!("stop {}", name.expect("there are some")));
            }
            15 => self.start(&format!("allocate -t kind-{number} -i reserved")),
            16 => self.start(&format!("release kind-{number}/reserved")),
            17 => {
                self.start(&format!("allocate -t kind-{number} -i killed"));
                self.kill_one("killed");
            }
            18 => {
                // Whoever holds a lease gets its row back.
                let _ = fs::remove_file(self.sandbox.state().join("state.json"));
            }
            _ => self.start("config consolidate"),
        }
    }
}

#[test]
fn whatever_is_killed_nothing_is_given_twice_and_nothing_is_left() {
    let dice = Dice::new("STYXY_CHAOS_SEED");
    let seed = dice.seed();
    let deeds = dice::number("STYXY_CHAOS_DEEDS", DEEDS);
    let mut chaos = Chaos::new(dice);

    for _ in 0..deeds {
        chaos.deed();
        witness::has_seen_nothing(&chaos.sandbox, seed);
    }

    // Those who queue for a name get it when the one before goes; so it is said until nobody is left.
    until_true(&format!("the end of all (seed {seed})"), || {
        chaos.sandbox.run("stop --all");
        chaos.running.iter().for_each(|running| running.signal(Signal::SIGTERM));
        chaos.running.retain(|running| running.is_running());
        chaos.running.is_empty()
    });
    chaos.sandbox.run("cleanup").code(0);
    witness::has_seen_nothing(&chaos.sandbox, seed);
    let seen = fs::read_to_string(chaos.sandbox.file("seen")).unwrap_or_default();
    assert!(seen.lines().filter(|line| line.starts_with("start")).count() > deeds / 10);
    assert!(chaos.kills > deeds / 10, "{} kills (seed {seed})", chaos.kills);
    let left = processes::of(chaos.sandbox.root());
    assert!(left.iter().all(|one| !is_alive(one.pid)), "{left:#?} (seed {seed})");
    let supervised = chaos.sandbox.instances();
    assert!(supervised.iter().all(|one| one["phase"] == "reserved"), "{supervised:#?}");
    let run = fs::read_dir(chaos.sandbox.state().join("run")).expect("it was used");
    let files: Vec<_> = run.map(|entry| entry.expect("it can be read").file_name()).collect();
    assert!(files.is_empty(), "{files:?} (seed {seed})");
}

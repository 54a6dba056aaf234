//! A container engine in the midst of chaos: it is ended, killed and halted, its command lines and containers are
//! killed, and of what runs in it nothing may run twice, or be left. Who runs when is the play's business.

use crate::containers::SERVER;
use crate::dice::{self, Dice};
use crate::engine::{Container, Engine, IMAGE};
use crate::patience::LIMIT;
use crate::processes::Process;
use crate::sandbox::Sandbox;
use crate::witness;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

/// After so many deeds an engine that was ended is started again, and one that was halted goes on.
const PATIENCE: usize = 4;
/// The label that says in which state directory's age a container was started.
const AGE: &str = "chaos.age";

/// The engine, and what has been seen in it.
pub(crate) struct FailingEngine {
    engine: Engine,
    /// For so many deeds more it does not answer; none: it does.
    silent: Option<usize>,
    failures: usize,
    /// The ids of all containers that were seen running.
    seen: BTreeSet<String>,
}

impl FailingEngine {
    pub(crate) fn start() -> Self {
        let engine = Engine::start().unwrap_or_else(|why| panic!("NO CONTAINER ENGINE: {why}"));
        Self { engine, silent: None, failures: 0, seen: BTreeSet::new() }
    }

    /// Lets all commands of the sandbox reach it.
    pub(crate) fn serve(&self, sandbox: &Sandbox) {
        sandbox.set("DOCKER_HOST", &self.engine.host);
    }

    /// What follows the flags of a run: one of the ways to start a server in a container.
    pub(crate) fn command(&self, dice: &mut Dice, age: usize) -> String {
        let docker = ["", "-d"][dice.below(2)];
        format!(
            "--container-port 80 -- docker run {docker} --rm --init --label {AGE}={age} {IMAGE} {SERVER}"
        )
    }

    /// Whether it was neither ended nor halted.
    pub(crate) fn answers(&self) -> bool {
        self.silent.is_none()
    }

    /// Another deed is done: who was silent long enough is not any more.
    pub(crate) fn pass(&mut self) {
        match self.silent {
            Some(0) => self.mend(),
            Some(left) => self.silent = Some(left - 1),
            None => {}
        }
    }

    /// Lets it be silent for some deeds; tells how many were killed by that.
    pub(crate) fn fail(&mut self, dice: &mut Dice) -> usize {
        if self.silent.is_some() {
            return 0;
        }
        self.silent = Some(PATIENCE);
        self.failures += 1;
        let way = dice.below(3);
        match way {
            0 => self.engine.down(),
            1 => self.engine.kill(),
            _ => self.engine.halt(),
        }
        usize::from(way < 2)
    }

    /// From now on it answers.
    pub(crate) fn mend(&mut self) {
        if self.silent.take().is_some() {
            self.engine.up();
        }
    }

    /// Kills one of its containers behind everybody's back; tells how many.
    pub(crate) fn kill_container(&mut self, dice: &mut Dice) -> usize {
        if !self.answers() {
            return 0;
        }
        let running = self.engine.containers();
        let running: Vec<_> = running.iter().filter(|one| one.is_running).collect();
        let Some(chosen) = dice.one_of(&running) else { return 0 };
        // It may have ended since.
        usize::from(self.engine.try_docker(&["kill", &chosen.id]).is_ok())
    }

    /// Fails if of one name two run: two containers, or one and a process that the witness knows; or if the port
    /// of one is also such a process's.
    #[track_caller]
    pub(crate) fn has_seen_nothing(&mut self, sandbox: &Sandbox, seed: u64) {
        if !self.answers() {
            return;
        }
        // What is there before and afterwards was there while the witness was asked.
        let before = self.engine.containers();
        let claims = witness::claims(sandbox);
        let after: BTreeSet<_> = self.engine.containers().into_iter().map(key).collect();
        let mut names = BTreeSet::new();
        for one in before.iter().filter(|one| one.is_running) {
            let name = format!("name-{}{}", name(one), age(one));
            self.seen.insert(one.id.clone());
            let story = || format!("{one:?}\nseed {seed}\n{before:#?}");
            assert!(names.insert(name.clone()), "{name} has two containers: {}", story());
            if !after.contains(&key(one.clone())) {
                continue;
            }
            assert!(!claims.contains(&name), "{name} is a process and a container: {}", story());
            for port in &one.ports {
                let port = format!("port-{port}");
                assert!(!claims.contains(&port), "{port} is given twice: {}", story());
            }
        }
    }

    /// Fails if there is a container that was started in that age.
    #[track_caller]
    pub(crate) fn has_none_of(&self, age: usize, seed: u64) {
        let mut left = self.left();
        left.retain(|one| one.label(AGE) == age.to_string());
        assert!(left.is_empty(), "of age {age}, seed {seed}: {left:#?}");
    }

    /// Fails if there is a container, whatever its state.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self, sandbox: &Sandbox, seed: u64) {
        let left = self.left();
        assert!(left.is_empty(), "{left:#?} (seed {seed})\n{}", sandbox.story());
    }

    /// All its containers, without those that it has just removed and lists still.
    fn left(&self) -> Vec<Container> {
        let mut left = self.engine.containers();
        left.retain(|one| {
            let is_known = self.engine.knows(one);
            if !is_known {
                dice::report(&format!("removed, and listed still: {one:?}"));
            }
            is_known
        });
        left
    }

    /// How many containers were seen running.
    pub(crate) fn containers(&self) -> usize {
        self.seen.len()
    }

    /// How often the engine was ended, killed or halted.
    pub(crate) fn failures(&self) -> usize {
        self.failures
    }

    /// For the message of a failing test: its containers, and what is behind the ports that lead to them.
    pub(crate) fn story(&self) -> String {
        if !self.answers() {
            return "the engine is silent".to_owned();
        }
        let containers = self.engine.containers();
        let behind: Vec<String> = containers
            .iter()
            .flat_map(|one| &one.ports)
            .map(|port| {
                let answer = u16::try_from(*port).map_err(std::io::Error::other).and_then(greet);
                format!("port {port}: {answer:?}")
            })
            .collect();
        format!("{containers:#?}\n{}", behind.join("\n"))
    }
}

/// The beginning of what an HTTP server on the port answers.
fn greet(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// A process that speaks to the engine, of styxy's or of its user.
pub(crate) fn is_command_line(one: &Process) -> bool {
    one.has("docker") && !one.is_styxy("run")
}

fn key(one: Container) -> (String, bool) {
    (one.id, one.is_running)
}

fn age(one: &Container) -> &str {
    one.label(AGE)
}

/// The name that the witness has for it: the lockId without what makes it unique. Of `solo` there is one.
fn name(one: &Container) -> &str {
    let lock_id = one.label("styxy.lock-id");
    let (name, _) = lock_id.rsplit_once('-').unwrap_or_else(|| panic!("{one:?} has no lockId"));
    if name.starts_with("solo-") { "solo" } else { name }
}

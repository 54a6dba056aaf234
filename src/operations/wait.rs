//! `wait`: until an instance is ready, or until it has stopped.
//!
//! Nothing polls. A running instance is listened to over its socket, what styxy did not start is waited for
//! by its pidfd, and one that is not there yet announces itself by a change of the state file.

use super::{
    error::Error,
    host::{Host, Tell},
    stop::wait_for_exit,
    view::{Answer, View, named_ports, url},
    vigil::Vigil,
};
use crate::{
    decision::world::{Life, World},
    os::process::Handle,
    registry::{Holder, Instance, LockId, ReferenceError, Registry},
    supervisor::{
        Outcome, Phase,
        line::{Heard, Line},
        message::{FromClient, ToClient},
    },
};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::{io, os::fd::AsFd, time::Duration};

/// How a registry changes: by files that get its name.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_MOVE.union(AddWatchFlags::IN_CREATE);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// That it is ready. One that is not there yet is waited for too.
    Ready,
    /// That it has ended, and nothing of it is left.
    Stopped,
}

impl Goal {
    /// As it is typed, and said.
    pub const WORDS: [&'static str; 2] = ["ready", "stopped"];

    /// The one of that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Ready, Self::Stopped].into_iter().find(|goal| goal.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ready => Self::WORDS[0],
            Self::Stopped => Self::WORDS[1],
        }
    }
}

/// What there is to do now.
enum Step {
    /// The goal is reached.
    Over(Answer),
    /// It runs, and can be listened to.
    Listen { view: Box<View>, lock_id: LockId, line: Line },
    /// Something has to change first.
    Later { why: String, process: Option<Handle> },
}

impl Host {
    /// Waits until the instance that a user means has come so far. `patience` is the vigil's.
    pub fn wait(
        &self,
        reference: &str,
        goal: Goal,
        patience: Option<Duration>,
        vigil: &Vigil<'_>,
        tell: &Tell<'_>,
    ) -> Result<Answer, Error> {
        let failed = |source: io::Error| Error::System { deed: "wait for the instance", source };
        let changes = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .and_then(|changes| {
                changes.add_watch(self.store.path(), CHANGES)?;
                Ok(changes)
            })
            .map_err(|errno| failed(errno.into()))?;
        let late = |why: &str| {
            let patience = patience.unwrap_or_default();
            Error::waited(reference.to_owned(), goal.word(), patience, why.to_owned())
        };
        let mut said = String::new();
        loop {
            // Before the look, so that what comes after it is a notice again. That there is none is fine.
            let _ = changes.read_events();
            match self.step(reference, goal, tell)? {
                Step::Over(answer) => return Ok(answer),
                Step::Listen { view, lock_id, line } => {
                    let mut visit = Visit { host: self, view, lock_id, goal, phase: None };
                    vigil.waits_for(&format!("{} to be {}", visit.view.full_name(), goal.word()));
                    match visit.listen(line, vigil)? {
                        Visited::Over(answer) => return Ok(*answer),
                        Visited::Again => {}
                        Visited::Late => return Err(late(&visit.why())),
                    }
                }
                Step::Later { why, process } => {
                    if said != why && !vigil.waits_for(&why) {
                        tell(&format!("{why}: waiting"));
                    }
                    said.clone_from(&why);
                    let mut sources: Vec<((), &dyn AsFd)> = vec![((), &changes)];
                    sources.extend(process.as_ref().map(|process| ((), process as &dyn AsFd)));
                    if vigil.first_of(&sources).map_err(failed)?.is_none() {
                        return Err(late(&why));
                    }
                }
            }
        }
    }

    fn step(&self, reference: &str, goal: Goal, tell: &Tell<'_>) -> Result<Step, Error> {
        let registry = self.read(tell)?;
        let instance = match (self.find(&registry, reference), goal) {
            (Ok(instance), _) => instance,
            (Err(Error::Reference(ReferenceError::Unknown(name))), Goal::Ready) => {
                let why = format!("there is no instance `{}` yet", name.escape_debug());
                return Ok(Step::Later { why, process: None });
            }
            (Err(Error::Reference(ReferenceError::Unknown(_))), Goal::Stopped) => {
                return self.ended(&registry, reference).map(Step::Over);
            }
            (Err(error), _) => return Err(error),
        };
        let view = self.view(&registry, instance);
        let lease = instance.lease.as_ref().expect("a reference names an instance with a lease");
        let name = view.full_name();
        let later = |why: String, process: Option<Handle>| Ok(Step::Later { why, process });
        match (self.world().life(instance), goal) {
            (Life::Gone, Goal::Stopped) => Ok(Step::Over(stopped(view))),
            (Life::Gone, Goal::Ready) => later(format!("{name} has ended"), None),
            (Life::Leftovers, _) => {
                let process = self.left_process(&lease.lock_id);
                later(format!("what a killed {name} has left still runs"), process)
            }
            (Life::Alive, _) if matches!(lease.holder, Holder::Reserved(_)) => {
                let process = view.pid.filter(|_| goal == Goal::Stopped).and_then(handle_on);
                later(format!("{name} is reserved, and does not run"), process)
            }
            (Life::Alive, _) => match Line::connect(self.store.run().as_fd(), &lease.lock_id) {
                Ok(line) => {
                    let lock_id = lease.lock_id.clone();
                    Ok(Step::Listen { view: Box::new(view), lock_id, line })
                }
                // It ends, or was killed, and its lock goes with its last descriptor; or somebody stops
                // what it left, and its row goes next.
                Err(_) => match self.supervisor(&lease.lock_id) {
                    None if !self.store.run().is_alive(&lease.lock_id) => {
                        self.step(reference, goal, tell)
                    }
                    supervisor => later(format!("{name} is ending"), supervisor),
                },
            },
        }
    }

    /// The answer for one that has ended and is remembered.
    fn ended(&self, registry: &Registry, reference: &str) -> Result<Answer, Error> {
        let ended: Vec<&Instance> =
            registry.instances.iter().map(|one| &**one).filter(|one| one.lease.is_none()).collect();
        let instance = self.find_among(&ended, registry, reference)?;
        Ok(Answer {
            port: instance.port(),
            ports: named_ports(&instance.ports),
            lock_id: None,
            r#type: instance.name.service_type.to_string(),
            id: instance.name.id.to_string(),
            project: self.project_shown(registry, &instance.name.scope),
            url: url(instance.port()),
            pid: None,
            existing: false,
            auto_allocated: false,
            new_range: None,
            grown: false,
            message: format!("{} has ended", self.full_name(registry, &instance.name)),
        })
    }

    /// The supervisor, if it has not ended.
    pub(super) fn supervisor(&self, lock_id: &LockId) -> Option<Handle> {
        let supervisor = self.store.run().read(lock_id)?.details.supervisor;
        Handle::open(&supervisor).ok().flatten()
    }

    /// A process that a killed supervisor has left.
    fn left_process(&self, lock_id: &LockId) -> Option<Handle> {
        let vitals = self.store.run().read(lock_id)?.vitals;
        let left = [vitals.leader, vitals.listener];
        left.into_iter().flatten().find_map(|process| Handle::open(&process).ok().flatten())
    }
}

fn handle_on(pid: i32) -> Option<Handle> {
    let process = crate::os::process::identify(pid).ok()?;
    Handle::open(&process).ok().flatten()
}

fn stopped(view: View) -> Answer {
    let message = format!("{} has ended, port {} is free again", view.full_name(), view.port);
    view.answer(message)
}

/// One visit to a running instance.
struct Visit<'a> {
    host: &'a Host,
    view: Box<View>,
    lock_id: LockId,
    goal: Goal,
    /// Where it was when it was heard of first, and last.
    phase: Option<(Phase, Phase)>,
}

/// What came of a visit.
enum Visited {
    Over(Box<Answer>),
    /// It has ended or was killed, which is not what was waited for.
    Again,
    Late,
}

impl Visit<'_> {
    fn listen(&mut self, mut line: Line, vigil: &Vigil<'_>) -> Result<Visited, Error> {
        let broken = |source| Error::System { deed: "talk to the supervisor", source };
        let supervisor = self.host.supervisor(&self.lock_id);
        if line.ask(FromClient::Attach).is_err() {
            return Ok(Visited::Again);
        }
        loop {
            let Some(heard) = vigil.listen(&mut line).map_err(broken)? else {
                return Ok(Visited::Late);
            };
            match heard {
                Heard::Said(ToClient::Phase(standing)) => {
                    let first = self.phase.map_or(standing.phase, |(first, _)| first);
                    self.phase = Some((first, standing.phase));
                    if (self.goal, standing.phase) == (Goal::Ready, Phase::Ready) {
                        return self.ready();
                    }
                }
                Heard::Said(ToClient::Outcome { outcome, exit_code }) => {
                    wait_for_exit(&supervisor);
                    return self.over(outcome, exit_code);
                }
                Heard::HungUp => match self.goal {
                    Goal::Stopped => return Ok(Visited::Again),
                    Goal::Ready => {
                        return Err(Error::SupervisorKilled { name: self.view.full_name() });
                    }
                },
                Heard::Said(
                    ToClient::Dismissed
                    | ToClient::Checks(_)
                    | ToClient::Refused
                    | ToClient::Unknown,
                )
                | Heard::Interrupted
                | Heard::TimedOut => {}
            }
        }
    }

    fn ready(&self) -> Result<Visited, Error> {
        let Some(view) = self.host.view_of(&self.lock_id, &|_| {})? else {
            return Ok(Visited::Again);
        };
        let message = format!("{} is ready on {}", view.full_name(), view.url);
        Ok(Visited::Over(Box::new(view.answer(message))))
    }

    fn over(&self, outcome: Outcome, code: i32) -> Result<Visited, Error> {
        let name = self.view.full_name();
        if let Outcome::Stuck { pids } = outcome {
            let pids: Vec<String> = pids.iter().map(|pid| format!("pid {pid}")).collect();
            return Err(Error::Stuck { name, survivors: pids.join(", ") });
        }
        match (self.goal, self.phase) {
            (Goal::Stopped, _) => Ok(Visited::Over(Box::new(stopped((*self.view).clone())))),
            // It was on its way out already: the next one is meant.
            (Goal::Ready, None | Some((Phase::Stopping | Phase::Stuck, _))) => Ok(Visited::Again),
            (Goal::Ready, Some(_)) => Err(Error::EndedMeanwhile { name, code, log: Vec::new() }),
        }
    }

    /// Why it has not come so far.
    fn why(&self) -> String {
        match self.phase.map(|(_, last)| last) {
            None => "its supervisor says nothing".to_owned(),
            Some(Phase::Starting) => "it is starting".to_owned(),
            Some(Phase::Ready) => "it is ready, and runs".to_owned(),
            Some(Phase::Unhealthy) => "it is unhealthy".to_owned(),
            Some(Phase::Backoff) => "it has ended, and is about to be started again".to_owned(),
            Some(Phase::Stopping) => "it is stopping".to_owned(),
            Some(Phase::Stuck) => "some of it survived KILL".to_owned(),
        }
    }
}

//! `stop`: ask a supervisor to end its instance, and wait until the whole tree is gone.
//!
//! How a tree is ended is the supervisor's business. What a dead one left is ended by `cleanup`.

use super::{
    error::Error,
    host::{Host, Tell},
    serve::at_post,
    view::{Answer, View},
};
use crate::{
    decision::world::{Life, World},
    os::{
        clock,
        process::Handle,
        user,
        wait_set::{Interest, WaitSet},
    },
    registry::{Holder, LockId, Phase::Reserved, ProcessIdentity, ReferenceError},
    store::run_dir::Held,
    supervisor::{
        Outcome, Phase,
        line::{Heard, Line},
        message::{FromClient, ToClient},
    },
};
use nix::sys::signal::Signal;
use std::time::Duration;

/// A supervisor that has told the outcome has nothing left to do but to exit.
const EXIT_MAX: Duration = Duration::from_secs(1);
/// `styxy serve` has nothing to wait for: who is slower than this is halted.
const SERVE_GRACE: Duration = Duration::from_secs(10);
/// Who was stuck gets another KILL, and may have come free; so long is waited for that.
const STUCK_MAX: Duration = Duration::from_secs(1);

/// How much time a tree gets to end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// As much as its own settings say.
    None,
    /// So much.
    Within(Duration),
    /// None: KILL at once.
    Kill,
}

impl Haste {
    /// The grace that it stands for, if it is not the instance's own.
    pub(super) fn grace(self) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::Within(grace) => Some(grace),
            Self::Kill => Some(Duration::ZERO),
        }
    }

    pub(super) fn wish(self) -> FromClient {
        match self {
            Self::None => FromClient::Stop { kill: false, timeout_ms: None },
            Self::Kill => FromClient::Stop { kill: true, timeout_ms: None },
            Self::Within(grace) => FromClient::Stop {
                kill: false,
                timeout_ms: Some(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX)),
            },
        }
    }
}

/// What is known of an instance that is to be stopped.
struct Target {
    view: View,
    lock_id: LockId,
    reserved: bool,
    /// The process that serves the HTTP API, if it is that one.
    serving: Option<ProcessIdentity>,
    /// The files of a dead supervisor, taken over.
    dead: Option<Held>,
}

/// A stop that was asked for.
struct Stopping {
    view: View,
    lock_id: LockId,
    haste: Haste,
    stage: Stage,
}

/// How far it is.
enum Stage {
    /// Its supervisor was asked.
    Asked { line: Line, supervisor: Option<Handle> },
    /// It is dead, and what it left is to be ended.
    Dead(Held),
    /// It is `styxy serve` itself, which has no supervisor.
    Serving(Handle),
    /// Its supervisor ends just now, or somebody ends what a dead one left.
    Ending,
}

impl Host {
    /// Stops the instance that a user means.
    pub fn stop(&self, reference: &str, haste: Haste, tell: &Tell<'_>) -> Result<Answer, Error> {
        let stopping = self.begin_stop(reference, haste, tell)?;
        self.finish_stop(stopping, tell)
    }

    /// Stops everything that runs, standbys first, and all at the same time. One that cannot be stopped keeps
    /// none of the others from being so.
    pub fn stop_all(&self, haste: Haste, tell: &Tell<'_>) -> Result<Vec<Answer>, Error> {
        let running = self.living_views(tell)?.into_iter().filter(|view| view.phase != Reserved);
        let running: Vec<View> = running.collect();
        for view in &running {
            if let Ok(lock_id) = view.lock_id.parse()
                && let Ok(mut line) = Line::connect(self.store.run().as_fd(), &lock_id)
            {
                // Heard once they are dismissed; whoever is gone meanwhile needs no dismissal.
                let _ = line.ask(FromClient::Dismiss).and_then(|()| line.listen(None, None));
            }
        }
        let begun: Vec<_> =
            running.iter().map(|view| self.begin_stop(&view.lock_id, haste, tell)).collect();
        let mut answers = Vec::new();
        let mut failure = None;
        for stopping in begun {
            match stopping.and_then(|stopping| self.finish_stop(stopping, tell)) {
                Ok(answer) => answers.push(answer),
                // It has ended meanwhile, perhaps with one whose tree it was in.
                Err(Error::Reference(ReferenceError::Unknown(_))) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(answers), Err)
    }

    /// Ends the instance that a successor replaces.
    pub(super) fn end(&self, lock_id: &LockId) -> Result<(), Error> {
        match self.view_of(lock_id, &|_| {})? {
            Some(view) => {
                let stopping = self.ask_to_stop(view, lock_id.clone(), Haste::None)?;
                self.finish_stop(stopping, &|_| {}).map(drop)
            }
            None => Ok(()),
        }
    }

    /// Asks for the stop, and does not wait for its end.
    fn begin_stop(
        &self,
        reference: &str,
        haste: Haste,
        tell: &Tell<'_>,
    ) -> Result<Stopping, Error> {
        let world = self.world();
        let target = self.transact(tell, &world, |registry, remarks| {
            let instance = self.find(registry, reference)?;
            let lease =
                instance.lease.as_ref().expect("a reference names an instance with a lease");
            let target = Target {
                view: self.view(registry, instance),
                lock_id: lease.lock_id.clone(),
                reserved: matches!(lease.holder, Holder::Reserved(_)),
                serving: at_post(&instance.name, &lease.holder),
                dead: None,
            };
            match world.life(instance) {
                Life::Alive => Ok(target),
                Life::Leftovers => {
                    let dead = self.store.run().take_over(&target.lock_id);
                    Ok(Target { dead, ..target })
                }
                Life::Gone => {
                    self.forget(registry, remarks, &world, &target.lock_id);
                    Ok(target)
                }
            }
        })?;
        let Target { view, lock_id, reserved, serving, dead } = target;
        if let Some(handle) = serving.and_then(|process| self.serving(&process)) {
            let signal = if haste == Haste::Kill { Signal::SIGKILL } else { Signal::SIGTERM };
            let failed = |source| Error::System { deed: "stop `styxy serve`", source };
            handle.signal(signal).map_err(failed)?;
            return Ok(Stopping { view, lock_id, haste, stage: Stage::Serving(handle) });
        }
        if reserved {
            return Err(Error::NotRunning { view: Box::new(view) });
        }
        match dead {
            Some(held) => Ok(Stopping { view, lock_id, haste, stage: Stage::Dead(held) }),
            None => self.ask_to_stop(view, lock_id, haste),
        }
    }

    /// The supervisor refuses it: only the owner or root may.
    pub(super) fn not_yours(&self, view: View, lock_id: &LockId) -> Error {
        let record = self.store.run().read(lock_id);
        let owner = record
            .map_or_else(|| "another user".to_owned(), |record| user::name(record.details.uid));
        Error::NotYours { view: Box::new(view), owner }
    }

    fn ask_to_stop(&self, view: View, lock_id: LockId, haste: Haste) -> Result<Stopping, Error> {
        let Ok(mut line) = Line::connect(self.store.run().as_fd(), &lock_id) else {
            return Ok(Stopping { view, lock_id, haste, stage: Stage::Ending });
        };
        let record = self.store.run().read(&lock_id);
        let supervisor = record.map(|record| record.details.supervisor);
        let supervisor = supervisor.and_then(|it| Handle::open(&it).ok().flatten());
        // Whoever cannot be asked any more is gone, and then the line says no word either.
        let _ = line.ask(haste.wish());
        Ok(Stopping { view, lock_id, haste, stage: Stage::Asked { line, supervisor } })
    }

    /// Waits for the end of what was asked for.
    fn finish_stop(&self, stopping: Stopping, tell: &Tell<'_>) -> Result<Answer, Error> {
        let Stopping { view, lock_id, haste, stage } = stopping;
        match stage {
            Stage::Dead(held) => {
                self.end_leftovers_within(held, haste.grace(), tell)?;
                let message = format!("stopped what {} had left", view.full_name());
                Ok(view.answer(message))
            }
            Stage::Serving(handle) => {
                if !has_ended_within(&handle, haste.grace().unwrap_or(SERVE_GRACE))? {
                    let failed = |source| Error::System { deed: "kill `styxy serve`", source };
                    handle.signal(Signal::SIGKILL).map_err(failed)?;
                    has_ended_within(&handle, EXIT_MAX)?;
                }
                let message =
                    format!("{} stopped, port {} is free again", view.full_name(), view.port);
                Ok(view.answer(message))
            }
            Stage::Ending => {
                self.store.run().until_free(&lock_id)();
                let message = format!("{} has ended", view.full_name());
                Ok(view.answer(message))
            }
            Stage::Asked { mut line, supervisor } => match hear_end(&mut line)? {
                Heeded::Ended => {
                    wait_for_exit(&supervisor);
                    let message =
                        format!("{} stopped, port {} is free again", view.full_name(), view.port);
                    Ok(view.answer(message))
                }
                Heeded::Stuck(pids) => {
                    Err(Error::Stuck { name: view.full_name(), survivors: survivors(&pids) })
                }
                Heeded::Refused => Err(self.not_yours(view, &lock_id)),
                // Gone while it was asked: what it left, if it was killed, is stopped by asking once more.
                Heeded::Killed => match self.stop(lock_id.as_str(), haste, tell) {
                    Err(Error::Reference(ReferenceError::Unknown(_))) => {
                        let message = format!("{} has ended", view.full_name());
                        Ok(view.answer(message))
                    }
                    stopped => stopped,
                },
            },
        }
    }
}

/// What came of a request.
enum Heeded {
    Ended,
    /// These have survived KILL.
    Stuck(Vec<i32>),
    Refused,
    /// The supervisor is gone without a word.
    Killed,
}

/// Listens until the instance has ended, or will not.
fn hear_end(line: &mut Line) -> Result<Heeded, Error> {
    let mut stuck = Vec::new();
    let mut deadline = None;
    loop {
        match line.listen(None, deadline).map_err(broken)? {
            Heard::Said(ToClient::Outcome { outcome: Outcome::Stuck { pids }, .. }) => {
                return Ok(Heeded::Stuck(pids));
            }
            Heard::Said(ToClient::Outcome { .. }) => return Ok(Heeded::Ended),
            Heard::Said(ToClient::Phase(standing)) if standing.phase == Phase::Stuck => {
                stuck = standing.survivors;
                deadline = deadline.or_else(|| Some(clock::now() + STUCK_MAX));
            }
            Heard::TimedOut => return Ok(Heeded::Stuck(stuck)),
            Heard::Said(ToClient::Refused) => return Ok(Heeded::Refused),
            Heard::HungUp => return Ok(Heeded::Killed),
            Heard::Said(
                ToClient::Phase(_) | ToClient::Dismissed | ToClient::Checks(_) | ToClient::Unknown,
            )
            | Heard::Interrupted => {}
        }
    }
}

/// Waits for the end of a process that was asked for it.
fn has_ended_within(process: &Handle, grace: Duration) -> Result<bool, Error> {
    let mut set = WaitSet::new();
    set.add((), process, Interest::Readable);
    let failed = |source| Error::System { deed: "wait for the end of `styxy serve`", source };
    Ok(set.wait(Some(clock::now() + grace)).map_err(failed)?.count() > 0)
}

/// The supervisor is gone too when `stop` returns.
pub(super) fn wait_for_exit(supervisor: &Option<Handle>) {
    if let Some(supervisor) = supervisor {
        let mut set = WaitSet::new();
        set.add((), supervisor, Interest::Readable);
        // That it takes longer, or cannot be told, changes nothing for the instance.
        let _ = set.wait(Some(clock::now() + EXIT_MAX)).map(Iterator::count);
    }
}

/// Those who have survived KILL, for a sentence.
pub(super) fn survivors(pids: &[i32]) -> String {
    let named = |&pid: &i32| match pid {
        0 => "what cannot be named (a container, or a process that could not be seen)".to_owned(),
        pid => format!("pid {pid}"),
    };
    let names: Vec<String> = pids.iter().map(named).collect();
    names.join(", ")
}

fn broken(source: std::io::Error) -> Error {
    Error::System { deed: "talk to the supervisor", source }
}

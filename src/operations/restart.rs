//! `restart`: a supervisor stops its command and starts it again; port, lease and reservation stay.
//!
//! It is asked once. A supervisor that is asked twice while it stops starts once.

use super::{
    error::Error,
    host::{Host, Tell},
    live::kill_patience,
    serve::at_post,
    stop::wait_for_exit,
    view::{Answer, View},
    vigil::Vigil,
};
use crate::{
    config::READY_TIMEOUT_DEFAULT,
    decision::world::{Life, World},
    os::logs::Reader,
    registry::{Holder, LockId},
    store::record::Record,
    supervisor::{
        Outcome, Phase,
        line::{Heard, Line},
        message::{FromClient, Standing, ToClient},
    },
};
use std::{path::Path, time::Duration};

/// So many lines of a log are shown when what wrote it failed.
const LOG_LINES: usize = 10;

/// An instance that is being started again.
struct Restarted<'a> {
    host: &'a Host,
    view: View,
    lock_id: LockId,
    /// How long it may take to get ready.
    ready_timeout: Duration,
    /// What it writes from now on.
    written: Option<Reader>,
    /// How often it had been started again before.
    before: Option<u32>,
    /// It is on its way up again.
    has_started: bool,
}

impl Host {
    /// Starts the instance that a user means again, and waits until it is ready. `timeout` is for all of
    /// that; without one it is the instance's own: to stop, and to get ready.
    pub fn restart(
        &self,
        reference: &str,
        timeout: Option<Duration>,
        mut vigil: Vigil<'_>,
        tell: &Tell<'_>,
    ) -> Result<Answer, Error> {
        let registry = self.read(tell)?;
        let instance = self.find(&registry, reference)?;
        let lease = instance.lease.as_ref().expect("a reference names an instance with a lease");
        let view = self.view(&registry, instance);
        if at_post(&instance.name, &lease.holder).is_some() {
            return Err(Error::Usage {
                message: format!("{} is a `styxy serve` in front of somebody", view.full_name()),
                hint: Some(format!(
                    "styxy stop {}, and start it again; as `styxy serve -d` it can be restarted",
                    view.full_name()
                )),
            });
        }
        if matches!(lease.holder, Holder::Reserved(_)) {
            return Err(Error::NotRunning { view: Box::new(view) });
        }
        let killed = || Error::SupervisorKilled { name: instance.name.to_string() };
        if !matches!(self.world().life(instance), Life::Alive) {
            return Err(killed());
        }
        let broken = |source| Error::System { deed: "talk to the supervisor", source };
        // It has its lock and no socket: it is about to be over, or somebody stops what it left.
        let mut line = Line::connect(self.store.run().as_fd(), &lease.lock_id)
            .map_err(|_| Error::Over { name: view.full_name() })?;
        let record = self.store.run().read(&lease.lock_id);
        let stop = record.as_ref().map_or(0, |record| record.details.stop_timeout_ms);
        let kill = record.as_ref().is_some_and(|record| record.details.container.is_some());
        let kill = kill_patience(kill);
        let ready_timeout = record.as_ref().map_or(READY_TIMEOUT_DEFAULT, ready_timeout);
        vigil.waits_for(&format!("{}: stopping it", view.full_name()));
        vigil.prolong(timeout.unwrap_or(Duration::from_millis(stop) + kill * 2));
        let mut restarted = Restarted {
            host: self,
            lock_id: lease.lock_id.clone(),
            ready_timeout,
            written: written(&view),
            view,
            before: None,
            has_started: false,
        };
        let supervisor = self.supervisor(&restarted.lock_id);
        line.ask(FromClient::Restart).map_err(broken)?;
        loop {
            let Some(heard) = vigil.listen(&mut line).map_err(broken)? else {
                return Err(restarted.late(timeout));
            };
            match heard {
                Heard::Said(ToClient::Phase(standing)) => {
                    if restarted.phase(&standing, timeout, &mut vigil)? {
                        return restarted.answer();
                    }
                }
                Heard::Said(ToClient::Outcome { outcome, exit_code }) => {
                    wait_for_exit(&supervisor);
                    return Err(restarted.over(outcome, exit_code));
                }
                Heard::Said(ToClient::Refused) => {
                    return Err(self.not_yours(restarted.view, &restarted.lock_id));
                }
                Heard::HungUp => return Err(killed()),
                Heard::Said(ToClient::Dismissed | ToClient::Checks(_) | ToClient::Unknown)
                | Heard::Interrupted
                | Heard::TimedOut => {}
            }
        }
    }
}

impl Restarted<'_> {
    /// Takes in where it is. Whether it is ready again.
    fn phase(
        &mut self,
        standing: &Standing,
        timeout: Option<Duration>,
        vigil: &mut Vigil<'_>,
    ) -> Result<bool, Error> {
        let before = *self.before.get_or_insert(standing.restarts);
        if standing.restarts <= before {
            return match standing.phase {
                Phase::Stuck => Err(Error::Stuck {
                    name: self.view.full_name(),
                    survivors: "some of its processes".to_owned(),
                }),
                Phase::Starting
                | Phase::Ready
                | Phase::Unhealthy
                | Phase::Backoff
                | Phase::Stopping => Ok(false),
            };
        }
        if !std::mem::replace(&mut self.has_started, true) {
            let name = self.view.full_name();
            vigil.waits_for(&format!("{name} on port {}: getting ready", self.view.port));
            if timeout.is_none() {
                vigil.prolong(self.ready_timeout);
            }
        }
        Ok(standing.phase == Phase::Ready)
    }

    fn answer(self) -> Result<Answer, Error> {
        let view = self.host.view_of(&self.lock_id, &|_| {})?.unwrap_or(self.view);
        let pid = view.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
        let message = format!("{} was started again on port {}{pid}", view.full_name(), view.port);
        Ok(view.answer(message))
    }

    fn late(self, timeout: Option<Duration>) -> Error {
        let patience = timeout.unwrap_or(self.ready_timeout);
        let what = if self.has_started { "ready again" } else { "stopped" };
        let why = match self.has_started {
            true => format!("nothing of it is ready on port {}", self.view.port),
            false => "something of it still runs".to_owned(),
        };
        Error::waited(self.view.full_name(), what, patience, why)
    }

    fn over(self, outcome: Outcome, code: i32) -> Error {
        let name = self.view.full_name();
        match outcome {
            Outcome::Stuck { pids } => {
                let pids: Vec<String> = pids.iter().map(|pid| format!("pid {pid}")).collect();
                Error::Stuck { name, survivors: pids.join(", ") }
            }
            Outcome::Ended { .. }
            | Outcome::NotStarted { .. }
            | Outcome::Stopped { .. }
            | Outcome::NotReady
            | Outcome::PortStolen
            | Outcome::CrashLoop { .. }
            | Outcome::RestartsUsedUp { .. } => {
                let log = self.written.and_then(|written| written.last_lines(LOG_LINES).ok());
                Error::EndedMeanwhile { name, code, log: log.unwrap_or_default() }
            }
        }
    }
}

/// How long an instance may take to get ready.
pub(super) fn ready_timeout(record: &Record) -> Duration {
    record.details.ready_timeout_ms.map_or(READY_TIMEOUT_DEFAULT, Duration::from_millis)
}

/// What an instance writes to its log from now on.
pub(super) fn written(view: &View) -> Option<Reader> {
    view.log.as_ref().and_then(|log| Reader::of_last_lines(Path::new(log), 0).ok())
}

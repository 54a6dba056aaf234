//! `stop`: ask a supervisor to end its instance, and wait until the whole tree is gone.

use super::{
    error::Error,
    host::{Host, Tell},
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
    registry::{Holder, LockId},
    store::run_dir::Held,
    supervisor::{
        Outcome,
        line::{Heard, Line},
        message::{FromClient, ToClient},
    },
};
use std::time::Duration;

/// A supervisor that has told the outcome has nothing left to do but to exit.
const EXIT_MAX: Duration = Duration::from_secs(1);

/// The supervisor is gone too when `stop` returns.
fn wait_for_exit(supervisor: &Option<Handle>) {
    if let Some(supervisor) = supervisor {
        let mut set = WaitSet::new();
        set.add((), supervisor, Interest::Readable);
        // That it takes longer, or cannot be told, changes nothing for the instance.
        let _ = set.wait(Some(clock::now() + EXIT_MAX)).map(Iterator::count);
    }
}

/// What is known of an instance that is to be stopped.
struct Target {
    view: View,
    lock_id: LockId,
    reserved: bool,
    /// The files of a dead supervisor, taken over.
    dead: Option<Held>,
}

impl Host {
    /// Stops the instance that a user means. `kill`: at once, without grace.
    pub fn stop(&self, reference: &str, kill: bool, tell: &Tell<'_>) -> Result<Answer, Error> {
        let world = self.world();
        let target = self.transact(tell, &world, |registry, remarks| {
            let instance = self.find(registry, reference)?;
            let lease =
                instance.lease.as_ref().expect("a reference names an instance with a lease");
            let target = Target {
                view: self.view(registry, instance),
                lock_id: lease.lock_id.clone(),
                reserved: matches!(lease.holder, Holder::Reserved(_)),
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
        let Target { view, lock_id, reserved, dead } = target;
        if reserved {
            return Err(Error::NotRunning { view: Box::new(view) });
        }
        if let Some(held) = dead {
            self.end_leftovers(held, tell)?;
            let message = format!("stopped what {} had left", view.full_name());
            return Ok(view.answer(message));
        }
        self.ask_to_stop(view, &lock_id, kill, tell)
    }

    /// Stops everything that runs, standbys first.
    pub fn stop_all(&self, kill: bool, tell: &Tell<'_>) -> Result<Vec<Answer>, Error> {
        let running =
            self.list(tell)?.instances.into_iter().filter(|view| view.supervisor_pid.is_some());
        let running: Vec<View> = running.collect();
        for view in &running {
            if let Ok(lock_id) = view.lock_id.parse()
                && let Ok(mut line) = Line::connect(self.store.run().as_fd(), &lock_id)
            {
                // Heard once they are dismissed; whoever is gone meanwhile needs no dismissal.
                let _ = line.ask(FromClient::Dismiss).and_then(|()| line.listen(None, None));
            }
        }
        running.into_iter().map(|view| self.stop(&view.lock_id.clone(), kill, tell)).collect()
    }

    /// Ends the instance that a successor replaces.
    pub(super) fn end(&self, lock_id: &LockId) -> Result<(), Error> {
        match self.view_of(lock_id, &|_| {})? {
            Some(view) => self.ask_to_stop(view, lock_id, false, &|_| {}).map(drop),
            None => Ok(()),
        }
    }

    fn ask_to_stop(
        &self,
        view: View,
        lock_id: &LockId,
        kill: bool,
        tell: &Tell<'_>,
    ) -> Result<Answer, Error> {
        let broken = |source| Error::System { deed: "talk to the supervisor", source };
        let Ok(mut line) = Line::connect(self.store.run().as_fd(), lock_id) else {
            self.store.run().until_free(lock_id)();
            let message = format!("{} has ended", view.full_name());
            return Ok(view.answer(message));
        };
        let record = self.store.run().read(lock_id);
        let supervisor = record.map(|record| record.details.supervisor);
        let supervisor = supervisor.and_then(|it| Handle::open(&it).ok().flatten());
        line.ask(FromClient::Stop { kill }).map_err(broken)?;
        loop {
            match line.listen(None, None).map_err(broken)? {
                Heard::Said(ToClient::Outcome { outcome: Outcome::Stuck { pids }, .. }) => {
                    let pids: Vec<String> = pids.iter().map(|pid| format!("pid {pid}")).collect();
                    return Err(Error::Stuck {
                        name: view.full_name(),
                        survivors: pids.join(", "),
                    });
                }
                Heard::Said(ToClient::Outcome { .. }) => {
                    wait_for_exit(&supervisor);
                    let message =
                        format!("{} stopped, port {} is free again", view.full_name(), view.port);
                    return Ok(view.answer(message));
                }
                Heard::Said(ToClient::Refused) => {
                    let record = self.store.run().read(lock_id);
                    let owner = record.map_or_else(
                        || "another user".to_owned(),
                        |record| user::name(record.details.uid),
                    );
                    return Err(Error::NotYours { view: Box::new(view), owner });
                }
                // Killed while it was asked: what it left is stopped by asking once more.
                Heard::HungUp => return self.stop(lock_id.as_str(), kill, tell),
                Heard::Said(ToClient::Phase(_) | ToClient::Dismissed | ToClient::Unknown)
                | Heard::Interrupted
                | Heard::TimedOut => {}
            }
        }
    }
}

//! What a second run does instead of starting: stay with the running instance, say where it is, or wait
//! for its end.
//!
//! All over the instance's socket; nothing polls. The end of that stream without an outcome means that
//! the supervisor was killed.

use super::{
    container,
    error::Error,
    host::{Host, Tell},
    run::{Report, Said},
    view::{Answer, View},
};
use crate::{
    os::{
        check::{Check, Kind, Verdict},
        interrupts::{Interrupt, Interrupts},
        listeners, process,
        wait_set::{Interest, WaitSet},
    },
    ports::Port,
    registry::{InstanceName, LockId},
    store::record::Record,
    supervisor::{
        Phase,
        line::{Heard, Line},
        message::{FromClient, Standing, ToClient},
    },
};
use std::{os::fd::AsFd, time::Duration};

/// How long an attaching run's own check of the instance may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// What came of joining or waiting.
pub(super) enum Joined {
    /// Over, with this exit code.
    Over(i32),
    /// It is ready, and that is all that was asked.
    Ready,
    /// It is gone, and another turn decides what to do now.
    Again,
}

/// What a second run wants of the first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// To live and end with it.
    Stay,
    /// To know that it is ready.
    Reuse,
    /// To start when it ends.
    Standby,
}

impl Host {
    /// Joins a running instance, or waits for its end.
    pub(super) fn join(
        &self,
        name: &InstanceName,
        port: Port,
        lock_id: &LockId,
        (wish, command): (Wish, &[String]),
        interrupts: &Interrupts,
        report: &mut Report<'_>,
    ) -> Result<Joined, Error> {
        let broken = |source| Error::System { deed: "talk to the running instance", source };
        let Ok(mut line) = Line::connect(self.store.run().as_fd(), lock_id) else {
            // Its supervisor is dead, and somebody holds its lock to stop what it left; or it is over.
            let free = self.store.run().until_free(lock_id);
            let interrupted = interrupts.or(free).map_err(broken)?;
            return Ok(interrupted.map_or(Joined::Again, |it| Joined::Over(it.exit_code())));
        };
        let ask = if wish == Wish::Standby { FromClient::Standby } else { FromClient::Attach };
        if line.ask(ask).is_err() {
            return Ok(Joined::Again);
        }
        let mut visit = Visit { host: self, name, port, lock_id, wish, command, joined: None };
        loop {
            match line.listen(Some(interrupts.as_fd()), None).map_err(broken)? {
                Heard::Said(ToClient::Phase(standing)) => {
                    if let Some(joined) = visit.phase(&standing, report)? {
                        return Ok(joined);
                    }
                }
                Heard::Said(ToClient::Outcome { exit_code, .. }) => {
                    return Ok(visit.outcome(exit_code));
                }
                Heard::Said(ToClient::Dismissed) => {
                    report(Said::Dismissed { name: name.to_string() });
                    return Ok(Joined::Over(Interrupt::Term.exit_code()));
                }
                Heard::Said(ToClient::Checks(_) | ToClient::Refused | ToClient::Unknown)
                | Heard::TimedOut => {}
                Heard::Interrupted => {
                    let code = interrupts.which().exit_code();
                    report(Said::Detached { name: name.to_string(), port });
                    return Ok(Joined::Over(code));
                }
                Heard::HungUp => return visit.hung_up(report),
            }
        }
    }

    /// Waits for the process that serves a reserved port, which styxy did not start.
    pub(super) fn join_listener(
        &self,
        port: Port,
        interrupts: &Interrupts,
        report: &mut Report<'_>,
    ) -> Result<Joined, Error> {
        let broken = |source| Error::System { deed: "wait for the program on the port", source };
        let holders = listeners::who_holds(port).map_err(broken)?;
        let pid = holders.into_iter().filter(|holder| holder.listens).find_map(|holder| holder.pid);
        let process = pid.and_then(|pid| process::identify(pid).ok());
        let handle = process.map(|process| process::Handle::open(&process)).transpose();
        let Some(handle) = handle.map_err(broken)?.flatten() else {
            return Ok(Joined::Again);
        };
        report(Said::Notice(format!(
            "port {port} is served by pid {}, which styxy did not start: waiting for its end",
            handle.identity().pid
        )));
        let mut set = WaitSet::new();
        set.add(None, &handle, Interest::Readable);
        set.add(Some(interrupts), interrupts, Interest::Readable);
        let interrupted = set.wait(None).map_err(broken)?.flatten().next();
        Ok(Joined::Over(interrupted.map_or(0, |interrupts| interrupts.which().exit_code())))
    }

    /// The view of a living instance, by its lease.
    pub(super) fn view_of(&self, lock_id: &LockId, tell: &Tell<'_>) -> Result<Option<View>, Error> {
        let registry = self.read(tell)?;
        Ok(registry.by_lock_id(lock_id).map(|instance| self.view(&registry, instance)))
    }

    /// The same as an answer.
    pub(super) fn existing(&self, lock_id: &LockId) -> Result<Option<Answer>, Error> {
        let view = self.view_of(lock_id, &|_| {})?;
        Ok(view.map(|view| {
            let pid = view.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
            let message =
                format!("{} already runs on port {}{pid}, reusing", view.name(), view.port);
            view.answer(message)
        }))
    }
}

/// One visit to a running instance.
struct Visit<'a> {
    host: &'a Host,
    name: &'a InstanceName,
    port: Port,
    lock_id: &'a LockId,
    wish: Wish,
    /// What this run would have started.
    command: &'a [String],
    /// Where it was when it was joined last; `None` while it never was.
    joined: Option<Standing>,
}

impl Visit<'_> {
    /// Takes in where the instance is. Some: that ends the visit.
    fn phase(
        &mut self,
        standing: &Standing,
        report: &mut Report<'_>,
    ) -> Result<Option<Joined>, Error> {
        let first = self.joined.is_none();
        if self.wish == Wish::Standby {
            if first {
                report(Said::Queued { name: self.name.to_string(), port: self.port });
            }
            self.joined = Some(standing.clone());
            return Ok(None);
        }
        match standing.phase {
            // It is on its way out: the one that is started next is the one to be with.
            Phase::Stopping | Phase::Stuck if first => {
                let name = self.name.to_string();
                report(Said::Notice(format!("{name} is stopping: waiting for its end")));
                return Ok(None);
            }
            Phase::Unhealthy if first => return Err(self.unhealthy()),
            Phase::Ready => {
                let was_ready =
                    self.joined.as_ref().is_some_and(|before| before.phase == Phase::Ready);
                self.joined = Some(standing.clone());
                if was_ready {
                    return Ok(None);
                }
                self.verify()?;
                if self.wish == Wish::Reuse {
                    return Ok(Some(Joined::Ready));
                }
                self.report(standing, report);
            }
            Phase::Starting | Phase::Backoff if first => {
                self.joined = Some(standing.clone());
                self.report(standing, report);
            }
            Phase::Starting
            | Phase::Backoff
            | Phase::Unhealthy
            | Phase::Stopping
            | Phase::Stuck => {
                self.joined = Some(standing.clone());
            }
        }
        Ok(None)
    }

    fn report(&self, standing: &Standing, report: &mut Report<'_>) {
        report(Said::Attached {
            name: self.name.to_string(),
            port: self.port,
            pid: standing.pid,
            ready: standing.phase == Phase::Ready,
            differs: self.differs(),
        });
    }

    /// A given id is joined whatever it runs, so it is said when that is something else.
    fn differs(&self) -> Option<String> {
        let running = self.host.store.run().read(self.lock_id)?.details.command;
        let differs = running != self.command;
        differs
            .then(|| format!("it runs `{}`, not `{}`", running.join(" "), self.command.join(" ")))
    }

    /// One check of our own, by the instance's settings: a supervisor may think well of a dead server.
    fn verify(&self) -> Result<(), Error> {
        let Some(record) = self.host.store.run().read(self.lock_id) else { return Ok(()) };
        let Some(kind) = own_check(&record) else { return Ok(()) };
        let is_reached = container::is_reached(&record, CHECK_TIMEOUT);
        if is_reached == Some(false) {
            return Err(self.unhealthy());
        }
        match Check::run_to_end(kind, CHECK_TIMEOUT) {
            Ok(Verdict::Failed(_)) => Err(self.unhealthy()),
            // A check that could not be made says nothing of the instance.
            Ok(Verdict::Passed) | Err(_) => Ok(()),
        }
    }

    fn unhealthy(&self) -> Error {
        match self.host.view_of(self.lock_id, &|_| {}) {
            Ok(Some(view)) => Error::Unhealthy { view: Box::new(view), since: String::new() },
            Ok(None) => Error::SupervisorKilled { name: self.name.to_string() },
            Err(error) => error,
        }
    }

    fn outcome(&self, exit_code: i32) -> Joined {
        match (self.wish, &self.joined) {
            (Wish::Stay, Some(_)) => Joined::Over(exit_code),
            (Wish::Stay, None) | (Wish::Reuse | Wish::Standby, _) => Joined::Again,
        }
    }

    /// The supervisor was killed. The first to notice stops what it left.
    fn hung_up(&self, report: &mut Report<'_>) -> Result<Joined, Error> {
        let stayed = self.wish == Wish::Stay && self.joined.is_some();
        if !stayed {
            return Ok(Joined::Again);
        }
        let notices = std::cell::RefCell::new(report);
        let tell = |text: &str| (notices.borrow_mut())(Said::Notice(text.to_owned()));
        let run = self.host.store.run();
        let world = self.host.world();
        let taken = self.host.transact(&tell, &world, |_, _| Ok(run.take_over(self.lock_id)))?;
        if let Some(held) = taken {
            self.host.end_leftovers(held, &tell)?;
        }
        Err(Error::SupervisorKilled { name: self.name.to_string() })
    }
}

/// The check that an attaching run makes itself: `tcp` or `http`, if the instance has one of them.
fn own_check(record: &Record) -> Option<Kind<'_>> {
    let port = record.details.row.port();
    match record.details.ready.split_once(':') {
        Some(("http", path)) => Some(Kind::Http { port, path }),
        None if record.details.ready == "tcp" && record.details.container.is_some() => {
            Some(Kind::Published { port })
        }
        None if record.details.ready == "tcp" => Some(Kind::Tcp { port }),
        Some(_) | None => None,
    }
}

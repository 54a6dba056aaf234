//! `run`: the story. Complete what was asked, ask for a lease, and do what the turn says: live with a child
//! of our own, join one that runs, wait, or clean up first and ask again.

use super::{
    after::Met,
    attach::{Joined, Wish},
    error::Error,
    host::Host,
    lease::{InHand, Leased, Turn},
    plan::{Plan, Request},
    readiness,
    view::{Answer, MadeRange},
};
use crate::{
    os::interrupts::Interrupts,
    ports::Port,
    registry::{InstanceName, LockId},
};
use serde::{Deserialize, Serialize};
use std::{cell::RefCell, fs::File};

/// A port that is stolen between lease and start is given up for another one, so many times at most.
const THEFTS_MAX: u32 = 3;

/// What is worth saying while a run goes on. Only faces put it into words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Said {
    /// A sentence.
    Notice(String),
    /// An unknown type got a range, or a full one grew.
    NewRange {
        /// Whose.
        service_type: String,
        /// Which.
        made: MadeRange,
    },
    /// The derived id runs another command, so this one has a number.
    Renumbered {
        /// The name it has instead.
        name: String,
    },
    /// The command runs.
    Started {
        /// Where.
        answer: Box<Answer>,
    },
    /// It is ready.
    Ready {
        /// Where.
        answer: Box<Answer>,
    },
    /// It runs already, and that is all that was asked.
    Reused {
        /// Where.
        answer: Box<Answer>,
    },
    /// This is what a dry run would have done.
    Decided {
        /// Where it would be.
        answer: Box<Answer>,
    },
    /// We stay with an instance that runs already.
    Attached {
        /// Which one.
        name: String,
        /// On which port.
        port: Port,
        /// Its process.
        pid: Option<i32>,
        /// Whether it is ready.
        ready: bool,
        /// What differs from what was asked for, as a sentence.
        differs: Option<String>,
    },
    /// We wait to take its place.
    Queued {
        /// Whose.
        name: String,
        /// On which port it runs.
        port: Port,
    },
    /// We leave it running.
    Detached {
        /// Which one.
        name: String,
        /// On which port.
        port: Port,
    },
    /// The queue was dissolved.
    Dismissed {
        /// Whose.
        name: String,
    },
    /// It should have been ready by now.
    Late {
        /// Which one.
        name: String,
        /// After so many seconds.
        seconds: u64,
        /// What was seen instead.
        why: String,
    },
    /// It waits for another one to get ready first.
    Waiting {
        /// Who waits.
        name: String,
        /// For whom.
        after: String,
    },
    /// It was stopped because somebody asked for it.
    Stopped {
        /// Which one.
        name: String,
    },
    /// Its liveness checks fail.
    Unhealthy {
        /// Which one.
        name: String,
        /// So many in a row.
        failures: u32,
        /// Why the last one did, if that was seen.
        why: Option<String>,
    },
    /// Its liveness check passes again.
    Healthy {
        /// Which one.
        name: String,
    },
    /// It is started again.
    Restarting {
        /// Which one.
        name: String,
        /// What it ended with.
        code: i32,
        /// In so many ms.
        delay_ms: u64,
    },
    /// It is not started again.
    GaveUp {
        /// Which one.
        name: String,
        /// Why, in words.
        why: String,
    },
}

/// Who listens to that.
pub type Report<'a> = dyn FnMut(Said) + 'a;

impl Host {
    /// Runs a command as an instance, and tells with what the run ends.
    pub fn run(&self, request: &Request, report: &mut Report<'_>) -> Result<i32, Error> {
        let mut plan = self.plan(request)?;
        let report = RefCell::new(report);
        let tell = |text: &str| (report.borrow_mut())(Said::Notice(text.to_owned()));
        if request.dry_run {
            let answer = Box::new(self.rehearse(&plan, request, &tell)?);
            (report.borrow_mut())(Said::Decided { answer });
            return Ok(0);
        }
        self.become_nested(&plan, request, &tell)?;
        if request.keeps_log() {
            readiness::pattern(&plan, request)?;
        }
        let mut interrupts = None;
        if !request.after.is_empty() {
            let taken = &*interrupts.insert(take_interrupts()?);
            match self.wait_for_all(&plan, request, taken, &mut **report.borrow_mut())? {
                Met::All(addresses) => plan.addresses = addresses,
                Met::Interrupted(code) => return Ok(code),
            }
        }
        let (hand, thefts) = (InHand::default(), 0);
        let mut story = Story { host: self, plan: &plan, request, hand, interrupts, thefts };
        loop {
            if let Some(interrupt) = story.interrupts.as_ref().and_then(Interrupts::pending) {
                return Ok(interrupt.exit_code());
            }
            let turn = self.ask(&plan, request, &mut story.hand, &tell)?;
            match story.follow(turn, &mut **report.borrow_mut())? {
                Joined::Over(code) => return Ok(code),
                Joined::Again | Joined::Ready => {}
            }
        }
    }

    fn reuse(&self, lock_id: &LockId, report: &mut Report<'_>) -> Result<Joined, Error> {
        if let Some(answer) = self.existing(lock_id)? {
            report(Said::Reused { answer: Box::new(answer) });
        }
        Ok(Joined::Over(0))
    }
}

/// A run between its turns.
struct Story<'a> {
    host: &'a Host,
    plan: &'a Plan,
    request: &'a Request,
    hand: InHand,
    /// Taken at the first wait, once for all turns: a signal between two of them must not be lost.
    interrupts: Option<Interrupts>,
    thefts: u32,
}

impl Story<'_> {
    /// Does what the turn says.
    fn follow(&mut self, turn: Turn, report: &mut Report<'_>) -> Result<Joined, Error> {
        let host = self.host;
        match turn {
            Turn::Mine(leased) => self.live(*leased, report),
            Turn::Join { name, port, lock_id, reuse } => {
                let wish = if reuse { Wish::Reuse } else { Wish::Stay };
                match self.join(&name, port, &lock_id, wish, report)? {
                    Joined::Ready => host.reuse(&lock_id, report),
                    joined @ (Joined::Over(_) | Joined::Again) => Ok(joined),
                }
            }
            Turn::JoinListener { port } => host.join_listener(port, self.interrupts()?, report),
            Turn::Wait { name, port, lock_id } => {
                self.join(&name, port, &lock_id, Wish::Standby, report)
            }
            Turn::WaitForDirectory { path } => {
                report(Said::Notice(format!("{path} is in use: waiting until it is free")));
                wait_for_directory(path, self.interrupts()?)
            }
            Turn::Replace { name, lock_id, succession } => {
                report(Said::Notice(format!("stopping {name} to take its place")));
                host.end(&lock_id)?;
                self.hand.succession = Some(succession);
                Ok(Joined::Again)
            }
            Turn::Reclaim { name, held } => {
                report(Said::Notice(format!("stopping what a killed {name} has left")));
                self.hand.reclaimed = Some(host.stop_leftovers(held, None)?);
                Ok(Joined::Again)
            }
        }
    }

    /// Lives with a child of our own; with another port if this one is stolen.
    fn live(&mut self, leased: Leased, report: &mut Report<'_>) -> Result<Joined, Error> {
        let interrupts = self.interrupts.as_ref();
        match self.host.live(self.plan, self.request, leased, interrupts, report)? {
            Lived::Over(code) => Ok(Joined::Over(code)),
            Lived::Stolen(theft) => {
                self.thefts += 1;
                if self.thefts > THEFTS_MAX || self.request.wish.exact.is_some() {
                    return Err(theft);
                }
                report(Said::Notice(format!("{theft}: trying another one")));
                Ok(Joined::Again)
            }
        }
    }

    fn join(
        &mut self,
        name: &InstanceName,
        port: Port,
        lock_id: &LockId,
        wish: Wish,
        report: &mut Report<'_>,
    ) -> Result<Joined, Error> {
        let wanted = (wish, &self.request.command[..]);
        self.host.join(name, port, lock_id, wanted, self.interrupts()?, report)
    }

    /// From the first wait on INT and TERM are heard; until then they end the process as usual.
    fn interrupts(&mut self) -> Result<&Interrupts, Error> {
        if self.interrupts.is_none() {
            self.interrupts = Some(take_interrupts()?);
        }
        Ok(self.interrupts.as_ref().expect("it was put there just now"))
    }
}

fn take_interrupts() -> Result<Interrupts, Error> {
    Interrupts::take().map_err(|source| Error::System { deed: "receive signals", source })
}

/// What came of a life of our own.
pub(super) enum Lived {
    /// It is over, with this exit code.
    Over(i32),
    /// Somebody else took the port before the command could listen on it.
    Stolen(Error),
}

/// Waits until a data directory that an instance of another registry has is free.
fn wait_for_directory(path: String, interrupts: &Interrupts) -> Result<Joined, Error> {
    let failed = |source| Error::System { deed: "wait for the claimed data directory", source };
    let free = move || {
        // A directory that is gone is met again in the next turn.
        let _ = File::open(path).and_then(|directory| directory.lock());
    };
    let interrupted = interrupts.or(free).map_err(failed)?;
    Ok(interrupted.map_or(Joined::Again, |it| Joined::Over(it.exit_code())))
}

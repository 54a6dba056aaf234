//! `run`: the story. Complete what was asked, ask for a lease, and do what the turn says: live with a child
//! of our own, join one that runs, wait, or clean up first and ask again.

use super::{
    attach::{Joined, Wish},
    error::Error,
    host::Host,
    lease::{InHand, Turn},
    plan::Request,
    view::Answer,
};
use crate::{
    ports::{Port, Range},
    registry::LockId,
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
        range: Range,
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
    /// Its liveness checks fail.
    Unhealthy {
        /// Which one.
        name: String,
        /// So many in a row.
        failures: u32,
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
        let plan = self.plan(request)?;
        let report = RefCell::new(report);
        let tell = |text: &str| (report.borrow_mut())(Said::Notice(text.to_owned()));
        if request.dry_run {
            let answer = Box::new(self.rehearse(&plan, request, &tell)?);
            (report.borrow_mut())(Said::Decided { answer });
            return Ok(0);
        }
        self.become_nested(&plan, request, &tell)?;
        let mut hand = InHand::default();
        let mut thefts = 0;
        loop {
            let turn = self.ask(&plan, request, &mut hand, &tell)?;
            let report = &mut **report.borrow_mut();
            let joined = match turn {
                Turn::Mine(leased) => match self.live(&plan, request, *leased, report)? {
                    Lived::Over(code) => return Ok(code),
                    Lived::Stolen(theft) => {
                        thefts += 1;
                        if thefts > THEFTS_MAX || request.wish.exact.is_some() {
                            return Err(theft);
                        }
                        report(Said::Notice(format!("{theft}: trying another one")));
                        Joined::Again
                    }
                },
                Turn::Join { name, port, lock_id, reuse: true } => {
                    match self.join(
                        &name,
                        port,
                        &lock_id,
                        (Wish::Reuse, &request.command),
                        report,
                    )? {
                        Joined::Ready => return self.reuse(&lock_id, report),
                        joined @ (Joined::Over(_) | Joined::Again) => joined,
                    }
                }
                Turn::Join { name, port, lock_id, reuse: false } => {
                    self.join(&name, port, &lock_id, (Wish::Stay, &request.command), report)?
                }
                Turn::JoinListener { port } => self.join_listener(port, report)?,
                Turn::Wait { name, port, lock_id } => {
                    self.join(&name, port, &lock_id, (Wish::Standby, &request.command), report)?
                }
                Turn::WaitForDirectory { path } => {
                    report(Said::Notice(format!("{path} is in use: waiting until it is free")));
                    wait_for_directory(&path)?;
                    Joined::Again
                }
                Turn::Replace { name, lock_id, succession } => {
                    report(Said::Notice(format!("stopping {name} to take its place")));
                    self.end(&lock_id)?;
                    hand.succession = Some(succession);
                    Joined::Again
                }
                Turn::Reclaim { name, held } => {
                    report(Said::Notice(format!("stopping what a killed {name} has left")));
                    hand.reclaimed = Some(self.stop_leftovers(held)?);
                    Joined::Again
                }
            };
            match joined {
                Joined::Over(code) => return Ok(code),
                Joined::Again | Joined::Ready => {}
            }
        }
    }

    fn reuse(&self, lock_id: &LockId, report: &mut Report<'_>) -> Result<i32, Error> {
        if let Some(answer) = self.existing(lock_id)? {
            report(Said::Reused { answer: Box::new(answer) });
        }
        Ok(0)
    }
}

/// What came of a life of our own.
pub(super) enum Lived {
    /// It is over, with this exit code.
    Over(i32),
    /// Somebody else took the port before the command could listen on it.
    Stolen(Error),
}

/// Waits until a data directory that an instance of another registry has is free.
fn wait_for_directory(path: &str) -> Result<(), Error> {
    let failed = |source| Error::System { deed: "wait for the claimed data directory", source };
    let directory = File::open(path).map_err(failed)?;
    directory.lock().map_err(failed)
}

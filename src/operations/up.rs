//! `up`: the services of a project, each one supervised in a process of its own, started and stopped in their
//! order.
//!
//! A service is a background run that reports here. In the foreground its supervisor is tied to this process:
//! whatever ends `up`, also KILL, the kernel sends TERM to the supervisors, and they stop their trees. Which
//! words make a styxy run a service is the face's to know; so is how all of it looks.

use super::{
    error::{Error, Failure, Kind},
    host::Host,
    lineup::{Lineup, Member, News},
    run::Said,
    stop::Haste,
    view::Answer,
};
use crate::{
    decision::start_order::Stage,
    os::{
        clock,
        companion::{Companion, End},
        interrupts::Interrupts,
        wait_set::{Interest, WaitSet},
    },
    supervisor::line::Line,
};
use std::ffi::OsString;

/// A reader of all output that is gone is an error for each line. After so many of whatever kind, `up` ends.
const ERRORS_MAX: u32 = 1000;

/// Whether `up` stays with what it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// Until the last one has ended; and none outlives it.
    WithThem,
    /// Until all are ready.
    UntilReady,
}

/// What happens meanwhile, for who shows it.
#[derive(Debug)]
pub enum Happened<'a> {
    /// A line of its output, without the end.
    Line(&'a [u8]),
    /// Something worth saying.
    Said(&'a Said),
    /// It has ended by itself with 0, or somebody has stopped it.
    Over {
        /// Somebody asked for that.
        asked: bool,
    },
    /// It has failed.
    Failed(&'a Failure),
    /// All are being stopped, in their order.
    Stopping,
    /// All are being killed.
    Killing,
}

/// Who shows it: of which service, and what. Of none: of all.
pub type Show<'a> = dyn FnMut(Option<&str>, &Happened<'_>) -> Result<(), Error> + 'a;

/// The words that make a styxy run a service.
pub type Words<'a> = dyn Fn(&str) -> Vec<OsString> + 'a;

/// What came of `up`.
pub struct Ended {
    /// What to end with.
    pub code: i32,
    /// The services that are ready, and where.
    pub ready: Vec<(String, Answer)>,
    /// Why it ended, where that is a failure.
    pub failure: Option<Error>,
}

/// What a wait was ended by.
#[derive(Clone, Copy)]
enum Waker {
    Interrupt,
    Report(usize),
    Log(usize),
}

/// All of it, while it goes on.
struct Up<'a> {
    host: &'a Host,
    lineup: Lineup,
    stay: Stay,
    words: &'a Words<'a>,
    /// How a failure's kind becomes a code.
    code_of: fn(Kind) -> i32,
    show: &'a mut Show<'a>,
    /// No further one is started.
    winding_up: bool,
    /// What to end with, once something has decided that.
    code: Option<i32>,
    failure: Option<Error>,
}

impl Host {
    /// Starts the services, and stays with them as long as that is wanted.
    pub fn up<'a>(
        &'a self,
        lineup: Lineup,
        stay: Stay,
        words: &'a Words<'a>,
        code_of: fn(Kind) -> i32,
        show: &'a mut Show<'a>,
    ) -> Result<Ended, Error> {
        let failed = |source| Error::System { deed: "receive signals", source };
        let interrupts = Interrupts::take().map_err(failed)?;
        let (code, failure) = (None, None);
        let mut up =
            Up { host: self, lineup, stay, words, code_of, show, winding_up: false, code, failure };
        up.live(&interrupts);
        Ok(up.ended())
    }
}

impl Up<'_> {
    /// From the first start to the last end.
    fn live(&mut self, interrupts: &Interrupts) {
        let mut errors = 0;
        while !self.is_over() && errors < ERRORS_MAX {
            if let Err(error) = self.turn(interrupts) {
                // What was started is stopped all the same, by the kernel at the latest.
                self.fail(error);
                errors += 1;
            }
        }
    }

    fn is_over(&self) -> bool {
        let stages = self.lineup.stages();
        let settled = !stages.contains(&Stage::Starting);
        match self.stay {
            _ if self.interrupted_while_detaching() => true,
            Stay::UntilReady => settled && (self.winding_up || !stages.contains(&Stage::Waiting)),
            Stay::WithThem => {
                settled
                    && !stages.contains(&Stage::Ready)
                    && (self.winding_up || !stages.contains(&Stage::Waiting))
            }
        }
    }

    /// As with `run -d`: what is being started goes on without who waited for it.
    fn interrupted_while_detaching(&self) -> bool {
        self.stay == Stay::UntilReady && self.code.is_some() && self.failure.is_none()
    }

    /// Starts and stops what may be, then waits for one thing to happen and takes it in.
    fn turn(&mut self, interrupts: &Interrupts) -> Result<(), Error> {
        let stages = self.lineup.stages();
        if !self.winding_up {
            for place in self.lineup.order.startable(&stages) {
                self.start(place)?;
            }
        } else if self.stay == Stay::WithThem {
            for place in self.lineup.order.stoppable(&stages) {
                self.lineup.members[place].ask_to_end();
            }
        }
        let wakers: Vec<Waker> = self.wait(interrupts)?;
        for waker in wakers {
            match waker {
                Waker::Interrupt => self.interrupted(interrupts)?,
                Waker::Report(place) => self.reported(place)?,
                Waker::Log(place) => {
                    self.written(place)?;
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, place: usize) -> Result<(), Error> {
        let failed = |source| Error::System { deed: "start a supervisor", source };
        let member = &mut self.lineup.members[place];
        member.stage = Stage::Starting;
        let log = (self.stay == Stay::WithThem).then(|| self.host.log_from_now(&member.instance));
        member.log = log.transpose()?;
        let started = Companion::start(&(self.words)(&member.name));
        if started.is_err() {
            member.stage = Stage::Over;
        }
        member.companion = Some(started.map_err(failed)?);
        Ok(())
    }

    fn wait(&self, interrupts: &Interrupts) -> Result<Vec<Waker>, Error> {
        let mut set = WaitSet::new();
        set.add(Waker::Interrupt, interrupts, Interest::Readable);
        for (place, member) in self.lineup.members.iter().enumerate() {
            if let Some(companion) = &member.companion {
                set.add(Waker::Report(place), companion, Interest::Readable);
            }
            if let Some(log) = &member.log {
                set.add(Waker::Log(place), log, Interest::Readable);
            }
        }
        let unread = |(place, member): (usize, &Member)| member.unread.then_some(Waker::Log(place));
        let mut wakers: Vec<Waker> =
            self.lineup.members.iter().enumerate().filter_map(unread).collect();
        let deadline = (!wakers.is_empty()).then(clock::now);
        let failed = |source| Error::System { deed: "wait for the services", source };
        wakers.extend(set.wait(deadline).map_err(failed)?);
        Ok(wakers)
    }

    /// Ctrl-C and TERM: the first one stops all in their order, a further one kills.
    fn interrupted(&mut self, interrupts: &Interrupts) -> Result<(), Error> {
        let mut count = interrupts.count();
        if count > 0 && self.code.is_none() {
            self.code = Some(interrupts.which().exit_code());
            self.winding_up = true;
            count -= 1;
            if self.stay == Stay::WithThem {
                (self.show)(None, &Happened::Stopping)?;
            }
        }
        if count > 0 && self.stay == Stay::WithThem {
            self.kill();
            (self.show)(None, &Happened::Killing)?;
        }
        Ok(())
    }

    fn kill(&mut self) {
        for member in self.lineup.members.iter_mut().filter(|member| member.companion.is_some()) {
            member.asked_to_end = true;
            let lock_id = member.answer.as_ref().and_then(|answer| answer.lock_id.as_ref());
            let lock_id = lock_id.and_then(|lock_id| lock_id.parse().ok());
            let line =
                lock_id.and_then(|id| Line::connect(self.host.store.run().as_fd(), &id).ok());
            match line {
                // Whoever is gone meanwhile needs no order.
                Some(mut line) => drop(line.ask(Haste::Kill.wish())),
                None => member.companion.iter().for_each(Companion::ask_to_end),
            }
        }
    }

    /// Takes in what a supervisor reports.
    fn reported(&mut self, place: usize) -> Result<(), Error> {
        let news = self.lineup.members[place].read_report()?;
        // Its output comes before what is said of it.
        self.written(place)?;
        for news in news {
            match news {
                News::Said(said) => self.said(place, &said)?,
                News::Ready(answer) => {
                    let member = &mut self.lineup.members[place];
                    member.stage = Stage::Ready;
                    member.answer = Some(*answer.clone());
                    let said = if answer.existing {
                        Said::Reused { answer }
                    } else {
                        Said::Ready { answer }
                    };
                    (self.show)(Some(&member.name), &Happened::Said(&said))?;
                }
                News::Failed(failure) => self.lineup.members[place].failure = Some(failure),
                News::Unconfirmed(proposal) => {
                    let failure = Error::Unconfirmed(proposal).failure(self.code_of);
                    self.lineup.members[place].failure = Some(failure);
                }
                News::Closed if self.is_left_alone(place) => {
                    let member = &mut self.lineup.members[place];
                    (member.companion, member.log) = (None, None);
                }
                News::Closed => self.closed(place)?,
            }
        }
        Ok(())
    }

    /// Ready in the background, it is waited for no longer.
    fn is_left_alone(&self, place: usize) -> bool {
        self.stay == Stay::UntilReady && self.lineup.members[place].stage == Stage::Ready
    }

    fn said(&mut self, place: usize, said: &Said) -> Result<(), Error> {
        let member = &mut self.lineup.members[place];
        if let Said::Started { answer } = said {
            member.answer = Some(*answer.clone());
        } else if let Said::Attached { ready: true, .. } = said {
            member.stage = Stage::Ready;
        } else if let Said::Stopped { .. } = said {
            member.stopped = true;
        }
        (self.show)(Some(&member.name), &Happened::Said(said))
    }

    /// A supervisor has ended.
    fn closed(&mut self, place: usize) -> Result<(), Error> {
        let failed = |source| Error::System { deed: "wait for a supervisor", source };
        let member = &mut self.lineup.members[place];
        let mut companion = member.companion.take().expect("its report was just closed");
        let end = companion.wait().map_err(failed)?;
        member.stage = Stage::Over;
        while self.lineup.members[place].log.is_some() && self.written(place)? {}
        let member = &mut self.lineup.members[place];
        member.log = None;
        if let Some(rest) = member.rest_of_output() {
            (self.show)(Some(&member.name), &Happened::Line(&rest))?;
        }
        if end == End::Killed && !member.asked_to_end {
            self.bury(place);
        }
        self.judge(place, end)
    }

    /// What a killed supervisor left is stopped before anyone hears of it.
    fn bury(&self, place: usize) {
        let answer = self.lineup.members[place].answer.as_ref();
        if let Some(lock_id) = answer.and_then(|answer| answer.lock_id.as_deref()) {
            // The next command for it does what could not be done now.
            let _ = self.host.stop(lock_id, Haste::Kill, &|_| {});
        }
    }

    /// What the end of a service means for the others.
    fn judge(&mut self, place: usize, end: End) -> Result<(), Error> {
        let stays = self.stay == Stay::WithThem;
        let member = &mut self.lineup.members[place];
        let code = end.code();
        let failure = match member.failure.take() {
            // An end on the way to readiness is no failure when it was asked for, or did its work.
            Some(failure) if failure.kind == Kind::Ended && failure.code == 0 => None,
            Some(failure) if failure.kind == Kind::Ended && member.asked_to_end => None,
            Some(failure) => Some(failure),
            None if code == 0 || member.stopped || member.asked_to_end => None,
            None => {
                let name = member.instance.to_string();
                let error = match end {
                    End::Code(code) => Error::EndedByItself { name, code },
                    End::Killed => Error::SupervisorKilled { name },
                };
                Some(error.failure(self.code_of))
            }
        };
        let Some(failure) = failure else {
            if member.is_elsewhere() {
                return Ok(());
            }
            let asked = member.stopped || member.asked_to_end;
            return (self.show)(Some(&member.name), &Happened::Over { asked });
        };
        (self.show)(Some(&member.name), &Happened::Failed(&failure))?;
        let (service, code) = (member.name.clone(), failure.code);
        self.winding_up = true;
        if self.code.is_none() {
            self.code = Some(code);
            self.failure = Some(Error::ServiceFailed { service, code, stopped: stays });
        }
        Ok(())
    }

    /// Shows what has been written; tells whether there was anything.
    fn written(&mut self, place: usize) -> Result<bool, Error> {
        let member = &mut self.lineup.members[place];
        let lines = member.read_output()?;
        for line in &lines {
            (self.show)(Some(&member.name), &Happened::Line(line))?;
        }
        Ok(member.unread || !lines.is_empty())
    }

    /// Something of `up` itself does not work: all is stopped, and that is what it ends with.
    fn fail(&mut self, error: Error) {
        self.winding_up = true;
        if self.failure.is_none() {
            self.code = Some((self.code_of)(error.kind()));
            self.failure = Some(error);
        }
    }

    fn ended(self) -> Ended {
        let ready = self.lineup.members.into_iter().filter(|member| member.stage == Stage::Ready);
        let ready = ready.filter_map(|member| Some((member.name, member.answer?)));
        Ended { code: self.code.unwrap_or(0), ready: ready.collect(), failure: self.failure }
    }
}

//! The loop that drives the machine: waits for one thing to happen, steps, and does what is asked for.
//!
//! One thread, one blocking wait, and no wake-up while there is nothing to do. What follows from what is the
//! machine's business; telling people is left to whoever handed in `report`.

mod containers;
mod family;
mod insight;
mod looks;
mod proof;
mod sight;
mod telling;
#[cfg(test)]
mod tests;
mod word;

use super::{
    action::{Action, Progress},
    event::{Event, Signal, Who},
    line::{Call, Callers},
    machine::Machine,
    message::{FromClient, Standing},
    outcome::{Lesson, Outcome},
    phases::Phases,
    policy::Policy,
    readiness::PortSight,
};
use crate::{
    os::{
        claim::Claim,
        clock,
        logs::{Keeper, Wake},
        notify::NotifySocket,
        signals::{Received as Arrived, Signals},
        spawn::{Record, Spawn, SpawnError},
        terminal::Terminal,
        tree,
        wait_set::{Interest, WaitSet},
    },
    ports::Port,
    store::run_dir::Held,
};
pub use containers::Contained;
use containers::Containers;
use family::{Family, Reaped};
pub use insight::Insight;
use looks::Looks;
use nix::sys::signal::{Signal as Received, raise};
use std::{
    collections::VecDeque,
    io,
    path::Path,
    time::{Duration, Instant},
};

/// A life that lasts so long is worth tidying up for: memory that is not needed any more is given back.
const REST_AFTER: Duration = Duration::from_millis(100);

/// What one life needs.
pub struct Setup<'a> {
    /// By what rules. Whether the child has the terminal is found out here.
    pub policy: Policy,
    /// What is started. Terminal and record are added here.
    pub command: Spawn<'a>,
    /// The port that it is to serve.
    pub port: Port,
    /// The claims on its ports, whose reservations may have to be given up.
    pub claims: &'a mut [Claim],
    /// Its run files.
    pub held: &'a mut Held,
    /// Those who are connected to its socket.
    pub callers: &'a mut Callers,
    /// Whether the child may have the terminal.
    pub stage: Stage,
    /// Where a line of its output may say that it is ready.
    pub log: Option<LogCheck<'a>>,
    /// Where it says itself how it is.
    pub notify: Option<&'a NotifySocket>,
    /// What keeps its output small, where that goes to a log.
    pub keeper: Option<&'a mut Keeper>,
    /// Its containers, if its command starts some.
    pub contained: Option<Contained<'a>>,
    /// Is told what is worth a line, and what is known besides.
    pub report: &'a mut dyn FnMut(&Progress, &Insight),
    /// Called once, before the first long rest: to free what is of no more use.
    pub before_rest: &'a mut dyn FnMut(),
}

/// Where a life takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// In front of a user: the terminal, if there is one, is the child's.
    Foreground,
    /// Behind the scenes.
    Background,
}

/// How a line of output is known to say that the instance is ready.
#[derive(Clone, Copy)]
pub struct LogCheck<'a> {
    /// The file that the child writes.
    pub path: &'a Path,
    /// Whether this line says so.
    pub says_ready: &'a dyn Fn(&str) -> bool,
}

/// A life that is over.
#[derive(Debug)]
pub struct Life {
    /// How it ended.
    pub outcome: Outcome,
    /// Why the command could not be started, if it couldn't.
    pub refusal: Option<SpawnError>,
    /// What it showed about starting over a reservation.
    pub lesson: Lesson,
    /// How often the command was started again.
    pub restarts: u32,
    /// How long it took to be ready for the first time.
    pub ready_after: Option<Duration>,
    /// What was seen of its last start.
    pub insight: Insight,
}

/// Lives one life to its end, when the whole tree is gone. The outcome is not yet told to callers: that is
/// for when the lease is released too. An error means that nothing could be waited for any more; the tree
/// got KILL then, and is not known to be gone.
pub fn supervise<'a>(setup: Setup<'a>, signals: &'a Signals) -> io::Result<Life> {
    tree::become_subreaper()?;
    let terminal = match setup.stage {
        Stage::Foreground => Terminal::take_if_foreground(),
        Stage::Background => None,
    };
    let mut policy = setup.policy.clone();
    policy.at_terminal = terminal.is_some();
    let (machine, actions) = Machine::start(policy, clock::now());
    let place = Driver::place(&setup.command);
    let contained = setup.contained.is_some();
    let mut driver = Driver {
        looks: Looks::new(&setup),
        containers: setup.contained.map(|contained| Containers::new(contained, place)),
        setup,
        signals,
        terminal,
        machine,
        family: Family::new(contained),
        queue: VecDeque::new(),
        told: None,
        phases: Phases::default(),
        rest_at: Some(clock::now() + REST_AFTER),
        refusal: None,
        outcome: None,
    };
    driver.perform(actions);
    driver.live()
}

struct Driver<'a> {
    setup: Setup<'a>,
    signals: &'a Signals,
    terminal: Option<Terminal>,
    machine: Machine,
    family: Family,
    looks: Looks<'a>,
    containers: Option<Containers<'a>>,
    /// What has happened and was not stepped yet.
    queue: VecDeque<Event>,
    /// What callers and the record were last told.
    told: Option<Standing>,
    /// The phases that were told.
    phases: Phases,
    /// When the memory that is not needed any more is given back, until it has been.
    rest_at: Option<Instant>,
    refusal: Option<SpawnError>,
    outcome: Option<Outcome>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
enum Source {
    Signals,
    Call(Call),
    Check,
    Engine,
    Log,
    Word,
    Growth,
}

impl Driver<'_> {
    fn live(mut self) -> io::Result<Life> {
        let mut set = WaitSet::new();
        loop {
            while let Some(event) = self.queue.pop_front() {
                let actions = self.machine.step(event, clock::now());
                self.perform(actions);
            }
            if let Some(outcome) = self.outcome.take() {
                return Ok(self.finish(outcome));
            }
            self.tell_standing();
            if let Err(error) = self.wait(&mut set) {
                // Nothing is left running that nobody watches.
                self.looks.abandon();
                self.family.kill_all(self.aside());
                return Err(error);
            }
        }
    }

    /// Waits until something happens, and takes it in.
    fn wait(&mut self, set: &mut WaitSet<Source>) -> io::Result<()> {
        set.clear();
        set.add(Source::Signals, self.signals, Interest::Readable);
        self.setup.callers.wait_for(set, Source::Call);
        if let Some(check) = self.looks.check() {
            set.add(Source::Check, check, check.interest());
        }
        if let Some(containers) = &self.containers {
            containers.wait_for(set, Source::Engine);
            if let Some(question) = self.looks.question() {
                set.add(Source::Check, question, Interest::Readable);
            }
        }
        if let Some(follow) = self.looks.follow() {
            set.add(Source::Log, follow, Interest::Readable);
        }
        if let Some(notify) = self.setup.notify {
            set.add(Source::Word, notify, Interest::Readable);
        }
        let mut tend_at = None;
        match self.setup.keeper.as_ref().map(|keeper| keeper.wake(clock::now())) {
            Some(Wake::Readable(grown)) => set.add(Source::Growth, grown, Interest::Readable),
            Some(Wake::At(moment)) => tend_at = Some(moment),
            None => {}
        }
        let engine_at = self.containers.as_ref().and_then(Containers::deadline);
        let look_at = self.looks.deadline();
        let deadline = [self.machine.deadline(), self.rest_at, tend_at, engine_at, look_at];
        let deadline = deadline.into_iter().flatten().min();
        for source in set.wait(deadline)? {
            self.take_in(source)?;
        }
        let now = clock::now();
        if engine_at.is_some_and(|engine_at| engine_at <= now) {
            self.hear_engine();
        }
        if look_at.is_some_and(|look_at| look_at <= now) {
            self.advance_look();
        }
        if self.machine.deadline().is_some_and(|deadline| deadline <= now) {
            self.queue.push_back(Event::Tick);
        }
        if self.rest_at.is_some_and(|rest_at| rest_at <= now) {
            self.rest_at = None;
            (self.setup.before_rest)();
        }
        if tend_at.is_some_and(|tend_at| tend_at <= now) {
            self.tend_log();
        }
        Ok(())
    }

    fn take_in(&mut self, source: Source) -> io::Result<()> {
        match source {
            Source::Signals => self.read_signals()?,
            Source::Call(call) => {
                let standing = self.standing();
                for wish in self.setup.callers.hear(call, &standing) {
                    match wish {
                        FromClient::Stop { kill: false, timeout_ms: Some(ms) } => {
                            let grace = Duration::from_millis(ms);
                            self.queue.push_back(Event::StopWithin(grace));
                        }
                        FromClient::Stop { kill, .. } => {
                            self.queue.push_back(Event::Stop { kill });
                        }
                        FromClient::Restart => self.queue.push_back(Event::Restart),
                        FromClient::Checks => self.tell_checks(call),
                        FromClient::Attach
                        | FromClient::Standby
                        | FromClient::Dismiss
                        | FromClient::Unknown => {}
                    }
                }
            }
            Source::Check => self.advance_look(),
            Source::Engine => self.hear_engine(),
            Source::Growth => self.tend_log(),
            Source::Log => {
                if self.looks.read_log() {
                    self.queue.push_back(Event::SaidReady);
                }
            }
            Source::Word => self.listen(),
        }
        Ok(())
    }

    fn tend_log(&mut self) {
        if let Some(keeper) = &mut self.setup.keeper {
            keeper.tend(clock::now());
        }
    }

    // ── What is asked for ────────────────────────────────────────────────────────────────────────────────

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start => self.start(),
                Action::StartWithoutReservation => {
                    self.setup.claims.iter_mut().for_each(Claim::drop_reservation);
                    self.start();
                }
                Action::Check(check) => {
                    let finding = self.looks.begin(check, &mut self.family);
                    self.queue.extend(finding.map(Event::CheckEnded));
                }
                Action::AbandonCheck => self.looks.abandon(),
                Action::LookAtPort => {
                    let sight = self.containers_sight().unwrap_or_else(|| self.port_sight());
                    self.queue.push_back(Event::PortSeen(sight));
                }
                Action::LookElsewhere => self.looks.elsewhere(&mut self.family),
                Action::PassOn(signal) if self.pass_on_to_containers(signal) => {}
                Action::PassOn(signal) => self.family.pass_on(signal),
                Action::SignalGroup(signal) if self.stop_containers(signal) => {}
                Action::SignalGroup(signal) => self.family.signal_group(signal),
                Action::SignalTree { signal, spare_group } => {
                    self.stop_containers(signal);
                    let left = self.family.signal_all(signal, spare_group, self.aside());
                    let left = self.with_containers(left);
                    self.queue.push_back(Event::TreeSeen { left });
                }
                Action::KillTree => {
                    let left = self.kill_tree();
                    self.queue.push_back(Event::TreeSeen { left });
                }
                Action::Report(progress) => self.report(&progress),
                Action::End(outcome) => self.outcome = Some(outcome),
            }
        }
    }

    fn port_sight(&mut self) -> PortSight {
        match self.looks.port(&mut self.family) {
            // Who has named its main process is alive as long as that is, listening or not.
            PortSight::Unserved if self.family.main_lives(self.aside()) => PortSight::Own,
            sight => sight,
        }
    }

    fn start(&mut self) {
        // What else ended with the start before, as its listener beside the leader, is no end of this one.
        let is_end =
            |event: &Event| matches!(event, Event::Ended { .. } | Event::OrphanEnded { .. });
        self.queue.retain(|event| !is_end(event));
        self.looks.before_start(self.told.is_none());
        let again = self.containers.as_mut().and_then(Containers::before_start);
        let command = match &again {
            Some(words) => Spawn { program: &words[0], arguments: words, ..self.setup.command },
            None => self.setup.command,
        };
        let foreground = self.terminal.as_mut().and_then(Terminal::lend);
        let record = self.setup.held.leader_slot();
        let record = record.map(|(file, offset)| Record { file, offset });
        match (Spawn { foreground, record, ..command }).start() {
            Ok(child) => {
                let pid = child.pid.as_raw();
                self.family.begin(pid);
                self.queue.push_back(Event::Started);
                self.report(&Progress::Started { pid });
            }
            Err(error) => {
                let code = match error {
                    SpawnError::NotFound { .. } => 127,
                    SpawnError::NotExecutable { .. } => 126,
                    SpawnError::Other { .. } => 125,
                };
                self.refusal = Some(error);
                self.queue.push_back(Event::NotStarted { code });
            }
        }
    }

    // ── What has happened ────────────────────────────────────────────────────────────────────────────────

    fn read_signals(&mut self) -> io::Result<()> {
        while let Some(Arrived { signal, .. }) = self.signals.read()? {
            match signal {
                Received::SIGCHLD => self.reap(),
                Received::SIGCONT => self.go_on(),
                other => self.queue.push_back(Event::Signal(Signal(other as i32))),
            }
        }
        Ok(())
    }

    fn reap(&mut self) {
        let mut ended = Vec::new();
        let any_left = loop {
            match self.family.reap(self.aside()) {
                (None, any_left) => break any_left,
                (Some(Reaped::Aside(pid)), _) => self.aside_ended(pid),
                (Some(Reaped::LeaderStopped(signal)), _) => self.suspend(signal),
                (Some(Reaped::Nobody), _) => {}
                (Some(other), _) => ended.push(other),
            }
        };
        if ended.is_empty() {
            return;
        }
        let tree_left = self.contains() || (any_left && self.family.is_left(self.aside()));
        let mut orphans = false;
        // The leader first: what the end of its listener means depends on it.
        ended.sort_by_key(|reaped| !matches!(reaped, Reaped::Leader(_)));
        for reaped in ended {
            let (who, end) = match reaped {
                Reaped::Leader(end) => {
                    self.take_terminal_back();
                    if self.leader_left(end) {
                        continue;
                    }
                    (Who::Leader, end)
                }
                Reaped::Listener(end) => (Who::Listener, end),
                Reaped::Orphan | Reaped::Aside(_) | Reaped::LeaderStopped(_) | Reaped::Nobody => {
                    orphans = true;
                    continue;
                }
            };
            self.queue.push_back(Event::Ended { who, end, tree_left });
        }
        if orphans {
            self.queue.push_back(Event::OrphanEnded { tree_left });
        }
    }

    /// Ctrl-Z: the shell is to see us stopped, and continues us.
    fn suspend(&mut self, stopped_by: Received) {
        let Some(group) = self.family.leader_group() else { return };
        match &mut self.terminal {
            // That the terminal went away is told by a HUP.
            Some(terminal) => drop(terminal.suspend_self(group, stopped_by)),
            // In the background it wanted to read or to write: a shell says so of its job.
            None if self.setup.stage == Stage::Foreground && wants_terminal(stopped_by) => {
                let _ = raise(Received::SIGTSTP);
            }
            None => {}
        }
    }

    /// We were continued, or somebody wants the child to go on.
    fn go_on(&mut self) {
        if self.terminal.is_none() && self.setup.stage == Stage::Foreground {
            self.terminal = Terminal::take_if_foreground();
        }
        match (&mut self.terminal, self.family.leader_group()) {
            (Some(terminal), Some(group)) => drop(terminal.resume(group)),
            _ => self.queue.push_back(Event::Signal(Signal(Received::SIGCONT as i32))),
        }
    }

    fn take_terminal_back(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            // A terminal that went away is nobody's.
            let _ = terminal.take_back();
            let _ = terminal.restore();
        }
    }

    fn finish(mut self, outcome: Outcome) -> Life {
        self.take_terminal_back();
        if !matches!(outcome, Outcome::Stuck { .. }) {
            self.containers.iter().for_each(Containers::over);
            self.setup.held.update(|vitals| vitals.over = true);
        }
        Life {
            outcome,
            refusal: self.refusal,
            lesson: self.machine.lesson(),
            restarts: self.machine.restarts(),
            ready_after: self.machine.first_ready_after(),
            insight: self.looks.insight,
        }
    }
}

/// A job in the background is stopped for these two by the kernel.
fn wants_terminal(signal: Received) -> bool {
    matches!(signal, Received::SIGTTIN | Received::SIGTTOU)
}

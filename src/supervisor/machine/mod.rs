//! The life of one instance: events in, actions out.
//!
//! Pure: it reads no clock, starts nothing and waits for nothing. What a check, a restart or a stop means in
//! itself stands in `readiness`, `liveness`, `restart` and `stopping`; here is what follows from what. What can be
//! asked of it is in `standing`.

mod standing;

use super::{
    action::{Action, Check, Progress},
    attempt::{Attempt, Due, Ending},
    checks::Checks,
    event::{End, Event, Signal, Who},
    liveness::Change,
    outcome::{Lesson, Outcome},
    policy::{Policy, WhenLate},
    readiness::{Finding, PortSight, Reservation, UnreadyEnd, judge_unready_end},
    restart::{Failing, History, Verdict, jitter},
    stopping::{Gone, Progressed, Stop, Why},
};
use crate::config::{ReadyCheck, RestartPolicy};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Where a supervised instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Started, not ready yet.
    Starting,
    /// Ready.
    Ready,
    /// Its liveness checks fail.
    Unhealthy,
    /// Ended, and about to be started again.
    Backoff,
    /// Its tree is being ended.
    Stopping,
    /// Its tree survived KILL.
    Stuck,
}

/// One life, from the first start to the one outcome.
#[derive(Debug)]
pub struct Machine {
    policy: Policy,
    state: State,
    history: History,
    lesson: Lesson,
    restarts: u32,
    first_ready_after: Option<Duration>,
    /// When it is given up unless it was ready, whatever starts that takes.
    ready_by: Option<Instant>,
    /// That it is late for the first time has been said.
    said_late: bool,
    /// Its last liveness checks, of all starts.
    pub(super) checks: Checks,
}

#[derive(Debug)]
enum State {
    /// The command runs, or its tree without it.
    Running(Attempt),
    /// Nothing runs until then.
    Backoff { until: Instant, end: End },
    /// The tree is being ended.
    Stopping(Stop),
    /// Nothing runs, and nothing will.
    Over,
}

/// One step: its moment, and what it asks for.
pub(super) struct Turn {
    /// The moment.
    pub(super) now: Instant,
    actions: Vec<Action>,
}

impl Turn {
    /// Asks for one thing more.
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn report(&mut self, progress: Progress) {
        self.act(Action::Report(progress));
    }

    fn end(&mut self, outcome: Outcome) -> State {
        self.act(Action::End(outcome));
        State::Over
    }
}

impl Machine {
    /// A life that begins now, and its first actions.
    pub fn start(policy: Policy, now: Instant) -> (Self, Vec<Action>) {
        let ready_by = policy.ready_by(now);
        let state = State::Running(Attempt::new(&policy, ready_by, now));
        let machine = Self {
            policy,
            state,
            history: History::default(),
            lesson: Lesson::default(),
            restarts: 0,
            first_ready_after: None,
            ready_by,
            said_late: false,
            checks: Checks::default(),
        };
        (machine, vec![Action::Start])
    }

    /// Takes in one event, and says what to do about it, in order.
    #[must_use]
    pub fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut turn = Turn { now, actions: Vec::new() };
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Running(attempt) => self.running(attempt, event, &mut turn),
            State::Backoff { until, end } => self.backoff(until, end, &event, &mut turn),
            State::Stopping(mut stop) => {
                match stop.step(event, self.policy.stop_signal, &mut turn) {
                    Progressed::Not => State::Stopping(stop),
                    Progressed::ToTheEnd(gone) => self.settle(gone, &mut turn),
                    Progressed::GivenUp(pids) => turn.end(Outcome::Stuck { pids }),
                }
            }
            State::Over => State::Over,
        };
        turn.actions
    }

    /// When to step with `Tick`, unless something happens before. `None`: sleep until it does.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Running(attempt) => attempt.deadline(),
            State::Backoff { until, .. } => Some(self.ready_by.map_or(*until, |at| at.min(*until))),
            State::Stopping(stop) => stop.deadline(),
            State::Over => None,
        }
    }

    fn running(&mut self, mut attempt: Attempt, event: Event, turn: &mut Turn) -> State {
        let polite = self.policy.stop_signal;
        match event {
            Event::Started if self.policy.ready == ReadyCheck::None => {
                return self.ready(attempt, turn);
            }
            Event::NotStarted { code } => return turn.end(Outcome::NotStarted { code }),
            Event::Ended { who, end, tree_left } => {
                return self.ended(attempt, Ending { who, end, tree_left, at: turn.now }, turn);
            }
            Event::OrphanEnded { tree_left: false } => return self.tree_gone(attempt, turn),
            Event::TreeSeen { left } if left.is_empty() => return self.tree_gone(attempt, turn),
            Event::CheckEnded(finding) if attempt.is_checking() => {
                return self.checked(attempt, finding, turn);
            }
            Event::SaidReady
                if self.policy.waits_for_word()
                    && attempt.ready_since.is_none()
                    && !attempt.is_checking() =>
            {
                // Its word counts as soon as nobody else serves its port.
                self.check(&mut attempt, turn);
            }
            Event::SaidStopping if attempt.last_end().is_none() => {
                return self.ends_by_itself(&attempt, turn);
            }
            Event::MoreTime(more) => self.give_time(&mut attempt, more, turn.now),
            Event::PortSeen(sight) => return self.port_seen(attempt, sight, turn),
            // Background jobs of a shell ignore INT, and they are what a leader leaves behind.
            Event::Signal(Signal::INT) if attempt.last_end().is_none() => {
                return self.stop(&attempt, Why::Asked, Signal::INT, turn);
            }
            Event::Signal(Signal::INT | Signal::TERM) | Event::Stop { kill: false } => {
                return self.stop(&attempt, Why::Asked, polite, turn);
            }
            Event::Stop { kill: true } => {
                return self.stop(&attempt, Why::Asked, Signal::KILL, turn);
            }
            Event::StopWithin(grace) => {
                self.policy.stop_timeout = grace;
                return self.stop(&attempt, Why::Asked, polite, turn);
            }
            Event::Restart => return self.stop(&attempt, Why::Restart, polite, turn),
            Event::Tick => return self.tick(attempt, turn),
            Event::Signal(signal) => {
                attempt.note_passed_on(signal);
                turn.act(Action::PassOn(signal));
            }
            Event::Started
            | Event::OrphanEnded { tree_left: true }
            | Event::TreeSeen { .. }
            | Event::CheckEnded(_)
            | Event::SaidReady
            | Event::SaidStopping => {}
        }
        State::Running(attempt)
    }

    /// Begins the check that is due.
    fn check(&self, attempt: &mut Attempt, turn: &mut Turn) {
        attempt.begin_check(&self.policy, turn.now);
        turn.act(Action::Check(match attempt.ready_since {
            None => Check::Readiness,
            Some(_) => Check::Liveness,
        }));
    }

    fn give_time(&mut self, attempt: &mut Attempt, more: Duration, now: Instant) {
        attempt.give_time(more, now);
        if self.ready_by.is_some() {
            self.ready_by = attempt.late_at();
        }
    }

    /// It has said that it is about to end. From now on nobody asks how it is, and it has the grace of a stop.
    fn ends_by_itself(&mut self, attempt: &Attempt, turn: &mut Turn) -> State {
        if attempt.is_checking() {
            turn.act(Action::AbandonCheck);
        }
        let (ready_for, patience) = (attempt.ready_for(turn.now), self.policy.patience());
        State::Stopping(Stop::by_itself(ready_for, patience, turn.now))
    }

    fn tick(&mut self, mut attempt: Attempt, turn: &mut Turn) -> State {
        match attempt.due(turn.now) {
            None => {}
            Some(Due::GiveUpCheck) => {
                turn.act(Action::AbandonCheck);
                return self.checked(attempt, Finding::Failed, turn);
            }
            Some(Due::Late) => return self.late(attempt, turn),
            Some(Due::Check) => self.check(&mut attempt, turn),
        }
        State::Running(attempt)
    }

    fn checked(&mut self, mut attempt: Attempt, finding: Finding, turn: &mut Turn) -> State {
        let (took, passed) = (attempt.checking_for(turn.now), finding == Finding::Passed);
        attempt.plan_check(&self.policy, turn.now);
        if attempt.ready_since.is_none() {
            attempt.stranger = finding == Finding::Stranger;
            return if passed { self.ready(attempt, turn) } else { State::Running(attempt) };
        }
        self.checks.note(passed, took, turn.now);
        let age = turn.now - attempt.began;
        match self.policy.liveness.and_then(|rules| attempt.health.note(passed, rules, age)) {
            None => {}
            Some(Change::Recovered) => turn.report(Progress::Healthy),
            Some(Change::Failed { failures }) => {
                turn.report(Progress::Unhealthy { failures });
                if self.policy.restart != RestartPolicy::No {
                    return self.stop(&attempt, Why::Unhealthy, self.policy.stop_signal, turn);
                }
            }
        }
        State::Running(attempt)
    }

    fn ready(&mut self, mut attempt: Attempt, turn: &mut Turn) -> State {
        attempt.set_ready(&self.policy, turn.now);
        let after = turn.now - attempt.began;
        self.first_ready_after.get_or_insert(after);
        (self.ready_by, self.said_late) = (None, false);
        // Without a check nothing was shown.
        if self.policy.ready != ReadyCheck::None {
            self.lesson = match (self.policy.reservation, self.lesson) {
                (Reservation::Settled | Reservation::Untried, _) => Lesson::Works,
                (Reservation::Without, Lesson::Retried) => Lesson::Fails,
                (Reservation::Without, lesson) => lesson,
            };
        }
        if self.policy.reservation == Reservation::Untried {
            self.policy.reservation = Reservation::Settled;
        }
        turn.report(Progress::Ready { after });
        State::Running(attempt)
    }

    /// It is not ready in time. The time-out is the first start's: who was ready once, and needs longer
    /// after a restart, is better off running.
    fn late(&mut self, mut attempt: Attempt, turn: &mut Turn) -> State {
        attempt.set_late();
        turn.act(Action::LookElsewhere);
        if self.policy.when_late == WhenLate::Stop && self.first_ready_after.is_none() {
            return self.stop(&attempt, Why::Late, self.policy.stop_signal, turn);
        }
        if let Some(end) = attempt.leader_end {
            // Nothing but the hope for readiness kept the remains of the command alive.
            let ending = Ending { who: Who::Leader, end, tree_left: true, at: turn.now };
            return self.ended(attempt, ending, turn);
        }
        if !std::mem::replace(&mut self.said_late, true) {
            let after = turn.now - attempt.began;
            turn.report(Progress::NotReadyYet { after, stranger: attempt.stranger });
        }
        State::Running(attempt)
    }

    fn ended(&mut self, mut attempt: Attempt, ending: Ending, turn: &mut Turn) -> State {
        let end = ending.end;
        let by_keys =
            self.policy.at_terminal && (end.is_by(Signal::INT) || end.is_by(Signal::QUIT));
        if by_keys || attempt.passed_on.is_some_and(|signal| end.is_by(signal)) {
            return self.close(&attempt, &ending, Why::Asked, turn);
        }
        if ending.may_run_on() && ending.who == Who::Leader && attempt.may_get_ready() {
            attempt.leader_end = Some(end);
            return State::Running(attempt);
        }
        if attempt.ready_since.is_none() || ending.may_run_on() {
            attempt.ending = Some(ending);
            turn.act(Action::LookAtPort);
            return State::Running(attempt);
        }
        self.close(&attempt, &ending, Why::Ended, turn)
    }

    /// Nothing of the tree is left. That is an end where it ran on without its leader.
    fn tree_gone(&mut self, mut attempt: Attempt, turn: &mut Turn) -> State {
        match (&mut attempt.ending, attempt.leader_end) {
            (Some(ending), _) => ending.tree_left = false,
            (None, Some(end)) => {
                let ending = Ending { who: Who::Leader, end, tree_left: false, at: turn.now };
                return self.ended(attempt, ending, turn);
            }
            (None, None) => {}
        }
        State::Running(attempt)
    }

    fn port_seen(&mut self, mut attempt: Attempt, sight: PortSight, turn: &mut Turn) -> State {
        let Some(ending) = attempt.ending.take() else {
            return State::Running(attempt);
        };
        if sight == PortSight::Own && ending.may_run_on() {
            attempt.leader_end.get_or_insert(ending.end);
            return State::Running(attempt);
        }
        let why = match attempt.ready_since {
            Some(_) => Why::Ended,
            None => {
                let age = turn.now - attempt.began;
                match judge_unready_end(ending.end, age, sight, self.policy.reservation) {
                    UnreadyEnd::Plain => Why::Ended,
                    UnreadyEnd::Stolen => Why::Stolen,
                    UnreadyEnd::Retry => Why::Retry,
                }
            }
        };
        self.close(&attempt, &ending, why, turn)
    }

    /// Asks a running tree to end.
    fn stop(&mut self, attempt: &Attempt, why: Why, signal: Signal, turn: &mut Turn) -> State {
        if attempt.is_checking() {
            turn.act(Action::AbandonCheck);
        }
        let patience = self.policy.patience();
        let ready_for = attempt.ready_for(turn.now);
        State::Stopping(Stop::begin(why, signal, attempt.last_end(), ready_for, patience, turn))
    }

    /// The command has ended: its remains are stopped, if there are any.
    fn close(&mut self, attempt: &Attempt, ending: &Ending, why: Why, turn: &mut Turn) -> State {
        if attempt.is_checking() {
            turn.act(Action::AbandonCheck);
        }
        let Ending { end, at, .. } = *ending;
        let ready_for = attempt.ready_for(at);
        if !ending.tree_left {
            return self.settle(Gone { why, end, at, ready_for }, turn);
        }
        let (signal, patience) = (self.policy.stop_signal, self.policy.patience());
        State::Stopping(Stop::begin(why, signal, Some(end), ready_for, patience, turn))
    }

    /// The tree is gone: what follows.
    fn settle(&mut self, gone: Gone, turn: &mut Turn) -> State {
        let code = gone.end.code();
        match gone.why {
            Why::Asked => turn.end(Outcome::Stopped { code }),
            Why::Late => turn.end(Outcome::NotReady),
            Why::Stolen => turn.end(Outcome::PortStolen),
            Why::Restart => self.start_afresh(turn),
            Why::Retry => {
                self.lesson = Lesson::Retried;
                self.policy.reservation = Reservation::Without;
                turn.report(Progress::Retrying { code });
                turn.act(Action::StartWithoutReservation);
                State::Running(Attempt::new(&self.policy, self.ready_by, turn.now))
            }
            Why::Ended | Why::Unhealthy => self.judge(gone, turn),
        }
    }

    /// Nobody asked for this end: whether it is started again.
    fn judge(&mut self, gone: Gone, turn: &mut Turn) -> State {
        let Gone { why, end, at, ready_for } = gone;
        let code = end.code();
        let failing = Failing { code, unhealthy: why == Why::Unhealthy, ready_for, at };
        let jitter = jitter(self.policy.dice, self.restarts);
        match self.history.judge(self.policy.restart, failing, jitter) {
            Verdict::LeaveEnded => turn.end(Outcome::Ended { code }),
            Verdict::UsedUp { restarts } => turn.end(Outcome::RestartsUsedUp { code, restarts }),
            Verdict::CrashLoop { ends } => turn.end(Outcome::CrashLoop { code, ends }),
            Verdict::RestartAfter(delay) => {
                turn.report(Progress::Restarting { code, delay });
                if delay.is_zero() {
                    return self.start_again(turn);
                }
                State::Backoff { until: turn.now + delay, end }
            }
        }
    }

    fn backoff(&mut self, until: Instant, end: End, event: &Event, turn: &mut Turn) -> State {
        match event {
            Event::Tick if self.ready_by.is_some_and(|at| at <= turn.now) => {
                turn.end(Outcome::NotReady)
            }
            Event::Tick if until <= turn.now => self.start_again(turn),
            Event::Restart => self.start_afresh(turn),
            Event::Stop { .. } | Event::StopWithin(_) => {
                turn.end(Outcome::Stopped { code: end.code() })
            }
            // There is nobody to pass it on to, so it does to styxy what it would have done to the command.
            Event::Signal(signal @ (Signal::INT | Signal::TERM | Signal::HUP | Signal::QUIT)) => {
                turn.end(Outcome::Stopped { code: signal.exit_code() })
            }
            Event::Tick
            | Event::Signal(_)
            | Event::Started
            | Event::NotStarted { .. }
            | Event::Ended { .. }
            | Event::OrphanEnded { .. }
            | Event::TreeSeen { .. }
            | Event::CheckEnded(_)
            | Event::SaidReady
            | Event::SaidStopping
            | Event::MoreTime(_)
            | Event::PortSeen(_) => State::Backoff { until, end },
        }
    }

    /// A start that was asked for: what was before does not count.
    fn start_afresh(&mut self, turn: &mut Turn) -> State {
        self.history = History::default();
        self.ready_by = self.ready_by.and_then(|_| self.policy.ready_by(turn.now));
        self.start_again(turn)
    }

    fn start_again(&mut self, turn: &mut Turn) -> State {
        self.restarts = self.restarts.saturating_add(1);
        turn.act(Action::Start);
        State::Running(Attempt::new(&self.policy, self.ready_by, turn.now))
    }
}

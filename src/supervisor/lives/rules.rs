//! The rules that every life keeps: what never happens, and what always comes.
//!
//! Tests only. Each rule is judged by what the world saw, without asking the machine why.

use super::{Life, Process, Temper, roll};
use crate::config::{ReadyCheck, RestartPolicy};
use crate::supervisor::{
    End, Event, Phase, Reservation, Signal, WhenLate, stopping::KILL_PATIENCE,
};
use std::time::Duration;

impl Life {
    // ── What never happens ───────────────────────────────────────────────────────────────────────────────

    pub(super) fn start(&mut self) {
        assert!(!self.asked, "a start after a stop was asked for");
        if std::mem::take(&mut self.restart_asked) {
            self.past.starts_since_ten_seconds = 0;
            self.past.quick_ends.clear();
            self.past.began = Some(self.now);
        } else {
            self.check_restart();
            self.check_in_time();
        }
        self.begin();
    }

    pub(super) fn begin(&mut self) {
        assert!(self.leader.is_none() && self.others.is_empty(), "two children at once");
        assert!(!self.checking, "a check of the one before is still under way");
        self.ready_since = None;
        self.unhealthy = false;
        if roll(&mut self.dice, 40) == 0 {
            self.past.last_end = Some((End::Exited(127), self.now));
            self.events.push_back(Event::NotStarted { code: 127 });
        } else {
            self.leader = Some(self.child());
            self.events.push_back(Event::Started);
        }
    }

    fn check_restart(&mut self) {
        let (end, at) = self.past.last_end.expect("it ended before");
        assert!(!matches!(end.code(), 126 | 127), "a start after {}", end.code());
        let bound = match self.policy.restart {
            RestartPolicy::No => 0,
            RestartPolicy::Always => u32::MAX,
            RestartPolicy::OnFailure { restarts_max } => {
                assert!(end.code() != 0 || self.unhealthy, "a start after a success");
                restarts_max.unwrap_or(u32::MAX)
            }
        };
        let ready_for = self.ready_since.map_or(Duration::ZERO, |since| at - since);
        if ready_for >= Duration::from_secs(10) {
            self.past.starts_since_ten_seconds = 0;
        }
        self.past.starts_since_ten_seconds += 1;
        let starts = self.past.starts_since_ten_seconds;
        assert!(starts <= bound, "restart {starts} of {bound}");
        if ready_for >= Duration::from_secs(1) {
            self.past.quick_ends.clear();
        } else {
            self.past.quick_ends.push(at);
        }
        let in_a_row = self.past.quick_ends.iter().rev();
        let within = in_a_row.filter(|earlier| at - **earlier <= Duration::from_secs(60)).count();
        assert!(within < 5, "a start in a loop");
    }

    /// Who gives up what is not ready in time does not start it again afterwards, for the first time.
    fn check_in_time(&self) {
        let gives_up = self.policy.when_late == WhenLate::Stop
            && self.policy.ready != ReadyCheck::None
            && !self.past.ever_ready
            && !self.past.more_time;
        let began = self.past.began.expect("the first start was asked for");
        if gives_up {
            assert!(self.now < began + self.policy.ready_timeout, "a start when it was too late");
        }
    }

    pub(super) fn check_retry(&self) {
        let (end, _) = self.past.last_end.expect("it ended before");
        assert_eq!(self.policy.reservation, Reservation::Untried);
        assert!(!self.asked && !self.past.retried && !self.past.ever_ready && end.code() != 0);
    }

    pub(super) fn check_standing(&self) {
        let alive = self.leader.is_some() || !self.others.is_empty();
        let dying = self.leader.iter().chain(&self.others).all(|process| process.dying.is_some());
        let (phase, deadline) = (self.machine.phase(), self.deadline());
        if self.outcome.is_none() && !alive {
            assert!(deadline.is_some(), "nothing lives in {phase:?}, and nothing will come");
        }
        if phase == Phase::Stopping && self.outcome.is_none() && !dying {
            assert!(deadline.is_some(), "who does not obey is left in peace");
        }
        if phase == Phase::Ready && self.policy.liveness.is_none() {
            assert_eq!(deadline, None, "it wakes up for nothing");
        }
    }

    // ── What always comes ────────────────────────────────────────────────────────────────────────────────

    pub(super) fn calm_weather_brings_the_end(&mut self) {
        let stuck = |process: &&mut Process| process.temper == Temper::Stuck;
        for process in self.leader.iter_mut().chain(&mut self.others).filter(stuck) {
            process.temper = Temper::Stubborn;
        }
        self.events.push_back(Event::Stop { kill: false });
        self.settle();
        self.deliver_deaths();
        // The grace, KILL, and KILL once more for those that were just freed.
        for _ in 0..3 {
            self.pass(self.policy.stop_timeout.max(KILL_PATIENCE));
            self.deliver_deaths();
        }
        if self.machine.phase() == Phase::Stuck {
            self.events.push_back(Event::Stop { kill: true });
            self.settle();
            self.deliver_deaths();
        }
        assert!(self.outcome.is_some(), "{:?} for ever", self.machine);
    }

    pub(super) fn calm_weather_brings_readiness(&mut self) {
        if !matches!(self.machine.phase(), Phase::Starting) || self.outcome.is_some() {
            return self.calm_weather_brings_the_end();
        }
        self.stranger = false;
        if let Some(process) = self.leader.iter_mut().chain(&mut self.others).next() {
            process.listens = true;
        }
        // A check that hangs may have to be given up first.
        for _ in 0..20 {
            self.pass(self.policy.probe_timeout + Duration::from_secs(1));
            self.events.push_back(Event::SaidReady);
            self.settle();
        }
        assert_ne!(self.machine.phase(), Phase::Starting, "{:?}", self.machine);
    }

    pub(super) fn silence_after_the_end(&mut self) {
        if self.outcome.is_none() {
            return self.calm_weather_brings_the_end();
        }
        for event in
            [Event::Tick, Event::Restart, Event::Stop { kill: true }, Event::Signal(Signal::TERM)]
        {
            assert_eq!(self.machine.step(event, self.now), [], "it is over");
        }
        assert_eq!(self.deadline(), None);
    }
}

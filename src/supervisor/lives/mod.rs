//! Random lives of the machine: bad weather, in which some things must never happen, and then calm weather,
//! in which others always come.
//!
//! Tests only. A failing life prints its seed; a found seed becomes a scene in `scenes`.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod rules;

use super::{
    Action, End, Event, Finding, Machine, Outcome, Phase, Policy, PortSight, Reservation, Signal,
    WhenLate, Who,
};
use crate::{
    config::{Liveness, ReadyCheck, RestartPolicy, ServiceSettings},
    os::clock,
};
use faults::Fault;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const LIVES: u64 = 20_000;
const ACCIDENTS: u32 = 60;

#[test]
fn a_life_keeps_every_rule_and_comes_to_one_end() {
    for seed in 0..LIVES {
        let life = std::panic::catch_unwind(|| Life::new(seed, None).live());
        assert!(life.is_ok(), "seed {seed}");
    }
}

/// How a process takes a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Temper {
    Obedient,
    Stubborn,
    /// Not even KILL ends it, until the weather is calm.
    Stuck,
}

#[derive(Debug, Clone, Copy)]
struct Process {
    temper: Temper,
    /// The signal that will end it.
    dying: Option<Signal>,
    listens: bool,
}

/// What is remembered of the ends so far, to judge starts without asking the machine.
#[derive(Debug, Default)]
struct Past {
    starts_since_ten_seconds: u32,
    quick_ends: Vec<Instant>,
    last_end: Option<(End, Instant)>,
    retried: bool,
    ever_ready: bool,
    /// When it was started on request.
    began: Option<Instant>,
    /// It asked for more time than it has.
    more_time: bool,
}

/// A machine in a small world.
struct Life {
    dice: u64,
    /// What is wrong with its machine, to see that it is noticed.
    fault: Option<Fault>,
    policy: Policy,
    /// Its command ends soon after each start.
    short_lived: bool,
    machine: Machine,
    now: Instant,
    leader: Option<Process>,
    others: Vec<Process>,
    stranger: bool,
    checking: bool,
    ready_since: Option<Instant>,
    /// Somebody asked for the end.
    asked: bool,
    /// Somebody asked for a new start.
    restart_asked: bool,
    /// A liveness check failed once too often.
    unhealthy: bool,
    past: Past,
    events: VecDeque<Event>,
    outcome: Option<Outcome>,
}

impl Life {
    fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let policy = random_policy(&mut dice);
        let now = clock::now();
        let (machine, actions) = Machine::start(policy.clone(), now);
        let mut life = Self {
            short_lived: roll(&mut dice, 8) == 0,
            dice,
            fault,
            policy,
            machine,
            now,
            leader: None,
            others: Vec::new(),
            stranger: false,
            checking: false,
            ready_since: None,
            asked: false,
            // The first start is asked for, too.
            restart_asked: true,
            unhealthy: false,
            past: Past::default(),
            events: VecDeque::new(),
            outcome: None,
        };
        life.perform(actions);
        life.settle();
        life
    }

    fn live(mut self) {
        for _ in 0..ACCIDENTS {
            if self.outcome.is_some() {
                break;
            }
            self.accident();
            self.settle();
            self.check_standing();
        }
        match roll(&mut self.dice, 2) {
            0 => self.calm_weather_brings_readiness(),
            _ => self.calm_weather_brings_the_end(),
        }
        self.silence_after_the_end();
    }

    fn accident(&mut self) {
        let short = self.short_lived && roll(&mut self.dice, 2) == 0;
        match roll(&mut self.dice, 24) {
            _ if short && self.leader.is_some() => self.end_leader(End::Exited(1)),
            _ if short => self.pass(Duration::from_secs(1)),
            0..=6 => {
                let ms = [1, 3, 50, 400, 1100, 11_000][index(&mut self.dice, 6)];
                self.pass(Duration::from_millis(ms));
            }
            7 | 8 => {
                let code = [0, 0, 1, 3, 127, 130][index(&mut self.dice, 6)];
                if self.leader.is_some_and(|leader| leader.temper != Temper::Stuck) {
                    self.end_leader(End::Exited(code));
                }
            }
            9 | 10 if self.leader.is_some() || !self.others.is_empty() => {
                let child = self.child();
                self.others.push(child);
            }
            11 if !self.others.is_empty() => {
                let which = index(&mut self.dice, self.others.len());
                self.end_other(which, End::Exited(5));
            }
            12 => {
                if let Some(leader) = &mut self.leader {
                    leader.listens ^= true;
                }
            }
            13 => {
                if let Some(other) = self.others.first_mut() {
                    other.listens ^= true;
                }
            }
            14 => self.stranger ^= true,
            15 => {
                let signal = [1, 2, 3, 10, 15, 18][index(&mut self.dice, 6)];
                self.events.push_back(Event::Signal(Signal(signal)));
            }
            16 if roll(&mut self.dice, 4) == 0 => {
                let kill = roll(&mut self.dice, 2) == 0;
                self.events.push_back(Event::Stop { kill });
            }
            17 if roll(&mut self.dice, 2) == 0 => self.events.push_back(Event::Restart),
            18 | 19 => self.events.push_back(Event::SaidReady),
            20 if roll(&mut self.dice, 4) == 0 => self.events.push_back(Event::SaidStopping),
            21 if roll(&mut self.dice, 2) == 0 => {
                let ms = [0, 10, 4000][index(&mut self.dice, 3)];
                self.events.push_back(Event::MoreTime(Duration::from_millis(ms)));
            }
            22 if roll(&mut self.dice, 8) == 0 => {
                let ms = [0, 100, 4000][index(&mut self.dice, 3)];
                self.events.push_back(Event::StopWithin(Duration::from_millis(ms)));
            }
            _ => self.deliver_deaths(),
        }
    }

    // ── The world ────────────────────────────────────────────────────────────────────────────────────────

    fn child(&mut self) -> Process {
        let temper = match roll(&mut self.dice, 10) {
            0 => Temper::Stuck,
            1..=3 => Temper::Stubborn,
            _ => Temper::Obedient,
        };
        Process { temper, dying: None, listens: roll(&mut self.dice, 2) == 0 }
    }

    fn end_leader(&mut self, end: End) {
        self.leader = None;
        self.past.last_end = Some((end, self.now));
        let tree_left = !self.others.is_empty();
        self.events.push_back(Event::Ended { who: Who::Leader, end, tree_left });
        self.settle();
    }

    fn end_other(&mut self, which: usize, end: End) {
        let other = self.others.remove(which);
        let tree_left = self.leader.is_some() || !self.others.is_empty();
        let is_listener = other.listens && self.leader.is_none();
        if is_listener {
            self.past.last_end = Some((end, self.now));
        }
        self.events.push_back(match is_listener {
            true => Event::Ended { who: Who::Listener, end, tree_left },
            false => Event::OrphanEnded { tree_left },
        });
        self.settle();
    }

    fn deliver_deaths(&mut self) {
        if let Some(signal) = self.leader.and_then(|leader| leader.dying) {
            self.end_leader(End::Signalled(signal));
        }
        while let Some(which) = self.others.iter().position(|other| other.dying.is_some()) {
            let signal = self.others[which].dying.unwrap();
            self.end_other(which, End::Signalled(signal));
        }
    }

    fn port(&self) -> PortSight {
        match self.leader.iter().chain(&self.others).any(|process| process.listens) {
            true => PortSight::Own,
            false if self.stranger => PortSight::Stranger,
            false => PortSight::Unserved,
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut at_once = 0;
        while let Some(due) = self.deadline().filter(|due| *due <= until) {
            at_once = if due > self.now { 0 } else { at_once + 1 };
            assert!(at_once < 8, "it is busy and nothing happens");
            self.now = self.now.max(due);
            self.events.push_back(Event::Tick);
            self.settle();
        }
        self.now = until;
    }

    /// The machine's answer, with its fault.
    fn step(&mut self, event: Event) -> Vec<Action> {
        let actions = self.machine.step(event, self.now);
        match self.fault {
            Some(fault) => fault.distort(actions, self.asked),
            None => actions,
        }
    }

    /// The machine's deadline, with its fault.
    fn deadline(&self) -> Option<Instant> {
        let deadline = self.machine.deadline();
        self.fault.map_or(deadline, |fault| fault.put_off(deadline, self.machine.phase(), self.now))
    }

    /// Tells the machine everything that has happened, and does what it asks for.
    fn settle(&mut self) {
        while let Some(event) = self.events.pop_front() {
            match &event {
                Event::Stop { .. }
                | Event::StopWithin(_)
                | Event::Signal(Signal::INT | Signal::TERM) => self.asked = true,
                Event::MoreTime(_) => self.past.more_time = true,
                Event::Restart if !self.asked => self.restart_asked = true,
                _ => {}
            }
            let was_running = self.ready_since;
            let actions = self.step(event);
            if self.machine.phase() == Phase::Ready && was_running.is_none() {
                self.ready_since = Some(self.now);
                self.past.ever_ready = true;
            }
            self.perform(actions);
        }
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            assert!(self.outcome.is_none(), "{action:?} after the end");
            match action {
                Action::Start => self.start(),
                Action::StartWithoutReservation => {
                    self.check_retry();
                    self.past.retried = true;
                    self.begin();
                }
                Action::Check(_) => {
                    assert!(!self.checking, "two checks at once");
                    self.checking = true;
                    if roll(&mut self.dice, 4) > 0 {
                        self.checking = false;
                        let finding = match self.port() {
                            PortSight::Own => Finding::Passed,
                            PortSight::Unserved => Finding::Failed,
                            PortSight::Stranger => Finding::Stranger,
                        };
                        self.events.push_back(Event::CheckEnded(finding));
                    }
                }
                Action::AbandonCheck => {
                    assert!(self.checking, "no check to abandon");
                    self.checking = false;
                }
                Action::LookElsewhere => {}
                Action::LookAtPort => self.events.push_back(Event::PortSeen(self.port())),
                Action::SignalGroup(signal) => {
                    let leader = self.leader.as_mut().expect("a group is signalled by its leader");
                    hit(leader, signal);
                }
                Action::SignalTree { signal, .. } => self.hit_all(signal),
                Action::KillTree => self.hit_all(Signal::KILL),
                Action::PassOn(signal) => {
                    if let Some(leader) = self.leader.as_mut().filter(|_| signal.0 < 18) {
                        hit(leader, signal);
                    }
                }
                Action::Report(progress) => {
                    self.unhealthy |= matches!(progress, super::Progress::Unhealthy { .. });
                }
                Action::End(outcome) => {
                    let gone = self.leader.is_none() && self.others.is_empty();
                    assert!(
                        gone || matches!(outcome, Outcome::Stuck { .. }),
                        "{outcome:?} too soon"
                    );
                    assert!(!self.checking, "a check outlives its instance");
                    self.outcome = Some(outcome);
                }
            }
        }
    }

    fn hit_all(&mut self, signal: Signal) {
        self.leader.iter_mut().chain(&mut self.others).for_each(|process| hit(process, signal));
        let count = self.others.len() + usize::from(self.leader.is_some());
        let left = (0..count).map(|number| 100 + i32::try_from(number).unwrap()).collect();
        self.events.push_back(Event::TreeSeen { left });
    }
}

fn hit(process: &mut Process, signal: Signal) {
    let deadly = match process.temper {
        Temper::Obedient => true,
        Temper::Stubborn => signal == Signal::KILL,
        Temper::Stuck => false,
    };
    if deadly {
        process.dying.get_or_insert(signal);
    }
}

fn random_policy(dice: &mut u64) -> Policy {
    let mut policy = Policy::new(&ServiceSettings::default(), 7);
    policy.ready = match roll(dice, 5) {
        0 => ReadyCheck::None,
        1 => ReadyCheck::Notify,
        2 => ReadyCheck::Http("/".to_owned()),
        _ => ReadyCheck::Tcp,
    };
    policy.when_late = [WhenLate::Say, WhenLate::Stop][index(dice, 2)];
    policy.ready_timeout = Duration::from_millis([5, 2000, 60_000][index(dice, 3)]);
    policy.restart = match roll(dice, 5) {
        0 => RestartPolicy::No,
        1 => RestartPolicy::OnFailure { restarts_max: None },
        2 => RestartPolicy::OnFailure { restarts_max: Some(2) },
        _ => RestartPolicy::Always,
    };
    policy.stop_timeout = Duration::from_millis([0, 100, 10_000][index(dice, 3)]);
    policy.at_terminal = roll(dice, 3) == 0;
    policy.reservation =
        [Reservation::Without, Reservation::Settled, Reservation::Untried][index(dice, 3)];
    policy.liveness = (roll(dice, 2) == 0).then_some(Liveness {
        interval: Duration::from_secs(1),
        timeout: Duration::from_millis(300),
        retries: 2,
        start_period: Duration::ZERO,
    });
    policy
}

/// A number below `sides`, and the dice for the next one.
fn roll(dice: &mut u64, sides: u64) -> u64 {
    *dice = dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *dice;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) % sides
}

fn index(dice: &mut u64, length: usize) -> usize {
    usize::try_from(roll(dice, u64::try_from(length).unwrap())).unwrap()
}

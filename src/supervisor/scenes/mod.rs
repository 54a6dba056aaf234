//! Scenes from the life of the machine: what is done to it, and what it does.
//!
//! Tests only. Each scene is one rule of the contract; lives full of accidents are in `lives`.

#[cfg(test)]
mod words;

use super::{
    Action, End, Event, Finding, Lesson, Machine, Outcome, Phase, Policy, PortSight, Progress,
    Reservation, Signal, WhenLate, Who,
};
use crate::{
    config::{ReadyCheck, RestartPolicy, ServiceSettings},
    os::clock,
    supervisor::message::NextTry,
};
use std::time::{Duration, Instant};

/// A machine, the moment, and the world as far as checks see it.
struct Scene {
    machine: Machine,
    now: Instant,
    check: Finding,
    port: PortSight,
    done: Vec<String>,
}

const EXIT_0: End = End::Exited(0);
const EXIT_1: End = End::Exited(1);

impl Scene {
    /// A foreground life with these changes to its policy, just started.
    fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy::new(&ServiceSettings::default(), 0);
        policy.when_late = WhenLate::Say;
        change(&mut policy);
        let now = clock::now();
        let (machine, actions) = Machine::start(policy, now);
        let (check, port) = (Finding::Failed, PortSight::Unserved);
        let mut scene = Self { machine, now, check, port, done: Vec::new() };
        scene.note(actions);
        scene.on(Event::Started);
        scene
    }

    /// A foreground life that has just become ready.
    fn ready_with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut scene = Self::with(change);
        scene.check = Finding::Passed;
        scene.pass(2);
        assert_eq!(scene.machine.phase(), Phase::Ready);
        scene.done.clear();
        scene
    }

    fn on(&mut self, event: Event) {
        let actions = self.machine.step(event, self.now);
        self.note(actions);
    }

    fn leader(&mut self, end: End, tree_left: bool) {
        self.on(Event::Ended { who: Who::Leader, end, tree_left });
    }

    fn gone(&mut self) {
        self.on(Event::OrphanEnded { tree_left: false });
    }

    /// How far its stop is: the time until KILL in ms, and who has survived it.
    fn stop_standing(&self) -> Option<(Option<u64>, Vec<i32>)> {
        let standing = self.machine.stop_standing(self.now)?;
        Some((standing.kill_in_ms, standing.survivors))
    }

    /// When the next start is.
    fn next_try(&self) -> Option<NextTry> {
        self.machine.next_try(self.now)
    }

    /// Lets so many milliseconds pass, with every tick that falls due.
    fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(due) = self.machine.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.on(Event::Tick);
        }
        self.now = until;
    }

    /// Notes what is asked for in a word or two; checks and looks are answered and not noted.
    fn note(&mut self, actions: Vec<Action>) {
        for action in actions {
            let word = match action {
                Action::Check(_) => {
                    self.on(Event::CheckEnded(self.check));
                    continue;
                }
                Action::LookAtPort => {
                    self.on(Event::PortSeen(self.port));
                    continue;
                }
                Action::LookElsewhere => continue,
                Action::Start => "start".to_owned(),
                Action::StartWithoutReservation => "start bare".to_owned(),
                Action::AbandonCheck => "abandon".to_owned(),
                Action::PassOn(signal) => format!("pass {}", signal.0),
                Action::SignalGroup(signal) => format!("group {}", signal.0),
                Action::SignalTree { signal, spare_group } => {
                    format!("{} {}", if spare_group { "others" } else { "tree" }, signal.0)
                }
                Action::KillTree => "kill".to_owned(),
                Action::Report(progress) => match progress {
                    Progress::Started { .. } => "started".to_owned(),
                    Progress::Ready { .. } => "ready".to_owned(),
                    Progress::NotReadyYet { .. } => "late".to_owned(),
                    Progress::Unhealthy { .. } => "unhealthy".to_owned(),
                    Progress::Healthy => "healthy".to_owned(),
                    Progress::Restarting { .. } => "restarting".to_owned(),
                    Progress::Retrying { .. } => "retrying".to_owned(),
                    Progress::Stuck { pids } => format!("stuck {pids:?}"),
                    Progress::EngineSilent { .. } => "silent".to_owned(),
                },
                Action::End(outcome) => format!("{outcome:?}"),
            };
            self.done.push(word);
        }
    }

    /// What was done since this was last asked.
    #[track_caller]
    fn did(&mut self, expected: &str) {
        assert_eq!(std::mem::take(&mut self.done).join(", "), expected);
    }

    #[track_caller]
    fn ended(&mut self, expected: &Outcome) {
        self.did(&format!("{expected:?}"));
        assert_eq!(self.machine.deadline(), None);
    }
}

fn always(policy: &mut Policy) {
    policy.restart = RestartPolicy::Always;
}

fn plain(_: &mut Policy) {}

#[test]
fn who_is_ready_is_left_alone_until_it_ends() {
    let mut scene = Scene::with(plain);
    scene.did("start");
    scene.pass(100);
    scene.check = Finding::Passed;
    scene.pass(2);
    scene.did("ready");
    assert_eq!(scene.machine.deadline(), None);
    scene.leader(End::Exited(3), false);
    scene.ended(&Outcome::Ended { code: 3 });
}

#[test]
fn without_a_check_it_is_ready_at_once() {
    let mut scene = Scene::with(|policy| policy.ready = ReadyCheck::None);
    scene.did("start, ready");
    assert_eq!(scene.machine.deadline(), None);
    assert_eq!(scene.machine.lesson(), Lesson::Nothing);
}

#[test]
fn who_says_it_is_ready_is_not_asked() {
    let mut scene = Scene::with(|policy| policy.ready = ReadyCheck::Notify);
    scene.check = Finding::Passed;
    scene.pass(1000);
    scene.did("start");
    scene.on(Event::SaidReady);
    scene.did("ready");
}

#[test]
fn who_cannot_be_executed_is_not_tried_again() {
    let mut scene = Scene::with(always);
    scene.done.clear();
    scene.on(Event::NotStarted { code: 127 });
    scene.ended(&Outcome::NotStarted { code: 127 });
}

#[test]
fn lateness_is_said_once_or_ends_it() {
    let mut scene = Scene::with(plain);
    scene.pass(200_000);
    scene.did("start, late");
    scene.check = Finding::Passed;
    scene.pass(1000);
    scene.did("ready");

    let mut scene = Scene::with(|policy| policy.when_late = WhenLate::Stop);
    scene.pass(60_000);
    scene.did("start, group 15");
    scene.leader(End::Signalled(Signal::TERM), false);
    scene.ended(&Outcome::NotReady);
}

#[test]
fn a_check_that_takes_too_long_has_failed() {
    let mut policy = Policy::new(&ServiceSettings::default(), 0);
    policy.ready = ReadyCheck::Http("/".to_owned());
    let start = clock::now();
    let (mut machine, _) = Machine::start(policy, start);
    let due = machine.deadline().unwrap();
    assert!(matches!(machine.step(Event::Tick, due)[..], [Action::Check(_)]));
    let given_up = machine.deadline().unwrap();
    assert_eq!(given_up, due + Duration::from_secs(2));
    assert_eq!(machine.step(Event::Tick, given_up), [Action::AbandonCheck]);
    assert!(machine.deadline().unwrap() > given_up);
}

#[test]
fn ends_are_answered_as_the_policy_says() {
    let mut scene = Scene::ready_with(always);
    scene.pass(1000);
    scene.leader(EXIT_0, false);
    scene.did("restarting, start");
    scene.on(Event::Started);
    scene.check = Finding::Failed;
    scene.leader(EXIT_1, false);
    scene.did("restarting");
    assert_eq!(scene.machine.phase(), Phase::Backoff);
    scene.pass(100);
    scene.did("start");
    assert_eq!(scene.machine.restarts(), 2);
}

#[test]
fn remains_of_a_leader_that_failed_are_stopped_before_a_new_start() {
    let mut scene = Scene::ready_with(always);
    scene.port = PortSight::Own;
    scene.pass(2000);
    scene.leader(EXIT_1, true);
    scene.did("tree 15");
    scene.gone();
    scene.did("restarting, start");
}

#[test]
fn a_stop_climbs_the_ladder() {
    let mut scene = Scene::ready_with(always);
    scene.on(Event::Signal(Signal::TERM));
    scene.did("group 15");
    scene.pass(9_999);
    scene.did("");
    scene.pass(1);
    scene.did("kill");
    scene.leader(End::Signalled(Signal::KILL), true);
    scene.did("kill");
    scene.on(Event::OrphanEnded { tree_left: true });
    scene.did("kill");
    scene.gone();
    scene.ended(&Outcome::Stopped { code: 137 });
}

#[test]
fn a_second_signal_means_kill_and_a_second_request_does_not() {
    for first in [Signal::INT, Signal::TERM] {
        let mut scene = Scene::ready_with(|policy| policy.stop_signal = Signal::QUIT);
        scene.on(Event::Signal(first));
        scene.did(if first == Signal::INT { "group 2" } else { "group 3" });
        scene.on(Event::Stop { kill: false });
        scene.did("");
        scene.on(Event::Signal(Signal::TERM));
        scene.did("kill");
    }
    let mut scene = Scene::ready_with(plain);
    scene.on(Event::Stop { kill: true });
    scene.did("kill");
}

#[test]
fn those_outside_the_group_get_the_signal_when_the_leader_is_gone() {
    let mut scene = Scene::ready_with(plain);
    scene.on(Event::Stop { kill: false });
    scene.leader(EXIT_0, true);
    scene.did("group 15, others 15");

    // Background jobs of a shell ignore INT, so that one does not count.
    let mut scene = Scene::ready_with(plain);
    scene.on(Event::Signal(Signal::INT));
    scene.leader(EXIT_0, true);
    scene.did("group 2, tree 15");
}

#[test]
fn ctrl_c_on_what_the_leader_left_means_kill() {
    let mut scene = Scene::ready_with(plain);
    scene.leader(EXIT_1, true);
    scene.did("tree 15");
    scene.on(Event::Signal(Signal::INT));
    scene.did("kill");
    scene.gone();
    scene.ended(&Outcome::Stopped { code: 1 });

    // A TERM meant the whole instance, and is the first one.
    let mut scene = Scene::ready_with(always);
    scene.leader(EXIT_1, true);
    scene.on(Event::Signal(Signal::TERM));
    scene.did("tree 15");
    scene.gone();
    scene.ended(&Outcome::Stopped { code: 1 });
}

#[test]
fn who_survives_kill_is_stuck_until_it_ends_or_nobody_waits() {
    let stuck = || {
        let mut scene = Scene::ready_with(plain);
        scene.on(Event::Stop { kill: true });
        scene.on(Event::TreeSeen { left: vec![71, 72] });
        scene.pass(60_000);
        scene.did("kill, stuck [71, 72]");
        assert_eq!((scene.machine.phase(), scene.machine.deadline()), (Phase::Stuck, None));
        scene
    };
    let mut scene = stuck();
    scene.leader(End::Signalled(Signal::KILL), false);
    scene.ended(&Outcome::Stopped { code: 137 });

    let mut scene = stuck();
    scene.on(Event::Signal(Signal::INT));
    scene.ended(&Outcome::Stuck { pids: vec![71, 72] });
}

#[test]
fn signals_that_are_not_ours_are_passed_on() {
    let mut scene = Scene::ready_with(always);
    for number in [1, 3, 10, 12, 14, 18, 28] {
        scene.on(Event::Signal(Signal(number)));
        scene.did(&format!("pass {number}"));
    }
}

#[test]
fn an_end_by_what_came_through_us_was_asked_for() {
    for signal in [Signal::HUP, Signal::QUIT] {
        let mut scene = Scene::ready_with(always);
        scene.on(Event::Signal(signal));
        scene.did(&format!("pass {}", signal.0));
        scene.leader(End::Signalled(signal), false);
        scene.ended(&Outcome::Stopped { code: signal.exit_code() });
    }
}

#[test]
fn at_a_terminal_an_end_by_keys_was_asked_for() {
    for (end, at_terminal, stopped) in [
        (End::Signalled(Signal::INT), true, true),
        (End::Signalled(Signal::QUIT), true, true),
        (End::Exited(130), true, true),
        (End::Exited(131), true, true),
        (End::Exited(0), true, false),
        (End::Signalled(Signal::TERM), true, false),
        (End::Signalled(Signal::INT), false, false),
    ] {
        let mut scene = Scene::ready_with(|policy| {
            policy.restart = RestartPolicy::Always;
            policy.at_terminal = at_terminal;
        });
        scene.pass(1000);
        scene.leader(end, false);
        let asked = format!("{:?}", Outcome::Stopped { code: end.code() });
        scene.did(if stopped { &asked } else { "restarting, start" });
    }
}

#[test]
fn during_backoff_any_request_to_end_is_the_end() {
    for (event, code) in [
        (Event::Signal(Signal::INT), 130),
        (Event::Signal(Signal::TERM), 143),
        (Event::Signal(Signal::HUP), 129),
        (Event::Stop { kill: false }, 1),
    ] {
        let mut scene = Scene::ready_with(always);
        scene.leader(EXIT_1, false);
        scene.did("restarting");
        scene.on(Event::Signal(Signal(10)));
        scene.on(event);
        scene.ended(&Outcome::Stopped { code });
    }
}

#[test]
fn a_restart_that_is_asked_for_needs_no_policy() {
    let mut scene = Scene::ready_with(plain);
    scene.on(Event::Restart);
    scene.did("group 15");
    scene.leader(EXIT_0, false);
    scene.did("start");

    let mut scene = Scene::ready_with(plain);
    scene.on(Event::Stop { kill: false });
    scene.on(Event::Restart);
    scene.leader(EXIT_0, false);
    scene.did("group 15, Stopped { code: 0 }");
}

#[test]
fn a_server_that_its_leader_left_behind_is_supervised_on() {
    // `sh -c 'server & exit'`: it serves before the leader ends, or afterwards; another may follow it.
    let mut scene = Scene::ready_with(plain);
    scene.port = PortSight::Own;
    scene.leader(EXIT_0, true);
    scene.on(Event::Ended { who: Who::Listener, end: EXIT_1, tree_left: true });
    scene.did("");
    assert_eq!(scene.machine.deadline(), None);
    scene.port = PortSight::Unserved;
    scene.on(Event::Ended { who: Who::Listener, end: End::Exited(7), tree_left: true });
    scene.did("tree 15");
    scene.gone();
    scene.ended(&Outcome::Ended { code: 7 });

    let mut scene = Scene::with(plain);
    scene.leader(EXIT_0, true);
    scene.check = Finding::Passed;
    scene.pass(2);
    scene.did("start, ready");
    scene.on(Event::Signal(Signal::INT));
    scene.did("tree 15");
    scene.on(Event::Ended { who: Who::Listener, end: EXIT_1, tree_left: false });
    scene.ended(&Outcome::Stopped { code: 1 });
}

#[test]
fn remains_that_never_get_ready_end_with_the_leaders_code() {
    let mut scene = Scene::with(plain);
    scene.leader(EXIT_0, true);
    scene.pass(59_000);
    scene.did("start");
    scene.pass(1_000);
    scene.did("tree 15");
    scene.gone();
    scene.ended(&Outcome::Ended { code: 0 });

    let mut scene = Scene::with(plain);
    scene.leader(EXIT_0, true);
    scene.gone();
    scene.did("start, Ended { code: 0 }");
}

#[test]
fn a_port_served_by_another_before_we_are_ready_is_stolen() {
    let mut scene = Scene::with(always);
    scene.check = Finding::Stranger;
    scene.port = PortSight::Stranger;
    scene.pass(10);
    scene.leader(EXIT_1, false);
    scene.did("start, PortStolen");

    let mut scene = Scene::ready_with(plain);
    scene.port = PortSight::Stranger;
    scene.leader(EXIT_1, false);
    scene.ended(&Outcome::Ended { code: 1 });
}

#[test]
fn one_try_without_the_reservation_shows_what_was_wrong() {
    let untried = |policy: &mut Policy| policy.reservation = Reservation::Untried;
    let mut scene = Scene::with(untried);
    scene.leader(EXIT_1, true);
    scene.did("start, tree 15");
    scene.gone();
    scene.did("retrying, start bare");
    assert_eq!(scene.machine.lesson(), Lesson::Retried);
    assert_eq!(scene.machine.restarts(), 0);
    scene.on(Event::Started);
    scene.check = Finding::Passed;
    scene.pass(2);
    scene.did("ready");
    assert_eq!(scene.machine.lesson(), Lesson::Fails);

    let mut scene = Scene::with(untried);
    scene.leader(EXIT_1, false);
    scene.on(Event::Started);
    scene.leader(EXIT_1, false);
    scene.did("start, retrying, start bare, Ended { code: 1 }");

    let mut scene = Scene::ready_with(untried);
    assert_eq!(scene.machine.lesson(), Lesson::Works);
    scene.leader(EXIT_1, false);
    scene.ended(&Outcome::Ended { code: 1 });
}

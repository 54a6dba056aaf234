//! Scenes of what checks find, what the program says of itself, and how much time it is given.
//!
//! Tests only.

use super::{EXIT_0, EXIT_1, Scene, always, plain};
use crate::{
    config::{LivenessSettings, ReadyCheck, RestartPolicy},
    supervisor::{End, Event, Finding, Outcome, Phase, Policy, Signal, WhenLate},
};
use std::time::Duration;

fn notify(policy: &mut Policy) {
    policy.ready = ReadyCheck::Notify;
}

/// As in front of somebody who waits for readiness.
fn given_up_late(policy: &mut Policy) {
    policy.when_late = WhenLate::Stop;
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn failed_liveness_is_told_and_under_a_policy_answered() {
    let live = |policy: &mut Policy| {
        let settings = LivenessSettings { retries: Some(3), ..Default::default() };
        policy.liveness = settings.applied();
    };
    let mut scene = Scene::ready_with(live);
    scene.check = Finding::Failed;
    scene.pass(29_999);
    scene.did("");
    scene.pass(1);
    scene.did("unhealthy");
    assert_eq!(scene.machine.phase(), Phase::Unhealthy);
    scene.check = Finding::Passed;
    scene.pass(10_000);
    scene.did("healthy");
    assert_eq!(scene.machine.phase(), Phase::Ready);

    let mut scene = Scene::ready_with(|policy| {
        live(policy);
        policy.restart = RestartPolicy::OnFailure { restarts_max: None };
    });
    scene.check = Finding::Failed;
    scene.pass(30_000);
    scene.did("unhealthy, group 15");
    scene.leader(EXIT_0, false);
    scene.did("restarting, start");
}

#[test]
fn its_word_counts_once_nobody_else_serves_its_port() {
    let mut scene = Scene::with(notify);
    scene.check = Finding::Stranger;
    scene.on(Event::SaidReady);
    scene.pass(5_000);
    scene.did("start");
    scene.check = Finding::Passed;
    scene.pass(1_000);
    scene.did("ready");

    // Who is asked has no word in it.
    let mut scene = Scene::with(plain);
    scene.on(Event::SaidReady);
    scene.did("start");
}

#[test]
fn more_time_puts_the_time_out_off_and_never_forward() {
    let mut scene = Scene::with(|policy| {
        notify(policy);
        given_up_late(policy);
    });
    scene.on(Event::MoreTime(seconds(1)));
    scene.pass(59_999);
    scene.did("start");
    scene.on(Event::MoreTime(seconds(30)));
    scene.pass(29_999);
    scene.did("");
    scene.on(Event::MoreTime(seconds(10)));
    scene.pass(10_000);
    scene.did("group 15");
}

#[test]
fn who_stops_by_itself_is_given_the_grace_and_then_killed() {
    let stopping = |change: fn(&mut Policy)| {
        let mut scene = Scene::ready_with(change);
        scene.pass(2_000);
        scene.on(Event::SaidStopping);
        assert_eq!(scene.machine.phase(), Phase::Stopping);
        scene.did("");
        scene
    };
    let mut scene = stopping(plain);
    scene.leader(EXIT_0, false);
    scene.ended(&Outcome::Ended { code: 0 });

    // It was not asked to, so the policy says what follows.
    let mut scene = stopping(always);
    scene.leader(EXIT_0, true);
    scene.did("tree 15");
    scene.gone();
    scene.did("restarting, start");

    let mut scene = stopping(always);
    scene.on(Event::MoreTime(seconds(20)));
    scene.pass(19_999);
    scene.did("");
    scene.pass(1);
    scene.did("kill");

    let mut scene = stopping(always);
    scene.on(Event::Signal(Signal::TERM));
    scene.did("");
    scene.leader(EXIT_0, false);
    scene.ended(&Outcome::Stopped { code: 0 });
}

#[test]
fn a_request_may_bring_its_own_grace() {
    let mut scene = Scene::ready_with(always);
    scene.on(Event::StopWithin(seconds(1)));
    scene.pass(999);
    scene.did("group 15");
    scene.pass(1);
    scene.did("kill");

    let mut scene = Scene::ready_with(always);
    scene.on(Event::Stop { kill: false });
    scene.pass(5_000);
    scene.on(Event::StopWithin(seconds(60)));
    scene.pass(59_999);
    scene.did("group 15");
    scene.on(Event::StopWithin(Duration::ZERO));
    scene.pass(0);
    scene.did("kill");

    let mut scene = Scene::ready_with(always);
    scene.leader(EXIT_1, false);
    scene.did("restarting");
    scene.on(Event::StopWithin(seconds(1)));
    scene.ended(&Outcome::Stopped { code: 1 });
}

#[test]
fn how_far_a_stop_is_can_be_asked() {
    let mut scene = Scene::ready_with(plain);
    assert_eq!(scene.stop_standing(), None);
    scene.on(Event::StopWithin(seconds(9)));
    assert_eq!(scene.stop_standing(), Some((Some(9000), vec![])));
    scene.pass(2000);
    assert_eq!(scene.stop_standing(), Some((Some(7000), vec![])));
    scene.on(Event::Stop { kill: true });
    // Nobody has survived before the patience is over.
    scene.on(Event::TreeSeen { left: vec![71] });
    assert_eq!(scene.stop_standing(), Some((None, vec![])));
}

#[test]
fn when_the_next_start_is_can_be_asked() {
    let mut scene = Scene::ready_with(|policy| {
        policy.restart = RestartPolicy::OnFailure { restarts_max: Some(5) };
    });
    assert_eq!(scene.next_try(), None);
    scene.leader(EXIT_1, false);
    let waits = scene.next_try().expect("it is waited for");
    assert_eq!((waits.code, waits.number, waits.of), (1, 1, Some(5)));
    assert!((75..=100).contains(&waits.in_ms), "{waits:?}");
    scene.pass(50);
    assert_eq!(scene.next_try().map(|next| next.in_ms), Some(waits.in_ms - 50));
    scene.pass(50);
    assert_eq!(scene.next_try(), None);
    scene.leader(End::Signalled(Signal::KILL), false);
    let waits = scene.next_try().expect("it is waited for again");
    assert_eq!((waits.code, waits.number), (137, 2));
}

#[test]
fn no_more_are_named_than_a_message_holds() {
    let mut scene = Scene::ready_with(plain);
    scene.on(Event::Stop { kill: true });
    scene.on(Event::TreeSeen { left: (1..1000).collect() });
    scene.pass(60_000);
    let (_, survivors) = scene.stop_standing().unwrap();
    assert_eq!(survivors, (1..=64).collect::<Vec<_>>());
}

#[test]
fn a_stop_of_who_is_stuck_tries_once_more() {
    let mut scene = Scene::ready_with(plain);
    scene.on(Event::Stop { kill: true });
    scene.on(Event::TreeSeen { left: vec![71] });
    scene.pass(60_000);
    scene.did("kill, stuck [71]");
    assert_eq!(scene.stop_standing(), Some((None, vec![71])));
    scene.on(Event::Stop { kill: false });
    scene.did("kill");
    scene.leader(End::Signalled(Signal::KILL), false);
    scene.ended(&Outcome::Stopped { code: 137 });
}

#[test]
fn the_first_readiness_has_one_time_out_through_all_starts() {
    let mut scene = Scene::with(|policy| {
        always(policy);
        given_up_late(policy);
    });
    for _ in 0..3 {
        scene.pass(19_000);
        scene.leader(EXIT_1, false);
        scene.pass(400);
        scene.on(Event::Started);
    }
    scene.did("start, restarting, start, restarting, start, restarting, start");
    scene.pass(2_000);
    scene.did("group 15");
    scene.leader(EXIT_1, false);
    scene.ended(&Outcome::NotReady);

    // Also while nothing runs.
    let mut scene = Scene::with(|policy| {
        always(policy);
        given_up_late(policy);
    });
    scene.pass(59_950);
    scene.leader(EXIT_1, false);
    scene.did("start, restarting");
    scene.pass(60);
    scene.ended(&Outcome::NotReady);

    // Who was ready once is better off running.
    let mut scene = Scene::ready_with(|policy| {
        always(policy);
        given_up_late(policy);
    });
    scene.check = Finding::Failed;
    scene.pass(2_000);
    scene.leader(EXIT_1, false);
    scene.on(Event::Started);
    scene.pass(200_000);
    scene.did("restarting, start, late");
}

#[test]
fn lateness_is_said_once_through_all_starts() {
    let mut scene = Scene::with(always);
    for _ in 0..3 {
        scene.pass(70_000);
        scene.leader(EXIT_1, false);
        scene.pass(400);
        scene.on(Event::Started);
    }
    scene.did("start, late, restarting, start, restarting, start, restarting, start");
}

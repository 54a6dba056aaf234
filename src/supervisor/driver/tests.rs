//! Real children, real signals, a real socket: what the loop makes of them.
//!
//! Each life is lived in a process of its own. What is done to it is done when it reports something, so
//! nothing here waits for time.

use super::*;
use crate::{
    config::{ReadyCheck, RestartPolicy, ServiceSettings},
    os::{claim::Reserve, forked::alone, spawn::Input, tree},
    registry,
    store::{
        Store,
        record::{Record as RunRecord, Vitals, tests::details},
    },
    supervisor::{
        End, Reservation, WhenLate,
        line::{Heard, Line},
        message::ToClient,
    },
};
use nix::{
    sys::{
        signal::kill,
        socket::{
            AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt,
            socket, sockopt,
        },
    },
    unistd::{Pid, getpid},
};
use std::{
    env,
    ffi::CString,
    net::{Ipv4Addr, TcpListener},
    os::fd::AsRawFd,
};

const LOCK_ID: &str = "ai-rag-7f3k2m";

/// Not a test: the server that the lives below launch. It serves PORT until it is ended.
#[test]
#[ignore = "launched by the other tests"]
fn server() {
    let Some(port) = env::var("PORT").ok().and_then(|port| port.parse().ok()) else { return };
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
    setsockopt(&socket, sockopt::ReuseAddr, &env::var_os("RUDE").is_none()).unwrap();
    let address = SockaddrIn::from(std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    bind(socket.as_raw_fd(), &address).unwrap();
    listen(&socket, Backlog::new(8).unwrap()).unwrap();
    nix::unistd::pause();
}

/// What a life has at hand: a state directory, a claimed port, and what was reported.
struct Stagehand {
    place: tempfile::TempDir,
    store: Store,
    claim: Claim,
    policy: Policy,
    variables: Vec<String>,
    log: Option<&'static str>,
    said: Vec<String>,
}

/// What a report gives to act on.
struct Moment<'a> {
    progress: &'a Progress,
    insight: &'a Insight,
    place: &'a Path,
    store: &'a Store,
}

impl Stagehand {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path()).unwrap();
        // The kernel names a port that is free just now; who is quicker than we are makes us ask again.
        let claim = (0..100)
            .find_map(|_| {
                let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
                let port = Port::known(free.local_addr().ok()?.port());
                drop(free);
                Claim::take(port, Reserve::Yes).ok()
            })
            .unwrap();
        let mut policy = Policy::new(&ServiceSettings::default(), 0);
        policy.when_late = WhenLate::Say;
        let (variables, said) = (Vec::new(), Vec::new());
        Self { place, store, claim, policy, variables, log: None, said }
    }

    fn without_check() -> Self {
        let mut stagehand = Self::new();
        stagehand.policy.ready = ReadyCheck::None;
        stagehand
    }

    /// Ready when the command has written `go`.
    fn ready_by_log() -> Self {
        let mut stagehand = Self::new();
        stagehand.policy.ready = ReadyCheck::Log("go".to_owned());
        stagehand.log = Some("go");
        stagehand
    }

    /// Lives one life of `sh -c SCRIPT`, in which `$SERVE` is a command that serves the port.
    fn live(&mut self, script: &str, act: impl FnMut(Moment<'_>)) -> Life {
        self.live_as(&["sh", "-c", script], act)
    }

    fn live_as(&mut self, arguments: &[&str], mut act: impl FnMut(Moment<'_>)) -> Life {
        let signals = Signals::take().unwrap();
        let text = |text: &str| CString::new(text).unwrap();
        let own = env::current_exe().unwrap();
        let name = format!("{} --exact {}::server --ignored", own.display(), module());
        let port = self.claim.port();
        let mut environment: Vec<CString> =
            [format!("PORT={port}"), format!("SERVE={name}"), "PATH=/usr/bin:/bin".to_owned()]
                .iter()
                .chain(&self.variables)
                .map(|variable| text(variable))
                .collect();
        environment.push(text(&format!("PLACE={}", self.place.path().display())));
        let arguments: Vec<CString> = arguments.iter().copied().map(text).collect();
        let mut held = self.store.run().hold(LOCK_ID.parse().unwrap()).unwrap();
        let vitals = Vitals::starting();
        held.write(&RunRecord { vitals, details: details(LOCK_ID) }).unwrap();
        let mut callers = Callers::new(held.listen().unwrap()).unwrap();
        let log_path = self.place.path().join("log");
        let log = std::fs::File::create(&log_path).unwrap();
        let marker = self.log;
        let says_ready = |line: &str| marker.is_some_and(|marker| line.contains(marker));
        let (place, store, said) = (self.place.path(), &self.store, &mut self.said);
        let life = supervise(
            Setup {
                policy: self.policy.clone(),
                command: Spawn {
                    stdin: Input::Null,
                    output: crate::os::spawn::Output::File(std::os::fd::AsFd::as_fd(&log)),
                    ..Spawn::new(&arguments[0], &arguments, &environment)
                },
                port,
                claims: std::slice::from_mut(&mut self.claim),
                held: &mut held,
                callers: &mut callers,
                stage: Stage::Background,
                log: marker.map(|_| LogCheck { path: &log_path, says_ready: &says_ready }),
                notify: None,
                keeper: None,
                contained: None,
                report: &mut |progress, insight| {
                    said.push(word(progress).to_owned());
                    act(Moment { progress, insight, place, store });
                },
                before_rest: &mut || {},
            },
            &signals,
        )
        .unwrap();
        callers.tell_outcome(&life.outcome);
        let left = tree::descendants(getpid().as_raw(), &|pid| tree::supervisor(pid).is_some());
        assert!(left.unwrap().is_empty(), "something outlives its instance");
        assert_eq!(held.vitals().over, !matches!(life.outcome, Outcome::Stuck { .. }));
        life
    }
}

/// This module's name as the test harness knows it.
fn module() -> &'static str {
    module_path!().split_once("::").unwrap().1
}

fn word(progress: &Progress) -> &'static str {
    match progress {
        Progress::Started { .. } => "started",
        Progress::Ready { .. } => "ready",
        Progress::NotReadyYet { .. } => "late",
        Progress::Unhealthy { .. } => "unhealthy",
        Progress::Healthy => "healthy",
        Progress::Restarting { .. } => "restarting",
        Progress::Retrying { .. } => "retrying",
        Progress::Stuck { .. } => "stuck",
        Progress::EngineSilent { .. } => "silent",
    }
}

fn send_self(signal: Received) {
    kill(getpid(), signal).unwrap();
}

fn nothing(_: Moment<'_>) {}

/// Does it at the first report that says so.
fn on(said: &'static str, mut deed: impl FnMut(Moment<'_>)) -> impl FnMut(Moment<'_>) {
    let mut done = false;
    move |moment| {
        if !done && word(moment.progress) == said {
            done = true;
            deed(moment);
        }
    }
}

#[test]
fn a_command_that_ends_is_over_with_its_own_code() {
    alone(|| {
        let mut stagehand = Stagehand::without_check();
        let life = stagehand.live("exit 3", nothing);
        assert_eq!(life.outcome, Outcome::Ended { code: 3 });
        assert_eq!(stagehand.said, ["started", "ready"]);
        let life = Stagehand::without_check().live("kill -9 $$", nothing);
        assert_eq!(life.outcome.exit_code(), 137);
        // A real-time signal has no name.
        let life = Stagehand::without_check().live("kill -40 $$", nothing);
        assert_eq!(life.outcome.exit_code(), 168);
    });
}

#[test]
fn what_cannot_be_executed_is_told_apart() {
    alone(|| {
        for (program, code) in [("no-such-program", 127), ("/etc/passwd", 126)] {
            let life = Stagehand::new().live_as(&[program], nothing);
            assert_eq!(life.outcome, Outcome::NotStarted { code });
            assert!(life.refusal.is_some());
        }
    });
}

#[test]
fn who_serves_its_port_is_ready_and_a_term_stops_it() {
    alone(|| {
        let mut stagehand = Stagehand::new();
        stagehand.policy.reservation = Reservation::Untried;
        let life = stagehand.live(
            "exec $SERVE",
            on("ready", |moment| {
                let vitals = moment.store.run().read(&LOCK_ID.parse().unwrap()).unwrap().vitals;
                assert_eq!(vitals.phase, registry::Phase::Ready);
                assert_eq!(vitals.leader, vitals.listener);
                assert!(vitals.leader.is_some() && vitals.ready_ms.is_some());
                send_self(Received::SIGTERM);
            }),
        );
        assert_eq!(life.outcome, Outcome::Stopped { code: 143 });
        assert_eq!(life.lesson, Lesson::Works);
    });
}

#[test]
fn a_stop_ends_the_whole_tree_also_who_left_the_session_or_ignores_it() {
    alone(|| {
        let mut stagehand = Stagehand::ready_by_log();
        stagehand.policy.stop_timeout = Duration::from_millis(100);
        let script = "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 60 & sleep 60' & \
                      echo go; sleep 60; sleep 60";
        let life = stagehand.live(script, on("ready", |_| send_self(Received::SIGTERM)));
        assert_eq!(life.outcome, Outcome::Stopped { code: 137 });
    });
}

#[test]
fn a_second_signal_does_not_wait_for_the_grace() {
    alone(|| {
        let mut stagehand = Stagehand::ready_by_log();
        let script = "trap '' TERM INT; echo go; sleep 60; sleep 60";
        let began = clock::now();
        let life = stagehand.live(
            script,
            on("ready", |_| {
                send_self(Received::SIGTERM);
                send_self(Received::SIGINT);
            }),
        );
        assert_eq!(life.outcome, Outcome::Stopped { code: 137 });
        assert!(clock::now() - began < Duration::from_secs(9));
    });
}

#[test]
fn a_server_whose_parent_ended_is_supervised_on() {
    alone(|| {
        let mut stagehand = Stagehand::new();
        let life = stagehand.live(
            "setsid $SERVE & exit 0",
            on("ready", |moment| {
                let vitals = moment.store.run().read(&LOCK_ID.parse().unwrap()).unwrap().vitals;
                kill(Pid::from_raw(vitals.listener.unwrap().pid), Received::SIGUSR1).unwrap();
            }),
        );
        assert_eq!(stagehand.said, ["started", "ready"]);
        assert_eq!(life.outcome, Outcome::Ended { code: End::Signalled(Signal(10)).code() });
    });
}

#[test]
fn a_failure_is_started_again_under_a_policy() {
    alone(|| {
        let mut stagehand = Stagehand::without_check();
        stagehand.policy.restart = RestartPolicy::OnFailure { restarts_max: None };
        let life = stagehand.live("test -e $PLACE/tried || { > $PLACE/tried; exit 1; }", nothing);
        assert_eq!(life.outcome, Outcome::Ended { code: 0 });
        assert_eq!(life.restarts, 1);
        assert_eq!(stagehand.said, ["started", "ready", "restarting", "started", "ready"]);
    });
}

#[test]
fn a_program_that_fails_over_the_reservation_is_started_once_without() {
    alone(|| {
        let mut stagehand = Stagehand::new();
        stagehand.policy.reservation = Reservation::Untried;
        stagehand.variables.push("RUDE=1".to_owned());
        let life = stagehand.live("exec $SERVE", on("ready", |_| send_self(Received::SIGTERM)));
        assert_eq!(life.outcome, Outcome::Stopped { code: 143 });
        assert_eq!(life.lesson, Lesson::Fails);
        assert_eq!(stagehand.said, ["started", "retrying", "started", "ready"]);
    });
}

#[test]
fn a_port_that_a_stranger_serves_is_stolen() {
    alone(|| {
        let mut stagehand = Stagehand::new();
        stagehand.policy.reservation = Reservation::Untried;
        // This process is no part of its own tree, and std sets SO_REUSEADDR.
        let thief = TcpListener::bind((Ipv4Addr::LOCALHOST, stagehand.claim.port().number()));
        let life = stagehand.live("exec $SERVE", nothing);
        assert_eq!(life.outcome, Outcome::PortStolen);
        drop(thief);
    });
}

#[test]
fn readiness_can_be_a_commands_success() {
    alone(|| {
        let mut stagehand = Stagehand::new();
        stagehand.policy.ready = ReadyCheck::Exec("test -e $PLACE/there".to_owned());
        let life = stagehand
            .live("> $PLACE/there; exec sleep 60", on("ready", |_| send_self(Received::SIGINT)));
        assert_eq!(life.outcome, Outcome::Stopped { code: 130 });
    });
}

#[test]
fn a_failed_liveness_check_leads_to_a_restart() {
    alone(|| {
        let mut stagehand = Stagehand::new();
        stagehand.policy.ready =
            ReadyCheck::Exec("test -e $PLACE/up && ! test -e $PLACE/ill".to_owned());
        stagehand.policy.restart = RestartPolicy::Always;
        stagehand.policy.liveness = Some(crate::config::Liveness {
            interval: Duration::from_millis(5),
            timeout: Duration::from_secs(9),
            retries: 2,
            start_period: Duration::ZERO,
        });
        let mut readies = 0;
        let mut why = None;
        let life = stagehand.live("rm -f $PLACE/ill; touch $PLACE/up; exec sleep 60", |moment| {
            if matches!(moment.progress, Progress::Unhealthy { failures: 2 }) {
                why = moment.insight.failure.clone();
            }
            if matches!(moment.progress, Progress::Ready { .. }) {
                readies += 1;
                match readies {
                    1 => std::fs::write(moment.place.join("ill"), "").unwrap(),
                    _ => send_self(Received::SIGTERM),
                }
            }
        });
        assert_eq!(life.outcome, Outcome::Stopped { code: 143 });
        assert_eq!(life.restarts, 1);
        assert!(stagehand.said.contains(&"unhealthy".to_owned()));
        assert!(why.unwrap().ends_with("ended with 1"));
    });
}

/// Listens until both are told that it is ready, has the first one dismiss and stop, and tells what each
/// heard then.
fn hear_and_stop(mut lines: [Line; 2]) -> [Vec<String>; 2] {
    let hear = |line: &mut Line| match line.listen(None, None).unwrap() {
        Heard::Said(ToClient::Phase(standing)) => Some(format!("{:?}", standing.phase)),
        Heard::Said(other) => Some(format!("{other:?}")),
        Heard::HungUp | Heard::Interrupted | Heard::TimedOut => None,
    };
    for line in &mut lines {
        while hear(line).unwrap() != "Ready" {}
    }
    lines[0].ask(FromClient::Dismiss).unwrap();
    assert_eq!(hear(&mut lines[0]).unwrap(), "Dismissed");
    lines[0].ask(FromClient::Stop { kill: true, timeout_ms: None }).unwrap();
    lines.map(|mut line| std::iter::from_fn(|| hear(&mut line)).collect())
}

#[test]
fn who_is_attached_hears_phases_and_the_outcome_and_may_order_a_stop() {
    alone(|| {
        let mut stagehand = Stagehand::new();
        let mut listener = None;
        let life = stagehand.live("exec $SERVE", |moment| {
            if matches!(moment.progress, Progress::Started { .. }) {
                let lines = [FromClient::Attach, FromClient::Standby].map(|wish| {
                    let run = moment.store.run();
                    let mut line = Line::connect(run.as_fd(), &LOCK_ID.parse().unwrap()).unwrap();
                    line.ask(wish).unwrap();
                    line
                });
                let spawn = || std::thread::spawn(|| hear_and_stop(lines));
                listener = Some(crate::os::signals::all_blocked(spawn).unwrap());
            }
        });
        assert_eq!(life.outcome, Outcome::Stopped { code: 137 });
        let outcome = "Outcome { outcome: Stopped { code: 137 }, exit_code: 137 }";
        // A stop is answered with the phase in which it found the instance.
        let [attached, standby] = listener.unwrap().join().unwrap();
        assert_eq!(attached, ["Ready", "Stopping", outcome]);
        assert_eq!(standby, ["Dismissed", "Stopping", outcome]);
    });
}

#[test]
fn a_detached_supervisor_below_belongs_to_nobody() {
    alone(|| {
        let mut stagehand = Stagehand::without_check();
        // Its lock and its record say what it is, as those of `run -d` do: it keeps a log.
        let script = "mkdir -p $PLACE/other/run; cd $PLACE/other/run; \
                      printf '{\"leader\":[],\"log\":\"/x.log\"' > x.json; \
                      mkfifo $PLACE/told; STYXY_LOCK_ID=x setsid flock -o x.lock \
                      sh -c 'echo $$ > $PLACE/told; exec sleep 60' & read pid < $PLACE/told; \
                      echo $pid > $PLACE/pid; exit 5";
        let life = stagehand.live(script, nothing);
        assert_eq!(life.outcome, Outcome::Ended { code: 5 });
        let pid = std::fs::read_to_string(stagehand.place.path().join("pid")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap());
        kill(pid, Received::SIGKILL).unwrap();
    });
}

#[test]
fn a_foreground_supervisor_below_is_told_to_kill_its_own_and_not_killed() {
    alone(|| {
        let script = "mkdir -p $PLACE/other/run; cd $PLACE/other/run; printf '{\"leader\":[' > x.json; \
                      exec 9> x.lock; flock 9; trap '' INT; trap 'exit 6' TERM; \
                      echo go; while :; do sleep 60 & wait; done";
        let mut line = None;
        let life = Stagehand::ready_by_log().live(
            script,
            on("ready", |moment| {
                let run = moment.store.run();
                let caller = Line::connect(run.as_fd(), &LOCK_ID.parse().unwrap()).unwrap();
                line.insert(caller).ask(FromClient::Stop { kill: true, timeout_ms: None }).unwrap();
            }),
        );
        assert_eq!(life.outcome, Outcome::Stopped { code: 6 });
    });
}

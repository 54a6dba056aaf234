//! A life of our own: the child is started with its lease, supervised to its end, and the lease is given
//! back before anyone is told how it ended.

use super::{
    child::{Child, Given, child, named_sockets},
    container,
    error::Error,
    host::{Host, milliseconds},
    lease::Leased,
    plan::{Plan, Request},
    ports::strangers,
    readiness::{self, Means},
    run::{Lived, Report, Said},
    stop::survivors,
    view::{Answer, named_ports, url},
};
use crate::{
    config::{PROBE_TIMEOUT_DEFAULT, READY_TIMEOUT_DEFAULT, ReadyCheck},
    container::whose::Whose,
    os::{
        claim::{Claim, ClaimError},
        clock,
        interrupts::Interrupts,
        logs::{Keeper, Reader},
        memory,
        notify::NotifySocket,
        signals::Signals,
        spawn::{Input, Others, Output, Spawn, SpawnError},
    },
    ports::Port,
    registry::{Ending, Lease, Overlay},
    supervisor::{
        ENGINE_PATIENCE, KILL_PATIENCE, Lesson, Outcome, Policy, Progress, Reservation, WhenLate,
        driver::{self, Contained, Insight, Life, LogCheck, Setup, Stage},
        line::Callers,
    },
};
use std::{cell::RefCell, fs::File, os::fd::AsFd, path::Path, time::Duration};

/// So many lines of a log are shown when what wrote it failed.
const LOG_LINES: usize = 10;

impl Host {
    /// Starts the command with its lease and lives with it to its end.
    pub(super) fn live(
        &self,
        plan: &Plan,
        request: &Request,
        mut leased: Leased,
        interrupts: Option<&Interrupts>,
        report: &mut Report<'_>,
    ) -> Result<Lived, Error> {
        self.introduce(&leased, report);
        if let Some(warning) = container::warning(plan) {
            report(Said::Notice(warning));
        }
        if plan.listens
            && let Err(error) = leased.listen()
        {
            return self.not_listening(error, leased, report);
        }
        let shown = Shown::new(self, plan, &leased);
        let prepared = self.prepare(plan, request, &leased);
        let mut prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.give_back(leased, &Ended::default(), report);
                return Err(error);
            }
        };
        if prepared.log.is_some() {
            shown.begin_log();
        }
        let socket = leased.socket.try_clone();
        let callers = socket.and_then(Callers::new);
        let mut callers =
            callers.map_err(|source| Error::System { deed: "listen on the run socket", source })?;
        let signals =
            Signals::take().map_err(|source| Error::System { deed: "receive signals", source })?;
        if let Some(interrupt) = interrupts.and_then(Interrupts::pending) {
            // It came between the last wait and now: from here on it is the supervisor's to hear.
            interrupt.raise();
        }
        let mut before_rest = || {
            self.store.forget();
            memory::give_back();
        };
        let stage = (&signals, &mut callers, &mut before_rest as _);
        let life = supervised(plan, request, &mut leased, &mut prepared, stage, &shown, report)?;
        let outcome = life.outcome.clone();
        if let Outcome::Stuck { pids } = &outcome {
            leased.held.leave_files();
            drop(leased);
            callers.tell_outcome(&outcome);
            return Err(Error::Stuck { name: shown.name, survivors: survivors(pids) });
        }
        self.give_back(leased, &Ended::of(&life), report);
        callers.tell_outcome(&outcome);
        told(life, request, &shown, report)
    }

    /// What is worth knowing before the command says anything.
    fn introduce(&self, leased: &Leased, report: &mut Report<'_>) {
        if let Some(made) = leased.new_range {
            let service_type = leased.name.service_type.to_string();
            report(Said::NewRange { service_type, made });
        }
        if leased.renumbered {
            report(Said::Renumbered { name: leased.name.to_string() });
        }
    }

    /// Somebody was faster on the port, or it cannot be listened on at all.
    fn not_listening(
        &self,
        error: ClaimError,
        leased: Leased,
        report: &mut Report<'_>,
    ) -> Result<Lived, Error> {
        let name = leased.name.to_string();
        self.give_back(leased, &Ended::default(), report);
        match error {
            ClaimError::Taken(port) => {
                let thief = strangers(port).join(", ");
                Ok(Lived::Stolen(Error::Stolen { port, thief, name }))
            }
            error @ (ClaimError::NotPermitted(_) | ClaimError::Failed { .. }) => {
                let source = std::io::Error::other(error);
                Err(Error::System { deed: "listen on the port", source })
            }
        }
    }

    fn prepare(&self, plan: &Plan, request: &Request, leased: &Leased) -> Result<Prepared, Error> {
        let means = Means::of(plan, request)?;
        let lock_id = leased.held.lock_id();
        let notify = means.notify.as_ref().map(NotifySocket::name);
        let cidfile = self.cidfile(lock_id);
        let (name, ports) = (&leased.name, &leased.ports[..]);
        let given = Given { name, ports, lock_id, notify, cidfile: &cidfile };
        let log = if request.keeps_log() {
            let file = self.open_log(&leased.name)?;
            Some((file, self.log_keeper(&leased.name)?))
        } else {
            None
        };
        let contains = plan.contents.are_containers();
        let record = if contains { self.store.run().read(lock_id) } else { None };
        let whose = record.and_then(|record| record.details.container);
        Ok(Prepared { child: child(plan, request, &given)?, log, means, whose })
    }

    /// Gives the lease back, or hands it on to the successor. What is left undone by a full disk is done by
    /// the next command: the kernel has dropped lock and claims with this process.
    fn give_back(&self, leased: Leased, ended: &Ended, report: &mut Report<'_>) {
        let report = RefCell::new(report);
        let tell = |text: &str| (report.borrow_mut())(Said::Notice(text.to_owned()));
        let world = self.world();
        let mut leased = Some(leased);
        let result = self.transact(&tell, &world, |registry, remarks| {
            let leased = leased.take().expect("a transaction is made once");
            let lock_id = leased.held.lock_id().clone();
            let name = leased.name.clone();
            // Claims and files go before the row does: who finds it gone finds its port free.
            drop(leased);
            let Some(instance) = registry.instance_mut(&name) else { return Ok(()) };
            let lease = instance.lease.clone().filter(|lease| lease.lock_id == lock_id);
            let Some(lease) = lease else { return Ok(()) };
            if let Some(overlay) = ended.overlay {
                instance.overlay = overlay;
            }
            remarks.endings.push((lock_id, ended.ending));
            if let Some(lock_id) = lease.next.clone() {
                if self.store.run().is_alive(&lock_id) {
                    instance.lease = Some(Lease { lock_id, next: None, ..lease });
                    return Ok(());
                }
                // It was killed while it waited.
                self.store.run().remove(&lock_id);
            }
            registry.end_lease(&name);
            self.consolidate_after(registry, remarks, &name);
            Ok(())
        });
        if let Err(error) = result {
            tell(&format!(
                "the lease could not be given back ({error}); the next command does that"
            ));
        }
    }
}

impl Leased {
    /// Listens on its ports for the command (`--listen-fd`).
    pub(super) fn listen(&mut self) -> Result<(), ClaimError> {
        self.listening = self.claims.iter_mut().map(Claim::listen).collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// The child and where its output goes.
struct Prepared {
    child: Child,
    log: Option<(File, Keeper)>,
    means: Means,
    /// Its containers.
    whose: Option<Whose>,
}

/// What the registry is told of a life.
#[derive(Default)]
struct Ended {
    ending: Ending,
    overlay: Option<Overlay>,
}

impl Ended {
    fn of(life: &Life) -> Self {
        Self {
            ending: Ending {
                reclaimed: false,
                restarts: life.restarts,
                ready_ms: life.ready_after.map(milliseconds),
                exit_code: Some(life.outcome.exit_code()),
            },
            overlay: match life.lesson {
                Lesson::Nothing => None,
                Lesson::Works => Some(Overlay::Works),
                Lesson::Fails => Some(Overlay::Fails),
                Lesson::Retried => Some(Overlay::Retried),
            },
        }
    }
}

/// What people are told of an instance while it lives.
struct Shown {
    /// Its name in full.
    name: String,
    port: Port,
    answer: Answer,
    ready: ReadyCheck,
    ready_seconds: u64,
    log: std::path::PathBuf,
    /// What this life has written so far, until it is ready.
    written: RefCell<Option<Reader>>,
}

impl Shown {
    fn new(host: &Host, plan: &Plan, leased: &Leased) -> Self {
        let port = leased.ports[0].port;
        let project = leased.project.clone();
        let answer = Answer {
            port,
            ports: named_ports(&leased.ports),
            lock_id: Some(leased.held.lock_id().to_string()),
            r#type: leased.name.service_type.to_string(),
            id: leased.name.id.to_string(),
            project,
            url: url(port),
            pid: None,
            existing: false,
            auto_allocated: leased.new_range.is_some(),
            new_range: leased.new_range.map(|made| made.range),
            grown: false,
            message: format!("{} runs on port {port}", leased.name),
        };
        let ready_timeout = plan.settings.ready_timeout.unwrap_or(READY_TIMEOUT_DEFAULT);
        Self {
            name: leased.name.to_string(),
            port,
            answer,
            ready: plan.settings.ready.clone().unwrap_or(ReadyCheck::Tcp),
            ready_seconds: ready_timeout.as_secs(),
            log: host.log_path(&leased.name),
            written: RefCell::default(),
        }
    }

    fn with_pid(&self, pid: Option<i32>) -> Box<Answer> {
        Box::new(Answer { pid, ..self.answer.clone() })
    }

    /// From now on, the last lines are this life's.
    fn begin_log(&self) {
        self.written.replace(Reader::of_last_lines(&self.log, 0).ok());
    }

    fn log_lines(&self) -> Vec<String> {
        let written = self.written.take();
        written.and_then(|written| written.last_lines(LOG_LINES).ok()).unwrap_or_default()
    }

    /// Why it is not ready, as far as that was seen.
    fn why_unready(&self, insight: &Insight) -> String {
        readiness::why_unready(&self.ready, self.port, insight)
    }
}

fn supervised(
    plan: &Plan,
    request: &Request,
    leased: &mut Leased,
    prepared: &mut Prepared,
    (signals, callers, before_rest): (&Signals, &mut Callers, &mut dyn FnMut()),
    shown: &Shown,
    report: &mut Report<'_>,
) -> Result<Life, Error> {
    let policy = policy(plan, request, leased);
    let Prepared { child, log: output, means, whose } = prepared;
    let Child { program, arguments, environment } = child;
    let sockets: Vec<_> = leased.listening.iter().map(AsFd::as_fd).collect();
    let sockets = named_sockets(&sockets, &leased.name, &leased.ports);
    let says_ready = |line: &str| means.pattern.as_ref().is_some_and(|regex| regex.is_match(line));
    let log = means.pattern.is_some().then_some(shown.log.as_path());
    let (file, keeper) = output.as_mut().map(|(file, keeper)| (&*file, keeper)).unzip();
    let again = plan.contents.start_again(whose.as_ref());
    let mut pid = None;
    let mut tell = |progress: &Progress, insight: &Insight| {
        if let Progress::Started { pid: started } = progress {
            pid = Some(*started);
        }
        if matches!(progress, Progress::Ready { .. }) {
            // They are asked for only where it does not get ready.
            shown.written.take();
        }
        if let Some(said) = said(progress, insight, pid, shown) {
            report(said);
        }
    };
    let setup = Setup {
        policy,
        command: Spawn {
            stdin: if request.stdin_null || request.detach { Input::Null } else { Input::Inherit },
            output: file.map_or(Output::Inherit, |file| Output::File(file.as_fd())),
            sockets: &sockets,
            others: if request.detach { Others::Close } else { Others::Inherit },
            ..Spawn::new(program, arguments, environment)
        },
        port: shown.port,
        claims: &mut leased.claims,
        held: &mut leased.held,
        callers,
        stage: if request.detach { Stage::Background } else { Stage::Foreground },
        log: log.map(|path: &Path| LogCheck { path, says_ready: &says_ready }),
        notify: means.notify.as_ref(),
        keeper,
        contained: whose.as_ref().map(|whose| Contained {
            whose,
            log: file.map(AsFd::as_fd),
            by_health: plan.by_health,
            detaches: plan.contents.detaches(),
            again: &again,
        }),
        report: &mut tell,
        before_rest,
    };
    driver::supervise(setup, signals)
        .map_err(|source| Error::System { deed: "wait for the command", source })
}

/// The rules of this life: settings, and what is known of starting its program over a reservation.
fn policy(plan: &Plan, request: &Request, leased: &mut Leased) -> Policy {
    if leased.overlay == Overlay::Fails && !plan.listens {
        leased.claims.iter_mut().for_each(Claim::drop_reservation);
    }
    let reserved = leased.claims.iter().any(Claim::is_reserved);
    let reservation = match leased.overlay {
        _ if !reserved || plan.listens => Reservation::Without,
        // Engines start over one; an end with 125 has other reasons.
        _ if plan.contents.are_containers() => Reservation::Settled,
        Overlay::Unknown => Reservation::Untried,
        Overlay::Works | Overlay::Fails | Overlay::Retried => Reservation::Settled,
    };
    let stops_when_late = request.detach || request.settings.ready_timeout.is_some();
    Policy {
        when_late: if stops_when_late { WhenLate::Stop } else { WhenLate::Say },
        probe_timeout: plan.settings.probe_timeout.unwrap_or(PROBE_TIMEOUT_DEFAULT),
        reservation,
        kill_patience: kill_patience(plan.contents.are_containers()),
        ..Policy::new(&plan.settings, clock::dice())
    }
}

/// How long what gets KILL may take to be gone.
pub(super) fn kill_patience(has_containers: bool) -> Duration {
    if has_containers { ENGINE_PATIENCE } else { KILL_PATIENCE }
}

fn said(progress: &Progress, insight: &Insight, pid: Option<i32>, shown: &Shown) -> Option<Said> {
    let name = || shown.name.clone();
    match progress {
        Progress::Started { .. } => Some(Said::Started { answer: shown.with_pid(pid) }),
        Progress::Ready { .. } => Some(Said::Ready { answer: shown.with_pid(pid) }),
        Progress::NotReadyYet { after, .. } => {
            let mut why = shown.why_unready(insight);
            if let Some(advice) = readiness::advice(insight) {
                why.push_str(&format!("; {advice}"));
            }
            Some(Said::Late { name: name(), seconds: after.as_secs(), why })
        }
        Progress::Unhealthy { failures } => {
            let why = insight.failure.clone();
            Some(Said::Unhealthy { name: name(), failures: *failures, why })
        }
        Progress::Healthy => Some(Said::Healthy { name: name() }),
        Progress::Restarting { code, delay } => {
            Some(Said::Restarting { name: name(), code: *code, delay_ms: milliseconds(*delay) })
        }
        Progress::Retrying { code } => Some(Said::Notice(format!(
            "{} ended with {code} before it was ready: once more, now without the reservation of \
             port {}, which a few programs cannot start over",
            shown.name, shown.port
        ))),
        Progress::EngineSilent { engine, why } => Some(Said::Notice(format!(
            "{}: whether its container runs is unknown, {engine} cannot be asked ({why}); its \
             port stays leased, and {engine} is asked again",
            shown.name
        ))),
        Progress::Stuck { pids } => {
            let text = "survived KILL; its port stays leased until nothing of it is left";
            Some(Said::Notice(format!("{}: {} {text}", shown.name, survivors(pids))))
        }
    }
}

/// The end of a life as its caller is told it.
fn told(
    life: Life,
    request: &Request,
    shown: &Shown,
    report: &mut Report<'_>,
) -> Result<Lived, Error> {
    let name = shown.name.clone();
    let unready = request.detach && life.ready_after.is_none();
    match life.outcome {
        Outcome::NotStarted { .. } => Err(refused(life.refusal)),
        Outcome::NotReady => Err(Error::NotReady {
            name,
            seconds: shown.ready_seconds,
            why: shown.why_unready(&life.insight),
            advice: readiness::advice(&life.insight),
            log: if request.detach { shown.log_lines() } else { Vec::new() },
        }),
        Outcome::PortStolen => Ok(Lived::Stolen(Error::Stolen {
            port: shown.port,
            thief: strangers(shown.port).join(", "),
            name,
        })),
        Outcome::Ended { code } | Outcome::Stopped { code } if unready => {
            Err(Error::EndedEarly { name, code, log: shown.log_lines() })
        }
        Outcome::Ended { code } => Ok(Lived::Over(code)),
        Outcome::Stopped { code } => {
            report(Said::Stopped { name });
            Ok(Lived::Over(code))
        }
        Outcome::CrashLoop { code, ends } => {
            let why = format!("it ended {ends} times in a row, the last time with {code}");
            gave_up(name, code, why, unready, shown, report)
        }
        Outcome::RestartsUsedUp { code, restarts } => {
            let why = format!(
                "it was started again {restarts} times, and ended the last time with {code}"
            );
            gave_up(name, code, why, unready, shown, report)
        }
        Outcome::Stuck { pids } => Err(Error::Stuck { name, survivors: survivors(&pids) }),
    }
}

/// It is not started again. Who waits in front of a detached run for it to be ready is told so as an error.
fn gave_up(
    name: String,
    code: i32,
    why: String,
    unready: bool,
    shown: &Shown,
    report: &mut Report<'_>,
) -> Result<Lived, Error> {
    report(Said::GaveUp { name: name.clone(), why });
    match unready {
        true => Err(Error::EndedEarly { name, code, log: shown.log_lines() }),
        false => Ok(Lived::Over(code)),
    }
}

fn refused(refusal: Option<SpawnError>) -> Error {
    match refusal {
        Some(SpawnError::NotFound { program }) => Error::NotFound { program },
        Some(SpawnError::NotExecutable { program, why }) => {
            Error::NotExecutable { program, source: why }
        }
        Some(other) => Error::Spawn(other),
        None => Error::System {
            deed: "start the command",
            source: std::io::Error::other("no reason was given"),
        },
    }
}

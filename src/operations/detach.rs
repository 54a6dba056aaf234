//! `run -d`: the same run in the background, and a launcher that waits until it is ready. A service that `up`
//! starts runs so too, and reports to `up`.
//!
//! The launcher holds no copy of a lock: it forks before the background side takes any.

use super::{
    consent::Proposal,
    error::{Error, Failure, Kind},
    host::Host,
    plan::Request,
    run::Said,
    view::Answer,
    vigil::{Vigil, Watcher},
};
use crate::os::{
    companion,
    detach::{Side, detach, see_off},
    interrupts::Interrupts,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{Read, Write},
    os::fd::AsFd,
};

/// What came of a detached run.
pub enum Detached {
    /// On the launcher's side: where it is, or why it is not.
    Launched(Result<Box<Answer>, Failure>),
    /// On the launcher's side: who watched went away, with this exit code, and it goes on.
    Left(i32),
    /// On the background's side, at the end of the instance: the exit code, for nobody.
    Over(i32),
}

/// How long a background run reports, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// To a launcher, until it is ready.
    UntilReady,
    /// To the `up` of this pid, to its end; and it ends with that process.
    WithStarter(i32),
}

/// What a launcher waits for.
#[derive(Clone, Copy)]
enum Source {
    Report,
    Interrupt,
}

/// One line of the report.
#[derive(Serialize, Deserialize)]
pub(super) enum Line {
    /// Something worth saying on the way.
    Said(Said),
    /// It is ready.
    Ready(Box<Answer>),
    /// A new range wants consent, which cannot be asked for here.
    Unconfirmed(Box<Proposal>),
    /// It is not.
    Failed(Failure),
}

impl Host {
    /// Runs in the background, and returns when it is ready there. Fails on the launcher's side alone, when
    /// the world has changed since the fork and a new range wants consent.
    pub fn run_detached(
        &mut self,
        request: &Request,
        code: fn(Kind) -> i32,
        watcher: Option<&dyn Watcher>,
        report: &mut dyn FnMut(Said),
    ) -> Result<Detached, Error> {
        match detach() {
            Ok(Side::Launcher { background, report: pipe }) => {
                let answer = wait(pipe, code, watcher, report);
                if !matches!(answer, Ok(Detached::Launched(Ok(_)) | Detached::Left(_))) {
                    see_off(background);
                }
                answer
            }
            Ok(Side::Background { report: pipe }) => {
                self.actor.author.pid =
                    i32::try_from(std::process::id()).expect("a pid fits 31 bits");
                Ok(Detached::Over(self.run_in_background(request, code, pipe, Report::UntilReady)))
            }
            Err(source) => {
                let error = Error::System { deed: "start a background process", source };
                Ok(Detached::Launched(Err(error.failure(code))))
            }
        }
    }

    /// Runs as a companion of `up`, in the background, and reports on what was its stdout.
    pub fn run_reporting(
        &self,
        request: &Request,
        code: fn(Kind) -> i32,
        report: Report,
    ) -> Result<i32, Error> {
        let failed = |source| Error::System { deed: "go into the background", source };
        let starter = match report {
            Report::UntilReady => None,
            Report::WithStarter(pid) => Some(pid),
        };
        let (pipe, is_wanted) = companion::step_back(starter).map_err(failed)?;
        if !is_wanted {
            return Ok(code(Kind::Failed));
        }
        Ok(self.run_in_background(request, code, pipe, report))
    }

    fn run_in_background(
        &self,
        request: &Request,
        code: fn(Kind) -> i32,
        pipe: File,
        until: Report,
    ) -> i32 {
        let pipe = std::cell::RefCell::new(Some(pipe));
        let tell = |line: &Line| {
            if let Some(pipe) = pipe.borrow_mut().as_mut() {
                let text = serde_json::to_string(line).expect("a report is plain JSON");
                // A launcher that was interrupted does not listen any more; the instance goes on.
                let _ = pipe.write_all((text + "\n").as_bytes());
            }
        };
        let result = self.run(request, &mut |said| match said {
            Said::Ready { answer } | Said::Reused { answer } => {
                tell(&Line::Ready(answer));
                match until {
                    // From now on nobody waits.
                    Report::UntilReady => drop(pipe.replace(None)),
                    Report::WithStarter(_) => pipe.borrow().iter().for_each(companion::never_wait),
                }
            }
            other => tell(&Line::Said(other)),
        });
        match result {
            Ok(code) => code,
            Err(Error::Unconfirmed(proposal)) => {
                tell(&Line::Unconfirmed(proposal));
                code(Kind::Config)
            }
            Err(error) => {
                let failure = error.failure(code);
                let exit_code = failure.code;
                tell(&Line::Failed(failure));
                exit_code
            }
        }
    }
}

/// Waits for the report. A person who watches may go away: the instance goes on.
fn wait(
    mut pipe: File,
    code: fn(Kind) -> i32,
    watcher: Option<&dyn Watcher>,
    report: &mut dyn FnMut(Said),
) -> Result<Detached, Error> {
    let failed = |source| Error::System { deed: "wait for the background process", source };
    let interrupts = watcher.map(|_| Interrupts::take()).transpose().map_err(failed)?;
    let vigil = Vigil::begin(None, watcher);
    let mut lines = Vec::new();
    loop {
        let mut sources: Vec<(Source, &dyn AsFd)> = vec![(Source::Report, &pipe)];
        sources.extend(interrupts.iter().map(|it| (Source::Interrupt, it as &dyn AsFd)));
        let first = vigil.first_of(&sources).map_err(failed)?;
        if let (Some(Source::Interrupt), Some(interrupts)) = (first, &interrupts) {
            report(Said::Notice("interrupted: it goes on in the background".to_owned()));
            return Ok(Detached::Left(interrupts.which().exit_code()));
        }
        let mut block = [0; 4096];
        let length = pipe.read(&mut block).unwrap_or(0);
        if length == 0 {
            return Ok(Detached::Launched(Err(Error::BackgroundKilled.failure(code))));
        }
        lines.extend_from_slice(&block[..length]);
        while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = lines.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(Line::Said(said)) => {
                    if let Said::Started { answer } = &said {
                        let Answer { r#type, id, port, .. } = &**answer;
                        vigil.waits_for(&format!("{type}/{id} on port {port}: getting ready"));
                    }
                    report(said);
                }
                Ok(Line::Ready(answer)) => return Ok(Detached::Launched(Ok(answer))),
                Ok(Line::Unconfirmed(proposal)) => return Err(Error::Unconfirmed(proposal)),
                Ok(Line::Failed(failure)) => return Ok(Detached::Launched(Err(failure))),
                Err(_) => {
                    return Ok(Detached::Launched(Err(Error::BackgroundKilled.failure(code))));
                }
            }
        }
    }
}

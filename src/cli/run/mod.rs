//! `styxy run`: the request handed over, and what is said of it on the way.
//!
//! What was typed becomes a request in `request`, and what happens becomes words in `report`.

mod report;
mod request;

pub(super) use report::{new_range, sentence, where_it_is};
pub(super) use request::{Arguments, UNDER_UP, UP_LEAVES};

use super::{
    arguments::{Session, Verb},
    consent::with_consent,
    exit_code, failure, output,
    spinner::Spinner,
};
use crate::operations::{
    Error, Host,
    detach::{Detached, Report as Reporting},
    plan::Request,
    services::Prepared,
};
use report::Report;
use std::mem::ManuallyDrop;

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let assignments = self.new_range.assignments();
        // It ends with the process: to take its registry apart, row by row, would only take time.
        let mut host = ManuallyDrop::new(session.host_with(&assignments)?);
        let under_up = self.under_up;
        let mut request = match &self.service {
            Some(service) => named(&mut host, service.clone(), self)?,
            None => self.onto(Request::default()),
        };
        if let Some(under_up) = under_up {
            return part_of_up(&host, request, under_up);
        }
        if request.detach && !request.dry_run {
            return in_background(&mut host, &mut request, session);
        }
        let mut report = Report::new(&host, session);
        let done =
            with_consent(&mut request, |request| host.run(request, &mut |said| report.hear(said)));
        match done {
            Err(error) if session.json && report.stdout_is_the_commands() => {
                Ok(failure::report_beside(error))
            }
            done => {
                report.printed()?;
                done
            }
        }
    }
}

/// A service of the project, with what flags say otherwise; from now on, in its place.
fn named(host: &mut Host, service: String, flags: Arguments) -> Result<Request, Error> {
    let flags = flags.typed_in(&host.place.cwd);
    let services = host.services()?;
    let Prepared { request, place } = host.service(&services, &service)?;
    host.enter(place)?;
    Ok(flags.onto(request))
}

/// A service whose output `up` shows, and that lives as long as `up` does; or that `up -d` leaves alone.
fn part_of_up(host: &Host, request: Request, starter: i32) -> Result<i32, Error> {
    let stays = starter != UP_LEAVES;
    let report = if stays { Reporting::WithStarter(starter) } else { Reporting::UntilReady };
    let request = Request { detach: true, stays, in_order: true, ..request };
    host.run_reporting(&request, exit_code::of, report)
}

/// The port on stdout once it is ready there, or why it is not.
fn in_background(host: &mut Host, request: &mut Request, session: &Session) -> Result<i32, Error> {
    let spinner = Spinner::new(session);
    let detached = with_consent(request, |request| {
        // Asked before the fork: in the background nobody could answer.
        host.check_consent(request)?;
        let mut say = |said| {
            if let Some(sentence) = report::sentence(&said) {
                spinner.aside(|| session.say(&sentence));
            }
        };
        host.run_detached(request, exit_code::of, spinner.watcher(), &mut say)
    });
    spinner.clear();
    let detached = detached?;
    match detached {
        Detached::Launched(Ok(answer)) => {
            session.say(&report::where_it_is(&answer));
            output::answer(&answer, session.json)?;
            Ok(0)
        }
        Detached::Launched(Err(failure)) => Ok(failure::show(&failure, session.json)),
        // The launcher has told all that there was to tell.
        Detached::Over(code) | Detached::Left(code) => Ok(code),
    }
}

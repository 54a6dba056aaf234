//! `--after`: a run waits until other instances are ready, and gets their addresses as variables.
//!
//! Over their sockets; nothing polls. Who is not there, or ends before it is ready, is not waited for: a run
//! that needs it fails.

use super::{
    child::shouted,
    error::Error,
    host::Host,
    plan::{Plan, Request},
    run::{Report, Said},
    view::View,
};
use crate::{
    decision::ask::AskedId,
    os::{interrupts::Interrupts, listeners},
    registry::{InstanceName, Phase, ReferenceError, Registry},
    supervisor::{
        self,
        line::{Heard, Line},
        message::{FromClient, ToClient},
    },
};
use std::os::fd::AsFd;

/// What a run comes after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The instance that a user means by this.
    Reference(String),
    /// The instance of a service of the same project.
    Service {
        /// What the service is called.
        service: String,
        /// Its instance.
        name: InstanceName,
    },
}

/// What came of waiting for all of them.
pub(super) enum Met {
    /// All are ready: where they are, as variables.
    All(Vec<(String, String)>),
    /// Somebody wants to wait no longer: end with this code.
    Interrupted(i32),
}

/// What came of waiting for one.
enum Found {
    Ready(Box<View>),
    /// It is not there, and `up` has seen it do its work and end with 0.
    Done,
    Interrupted(i32),
}

impl Host {
    /// Waits until all are ready that a run comes after.
    pub(super) fn wait_for_all(
        &self,
        plan: &Plan,
        request: &Request,
        interrupts: &Interrupts,
        report: &mut Report<'_>,
    ) -> Result<Met, Error> {
        let (AskedId::Given(id) | AskedId::Derived(id)) = &plan.id;
        let waiter = format!("{}/{id}", plan.service_type);
        let mut addresses = Vec::new();
        for after in &request.after {
            let wait = Wait { host: self, waiter: &waiter, after, in_order: request.in_order };
            match wait.to_be_ready(interrupts, report)? {
                Found::Ready(view) => addresses.extend(variables(&view)),
                Found::Done => {}
                Found::Interrupted(code) => return Ok(Met::Interrupted(code)),
            }
        }
        Ok(Met::All(addresses))
    }
}

/// One run that waits for one other instance.
struct Wait<'a> {
    host: &'a Host,
    waiter: &'a str,
    after: &'a After,
    /// `up` has started what belongs to the project, in its order.
    in_order: bool,
}

impl Wait<'_> {
    fn to_be_ready(
        &self,
        interrupts: &Interrupts,
        report: &mut Report<'_>,
    ) -> Result<Found, Error> {
        let Some(view) = self.look()? else {
            let ordered = self.in_order && matches!(self.after, After::Service { .. });
            return if ordered { Ok(Found::Done) } else { Err(self.missing()) };
        };
        if view.phase == Phase::Reserved {
            let is_served = listeners::listening_process(view.port).is_some();
            return if is_served {
                Ok(Found::Ready(Box::new(view)))
            } else {
                Err(self.unserved(&view))
            };
        }
        let broken = |source| Error::System { deed: "talk to the supervisor", source };
        let lock_id = view.lock_id.parse().expect("a view's lockId is one");
        let run = self.host.store.run();
        let Ok(mut line) = Line::connect(run.as_fd(), &lock_id) else {
            return Err(self.ended(&view, "has ended"));
        };
        line.ask(FromClient::Attach).map_err(broken)?;
        let mut waits = false;
        loop {
            match line.listen(Some(interrupts.as_fd()), None).map_err(broken)? {
                Heard::Said(ToClient::Phase(standing)) => match standing.phase {
                    supervisor::Phase::Ready => return Ok(Found::Ready(Box::new(view))),
                    supervisor::Phase::Starting | supervisor::Phase::Backoff if waits => {}
                    supervisor::Phase::Starting | supervisor::Phase::Backoff => {
                        waits = true;
                        let (name, after) = (self.waiter.to_owned(), view.name());
                        report(Said::Waiting { name, after });
                    }
                    supervisor::Phase::Unhealthy => return Err(self.ended(&view, "is unhealthy")),
                    supervisor::Phase::Stopping | supervisor::Phase::Stuck => {
                        return Err(self.ended(&view, "is being stopped"));
                    }
                },
                Heard::Said(ToClient::Outcome { exit_code, .. }) => {
                    let why = format!("ended with {exit_code} before it was ready");
                    return Err(self.ended(&view, &why));
                }
                Heard::HungUp => return Err(self.ended(&view, "was killed")),
                Heard::Interrupted => {
                    return Ok(Found::Interrupted(interrupts.which().exit_code()));
                }
                Heard::Said(
                    ToClient::Dismissed
                    | ToClient::Checks(_)
                    | ToClient::Refused
                    | ToClient::Unknown,
                )
                | Heard::TimedOut => {}
            }
        }
    }

    /// The living instance that is waited for, if it is there.
    fn look(&self) -> Result<Option<View>, Error> {
        let host = self.host;
        let living = host.living(host.read(&|_| {})?);
        let view = |registry: &Registry, instance| host.view(registry, instance);
        match self.after {
            After::Reference(text) => match host.find(&living, text) {
                Ok(instance) => Ok(Some(view(&living, instance))),
                Err(Error::Reference(ReferenceError::Unknown(_))) => Ok(None),
                Err(error) => Err(error),
            },
            After::Service { name, .. } => {
                let instance = living.instance(name).filter(|instance| instance.lease.is_some());
                Ok(instance.map(|instance| view(&living, instance)))
            }
        }
    }

    fn missing(&self) -> Error {
        let (after, hint) = match self.after {
            After::Reference(text) => (
                format!("`{text}`"),
                "start that first, or see with `styxy list` what it is called".to_owned(),
            ),
            After::Service { service, name } => (
                name.to_string(),
                format!("start both with `styxy up`, or `styxy run {service}` first"),
            ),
        };
        let message = format!("{} starts after {after}, which does not run", self.waiter);
        Error::NotThere { message, hint }
    }

    fn unserved(&self, view: &View) -> Error {
        let (name, port) = (view.full_name(), view.port);
        let message =
            format!("{} starts after {name}, and nobody listens on its port {port}", self.waiter);
        Error::NotThere { message, hint: "start what it is reserved for".to_owned() }
    }

    fn ended(&self, view: &View, why: &str) -> Error {
        let name = view.full_name();
        let message = format!("{} starts after {name}, which {why}", self.waiter);
        Error::NotThere { message, hint: format!("styxy logs {name}") }
    }
}

/// `STYXY_<TYPE>_<ID>_PORT` and `_URL`; of one with several ports each by its name too.
fn variables(view: &View) -> Vec<(String, String)> {
    let start = format!("STYXY_{}_{}", shouted(&view.r#type), shouted(&view.id));
    let mut variables = vec![
        (format!("{start}_PORT"), view.port.to_string()),
        (format!("{start}_URL"), view.url.clone()),
    ];
    let named = view.ports.iter();
    variables.extend(
        named.map(|(name, port)| (format!("{start}_PORT_{}", shouted(name)), port.to_string())),
    );
    variables
}

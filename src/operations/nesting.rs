//! A `run` inside an instance: `styxy run -- npm run dev`, whose script says `styxy run -- vite`.
//!
//! Where the inner name is the outer one's, the inner run replaces itself by its command, with the port
//! that is leased already.

use super::{
    error::Error,
    host::{Host, Tell},
    plan::{Plan, Request},
};
use crate::{
    decision::{
        ask::AskedId,
        template::{self, Values},
    },
    os::process,
    registry::Instance,
};
use std::{os::unix::process::CommandExt, process::Command};

impl Host {
    /// Becomes the command if this run is nested in the instance that it names; returns if it is not.
    pub fn become_nested(
        &self,
        plan: &Plan,
        request: &Request,
        tell: &Tell<'_>,
    ) -> Result<(), Error> {
        let Some(lock_id) = &self.place.inside else { return Ok(()) };
        let registry = self.read(tell)?;
        let Some(outer) = registry.by_lock_id(lock_id) else { return Ok(()) };
        let Some(record) = self.store.run().read(lock_id) else { return Ok(()) };
        let alive = self.store.run().is_alive(lock_id)
            && process::is_ancestor(record.details.supervisor.pid);
        if !alive || !is_same_name(outer, plan, request) {
            return Ok(());
        }
        let values = Values { name: &outer.name, ports: &outer.ports, host: super::child::HOST };
        let words = match &plan.tool {
            _ if request.raw => request.command.clone(),
            Some(tool) => tool.inject(outer.port()),
            None => request.command.clone(),
        };
        let words: Vec<String> = match request.raw {
            true => words,
            false => {
                words.iter().map(|word| template::fill(word, &values)).collect::<Result<_, _>>()?
            }
        };
        Err(become_command(&words))
    }
}

/// What is not given is the outer one's; a type alone comes with the id that is derived for it.
fn is_same_name(outer: &Instance, plan: &Plan, request: &Request) -> bool {
    let (AskedId::Given(id) | AskedId::Derived(id)) = &plan.id;
    let type_fits = request.service_type.is_none() || plan.service_type == outer.name.service_type;
    let unnamed = request.service_type.is_none() && request.id.is_none();
    type_fits && (unnamed || *id == outer.name.id)
}

/// Only returns when it fails.
fn become_command(words: &[String]) -> Error {
    let source = Command::new(&words[0]).args(&words[1..]).exec();
    match source.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound { program: words[0].clone() },
        _ => Error::NotExecutable { program: words[0].clone(), source },
    }
}

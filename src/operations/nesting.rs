//! A `run` inside an instance: `styxy run -- npm run dev`, whose script says `styxy run -- vite`.
//!
//! Where the inner name is the outer one's, the inner run replaces itself by its command, with the port
//! that is leased already.

use super::{
    child::{Child, Given, child, named_sockets},
    error::Error,
    host::{Host, Tell},
    plan::{Plan, Request},
};
use crate::{
    decision::ask::AskedId,
    os::{exec, listen_fd, process},
    ports::Port,
    registry::Instance,
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

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
        let cidfile = self.cidfile(lock_id);
        let (name, ports) = (&outer.name, &outer.ports[..]);
        let given = Given { name, ports, lock_id, notify: None, cidfile: &cidfile };
        let Child { program, arguments, environment } = child(plan, request, &given)?;
        let made;
        let sockets: Vec<BorrowedFd<'_>> = if plan.listens {
            let ports: Vec<Port> = outer.ports.iter().map(|named| named.port).collect();
            match listen_fd::inherited(&ports) {
                Some(passed) => passed,
                None => {
                    made = listen_on(&ports)?;
                    made.iter().map(AsFd::as_fd).collect()
                }
            }
        } else {
            Vec::new()
        };
        let sockets = named_sockets(&sockets, &outer.name, &outer.ports);
        Err(failed(exec::become_program(&program, &arguments, &environment, &sockets), request))
    }
}

/// What is not given is the outer one's; a type alone comes with the id that is derived for it.
fn is_same_name(outer: &Instance, plan: &Plan, request: &Request) -> bool {
    let (AskedId::Given(id) | AskedId::Derived(id)) = &plan.id;
    let type_fits = request.service_type.is_none() || plan.service_type == outer.name.service_type;
    let unnamed = request.service_type.is_none() && request.id.is_none();
    type_fits && (unnamed || *id == outer.name.id)
}

fn listen_on(ports: &[Port]) -> Result<Vec<OwnedFd>, Error> {
    let made: Result<_, _> = ports.iter().map(|port| listen_fd::listen_on(*port)).collect();
    made.map_err(|error| Error::System {
        deed: "listen on the port of the instance around this run",
        source: io::Error::other(error),
    })
}

fn failed(source: io::Error, request: &Request) -> Error {
    let program = request.command[0].clone();
    match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { program },
        _ => Error::NotExecutable { program, source },
    }
}

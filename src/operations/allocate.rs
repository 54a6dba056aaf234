//! `allocate`: a port without running anything.
//!
//! Nothing holds such a lease but the registry: it lives while its process does, or its port is served,
//! or it is young.

use super::{
    error::Error,
    host::{Host, HostWorld, Place, Tell, milliseconds},
    plan::{Plan, Request},
    view::{Answer, MadeRange},
};
use crate::{
    config::IfRunning,
    decision::{
        ask::{AskedId, Verdict},
        second_run,
    },
    os::{clock, process},
    registry::{
        Action, Holder, InstanceName, LockId, ProcessIdentity, Registry, Remark, Remarks,
        Reservation,
    },
};
use std::time::Duration;

/// How long a reservation lives without anyone on its port.
pub const TTL_DEFAULT: Duration = Duration::from_secs(600);

/// What is asked for beside the name and the port.
#[derive(Debug, Clone, Copy)]
pub struct Reserve {
    /// The process for which it is reserved.
    pub pid: Option<i32>,
    /// How long it lives without anyone on its port.
    pub ttl: Duration,
}

impl Host {
    /// Leases the ports of a request, or tells where the living instance of that name is.
    pub fn allocate(
        &self,
        request: &Request,
        reserve: Reserve,
        tell: &Tell<'_>,
    ) -> Result<Answer, Error> {
        self.allocate_at(&self.place, request, reserve, tell)
    }

    /// The same for who asks from another place.
    pub fn allocate_at(
        &self,
        place: &Place,
        request: &Request,
        reserve: Reserve,
        tell: &Tell<'_>,
    ) -> Result<Answer, Error> {
        let plan = self.plan_at(place, request)?;
        let process = reserve.pid.map(identified).transpose()?;
        let reservation = Reservation {
            process,
            ttl_ms: milliseconds(reserve.ttl),
            seen_ms: milliseconds(clock::since_boot()),
        };
        if request.dry_run {
            let (mut registry, mut remarks) = (self.read(tell)?, Remarks::default());
            let world = self.world();
            let found =
                self.allocated(&plan, request, &reservation, &mut registry, &mut remarks, &world)?;
            return Ok(self.allocation(&registry, found));
        }
        loop {
            let world = self.world();
            let turn = self.transact(tell, &world, |registry, remarks| {
                match self.allocated(&plan, request, &reservation, registry, remarks, &world) {
                    Ok(found) => {
                        // Else a release that comes right behind this would find the port in use.
                        world.drop_claims();
                        Ok(Ok((registry.clone(), found)))
                    }
                    Err(Error::Leftovers { lock_id }) => {
                        Ok(Err(self.store.run().take_over(&lock_id)))
                    }
                    Err(error) => Err(error),
                }
            })?;
            match turn {
                // Shown outside the lock: who listens on a port takes a look at every process.
                Ok((registry, found)) => return Ok(self.allocation(&registry, found)),
                Err(Some(held)) => self.end_leftovers(held, tell)?,
                // Somebody else reclaims it at this moment; the state lock orders the two.
                Err(None) => {}
            }
        }
    }

    fn allocated(
        &self,
        plan: &Plan,
        request: &Request,
        reservation: &Reservation,
        registry: &mut Registry,
        remarks: &mut Remarks,
        world: &HostWorld<'_>,
    ) -> Result<Found, Error> {
        let ask = plan.ask(IfRunning::Attach, request.new);
        let verdict = second_run::decide(&ask, registry, world).map_err(|refusal| {
            let (AskedId::Given(id) | AskedId::Derived(id)) = &plan.id;
            remarks.said.push(Remark {
                action: Action::Blocked,
                service_type: plan.service_type.clone(),
                instance: Some(InstanceName {
                    service_type: plan.service_type.clone(),
                    id: id.clone(),
                    scope: plan.scope.clone(),
                }),
                port: None,
            });
            self.refused(registry, refusal)
        })?;
        match verdict {
            Verdict::Start { name, .. } => {
                if let Some(dead) = registry
                    .instance(&name)
                    .and_then(|i| i.lease.as_ref())
                    .map(|l| l.lock_id.clone())
                {
                    self.forget(registry, remarks, world, &dead);
                }
                let (ports, new_range) =
                    self.ports(plan, &request.wish, &name, registry, remarks, world)?;
                self.reserve(name.clone(), ports, reservation.clone(), registry);
                Ok(Found { name, new_range, existing: false })
            }
            Verdict::Join { lock_id, .. } => {
                let name = named(registry, &lock_id);
                self.adopt(registry, &name, reservation);
                renew(registry, &name, reservation);
                Ok(joined(registry, remarks, name))
            }
            Verdict::JoinListener { lock_id } => {
                let name = named(registry, &lock_id);
                renew(registry, &name, reservation);
                Ok(joined(registry, remarks, name))
            }
            Verdict::Reclaim { lock_id } => Err(Error::Leftovers { lock_id }),
            Verdict::Wait { .. } | Verdict::Replace { .. } => {
                unreachable!("an allocate neither queues nor replaces")
            }
        }
    }

    /// A reservation for nobody in particular becomes that of the process. One that a process has stays its
    /// own: it lives, or it would not have been joined.
    fn adopt(&self, registry: &mut Registry, name: &InstanceName, reservation: &Reservation) {
        let Some(lease) = registry.instance_mut(name).and_then(|it| it.lease.as_mut()) else {
            return;
        };
        // A pid means something in its own namespace alone.
        let here = lease.namespaces.pid == self.place.namespaces.pid;
        if let Holder::Reserved(held) = &mut lease.holder
            && here
        {
            held.process = held.process.or(reservation.process);
        }
    }

    fn allocation(&self, registry: &Registry, found: Found) -> Answer {
        let instance = registry.instance(&found.name).expect("it was leased just now");
        let view = if found.existing {
            self.view(registry, instance)
        } else {
            // Leased just now, so nobody listens on it.
            self.view_unserved(registry, instance)
        };
        let port = view.port;
        let pid = view.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
        let message = match (found.existing, found.new_range) {
            (true, _) => format!("{} already runs on port {port}{pid}, reusing", view.name()),
            (false, Some(made)) if made.grown => {
                format!("Service type '{}' has more ports now", view.r#type)
            }
            (false, Some(_)) => format!("New service type '{}' auto-configured", view.r#type),
            (false, None) => format!("{} has port {port}", view.name()),
        };
        Answer {
            existing: found.existing,
            auto_allocated: found.new_range.is_some(),
            new_range: found.new_range.map(|made| made.range),
            grown: found.new_range.is_some_and(|made| made.grown),
            ..view.answer(message)
        }
    }
}

/// What came of an allocate.
struct Found {
    name: InstanceName,
    new_range: Option<MadeRange>,
    existing: bool,
}

fn identified(pid: i32) -> Result<ProcessIdentity, Error> {
    process::identify(pid).map_err(|source| Error::Usage {
        message: format!("there is no process {pid} to reserve a port for: {source}"),
        hint: Some("give --pid the pid of a living process, or leave it out".to_owned()),
    })
}

fn named(registry: &Registry, lock_id: &LockId) -> InstanceName {
    registry.by_lock_id(lock_id).expect("the verdict names a lease").name.clone()
}

/// Somebody has it already, which is worth a line.
fn joined(registry: &Registry, remarks: &mut Remarks, name: InstanceName) -> Found {
    remarks.said.push(Remark {
        action: Action::Attach,
        service_type: name.service_type.clone(),
        instance: Some(name.clone()),
        port: registry.instance(&name).map(|instance| instance.port()),
    });
    Found { name, new_range: None, existing: true }
}

/// The same allocate again keeps a reservation alive for another while.
fn renew(registry: &mut Registry, name: &InstanceName, reservation: &Reservation) {
    let lease = registry.instance_mut(name).and_then(|instance| instance.lease.as_mut());
    if let Some(Holder::Reserved(held)) = lease.map(|lease| &mut lease.holder) {
        held.seen_ms = reservation.seen_ms;
        held.ttl_ms = reservation.ttl_ms;
    }
}

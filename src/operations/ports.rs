//! Which ports an instance gets, and the range they come from: the decision, with the real world behind it.
//!
//! Inside a transaction, on its draft. What is chosen is claimed in the kernel already.

use super::{
    error::Error,
    host::{Host, HostWorld},
    lease::{blocked, now},
    plan::Plan,
    refused::Refused,
    view::MadeRange,
};
use crate::{
    decision::{
        give_way, new_range,
        port::{self, Choice},
        range_rule::Rule,
        refusal::Refusal,
        world::{Life, World},
    },
    os::{listeners, port_probe, user},
    ports::{Port, Range},
    registry::{InstanceName, LockId, Ports, Registry, Remarks},
};

impl Host {
    /// The ports of an instance, and the range that was made for them.
    pub(super) fn ports(
        &self,
        plan: &Plan,
        wish: &port::Wish,
        name: &InstanceName,
        registry: &mut Registry,
        remarks: &mut Remarks,
        world: &HostWorld<'_>,
    ) -> Result<(Ports, Option<MadeRange>), Error> {
        if let Some(exact) = wish.exact {
            self.free_of_the_dead(exact, registry, remarks, world);
        }
        self.give_way(registry, remarks);
        let mut new_range = None;
        let automatic = plan.range.is_none();
        let may_grow = automatic && self.config.auto_allocation().enabled;
        if automatic && registry.ranges_of(&plan.service_type).next().is_none() {
            new_range = Some(self.grow(plan, wish, registry, remarks, world)?);
        }
        let mut collected = false;
        loop {
            let ranges: Vec<Range> = match plan.range {
                Some(range) => vec![range],
                None => registry.ranges_of(&plan.service_type).collect(),
            };
            let choice =
                Choice { registry, name, ranges: &ranges, preferred: &plan.preferred, wish };
            match port::choose(choice, world) {
                Ok(ports) => return Ok((ports, new_range)),
                Err(Refusal::RangeFull { .. }) if !collected => {
                    // Nothing else is free, so now it is worth looking at every lease.
                    collected = true;
                    self.collect(registry, remarks, world, usize::MAX);
                }
                Err(Refusal::RangeFull { .. }) if may_grow && new_range.is_none() => {
                    new_range = Some(self.grow(plan, wish, registry, remarks, world)?);
                }
                Err(refusal) => {
                    remarks.said.push(blocked(&refusal, plan));
                    return Err(self.refused(registry, refusal));
                }
            }
        }
    }

    /// Takes the ports that people configured since out of automatic ranges. What only a project says
    /// binds that project, and takes nothing from others.
    fn give_way(&self, registry: &mut Registry, remarks: &mut Remarks) {
        if registry.ranges.is_empty() {
            return;
        }
        let configured: Vec<Range> = self.config.of_machine().configured_ranges().collect();
        for cut in give_way::cuts(registry, &configured) {
            remarks.retired.push(cut.whole.range);
            cut.apply(registry);
        }
    }

    fn free_of_the_dead(
        &self,
        port: Port,
        registry: &mut Registry,
        remarks: &mut Remarks,
        world: &HostWorld<'_>,
    ) {
        let dead = registry
            .by_port(port)
            .filter(|instance| world.life(instance) == Life::Gone)
            .and_then(|instance| instance.lease.as_ref())
            .map(|lease| lease.lock_id.clone());
        if let Some(lock_id) = dead {
            self.forget(registry, remarks, world, &lock_id);
        }
    }

    /// Makes a range for an unknown type, or grows the range of one that is full: by as many ports as the
    /// rule says, or as are wanted at once.
    fn grow(
        &self,
        plan: &Plan,
        wish: &port::Wish,
        registry: &mut Registry,
        remarks: &mut Remarks,
        world: &HostWorld<'_>,
    ) -> Result<MadeRange, Error> {
        let service_type = &plan.service_type;
        if !self.config.auto_allocation().enabled {
            let refusal = Refusal::NoRange { service_type: service_type.clone() };
            return Err(self.refused(registry, refusal));
        }
        let ephemeral = port_probe::ephemeral_range();
        let mut rule = Rule::of(&self.config, registry, service_type, &plan.new_range, ephemeral);
        let wanted = u16::try_from(wish.names.len()).unwrap_or(u16::MAX);
        rule.chunk_size = rule.chunk_size.max(wanted);
        let range = new_range::choose(registry, service_type, &rule, world).map_err(|refusal| {
            remarks.said.push(blocked(&refusal, plan));
            self.refused(registry, refusal)
        })?;
        let own: Vec<Range> = registry.ranges_of(service_type).collect();
        self.consent(plan, &rule, &own, range)?;
        remarks.ruled.push((range, rule.words(&own, range)));
        registry.ranges.push(new_range::row(service_type, range, now()));
        Ok(MadeRange { range, grown: !own.is_empty() })
    }

    /// A refusal, with what is known of who is in the way.
    pub(super) fn refused(&self, registry: &Registry, refusal: Refusal) -> Error {
        let view = |lock_id: &LockId| {
            registry.by_lock_id(lock_id).map(|instance| self.view(registry, instance))
        };
        let (holder, others) = match &refusal {
            Refusal::Blocked { holder, .. } | Refusal::PortLeased { holder, .. } => {
                (view(&holder.lock_id), Vec::new())
            }
            Refusal::PortTaken { port } => (None, strangers(*port)),
            Refusal::RangeFull { leased, ranges, .. } => {
                let leases = leased.iter().map(|holder| {
                    format!("{} on {}", self.full_name(registry, &holder.name), holder.port)
                });
                (None, leases.chain(foreign(registry, ranges)).collect())
            }
            Refusal::PortNotPermitted { .. } | Refusal::NoRange { .. } | Refusal::NoRoom { .. } => {
                (None, Vec::new())
            }
        };
        Error::Refused(Box::new(Refused { refusal, holder, others }))
    }
}

/// So many ports of a full range are looked at for who else uses them.
const FOREIGN_MAX: usize = 16;

/// Who else uses ports of a full range.
fn foreign<'a>(registry: &'a Registry, ranges: &'a [Range]) -> impl Iterator<Item = String> + 'a {
    let unleased = ranges.iter().flat_map(|range| range.ports());
    let unleased = unleased.filter(|port| registry.by_port(*port).is_none()).take(FOREIGN_MAX);
    unleased.flat_map(|port| strangers(port).into_iter().map(move |who| format!("{who} on {port}")))
}

/// Who uses a port, as `nginx (pid 812)`.
pub(super) fn strangers(port: Port) -> Vec<String> {
    let holders = listeners::who_holds(port).unwrap_or_default();
    holders
        .into_iter()
        .map(|holder| match (holder.command, holder.pid) {
            (Some(command), Some(pid)) => format!("{command} (pid {pid})"),
            (None, Some(pid)) => format!("pid {pid}"),
            (_, None) => format!("a program of {}", user::name(holder.uid)),
        })
        .collect()
}

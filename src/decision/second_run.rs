//! What a second run does: start, attach, reuse, replace, wait, reclaim first, or stay away.
//!
//! Pure. An id names one instance; liveness is not identity, so a derived id never joins another command.

use super::{
    ask::{Ask, AskedId, Purpose, Verdict},
    identity::numbered,
    port::holder_of,
    refusal::{Refusal, Why},
    world::{Life, PortUse, World},
};
use crate::{
    config::{Behavior, IfRunning, InstanceId, SingleScope},
    registry::{Holder, Instance, InstanceName, Lease, Registry, Reservation},
};

/// So many numbered instances of one derived id are looked through.
const NUMBER_MAX: u32 = 10_000;

/// Decides what a run or an allocate does.
pub fn decide(ask: &Ask<'_>, registry: &Registry, world: &dyn World) -> Result<Verdict, Refusal> {
    let single = ask.behavior == Behavior::Single && ask.single_scope == SingleScope::Type;
    let verdict = if single {
        ask.for_single_type(registry, world)?
    } else {
        let (AskedId::Given(id) | AskedId::Derived(id)) = ask.id;
        ask.for_name(ask.name(id), false, registry, world)?
    };
    match &verdict {
        Verdict::Start { name, .. } => {
            Ok(ask.claimed_by_other(name, registry, world)?.unwrap_or(verdict))
        }
        Verdict::Join { .. }
        | Verdict::JoinListener { .. }
        | Verdict::Wait { .. }
        | Verdict::Replace { .. }
        | Verdict::Reclaim { .. } => Ok(verdict),
    }
}

impl Ask<'_> {
    fn name(&self, id: &InstanceId) -> InstanceName {
        InstanceName {
            service_type: self.service_type.clone(),
            id: id.clone(),
            scope: self.scope.clone(),
        }
    }

    /// A type that allows one instance: any other that lives is in the way.
    fn for_single_type(&self, registry: &Registry, world: &dyn World) -> Result<Verdict, Refusal> {
        let mut running = None;
        for (instance, lease) in registry.leased().filter(|(instance, _)| {
            instance.name.service_type == *self.service_type && instance.name.scope == *self.scope
        }) {
            match world.life(instance) {
                Life::Gone => {}
                Life::Leftovers => return Ok(Verdict::Reclaim { lock_id: lease.lock_id.clone() }),
                Life::Alive => running = Some((instance, lease)),
            }
        }
        match (running, self.id) {
            (Some((instance, lease)), AskedId::Given(id)) if instance.name.id != *id => {
                self.blocked(instance, lease, Why::SingleType)
            }
            (Some((instance, _)), AskedId::Given(_) | AskedId::Derived(_)) => {
                self.for_name(instance.name.clone(), true, registry, world)
            }
            (None, AskedId::Given(id) | AskedId::Derived(id)) => {
                self.for_name(self.name(id), true, registry, world)
            }
        }
    }

    fn for_name(
        &self,
        name: InstanceName,
        single: bool,
        registry: &Registry,
        world: &dyn World,
    ) -> Result<Verdict, Refusal> {
        let Some((instance, lease)) = leased(registry, &name) else {
            return Ok(start(name));
        };
        if self.successor == Some(&lease.lock_id) {
            // The one that was replaced has handed its row on.
            return Ok(start(name));
        }
        match world.life(instance) {
            Life::Gone => return Ok(start(name)),
            Life::Leftovers => return Ok(Verdict::Reclaim { lock_id: lease.lock_id.clone() }),
            Life::Alive => {}
        }
        let stranger = self.is_other_command(lease);
        if self.new || stranger {
            if single || self.behavior == Behavior::Single {
                let why = if self.new { Why::SingleType } else { Why::OtherCommand };
                return self.blocked(instance, lease, why);
            }
            return self.numbered(&name, registry, world);
        }
        self.same_instance(instance, lease, world)
    }

    /// A derived id joins only the command that it was derived for.
    fn is_other_command(&self, lease: &Lease) -> bool {
        match (&self.purpose, self.id, &lease.holder) {
            (Purpose::Run { command }, AskedId::Derived(_), Holder::Supervisor) => {
                lease.command != *command
            }
            (Purpose::Run { .. }, AskedId::Given(_), _)
            | (Purpose::Run { .. }, AskedId::Derived(_), Holder::Reserved(_))
            | (Purpose::Allocate, AskedId::Given(_) | AskedId::Derived(_), _) => false,
        }
    }

    /// The first of `web-2`, `web-3`, … that is free, or that runs the same command.
    fn numbered(
        &self,
        name: &InstanceName,
        registry: &Registry,
        world: &dyn World,
    ) -> Result<Verdict, Refusal> {
        for number in 2..NUMBER_MAX {
            let name = InstanceName { id: numbered(&name.id, number), ..name.clone() };
            let Some((instance, lease)) = leased(registry, &name) else {
                return Ok(Verdict::Start { name, takes_over: None, renumbered: true });
            };
            match world.life(instance) {
                Life::Gone => {
                    return Ok(Verdict::Start { name, takes_over: None, renumbered: true });
                }
                Life::Leftovers => return Ok(Verdict::Reclaim { lock_id: lease.lock_id.clone() }),
                Life::Alive if self.new || self.is_other_command(lease) => {}
                Life::Alive => return self.same_instance(instance, lease, world),
            }
        }
        let (instance, lease) =
            leased(registry, name).expect("the first one is why numbers are tried");
        self.blocked(instance, lease, Why::OtherCommand)
    }

    fn same_instance(
        &self,
        instance: &Instance,
        lease: &Lease,
        world: &dyn World,
    ) -> Result<Verdict, Refusal> {
        let lock_id = lease.lock_id.clone();
        if self.successor.is_some() && self.successor == lease.next.as_ref() {
            return Ok(Verdict::Wait { lock_id });
        }
        if self.purpose == Purpose::Allocate {
            return Ok(Verdict::Join { lock_id, reuse: true });
        }
        if let Holder::Reserved(reservation) = &lease.holder {
            return self.reserved(instance, lease, reservation, world);
        }
        match self.if_running {
            IfRunning::Attach => Ok(Verdict::Join { lock_id, reuse: false }),
            IfRunning::Reuse => Ok(Verdict::Join { lock_id, reuse: true }),
            IfRunning::Wait => Ok(Verdict::Wait { lock_id }),
            IfRunning::Fail => Err(refused(instance, Why::SameInstance)),
            IfRunning::Replace if lease.next.is_some() => {
                Err(refused(instance, Why::BeingReplaced))
            }
            IfRunning::Replace => Ok(Verdict::Replace { lock_id }),
        }
    }

    /// A `run` of a name that `allocate` has reserved.
    fn reserved(
        &self,
        instance: &Instance,
        lease: &Lease,
        reservation: &Reservation,
        world: &dyn World,
    ) -> Result<Verdict, Refusal> {
        let lock_id = lease.lock_id.clone();
        // A reservation holds no claim, so a port that cannot be claimed is served by someone.
        if instance.ports.iter().any(|named| world.port_use(named.port) != PortUse::Free) {
            return match self.if_running {
                IfRunning::Attach | IfRunning::Wait => Ok(Verdict::JoinListener { lock_id }),
                IfRunning::Reuse => Ok(Verdict::Join { lock_id, reuse: true }),
                IfRunning::Fail => Err(refused(instance, Why::SameInstance)),
                IfRunning::Replace => Err(refused(instance, Why::NotOurs)),
            };
        }
        let ours = reservation.process.is_none_or(|process| (self.is_ancestor)(process.pid));
        if !ours {
            return Err(refused(instance, Why::Reserved));
        }
        let name = instance.name.clone();
        Ok(Verdict::Start { name, takes_over: Some(lock_id), renumbered: false })
    }

    /// Another instance, of whatever type, that uses one of the data directories.
    fn claimed_by_other(
        &self,
        name: &InstanceName,
        registry: &Registry,
        world: &dyn World,
    ) -> Result<Option<Verdict>, Refusal> {
        if self.claims.is_empty() {
            return Ok(None);
        }
        for (instance, lease) in registry.leased().filter(|(other, _)| other.name != *name) {
            let Some(path) = self.claims.iter().find(|path| lease.claims.contains(path)) else {
                continue;
            };
            match world.life(instance) {
                Life::Gone => {}
                Life::Leftovers => {
                    return Ok(Some(Verdict::Reclaim { lock_id: lease.lock_id.clone() }));
                }
                Life::Alive => {
                    return self.blocked(instance, lease, Why::Claim(path.clone())).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Blocked by another instance: only who queues does anything but stay away.
    fn blocked(&self, instance: &Instance, lease: &Lease, why: Why) -> Result<Verdict, Refusal> {
        let queues = self.if_running == IfRunning::Wait
            && self.purpose != Purpose::Allocate
            && lease.holder == Holder::Supervisor;
        if queues {
            return Ok(Verdict::Wait { lock_id: lease.lock_id.clone() });
        }
        Err(refused(instance, why))
    }
}

fn leased<'a>(registry: &'a Registry, name: &InstanceName) -> Option<(&'a Instance, &'a Lease)> {
    let instance = registry.instance(name)?;
    Some((instance, instance.lease.as_ref()?))
}

fn start(name: InstanceName) -> Verdict {
    Verdict::Start { name, takes_over: None, renumbered: false }
}

fn refused(instance: &Instance, why: Why) -> Refusal {
    Refusal::Blocked { holder: Box::new(holder_of(instance)), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decision::world::tests::{Told, lease, name, registry, remembered, running},
        registry::Scope,
    };

    /// A table's row: what runs, what is asked, what comes of it.
    struct Case {
        rows: Vec<Instance>,
        id: AskedId,
        scope: Scope,
        behavior: Behavior,
        if_running: IfRunning,
        new: bool,
        purpose: Purpose,
        claims: Vec<String>,
        world: Told,
    }

    fn case(rows: Vec<Instance>) -> Case {
        Case {
            rows,
            id: AskedId::Given("web".parse().unwrap()),
            scope: Scope::Machine,
            behavior: Behavior::Multi,
            if_running: IfRunning::Attach,
            new: false,
            purpose: Purpose::Run { command: 7 },
            claims: Vec::new(),
            world: Told::default(),
        }
    }

    fn derived(id: &str) -> AskedId {
        AskedId::Derived(id.parse().unwrap())
    }

    impl Case {
        fn single(self) -> Self {
            Self { behavior: Behavior::Single, ..self }
        }

        fn check(self, expected: &str) {
            let ask = Ask {
                service_type: &"dev".parse().unwrap(),
                id: &self.id,
                scope: &self.scope,
                behavior: self.behavior,
                single_scope: SingleScope::Type,
                purpose: self.purpose,
                if_running: self.if_running,
                new: self.new,
                claims: &self.claims,
                successor: None,
                is_ancestor: &|pid| pid == 77,
            };
            let found = match decide(&ask, &registry(self.rows), &self.world) {
                Ok(Verdict::Start { name, takes_over, renumbered }) => format!(
                    "start {name}{}{}",
                    if takes_over.is_some() { " taking over" } else { "" },
                    if renumbered { " renumbered" } else { "" }
                ),
                Ok(Verdict::Join { lock_id, reuse }) => {
                    format!("{} {lock_id}", if reuse { "reuse" } else { "attach" })
                }
                Ok(Verdict::JoinListener { lock_id }) => format!("listener {lock_id}"),
                Ok(Verdict::Wait { lock_id }) => format!("wait {lock_id}"),
                Ok(Verdict::Replace { lock_id }) => format!("replace {lock_id}"),
                Ok(Verdict::Reclaim { lock_id }) => format!("reclaim {lock_id}"),
                Err(Refusal::Blocked { holder, why }) => format!("{why:?} {}", holder.name),
                Err(other) => format!("{other:?}"),
            };
            assert_eq!(found, expected);
        }
    }

    fn web() -> Vec<Instance> {
        vec![running("dev/web", 3000)]
    }

    #[test]
    fn the_table_of_if_running() {
        for (if_running, expected) in [
            (IfRunning::Attach, "attach dev-web-000000"),
            (IfRunning::Reuse, "reuse dev-web-000000"),
            (IfRunning::Fail, "SameInstance dev/web"),
            (IfRunning::Replace, "replace dev-web-000000"),
            (IfRunning::Wait, "wait dev-web-000000"),
        ] {
            Case { if_running, ..case(web()) }.check(expected);
            Case { if_running, ..case(web()) }.single().check(expected);
        }
    }

    #[test]
    fn another_id_is_a_second_instance_or_blocked() {
        let other = || vec![running("dev/other", 3000)];
        case(other()).check("start dev/web");
        case(other()).single().check("SingleType dev/other");
        Case { if_running: IfRunning::Wait, ..case(other()) }
            .single()
            .check("wait dev-other-000000");
        Case { if_running: IfRunning::Replace, ..case(other()) }
            .single()
            .check("SingleType dev/other");
        Case { id: derived("web"), ..case(other()) }.single().check("attach dev-other-000000");
    }

    #[test]
    fn a_sibling_projects_instance_is_another_one() {
        let there = || vec![running("dev/web@/w/other", 3000)];
        let scope = || Scope::Project("/w/shop".into());
        Case { scope: scope(), ..case(there()) }.check("start dev/web");
        Case { scope: scope(), ..case(there()) }.single().check("start dev/web");
    }

    #[test]
    fn a_derived_id_never_joins_another_command() {
        let other = Purpose::Run { command: 8 };
        let ask = || Case { id: derived("web"), purpose: other, ..case(web()) };
        ask().check("start dev/web-2 renumbered");
        ask().single().check("OtherCommand dev/web");
        let mut second = running("dev/web-2", 3001);
        second.lease.as_mut().unwrap().command = 8;
        Case { rows: vec![running("dev/web", 3000), second], ..ask() }
            .check("attach dev-web-2-000000");
        Case { purpose: other, ..case(web()) }.check("attach dev-web-000000");
    }

    #[test]
    fn new_asks_for_another_all_the_same() {
        Case { new: true, ..case(web()) }.check("start dev/web-2 renumbered");
        Case { new: true, ..case(web()) }.single().check("SingleType dev/web");
        let two = vec![running("dev/web", 3000), running("dev/web-2", 3001)];
        Case { new: true, ..case(two) }.check("start dev/web-3 renumbered");
        Case { new: true, ..case(vec![remembered("dev/web", 3000, 1)]) }.check("start dev/web");
    }

    #[test]
    fn the_dead_are_reclaimed_or_forgotten() {
        let gone = || Told { gone: ["dev-web-000000".to_owned()].into(), ..Told::default() };
        let left = || Told { leftovers: ["dev-web-000000".to_owned()].into(), ..Told::default() };
        Case { world: gone(), ..case(web()) }.check("start dev/web");
        Case { world: left(), ..case(web()) }.check("reclaim dev-web-000000");
        Case { world: left(), id: derived("x"), ..case(web()) }
            .single()
            .check("reclaim dev-web-000000");
        Case { world: gone(), id: derived("x"), ..case(web()) }.single().check("start dev/x");
    }

    #[test]
    fn a_successor_lets_no_second_one_in() {
        let mut row = running("dev/web", 3000);
        row.lease.as_mut().unwrap().next = Some("dev-web-000009".parse().unwrap());
        Case { if_running: IfRunning::Replace, ..case(vec![row]) }.check("BeingReplaced dev/web");
    }

    #[test]
    fn two_never_run_on_one_data_directory() {
        let mut row = running("ai/chroma", 11400);
        row.lease.as_mut().unwrap().claims = vec!["/data".to_owned()];
        let claims = || vec!["/data".to_owned()];
        let ask = |row: &Instance| Case { claims: claims(), ..case(vec![row.clone()]) };
        ask(&row).check("Claim(\"/data\") ai/chroma");
        Case { if_running: IfRunning::Wait, ..ask(&row) }.check("wait ai-chroma-000000");
        Case { claims: vec!["/else".to_owned()], ..ask(&row) }.check("start dev/web");
        let gone = Told { gone: ["ai-chroma-000000".to_owned()].into(), ..Told::default() };
        Case { world: gone, ..ask(&row) }.check("start dev/web");
    }

    #[test]
    fn a_run_of_a_reserved_name_takes_the_lease_over_when_it_may() {
        let reserved = |pid: Option<i32>| {
            let process = pid.map(|pid| crate::registry::ProcessIdentity { pid, start: 1 });
            let holder = Holder::Reserved(Reservation { process, ttl_ms: 1, seen_ms: 1 });
            let mut row = running("dev/web", 3000);
            row.lease = Some(lease(&name("dev/web"), holder));
            vec![row]
        };
        case(reserved(None)).check("start dev/web taking over");
        case(reserved(Some(77))).check("start dev/web taking over");
        case(reserved(Some(78))).check("Reserved dev/web");
        Case { purpose: Purpose::Allocate, ..case(reserved(None)) }.check("reuse dev-web-000000");
        for (if_running, expected) in [
            (IfRunning::Attach, "listener dev-web-000000"),
            (IfRunning::Wait, "listener dev-web-000000"),
            (IfRunning::Reuse, "reuse dev-web-000000"),
            (IfRunning::Fail, "SameInstance dev/web"),
            (IfRunning::Replace, "NotOurs dev/web"),
        ] {
            let world = Told { taken: [3000].into(), ..Told::default() };
            Case { if_running, world, ..case(reserved(None)) }.check(expected);
        }
    }

    #[test]
    fn allocate_reuses_what_lives_and_is_blocked_by_a_single_one() {
        let allocate = || Case { purpose: Purpose::Allocate, ..case(web()) };
        allocate().check("reuse dev-web-000000");
        let other = vec![running("dev/other", 3000)];
        Case { rows: other, ..allocate() }.single().check("SingleType dev/other");
    }
}

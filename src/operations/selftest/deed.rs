//! What the self-test does to a store: what commands do, by the same decisions, in a world without other
//! programs. No port is touched and nothing is run.

use super::dice::Dice;
use crate::{
    config::{InstanceId, TypeName},
    decision::{
        new_range,
        port::{self, Choice, Wish},
        range_rule::{Rule, Source, Way},
        reclaim,
        refusal::Refusal,
        retire::{self, Force, Which},
        world::{Life, PortUse, World},
    },
    operations::{cleanup::remove_litter, lease::now},
    os::clock,
    ports::{Port, Range},
    registry::{
        Ending, Holder, Instance, InstanceName, Lease, LockId, Overlay, ProcessIdentity, Registry,
        Remarks, Reservation, Scope,
    },
    store::{
        Actor, Outside, Store, StoreError, TransactError,
        audit::Author,
        record::{Details, Record, Vitals},
        run_dir::{Held, RunDirectory},
        storage::Storage,
    },
};
use std::{io, time::Duration};

/// So many ports lie between the ranges of two types.
pub(super) const GAP: u16 = 10;
/// Ranges are made within these; nobody listens there, or anywhere, for the test's sake.
const BOUNDS: (u16, u16) = (20_000, 24_000);
/// So many types there are, none of which is configured.
const TYPES: usize = 12;
/// Each of them has at most so many ids: then ports are remembered, and kept.
const IDS: usize = 9;
/// With more leases than that, one is given back.
const LEASED_MAX: usize = 60;
/// For how long ranges are kept that nobody uses, where they are not given back at once.
const RETIRE_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);

/// One deed.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// An instance starts; it lives as long as its run files are held.
    Start(Wanted),
    /// It starts and ends.
    Run(Wanted),
    /// A port is reserved.
    Allocate(Wanted),
    /// A reserved port is given back.
    Release(InstanceName),
    /// Ranges are taken back.
    Undo(Which),
    /// Ranges that nobody used for so long are given back, and blocks that touch are joined.
    Consolidate(Duration),
    /// What the dead have left is collected.
    Recover,
}

/// The kinds of deeds that a killed process can have begun.
pub(super) const KINDS: usize = 6;

/// An instance that wants ports.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    name: InstanceName,
    lock_id: LockId,
    chunk_size: u16,
    /// What its ports are called.
    ports: Vec<String>,
}

impl Wanted {
    /// Any instance that has no lease.
    fn roll(dice: &mut Dice, registry: &Registry) -> Self {
        loop {
            let word = |letter: char, number: usize| format!("{letter}{number}");
            let service_type: TypeName =
                word('t', dice.one_of(TYPES)).parse().expect("the name of a type");
            let id: InstanceId = word('i', dice.one_of(IDS)).parse().expect("an id");
            let lock_id = LockId::new(&service_type, &id, dice.bits());
            let name = InstanceName { service_type, id, scope: Scope::Machine };
            let chunk_size = [2, 3, 4][dice.one_of(3)];
            let names = [&[][..], &[], &["http", "grpc"]][dice.one_of(3)];
            let ports = names.iter().map(|name| (*name).to_owned()).collect();
            if registry.instance(&name).is_none_or(|instance| instance.lease.is_none()) {
                return Self { name, lock_id, chunk_size, ports };
            }
        }
    }

    /// Leases its ports, as a run or an allocate does: a range is made or grown where there is none.
    fn lease(&self, holder: Holder, registry: &mut Registry) -> Result<Instance, Refusal> {
        let service_type = &self.name.service_type;
        let wish = Wish { names: self.ports.clone(), ..Wish::default() };
        let mut grown = false;
        loop {
            let ranges: Vec<Range> = registry.ranges_of(service_type).collect();
            let choice =
                Choice { registry, name: &self.name, ranges: &ranges, preferred: &[], wish: &wish };
            let ports = match port::choose(choice, &Nobody) {
                Ok(ports) => ports,
                Err(Refusal::RangeFull { .. }) if !grown => {
                    let range = new_range::choose(registry, service_type, &self.rule(), &Nobody)?;
                    registry.ranges.push(new_range::row(service_type, range, now()));
                    grown = true;
                    continue;
                }
                Err(refusal) => return Err(refusal),
            };
            let lease = Lease {
                lock_id: self.lock_id.clone(),
                holder,
                namespaces: Default::default(),
                command: 0,
                claims: Vec::new(),
                next: None,
            };
            let row = Instance {
                name: self.name.clone(),
                ports,
                last_seq: registry.seq + 1,
                overlay: Overlay::Unknown,
                lease: Some(lease),
            };
            registry.put(row.clone());
            return Ok(row);
        }
    }

    fn rule(&self) -> Rule {
        Rule {
            chunk_size: self.chunk_size,
            bounds: Range::new(
                Port::try_from(u32::from(BOUNDS.0)).expect("a port"),
                Port::try_from(u32::from(BOUNDS.1)).expect("a port"),
            )
            .expect("the lower one is first"),
            gap: GAP,
            avoid: None,
            configured: Vec::new(),
            beside_own: true,
            source: Source::Person,
            way: Way::After,
        }
    }
}

/// Why a deed was not done.
#[derive(Debug)]
pub(super) enum Undone {
    /// A decision said no: there is no room, or nothing to take back.
    Refused,
    /// The store could not.
    Store(StoreError),
}

impl From<TransactError<Self>> for Undone {
    fn from(error: TransactError<Self>) -> Self {
        match error {
            TransactError::Store(error) => Self::Store(error),
            TransactError::Refused(undone) => undone,
        }
    }
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Deed {
    /// Any deed of that kind that makes sense now.
    pub(super) fn roll(kind: usize, dice: &mut Dice, registry: &Registry) -> Self {
        let crowded = registry.leased().nth(LEASED_MAX).is_some();
        match if crowded { 2 } else { kind % KINDS } {
            0 => Self::Run(Wanted::roll(dice, registry)),
            1 => Self::Allocate(Wanted::roll(dice, registry)),
            2 => {
                let reserved: Vec<&InstanceName> = registry
                    .leased()
                    .filter(|(_, lease)| matches!(lease.holder, Holder::Reserved(_)))
                    .map(|(instance, _)| &instance.name)
                    .collect();
                match reserved.len() {
                    0 => Self::Recover,
                    count => Self::Release(reserved[dice.one_of(count)].clone()),
                }
            }
            3 if registry.ranges.is_empty() => Self::Allocate(Wanted::roll(dice, registry)),
            3 => match dice.one_of(4) {
                0 => Self::Undo(Which::Last),
                _ => {
                    let auto = &registry.ranges[dice.one_of(registry.ranges.len())];
                    Self::Undo(Which::Type(auto.service_type.clone()))
                }
            },
            4 => Self::Consolidate([Duration::ZERO, RETIRE_AFTER, RETIRE_AFTER][dice.one_of(3)]),
            _ => Self::Recover,
        }
    }

    /// An instance that starts, and lives on.
    pub(super) fn start(dice: &mut Dice, registry: &Registry) -> Self {
        Self::Start(Wanted::roll(dice, registry))
    }

    /// What it makes of a registry, where nobody is dead; as it was when it is refused.
    pub(super) fn foresee(&self, before: &Registry) -> Registry {
        let mut after = before.clone();
        let done = match self {
            Self::Start(wanted) => wanted.lease(Holder::Supervisor, &mut after).is_ok(),
            Self::Run(wanted) => {
                let leased = wanted.lease(Holder::Supervisor, &mut after).is_ok();
                after.end_lease(&wanted.name);
                leased
            }
            Self::Allocate(_)
            | Self::Release(_)
            | Self::Undo(_)
            | Self::Consolidate(_)
            | Self::Recover => self.decide(&mut after, &mut Remarks::default()).is_ok(),
        };
        if done { after } else { before.clone() }
    }

    /// Does it. What an instance that was started holds comes back.
    pub(super) fn perform<S: Storage>(
        &self,
        store: &Store<S>,
        boot: &str,
    ) -> Result<Option<Held<S>>, Undone> {
        match self {
            Self::Start(wanted) => start(wanted, store, boot).map(Some),
            Self::Run(wanted) => {
                let mut held = start(wanted, store, boot)?;
                held.update(|vitals| vitals.over = true);
                transact(store, boot, |registry, _| {
                    registry.end_lease(&wanted.name);
                    Ok(())
                })?;
                Ok(None)
            }
            Self::Recover => recover(store, boot).map(|_| None),
            Self::Allocate(_) | Self::Release(_) | Self::Undo(_) | Self::Consolidate(_) => {
                transact(store, boot, |registry, remarks| self.decide(registry, remarks))?;
                Ok(None)
            }
        }
    }

    /// The change of a deed that is one transaction without run files.
    fn decide(&self, registry: &mut Registry, remarks: &mut Remarks) -> Result<(), Undone> {
        match self {
            Self::Allocate(wanted) => {
                let reservation = Reservation { process: None, ttl_ms: u64::MAX, seen_ms: 0 };
                let leased = wanted.lease(Holder::Reserved(reservation), registry);
                leased.map(|_| ()).map_err(|_| Undone::Refused)
            }
            Self::Release(name) => {
                registry.end_lease(name);
                Ok(())
            }
            Self::Undo(which) => {
                let gone = retire::undo(registry, which, Force::No).map_err(|_| Undone::Refused)?;
                registry.remove_ranges(&gone);
                Ok(())
            }
            Self::Consolidate(retire_after) => {
                let found = retire::consolidate(registry, *retire_after, clock::utc());
                remarks.retired.extend(found.retired.iter().map(|auto| auto.range));
                found.apply(registry);
                Ok(())
            }
            // Where nobody is dead, nothing is collected; the others need run files.
            Self::Recover | Self::Start(_) | Self::Run(_) => Ok(()),
        }
    }
}

fn start<S: Storage>(wanted: &Wanted, store: &Store<S>, boot: &str) -> Result<Held<S>, Undone> {
    transact(store, boot, |registry, _| {
        let row = wanted.lease(Holder::Supervisor, registry).map_err(|_| Undone::Refused)?;
        let mut held = store.run().hold(wanted.lock_id.clone())?;
        match held.listen() {
            Ok(_) => {}
            // In memory there are no sockets.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::Unsupported => {}
            Err(error) => return Err(error.into()),
        }
        held.write(&record(row, boot))?;
        Ok(held)
    })
}

fn record(row: Instance, boot: &str) -> Record {
    let details = Details {
        row,
        boot: boot.to_owned(),
        supervisor: ProcessIdentity { pid: 2, start: 3 },
        uid: 0,
        started_boot_ms: 0,
        started_at: now(),
        command: vec!["true".to_owned()],
        cwd: "/".to_owned(),
        ready: "none".to_owned(),
        stop_signal: 15,
        stop_timeout_ms: 0,
        ready_timeout_ms: None,
        container: None,
        log: None,
    };
    Record { vitals: Vitals::starting(), details }
}

/// Collects what the dead have left, as `cleanup` does; the registry then.
pub(super) fn recover<S: Storage>(store: &Store<S>, boot: &str) -> Result<Registry, Undone> {
    transact(store, boot, |registry, remarks| {
        let run = store.run();
        let dead = reclaim::dead(registry, &Alone { run }, usize::MAX);
        for dead in &dead {
            let ending = Ending { reclaimed: true, ..Ending::default() };
            remarks.endings.push((dead.lock_id.clone(), ending));
            registry.end_lease(&dead.name);
            run.remove(&dead.lock_id);
        }
        remove_litter(run, registry);
        Ok(())
    })?;
    transact(store, boot, |registry, _| Ok(registry.clone()))
}

/// One transaction. That a registry had to be rebuilt is no news here.
pub(super) fn transact<S: Storage, T>(
    store: &Store<S>,
    boot: &str,
    change: impl FnOnce(&mut Registry, &mut Remarks) -> Result<T, Undone>,
) -> Result<T, Undone> {
    let author = Author { uid: 0, pid: 1, command: "styxy selftest".to_owned() };
    let actor = Actor { author, boot: boot.to_owned() };
    let outside = Outside { actor: &actor, waiting: &|_| {}, warn: &|_| {}, table: &|_| None };
    Ok(store.transact(&outside, change)?)
}

/// A world without anybody: every port can be had.
struct Nobody;

impl World for Nobody {
    fn port_use(&self, _: Port) -> PortUse {
        PortUse::Free
    }

    fn is_used(&self, _: Port) -> bool {
        false
    }

    fn life(&self, _: &Instance) -> Life {
        Life::Alive
    }
}

/// A world in which instances live as long as their locks are held, and leave nothing else behind.
struct Alone<'a, S> {
    run: &'a RunDirectory<S>,
}

impl<S: Storage> World for Alone<'_, S> {
    fn port_use(&self, port: Port) -> PortUse {
        Nobody.port_use(port)
    }

    fn is_used(&self, port: Port) -> bool {
        Nobody.is_used(port)
    }

    fn life(&self, instance: &Instance) -> Life {
        match &instance.lease {
            Some(Lease { holder: Holder::Supervisor, lock_id, .. })
                if !self.run.is_alive(lock_id) =>
            {
                Life::Gone
            }
            Some(_) => Life::Alive,
            None => Life::Gone,
        }
    }
}

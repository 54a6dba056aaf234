//! The host: what an operation is given. The configuration, the store, who asks, and from where.
//!
//! It also answers the questions that decisions may ask of the world.

use super::{
    error::Error,
    lock_wait::{LockWait, LockWaits},
};
use crate::{
    config::{self, Assignment, Config},
    decision::{
        reclaim::{self, COLLECT_MAX},
        world::{Life, PortUse, World},
    },
    os::{
        claim::{Claim, ClaimError, Reserve},
        clock, dirs, leftovers, port_probe, process, user,
    },
    ports::Port,
    registry::{
        Ending, Holder, Instance, Lease, LockId, Namespaces, Phase, Registry, Remarks, Reservation,
    },
    store::{Actor, Outside, Store, TransactError, audit::Author, record::Record},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What an operation is given.
pub struct Host {
    /// What people and profiles settled.
    pub config: Config,
    /// What all styxy processes share.
    pub store: Store,
    /// Who asks.
    pub actor: Actor,
    /// From where.
    pub place: Place,
    /// Where it is noted who waits for the state lock, if somebody wants to know.
    pub lock_waits: Option<Arc<LockWaits>>,
}

/// Where a command was given.
#[derive(Debug, Clone)]
pub struct Place {
    /// The working directory, canonical.
    pub cwd: PathBuf,
    /// The git worktree's root, else the working directory.
    pub project: PathBuf,
    /// The namespaces of this process.
    pub namespaces: Namespaces,
    /// The lease whose child this process is, if `STYXY_LOCK_ID` says one.
    pub inside: Option<LockId>,
}

/// Told when something takes long or was mended, as a sentence for a person.
pub type Tell<'a> = dyn Fn(&str) + 'a;

impl Host {
    /// The host as the environment says: directories, configuration files, variables, flags.
    pub fn open(flags: &[Assignment], tell: &Tell<'_>) -> Result<Self, Error> {
        Self::with_config(load_config(flags, tell)?)
    }

    /// The host with a configuration that is known already, or that is about to be mended.
    pub fn with_config(config: Config) -> Result<Self, Error> {
        let lookup = |name: &str| std::env::var_os(name);
        let state = dirs::state_directory(&lookup)?;
        dirs::create_private(&state)?;
        let store = Store::open(&state)?.rotating(config.audit());
        let pid = i32::try_from(std::process::id()).expect("a pid fits 31 bits");
        let words: Vec<String> =
            std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        let author = Author { uid: user::uid(), pid, command: words.join(" ") };
        let boot = clock::boot_id()
            .map_err(|source| Error::System { deed: "read the boot id", source })?;
        let inside = lookup("STYXY_LOCK_ID").and_then(|id| id.to_str()?.parse().ok());
        let place = Place::here(inside)?;
        let actor = Actor { author, boot };
        Ok(Self { config, store, actor, place, lock_waits: None })
    }

    /// The world as decisions may ask it, for one transaction.
    pub fn world(&self) -> HostWorld<'_> {
        HostWorld {
            host: self,
            reserve: Reserve::Yes,
            claims: RefCell::default(),
            served: RefCell::default(),
            forgotten: RefCell::default(),
        }
    }

    /// One transaction of an operation: what every writing command does for all, then the decision.
    pub fn transact<T>(
        &self,
        tell: &Tell<'_>,
        world: &HostWorld<'_>,
        change: impl FnOnce(&mut Registry, &mut Remarks) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let wait = LockWait::new(self.lock_waits.as_ref());
        let waiting = |holder: &str| self.waits(&wait, holder, tell);
        let table = |registry: &Registry| Some(self.port_table(registry));
        let outside = Outside { actor: &self.actor, waiting: &waiting, warn: tell, table: &table };
        let result = self.store.transact(&outside, |registry, remarks| {
            wait.end();
            // Before the change: what it makes is not to be looked at with an outsider's eyes.
            self.collect(registry, remarks, world, COLLECT_MAX);
            let value = change(registry, remarks)?;
            world.note_served(registry);
            world.forgotten.take().iter().for_each(|lock_id| self.store.run().remove(lock_id));
            Ok(value)
        });
        result.map_err(|error| match error {
            TransactError::Store(error) => Error::Store(error),
            TransactError::Refused(error) => error,
        })
    }

    /// Writes the table of ports again: the configuration says something else of the types than before.
    pub fn refresh_table(&self, tell: &Tell<'_>) -> Result<(), Error> {
        let wait = LockWait::new(self.lock_waits.as_ref());
        let waiting = |holder: &str| self.waits(&wait, holder, tell);
        let table = |registry: &Registry| Some(self.port_table(registry));
        let outside = Outside { actor: &self.actor, waiting: &waiting, warn: tell, table: &table };
        Ok(self.store.refresh_table(&outside)?)
    }

    /// The lock has not been free for a while.
    fn waits(&self, wait: &LockWait<'_>, holder: &str, tell: &Tell<'_>) {
        let path = self.store.path().join("state.lock");
        tell(&format!("waiting for {}: {holder}", path.display()));
        wait.begin();
    }

    /// The registry as it is now.
    pub fn read(&self, tell: &Tell<'_>) -> Result<Registry, Error> {
        let wait = LockWait::new(self.lock_waits.as_ref());
        let waiting = |holder: &str| self.waits(&wait, holder, tell);
        let outside =
            Outside { actor: &self.actor, waiting: &waiting, warn: tell, table: &|_| None };
        Ok(self.store.read(&outside)?)
    }

    /// Collects leases of holders that are gone without a trace; tells which.
    pub fn collect(
        &self,
        registry: &mut Registry,
        remarks: &mut Remarks,
        world: &HostWorld<'_>,
        look_max: usize,
    ) -> Vec<reclaim::Dead> {
        let dead = reclaim::dead(registry, world, look_max);
        for dead in &dead {
            self.forget(registry, remarks, world, &dead.lock_id);
        }
        dead
    }

    /// Ends the lease of a dead holder; its run files are removed with the transaction.
    pub fn forget(
        &self,
        registry: &mut Registry,
        remarks: &mut Remarks,
        world: &HostWorld<'_>,
        lock_id: &LockId,
    ) {
        let Some(instance) = registry.by_lock_id(lock_id) else { return };
        let name = instance.name.clone();
        // Who was killed while it waited for this one to end had not begun, and has no row.
        let next = instance.lease.as_ref().and_then(|lease| lease.next.clone());
        let dead = next.filter(|next| !self.store.run().is_alive(next));
        world.forgotten.borrow_mut().extend(dead.into_iter().chain([lock_id.clone()]));
        let vitals = self.store.run().read(lock_id).map(|record| record.vitals);
        let ending = Ending {
            reclaimed: true,
            restarts: vitals.map_or(0, |vitals| vitals.restarts),
            ready_ms: vitals.and_then(|vitals| vitals.ready_ms),
            exit_code: None,
        };
        remarks.endings.push((lock_id.clone(), ending));
        registry.end_lease(&name);
        self.note_use(registry, &name);
    }
}

/// The configuration as the environment says.
pub fn load_config(flags: &[Assignment], tell: &Tell<'_>) -> Result<Config, Error> {
    let loaded = config::load(&config_places(), std::env::vars_os(), flags)?;
    loaded.notices.iter().for_each(|notice| tell(notice));
    Ok(loaded.config)
}

/// Where configuration files are looked for.
pub fn config_places() -> config::Places {
    places_in(&std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")))
}

/// The same as seen from another directory.
pub fn places_in(cwd: &Path) -> config::Places {
    let lookup = |name: &str| std::env::var_os(name);
    config::Places::new(lookup, cwd, dirs::home(&lookup).as_deref(), user::uid())
}

impl Place {
    fn here(inside: Option<LockId>) -> Result<Self, Error> {
        let cwd = std::env::current_dir()
            .and_then(|cwd| cwd.canonicalize())
            .map_err(|source| Error::System { deed: "find the working directory", source })?;
        let project = project_root(&cwd);
        let namespaces = process::namespaces_of_self()
            .map_err(|source| Error::System { deed: "read this process's namespaces", source })?;
        Ok(Self { cwd, project, namespaces, inside })
    }
}

/// The git worktree's root (its `.git` is a directory or, in a linked worktree, a file), else the
/// directory itself.
pub fn project_root(cwd: &Path) -> PathBuf {
    cwd.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(cwd).to_owned()
}

/// The real world, for one transaction.
pub struct HostWorld<'a> {
    host: &'a Host,
    reserve: Reserve,
    /// Ports told free are claimed, so that what was decided stays true.
    claims: RefCell<BTreeMap<Port, Claim>>,
    /// Reserved leases that were seen served.
    served: RefCell<Vec<LockId>>,
    /// Leases of dead holders that the draft has let go: a rehearsal must not touch their files.
    forgotten: RefCell<Vec<LockId>>,
}

impl<'a> HostWorld<'a> {
    /// The same with ports that are claimed by name alone (`--no-reserve`).
    #[must_use]
    pub fn without_reservations(self) -> Self {
        Self { reserve: Reserve::No, ..self }
    }

    /// The claim of a port that was told free.
    pub fn take_claim(&self, port: Port) -> Option<Claim> {
        self.claims.borrow_mut().remove(&port)
    }

    /// Lets all ports go that were claimed: the lock is held still, and then the row tells whose they are.
    pub fn drop_claims(&self) {
        self.claims.borrow_mut().clear();
    }

    /// Notes when reserved leases were last seen served.
    fn note_served(&self, registry: &mut Registry) {
        let now = milliseconds(clock::since_boot());
        for lock_id in self.served.take() {
            let name = registry.by_lock_id(&lock_id).map(|instance| instance.name.clone());
            let lease = name.and_then(|name| registry.instance_mut(&name)?.lease.as_mut());
            if let Some(Lease { holder: Holder::Reserved(reservation), .. }) = lease {
                reservation.seen_ms = now;
            }
        }
    }

    fn reserved(&self, instance: &Instance, lease: &Lease, reservation: &Reservation) -> Life {
        let alive = match reservation.process {
            // A pid of another namespace says nothing here; only its port does.
            Some(process) if lease.namespaces.pid == self.host.place.namespaces.pid => {
                process::is_alive(&process)
            }
            Some(_) | None => {
                let age =
                    clock::since_boot().saturating_sub(Duration::from_millis(reservation.seen_ms));
                let ttl = Duration::from_millis(reservation.ttl_ms);
                // A young one is not probed. An older one is, before it is too old: what is seen served
                // lives for another while.
                age < ttl / 2 || self.is_served(instance, lease) || age < ttl
            }
        };
        if alive { Life::Alive } else { Life::Gone }
    }

    fn is_served(&self, instance: &Instance, lease: &Lease) -> bool {
        // A port of another network namespace cannot be asked here. That it may be served is no sight of it:
        // looks from elsewhere would keep the lease of a container that is gone for ever.
        let here = lease.namespaces.net == self.host.place.namespaces.net;
        let served = here
            && instance.ports.iter().any(|named| {
                // What this transaction has claimed, nobody serves.
                !self.claims.borrow().contains_key(&named.port)
                    && !matches!(port_probe::probe(named.port), Ok(port_probe::PortUse::Free))
            });
        if served {
            self.served.borrow_mut().push(lease.lock_id.clone());
        }
        served
    }

    fn supervised(&self, lease: &Lease) -> Life {
        let run = self.host.store.run();
        let alive = |lock_id: &LockId| run.is_alive(lock_id);
        if alive(&lease.lock_id) || lease.next.as_ref().is_some_and(alive) {
            return Life::Alive;
        }
        match run.read(&lease.lock_id) {
            Some(record) if self.has_leftovers(&record, lease) => Life::Leftovers,
            Some(_) | None => Life::Gone,
        }
    }

    /// What is called by that lockId, if its supervisor is dead and has left something running.
    pub fn left_by(&self, lock_id: &LockId) -> Option<String> {
        let record = self.host.store.run().read(lock_id)?;
        let lease = record.details.row.lease.as_ref()?;
        self.has_leftovers(&record, lease).then(|| record.details.row.name.to_string())
    }

    fn has_leftovers(&self, record: &Record, lease: &Lease) -> bool {
        // After a boot everything is gone; from another PID namespace nothing may be signalled.
        let here = record.details.boot == self.host.actor.boot
            && lease.namespaces.pid == self.host.place.namespaces.pid;
        if record.vitals.over || !here {
            return false;
        }
        if record.details.container.is_some() {
            // A container is no process of ours: only its engine knows, which is asked outside the lock.
            return true;
        }
        // Where the kernel does not say, something may be left.
        leftovers::leftovers(&mark(record)).map_or(true, |left| !left.is_empty())
    }

    /// Whether readers show a lease: the living, and what could not be ended.
    pub fn may_be_shown(&self, instance: &Instance) -> bool {
        let record = || self.host.store.run().read(&instance.lease.as_ref()?.lock_id);
        match self.life(instance) {
            Life::Alive => true,
            Life::Leftovers => record().is_some_and(|record| record.vitals.phase == Phase::Stuck),
            Life::Gone => false,
        }
    }
}

impl World for HostWorld<'_> {
    fn port_use(&self, port: Port) -> PortUse {
        let mut claims = self.claims.borrow_mut();
        if claims.contains_key(&port) {
            return PortUse::Free;
        }
        match Claim::take(port, self.reserve) {
            Ok(claim) => {
                claims.insert(port, claim);
                PortUse::Free
            }
            Err(ClaimError::NotPermitted { .. }) => PortUse::NotPermitted,
            // What cannot be claimed cannot be given out, whatever the reason.
            Err(_) => PortUse::Taken,
        }
    }

    fn is_used(&self, port: Port) -> bool {
        !self.claims.borrow().contains_key(&port)
            && matches!(port_probe::probe(port), Ok(port_probe::PortUse::Taken))
    }

    fn life(&self, instance: &Instance) -> Life {
        match instance.lease.as_ref().map(|lease| (lease, &lease.holder)) {
            None => Life::Gone,
            Some((lease, Holder::Supervisor)) => self.supervised(lease),
            Some((lease, Holder::Reserved(reservation))) => {
                self.reserved(instance, lease, reservation)
            }
        }
    }
}

/// By what the leftovers of a dead supervisor are found.
pub fn mark(record: &Record) -> leftovers::Mark {
    let lease = record.details.row.lease.as_ref();
    leftovers::Mark {
        lock_id: lease.map_or_else(String::new, |lease| lease.lock_id.to_string()),
        leader: record.vitals.leader,
        listener: record.vitals.listener,
    }
}

/// As milliseconds, for the registry.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

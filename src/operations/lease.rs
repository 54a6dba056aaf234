//! The transaction by which a run or an allocate gets its ports: decide, claim, hold, publish.
//!
//! Whoever can see the instance afterwards finds it alive: its ports are claimed, its run lock is held and
//! its socket listens before its row is committed.

use super::{
    error::Error,
    host::{Host, HostWorld, Tell, milliseconds},
    plan::{Plan, Request},
    view::{Answer, MadeRange, named_ports, url},
};
use crate::{
    config::{IfRunning, ReadyCheck, STOP_TIMEOUT_DEFAULT, StopSignal},
    decision::{
        ask::{Ask, Purpose, Verdict},
        refusal::Refusal,
        second_run,
    },
    os::{claim::Claim, clock, process},
    ports::Port,
    registry::{
        Action, Holder, Instance, InstanceName, Lease, LockId, NamedPort, Overlay, Ports, Registry,
        Remark, Remarks, Reservation,
    },
    store::{
        record::{Details, Record, Vitals},
        run_dir::Held,
    },
};
use std::{
    fs::File,
    os::{fd::OwnedFd, unix::net::UnixListener},
};

/// Everything that an instance holds from its decision to its release.
pub struct Leased {
    /// What it is called.
    pub name: InstanceName,
    /// Its ports, the first one is `PORT`.
    pub ports: Ports,
    /// Its run files.
    pub held: Held,
    /// Where it is talked to.
    pub socket: UnixListener,
    /// Its ports in the kernel.
    pub claims: Vec<Claim>,
    /// The sockets that it is passed, in the order of its ports; none unless `--listen-fd` was asked for.
    pub listening: Vec<OwnedFd>,
    /// Its data directories, locked.
    pub directories: Vec<File>,
    /// The range that was made or grown for it.
    pub new_range: Option<MadeRange>,
    /// What is known of starting it over a reservation.
    pub overlay: Overlay,
    /// Its derived id runs another command, so it has a number.
    pub renumbered: bool,
    /// What its project is called, if it has one.
    pub project: Option<String>,
}

/// A place in the registry that is held for a successor.
pub struct Succession {
    /// The successor's run files.
    pub held: Held,
    /// Its socket: who attaches meanwhile waits there.
    pub socket: UnixListener,
}

/// What came of asking for a lease.
pub enum Turn {
    /// The lease.
    Mine(Box<Leased>),
    /// It runs already.
    Join {
        /// Its name.
        name: InstanceName,
        /// Its port.
        port: Port,
        /// Its lease.
        lock_id: LockId,
        /// Only say where it is.
        reuse: bool,
    },
    /// It is reserved, and served by something that styxy did not start.
    JoinListener {
        /// Its port.
        port: Port,
    },
    /// Wait until that one ends, then ask again.
    Wait {
        /// Its name.
        name: InstanceName,
        /// Its port.
        port: Port,
        /// Its lease.
        lock_id: LockId,
    },
    /// Another registry's instance has a data directory: wait for that lock, then ask again.
    WaitForDirectory {
        /// The directory.
        path: String,
    },
    /// Stop that one, then ask again with the succession.
    Replace {
        /// Its name.
        name: InstanceName,
        /// Its lease.
        lock_id: LockId,
        /// What makes nobody get in between.
        succession: Succession,
    },
    /// Stop what that one left, then ask again with its files.
    Reclaim {
        /// Its name.
        name: InstanceName,
        /// Its files, taken over.
        held: Held,
    },
}

/// What an earlier turn left in hand.
#[derive(Default)]
pub struct InHand {
    /// A succession that was begun.
    pub succession: Option<Succession>,
    /// The files of a dead holder whose leftovers are stopped.
    pub reclaimed: Option<Held>,
}

impl Host {
    /// Asks for the lease of a run.
    pub fn ask(
        &self,
        plan: &Plan,
        request: &Request,
        hand: &mut InHand,
        tell: &Tell<'_>,
    ) -> Result<Turn, Error> {
        let world = if plan.reserves { self.world() } else { self.world().without_reservations() };
        self.transact(tell, &world, |registry, remarks| {
            if let Some(mut held) = hand.reclaimed.take() {
                held.remove_files();
                self.forget(registry, remarks, &world, held.lock_id());
            }
            self.settle_predecessor(registry, hand);
            let verdict = self.decide(plan, request, hand, registry, remarks, &world)?;
            self.carry_out(verdict, plan, request, hand, registry, remarks, &world)
        })
    }

    /// The instance that a successor replaces may have been killed before it could hand its row on.
    fn settle_predecessor(&self, registry: &mut Registry, hand: &InHand) {
        let Some(succession) = &hand.succession else { return };
        let mine = succession.held.lock_id();
        let gone = registry
            .leased()
            .find(|(_, lease)| lease.next.as_ref() == Some(mine))
            .filter(|(_, lease)| !self.store.run().is_alive(&lease.lock_id))
            .map(|(_, lease)| lease.lock_id.clone());
        if let Some(lock_id) = gone {
            // Its leftovers are looked for when the row, no longer held for anyone, is decided on.
            if let Some(name) = registry.by_lock_id(&lock_id).map(|instance| instance.name.clone())
                && let Some(lease) = registry.instance_mut(&name).and_then(|i| i.lease.as_mut())
            {
                lease.next = None;
            }
        }
    }

    fn decide(
        &self,
        plan: &Plan,
        request: &Request,
        hand: &InHand,
        registry: &Registry,
        remarks: &mut Remarks,
        world: &HostWorld<'_>,
    ) -> Result<Verdict, Error> {
        let attach_or_reuse = match request.if_running {
            // Nobody stays in the foreground with it.
            IfRunning::Attach if request.detach && !request.stays => IfRunning::Reuse,
            other => other,
        };
        let ask = Ask {
            successor: hand.succession.as_ref().map(|succession| succession.held.lock_id()),
            is_ancestor: &process::is_ancestor,
            ..plan.ask(attach_or_reuse, request.new)
        };
        second_run::decide(&ask, registry, world).map_err(|refusal| {
            remarks.said.push(blocked(&refusal, plan));
            self.refused(registry, refusal)
        })
    }

    #[expect(clippy::too_many_arguments, reason = "one turn of one transaction, told in one place")]
    fn carry_out(
        &self,
        verdict: Verdict,
        plan: &Plan,
        request: &Request,
        hand: &mut InHand,
        registry: &mut Registry,
        remarks: &mut Remarks,
        world: &HostWorld<'_>,
    ) -> Result<Turn, Error> {
        let named = |lock_id: &LockId| {
            let instance = registry.by_lock_id(lock_id).expect("the verdict names a lease");
            (instance.name.clone(), instance.port())
        };
        match verdict {
            Verdict::Start { name, takes_over, renumbered } => {
                let start = Start { plan, request, name, takes_over, renumbered };
                self.start(start, hand, registry, remarks, world)
            }
            Verdict::Join { lock_id, reuse } => {
                let (name, port) = named(&lock_id);
                remarks.said.push(Remark {
                    action: Action::Attach,
                    service_type: name.service_type.clone(),
                    instance: Some(name.clone()),
                    port: Some(port),
                });
                Ok(Turn::Join { name, port, lock_id, reuse })
            }
            Verdict::JoinListener { lock_id } => Ok(Turn::JoinListener { port: named(&lock_id).1 }),
            Verdict::Wait { lock_id } => {
                let (name, port) = named(&lock_id);
                Ok(Turn::Wait { name, port, lock_id })
            }
            Verdict::Replace { lock_id } => {
                let (name, _) = named(&lock_id);
                let held = self.store.run().hold(new_lock_id(&name))?;
                let socket = held.listen()?;
                let lease = registry.instance_mut(&name).and_then(|i| i.lease.as_mut());
                lease.expect("the verdict names a lease").next = Some(held.lock_id().clone());
                Ok(Turn::Replace { name, lock_id, succession: Succession { held, socket } })
            }
            Verdict::Reclaim { lock_id } => {
                let (name, port) = named(&lock_id);
                match self.store.run().take_over(&lock_id) {
                    Some(mut held) => {
                        held.update(|vitals| vitals.phase = crate::registry::Phase::Stopping);
                        Ok(Turn::Reclaim { name, held })
                    }
                    // Alive after all: somebody else reclaims it already.
                    None => Ok(Turn::Wait { name, port, lock_id }),
                }
            }
        }
    }

    fn start(
        &self,
        start: Start<'_>,
        hand: &mut InHand,
        registry: &mut Registry,
        remarks: &mut Remarks,
        world: &HostWorld<'_>,
    ) -> Result<Turn, Error> {
        let Start { plan, request, name, takes_over, renumbered } = start;
        let dead = registry
            .instance(&name)
            .and_then(|instance| instance.lease.as_ref())
            .filter(|lease| takes_over.as_ref() != Some(&lease.lock_id))
            .filter(|lease| {
                hand.succession.as_ref().is_none_or(|s| *s.held.lock_id() != lease.lock_id)
            })
            .map(|lease| lease.lock_id.clone());
        if let Some(lock_id) = dead {
            self.forget(registry, remarks, world, &lock_id);
        }
        let directories = match lock_directories(&plan.claims)? {
            Ok(directories) => directories,
            Err(path) if request.if_running == IfRunning::Wait => {
                return Ok(Turn::WaitForDirectory { path });
            }
            Err(path) => return Err(Error::ClaimHeld { path, holder: String::new() }),
        };
        let (ports, new_range) =
            self.ports(plan, &request.wish, &name, registry, remarks, world)?;
        let overlay = registry.instance(&name).map_or(Overlay::Unknown, |last| last.overlay);
        let claims = ports.iter().filter_map(|named| world.take_claim(named.port)).collect();
        let (mut held, socket) = match hand.succession.take() {
            Some(Succession { held, socket }) => (held, socket),
            None => {
                let held = match takes_over {
                    Some(reserved) => self.store.run().hold_reserved(reserved)?,
                    None => self.store.run().hold(new_lock_id(&name))?,
                };
                let socket = held.listen()?;
                (held, socket)
            }
        };
        let Purpose::Run { command } = plan.purpose else {
            unreachable!("only a run asks for a lease of its own");
        };
        let lease = Lease {
            lock_id: held.lock_id().clone(),
            holder: Holder::Supervisor,
            namespaces: self.place.namespaces,
            command,
            claims: plan.claims.clone(),
            next: None,
        };
        let last_seq = registry.seq + 1;
        let row = Instance {
            name: name.clone(),
            ports: ports.clone(),
            last_seq,
            overlay,
            lease: Some(lease),
        };
        held.write(&self.record(row.clone(), plan, request)?)?;
        registry.put(row);
        Ok(Turn::Mine(Box::new(Leased {
            project: self.project_shown(registry, &name.scope),
            name,
            ports,
            held,
            socket,
            claims,
            listening: Vec::new(),
            directories,
            new_range,
            overlay,
            renumbered,
        })))
    }

    /// What would be decided, without writing anything.
    pub(super) fn rehearse(
        &self,
        plan: &Plan,
        request: &Request,
        tell: &Tell<'_>,
    ) -> Result<Answer, Error> {
        let world = if plan.reserves { self.world() } else { self.world().without_reservations() };
        let (mut registry, mut remarks) = (self.read(tell)?, Remarks::default());
        let verdict =
            self.decide(plan, request, &InHand::default(), &registry, &mut remarks, &world)?;
        let (lock_id, what) = match verdict {
            Verdict::Start { name, takes_over, .. } => {
                let (ports, new_range) =
                    self.ports(plan, &request.wish, &name, &mut registry, &mut remarks, &world)?;
                return Ok(self.would_start(&registry, &name, &ports, takes_over, new_range));
            }
            Verdict::Join { lock_id, .. } | Verdict::JoinListener { lock_id } => {
                (lock_id, "already runs")
            }
            Verdict::Wait { lock_id } => (lock_id, "would be waited for"),
            Verdict::Replace { lock_id } => (lock_id, "would be stopped and replaced"),
            Verdict::Reclaim { lock_id } => {
                (lock_id, "was killed; what it left would be stopped first")
            }
        };
        let instance = registry.by_lock_id(&lock_id).expect("the verdict names a lease");
        let view = self.view(&registry, instance);
        let message = format!("{} on port {} {what}", view.full_name(), view.port);
        Ok(view.answer(message))
    }

    fn would_start(
        &self,
        registry: &Registry,
        name: &InstanceName,
        ports: &[NamedPort],
        takes_over: Option<LockId>,
        new_range: Option<MadeRange>,
    ) -> Answer {
        let port = ports[0].port;
        Answer {
            port,
            ports: named_ports(ports),
            lock_id: takes_over.map(|lock_id| lock_id.to_string()),
            r#type: name.service_type.to_string(),
            id: name.id.to_string(),
            project: self.project_shown(registry, &name.scope),
            url: url(port),
            pid: None,
            existing: false,
            auto_allocated: new_range.is_some(),
            new_range: new_range.map(|made| made.range),
            grown: false,
            message: format!("{} would start on port {port}", self.full_name(registry, name)),
        }
    }

    /// What the supervisor writes down before it starts.
    fn record(&self, row: Instance, plan: &Plan, request: &Request) -> Result<Record, Error> {
        let supervisor = process::identify(self.actor.author.pid)
            .map_err(|source| Error::System { deed: "read this process's start", source })?;
        let settings = &plan.settings;
        let log = request.detach.then(|| self.log_path(&row.name).to_string_lossy().into_owned());
        let stop_timeout = settings.stop_timeout.unwrap_or(STOP_TIMEOUT_DEFAULT);
        let container = self.whose(&row, plan);
        Ok(Record {
            vitals: Vitals::starting(),
            details: Details {
                container,
                row,
                boot: self.actor.boot.clone(),
                supervisor,
                uid: self.actor.author.uid,
                started_boot_ms: milliseconds(clock::since_boot()),
                started_at: now(),
                command: request.command.clone(),
                cwd: self.place.cwd.to_string_lossy().into_owned(),
                ready: settings.ready.as_ref().unwrap_or(&ReadyCheck::Tcp).to_string(),
                stop_signal: settings.stop_signal.unwrap_or(StopSignal::TERM).0,
                stop_timeout_ms: milliseconds(stop_timeout),
                ready_timeout_ms: settings.ready_timeout.map(milliseconds),
                log,
            },
        })
    }

    /// Reserves ports without running anything.
    pub(super) fn reserve(
        &self,
        name: InstanceName,
        ports: Ports,
        reservation: Reservation,
        registry: &mut Registry,
    ) {
        let overlay = registry.instance(&name).map_or(Overlay::Unknown, |last| last.overlay);
        let lease = Lease {
            lock_id: new_lock_id(&name),
            holder: Holder::Reserved(reservation),
            namespaces: self.place.namespaces,
            command: 0,
            claims: Vec::new(),
            next: None,
        };
        let last_seq = registry.seq + 1;
        registry.put(Instance { name, ports, last_seq, overlay, lease: Some(lease) });
    }
}

/// One start, before it has its lease.
struct Start<'a> {
    plan: &'a Plan,
    request: &'a Request,
    name: InstanceName,
    takes_over: Option<LockId>,
    renumbered: bool,
}

/// Locks data directories for as long as the result lives; or the first one that somebody else has.
fn lock_directories(claims: &[String]) -> Result<Result<Vec<File>, String>, Error> {
    let mut locked = Vec::new();
    for path in claims {
        let failed = |source| Error::System { deed: "lock the claimed data directory", source };
        let directory = File::open(path).map_err(failed)?;
        match directory.try_lock() {
            Ok(()) => locked.push(directory),
            Err(std::fs::TryLockError::WouldBlock) => return Ok(Err(path.clone())),
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
    Ok(Ok(locked))
}

pub(super) fn blocked(refusal: &Refusal, plan: &Plan) -> Remark {
    let action = match refusal {
        Refusal::RangeFull { .. } | Refusal::NoRoom { .. } => Action::Exhausted,
        Refusal::Blocked { .. }
        | Refusal::PortLeased { .. }
        | Refusal::PortTaken { .. }
        | Refusal::PortNotPermitted { .. }
        | Refusal::NoRange { .. } => Action::Blocked,
    };
    let (instance, port) = match refusal {
        Refusal::Blocked { holder, .. } => (Some(holder.name.clone()), Some(holder.port)),
        Refusal::PortLeased { port, holder } => (Some(holder.name.clone()), Some(*port)),
        Refusal::PortTaken { port } | Refusal::PortNotPermitted { port } => (None, Some(*port)),
        Refusal::RangeFull { .. } | Refusal::NoRange { .. } | Refusal::NoRoom { .. } => {
            (None, None)
        }
    };
    Remark { action, service_type: plan.service_type.clone(), instance, port }
}

fn new_lock_id(name: &InstanceName) -> LockId {
    LockId::new(&name.service_type, &name.id, clock::dice())
}

/// The moment for people: whole seconds, UTC.
pub(super) fn now() -> String {
    let now = clock::utc();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}

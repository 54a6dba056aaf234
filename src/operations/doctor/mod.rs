//! `doctor`: looks at this machine, and tells what is wrong and what to do. It changes nothing.
//!
//! Looking is done here; what follows from what is seen stands in `findings` and `state_directory`.

mod engines;
mod findings;
mod state_directory;

pub use findings::{Finding, Level};

use super::{
    error::{Error, Failure},
    host::{Host, load_config, mark},
};
use crate::{
    config::Config,
    decision::world::{Life, World},
    os::{
        dirs, file_system, kernel, leftovers,
        listeners::{Listener, Owner, SockDiag, find_owner, owner_among},
        port_probe, process, tree, user,
    },
    ports::Port,
    registry::{Holder, Instance, Lease, Phase, Registry},
};
use findings::{Facts, Kernel, LeaseState, Leased, Ports, Trouble, findings};
use serde::Serialize;
use state_directory::Directory;
use std::{cell::RefCell, path::Path};

/// What of the state directory is looked at, beside itself.
const ENTRIES: [&str; 7] =
    ["state.json", "state.json.spare", "state.lock", "ranges.json", "audit.jsonl", "run", "logs"];
/// The answer, as JSON has it.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

/// Looks at this machine, as far as it lets us.
pub fn examine() -> Diagnosis {
    let notices = RefCell::new(Vec::new());
    let mut facts = Facts {
        kernel: Kernel {
            release: kernel::release(),
            has_pidfds: kernel::has_pidfds(),
            tells_listeners: kernel::tells_listeners(),
            has_ipv6: kernel::has_ipv6(),
        },
        ..Facts::default()
    };
    let tell = |sentence: &str| notices.borrow_mut().push(sentence.to_owned());
    let config = load_config(&[], &tell).unwrap_or_else(|error| {
        facts.troubles.push(trouble(error));
        Config::default()
    });
    facts.directory =
        dirs::state_directory(&|name| std::env::var_os(name)).ok().map(|path| directory(&path));
    match Host::with_config(config) {
        Ok(host) => match host.read(&tell) {
            Ok(registry) => {
                host.look(&registry, &mut facts);
                facts.engines = engines::reached(Some((&host, &registry)));
            }
            Err(error) => facts.troubles.push(trouble(error)),
        },
        Err(error) => facts.troubles.push(trouble(error)),
    }
    if facts.engines.is_empty() {
        facts.engines = engines::reached(None);
    }
    facts.notices = notices.into_inner();
    Diagnosis { findings: findings(&facts) }
}

fn trouble(error: Error) -> Trouble {
    // What it would end with is of no interest here.
    let Failure { message, hint, .. } = error.failure(|_| 0);
    Trouble { message, hint }
}

/// The state directory, as it lies there.
fn directory(path: &Path) -> Directory {
    // A link of one's own in its place is fine.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let look = |name: &'static str| {
        let path = if name.is_empty() { path.to_owned() } else { path.join(name) };
        let entry = file_system::entry(&path).ok().flatten()?;
        Some((name, entry, user::name(entry.uid)))
    };
    Directory {
        file_system: file_system::of(&path).ok(),
        uid: user::uid(),
        entries: [""].into_iter().chain(ENTRIES).filter_map(look).collect(),
        path,
    }
}

impl Host {
    /// Adds what the registry and the kernel know of leases and ranges.
    fn look(&self, registry: &Registry, facts: &mut Facts) {
        let configured = self.config.service_types();
        let configured =
            configured.into_iter().filter_map(|it| Some((it.name.to_string(), it.range?)));
        let automatic = registry.ranges.iter().map(|it| (it.service_type.to_string(), it.range));
        facts.ports = Ports {
            ephemeral: port_probe::ephemeral_range(),
            spared: kernel::spared_ports(),
            ranges: configured.chain(automatic).collect(),
        };
        let world = self.world();
        facts.leases = registry
            .leased()
            .map(|(instance, lease)| {
                let life = world.life(instance);
                Leased {
                    name: self.full_name(registry, &instance.name),
                    port: instance.port(),
                    state: self.lease_state(lease, life),
                    strangers: match life {
                        Life::Alive => self.strangers(instance, lease).unwrap_or_default(),
                        Life::Leftovers | Life::Gone => Vec::new(),
                    },
                }
            })
            .collect();
        facts.litter = self.litter(registry).len();
    }

    fn lease_state(&self, lease: &Lease, life: Life) -> LeaseState {
        match life {
            Life::Alive => LeaseState::Alive,
            Life::Gone => LeaseState::Stale,
            Life::Leftovers => {
                let record = self.store.run().read(&lease.lock_id);
                let left = record.as_ref().map(|record| leftovers::leftovers(&mark(record)));
                let left = left.and_then(Result::ok).unwrap_or_default();
                let pids = left.iter().map(|left| left.identity.pid).collect();
                match record.map(|record| record.vitals.phase) {
                    Some(Phase::Stuck) => LeaseState::Stuck(pids),
                    Some(_) | None => LeaseState::Leftovers(pids),
                }
            }
        }
    }

    /// Who listens on an instance's ports and is not of its tree. `None` where that cannot be known.
    fn strangers(&self, instance: &Instance, lease: &Lease) -> Option<Vec<(Port, String)>> {
        let here = lease.namespaces == self.place.namespaces;
        let record = match lease.holder {
            Holder::Supervisor if here => self.store.run().read(&lease.lock_id)?,
            // What serves a reserved port is nobody's business.
            Holder::Supervisor | Holder::Reserved(_) => return None,
        };
        if record.details.container.is_some() {
            // Who proxies a published port for a container is the engine, and no part of its command's tree.
            return None;
        }
        let supervisor = record.details.supervisor.pid;
        let mut kernel = SockDiag::open().ok()?;
        let mut found = Vec::new();
        for named in &instance.ports {
            for listener in kernel.listening_on(named.port).ok()? {
                let who = stranger(&listener, supervisor);
                found.extend(who.map(|who| (named.port, who)));
            }
        }
        Some(found)
    }
}

/// Who listens, if it is known to be no part of what the supervisor started.
fn stranger(listener: &Listener, supervisor: i32) -> Option<String> {
    let is_of_tree = || {
        let tree = tree::descendants(supervisor, &|_| false).unwrap_or_default();
        let pids = tree.iter().map(|stat| stat.pid).chain([supervisor]);
        // Of a process that cannot be looked into it is not known.
        owner_among(listener.inode, pids) != Owner::NotThere
    };
    if is_of_tree() {
        return None;
    }
    let owner = find_owner(listener.inode);
    // It may have been forked, or have ended, while we looked.
    if is_of_tree() || !is_still_there(listener) {
        return None;
    }
    let command = owner.and_then(process::command_line).map(|words| words.join(" "));
    Some(match (command, owner) {
        (Some(command), Some(pid)) => format!("{command} (pid {pid})"),
        (None, Some(pid)) => format!("pid {pid}"),
        (_, None) => format!("a program of {}", user::name(listener.uid)),
    })
}

fn is_still_there(listener: &Listener) -> bool {
    let listening = SockDiag::open().and_then(|mut kernel| kernel.listening_on(listener.port));
    listening.is_ok_and(|found| found.iter().any(|other| other.inode == listener.inode))
}

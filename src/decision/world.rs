//! All that a decision may ask of the world. Tests answer from a list.
//!
//! Pure: a trait and its values. The real answers come from `operations::host`.

use crate::{ports::Port, registry::Instance};

/// The questions. All are asked under the state lock, so all are answered at once.
pub trait World {
    /// Whether a port can be had. A port that is told free is claimed, and stays claimed until the
    /// decision is carried out or thrown away.
    fn port_use(&self, port: Port) -> PortUse;

    /// Whether the kernel shows anyone on a port; it is only looked at, not claimed.
    fn is_used(&self, port: Port) -> bool;

    /// What is left of the holder of an instance's lease; `Gone` when it has no lease.
    fn life(&self, instance: &Instance) -> Life;
}

/// Whether a port can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortUse {
    /// It can.
    Free,
    /// Someone else has it.
    Taken,
    /// This user may not bind it.
    NotPermitted,
}

/// What is left of the holder of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It lives.
    Alive,
    /// It is dead, but something that it started may not be.
    Leftovers,
    /// Nothing.
    Gone,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::registry::{
        Holder, InstanceName, Lease, LockId, NamedPort, Namespaces, Overlay, Registry, Scope,
    };
    use std::collections::BTreeSet;

    /// A world that answers from lists: everything else is free, and alive.
    #[derive(Debug, Default)]
    pub(crate) struct Told {
        pub(crate) taken: BTreeSet<u16>,
        pub(crate) not_permitted: BTreeSet<u16>,
        pub(crate) gone: BTreeSet<String>,
        pub(crate) leftovers: BTreeSet<String>,
    }

    impl World for Told {
        fn port_use(&self, port: Port) -> PortUse {
            if self.not_permitted.contains(&port.number()) {
                PortUse::NotPermitted
            } else if self.taken.contains(&port.number()) {
                PortUse::Taken
            } else {
                PortUse::Free
            }
        }

        fn is_used(&self, port: Port) -> bool {
            self.port_use(port) == PortUse::Taken
        }

        fn life(&self, instance: &Instance) -> Life {
            let Some(lease) = &instance.lease else { return Life::Gone };
            if self.gone.contains(lease.lock_id.as_str()) {
                Life::Gone
            } else if self.leftovers.contains(lease.lock_id.as_str()) {
                Life::Leftovers
            } else {
                Life::Alive
            }
        }
    }

    /// `type/id` or `type/id@/root`.
    pub(crate) fn name(text: &str) -> InstanceName {
        let (name, root) = match text.split_once('@') {
            Some((name, root)) => (name, Some(root.into())),
            None => (text, None),
        };
        let (service_type, id) = name.split_once('/').unwrap();
        InstanceName {
            service_type: service_type.parse().unwrap(),
            id: id.parse().unwrap(),
            scope: Scope::from(root),
        }
    }

    pub(crate) fn lock_id(name: &InstanceName) -> LockId {
        LockId::new(&name.service_type, &name.id, 0)
    }

    pub(crate) fn lease(name: &InstanceName, holder: Holder) -> Lease {
        Lease {
            lock_id: lock_id(name),
            holder,
            namespaces: Namespaces::default(),
            command: 7,
            claims: Vec::new(),
            next: None,
        }
    }

    /// An instance with a supervisor.
    pub(crate) fn running(text: &str, port: u16) -> Instance {
        let name = name(text);
        let lease = Some(lease(&name, Holder::Supervisor));
        Instance { lease, ..remembered(text, port, 0) }
    }

    /// An instance that has ended.
    pub(crate) fn remembered(text: &str, port: u16, last_seq: u64) -> Instance {
        let ports = [NamedPort { name: String::new(), port: Port::known(port) }].into();
        Instance { name: name(text), ports, last_seq, overlay: Overlay::Unknown, lease: None }
    }

    pub(crate) fn registry(instances: impl IntoIterator<Item = Instance>) -> Registry {
        let mut registry = Registry::default();
        instances.into_iter().for_each(|instance| registry.put(instance));
        registry
    }
}

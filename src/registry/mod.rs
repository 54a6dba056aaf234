//! The registry: the ranges, leases and remembered ports that all styxy processes of a machine share.
//!
//! Pure. It is read and written through `store` alone; what may be done with it is decided in
//! `decision`.

mod change;
mod instance;
mod invariants;
mod lease;
mod migrate;
mod range_lines;
mod reference;
mod used;

pub use change::{Action, Change, Durability, Ending, Remark, Remarks, Setting, compare};
pub use instance::{Instance, InstanceName, NamedPort, Overlay, Phase, Ports, Scope};
pub use invariants::{BrokenRule, check, check_after};
pub use lease::{Holder, Lease, LockId, LockIdError, Namespaces, ProcessIdentity, Reservation};
pub use migrate::{VERSION, VersionError, version_of};
pub use reference::{Reference, ReferenceError};

use crate::config::TypeName;
use crate::ports::{Port, Range};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// So many ports of ended instances are remembered; the longest forgotten go first.
pub const REMEMBERED_MAX: usize = 16_384;

/// Everything that is shared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Registry {
    /// The number of the last change; audit lines carry it too.
    pub seq: u64,
    /// The boot in which it was last written. In another boot every process it names is gone.
    pub boot: String,
    /// Written just before the durable copy of the ranges is: it may have those of a change that never
    /// happened, so whoever finds this writes it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// The ranges that auto-allocation made; the others come from profiles and configuration.
    pub ranges: Vec<AutoRange>,
    /// Instances that run or are reserved, and those whose ports are remembered; sorted by name, each
    /// name once. Shared, so that a draft of thousands of rows costs next to nothing.
    pub instances: Vec<Arc<Instance>>,
}

/// One block of ports that auto-allocation gave to a service type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoRange {
    /// Whose it is.
    pub service_type: TypeName,
    /// Its ports.
    pub range: Range,
    /// When it was made, RFC 3339 in UTC; shown to people, decides nothing.
    pub created: String,
    /// When a lease in it was last made or ended, RFC 3339 in UTC, at most a day behind; none before the
    /// first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
}

impl Registry {
    /// Where the instance of that name stands, or would.
    fn place(&self, name: &InstanceName) -> Result<usize, usize> {
        self.instances.binary_search_by(|instance| instance.name.cmp(name))
    }

    /// The instance of that name, alive, dead or only remembered.
    pub fn instance(&self, name: &InstanceName) -> Option<&Instance> {
        self.place(name).ok().map(|place| &*self.instances[place])
    }

    /// The instance of that name, to be changed.
    pub fn instance_mut(&mut self, name: &InstanceName) -> Option<&mut Instance> {
        self.place(name).ok().map(|place| Arc::make_mut(&mut self.instances[place]))
    }

    /// Puts an instance in, in place of one of the same name.
    pub fn put(&mut self, instance: Instance) {
        match self.place(&instance.name) {
            Ok(place) => self.instances[place] = Arc::new(instance),
            Err(place) => self.instances.insert(place, Arc::new(instance)),
        }
    }

    /// Ends the lease of an instance and remembers its ports.
    pub fn end_lease(&mut self, name: &InstanceName) {
        let seq = self.seq;
        if let Some(instance) = self.instance_mut(name) {
            instance.lease = None;
            instance.last_seq = seq + 1;
        }
    }

    /// All instances that have a lease, with it.
    pub fn leased(&self) -> impl Iterator<Item = (&Instance, &Lease)> {
        self.instances.iter().filter_map(|instance| Some((&**instance, instance.lease.as_ref()?)))
    }

    /// The roots of projects, each as often as it has an instance.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.instances.iter().filter_map(|instance| instance.name.scope.root())
    }

    /// The instance whose lease has that name.
    pub fn by_lock_id(&self, lock_id: &LockId) -> Option<&Instance> {
        self.leased().find(|(_, lease)| lease.lock_id == *lock_id).map(|(instance, _)| instance)
    }

    /// The instance that leases that port.
    pub fn by_port(&self, port: Port) -> Option<&Instance> {
        self.leased()
            .map(|(instance, _)| instance)
            .find(|instance| instance.ports.iter().any(|named| named.port == port))
    }

    /// Gives automatic ranges back, and forgets the ports that ended instances of theirs had there.
    pub fn remove_ranges(&mut self, gone: &[AutoRange]) {
        self.ranges.retain(|auto| !gone.iter().any(|other| other.is_row(auto)));
        self.instances.retain(|instance| {
            let had = |auto: &AutoRange| {
                auto.service_type == instance.name.service_type
                    && instance.ports.iter().any(|named| auto.range.contains(named.port))
            };
            instance.lease.is_some() || !gone.iter().any(had)
        });
    }

    /// The ranges that auto-allocation gave to a type, in the order in which it got them.
    pub fn ranges_of(&self, service_type: &TypeName) -> impl Iterator<Item = Range> {
        self.ranges
            .iter()
            .filter(move |auto| auto.service_type == *service_type)
            .map(|auto| auto.range)
    }

    /// Drops the longest forgotten ports until no more than `REMEMBERED_MAX` are remembered.
    pub fn forget_oldest(&mut self) {
        let remembered = self.instances.iter().filter(|i| i.lease.is_none()).count();
        let Some(excess) = remembered.checked_sub(REMEMBERED_MAX).filter(|n| *n > 0) else {
            return;
        };
        let mut ages: Vec<u64> = self
            .instances
            .iter()
            .filter(|instance| instance.lease.is_none())
            .map(|instance| instance.last_seq)
            .collect();
        ages.sort_unstable();
        let newest_dropped = ages[excess - 1];
        let mut left = excess;
        self.instances.retain(|instance| {
            let drop = left > 0 && instance.lease.is_none() && instance.last_seq <= newest_dropped;
            left -= usize::from(drop);
            !drop
        });
    }
}

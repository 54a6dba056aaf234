//! `use`, `port`, `env`: where an instance is, for its clients.

use super::{
    error::Error,
    host::{Host, Tell},
    view::View,
};
use crate::{
    decision::identity,
    ports::Port,
    registry::{Instance, Reference, ReferenceError, Registry, Scope},
};

impl Host {
    /// The living instance that a user means.
    pub fn locate(&self, reference: &str, tell: &Tell<'_>) -> Result<View, Error> {
        let registry = self.read(tell)?;
        let living = self.living(registry);
        let instance = self.find(&living, reference)?;
        Ok(self.view(&living, instance))
    }

    /// The living instance on a port.
    pub fn locate_port(&self, port: Port, tell: &Tell<'_>) -> Result<View, Error> {
        let living = self.living(self.read(tell)?);
        let unknown = || Error::Reference(ReferenceError::Unknown(port.to_string()));
        living.by_port(port).map(|instance| self.view(&living, instance)).ok_or_else(unknown)
    }

    /// The instance with a lease that a user means.
    pub(super) fn find<'a>(
        &self,
        registry: &'a Registry,
        reference: &str,
    ) -> Result<&'a Instance, Error> {
        let leased: Vec<&Instance> = registry.leased().map(|(instance, _)| instance).collect();
        self.find_among(&leased, registry, reference)
    }

    /// The one of these instances that a user means.
    pub(super) fn find_among<'a>(
        &self,
        among: &[&'a Instance],
        registry: &Registry,
        reference: &str,
    ) -> Result<&'a Instance, Error> {
        let caller = Scope::Project(self.place.project.to_string_lossy().into());
        let shown = |root: &str| identity::display_name(root, registry.roots());
        Ok(Reference::parse(reference)?.find(among, &caller, &shown)?)
    }

    /// The registry without the leases of dead holders, as readers see it.
    pub(super) fn living(&self, mut registry: Registry) -> Registry {
        let world = self.world();
        registry
            .instances
            .retain(|instance| instance.lease.is_none() || world.may_be_shown(instance));
        registry
    }
}

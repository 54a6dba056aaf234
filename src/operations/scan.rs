//! `scan`: who has the ports of a range; by default of all ranges that styxy knows.

use super::{
    check::PortView,
    error::Error,
    host::{Host, Tell},
};
use crate::{
    os::listeners::SockDiag,
    ports::{Port, PortSet, Range},
};

impl Host {
    /// Every port of the range that somebody leases or listens on.
    pub fn scan(&self, range: Range, tell: &Tell<'_>) -> Result<Vec<PortView>, Error> {
        let living = self.living(self.read(tell)?);
        let mut used = PortSet::default();
        let leased = living.leased().flat_map(|(instance, _)| &instance.ports);
        leased.for_each(|named| _ = used.insert(named.port));
        let listening = SockDiag::open().and_then(|mut diag| diag.all_listening());
        let listening =
            listening.map_err(|source| Error::System { deed: "list the listeners", source })?;
        listening.iter().for_each(|listener| _ = used.insert(listener.port));
        let ports: Vec<Port> = range.ports().filter(|port| used.contains(*port)).collect();
        Ok(ports.into_iter().map(|port| self.port_view(&living, port)).collect())
    }
}

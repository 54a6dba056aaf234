//! `check`: who has a port.

use super::{
    error::Error,
    host::{Host, Tell},
    view::View,
};
use crate::{
    os::{
        listeners::{self, PortHolder},
        port_probe,
    },
    ports::Port,
    registry::Registry,
};
use serde::Serialize;

/// What is known of a port.
#[derive(Debug, Serialize)]
pub struct PortView {
    /// The port.
    pub port: Port,
    /// Nobody leases it and nobody uses it.
    pub free: bool,
    /// The instance that leases it.
    pub lease: Option<View>,
    /// Who listens on it.
    pub listener: Option<ListenerView>,
}

/// Who listens on a port.
#[derive(Debug, Serialize)]
pub struct ListenerView {
    /// Where.
    pub address: String,
    /// Its process, where this user may know it.
    pub pid: Option<i32>,
    /// Whose it is.
    pub uid: u32,
    /// Its command line.
    pub command: Option<String>,
}

impl Host {
    /// Who has a port.
    pub fn check(&self, port: Port, tell: &Tell<'_>) -> Result<PortView, Error> {
        let living = self.living(self.read(tell)?);
        Ok(self.port_view(&living, port))
    }

    /// What is known of a port. It is probed, so the answer is true for this moment only.
    pub(super) fn port_view(&self, living: &Registry, port: Port) -> PortView {
        let lease = living.by_port(port).map(|instance| self.view(living, instance));
        let lease = lease.map(View::with_user);
        let unused = matches!(port_probe::probe(port), Ok(port_probe::PortUse::Free));
        let holders = listeners::who_holds(port).unwrap_or_default();
        let listener = holders
            .into_iter()
            .find(|holder| holder.listens)
            .map(|holder| listener_view(holder, lease.as_ref()));
        PortView { port, free: lease.is_none() && unused, lease, listener }
    }
}

/// With `--listen-fd` the supervisor has the socket too; the one who serves is its child.
fn listener_view(holder: PortHolder, lease: Option<&View>) -> ListenerView {
    let PortHolder { address, uid, pid, command, .. } = holder;
    let child = lease.filter(|view| pid.is_some() && pid == view.supervisor_pid);
    let (pid, command) = match child {
        Some(view) => (view.pid, view.command.as_ref().map(|words| words.join(" "))),
        None => (pid, command),
    };
    ListenerView { address: address.to_string(), pid, uid, command }
}

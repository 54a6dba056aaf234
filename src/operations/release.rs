//! `release`: a reservation given back.

use super::{
    error::Error,
    host::{Host, Tell},
    view::Answer,
};
use crate::{
    os::port_probe::{self, PortUse},
    registry::Holder,
};

impl Host {
    /// Gives a reservation back. One that is used wants `force`; a supervised instance is stopped instead.
    pub fn release(&self, reference: &str, force: bool, tell: &Tell<'_>) -> Result<Answer, Error> {
        let world = self.world();
        self.transact(tell, &world, |registry, remarks| {
            let instance = self.find(registry, reference)?;
            let name = instance.name.clone();
            let served = instance
                .ports
                .iter()
                .any(|named| !matches!(port_probe::probe(named.port), Ok(PortUse::Free)));
            let view = match served {
                true => self.view(registry, instance),
                false => self.view_unserved(registry, instance),
            };
            let lease =
                instance.lease.as_ref().expect("a reference names an instance with a lease");
            match &lease.holder {
                Holder::Supervisor => return Err(Error::Supervised { view: Box::new(view) }),
                Holder::Reserved(_) if force => {}
                Holder::Reserved(reservation) => {
                    let lives = reservation
                        .process
                        .is_some_and(|process| crate::os::process::is_alive(&process));
                    if lives || served {
                        return Err(Error::InUse { view: Box::new(view) });
                    }
                }
            }
            registry.end_lease(&name);
            self.consolidate_after(registry, remarks, &name);
            let message =
                format!("{} released, port {} is free again", view.full_name(), view.port);
            Ok(view.answer(message))
        })
    }
}

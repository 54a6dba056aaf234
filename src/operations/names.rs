//! The names that a person may type at this moment, for a shell to complete: instances, types, services.
//!
//! Nothing is complained of here: what cannot be read is not offered. No lock is waited for.

use super::{error::Error, host::Host};
use crate::registry::{Instance, Registry};

/// A name, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// As it may be typed.
    pub name: String,
    /// One line for people.
    pub about: String,
}

impl Host {
    /// Every living instance, by the shortest name that means it from here.
    pub fn instance_names(&self) -> Result<Vec<Named>, Error> {
        let living = self.living(self.read(&|_| {})?);
        let named = |instance: &Instance| {
            let name = self.shortest_name(&living, instance);
            Named { name, about: format!("port {}", instance.port()) }
        };
        let mut names: Vec<Named> = living.leased().map(|(instance, _)| named(instance)).collect();
        names.sort();
        Ok(names)
    }

    /// Every service type.
    pub fn type_names(&self) -> Result<Vec<Named>, Error> {
        let types = self.service_types(&|_| {})?.types;
        Ok(types
            .into_iter()
            .map(|view| Named { name: view.name, about: view.description })
            .collect())
    }

    /// The services that the project names.
    pub fn service_names(&self) -> Result<Vec<Named>, Error> {
        let services = self.services()?;
        let about = |name: &str| services.about(name).unwrap_or_default().to_owned();
        let named = |name: &str| Named { name: name.to_owned(), about: about(name) };
        Ok(services.names().map(named).collect())
    }

    /// `dev/web` where that is enough, else with its project.
    fn shortest_name(&self, living: &Registry, instance: &Instance) -> String {
        let short = instance.name.to_string();
        match self.find(living, &short) {
            Ok(found) if found.name == instance.name => short,
            Ok(_) | Err(_) => self.full_name(living, &instance.name),
        }
    }
}

//! `logs`: what a detached instance wrote, also one that has ended.

use super::{
    error::Error,
    host::{Host, Tell},
};
use crate::{
    decision::identity,
    os::{
        clock,
        logs::{self, Follow, Keeper},
    },
    registry::{Instance, InstanceName},
};
use std::{fs::File, path::PathBuf};

impl Host {
    /// Where the output of an instance is kept: `logs/<type>/<id>[@project].log`.
    pub(super) fn log_path(&self, name: &InstanceName) -> PathBuf {
        logs::log_path(self.store.path(), &name.service_type, &log_name(name))
    }

    /// Its log, to be written to.
    pub(super) fn open_log(&self, name: &InstanceName) -> Result<File, Error> {
        logs::open_log(self.store.as_fd(), &name.service_type, &log_name(name))
            .map_err(|source| Error::System { deed: "open the instance's log", source })
    }

    /// Its log, to be followed from where it ends now.
    pub(super) fn log_from_now(&self, name: &InstanceName) -> Result<Follow, Error> {
        // Made if it is not there, so that its folder can be watched.
        drop(self.open_log(name)?);
        Follow::start(&self.log_path(name), 0)
            .map_err(|source| Error::System { deed: "follow the instance's log", source })
    }

    /// What keeps it small.
    pub(super) fn log_keeper(&self, name: &InstanceName) -> Result<Keeper, Error> {
        let (log_name, rotation) = (log_name(name), self.config.logs());
        Keeper::new(self.store.as_fd(), &name.service_type, &log_name, rotation, clock::now())
            .map_err(|source| Error::System { deed: "open the instance's log", source })
    }

    /// The log of the instance that a user means; of one that has ended, the one remembered.
    pub fn log(&self, reference: &str, tell: &Tell<'_>) -> Result<PathBuf, Error> {
        let registry = self.read(tell)?;
        if let Ok(instance) = self.find(&registry, reference) {
            return self.existing_log(&instance.name);
        }
        let ended: Vec<&Instance> =
            registry.instances.iter().map(|i| &**i).filter(|i| i.lease.is_none()).collect();
        let name = &self.find_among(&ended, &registry, reference)?.name;
        self.existing_log(name)
    }

    fn existing_log(&self, name: &InstanceName) -> Result<PathBuf, Error> {
        let path = self.log_path(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(Error::Usage {
            message: format!("{name} has no log: it did not run in the background"),
            hint: Some("run it with -d to keep its output".to_owned()),
        })
    }
}

/// Named by the project's root alone, so that it stays the same when another project comes.
fn log_name(name: &InstanceName) -> String {
    match name.scope.root() {
        Some(root) => format!("{}@{}", name.id, identity::distinct_name(root)),
        None => name.id.to_string(),
    }
}

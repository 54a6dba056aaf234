//! The projects that name services: the caller's own, and those that the registry has heard of.
//!
//! What a project's file may say, and whether it is believed, is `config`'s business; starting is `run`'s.

use super::{
    error::Error,
    host::{Host, Tell},
    services::Services,
};
use crate::registry::Registry;
use serde::Serialize;
use std::{collections::BTreeSet, path::PathBuf};

/// More are not looked at.
const PROJECTS_MAX: usize = 64;

/// A project that names services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Project {
    /// Its directory.
    pub path: PathBuf,
    /// What it names, by name.
    pub services: Vec<Named>,
}

/// A service that is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// By that name it is started.
    pub name: String,
    /// The type of its instance.
    pub r#type: String,
    /// The id of its instance.
    pub id: String,
    /// What it runs.
    pub command: Vec<String>,
    /// The lease of its instance, where that lives.
    pub lock_id: Option<String>,
}

impl Host {
    /// All that are known. One whose files make no sense is left out: who starts something there is told why.
    pub fn projects(&self, tell: &Tell<'_>) -> Result<Vec<Project>, Error> {
        let living = self.living(self.read(tell)?);
        let roots: BTreeSet<PathBuf> = living.roots().map(PathBuf::from).collect();
        let mut found = Vec::from_iter(self.project_here(&living));
        for root in roots.into_iter().take(PROJECTS_MAX) {
            let host = Self::open_in(&root, &|_| {}).ok();
            let project = host.and_then(|host| host.project_here(&living));
            found
                .extend(project.filter(|project| found.iter().all(|one| one.path != project.path)));
        }
        Ok(found)
    }

    fn project_here(&self, living: &Registry) -> Option<Project> {
        let services = self.services().ok()?;
        let named = services.names().filter_map(|name| self.named(&services, name, living).ok());
        Some(Project { path: services.root().to_owned(), services: named.collect() })
    }

    fn named(&self, services: &Services, name: &str, living: &Registry) -> Result<Named, Error> {
        let service = services.find(name)?;
        let instance = self.name_of(services, service)?;
        let lease = living.instance(&instance).and_then(|living| living.lease.as_ref());
        Ok(Named {
            name: name.to_owned(),
            r#type: instance.service_type.to_string(),
            id: instance.id.to_string(),
            command: service.command.words(),
            lock_id: lease.map(|lease| lease.lock_id.to_string()),
        })
    }
}

//! The services that a project names: which there are, where they run, and what each asks for.
//!
//! From the configuration, else from a Procfile. Reading them is `config`'s business.

use super::{
    after::After,
    error::Error,
    host::{Host, Place, places_in},
    plan::Request,
};
use crate::{
    config::{self, IfRunning, InstanceId, Service, Stdin, suggestion},
    decision::{
        ask::AskedId,
        port::Wish,
        range_rule::RangeWish,
        start_order::{Described, OrderError, StartOrder},
    },
    registry::InstanceName,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What a project names.
#[derive(Debug, Clone)]
pub struct Services {
    /// What their paths are relative to, and whom they belong to.
    root: PathBuf,
    by_name: BTreeMap<InstanceId, Service>,
}

/// One of them, ready to be run.
pub struct Prepared {
    /// What it asks for; flags may still say otherwise.
    pub request: Request,
    /// From where.
    pub place: Place,
}

impl Host {
    /// The services of the project: those of the configuration, else those of a Procfile.
    pub fn services(&self) -> Result<Services, Error> {
        let project = self.config.project();
        if !self.config.services().is_empty() {
            let root = project.unwrap_or(&self.place.project).to_owned();
            return Ok(Services { root, by_name: self.config.services().clone() });
        }
        match config::procfile(&places_in(&self.place.cwd), project)? {
            Some(found) if !found.services.is_empty() => {
                Ok(Services { root: found.root, by_name: found.services })
            }
            Some(_) | None => Err(Error::Usage {
                message: "this project names no services".to_owned(),
                hint: Some(
                    "name them in styxy.toml: [services.web] command = \"npm run dev\"; or in a \
                     Procfile: web: npm run dev"
                        .to_owned(),
                ),
            }),
        }
    }

    /// A service by its name, as a request from its own place.
    pub fn service(&self, services: &Services, name: &str) -> Result<Prepared, Error> {
        let service = services.find(name).map_err(|error| match error {
            Error::Usage { message, hint: Some(hint) } => {
                Error::Usage { message, hint: Some(format!("{hint} (a command stands behind --)")) }
            }
            error => error,
        })?;
        let place = self.place_of(services, service)?;
        let mut request = request(services, service);
        for after in &service.after {
            request.after.push(match services.by_name.get(after.as_str()) {
                Some(other) => {
                    After::Service { service: after.clone(), name: self.name_of(services, other)? }
                }
                None if after.contains('/') => After::Reference(after.clone()),
                None => {
                    let known: Vec<&str> = services.names().collect();
                    let why = format!("no service is called `{}`", after.escape_debug());
                    let hint = suggestion(after, &known);
                    let wrong = self.config.wrong_service(&service.name, "after", why, Some(hint));
                    return Err(Error::Config(wrong));
                }
            });
        }
        Ok(Prepared { request, place })
    }

    /// From now on, commands are given from that place.
    pub fn enter(&mut self, place: Place) -> Result<(), Error> {
        std::env::set_current_dir(&place.cwd).map_err(|source| Error::System {
            deed: "change into the service's working directory",
            source,
        })?;
        self.place = place;
        Ok(())
    }

    /// In which order those that are wanted, and what they need, are started.
    pub fn start_order(&self, services: &Services, wanted: &[String]) -> Result<StartOrder, Error> {
        let described: Vec<Described<'_>> = services
            .by_name
            .values()
            .map(|service| Described { name: service.name.as_str(), after: &service.after })
            .collect();
        let at = |name: &str, why, hint| match services.find(name) {
            Ok(service) => {
                Error::Config(self.config.wrong_service(&service.name, "after", why, hint))
            }
            Err(error) => error,
        };
        let error = match StartOrder::new(&described, wanted) {
            Ok(order) => return Ok(order),
            Err(error) => error,
        };
        let why = error.to_string();
        Err(match error {
            OrderError::NoSuch { hint, .. } => Error::Usage { message: why, hint: Some(hint) },
            OrderError::Unknown { service, hint, .. } => {
                let or = "an instance of another project is called type/id";
                at(&service, why, Some(format!("{hint} ({or})")))
            }
            OrderError::Cycle { path } => {
                at(&path[0], why, Some("take one of these out".to_owned()))
            }
        })
    }

    /// What the instance of a service is called.
    pub(super) fn name_of(
        &self,
        services: &Services,
        service: &Service,
    ) -> Result<InstanceName, Error> {
        let place = self.place_of(services, service)?;
        // Directories that it claims need not be there yet to know its name.
        let request = Request { claims: Vec::new(), ..request(services, service) };
        let plan = self.plan_at(&place, &request)?;
        let (AskedId::Given(id) | AskedId::Derived(id)) = plan.id;
        Ok(InstanceName { service_type: plan.service_type, id, scope: plan.scope })
    }

    /// Where it runs, and the project that it belongs to: the directory of its file.
    fn place_of(&self, services: &Services, service: &Service) -> Result<Place, Error> {
        let below = service.cwd.as_deref().unwrap_or(".");
        let cwd = services.root.join(below).canonicalize().ok().filter(|cwd| cwd.is_dir());
        let Some(cwd) = cwd else {
            let why = format!("there is no directory {}", services.root.join(below).display());
            let hint = Some(format!("it is relative to {}", services.root.display()));
            let wrong = self.config.wrong_service(&service.name, "cwd", why, hint);
            return Err(Error::Config(wrong));
        };
        Ok(Place { cwd, project: services.root.clone(), ..self.place.clone() })
    }
}

impl Services {
    /// What the project says of one of them.
    pub fn about(&self, name: &str) -> Option<&str> {
        self.by_name.get(name)?.description.as_deref()
    }

    /// The directory of the file that names them.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(InstanceId::as_str)
    }

    /// Its name, if one is called so.
    pub fn one(&self, name: &str) -> Result<&str, Error> {
        self.find(name).map(|service| service.name.as_str())
    }

    /// The one of that name.
    pub(super) fn find(&self, name: &str) -> Result<&Service, Error> {
        self.by_name.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.names().collect();
            Error::Usage {
                message: format!("no service is called `{}`", name.escape_debug()),
                hint: Some(suggestion(name, &known)),
            }
        })
    }
}

/// What a service says, as if it had been typed.
fn request(services: &Services, service: &Service) -> Request {
    Request {
        service_type: service.service_type.clone(),
        id: Some(service.id.clone().unwrap_or_else(|| service.name.clone())),
        wish: Wish {
            exact: service.port,
            prefer: service.preferred_ports.clone(),
            names: service.ports.clone(),
        },
        range: RangeWish { group: service.group.clone(), ..RangeWish::default() },
        if_running: service.if_running.unwrap_or(IfRunning::Attach),
        claims: service.claims.iter().map(|path| services.root.join(Path::new(path))).collect(),
        settings: service.settings.clone(),
        stdin_null: service.stdin == Some(Stdin::Null),
        raw: service.raw.unwrap_or(false),
        command: service.command.words(),
        ..Request::default()
    }
}

//! Containers around a run: what is added to its command, what is recorded of them, what is shown, and how those of
//! a dead supervisor are ended. Recognising, and asking engines, is `container`'s business.

use super::{
    child::{Given, styxys_own},
    error::Error,
    host::Host,
    plan::{Plan, Request},
};
use crate::{
    config::ReadyCheck,
    container::{
        Recognised, engine,
        rewrite::{Added, rewrite},
        sweep::{Aim, Found},
        whose::{Mark, Whose},
    },
    os::{clock, wait_set::WaitSet},
    registry::{Instance, LockId},
    store::record::Record,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ffi::CString, fs, time::Duration};

/// An id is 64 digits; so much of a file that should hold one is read by people.
const ID_LENGTH_MAX: usize = 128;
/// KILL works at once, and its container is then removed; so often it is looked whether that is done.
const KILL_ROUNDS_MAX: usize = 10;
/// The wait between two such looks.
const KILL_WAIT: Duration = Duration::from_millis(200);

/// An engine goes on making a container whose command line was killed; so often it is looked whether it has.
const MAKING_LOOKS_MAX: usize = 20;
/// The wait between two such looks.
const MAKING_WAIT: Duration = Duration::from_millis(100);

/// A container, as JSON has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerView {
    /// The engine's program.
    pub engine: String,
    /// Its id, once it has one.
    pub id: Option<String>,
    /// What its user called it.
    pub name: Option<String>,
    /// What it is made of.
    pub image: Option<String>,
}

/// What can be said against a request before anything is leased for it.
pub(super) fn check(recognised: Option<&Recognised>, request: &Request) -> Result<(), Error> {
    if request.settings.container_port.is_none() {
        return Ok(());
    }
    let (message, hint) = match recognised {
        Some(Recognised::Run(_)) => return Ok(()),
        Some(Recognised::Compose(_)) => (
            "--container-port is for one container, and compose starts those of a project",
            "let the project's file publish the leased ports: \"127.0.0.1:${PORT}:80\", or \
             ${PORT_WEB} with --ports web",
        ),
        None => (
            "--container-port is for docker run, podman run or nerdctl run",
            "let the command begin with one of them",
        ),
    };
    Err(Error::Usage { message: message.to_owned(), hint: Some(hint.to_owned()) })
}

/// Whether the image's own check decides on readiness: nobody has said how it is to be known.
pub(super) fn is_by_health(request: &Request, configured: Option<&ReadyCheck>) -> bool {
    request.settings.ready.is_none() && configured.is_none()
}

/// What a user should know of a command that starts containers.
pub(super) fn warning(plan: &Plan) -> Option<String> {
    let Some(Recognised::Run(run)) = &plan.contained else { return None };
    let policy = run.restart.as_ref()?;
    Some(format!(
        "--restart {policy} lets the engine start the container again behind styxy's back: use \
         styxy's own --restart"
    ))
}

/// The command's words, with what is added for a container.
pub(super) fn contained(words: Vec<String>, plan: &Plan, given: &Given<'_>) -> Vec<String> {
    let Some(Recognised::Run(run)) = &plan.contained else { return words };
    let published = plan.settings.container_port.map(|inside| (given.ports[0].port, inside));
    let added = Added {
        lock_id: given.lock_id.as_str(),
        published: published.as_slice(),
        cidfile: given.cidfile,
    };
    rewrite(&words, run, &added)
}

impl Host {
    /// Where the engine writes the id of an instance's container.
    pub(super) fn cidfile(&self, lock_id: &LockId) -> String {
        let name = format!("{lock_id}.cid");
        self.store.path().join("run").join(name).to_string_lossy().into_owned()
    }

    /// The containers that a run starts, if it does.
    pub(super) fn whose(&self, row: &Instance, plan: &Plan, request: &Request) -> Option<Whose> {
        let recognised = plan.contained.as_ref()?;
        let lock_id = &row.lease.as_ref()?.lock_id;
        let cidfile = self.cidfile(lock_id);
        let absolute = |path: &str| self.place.cwd.join(path).to_string_lossy().into_owned();
        let whose = Whose::of(&request.command, recognised, lock_id.as_str(), &cidfile, absolute);
        let given =
            Given { name: &row.name, ports: &row.ports, lock_id, notify: None, cidfile: &cidfile };
        let mut variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        variables.extend(styxys_own(&given));
        variables.extend(plan.settings.env.iter().map(|(name, text)| (name.clone(), text.clone())));
        Some(whose.among(variables.into_iter()))
    }

    /// Ends the containers that a dead supervisor has left. What its engine does not say is unknown.
    pub(super) fn end_containers(&self, record: &Record, grace: Duration) -> Result<(), Error> {
        let Some(whose) = &record.details.container else { return Ok(()) };
        let name = record.details.row.name.to_string();
        let directory = match whose.mark {
            Mark::Label(_) => None,
            Mark::Project(_) => CString::new(record.details.cwd.clone()).ok(),
        };
        let pause = |time: Duration| {
            // Nothing tells when the engine is done.
            let _ = WaitSet::<()>::new().wait(Some(clock::now() + time)).map(drop);
        };
        let mut found = engine::sweep(whose, Aim::Stop { grace }, directory.as_deref());
        for _ in 0..MAKING_LOOKS_MAX {
            if found != (Found::Gone { code: None }) || !engine::is_being_made(whose) {
                break;
            }
            pause(MAKING_WAIT);
            found = engine::sweep(whose, Aim::Stop { grace }, directory.as_deref());
        }
        for _ in 0..KILL_ROUNDS_MAX {
            if !matches!(found, Found::Left { .. }) {
                break;
            }
            found = engine::sweep(whose, Aim::Kill, directory.as_deref());
            if matches!(found, Found::Left { .. }) {
                pause(KILL_WAIT);
            }
        }
        let engine = whose.engine_name().to_owned();
        match found {
            Found::Gone { .. } => {
                engine::remove_cidfile(whose);
                Ok(())
            }
            Found::Left { ids } => Err(Error::ContainersLeft { name, engine, ids }),
            Found::Unknown { why } => Err(Error::EngineSilent { name, engine, why }),
        }
    }
}

/// The container of a record, as it is shown.
pub(super) fn view(record: &Record) -> Option<ContainerView> {
    let whose = record.details.container.as_ref()?;
    let id = fs::read_to_string(&whose.cidfile).ok();
    let id = id.map(|id| id.trim().chars().take(ID_LENGTH_MAX).collect::<String>());
    Some(ContainerView {
        engine: whose.engine_name().to_owned(),
        id: id.filter(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric())),
        name: whose.name.clone(),
        image: whose.image.clone(),
    })
}

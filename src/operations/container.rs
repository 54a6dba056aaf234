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
        self, Recognised,
        command_line::ContainerRun,
        engine,
        facts::{self, Facts},
        rewrite::{Added, rewrite, start_again},
        sweep::{Aim, Found, Question},
        whose::{Mark, Whose},
    },
    decision::{recognise::PackageScripts, within::Within},
    os::wait_set::pause,
    registry::{Instance, LockId},
    store::record::Record,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ffi::CString, time::Duration};

/// An id is 64 digits; so much of a file that should hold one is read by people.
const ID_LENGTH_MAX: usize = 128;
/// KILL works at once, and its container is then removed; so often it is looked whether that is done.
const KILL_ROUNDS_MAX: usize = 10;
/// The wait between two such looks.
const KILL_WAIT: Duration = Duration::from_millis(200);

/// A container, as JSON has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerView {
    /// The engine's program.
    pub engine: String,
    /// Its id, once it has one.
    pub id: Option<String>,
    /// What its user, or else its engine, called it; null until it was seen.
    pub name: Option<String>,
    /// What it is made of.
    pub image: Option<String>,
}

/// Containers that a command starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contained {
    recognised: Recognised,
    /// Where in the command that is said.
    within: Within,
}

/// What a command starts, as far as containers go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// None.
    Processes,
    /// Containers that are supervised.
    Containers(Box<Contained>),
    /// Containers perhaps, in a text or a script in which nothing can be added to their command.
    Hidden {
        /// That command, where it is known.
        command: Option<String>,
    },
}

impl Contents {
    /// Those of a command.
    pub(super) fn of(command: &[String], scripts: PackageScripts<'_>) -> Self {
        match Within::find(command, scripts, container::recognise) {
            Some((within, Recognised::Run(_))) if within.is_elsewhere() => {
                let is_plain = |c: char| !c.is_whitespace() && !"'\"\\$`".contains(c);
                let plain = within.words().iter().all(|word| word.chars().all(is_plain));
                Self::Hidden { command: plain.then(|| within.words().join(" ")) }
            }
            Some((within, recognised)) => {
                Self::Containers(Box::new(Contained { recognised, within }))
            }
            None if command.iter().any(|word| container::is_mentioned(word)) => {
                Self::Hidden { command: None }
            }
            None => Self::Processes,
        }
    }

    /// Whether there are containers to be supervised.
    pub fn are_containers(&self) -> bool {
        self.containers().is_some()
    }

    /// Whether the command returns while they run.
    pub(super) fn detaches(&self) -> bool {
        self.containers().is_some_and(|contained| contained.recognised.detaches())
    }

    fn containers(&self) -> Option<&Contained> {
        match self {
            Self::Containers(contained) => Some(contained),
            Self::Processes | Self::Hidden { .. } => None,
        }
    }

    /// The one container that is run, if it is that.
    fn run(&self) -> Option<(&ContainerRun, &Within)> {
        match self.containers()? {
            Contained { recognised: Recognised::Run(run), within } => Some((run, within)),
            Contained { recognised: Recognised::Compose(_), .. } => None,
        }
    }

    /// What starts the container again once it has ended, before its id.
    pub(super) fn start_again(&self, whose: Option<&Whose>) -> Vec<&'static str> {
        let run = self.run().zip(whose);
        run.map_or_else(Vec::new, |((run, _), whose)| start_again(run, whose.engine_name()))
    }
}

/// What can be said against a request before anything is leased for it.
pub(super) fn check(contents: &Contents, request: &Request) -> Result<(), Error> {
    if request.settings.container_port.is_none() || contents.run().is_some() {
        return Ok(());
    }
    let (message, hint) = match contents {
        Contents::Containers(_) => (
            "--container-port is for one container, and compose starts those of a project",
            "let the project's file publish the leased ports: \"127.0.0.1:${PORT}:80\", or \
             ${PORT_WEB} with --ports web",
        ),
        Contents::Processes | Contents::Hidden { .. } => (
            "--container-port is for docker run, podman run or nerdctl run",
            "let the command be one of them, not in a script, nor in a shell's text with more \
             than plain words",
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
    if let Contents::Hidden { command } = &plan.contents {
        return Some(format!(
            "a container that is started inside a script or a shell's text is its engine's, and is \
             neither stopped nor cleaned up by styxy: let the command itself be `{}`",
            command.as_deref().unwrap_or("docker run ...")
        ));
    }
    let policy = plan.contents.run()?.0.restart.as_ref()?;
    Some(format!(
        "--restart {policy} lets the engine start the container again behind styxy's back: use \
         styxy's own --restart"
    ))
}

/// The command's words, with what is added for a container.
pub(super) fn contained(
    words: Vec<String>,
    plan: &Plan,
    given: &Given<'_>,
) -> Result<Vec<String>, Error> {
    if plan.contents.run().is_none() {
        return Ok(words);
    }
    // Once more: what was filled in has changed its words.
    let filled = Contents::of(&words, &|_| None);
    let Some((run, within)) = filled.run() else { return Err(not_added()) };
    let published = plan.settings.container_port.map(|inside| (given.ports[0].port, inside));
    let added = Added {
        lock_id: given.lock_id.as_str(),
        published: published.as_slice(),
        cidfile: given.cidfile,
    };
    within.put_back(rewrite(within.words(), run, &added)).ok_or_else(not_added)
}

/// Of a shell's text.
fn not_added() -> Error {
    Error::Usage {
        message: "styxy's label cannot be put into a shell's text whose words are not plain"
            .to_owned(),
        hint: Some("let the command itself be `docker run ...`, without sh -c".to_owned()),
    }
}

/// Whether the container of a record runs and is reached by its port. `None`: nobody can say.
pub(super) fn is_reached(record: &Record, patience: Duration) -> Option<bool> {
    let whose = record.details.container.as_ref()?;
    let Mark::Label(_) = whose.mark else { return None };
    let (id, _) = engine::written_down(whose)?;
    let words = whose.ask(&["container", "inspect"], &[id]);
    let answer = engine::ask_from_here(whose, &Question { words, patience });
    // An engine that is down has an empty answer for everything.
    let found = facts::parse(&answer.out)?;
    let port = record.details.row.port();
    let reached = |one: &Facts| {
        let published = one.published.iter().any(|(host, _)| *host == port);
        one.is_running && (published || one.has_host_network)
    };
    found.first().map(reached)
}

impl Host {
    /// Where the engine writes the id of an instance's container.
    pub(super) fn cidfile(&self, lock_id: &LockId) -> String {
        let name = format!("{lock_id}.cid");
        self.store.path().join("run").join(name).to_string_lossy().into_owned()
    }

    /// The containers that a run starts, if it does.
    pub(super) fn whose(&self, row: &Instance, plan: &Plan) -> Option<Whose> {
        let Contained { recognised, within } = plan.contents.containers()?;
        let lock_id = &row.lease.as_ref()?.lock_id;
        let cidfile = self.cidfile(lock_id);
        let absolute = |path: &str| self.place.cwd.join(path).to_string_lossy().into_owned();
        let words = within.words();
        let whose = Whose::of(words, recognised, lock_id.as_str(), &cidfile, absolute);
        let given =
            Given { name: &row.name, ports: &row.ports, lock_id, notify: None, cidfile: &cidfile };
        let mut variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        variables.extend(styxys_own(&given));
        variables.extend(plan.settings.env.iter().map(|(name, text)| (name.clone(), text.clone())));
        Some(whose.among(variables.into_iter()).behind(&within.setting()))
    }

    /// Ends the containers that a dead supervisor has left. What its engine does not say is unknown.
    pub(super) fn end_containers(&self, record: &Record, grace: Duration) -> Result<(), Error> {
        let Some(whose) = &record.details.container else { return Ok(()) };
        let name = record.details.row.name.to_string();
        let directory = match whose.mark {
            Mark::Label(_) => None,
            Mark::Project(_) => CString::new(record.details.cwd.clone()).ok(),
        };
        let mut found = engine::sweep(whose, Aim::Stop { grace }, directory.as_deref());
        for _ in 0..engine::MAKING_LOOKS_MAX {
            if !matches!(found, Found::Gone { code: None, .. }) || !engine::is_unmade(whose) {
                break;
            }
            // Nothing tells when the engine is done.
            pause(engine::MAKING_PAUSE);
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
                engine::remove_cidfile(whose, false);
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
    let (id, found) = engine::written_down(whose).unzip();
    let is_id =
        |id: &String| id.len() <= ID_LENGTH_MAX && id.chars().all(|c| c.is_ascii_alphanumeric());
    Some(ContainerView {
        engine: whose.engine_name().to_owned(),
        id: id.filter(is_id),
        name: whose.name.clone().or(found.flatten()),
        image: whose.image.clone(),
    })
}

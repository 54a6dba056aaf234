//! Containers: a command line that starts some, what is added to it, and how what it started is found again.
//!
//! A container is no child of the command that starts it: the engine runs it, and goes on when the command
//! is gone. Pure but for `engine`, which asks the engine by its own command line.

pub mod command_line;
pub mod compose;
pub mod engine;
pub mod facts;
mod flags;
pub mod rewrite;
pub mod sweep;
pub mod whose;

use command_line::ContainerRun;
use compose::ComposeUp;

/// A command line that starts containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised {
    /// `docker run` and its like: one container.
    Run(ContainerRun),
    /// `docker compose up` and its like: those of a project.
    Compose(ComposeUp),
}

/// Whether a command starts containers; only its first word is looked at if it does not.
pub fn recognise(command: &[String]) -> Option<Recognised> {
    let program = command.first()?.rsplit('/').next()?;
    if !command_line::is_engine(program) && !compose::is_compose(program) {
        return None;
    }
    let run = command_line::recognise(command).map(Recognised::Run);
    run.or_else(|| compose::recognise(command).map(Recognised::Compose))
}

impl Recognised {
    /// Whether the command returns while its containers run.
    pub fn detaches(&self) -> bool {
        match self {
            Self::Run(run) => run.detach,
            Self::Compose(up) => up.detach,
        }
    }
}

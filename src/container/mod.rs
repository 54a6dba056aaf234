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

/// Whether a shell's text starts containers, as far as can be seen without understanding it.
pub fn is_mentioned(text: &str) -> bool {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || "-_./".contains(c)));
    let name = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let mut before = String::new();
    text.contains(char::is_whitespace)
        && words.any(|word| {
            let before = std::mem::replace(&mut before, name(word));
            compose::is_compose(&before) && word == "up"
                || command_line::is_engine(&before) && matches!(word, "run" | "compose")
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_in_a_text_that_is_not_understood_are_suspected() {
        for text in ["cd x && docker run 'img'", "/usr/bin/podman run $IMG", "(docker-compose up)"]
        {
            assert!(is_mentioned(text), "{text}");
        }
        for text in ["docker", "docker ps; ./run", "echo run docker", "docker/run", "run", ""] {
            assert!(!is_mentioned(text), "{text}");
        }
    }
}

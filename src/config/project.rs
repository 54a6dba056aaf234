//! The services that a project names: what each one runs, where, and after what.
//!
//! Pure values; `styxy run NAME` and `styxy up` use them. A Procfile's lines become the same values.

use super::{
    name::{InstanceId, TypeName},
    service_type::ServiceSettings,
    value::{Given, Value, ValueError},
};
use crate::ports::Port;
use toml::de::DeValue;

/// One of `[services]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// What it is called in its file; also its id unless it says another one.
    pub name: InstanceId,
    /// Its type. Without it: that of the recognised command.
    pub service_type: Option<TypeName>,
    /// Its id.
    pub id: Option<InstanceId>,
    /// What it runs; never empty once the configuration was loaded.
    pub command: Command,
    /// Where it runs; relative to the project's root, which is also the default.
    pub cwd: Option<String>,
    /// One line for people.
    pub description: Option<String>,
    /// It starts when these are ready: names of services, or references of instances.
    pub after: Vec<String>,
    /// The port that it must have.
    pub port: Option<Port>,
    /// Ports that are tried first.
    pub preferred_ports: Vec<Port>,
    /// The names of its ports, where it has several.
    pub ports: Vec<String>,
    /// Data directories that it takes along.
    pub claims: Vec<String>,
    /// Its group in a placement strategy.
    pub group: Option<String>,
    /// What a second run of it does.
    pub if_running: Option<IfRunning>,
    /// Whether nothing is replaced in its command.
    pub raw: Option<bool>,
    /// What it gets as standard input.
    pub stdin: Option<Stdin>,
    /// How it is run, checked, restarted and stopped.
    pub settings: ServiceSettings,
}

impl Service {
    /// A service of which only the name is known.
    pub fn new(name: InstanceId) -> Self {
        Self {
            name,
            service_type: None,
            id: None,
            command: Command::Words(Vec::new()),
            cwd: None,
            description: None,
            after: Vec::new(),
            port: None,
            preferred_ports: Vec::new(),
            ports: Vec::new(),
            claims: Vec::new(),
            group: None,
            if_running: None,
            raw: None,
            stdin: None,
            settings: ServiceSettings::default(),
        }
    }
}

/// What a service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A program and its arguments.
    Words(Vec<String>),
    /// A line for `sh -c`, as in a Procfile.
    Shell(String),
}

impl Command {
    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Words(words) => words.first().is_none_or(String::is_empty),
            Self::Shell(line) => line.trim().is_empty(),
        }
    }

    /// The program and its arguments, as they are exec'ed.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Words(words) => words.clone(),
            Self::Shell(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        }
    }
}

impl Value for Command {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        match given.value {
            DeValue::Array(_) => Vec::read(given).map(Self::Words),
            _ if given.text().is_some() => String::read(given).map(Self::Shell),
            _ => Err(given.not("a list of words, or a line for the shell")),
        }
    }

    fn show(&self) -> toml::Value {
        match self {
            Self::Words(words) => words.show(),
            Self::Shell(line) => line.show(),
        }
    }
}

/// What a run does when its instance is already there (`--if-running`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfRunning {
    /// Stay with it until it ends, and end with its code.
    #[default]
    Attach,
    /// Wait until it is ready, print it, and succeed.
    Reuse,
    /// Refuse.
    Fail,
    /// Stop it, then start.
    Replace,
    /// Queue, and start when it ends.
    Wait,
}

/// What a child gets as standard input (`--stdin`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stdin {
    /// The caller's own.
    #[default]
    Inherit,
    /// Nothing.
    Null,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_to_the_shell_and_words_do_not() {
        let line = Command::Shell("vite --port $PORT".to_owned());
        assert_eq!(line.words(), ["sh", "-c", "vite --port $PORT"]);
        let words = Command::Words(vec!["vite".to_owned(), "a b".to_owned()]);
        assert_eq!(words.words(), ["vite", "a b"]);
    }

    #[test]
    fn a_command_without_a_program_is_empty() {
        for (command, expected) in [
            (Command::Words(Vec::new()), true),
            (Command::Words(vec![String::new(), "x".to_owned()]), true),
            (Command::Shell(" \n".to_owned()), true),
            (Command::Shell("x".to_owned()), false),
            (Command::Words(vec!["x".to_owned()]), false),
        ] {
            assert_eq!(command.is_empty(), expected, "{command:?}");
        }
    }
}

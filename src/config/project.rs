//! The services that a project names: what each one runs, where, and after what.
//!
//! Pure values; `styxy run NAME` and `styxy up` use them. A Procfile's lines become the same values. In
//! which order services start is `decision::start_order`'s business.

use super::{
    name::{InstanceId, TypeName},
    service_type::ServiceSettings,
    value::{Given, Value, ValueError},
};
use crate::ports::Port;
use std::collections::BTreeSet;
use toml::de::DeValue;

/// What a shell reads as more than words and quotes. A backslash is among them: what it does depends on
/// where it stands.
const SHELL_SIGNS: &str = "|&;<>()$`*?[]#~!\\\n\r";
/// First words that only a shell has, or that do in a shell what a program of that name could not.
const SHELL_WORDS: &[&str] = &[
    ".", ":", "{", "case", "cd", "eval", "exec", "exit", "export", "for", "if", "read", "set",
    "source", "time", "trap", "ulimit", "umask", "unset", "until", "wait", "while",
];

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
    /// What a line in a file means: its words, or the line for a shell where it is more than words. Words
    /// are better, for then nothing stands between styxy and the program.
    fn of_line(line: &str) -> Result<Self, ValueError> {
        let words = shlex::split(line)
            .filter(|_| !line.contains(|sign| SHELL_SIGNS.contains(sign)))
            .filter(|words| !words.first().is_some_and(|word| is_of_the_shell(word)));
        match words {
            Some(words) => Ok(Self::Words(words)),
            None if line.contains(['$', '`', '\\']) || shlex::split(line).is_some() => {
                Ok(Self::Shell(line.to_owned()))
            }
            None => Err(ValueError::new("has a quote that is not closed")),
        }
    }

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
            _ if given.text().is_some() => Self::of_line(&String::read(given)?),
            _ => Err(given.not("a list of words, or a line with a command")),
        }
    }

    fn show(&self) -> toml::Value {
        match self {
            Self::Words(words) => words.show(),
            Self::Shell(line) => line.show(),
        }
    }
}

/// Whether a command that begins with this word is a shell's to run.
fn is_of_the_shell(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    let assigns = name.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    assigns || SHELL_WORDS.contains(&word)
}

/// Refuses names of ports that cannot become a part of a variable's name, or would become the same one.
pub fn check_port_names(names: &[String]) -> Result<(), ValueError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let mut variables = BTreeSet::new();
    for name in names {
        if name.is_empty() || !name.bytes().all(fits) {
            let shown = name.escape_debug();
            let why = format!("`{shown}` is no name for a port: use letters, digits, _ and -");
            return Err(ValueError::new(why));
        }
        if !variables.insert(name.to_ascii_uppercase().replace('-', "_")) {
            return Err(ValueError::new(format!("the name `{name}` is given twice")));
        }
    }
    Ok(())
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
    fn a_line_is_its_words_unless_only_a_shell_understands_it() {
        for (line, expected) in [
            ("vite", vec!["vite"]),
            ("  npm  run dev ", vec!["npm", "run", "dev"]),
            ("serve 'a b' \"c d\" --at={port}", vec!["serve", "a b", "c d", "--at={port}"]),
            ("python -m x --mode=a", vec!["python", "-m", "x", "--mode=a"]),
            ("", vec![]),
        ] {
            let words = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(Command::of_line(line).unwrap(), Command::Words(words), "{line}");
        }
        for line in [
            "vite --port $PORT",
            "cd web && vite",
            "A=1 vite",
            "exec vite",
            "vite > log",
            "ls *.rs",
            "say a\\ b",
            "echo 'it is' \\' so",
            "if true; then vite; fi",
        ] {
            assert_eq!(Command::of_line(line).unwrap(), Command::Shell(line.to_owned()), "{line}");
        }
        let open = Command::of_line("serve 'a b").unwrap_err();
        assert_eq!(open.to_string(), "has a quote that is not closed");
    }

    #[test]
    fn names_of_ports_become_variables_of_their_own() {
        let check = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            check_port_names(&names).map_err(|error| error.to_string())
        };
        assert_eq!(check(&["http", "g-rpc"]), Ok(()));
        assert_eq!(check(&["a-b", "A_B"]), Err("the name `A_B` is given twice".to_owned()));
        for name in ["", "a b", "a/b"] {
            assert!(check(&[name]).unwrap_err().contains("is no name for a port"), "{name:?}");
        }
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

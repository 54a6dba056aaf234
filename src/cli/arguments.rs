//! The list of commands, the flags that all of them have, and the arguments that several of them share.
//!
//! Building clap's tree is most of what a short command costs, so only the command that argv[1] names
//! is built. Whenever that does not parse, the whole tree is built, and says what is wrong or helps.

use super::{
    allocate, audit, check, cleanup, completions, config, doctor, down, env, list, logs, output,
    port, release, restart, run, scan, selftest, serve, stop, types, up, r#use, wait,
};
use crate::{
    config::{
        Assignment, InstanceId, ScopeKind, TypeName, ValueError, check_port_names, parse_duration,
    },
    operations::{Error, Host, plan::Request},
    ports::Port,
};
use clap::{
    ArgMatches, Args, FromArgMatches,
    builder::{PossibleValuesParser, TypedValueParser},
};
use std::{ffi::OsString, str::FromStr, time::Duration};

/// Every command, as help lists them.
const COMMANDS: &[Command] = &[
    Command::of::<run::Arguments>("run", &[]),
    Command::of::<up::Arguments>("up", &[]),
    Command::of::<down::Arguments>("down", &[]),
    Command::of::<allocate::Arguments>("allocate", &[]),
    Command::of::<release::Arguments>("release", &[]),
    Command::of::<r#use::Arguments>("use", &[]),
    Command::of::<port::Arguments>("port", &[]),
    Command::of::<env::Arguments>("env", &[]),
    Command::of::<list::Arguments>("list", &["ps"]),
    Command::of::<wait::Arguments>("wait", &[]),
    Command::of::<stop::Arguments>("stop", &[]),
    Command::of::<restart::Arguments>("restart", &[]),
    Command::of::<logs::Arguments>("logs", &[]),
    Command::of::<check::Arguments>("check", &[]),
    Command::of::<scan::Arguments>("scan", &[]),
    Command::of::<types::Arguments>("types", &[]),
    Command::of::<config::Arguments>("config", &[]),
    Command::of::<audit::Arguments>("audit", &[]),
    Command::of::<cleanup::Arguments>("cleanup", &["gc"]),
    Command::of::<doctor::Arguments>("doctor", &[]),
    Command::of::<serve::Arguments>("serve", &[]),
    Command::of::<completions::Arguments>("completions", &[]),
    Command::of::<selftest::Arguments>("selftest", &[]),
];
/// Help is not wrapped wider than people like to read.
const HELP_WIDTH_MAX: usize = 100;

/// The arguments of a command, which are its definition too, and what it does with them.
pub(super) trait Verb: Args {
    /// Does it; tells what to end with.
    fn perform(self, session: &Session) -> Result<i32, Error>;
}

/// One command.
pub(super) struct Command {
    name: &'static str,
    aliases: &'static [&'static str],
    define: fn(clap::Command) -> clap::Command,
    /// Does what was parsed.
    pub(super) perform: fn(ArgMatches, &Session) -> Result<i32, Error>,
}

impl Command {
    const fn of<V: Verb>(name: &'static str, aliases: &'static [&'static str]) -> Self {
        Self { name, aliases, define: V::augment_args, perform: perform::<V> }
    }

    fn definition(&self) -> clap::Command {
        (self.define)(clap::Command::new(self.name).visible_aliases(self.aliases))
    }

    fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name || command.aliases.contains(&name))
    }
}

/// What was parsed is gone before the deed begins: a supervisor lives long and stays small.
fn perform<V: Verb>(mut matches: ArgMatches, session: &Session) -> Result<i32, Error> {
    let arguments = V::from_arg_matches_mut(&mut matches)
        .expect("the definition and the reading are derived from one type");
    drop(matches);
    arguments.perform(session)
}

/// The flags that all commands have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub(super) struct Session {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Trace on stderr what is done
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

impl Session {
    /// The host, as the environment says.
    pub(super) fn host(&self) -> Result<Host, Error> {
        self.host_with(&[])
    }

    /// The host, as flags and the environment say.
    pub(super) fn host_with(&self, flags: &[Assignment]) -> Result<Host, Error> {
        let host = Host::open(flags, &|sentence| self.tell(sentence))?;
        tracing::debug!(state = ?host.store.path(), place = ?host.place, "the host is open");
        Ok(host)
    }

    /// Tells what took long, was mended, or should be known: on stderr, unless it was to be quiet.
    pub(super) fn tell(&self, sentence: &str) {
        self.say(&format!("styxy: {sentence}"));
    }

    /// Says in words what was done: on stderr, unless it was to be quiet.
    pub(super) fn say(&self, sentence: &str) {
        if !self.quiet {
            output::say(sentence);
        }
    }
}

/// A command line, understood.
pub(super) struct Parsed {
    /// Which command.
    pub(super) command: &'static Command,
    /// Its arguments.
    pub(super) matches: ArgMatches,
    /// The flags that all commands have.
    pub(super) session: Session,
}

/// Understands a command line, or tells what to print instead.
pub(super) fn parse(words: &[OsString]) -> Result<Parsed, clap::Error> {
    let named = words.get(1).and_then(|word| word.to_str()).and_then(Command::named);
    if let Some(command) = named {
        let alone = root().disable_help_subcommand(true).subcommand(command.definition());
        if let Ok(matches) = alone.try_get_matches_from(words) {
            return Ok(parsed(matches));
        }
    }
    definition().try_get_matches_from(words).map(parsed)
}

fn parsed(mut matches: ArgMatches) -> Parsed {
    let (name, matches) = matches.remove_subcommand().expect("a command is required");
    // Where a command has commands of its own, the last one knows all flags.
    let mut deepest = &matches;
    while let Some((_, below)) = deepest.subcommand() {
        deepest = below;
    }
    let session = Session::from_arg_matches(deepest).expect("every command has these flags");
    let command = Command::named(&name).expect("clap knows the commands of the list alone");
    Parsed { command, session, matches }
}

/// Whether words that did not parse ask for JSON all the same.
pub(super) fn ask_for_json(words: &[OsString]) -> bool {
    words.iter().take_while(|word| *word != "--").any(|word| word == "--json")
}

/// The whole command line: for help, errors, completions and the man pages.
pub fn definition() -> clap::Command {
    root().subcommands(COMMANDS.iter().map(Command::definition))
}

fn root() -> clap::Command {
    let root = clap::Command::new("styxy")
        .version(env!("CARGO_PKG_VERSION"))
        .long_version(concat!(env!("CARGO_PKG_VERSION"), " (", env!("STYXY_BUILD"), ")"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(HELP_WIDTH_MAX);
    Session::augment_args(root).about(
        "Put `styxy run --` before any server command: it gets a port nobody else has, it runs \
         at most once, it is supervised, and nothing of it is left behind",
    )
}

/// What an instance is called.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Name")]
pub(super) struct Naming {
    /// Service type: decides the range of ports, and whether one instance or many may run [default:
    /// of the tool that the command starts, else `dev`]
    #[arg(short = 't', long = "type", visible_alias = "service-type", value_name = "TYPE")]
    service_type: Option<TypeName>,
    /// Name of the instance within its type [default: for a `single` type the running instance's,
    /// else the tool's name; else the directory's path below the project, or the project's name]
    #[arg(short, long, visible_alias = "instance-id", value_name = "ID")]
    id: Option<InstanceId>,
    /// Whether the id is one of this project (the git worktree, else the directory) or of the
    /// machine [default: `machine` for a `single` type, else `project`]
    #[arg(long, value_name = "SCOPE", value_parser = words::<ScopeKind>(ScopeKind::WORDS))]
    scope: Option<ScopeKind>,
    /// Another instance all the same, numbered, if one of that name is alive
    #[arg(long)]
    new: bool,
}

/// Which ports it gets.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Port")]
pub(super) struct PortWishes {
    /// This port or none, 1 to 65535; it may lie outside the type's range
    #[arg(short, long, value_name = "PORT")]
    port: Option<Port>,
    /// Try this port first; may be given several times
    #[arg(long, value_name = "PORT", value_delimiter = ',', conflicts_with = "port")]
    prefer: Vec<Port>,
    /// Several ports, all or none, by these names: the first is PORT, each is PORT_<NAME>
    #[arg(long, value_name = "NAME,...", value_parser = port_names)]
    ports: Option<PortNames>,
}

/// Where the range of an unknown type goes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "New range")]
pub(super) struct NewRange {
    /// The group whose bounds count for the range of an unknown type, where its placement is a strategy
    /// of the configuration [default: the longest group that the type's name begins with]
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Make the range of an unknown type without asking, whatever auto_allocation.require_confirmation
    /// says
    #[arg(long)]
    yes: bool,
}

/// The names of several ports of one instance, each one once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PortNames(Vec<String>);

impl Naming {
    /// Writes it into a request.
    pub(super) fn fill(self, request: &mut Request) {
        request.service_type = self.service_type.or(request.service_type.take());
        request.id = self.id.or(request.id.take());
        request.settings.scope = self.scope.or(request.settings.scope);
        request.new = self.new;
    }
}

impl NewRange {
    /// Writes it into a request.
    pub(super) fn fill(&self, request: &mut Request) {
        if self.group.is_some() {
            request.range.group.clone_from(&self.group);
        }
    }

    /// The same as words, for another styxy.
    pub(super) fn words(&self) -> Vec<String> {
        let group = self.group.iter().map(|group| format!("--group={group}"));
        group.chain(self.yes.then(|| "--yes".to_owned())).collect()
    }

    /// What it says of the configuration.
    pub(super) fn assignments(&self) -> Vec<Assignment> {
        let confirmed = self.yes.then(|| Assignment {
            flag: "--yes".to_owned(),
            key: "auto_allocation.require_confirmation".to_owned(),
            value: "false".to_owned(),
        });
        confirmed.into_iter().collect()
    }
}

impl PortWishes {
    /// Writes it into a request.
    pub(super) fn fill(self, request: &mut Request) {
        if self.port.is_some() || !self.prefer.is_empty() {
            request.wish.exact = self.port;
            request.wish.prefer = self.prefer;
        }
        if let Some(PortNames(names)) = self.ports {
            request.wish.names = names;
        }
    }
}

/// Names with commas between them.
fn port_names(text: &str) -> Result<PortNames, String> {
    let names: Vec<String> = text.split(',').map(str::to_owned).collect();
    check_port_names(&names).map_err(|error| error.to_string())?;
    Ok(PortNames(names))
}

/// A duration.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| explained(&error))
}

/// A value with a spelling of its own, the same in configuration files.
pub(super) fn value<T: FromStr<Err = ValueError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| explained(&error))
}

/// One of these words.
pub(super) fn words<T>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = ValueError> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// Clap prints one line of an error, and has no place for a hint.
fn explained(error: &ValueError) -> String {
    match error.hint_text() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn words_of(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn one_command_alone_parses_as_in_the_whole_tree() {
        for line in [
            "styxy run -t ai -i rag -- python rag.py --port 1",
            "styxy ps --json",
            "styxy gc -q",
            "styxy allocate --service-type ai --instance-id rag",
        ] {
            let quick = parse(&words_of(line)).unwrap_or_else(|error| panic!("{line}: {error}"));
            let matches = definition().try_get_matches_from(words_of(line)).unwrap();
            let whole = parsed(matches);
            assert_eq!(quick.matches, whole.matches, "{line}");
            assert_eq!(quick.session, whole.session, "{line}");
            assert_eq!(quick.command.name, whole.command.name, "{line}");
        }
    }

    #[test]
    fn flags_of_all_commands_may_stand_before_and_behind_the_command() {
        for line in [
            "styxy --json list",
            "styxy list --json",
            "styxy config --json path",
            "styxy config path --json",
        ] {
            let session =
                parse(&words_of(line)).unwrap_or_else(|error| panic!("{line}: {error}")).session;
            assert_eq!(session, Session { json: true, quiet: false, verbose: false }, "{line}");
        }
    }

    #[test]
    fn what_is_behind_the_two_dashes_asks_styxy_for_nothing() {
        assert!(ask_for_json(&words_of("styxy run --prot 1 --json -- true")));
        assert!(!ask_for_json(&words_of("styxy run --prot 1 -- list --json")));
    }

    #[test]
    fn no_name_is_a_command_twice() {
        let names: Vec<&str> = COMMANDS
            .iter()
            .flat_map(|command| command.aliases.iter().chain([&command.name]).copied())
            .collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn names_of_ports_become_variables() {
        let names =
            |list: &[&str]| Ok(PortNames(list.iter().map(|name| (*name).to_owned()).collect()));
        for (text, expected) in [
            ("http", names(&["http"])),
            ("http,grpc", names(&["http", "grpc"])),
            ("http,HTTP", Err("the name `HTTP` is given twice".to_owned())),
            ("a-b,a_b", Err("the name `a_b` is given twice".to_owned())),
            ("a,", Err("`` is no name for a port: use letters, digits, _ and -".to_owned())),
            ("a b", Err("`a b` is no name for a port: use letters, digits, _ and -".to_owned())),
        ] {
            assert_eq!(port_names(text), expected, "{text}");
        }
    }
}

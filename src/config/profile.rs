//! Built-in service types, and the tools by which their commands are recognised.
//!
//! Pure. The tables are made by `build.rs` from `profiles/*.toml`, which is where to add a tool; how a
//! command line is matched against them is `decision::recognise`'s business.

use super::service_type::{Behavior, ReadyCheck, ServiceSettings, SingleScope, StopSignal};
use crate::ports::{Port, Range};
use std::time::Duration;

/// The type of a command that no profile knows.
pub const DEFAULT_TYPE: &str = "dev";

/// A built-in service type.
#[derive(Debug)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// Its ports.
    pub range: Range,
    /// One instance, or many.
    pub behavior: Behavior,
    /// What a single instance is single in.
    pub single_scope: SingleScope,
    /// One line for people.
    pub description: &'static str,
    /// What it belongs to (`monitoring`, `database`), for placement and in rules.
    pub category: &'static str,
    /// Ports of the range that are tried first.
    pub preferred_ports: &'static [u16],
    /// The servers that belong to it.
    pub tools: &'static [Tool],
    settings: BuiltInSettings,
}

/// A server program: how it is recognised, and how it gets its port.
#[derive(Debug)]
pub struct Tool {
    /// What people call it; also the id of an instance of a `single` type.
    pub name: &'static str,
    /// The profile it belongs to, and the default type of its commands.
    pub service_type: &'static str,
    /// How its command lines begin: the program, and subcommands if it needs them.
    pub commands: &'static [&'static [&'static str]],
    /// Subcommands that start no server.
    pub except: &'static [&'static str],
    /// How it gets its port.
    pub port: PortFrom,
    /// Flags whose value is the next word.
    pub value_flags: &'static [&'static str],
    /// The port it has when nobody says anything; `smart` placement goes near it.
    pub conventional_port: Option<Port>,
    /// It can't bind over a reservation: it is started without one.
    pub no_reserve: bool,
    settings: BuiltInSettings,
}

/// How a tool gets its port.
#[derive(Debug)]
pub enum PortFrom {
    /// From `PORT`, or from a variable among its settings.
    Environment,
    /// From a file of its own, into which styxy does not write.
    OwnFile,
    /// From a flag.
    Flag {
        /// What is added to the command line, with `{port}`.
        words: &'static [&'static str],
        /// Flags by which a user may have given the port already.
        given: &'static [&'static str],
        /// Where it is added.
        place: Place,
    },
    /// From an argument without a flag, of which it takes only one.
    Position {
        /// What is added to the command line, with `{port}`.
        words: &'static [&'static str],
        /// Where it is added.
        place: Place,
    },
}

/// Where arguments are added to a tool's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before all others.
    First,
    /// After all others, but before a `--`.
    Last,
}

/// The settings that profiles and tools may have. Liveness and restarts are the user's to ask for.
#[derive(Debug)]
struct BuiltInSettings {
    env: &'static [(&'static str, &'static str)],
    ready_path: Option<&'static str>,
    ready_timeout: Option<Duration>,
    probe_timeout: Option<Duration>,
    stop_signal: Option<StopSignal>,
    stop_timeout: Option<Duration>,
}

include!(concat!(env!("OUT_DIR"), "/profiles.rs"));

/// What a profile says of one of its tools, for tests.
#[cfg(test)]
pub(crate) struct Example {
    pub(crate) tool: &'static str,
    pub(crate) command: &'static str,
    pub(crate) injected: &'static str,
}

/// All profiles, lowest range first.
pub fn profiles() -> &'static [Profile] {
    PROFILES
}

/// The profile of that name.
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

/// All tools of all profiles.
pub fn tools() -> impl Iterator<Item = &'static Tool> {
    PROFILES.iter().flat_map(|profile| profile.tools)
}

/// The tool of that name: an auto-allocated type `grafana` is placed by what is known of Grafana.
pub fn tool(name: &str) -> Option<&'static Tool> {
    tools().find(|tool| tool.name == name)
}

impl Profile {
    /// How an instance of the type is supervised, as far as the profile says it.
    pub fn settings(&self) -> ServiceSettings {
        self.settings.to_settings()
    }
}

impl Tool {
    /// How an instance of the tool is supervised, as far as its profile says it.
    pub fn settings(&self) -> ServiceSettings {
        self.settings.to_settings()
    }

    /// The profile it belongs to.
    pub fn profile(&self) -> &'static Profile {
        profile(self.service_type).expect("a tool stands in a profile")
    }
}

impl BuiltInSettings {
    fn to_settings(&self) -> ServiceSettings {
        let variable = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ServiceSettings {
            env: self.env.iter().map(variable).collect(),
            ready: self.ready_path.map(|path| ReadyCheck::Http(path.to_owned())),
            ready_timeout: self.ready_timeout,
            probe_timeout: self.probe_timeout,
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            ..ServiceSettings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{InstanceId, TypeName};
    use crate::ports::RangeMap;

    #[test]
    fn the_built_in_types_have_the_ports_that_the_contract_gives_them() {
        let ranges: Vec<String> = profiles()
            .iter()
            .map(|profile| format!("{} {}", profile.name, profile.range))
            .collect();
        assert_eq!(
            ranges,
            [
                "dev 3000-3099",
                "monitoring 3100-3199",
                "ui 4000-4099",
                "docs 4100-4199",
                "hub 4400-4499",
                "functions 5000-5099",
                "database 5430-5499",
                "storybook 6006-6029",
                "infrastructure 6370-6399",
                "api 8000-8099",
                "proxy 8100-8199",
                "build 8200-8299",
                "messaging 9050-9098",
                "auth 9099-9199",
                "test 9200-9299",
                "coordination 9870-9899",
                "ai 11400-11499",
            ]
        );
    }

    #[test]
    fn no_two_profiles_share_a_port() {
        for (at, profile) in profiles().iter().enumerate() {
            let others = RangeMap::new(profiles()[at + 1..].iter().map(|other| other.range));
            assert!(!others.overlaps(profile.range), "{}", profile.name);
        }
    }

    #[test]
    fn only_ai_is_single() {
        let single = |profile: &&Profile| profile.behavior == Behavior::Single;
        let names: Vec<_> = profiles().iter().filter(single).map(|profile| profile.name).collect();
        assert_eq!(names, ["ai"]);
    }

    #[test]
    fn ai_says_nothing_of_ports_or_supervision_beyond_its_range() {
        let ai = profile("ai").unwrap();
        assert!(ai.preferred_ports.is_empty());
        assert_eq!(ai.settings(), ServiceSettings::default());
    }

    #[test]
    fn names_of_profiles_and_tools_are_names_of_types_and_instances() {
        for profile in profiles() {
            assert!(profile.name.parse::<TypeName>().is_ok(), "{}", profile.name);
        }
        for tool in tools() {
            assert!(tool.name.parse::<InstanceId>().is_ok(), "{}", tool.name);
            assert!(std::ptr::eq(super::tool(tool.name).unwrap(), tool), "{}", tool.name);
            assert_eq!(tool.profile().name, tool.service_type);
        }
    }

    #[test]
    fn the_default_type_is_built_in() {
        assert!(profile(DEFAULT_TYPE).is_some());
    }

    #[test]
    fn a_tool_s_settings_are_what_its_profile_says() {
        let ollama = tool("ollama").unwrap().settings();
        assert_eq!(ollama.env["OLLAMA_HOST"], "127.0.0.1:{port}");
        assert_eq!(ollama.ready, Some(ReadyCheck::Http("/".to_owned())));
        let vllm = tool("vllm").unwrap().settings();
        assert_eq!(vllm.ready_timeout, Some(Duration::from_secs(600)));
        assert_eq!(tool("postgres").unwrap().settings().stop_signal, Some(StopSignal::INT));
        assert_eq!(tool("nginx").unwrap().settings(), ServiceSettings::default());
    }

    #[test]
    fn an_example_differs_from_what_becomes_of_it_where_the_tool_takes_arguments() {
        assert_eq!(EXAMPLES.len(), tools().count());
        for example in EXAMPLES {
            let by_argument = match tool(example.tool).unwrap().port {
                PortFrom::Environment | PortFrom::OwnFile => false,
                PortFrom::Flag { .. } | PortFrom::Position { .. } => true,
            };
            assert_eq!(example.command != example.injected, by_argument, "{}", example.tool);
        }
    }

    #[test]
    fn what_the_servers_are_known_for_is_in_the_tables() {
        for (name, service_type, port) in [
            ("vite", "dev", 5173),
            ("grafana", "monitoring", 3000),
            ("postgres", "database", 5432),
            ("redis", "infrastructure", 6379),
            ("uvicorn", "api", 8000),
        ] {
            let tool = tool(name).unwrap();
            assert_eq!(tool.service_type, service_type, "{name}");
            assert_eq!(tool.conventional_port, Some(Port::known(port)), "{name}");
        }
    }
}

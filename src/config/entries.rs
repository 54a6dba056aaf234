//! The whole configuration as a list of keys, values and origins, for `styxy config show` and `get`.
//!
//! Pure. The list is made only when it is asked for.

use super::{
    error::ConfigError,
    key_path::{from_dotted, join},
    layer::Origin,
    profile::profiles,
    schema::{Keys, ROOT, Shape, keys},
    service_type::Behavior,
    stack::{Config, ConfiguredRange},
};
use toml::Value as Shown;

/// One value that holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its key in full: `service_types.ai.range`.
    pub key: String,
    /// Its value; displayed, it is TOML.
    pub value: toml::Value,
    /// Where it comes from.
    pub origin: Origin,
}

impl Config {
    /// Every value that holds, by the order of the schema and then by name.
    pub fn entries(&self) -> Vec<Entry> {
        let mut list = List { config: self.completed(), entries: Vec::new() };
        list.table(ROOT, &mut Vec::new());
        list.entries
    }

    /// The values at or below a key (`auto-allocation.minPort`, `service_types.ai`), if there are any.
    pub fn get(&self, key: &str) -> Result<Vec<Entry>, ConfigError> {
        let key = join(&from_dotted(key, &Origin::Flag("KEY".into()))?);
        let below = format!("{key}.");
        let mut entries = self.entries();
        entries.retain(|entry| entry.key == key || entry.key.starts_with(&below));
        Ok(entries)
    }

    /// This configuration with what the profiles know written into it.
    fn completed(&self) -> Self {
        let mut config = self.clone();
        for known in self.service_types() {
            let origin = self.type_origin(known.name.as_str());
            let entry = config.types.entry(known.name.clone()).or_default();
            let given = entry.range.as_ref().map_or(origin, |range| range.origin.clone());
            entry.range = known.range.map(|range| ConfiguredRange { range, origin: given });
            entry.preferred_ports =
                (!known.preferred_ports.is_empty()).then_some(known.preferred_ports);
            entry.behavior = Some(known.behavior);
            if known.behavior == Behavior::Single {
                entry.single_scope = Some(known.single_scope);
            }
            entry.description = (!known.description.is_empty()).then_some(known.description);
            entry.category = known.category;
            entry.settings = known.configured.or(&known.profile);
        }
        config
    }

    /// Where what nobody configured of a type comes from.
    fn type_origin(&self, name: &str) -> Origin {
        let profile = profiles().iter().find(|profile| profile.name == name);
        profile.map_or(Origin::Default, |profile| Origin::Profile(profile.name))
    }

    /// Where the value of a key comes from.
    fn origin(&self, at: &[String]) -> Origin {
        match (self.origins.get(&join(at)), at) {
            (Some(origin), _) => origin.clone(),
            (None, [table, name, ..]) if table == "service_types" => self.type_origin(name),
            (None, _) => Origin::Default,
        }
    }
}

/// The list in the making.
struct List {
    config: Config,
    entries: Vec<Entry>,
}

impl List {
    fn table(&mut self, groups: Keys, at: &mut Vec<String>) {
        for key in keys(groups) {
            at.push(key.name.to_owned());
            self.below(&key.shape, at);
            at.pop();
        }
    }

    fn below(&mut self, shape: &'static Shape, at: &mut Vec<String>) {
        match shape {
            Shape::Table(groups) | Shape::Readiness(groups) => self.table(groups, at),
            Shape::Named(named) => {
                for name in (named.names)(&self.config, at) {
                    at.push(name);
                    self.below(&named.each, at);
                    at.pop();
                }
            }
            Shape::Value(place) => {
                let value = place(&mut self.config, at).and_then(|slot| slot.shown());
                self.add(at, value);
            }
            Shape::Variables => {
                let env = self.config.supervision_at(at).map(|settings| settings.env.clone());
                for (name, value) in env.unwrap_or_default() {
                    at.push(name);
                    self.add(at, Some(Shown::String(value)));
                    at.pop();
                }
            }
            Shape::ReadyWay => {
                let check =
                    self.config.supervision_at(at).and_then(|settings| settings.ready.clone());
                let check = check.filter(|check| at.last().is_some_and(|way| way == check.way()));
                let value = check.map(|check| match check.detail() {
                    Some(detail) => Shown::String(detail.to_owned()),
                    None => Shown::Boolean(true),
                });
                self.add(at, value);
            }
        }
    }

    /// Adds a value, unless there is none, or nothing in it that anybody said.
    fn add(&mut self, at: &[String], value: Option<Shown>) {
        let origin = self.config.origin(at);
        let says_nothing = |value: &Shown| {
            origin == Origin::Default && value.as_array().is_some_and(Vec::is_empty)
        };
        if let Some(value) = value.filter(|value| !says_nothing(value)) {
            self.entries.push(Entry { key: join(at), value, origin });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layer, reader::read_file};

    const TEXT: &str = r#"
[service_types.ai]
env = { OLLAMA_HOST = "127.0.0.1:{port}" }
readiness = { http = "/health", timeout = "10m" }

[service_types."v1.2"]
range = [3000, 3009]
stop_timeout = 90

[auto_allocation]
minPort = 20000

[auto_allocation_rules."monitoring-*"]
chunk_size = 20

[placement_strategies.by-team.front]
max_port = 3999

[services.web]
command = ["vite", "--open"]
"#;

    fn config(text: &str) -> Config {
        let mut config = Config::default();
        read_file(&mut config, Layer::User, "config.toml", text).unwrap();
        config
    }

    fn shown(config: &Config, key: &str) -> Vec<String> {
        let entries = config.get(key).unwrap();
        entries
            .iter()
            .map(|Entry { key, value, origin }| format!("{key} = {value}  # {origin}"))
            .collect()
    }

    #[test]
    fn a_key_is_shown_with_its_value_and_where_that_comes_from() {
        let config = config(TEXT);
        for (key, expected) in [
            (
                "auto-allocation.minPortNumber",
                vec!["auto_allocation.min_port = 20000  # config.toml:11"],
            ),
            ("auto_allocation.gap_size", vec!["auto_allocation.gap_size = 10  # default"]),
            (
                "service_types.dev.range",
                vec!["service_types.dev.range = [3010, 3099]  # profile dev"],
            ),
            (
                "service_types.ai.env",
                vec!["service_types.ai.env.OLLAMA_HOST = \"127.0.0.1:{port}\"  # config.toml:3"],
            ),
            (
                "service_types.ai.readiness",
                vec![
                    "service_types.ai.readiness.http = \"/health\"  # config.toml:4",
                    "service_types.ai.readiness.timeout = \"10m\"  # config.toml:4",
                ],
            ),
            (
                "service_types.'v1.2'",
                vec![
                    "service_types.\"v1.2\".range = [3000, 3009]  # config.toml:7",
                    "service_types.\"v1.2\".instance_behavior = \"multi\"  # default",
                    "service_types.\"v1.2\".stop_timeout = \"1m30s\"  # config.toml:8",
                ],
            ),
            ("services", vec!["services.web.command = [\"vite\", \"--open\"]  # config.toml:20"]),
            (
                "placement_strategies.by-team",
                vec!["placement_strategies.by-team.front.max_port = 3999  # config.toml:17"],
            ),
            ("service_types.nobody", vec![]),
        ] {
            assert_eq!(shown(&config, key), expected, "{key}");
        }
        assert!(config.get("auto_allocation.nothing").is_err());
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_configuration() {
        let config = config(TEXT);
        let entries = config.entries();
        let text: String =
            entries.iter().map(|entry| format!("{} = {}\n", entry.key, entry.value)).collect();
        let again = self::config(&text);
        let pairs = |entries: Vec<Entry>| -> Vec<(String, Shown)> {
            entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
        };
        assert_eq!(pairs(again.entries()), pairs(entries));
        // Now someone gave every one of them.
        assert!(again.entries().iter().all(|entry| matches!(entry.origin, Origin::File { .. })));
    }
}

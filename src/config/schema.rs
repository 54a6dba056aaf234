//! Every key that configuration has, as one table: its names, what stands below it, and where its value goes.
//!
//! Pure. Reading, showing, suggesting and resolving keys all walk this table; none of them knows a key.

use super::{
    auto_allocation::{AutoRule, patterns},
    name::{TypeName, check_name},
    nearest::squashed,
    project::Service,
    service_type::ServiceSettings,
    stack::{Config, TypeSettings},
    value::{Slot, ValueError},
};

/// One key of a table.
pub(super) struct Key {
    /// Its name, in snake_case.
    pub(super) name: &'static str,
    /// What else it was once called.
    also: &'static [&'static str],
    /// What stands below it.
    pub(super) shape: Shape,
}

/// The keys of a table, in groups that tables may share.
pub(super) type Keys = &'static [&'static [Key]];

/// What may stand below a key.
pub(super) enum Shape {
    /// A value, and where it goes.
    Value(Place),
    /// A table with these keys.
    Table(Keys),
    /// A table of things that the user names.
    Named(&'static Named),
    /// Variables of a child by name.
    Variables,
    /// How it is told that an instance is ready: a word as in `--ready`, or a table.
    Readiness(Keys),
    /// One way to tell it, in that table.
    ReadyWay,
}

/// The place of a value, given its key with all tables; none when what the user names is not there.
pub(super) type Place = for<'a> fn(&'a mut Config, &[String]) -> Option<&'a mut dyn Slot>;

/// Things that the user names.
pub(super) struct Named {
    /// Makes room for the one that the key ends with, unless it cannot be called so.
    pub(super) enter: fn(&mut Config, &[String]) -> Result<(), ValueError>,
    /// The names that are there, below the key.
    pub(super) names: fn(&Config, &[String]) -> Vec<String>,
    /// What each of them has.
    pub(super) each: Shape,
}

impl Key {
    /// Whether someone who wrote this meant the key: dashes, underscores and capitals don't matter.
    fn is_called(&self, squashed_name: &str) -> bool {
        std::iter::once(&self.name).chain(self.also).any(|name| squashed(name) == squashed_name)
    }
}

/// The key that is meant by a name.
pub(super) fn find(groups: Keys, name: &str) -> Option<&'static Key> {
    let exact = keys(groups).find(|key| key.name == name);
    exact.or_else(|| {
        let squashed_name = squashed(name);
        keys(groups).find(|key| key.is_called(&squashed_name))
    })
}

/// All keys of a table.
pub(super) fn keys(groups: Keys) -> impl Iterator<Item = &'static Key> {
    groups.iter().copied().flatten()
}

/// The top.
pub(super) const ROOT: Keys = &[&[
    key("service_types", Shape::Named(&SERVICE_TYPES)),
    key("auto_allocation", Shape::Table(&[AUTO_ALLOCATION])),
    also(&["auto_allocation_rule"], key("auto_allocation_rules", Shape::Named(&RULES))),
    also(&["placement_strategy"], key("placement_strategies", Shape::Named(&STRATEGIES))),
    key("services", Shape::Named(&SERVICES)),
    key("document", Shape::Table(&[DOCUMENT])),
    key("logs", Shape::Table(&[LOGS])),
    key("audit", Shape::Table(&[AUDIT])),
    key("serve", Shape::Table(&[SERVE])),
]];

const SERVICE_TYPES: Named = Named {
    enter: |config, at| {
        config.types.entry(last(at).parse()?).or_default();
        Ok(())
    },
    names: |config, _| config.types.keys().map(TypeName::to_string).collect(),
    each: Shape::Table(&[SERVICE_TYPE, SUPERVISION]),
};

const SERVICE_TYPE: &[Key] = &[
    also(&["port_range"], value("range", |config, at| Some(&mut config.type_at(at)?.range))),
    also(
        &["prefer"],
        value("preferred_ports", |config, at| Some(&mut config.type_at(at)?.preferred_ports)),
    ),
    value("instance_behavior", |config, at| Some(&mut config.type_at(at)?.behavior)),
    value("single_scope", |config, at| Some(&mut config.type_at(at)?.single_scope)),
    value("description", |config, at| Some(&mut config.type_at(at)?.description)),
    value("category", |config, at| Some(&mut config.type_at(at)?.category)),
];

/// What types and services have in common.
const SUPERVISION: &[Key] = &[
    key("env", Shape::Variables),
    also(&["ready"], key("readiness", Shape::Readiness(&[READINESS]))),
    also(&["health"], key("liveness", Shape::Table(&[LIVENESS]))),
    value("restart", |config, at| Some(&mut config.supervision_at(at)?.restart)),
    value("stop_signal", |config, at| Some(&mut config.supervision_at(at)?.stop_signal)),
    value("stop_timeout", |config, at| Some(&mut config.supervision_at(at)?.stop_timeout)),
    value("scope", |config, at| Some(&mut config.supervision_at(at)?.scope)),
    value("reserve", |config, at| Some(&mut config.supervision_at(at)?.reserve)),
    value("listen_fd", |config, at| Some(&mut config.supervision_at(at)?.listen_fd)),
    value("container_port", |config, at| Some(&mut config.supervision_at(at)?.container_port)),
];

const READINESS: &[Key] = &[
    key("http", Shape::ReadyWay),
    key("tcp", Shape::ReadyWay),
    key("exec", Shape::ReadyWay),
    key("log", Shape::ReadyWay),
    key("notify", Shape::ReadyWay),
    key("none", Shape::ReadyWay),
    value("timeout", |config, at| Some(&mut config.supervision_at(at)?.ready_timeout)),
    value("probe_timeout", |config, at| Some(&mut config.supervision_at(at)?.probe_timeout)),
];

const LIVENESS: &[Key] = &[
    value("interval", |config, at| Some(&mut config.supervision_at(at)?.liveness.interval)),
    value("timeout", |config, at| Some(&mut config.supervision_at(at)?.liveness.timeout)),
    value("retries", |config, at| Some(&mut config.supervision_at(at)?.liveness.retries)),
    value("start_period", |config, at| Some(&mut config.supervision_at(at)?.liveness.start_period)),
];

const AUTO_ALLOCATION: &[Key] = &[
    value("enabled", |config, _| Some(&mut config.auto_allocation.enabled)),
    value("default_chunk_size", |config, _| Some(&mut config.auto_allocation.default_chunk_size)),
    value("placement", |config, _| Some(&mut config.auto_allocation.placement)),
    also(
        &["min_port_number"],
        value("min_port", |config, _| Some(&mut config.auto_allocation.min_port)),
    ),
    also(
        &["max_port_number"],
        value("max_port", |config, _| Some(&mut config.auto_allocation.max_port)),
    ),
    value("preserve_gaps", |config, _| Some(&mut config.auto_allocation.preserve_gaps)),
    value("gap_size", |config, _| Some(&mut config.auto_allocation.gap_size)),
    value("avoid_ephemeral", |config, _| Some(&mut config.auto_allocation.avoid_ephemeral)),
    value("require_confirmation", |config, _| {
        Some(&mut config.auto_allocation.require_confirmation)
    }),
    value("retire_after", |config, _| Some(&mut config.auto_allocation.retire_after)),
    value("consolidate_on_release", |config, _| {
        Some(&mut config.auto_allocation.consolidate_on_release)
    }),
];

const RULES: Named = Named {
    enter: |config, at| {
        let pattern = last(at);
        patterns(pattern)?;
        config.rules.entry(pattern.to_owned()).or_insert_with(|| AutoRule::new(pattern));
        Ok(())
    },
    names: |config, _| config.rules.keys().cloned().collect(),
    each: Shape::Table(&[&[
        value("chunk_size", |config, at| Some(&mut config.rules.get_mut(at.get(1)?)?.chunk_size)),
        value("placement", |config, at| Some(&mut config.rules.get_mut(at.get(1)?)?.placement)),
        also(
            &["preferred_range"],
            value("preferred_range_start", |config, at| {
                Some(&mut config.rules.get_mut(at.get(1)?)?.preferred_range_start)
            }),
        ),
    ]]),
};

const STRATEGIES: Named = Named {
    enter: |config, at| {
        check_name(last(at), "placement strategy")?;
        config.strategies.entry(last(at).to_owned()).or_default();
        Ok(())
    },
    names: |config, _| config.strategies.keys().cloned().collect(),
    each: Shape::Named(&Named {
        enter: |config, at| {
            check_name(last(at), "group")?;
            let strategy = at.get(1).and_then(|name| config.strategies.get_mut(name));
            strategy.map(|groups| groups.entry(last(at).to_owned()).or_default());
            Ok(())
        },
        names: |config, at| {
            let strategy = at.get(1).and_then(|name| config.strategies.get(name));
            strategy.map(|groups| groups.keys().cloned().collect()).unwrap_or_default()
        },
        each: Shape::Table(&[&[
            also(
                &["min_port_number"],
                value("min_port", |config, at| {
                    Some(&mut config.strategies.get_mut(at.get(1)?)?.get_mut(at.get(2)?)?.min_port)
                }),
            ),
            also(
                &["max_port_number"],
                value("max_port", |config, at| {
                    Some(&mut config.strategies.get_mut(at.get(1)?)?.get_mut(at.get(2)?)?.max_port)
                }),
            ),
        ]]),
    }),
};

const SERVICES: Named = Named {
    enter: |config, at| {
        let name: crate::config::InstanceId = last(at).parse()?;
        config.services.entry(name.clone()).or_insert_with(|| Service::new(name));
        Ok(())
    },
    names: |config, _| config.services.keys().map(ToString::to_string).collect(),
    each: Shape::Table(&[SERVICE, SUPERVISION]),
};

const SERVICE: &[Key] = &[
    also(
        &["service_type"],
        value("type", |config, at| Some(&mut config.service_at(at)?.service_type)),
    ),
    also(&["instance_id"], value("id", |config, at| Some(&mut config.service_at(at)?.id))),
    value("command", |config, at| Some(&mut config.service_at(at)?.command)),
    value("cwd", |config, at| Some(&mut config.service_at(at)?.cwd)),
    value("description", |config, at| Some(&mut config.service_at(at)?.description)),
    value("after", |config, at| Some(&mut config.service_at(at)?.after)),
    value("port", |config, at| Some(&mut config.service_at(at)?.port)),
    also(
        &["prefer"],
        value("preferred_ports", |config, at| Some(&mut config.service_at(at)?.preferred_ports)),
    ),
    value("ports", |config, at| Some(&mut config.service_at(at)?.ports)),
    also(&["claims"], value("claim", |config, at| Some(&mut config.service_at(at)?.claims))),
    value("group", |config, at| Some(&mut config.service_at(at)?.group)),
    value("if_running", |config, at| Some(&mut config.service_at(at)?.if_running)),
    value("raw", |config, at| Some(&mut config.service_at(at)?.raw)),
    value("stdin", |config, at| Some(&mut config.service_at(at)?.stdin)),
];

const DOCUMENT: &[Key] = &[value("path", |config, _| Some(&mut config.document.path))];

const LOGS: &[Key] = &[
    value("size", |config, _| Some(&mut config.logs.size)),
    value("keep", |config, _| Some(&mut config.logs.keep)),
];

const AUDIT: &[Key] = &[
    value("size", |config, _| Some(&mut config.audit.size)),
    value("keep", |config, _| Some(&mut config.audit.keep)),
];

const SERVE: &[Key] = &[value("listen", |config, _| Some(&mut config.serve.listen))];

const fn key(name: &'static str, shape: Shape) -> Key {
    Key { name, also: &[], shape }
}

const fn value(name: &'static str, place: Place) -> Key {
    key(name, Shape::Value(place))
}

/// The key, which is also called by these names.
const fn also(names: &'static [&'static str], key: Key) -> Key {
    Key { also: names, ..key }
}

/// The last name of a key.
fn last(at: &[String]) -> &str {
    at.last().map(String::as_str).unwrap_or_default()
}

impl Config {
    /// The service type that a key is about.
    fn type_at(&mut self, at: &[String]) -> Option<&mut TypeSettings> {
        self.types.get_mut(at.get(1)?.as_str())
    }

    /// The service that a key is about.
    fn service_at(&mut self, at: &[String]) -> Option<&mut Service> {
        self.services.get_mut(at.get(1)?.as_str())
    }

    /// The supervision of the type or service that a key is about.
    pub(super) fn supervision_at(&mut self, at: &[String]) -> Option<&mut ServiceSettings> {
        if at.first().is_some_and(|table| table == "services") {
            self.service_at(at).map(|service| &mut service.settings)
        } else {
            self.type_at(at).map(|configured| &mut configured.settings)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn check_tables(groups: Keys) {
        let mut names = BTreeSet::new();
        for key in keys(groups) {
            for name in std::iter::once(&key.name).chain(key.also) {
                assert!(names.insert(squashed(name)), "{name} is there twice");
            }
            check_shape(&key.shape);
        }
    }

    fn check_shape(shape: &'static Shape) {
        match shape {
            Shape::Table(groups) | Shape::Readiness(groups) => check_tables(groups),
            Shape::Named(named) => check_shape(&named.each),
            Shape::Value(_) | Shape::Variables | Shape::ReadyWay => {}
        }
    }

    /// The names of all keys of a table and below it.
    fn names(groups: Keys) -> Vec<&'static str> {
        fn below(shape: &'static Shape) -> Vec<&'static str> {
            match shape {
                Shape::Table(groups) | Shape::Readiness(groups) => names(groups),
                Shape::Named(named) => below(&named.each),
                Shape::Value(_) | Shape::Variables | Shape::ReadyWay => Vec::new(),
            }
        }
        keys(groups).flat_map(|key| std::iter::once(key.name).chain(below(&key.shape))).collect()
    }

    #[test]
    fn every_key_is_in_the_manual() {
        let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/man/styxy.toml.5");
        let manual = std::fs::read_to_string(manual).unwrap();
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words: BTreeSet<&str> = manual.split(|c| !is_of_a_name(c)).collect();
        for name in names(ROOT) {
            assert!(words.contains(name), "styxy.toml(5) does not tell of {name}");
        }
    }

    #[test]
    fn no_table_has_two_keys_of_one_name() {
        check_tables(ROOT);
    }

    #[test]
    fn every_way_to_be_ready_is_a_key() {
        let ways = READINESS.iter().filter(|key| matches!(key.shape, Shape::ReadyWay));
        let ways: BTreeSet<&str> = ways.map(|key| key.name).collect();
        assert_eq!(ways, BTreeSet::from(crate::config::spelling::READY_WAYS));
    }

    #[test]
    fn the_seeds_spellings_are_the_same_keys() {
        let Some(Key { shape: Shape::Table(auto), .. }) = find(ROOT, "autoAllocation") else {
            panic!("auto_allocation is a table");
        };
        for (spelling, expected) in [
            ("minPortNumber", Some("min_port")),
            ("maxPort", Some("max_port")),
            ("defaultChunkSize", Some("default_chunk_size")),
            ("require-confirmation", Some("require_confirmation")),
            ("minimum", None),
        ] {
            assert_eq!(find(auto, spelling).map(|key| key.name), expected, "{spelling}");
        }
        assert_eq!(find(ROOT, "serviceTypes").map(|key| key.name), Some("service_types"));
        assert!(find(&[SERVICE_TYPE], "portRange").is_some_and(|key| key.name == "range"));
    }
}

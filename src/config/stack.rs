//! All layers as one configuration: what holds for a type, an unknown type, a service, and for styxy itself.
//!
//! Pure. It is filled by `reader`, layer after layer; the built-in types are looked up when they are asked for.

use super::{
    auto_allocation::{AutoAllocation, AutoRule, Placement, Strategy, most_specific},
    layer::{Layer, Origin},
    name::{InstanceId, TypeName},
    profile::{Profile, profiles},
    project::Service,
    quantity::Size,
    service_type::{Behavior, ServiceSettings, ServiceType, SingleScope, TypeOrigin},
    value::{Given, Value, ValueError},
};
use crate::ports::{Port, Range, RangeMap};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// Everything that profiles, files, variables and flags say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    pub(super) types: BTreeMap<TypeName, TypeSettings>,
    pub(super) auto_allocation: AutoAllocation,
    pub(super) rules: BTreeMap<String, AutoRule>,
    pub(super) strategies: BTreeMap<String, Strategy>,
    pub(super) services: BTreeMap<InstanceId, Service>,
    pub(super) document: Document,
    pub(super) logs: Rotation,
    pub(super) audit: Rotation,
    pub(super) serve: Serve,
    /// Where each value that someone gave comes from, by its key.
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) project: Option<PathBuf>,
    /// What only the system and the user say, where that is not the same.
    pub(super) machine: Option<Box<Self>>,
}

/// What is configured of one service type.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct TypeSettings {
    pub(super) range: Option<ConfiguredRange>,
    pub(super) preferred_ports: Option<Vec<Port>>,
    pub(super) behavior: Option<Behavior>,
    pub(super) single_scope: Option<SingleScope>,
    pub(super) description: Option<String>,
    pub(super) category: Option<String>,
    pub(super) settings: ServiceSettings,
}

/// A range that remembers who gave it: a higher layer's takes its ports from a lower one's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConfiguredRange {
    pub(super) range: Range,
    pub(super) origin: Origin,
}

impl Value for ConfiguredRange {
    fn read(given: &Given<'_>) -> Result<Self, ValueError> {
        Ok(Self { range: Range::read(given)?, origin: given.origin.clone() })
    }

    fn show(&self) -> toml::Value {
        self.range.show()
    }
}

/// `[document]`: the table of types and ranges for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// As it was written.
    pub path: String,
}

impl Default for Document {
    fn default() -> Self {
        Self { path: "PORT_MANAGEMENT.md".to_owned() }
    }
}

impl Document {
    /// Where it is: a leading `~` is the home directory, anything relative is in the state directory.
    pub fn resolve(&self, state_dir: &Path, home: Option<&Path>) -> PathBuf {
        match (self.path.strip_prefix('~'), home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                home.join(rest.trim_start_matches('/'))
            }
            (Some(_) | None, _) => state_dir.join(&self.path),
        }
    }
}

/// `[logs]` and `[audit]`: when a file is rotated, and what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// A file is rotated when it is larger.
    pub size: Size,
    /// So many rotated files are kept.
    pub keep: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { size: Size::mebibytes(10), keep: 5 }
    }
}

/// `[serve]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serve {
    /// Where it listens.
    pub listen: SocketAddr,
}

impl Default for Serve {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9876)) }
    }
}

impl Config {
    /// What is known of a type, unless neither a profile nor the configuration knows it.
    pub fn service_type(&self, name: &TypeName) -> Option<ServiceType> {
        let profile = profiles().iter().find(|profile| profile.name == name.as_str());
        let configured = self.types.get(name);
        if profile.is_none() && configured.is_none() {
            return None;
        }
        let nothing = TypeSettings::default();
        let given = configured.unwrap_or(&nothing);
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let range = self.range(name, profile);
        Some(ServiceType {
            name: name.clone(),
            range,
            origin: if configured.is_some() { TypeOrigin::Config } else { TypeOrigin::Profile },
            preferred_ports: given.preferred_ports.clone().unwrap_or_else(|| {
                profile.map(|profile| kept(profile.preferred_ports, range)).unwrap_or_default()
            }),
            behavior: given
                .behavior
                .or(profile.map(|profile| profile.behavior))
                .unwrap_or_default(),
            single_scope: given
                .single_scope
                .or(profile.map(|profile| profile.single_scope))
                .unwrap_or_default(),
            description: given
                .description
                .clone()
                .or_else(|| profile.and_then(|profile| text(profile.description)))
                .unwrap_or_default(),
            category: given
                .category
                .clone()
                .or_else(|| profile.and_then(|profile| text(profile.category))),
            configured: given.settings.clone(),
            profile: profile.map(Profile::settings).unwrap_or_default(),
        })
    }

    /// All types that a profile or the configuration knows, by name.
    pub fn service_types(&self) -> Vec<ServiceType> {
        let built_in = profiles().iter().filter_map(|profile| profile.name.parse().ok());
        let names: BTreeSet<TypeName> = self.types.keys().cloned().chain(built_in).collect();
        names.iter().filter_map(|name| self.service_type(name)).collect()
    }

    /// The ranges that somebody configured, whoever else has them too.
    pub fn configured_ranges(&self) -> impl Iterator<Item = Range> {
        let ranges = self.types.values().filter_map(|configured| configured.range.as_ref());
        ranges.map(|configured| configured.range)
    }

    /// How unknown types get their ranges.
    pub fn auto_allocation(&self) -> &AutoAllocation {
        &self.auto_allocation
    }

    /// The most specific rule for a type. A tool of a known category has a second name,
    /// `<category>-<type>`, which a pattern may match as well.
    pub fn rule_for(&self, name: &TypeName, category_name: Option<&str>) -> Option<&AutoRule> {
        most_specific(self.rules.values(), name, category_name)
    }

    /// The placement strategy of that name.
    pub fn strategy(&self, name: &str) -> Option<&Strategy> {
        self.strategies.get(name)
    }

    /// What a placement may be called: the built-in ones, and the strategies.
    pub fn placement_names(&self) -> impl Iterator<Item = &str> {
        Placement::WORDS.into_iter().chain(self.strategies.keys().map(String::as_str))
    }

    /// The services that the configuration names, by name.
    pub fn services(&self) -> &BTreeMap<InstanceId, Service> {
        &self.services
    }

    /// The directory of the project's `styxy.toml`, if one was read.
    pub fn project(&self) -> Option<&Path> {
        self.project.as_deref()
    }

    /// What holds for whoever asks, from wherever: without the project, variables and flags.
    pub fn of_machine(&self) -> &Self {
        self.machine.as_deref().unwrap_or(self)
    }

    /// The table for people.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// How captured output is kept.
    pub fn logs(&self) -> Rotation {
        self.logs
    }

    /// How the audit log is kept.
    pub fn audit(&self) -> Rotation {
        self.audit
    }

    /// Where the API is served.
    pub fn serve(&self) -> Serve {
        self.serve
    }

    /// The type's ports, less those that higher layers gave to other types.
    fn range(&self, name: &TypeName, profile: Option<&Profile>) -> Option<Range> {
        let own = self.types.get(name).and_then(|configured| configured.range.as_ref());
        let (range, layer) = match own {
            Some(configured) => (configured.range, configured.origin.layer()),
            None => (profile?.range, None),
        };
        remainder(range, self.ranges_above(layer, name))
    }

    /// The ranges that layers above this one gave to other types.
    fn ranges_above(&self, layer: Option<Layer>, name: &TypeName) -> impl Iterator<Item = Range> {
        self.types
            .iter()
            .filter(move |(other, _)| *other != name)
            .filter_map(|(_, configured)| configured.range.as_ref())
            .filter(move |configured| configured.origin.layer() > layer)
            .map(|configured| configured.range)
    }
}

/// The longest block that is left of a range, the lowest of several.
fn remainder(range: Range, taken: impl Iterator<Item = Range>) -> Option<Range> {
    let blocks = RangeMap::new(taken).free_blocks(range, 0);
    blocks.into_iter().rev().max_by_key(|block| block.size())
}

/// Of a profile's ports to try first, those that the type still has.
fn kept(preferred: &[u16], range: Option<Range>) -> Vec<Port> {
    let known = preferred.iter().map(|number| Port::known(*number));
    known.filter(|port| range.is_some_and(|range| range.contains(*port))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_file;
    use proptest::prelude::*;

    /// The configuration of these files, lowest layer first.
    fn config(files: &[(Layer, &str)]) -> Config {
        let mut config = Config::default();
        for (layer, text) in files {
            read_file(&mut config, *layer, "styxy.toml", text).unwrap();
        }
        config
    }

    fn range_of(config: &Config, name: &str) -> Option<(u16, u16)> {
        let range = config.service_type(&name.parse().unwrap()).unwrap().range?;
        Some((range.first().number(), range.last().number()))
    }

    #[test]
    fn a_configured_range_takes_its_ports_from_a_built_in_one() {
        for (configured, expected) in [
            ("[3000, 3009]", Some((3010, 3099))),
            ("[3090, 3120]", Some((3000, 3089))),
            ("[2900, 3200]", None),
            ("[3030, 3039]", Some((3040, 3099))),
            ("[3050, 3099]", Some((3000, 3049))),
            ("[7000, 7009]", Some((3000, 3099))),
        ] {
            let text = format!("[service_types.mine]\nrange = {configured}");
            let config = config(&[(Layer::User, &text)]);
            assert_eq!(range_of(&config, "dev"), expected, "{configured}");
        }
    }

    #[test]
    fn a_higher_layers_range_takes_its_ports_from_a_lower_ones() {
        let config = config(&[
            (Layer::User, "[service_types.a]\nrange = [7000, 7099]"),
            (Layer::Project, "[service_types.b]\nrange = [7000, 7009]"),
        ]);
        assert_eq!(range_of(&config, "a"), Some((7010, 7099)));
        assert_eq!(range_of(&config, "b"), Some((7000, 7009)));
    }

    #[test]
    fn configuration_changes_a_built_in_type_value_by_value() {
        let config = config(&[
            (Layer::System, "[service_types.ai]\ndescription = 'a'\ninstance_behavior = 'multi'"),
            (Layer::User, "[service_types.ai]\ndescription = 'b'"),
        ]);
        let ai = config.service_type(&"ai".parse().unwrap()).unwrap();
        assert_eq!((ai.origin, ai.behavior), (TypeOrigin::Config, Behavior::Multi));
        assert_eq!(ai.description, "b");
        assert_eq!(ai.range, Some(Range::known(11_400, 11_499)));
        let dev = config.service_type(&"dev".parse().unwrap()).unwrap();
        assert_eq!((dev.origin, dev.behavior), (TypeOrigin::Profile, Behavior::Multi));
    }

    #[test]
    fn a_type_that_nobody_knows_is_none_and_one_without_a_range_is_known() {
        let config = config(&[(Layer::User, "[service_types.grafana]\nrestart = 'always'")]);
        assert_eq!(config.service_type(&"jaeger".parse().unwrap()), None);
        assert_eq!(range_of(&config, "grafana"), None);
        let names: Vec<String> =
            config.service_types().into_iter().map(|known| known.name.to_string()).collect();
        assert_eq!(names.len(), profiles().len() + 1);
        assert!(names.contains(&"grafana".to_owned()) && names.is_sorted());
    }

    #[test]
    fn a_moved_type_leaves_its_profiles_conventional_ports_behind() {
        for (range, expected) in
            [(Some((5433, 5499)), vec![5433]), (Some((7000, 7099)), vec![]), (None, vec![])]
        {
            let range = range.map(|(first, last)| Range::known(first, last));
            let ports: Vec<u16> =
                kept(&[5432, 5433], range).into_iter().map(Port::number).collect();
            assert_eq!(ports, expected);
        }
    }

    #[test]
    fn the_document_is_in_the_state_directory_unless_its_path_says_otherwise() {
        let (state, home) = (Path::new("/state"), Some(Path::new("/home/u")));
        for (path, expected) in [
            ("PORT_MANAGEMENT.md", "/state/PORT_MANAGEMENT.md"),
            ("~/docs/PORTS.md", "/home/u/docs/PORTS.md"),
            ("/srv/PORTS.md", "/srv/PORTS.md"),
            ("~other/PORTS.md", "/state/~other/PORTS.md"),
        ] {
            let document = Document { path: path.to_owned() };
            assert_eq!(document.resolve(state, home), Path::new(expected));
        }
    }

    proptest! {
        #[test]
        fn what_remains_is_the_longest_block_that_nobody_took(
            first in 1u16..200, more in 0u16..60,
            taken in prop::collection::vec((1u16..200, 0u16..30), 0..6),
        ) {
            let range = Range::known(first, first + more);
            let taken: Vec<Range> =
                taken.into_iter().map(|(first, more)| Range::known(first, first + more)).collect();
            let free = |port: &Port| taken.iter().all(|other| !other.contains(*port));
            match remainder(range, taken.iter().copied()) {
                None => prop_assert!(range.ports().all(|port| !free(&port))),
                Some(left) => {
                    prop_assert!(left.ports().all(|port| free(&port) && range.contains(port)));
                    let mut run = 0;
                    for port in range.ports() {
                        run = if free(&port) { run + 1 } else { 0 };
                        prop_assert!(run <= left.size());
                    }
                }
            }
        }
    }
}

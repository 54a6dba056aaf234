//! How a new range is made: what a person says, the rule that matches the type, `[auto_allocation]`, and what
//! profiles know of the type, laid over each other.
//!
//! Pure. Where the range then goes is `new_range`'s business.

use super::placement::{self, Near, Strategy};
use crate::{
    config::{
        AutoAllocation, AutoRule, Config, Placement, ServiceType, TypeName, group_bounds, tool,
    },
    ports::{Port, Range},
    registry::Registry,
};
use std::num::NonZeroU16;

/// What a person says of a new range, with a flag or when asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeWish {
    /// The group whose bounds count, where the placement is a strategy of the configuration.
    pub group: Option<String>,
    /// How many ports it has.
    pub chunk_size: Option<NonZeroU16>,
    /// Where it goes.
    pub placement: Option<Placement>,
    /// It begins there or above.
    pub start: Option<Port>,
}

/// How a new range is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// How many ports it has.
    pub chunk_size: u16,
    /// Where it may be.
    pub bounds: Range,
    /// How many ports stay free between it and any other type's.
    pub gap: u16,
    /// The kernel's own range of ports for outgoing connections, to keep out of.
    pub avoid: Option<Range>,
    /// The ranges that configuration gives to types.
    pub configured: Vec<Range>,
    /// Whether a type that has ports gets more of them beside its own, where it can.
    pub beside_own: bool,
    /// Where it goes.
    pub way: Way,
    /// What has said so.
    pub source: Source,
}

/// What has said where a new range goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A person, with a flag or when asked.
    Person,
    /// The rule of the configuration with that pattern.
    Pattern(String),
    /// What is known of the tool of that name.
    Tool(&'static str),
    /// What holds for all.
    Default(Placement),
}

impl Source {
    /// It in words, as the audit log has it: each begins with its kind.
    fn words(&self) -> String {
        match self {
            Self::Person => "asked for".to_owned(),
            Self::Pattern(pattern) => format!("rule '{pattern}'"),
            Self::Tool(name) => format!("profile of {name}"),
            Self::Default(placement) => format!("placement '{placement}'"),
        }
    }
}

/// Where a new range goes, with all that is known for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Above the last range.
    After,
    /// Below the first one.
    Before,
    /// As close as can be to what is known of the type.
    Smart(Near),
    /// Within the bounds of a group.
    Bounds {
        /// Whose bounds.
        group: String,
    },
}

impl Way {
    /// Who chooses, and what it had best be near to.
    pub fn strategy(&self) -> (Strategy, &Near) {
        match self {
            Self::After => (placement::after, &Near::Nothing),
            Self::Before => (placement::before, &Near::Nothing),
            Self::Smart(near) => (placement::smart, near),
            Self::Bounds { .. } => (placement::bounds, &Near::Nothing),
        }
    }

    /// The way in words, as a proposal says it.
    pub fn words(&self) -> String {
        match self {
            Self::After => "after existing ranges".to_owned(),
            Self::Before => "before existing ranges".to_owned(),
            Self::Smart(Near::Port(port)) => format!("close to port {port}"),
            Self::Smart(Near::Ranges(_)) => "close to the ranges of its category".to_owned(),
            Self::Smart(Near::Nothing) => "where it fits best".to_owned(),
            Self::Bounds { group } => format!("within the bounds of group '{group}'"),
        }
    }
}

impl Rule {
    /// Where a range lies that was chosen by it, for a type that had these, in words.
    pub fn place(&self, own: &[Range], range: Range) -> String {
        match own.iter().any(|block| block.distance(range) == Some(0)) {
            true => "beside its own ports".to_owned(),
            false => self.way.words(),
        }
    }

    /// By what it was chosen, in words.
    pub fn words(&self, own: &[Range], range: Range) -> String {
        format!("{}, {}", self.source.words(), self.place(own, range))
    }

    /// The rule for a type; `ephemeral` is the kernel's own range of ports.
    pub fn of(
        config: &Config,
        registry: &Registry,
        service_type: &TypeName,
        wish: &RangeWish,
        ephemeral: Option<Range>,
    ) -> Self {
        let auto = config.auto_allocation();
        let known = config.service_types();
        let category = category(&known, service_type);
        let second_name = category.map(|category| format!("{category}-{service_type}"));
        let rule = config.rule_for(service_type, second_name.as_deref());
        let start = wish.start.or(rule.and_then(|rule| rule.preferred_range_start));
        let placement = placement(wish, rule, &auto.placement);
        let group = match placement {
            Placement::Strategy(name) => config
                .strategy(name)
                .and_then(|groups| group_bounds(groups, wish.group.as_deref(), service_type)),
            Placement::After | Placement::Before | Placement::Smart => None,
        };
        let (min, max) =
            group.map_or((None, None), |(_, bounds)| (bounds.min_port, bounds.max_port));
        let bounds = bounds(auto, start, min, max);
        let chunk_size = wish.chunk_size.or(rule.and_then(|rule| rule.chunk_size));
        let way = match (placement, group) {
            (Placement::Before, _) => Way::Before,
            (Placement::Smart, _) => {
                Way::Smart(near(&known, registry, service_type, start, bounds))
            }
            (Placement::Strategy(_), Some((group, _))) => Way::Bounds { group: group.to_owned() },
            (Placement::After, _) | (Placement::Strategy(_), None) => Way::After,
        };
        Self {
            chunk_size: chunk_size.unwrap_or(auto.default_chunk_size).get(),
            bounds,
            gap: auto.gap(),
            avoid: auto.avoid_ephemeral.then_some(ephemeral).flatten(),
            configured: known.iter().filter_map(|known| known.range).collect(),
            beside_own: wish.placement.is_none() && wish.start.is_none(),
            source: source(service_type, wish, rule, &auto.placement, &way),
            way,
        }
    }
}

/// What has said where a new range goes: the first of them that had something to say.
fn source(
    service_type: &TypeName,
    wish: &RangeWish,
    rule: Option<&AutoRule>,
    default: &Placement,
    way: &Way,
) -> Source {
    let of_group = matches!(way, Way::Bounds { group } if wish.group.as_ref() == Some(group));
    let of_range = wish.placement.is_some() || wish.start.is_some() || wish.chunk_size.is_some();
    if of_group || of_range {
        return Source::Person;
    }
    match (rule, way, tool(service_type.as_str())) {
        (Some(rule), _, _) => Source::Pattern(rule.pattern.clone()),
        (None, Way::Smart(Near::Port(_)), Some(tool)) => Source::Tool(tool.name),
        (None, _, _) => Source::Default(default.clone()),
    }
}

/// A start that a person gave without a placement means `smart`, as it does in a rule.
fn placement<'a>(
    wish: &'a RangeWish,
    rule: Option<&'a AutoRule>,
    default: &'a Placement,
) -> &'a Placement {
    match (&wish.placement, wish.start) {
        (Some(placement), _) => placement,
        (None, Some(_)) => &Placement::Smart,
        (None, None) => rule.map_or(default, |rule| rule.placement_or(default)),
    }
}

/// A group's bounds, else a preferred start, stand in place of those that hold for all.
fn bounds(
    auto: &AutoAllocation,
    start: Option<Port>,
    min: Option<Port>,
    max: Option<Port>,
) -> Range {
    let last = max.unwrap_or(auto.max_port);
    let first = min.or(start.filter(|start| *start <= last)).unwrap_or(auto.min_port);
    Range::new(first, last).expect("a configuration whose bounds are inverted is refused")
}

/// What a type belongs to: as it is configured, else as the tool does whose name it has.
fn category<'a>(known: &'a [ServiceType], service_type: &TypeName) -> Option<&'a str> {
    let configured = known.iter().find(|known| known.name == *service_type);
    configured
        .and_then(|known| known.category.as_deref())
        .or_else(|| tool(service_type.as_str()).map(|tool| tool.profile().category))
}

/// What `smart` goes by: a preferred start, else the tool's conventional port where it may be had, else
/// the ranges of the type's category.
fn near(
    known: &[ServiceType],
    registry: &Registry,
    service_type: &TypeName,
    start: Option<Port>,
    bounds: Range,
) -> Near {
    let conventional = tool(service_type.as_str()).and_then(|tool| tool.conventional_port);
    if let Some(port) = start.or(conventional).filter(|port| bounds.contains(*port)) {
        return Near::Port(port);
    }
    let Some(mine) = family(known, service_type) else { return Near::Nothing };
    let configured = known.iter().filter(|other| other.category.as_deref() == Some(mine));
    let automatic = registry
        .ranges
        .iter()
        .filter(|auto| family(known, &auto.service_type) == Some(mine))
        .map(|auto| auto.range);
    let kin: Vec<Range> = configured.filter_map(|other| other.range).chain(automatic).collect();
    if kin.is_empty() { Near::Nothing } else { Near::Ranges(kin) }
}

/// The category whose types a type had best stand beside: its own, else the one that its name begins
/// with, as in `monitoring-disks`.
fn family<'a>(known: &'a [ServiceType], service_type: &TypeName) -> Option<&'a str> {
    let named = |category: &&str| {
        let rest = service_type.as_str().strip_prefix(*category);
        rest.is_some_and(|rest| rest.starts_with('-'))
    };
    category(known, service_type).or_else(|| {
        let categories = known.iter().filter_map(|known| known.category.as_deref());
        categories.filter(named).max_by_key(|category| category.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::read_checked, decision::new_range};
    use proptest::prelude::*;

    fn rule(text: &str, service_type: &str, wish: &RangeWish) -> Rule {
        let config = read_checked(text).unwrap();
        Rule::of(&config, &Registry::default(), &service_type.parse().unwrap(), wish, None)
    }

    fn port(number: u16) -> Port {
        Port::known(number)
    }

    #[test]
    fn without_configuration_it_is_the_contracts_default() {
        let found = rule("", "newservice", &RangeWish::default());
        assert_eq!((found.chunk_size, found.gap), (10, 10));
        assert_eq!((found.bounds, &found.way), (Range::known(10_000, 65_000), &Way::After));
        assert!(found.configured.contains(&Range::known(11_400, 11_499)));
    }

    #[test]
    fn a_rule_is_for_the_types_that_it_matches_by_either_name() {
        let text = "[auto_allocation_rules.'monitoring-*']\nchunk_size = 20\n\
                    preferred_range_start = 9000\n\
                    [auto_allocation_rules.'database-*']\nchunk_size = 5\nplacement = 'before'\n\
                    preferred_range_start = 5400";
        let near = Way::Smart(Near::Port(port(9000)));
        for (service_type, chunk_size, first, way) in [
            ("monitoring-disks", 20, 9000, &near),
            ("grafana", 20, 9000, &near),
            ("postgres", 5, 5400, &Way::Before),
            ("monitorings", 10, 10_000, &Way::After),
            ("other", 10, 10_000, &Way::After),
        ] {
            let found = rule(text, service_type, &RangeWish::default());
            assert_eq!((found.chunk_size, &found.way), (chunk_size, way), "{service_type}");
            assert_eq!(found.bounds, Range::known(first, 65_000), "{service_type}");
        }
    }

    #[test]
    fn a_groups_bounds_count_and_without_a_group_it_is_after() {
        let text = "[auto_allocation]\nplacement = 'by-team'\n\
                    [placement_strategies.by-team.team-frontend]\nmin_port = 3000\nmax_port = 3999\n\
                    [placement_strategies.by-team.shop]\nmin_port = 20000";
        let group = |name: &str| Way::Bounds { group: name.to_owned() };
        for (asked, service_type, bounds, way) in [
            (None, "team-frontend-x", (3000, 3999), group("team-frontend")),
            (Some("shop"), "team-frontend-x", (20_000, 65_000), group("shop")),
            (None, "other", (10_000, 65_000), Way::After),
            (Some("nobody"), "other", (10_000, 65_000), Way::After),
        ] {
            let wish = RangeWish { group: asked.map(str::to_owned), ..RangeWish::default() };
            let found = rule(text, service_type, &wish);
            let bounds = Range::known(bounds.0, bounds.1);
            assert_eq!((found.bounds, found.way), (bounds, way), "{asked:?} {service_type}");
        }
    }

    #[test]
    fn what_a_person_says_comes_before_any_rule() {
        let text = "[auto_allocation_rules.'*']\nchunk_size = 20\nplacement = 'before'\n\
                    preferred_range_start = 9000";
        let wish = RangeWish {
            chunk_size: NonZeroU16::new(3),
            start: Some(port(12_000)),
            ..RangeWish::default()
        };
        let found = rule(text, "x", &wish);
        assert_eq!((found.chunk_size, found.bounds.first()), (3, port(12_000)));
        assert_eq!(found.way, Way::Smart(Near::Port(port(12_000))));
        let wish = RangeWish { placement: Some(Placement::After), ..wish };
        assert_eq!(rule(text, "x", &wish).way, Way::After);
    }

    #[test]
    fn what_has_decided_is_said() {
        let text = "[auto_allocation]\nplacement = 'smart'\nmin_port = 1024\n\
                    [auto_allocation_rules.'team-*']\nplacement = 'before'";
        let five = RangeWish { chunk_size: NonZeroU16::new(5), ..RangeWish::default() };
        let group = RangeWish { group: Some("a".to_owned()), ..RangeWish::default() };
        let (own, beside) = ([Range::known(20_000, 20_009)], Range::known(20_010, 20_019));
        for (service_type, wish, own, expected) in [
            ("team-x", RangeWish::default(), &[][..], "rule 'team-*', before existing ranges"),
            ("postgres", RangeWish::default(), &[], "profile of postgres, close to port 5432"),
            ("other", RangeWish::default(), &[], "placement 'smart', where it fits best"),
            ("other", RangeWish::default(), &own, "placement 'smart', beside its own ports"),
            ("team-x", five, &[], "asked for, before existing ranges"),
            // No group has bounds here.
            ("team-x", group, &[], "rule 'team-*', before existing ranges"),
        ] {
            assert_eq!(rule(text, service_type, &wish).words(own, beside), expected);
        }
    }

    #[test]
    fn smart_goes_by_the_conventional_port_then_by_the_category() {
        let smart = |min: u16| format!("[auto_allocation]\nplacement = 'smart'\nmin_port = {min}");
        let monitoring = Near::Ranges(vec![Range::known(3100, 3199)]);
        for (min, service_type, near) in [
            (1024, "postgres", Near::Port(port(5432))),
            (10_000, "grafana", monitoring.clone()),
            (10_000, "monitoring-disks", monitoring),
            (10_000, "newservice", Near::Nothing),
        ] {
            let found = rule(&smart(min), service_type, &RangeWish::default());
            assert_eq!(found.way, Way::Smart(near), "{service_type}");
        }
    }

    #[test]
    fn smart_knows_the_automatic_ranges_of_a_category() {
        let config = read_checked("[auto_allocation]\nplacement = 'smart'").unwrap();
        let mut registry = Registry::default();
        for (name, first) in [("grafana", 20_000), ("postgres", 30_000)] {
            let range = Range::known(first, first + 9);
            registry.ranges.push(new_range::row(&name.parse().unwrap(), range, String::new()));
        }
        let jaeger = "prometheus".parse().unwrap();
        let found = Rule::of(&config, &registry, &jaeger, &RangeWish::default(), None);
        let kin = vec![Range::known(3100, 3199), Range::known(20_000, 20_009)];
        assert_eq!(found.way, Way::Smart(Near::Ranges(kin)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_rule_never_affects_a_type_that_it_does_not_match(
            prefix in "[a-c]{1,3}",
            service_type in "[a-c]{1,4}",
            chunk_size in 1u16..100,
            start in 1024u16..60_000,
        ) {
            let text = format!(
                "[auto_allocation_rules.'{prefix}*']\nchunk_size = {chunk_size}\n\
                 preferred_range_start = {start}"
            );
            let found = rule(&text, &service_type, &RangeWish::default());
            if service_type.starts_with(&prefix) {
                prop_assert_eq!(found.chunk_size, chunk_size);
                prop_assert_eq!(found.bounds.first(), port(start));
            } else {
                prop_assert_eq!(found, rule("", &service_type, &RangeWish::default()));
            }
        }
    }
}

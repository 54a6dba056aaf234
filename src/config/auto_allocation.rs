//! How an unknown service type gets its range: size, placement, bounds and gaps, and the rules by pattern.
//!
//! Pure. Where the range then goes is decided in `decision::placement`.

use super::{
    name::TypeName,
    value::{ValueError, spelled},
};
use crate::ports::Port;
use glob::Pattern;
use std::{collections::BTreeMap, fmt, num::NonZeroU16, str::FromStr, time::Duration};

/// So many patterns one text with alternatives stands for at most.
const CHOICES_MAX: usize = 256;

/// `[auto_allocation]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoAllocation {
    /// Whether unknown types get a range at all.
    pub enabled: bool,
    /// How many ports a new range has.
    pub default_chunk_size: NonZeroU16,
    /// Where a new range goes.
    pub placement: Placement,
    /// No range begins below it.
    pub min_port: Port,
    /// No range ends above it.
    pub max_port: Port,
    /// Whether ranges keep a distance.
    pub preserve_gaps: bool,
    /// How many ports lie between two ranges.
    pub gap_size: u16,
    /// Whether ranges stay out of the kernel's ephemeral ports.
    pub avoid_ephemeral: bool,
    /// Whether a person is asked first.
    pub require_confirmation: bool,
    /// An unused range is kept so long before it can be taken back.
    pub retire_after: Duration,
    /// Whether ranges are consolidated whenever a lease ends.
    pub consolidate_on_release: bool,
}

impl Default for AutoAllocation {
    fn default() -> Self {
        Self {
            enabled: true,
            default_chunk_size: NonZeroU16::MIN.saturating_add(9),
            placement: Placement::After,
            min_port: Port::known(10_000),
            max_port: Port::known(65_000),
            preserve_gaps: true,
            gap_size: 10,
            avoid_ephemeral: true,
            require_confirmation: false,
            retire_after: Duration::from_secs(30 * 24 * 60 * 60),
            consolidate_on_release: false,
        }
    }
}

impl AutoAllocation {
    /// How many ports lie between two ranges; none when gaps are not kept.
    pub fn gap(&self) -> u16 {
        if self.preserve_gaps { self.gap_size } else { 0 }
    }
}

/// Where a new range goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// Above the last range.
    After,
    /// Below the first one.
    Before,
    /// Where it fits best.
    Smart,
    /// Within the bounds that this strategy has for the type.
    Strategy(String),
}

impl Placement {
    /// The placements that are built in.
    pub(super) const WORDS: [&str; 3] = ["after", "before", "smart"];
}

impl FromStr for Placement {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "after" => Ok(Self::After),
            "before" => Ok(Self::Before),
            "smart" => Ok(Self::Smart),
            "" => Err(ValueError::new("wants after, before, smart or the name of a strategy")),
            name => Ok(Self::Strategy(name.to_owned())),
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::After => "after",
            Self::Before => "before",
            Self::Smart => "smart",
            Self::Strategy(name) => name,
        })
    }
}

spelled! { Placement, "after, before, smart or the name of a strategy"; }

/// One of `[auto_allocation_rules]`: what is different for the types that its pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoRule {
    /// As it was written: `monitoring-*`.
    pub pattern: String,
    /// How many ports a new range has.
    pub chunk_size: Option<NonZeroU16>,
    /// Where it goes.
    pub placement: Option<Placement>,
    /// It should begin there or above.
    pub preferred_range_start: Option<Port>,
}

impl AutoRule {
    /// A rule that changes nothing yet.
    pub(super) fn new(pattern: &str) -> Self {
        Self {
            pattern: pattern.to_owned(),
            chunk_size: None,
            placement: None,
            preferred_range_start: None,
        }
    }

    /// Where the range of a matching type goes: a preferred start without a placement means `smart`.
    pub fn placement_or<'a>(&'a self, default: &'a Placement) -> &'a Placement {
        match (&self.placement, self.preferred_range_start) {
            (Some(placement), _) => placement,
            (None, Some(_)) => &Placement::Smart,
            (None, None) => default,
        }
    }

    /// How specific the rule is, if it matches: without wildcards most of all, then by the characters
    /// before the first one, then by its length.
    fn specificity(&self, names: &[&str]) -> Option<(bool, usize, usize)> {
        let patterns = patterns(&self.pattern).ok()?;
        let prefix = self.pattern.find(['*', '?', '[', '{']);
        let length = self.pattern.len();
        let is_match = |name: &&str| patterns.iter().any(|pattern| pattern.matches(name));
        names.iter().any(is_match).then_some((prefix.is_none(), prefix.unwrap_or(length), length))
    }
}

/// The most specific rule that matches the type, or its longer name `<category>-<type>`.
pub(super) fn most_specific<'a>(
    rules: impl IntoIterator<Item = &'a AutoRule>,
    service_type: &TypeName,
    category_name: Option<&str>,
) -> Option<&'a AutoRule> {
    let names: Vec<&str> = std::iter::once(service_type.as_str()).chain(category_name).collect();
    rules
        .into_iter()
        .filter_map(|rule| Some((rule.specificity(&names)?, rule)))
        .max_by_key(|(specificity, _)| *specificity)
        .map(|(_, rule)| rule)
}

/// The patterns that a rule's text stands for, if it is one: `{web,api}-*` is two.
pub(super) fn patterns(text: &str) -> Result<Vec<Pattern>, ValueError> {
    let wrong =
        |why: &str| ValueError::new(format!("`{}` is not a pattern: {why}", text.escape_debug()));
    let (mut whole, mut rest) = (vec![String::new()], text);
    while let Some((literal, behind)) = rest.split_once('{') {
        let (choices, behind) = behind.split_once('}').ok_or_else(|| wrong("its { has no }"))?;
        if whole.len() * choices.split(',').count() > CHOICES_MAX {
            return Err(wrong("it stands for too many"));
        }
        let longer = |begin: &String| {
            let choices = choices.split(',');
            choices.map(|choice| [begin, literal, choice].concat()).collect::<Vec<_>>()
        };
        whole = whole.iter().flat_map(longer).collect();
        rest = behind;
    }
    let pattern = |begin: &String| {
        let mut pattern = [begin, rest].concat();
        // Two stars mean folders elsewhere; names have none.
        while pattern.contains("**") {
            pattern = pattern.replace("**", "*");
        }
        Pattern::new(&pattern).map_err(|_| wrong("its [ has no ]"))
    };
    whole.iter().map(pattern).collect()
}

/// One of `[placement_strategies]`: bounds by group.
pub type Strategy = BTreeMap<String, Bounds>;

/// Between which ports the ranges of a group go; without one of the two, `[auto_allocation]` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// No range begins below it.
    pub min_port: Option<Port>,
    /// No range ends above it.
    pub max_port: Option<Port>,
}

/// The bounds for a type: of the group asked for, else of the longest group name that the type begins with.
pub fn group_bounds<'a>(
    strategy: &'a Strategy,
    asked: Option<&str>,
    service_type: &TypeName,
) -> Option<(&'a str, Bounds)> {
    let group = match asked {
        Some(group) => strategy.get_key_value(group),
        None => strategy
            .iter()
            .filter(|(group, _)| service_type.as_str().starts_with(group.as_str()))
            .max_by_key(|(group, _)| group.len()),
    };
    group.map(|(group, bounds)| (group.as_str(), *bounds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> TypeName {
        text.parse().unwrap()
    }

    #[test]
    fn the_most_specific_rule_wins() {
        let rules: Vec<AutoRule> = [
            "*",
            "monitoring-*",
            "monitoring-g*",
            "grafana",
            "db-[0-9]",
            "{web,api}-*",
            "w*",
            "a**{b,c}-{log,x[1-3]}",
        ]
        .map(AutoRule::new)
        .into();
        for (service_type, category_name, expected) in [
            ("jaeger", None, Some("*")),
            ("jaeger", Some("monitoring-jaeger"), Some("monitoring-*")),
            ("gatus", Some("monitoring-gatus"), Some("monitoring-g*")),
            ("monitoring-x", None, Some("monitoring-*")),
            ("grafana", Some("monitoring-grafana"), Some("grafana")),
            ("db-1", None, Some("db-[0-9]")),
            ("db-x", None, Some("*")),
            ("web-1", None, Some("w*")),
            ("api-1", None, Some("{web,api}-*")),
            ("Monitoring-x", None, Some("*")),
            ("a-b-log", None, Some("a**{b,c}-{log,x[1-3]}")),
            ("a-c-x2", None, Some("a**{b,c}-{log,x[1-3]}")),
            ("a-c-x4", None, Some("*")),
        ] {
            let rule = most_specific(&rules, &name(service_type), category_name);
            assert_eq!(rule.map(|rule| rule.pattern.as_str()), expected, "{service_type}");
        }
        assert_eq!(most_specific(&rules[1..], &name("jaeger"), None), None);
    }

    #[test]
    fn what_is_no_pattern_is_told_why() {
        for (text, why) in [
            ("a[", "its [ has no ]"),
            ("a[]", "its [ has no ]"),
            ("a{b", "its { has no }"),
            (&"{a,b}".repeat(9), "it stands for too many"),
        ] {
            let error = patterns(text).unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is not a pattern: {why}"));
        }
    }

    #[test]
    fn a_preferred_start_without_a_placement_means_smart() {
        let start = Some(Port::known(9000));
        for (placement, preferred_range_start, expected) in [
            (None, None, Placement::After),
            (None, start, Placement::Smart),
            (Some(Placement::Before), start, Placement::Before),
        ] {
            let rule = AutoRule { placement, preferred_range_start, ..AutoRule::new("*") };
            assert_eq!(*rule.placement_or(&Placement::After), expected);
        }
    }

    #[test]
    fn a_group_is_asked_for_or_the_longest_that_begins_the_type() {
        let groups = ["team", "team-front", "shop"];
        let strategy: super::Strategy =
            groups.iter().map(|group| ((*group).to_owned(), Bounds::default())).collect();
        for (asked, service_type, expected) in [
            (None, "team-frontend", Some("team-front")),
            (None, "team-backend", Some("team")),
            (None, "other", None),
            (Some("shop"), "team-frontend", Some("shop")),
            (Some("nobody"), "team-frontend", None),
        ] {
            let found = group_bounds(&strategy, asked, &name(service_type));
            assert_eq!(found.map(|(group, _)| group), expected, "{asked:?} {service_type}");
        }
    }

    #[test]
    fn gaps_that_are_not_kept_are_none() {
        let with_gaps = AutoAllocation::default();
        assert_eq!(with_gaps.gap(), 10);
        assert_eq!(AutoAllocation { preserve_gaps: false, ..with_gaps }.gap(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_pattern_makes_it_panic(pattern in "\\PC{0,16}|[a-c*?{},\\[\\]!\\\\-]{0,16}") {
            let _ = most_specific([&AutoRule::new(&pattern)], &name("abc-a"), Some("b-abc"));
        }
    }
}

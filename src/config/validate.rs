//! What only shows when several values are together: overlaps, inverted bounds, names of strategies, missing commands.
//!
//! Pure. Single values are checked where they are read.

use super::{
    auto_allocation::Placement,
    error::ConfigError,
    key_path::join,
    layer::{Layer, Origin},
    name::InstanceId,
    nearest::suggestion,
    project::check_port_names,
    stack::{Config, ConfiguredRange},
    value::ValueError,
};
use crate::ports::Port;

/// Refuses two ranges of one layer that share ports.
pub(super) fn ranges_apart(config: &Config, layer: Layer) -> Result<(), ConfigError> {
    let mut ranges: Vec<(&str, &ConfiguredRange)> = config
        .types
        .iter()
        .filter_map(|(name, configured)| Some((name.as_str(), configured.range.as_ref()?)))
        .filter(|(_, configured)| configured.origin.layer() == Some(layer))
        .collect();
    ranges.sort_by_key(|(_, configured)| configured.range);
    // Sorted, the first two that overlap are neighbours.
    match ranges.windows(2).find(|pair| pair[0].1.range.overlaps(pair[1].1.range)) {
        Some(pair) => Err(overlap(pair[0], pair[1])),
        None => Ok(()),
    }
}

/// The error for two ranges; the one that was written later is at fault.
fn overlap(one: (&str, &ConfiguredRange), two: (&str, &ConfiguredRange)) -> ConfigError {
    let (earlier, later) =
        if given_at(&one.1.origin) <= given_at(&two.1.origin) { (one, two) } else { (two, one) };
    ConfigError::Overlap {
        origin: later.1.origin.clone(),
        service_type: later.0.to_owned(),
        range: later.1.range,
        other_origin: earlier.1.origin.clone(),
        other_type: earlier.0.to_owned(),
        other: earlier.1.range,
    }
}

/// Refuses a configuration whose layers together make no sense.
pub(super) fn consistent(config: &Config) -> Result<(), ConfigError> {
    let auto = &config.auto_allocation;
    bounds_in_order(config, &["auto_allocation"], auto.min_port, auto.max_port)?;
    known_strategy(config, &["auto_allocation", "placement"], Some(&auto.placement))?;
    for (pattern, rule) in &config.rules {
        let key = ["auto_allocation_rules", pattern, "placement"];
        known_strategy(config, &key, rule.placement.as_ref())?;
        if let Some(start) = rule.preferred_range_start.filter(|start| *start > auto.max_port) {
            let key = ["auto_allocation_rules", pattern, "preferred_range_start"];
            let why = format!("{start} is above auto_allocation.max_port {}", auto.max_port);
            return Err(refuse(config, &key, ValueError::new(why)));
        }
    }
    for (name, groups) in &config.strategies {
        if Placement::WORDS.contains(&name.as_str()) {
            let wrong = ValueError::new("is the name of a built-in placement");
            return Err(refuse(config, &["placement_strategies", name], wrong));
        }
        for (group, bounds) in groups {
            let key = ["placement_strategies", name, group];
            // What a group leaves open, `[auto_allocation]` says.
            let min = bounds.min_port.unwrap_or(auto.min_port);
            bounds_in_order(config, &key, min, bounds.max_port.unwrap_or(auto.max_port))?;
        }
    }
    for (name, service) in &config.services {
        if service.command.is_empty() {
            let wrong = ValueError::new("names no command")
                .hint("add a command, for example command = [\"vite\"]");
            return Err(refuse(config, &["services", name.as_str()], wrong));
        }
        check_port_names(&service.ports)
            .map_err(|wrong| refuse(config, &["services", name.as_str(), "ports"], wrong))?;
    }
    Ok(())
}

impl Config {
    /// The error for a key of a service that makes no sense together with other services.
    pub fn wrong_service(
        &self,
        name: &InstanceId,
        key: &str,
        why: String,
        hint: Option<String>,
    ) -> ConfigError {
        let wrong = ValueError::new(why);
        let wrong = match hint {
            Some(hint) => wrong.hint(hint),
            None => wrong,
        };
        refuse(self, &["services", name.as_str(), key], wrong)
    }
}

/// Refuses a lowest port above the highest; the one that was given last is at fault.
fn bounds_in_order(
    config: &Config,
    table: &[&str],
    min: Port,
    max: Port,
) -> Result<(), ConfigError> {
    if min <= max {
        return Ok(());
    }
    let (low, high) = ([table, &["min_port"]].concat(), [table, &["max_port"]].concat());
    let last = |key: &[&str]| given_at(&origin(config, key));
    Err(if last(&low) > last(&high) {
        refuse(config, &low, ValueError::new(format!("{min} is above max_port {max}")))
    } else {
        refuse(config, &high, ValueError::new(format!("{max} is below min_port {min}")))
    })
}

/// Refuses a placement that is neither built in nor configured.
fn known_strategy(
    config: &Config,
    key: &[&str],
    placement: Option<&Placement>,
) -> Result<(), ConfigError> {
    let Some(Placement::Strategy(name)) = placement else {
        return Ok(());
    };
    if config.strategies.contains_key(name) {
        return Ok(());
    }
    let configured = config.strategies.keys().map(String::as_str);
    let known: Vec<&str> = Placement::WORDS.into_iter().chain(configured).collect();
    let wrong = ValueError::new(format!("no placement is called `{}`", name.escape_debug()));
    Err(refuse(config, key, wrong.hint(suggestion(name, &known))))
}

/// The error for what stands at a key.
fn refuse(config: &Config, names: &[&str], wrong: ValueError) -> ConfigError {
    ConfigError::Value { origin: origin(config, names), key: full_key(names), wrong }
}

/// Where what stands at a key comes from.
fn origin(config: &Config, names: &[&str]) -> Origin {
    config.origins.get(&full_key(names)).cloned().unwrap_or(Origin::Default)
}

fn full_key(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    join(&names)
}

/// What was given later compares higher: by layer, then by line.
fn given_at(origin: &Origin) -> (Option<Layer>, usize) {
    let line = match origin {
        Origin::File { line, .. } => *line,
        Origin::Default | Origin::Profile(_) | Origin::Variable(_) | Origin::Flag(_) => 0,
    };
    (origin.layer(), line)
}

/// The configuration of one file by itself, for tests and for fuzzing.
pub(crate) fn read_checked(text: &str) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    super::reader::read_file(&mut config, Layer::User, "config.toml", text)?;
    consistent(&config)?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::error::MANUAL;
    use crate::ports::Range;
    use proptest::prelude::*;

    #[test]
    fn what_makes_no_sense_together_is_refused_where_it_was_said() {
        for (text, message, hint) in [
            ("[auto_allocation]\nmin_port = 66", "", None),
            (
                "[auto_allocation]\nenabled = true\nmin_port = 65001",
                "config.toml:3: auto_allocation.min_port: 65001 is above max_port 65000",
                Some(MANUAL),
            ),
            (
                "[placement_strategies.s.g]\nmin_port = 9\nmax_port = 8",
                "config.toml:3: placement_strategies.s.g.max_port: 8 is below min_port 9",
                Some(MANUAL),
            ),
            (
                "[placement_strategies.s.g]\nmax_port = 9999",
                "config.toml:2: placement_strategies.s.g.max_port: 9999 is below min_port 10000",
                Some(MANUAL),
            ),
            (
                "[auto_allocation_rules.'x*']\npreferred_range_start = 65001",
                "config.toml:2: auto_allocation_rules.\"x*\".preferred_range_start: 65001 is above \
                 auto_allocation.max_port 65000",
                Some(MANUAL),
            ),
            (
                "[auto_allocation]\nplacement = 'by-teem'\n[placement_strategies.by-team.g]\nmin_port = 9",
                "config.toml:2: auto_allocation.placement: no placement is called `by-teem`",
                Some("did you mean 'by-team'?"),
            ),
            (
                "[auto_allocation_rules.'x*']\nplacement = 'afer'",
                "config.toml:2: auto_allocation_rules.\"x*\".placement: no placement is called `afer`",
                Some("did you mean 'after'?"),
            ),
            (
                "[placement_strategies.smart.g]\nmin_port = 9",
                "config.toml:1: placement_strategies.smart: is the name of a built-in placement",
                Some(MANUAL),
            ),
            (
                "[services.web]\ntype = 'dev'",
                "config.toml:1: services.web: names no command",
                Some("add a command, for example command = [\"vite\"]"),
            ),
            (
                "[services.web]\ncommand = 'vite'\nports = ['a', 'a']",
                "config.toml:3: services.web.ports: the name `a` is given twice",
                Some(MANUAL),
            ),
            (
                "[services.web]\ncommand = \"vite 'a\"",
                "config.toml:2: services.web.command: has a quote that is not closed",
                Some(MANUAL),
            ),
        ] {
            let error = read_checked(text).err();
            let said = error.as_ref().map(ToString::to_string).unwrap_or_default();
            assert_eq!(said, message);
            assert_eq!(error.and_then(|error| error.hint()).as_deref(), hint, "{message}");
        }
    }

    proptest! {
        #[test]
        fn two_ranges_of_one_file_never_share_a_port(
            ranges in prop::collection::vec((1u16..100, 0u16..12), 0..8),
        ) {
            let ranges: Vec<Range> =
                ranges.into_iter().map(|(first, more)| Range::known(first, first + more)).collect();
            let text: String = ranges
                .iter()
                .enumerate()
                .map(|(n, range)| format!("[service_types.t{n}]\nrange = '{range}'\n"))
                .collect();
            let apart = ranges
                .iter()
                .enumerate()
                .all(|(n, one)| ranges[n + 1..].iter().all(|other| !one.overlaps(*other)));
            prop_assert_eq!(read_checked(&text).is_ok(), apart);
        }
    }
}

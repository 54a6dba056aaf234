//! `STYXY_SET_<KEY>` variables, and what flags say of configuration: one value each, the two highest layers.
//!
//! Pure. The variables are handed in.

use super::{
    error::ConfigError,
    key_path::{WholeTable, from_dotted, from_variable},
    layer::{Layer, Origin},
    reader::{read_assignment, structured},
    stack::Config,
    validate,
};
use std::{ffi::OsString, path::PathBuf};

/// What the names of these variables begin with.
const PREFIX: &str = "STYXY_SET_";

/// What a flag says of one key: `--yes` is `auto_allocation.require_confirmation = "false"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The flag, as it is shown.
    pub flag: String,
    /// The key, with dots.
    pub key: String,
    /// The value, as text.
    pub value: String,
}

/// Lays the variables over the configuration, by name, so that the first mistake is always the same one.
pub(super) fn read_variables(
    config: &mut Config,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), ConfigError> {
    let mut ours: Vec<(String, OsString)> = variables
        .into_iter()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .collect();
    if ours.is_empty() {
        return Ok(());
    }
    ours.sort_unstable();
    for (name, value) in ours {
        let text = value.to_str().ok_or_else(|| ConfigError::NotText {
            path: PathBuf::from(&name),
            why: "is not UTF-8",
        })?;
        let whole = match structured(text) {
            Some(value) if value.is_table() => WholeTable::Yes,
            Some(_) | None => WholeTable::No,
        };
        let origin = Origin::Variable(name.as_str().into());
        let key = from_variable(&name[PREFIX.len()..], whole, &origin)?;
        read_assignment(config, &origin, &key, text)?;
    }
    validate::ranges_apart(config, Layer::Variables)
}

/// Lays what flags say over the configuration.
pub(super) fn read_flags(config: &mut Config, flags: &[Assignment]) -> Result<(), ConfigError> {
    for Assignment { flag, key, value } in flags {
        let origin = Origin::Flag(flag.as_str().into());
        let key = from_dotted(key, &origin)?;
        read_assignment(config, &origin, &key, value)?;
    }
    validate::ranges_apart(config, Layer::Flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ReadyCheck, TypeName};
    use crate::ports::{Port, Range};

    fn variables(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        let pairs = pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        read_variables(&mut config, pairs)?;
        Ok(config)
    }

    #[test]
    fn a_variable_sets_one_value() {
        let config = variables(&[
            ("STYXY_SET_AUTO_ALLOCATION_MIN_PORT", "20000"),
            ("STYXY_SET_AUTO_ALLOCATION_ENABLED", "false"),
            ("STYXY_SET_SERVICE_TYPES_AI_RANGE", "11400-11409"),
            ("STYXY_SET_SERVICE_TYPES_AI_PREFERRED_PORTS", "[11405, 11406]"),
            ("STYXY_SET_SERVICE_TYPES_AI_READINESS", "http:/health"),
            ("STYXY_SET_SERVICE_TYPES_AI_ENV_LIST", "[1, 2]"),
            ("STYXY_SET_SERVICE_TYPES_DEV_READINESS", "{ tcp = true, timeout = '5s' }"),
            ("STYXY_STATE_DIR", "/nowhere"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        assert_eq!(config.auto_allocation().min_port, Port::known(20_000));
        assert!(!config.auto_allocation().enabled);
        let of = |name: &str| config.service_type(&name.parse::<TypeName>().unwrap()).unwrap();
        let ai = of("ai");
        assert_eq!(ai.range, Some(Range::known(11_400, 11_409)));
        assert_eq!(ai.preferred_ports, [Port::known(11_405), Port::known(11_406)]);
        assert_eq!(ai.configured.ready, Some(ReadyCheck::Http("/health".to_owned())));
        assert_eq!(ai.configured.env["LIST"], "[1, 2]");
        assert_eq!(of("dev").configured.ready, Some(ReadyCheck::Tcp));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (name, value, expected) in [
            (
                "STYXY_SET_AUTO_ALLOCATION_MIN_PORT",
                "many",
                "STYXY_SET_AUTO_ALLOCATION_MIN_PORT: auto_allocation.min_port: \
                 wants a port from 1 to 65535, not `many`",
            ),
            ("STYXY_SET_", "x", "STYXY_SET_: unknown key ''"),
            (
                "STYXY_SET_AUTO_ALLOCATION",
                "x",
                "STYXY_SET_AUTO_ALLOCATION: unknown key '' in auto_allocation",
            ),
        ] {
            assert_eq!(variables(&[(name, value)]).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn variables_together_must_make_sense_too() {
        let error = variables(&[
            ("STYXY_SET_SERVICE_TYPES_A_RANGE", "10-20"),
            ("STYXY_SET_SERVICE_TYPES_B_RANGE", "20-30"),
        ]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "STYXY_SET_SERVICE_TYPES_B_RANGE: range 20-30 of 'b' overlaps range 10-20 of 'a' \
             (STYXY_SET_SERVICE_TYPES_A_RANGE)"
        );
    }

    #[test]
    fn a_flag_wins_over_a_variable() {
        let mut config =
            variables(&[("STYXY_SET_AUTO_ALLOCATION_REQUIRE_CONFIRMATION", "true")]).unwrap();
        let yes = Assignment {
            flag: "--yes".to_owned(),
            key: "auto_allocation.require_confirmation".to_owned(),
            value: "false".to_owned(),
        };
        read_flags(&mut config, &[yes]).unwrap();
        assert!(!config.auto_allocation().require_confirmation);
        let entry = &config.get("auto_allocation.require_confirmation").unwrap()[0];
        assert_eq!(entry.origin.to_string(), "--yes");
    }
}

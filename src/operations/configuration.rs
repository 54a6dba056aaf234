//! `config`: what holds, and who said so.

use super::{
    error::Error,
    host::{Tell, config_places, load_config},
};
use crate::config::{Assignment, Entry, Places};

/// Every setting, with its origin.
pub fn entries(flags: &[Assignment], tell: &Tell<'_>) -> Result<Vec<Entry>, Error> {
    Ok(load_config(flags, tell)?.entries())
}

/// The settings at or below a key.
pub fn get(key: &str, flags: &[Assignment], tell: &Tell<'_>) -> Result<Vec<Entry>, Error> {
    let found = load_config(flags, tell)?.get(key)?;
    if found.is_empty() {
        return Err(Error::Usage {
            message: format!("nothing is set at `{}`", key.escape_debug()),
            hint: Some("`styxy config show` shows every key".to_owned()),
        });
    }
    Ok(found)
}

/// Where configuration files are looked for.
pub fn places() -> Places {
    config_places()
}

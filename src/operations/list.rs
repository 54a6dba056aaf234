//! `list`: every instance that is alive.

use super::{
    error::Error,
    host::{Host, Tell},
    view::View,
};
use serde::Serialize;

/// The answer, as JSON has it.
#[derive(Debug, Serialize)]
pub struct Instances {
    /// By type, then id.
    pub instances: Vec<View>,
}

impl Host {
    /// Every instance that is alive, or that could not be ended.
    pub fn list(&self, tell: &Tell<'_>) -> Result<Instances, Error> {
        Ok(Instances { instances: self.views(&self.read(tell)?) })
    }
}

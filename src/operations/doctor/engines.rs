//! Which container engines are there, and whether they answer.
//!
//! What is to be said of it stands in `findings`.

use super::Host;
use crate::{
    container::{
        command_line::ENGINES,
        engine::{Place, ask},
        sweep::{Answer, Question},
    },
    registry::Registry,
};
use std::{
    ffi::{CString, OsString},
    os::unix::ffi::OsStringExt,
    time::Duration,
};

/// Who has not answered by then is not waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// An engine whose command line is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) engine: String,
    /// Why it cannot be asked, if it cannot.
    pub(super) silence: Option<String>,
    /// Instances that are its containers.
    pub(super) instances: Vec<String>,
}

/// The engines of this machine, each asked once.
pub(super) fn reached(host: Option<(&Host, &Registry)>) -> Vec<Reached> {
    let there = ENGINES.iter().filter(|engine| is_on_path(engine));
    there
        .map(|&engine| Reached {
            engine: engine.to_owned(),
            silence: silence(engine),
            instances: host.map_or_else(Vec::new, |(host, rows)| instances(host, rows, engine)),
        })
        .collect()
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Why an engine does not answer.
fn silence(engine: &str) -> Option<String> {
    let environment: Vec<CString> = std::env::vars_os()
        .filter_map(|(mut name, value): (OsString, OsString)| {
            name.push("=");
            name.push(value);
            CString::new(name.into_vec()).ok()
        })
        .collect();
    let words = [engine, "ps", "--quiet"].map(str::to_owned).to_vec();
    let place = Place { environment: &environment, directory: None };
    let Answer { code, complaint, .. } = ask(&Question { words, patience: PATIENCE }, place);
    let said = || complaint.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
    match code {
        Some(0) => None,
        Some(code) => Some(said().unwrap_or_else(|| format!("it ended with {code}"))),
        None => Some(said().unwrap_or_else(|| format!("no answer within {PATIENCE:?}"))),
    }
}

fn instances(host: &Host, registry: &Registry, engine: &str) -> Vec<String> {
    let of_engine = registry.leased().filter(|(_, lease)| {
        let record = host.store.run().read(&lease.lock_id);
        let whose = record.and_then(|record| record.details.container);
        whose.is_some_and(|whose| whose.engine_name() == engine)
    });
    of_engine.map(|(instance, _)| host.full_name(registry, &instance.name)).collect()
}

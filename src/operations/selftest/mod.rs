//! `selftest`: the store's promises, tried on the user's own machine: processes that are killed at any of
//! their operations, and power that is cut.
//!
//! In a directory of its own: the user's state is not touched, and no port.

mod check;
mod crash;
mod deed;
mod dice;
mod power;

use super::error::Error;
use crate::os::clock;
use crash::{Ground, Scene};
use power::Cuts;
use serde::Serialize;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// So many processes are killed.
    pub kills: u64,
    /// So many states of a disk after a power cut are looked at.
    pub states: u64,
    /// How the dice fall; in some way, if it is not said.
    pub seed: Option<u64>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// With the same seed the dice fall alike; only when the log is rotated hangs on how long things took.
    pub seed: u64,
    /// So many processes were killed.
    pub kills: u64,
    /// So many had done their deed before.
    pub done: u64,
    /// In so many states a disk was found after a power cut.
    pub states: u64,
    /// How long it took.
    pub seconds: u64,
    /// The first promise that was broken, in words, if one was.
    pub finding: Option<String>,
}

/// A promise that was broken, and what was seen.
#[derive(Debug)]
struct Finding(String);

impl Finding {
    fn of(what: String) -> Self {
        Self(what)
    }

    fn system(error: std::io::Error) -> Self {
        Self(format!("the system refused: {error}"))
    }
}

/// Tries it.
pub fn selftest(trial: Trial) -> Result<Report, Error> {
    let began = clock::now();
    let ground = Ground::make()?;
    let seed = trial.seed.unwrap_or_else(|| clock::dice().into());
    let mut scene = Scene::open(ground.path(), seed)?;
    let mut cuts = Cuts::new(seed);
    let played = scene.play(trial.kills).and_then(|()| cuts.play(trial.states));
    Ok(Report {
        seed,
        kills: scene.kills,
        done: scene.done,
        states: cuts.states,
        seconds: clock::now().duration_since(began).as_secs(),
        finding: played.err().map(|Finding(what)| what),
    })
}

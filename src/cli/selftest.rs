//! `styxy selftest`: one calm line, or the promise that was broken.

use super::{
    arguments::{Session, Verb},
    exit_code, output,
};
use crate::operations::{
    Error,
    selftest::{Report, Trial, selftest},
};

/// Kill styxy's own processes and cut their power, in a directory of its own, and count what is lost
///
/// Nothing of yours is touched: neither the state, nor a port.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct Arguments {
    /// Kill so many processes, each at one operation of a transaction
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    crash: u64,
    /// Look at so many states in which a power cut may leave the disk
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    power: u64,
    /// Let the dice fall as they did with this seed
    #[arg(long)]
    seed: Option<u64>,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let trial = Trial { kills: self.crash, states: self.power, seed: self.seed };
        let report = selftest(trial)?;
        if session.json {
            output::json(&report)?;
        } else {
            output::print(&summary(&report))?;
        }
        Ok(if report.finding.is_none() { 0 } else { exit_code::FAILED })
    }
}

fn summary(report: &Report) -> String {
    let Report { seed, kills, done, states, seconds, finding } = report;
    match finding {
        None => format!(
            "{kills} kills and {states} power cuts in {seconds} s: no range lost, no overlap, no \
             port twice, every gap kept (seed {seed})\n"
        ),
        Some(finding) => format!(
            "a promise was broken after {kills} kills, {done} deeds and {states} power cuts (seed \
             {seed}); please report this:\n{}\n",
            output::visible(finding)
        ),
    }
}

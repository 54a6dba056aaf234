//! The command line: one command a file. Parses, hands over to the command, ends with its code.
//!
//! What a command does is its operation's business; here it is asked for, shown, and turned into an exit code.

mod allocate;
mod arguments;
mod audit;
mod bars;
mod check;
mod cleanup;
mod completions;
mod config;
mod consent;
mod doctor;
mod down;
mod env;
pub mod exit_code;
mod failure;
mod list;
mod logs;
mod output;
mod port;
mod release;
mod restart;
mod run;
mod scan;
mod selftest;
mod serve;
mod spinner;
mod stop;
mod types;
mod up;
mod r#use;
mod wait;

pub use arguments::definition;

use crate::operations::serve::Face;
use std::{ffi::OsString, process::ExitCode};

/// Does what the command line of this process says. `face`: what `serve` hands over to.
pub fn main(face: Option<Face>) -> ExitCode {
    serve::keep(face);
    let words: Vec<OsString> = std::env::args_os().collect();
    exit_code::from(perform(&words))
}

/// What the word asks for, if it asks which styxy this is.
fn version(word: &OsString) -> Option<&'static str> {
    match word.to_str()? {
        "-V" => Some(concat!("styxy ", env!("CARGO_PKG_VERSION"), "\n")),
        "--version" => {
            Some(concat!("styxy ", env!("CARGO_PKG_VERSION"), " (", env!("STYXY_BUILD"), ")\n"))
        }
        _ => None,
    }
}

/// Does what these words say; tells what to end with.
fn perform(words: &[OsString]) -> i32 {
    // Asked for by scripts more often than anything else, and it needs nothing of what follows.
    if let [_, only] = words
        && let Some(version) = version(only)
    {
        return output::print(version).map_or_else(|error| failure::report(error, false), |()| 0);
    }
    match arguments::parse(words) {
        Ok(parsed) => {
            let session = parsed.session;
            if session.verbose {
                output::trace();
            }
            let done = (parsed.command.perform)(parsed.matches, &session);
            tracing::debug!(?done, "the command is over");
            done.unwrap_or_else(|error| failure::report(error, session.json))
        }
        Err(error) => failure::report_usage(error, arguments::ask_for_json(words)),
    }
}

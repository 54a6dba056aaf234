//! A server that fails a number of times before it works.
//!
//! `styxy run --restart on-failure -- target/debug/examples/flaky FILE 3`: the file counts.
#![expect(clippy::print_stdout, reason = "an example talks to people")]

mod page;

use std::{env, fs, io, path::PathBuf, process::ExitCode};

fn main() -> io::Result<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    let file = arguments.next().map(PathBuf::from);
    let failures_max = arguments.next().and_then(|text| text.to_str()?.parse::<u32>().ok());
    let (Some(file), Some(failures_max)) = (file, failures_max) else {
        return Err(io::Error::other("usage: flaky FILE FAILURES"));
    };
    let failures = fs::read_to_string(&file).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    if failures < failures_max {
        fs::write(&file, (failures + 1).to_string())?;
        println!("flaky: failure {} of {failures_max}", failures + 1);
        return Ok(ExitCode::FAILURE);
    }
    let listener = page::listen()?;
    println!("flaky: serving on {}", listener.local_addr()?);
    page::serve(&listener);
    Ok(ExitCode::SUCCESS)
}

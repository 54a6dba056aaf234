//! A server as it should be: it serves on PORT, and ends with 0 when it gets TERM.
//!
//! `styxy run -- target/debug/examples/well_behaved`
#![expect(clippy::print_stdout, reason = "an example talks to people")]

mod page;

use nix::sys::signal::{SigSet, Signal};
use std::{io, thread};

fn main() -> io::Result<()> {
    let end = SigSet::from(Signal::SIGTERM);
    // Before there are other threads, which would end the process at once.
    end.thread_block()?;
    let listener = page::listen()?;
    println!("well_behaved: serving on {}", listener.local_addr()?);
    thread::spawn(move || page::serve(&listener));
    let signal = end.wait()?;
    println!("well_behaved: {signal}, goodbye");
    Ok(())
}

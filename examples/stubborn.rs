//! A server that only KILL ends: TERM and INT do nothing to it.
//!
//! `styxy run --stop-timeout 1s -- target/debug/examples/stubborn`; it serves if there is a PORT.
#![expect(clippy::print_stdout, reason = "an example talks to people")]

mod page;

use nix::sys::signal::{SigSet, Signal};
use std::{io, process, thread};

fn main() -> io::Result<()> {
    SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]).thread_block()?;
    println!("stubborn: {} is not impressed by TERM and INT", process::id());
    if page::port().is_some() {
        page::serve(&page::listen()?);
    }
    loop {
        thread::park();
    }
}

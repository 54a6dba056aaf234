//! A server that takes its time before it listens.
//!
//! `styxy run -- target/debug/examples/slow_to_start 1500` (milliseconds)
#![expect(clippy::print_stdout, reason = "an example talks to people")]

mod page;

use std::{env, io, thread, time::Duration};

#[expect(clippy::disallowed_methods, reason = "being slow is what it is for")]
fn main() -> io::Result<()> {
    let delay = env::args().nth(1).and_then(|text| text.parse().ok());
    let delay = delay.ok_or_else(|| io::Error::other("usage: slow_to_start MILLISECONDS"))?;
    thread::sleep(Duration::from_millis(delay));
    let listener = page::listen()?;
    println!("slow_to_start: serving on {}", listener.local_addr()?);
    page::serve(&listener);
    Ok(())
}

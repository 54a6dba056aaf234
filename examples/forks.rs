//! A command that leaves something behind: a grandchild in a session of its own, deaf to TERM, INT
//! and HUP, whose parent is gone. It serves if there is a PORT.
//!
//! `styxy run -- target/debug/examples/forks` ends at once, as a daemon's starter does;
//! with `stay` it runs on beside its grandchild.
#![expect(clippy::print_stdout, reason = "an example talks to people")]

mod page;

use nix::{
    sys::signal::{SigSet, Signal},
    unistd::setsid,
};
use std::{env, io, process, thread};

fn main() -> io::Result<()> {
    match env::args().nth(1).as_deref() {
        Some("session") => {
            setsid()?;
            start("grandchild").map(drop)
        }
        Some("grandchild") => be_left_behind(),
        Some("stay") => {
            start("session")?.wait()?;
            wait_for_ever()
        }
        Some(_) | None => start("session")?.wait().map(drop),
    }
}

/// Starts this program again in another part.
fn start(part: &str) -> io::Result<process::Child> {
    process::Command::new(env::current_exe()?).arg(part).spawn()
}

fn be_left_behind() -> io::Result<()> {
    SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]).thread_block()?;
    let listener = page::port().is_some().then(page::listen).transpose()?;
    println!("forks: grandchild {}", process::id());
    if let Some(listener) = listener {
        page::serve(&listener);
    }
    wait_for_ever()
}

fn wait_for_ever() -> io::Result<()> {
    loop {
        thread::park();
    }
}

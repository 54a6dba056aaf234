//! The kernel: claims on ports, processes, signals, terminals, clocks.
//!
//! The only room with `unsafe`, each time with the reason why it is sound.

pub mod check;
pub mod claim;
pub mod clock;
pub mod companion;
pub mod detach;
pub mod dirs;
pub mod editor;
pub mod exec;
pub mod file_system;
pub mod fork;
#[cfg(test)]
pub(crate) mod forked;
pub mod inside;
pub mod interrupts;
pub mod kernel;
pub mod leftovers;
pub mod listen_fd;
pub mod listeners;
pub mod logs;
pub mod memory;
pub mod notify;
pub mod port_probe;
pub mod process;
pub mod secret;
pub mod signals;
pub mod spawn;
pub mod terminal;
#[cfg(test)]
mod test_process;
pub mod tree;
pub mod usage;
pub mod user;
pub mod wait_set;

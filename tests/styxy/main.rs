//! Styxy from outside: the built program, real processes, real signals, real servers.
//!
//! Each test has a [`sandbox::Sandbox`] of its own, and ends only when nothing of it is left. What
//! they need beyond Rust is installed by `tests/setup`.

mod dice;
mod disk;
mod engine;
mod failing_engine;
mod fake_engine;
mod patience;
mod port_block;
mod processes;
mod pty;
mod running;
mod sandbox;
mod space;
mod witness;

mod attaching;
mod audit;
mod bad_input;
mod chaos;
mod clock;
mod commands;
mod completing;
mod composing;
mod configuring;
mod container_ends;
mod container_logs;
mod containers;
mod crash;
mod descriptors;
mod detached;
mod doctor;
mod errors;
mod examples;
mod exit_codes;
mod health;
mod hostile;
mod json;
mod listing;
mod logs;
mod many;
mod namespaces;
mod nesting;
mod new_ranges;
mod packaging;
#[cfg(feature = "serve")]
mod page;
mod passed_sockets;
mod picture;
mod podman;
mod port_table;
mod ports;
mod ranges;
mod readiness;
mod recovery;
mod restart_policy;
mod restarting;
mod run;
mod second_run;
mod selftest;
#[cfg(feature = "serve")]
mod serve;
mod servers;
#[cfg(feature = "serve")]
mod serving;
mod signal_matrix;
mod signals;
mod state_page;
mod stopping;
mod storm;
mod syscalls;
mod team;
mod terminal;
mod up;
mod waiting;

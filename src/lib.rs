//! Styxy: one word in front of a command, and its server has a port nobody else has, runs at most
//! once, is supervised, and leaves nothing behind.
//!
//! The map, from values to deeds (ARCHITECTURE.md tells the whole story):
//!
//! | room | what it knows |
//! | --- | --- |
//! | [`ports`] | a port, a range, and what lies between ranges |
//! | [`config`] | profiles, files, variables and flags, laid over each other |
//! | [`registry`] | what all styxy processes share: ranges, leases, remembered ports |
//! | [`decision`] | which port, which range, attach or start: answers without side effects |
//! | [`supervisor`] | a life of one instance as a machine without I/O, and the loop that drives it |
//! | [`os`] | the kernel: claims, processes, signals, terminals |
//! | [`store`] | the one door to the registry's file |
//! | [`operations`] | what styxy does, one verb a file |
//! | [`cli`] | the command line: one command a file |
//! | `http` | the same operations for programs and for a page; with the feature `serve` |

pub mod cli;
pub mod config;
pub mod decision;
#[doc(hidden)]
pub mod fuzzed;
#[cfg(feature = "serve")]
pub mod http;
pub mod operations;
pub mod os;
pub mod ports;
pub mod registry;
pub mod store;
pub mod supervisor;

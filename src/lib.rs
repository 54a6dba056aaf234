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
//! | [`container`] | command lines that start containers, and how these are found and ended |
//! | [`os`] | the kernel: claims, processes, signals, terminals |
//! | [`store`] | the one door to the registry's file |
//! | [`operations`] | what styxy does, one verb a file |
//! | [`cli`] | the command line: one command a file |
//! | `http` | the same operations for programs and for a page; with the feature `serve` |
//!
//! # For those who embed it
//!
//! Everything starts with a [`Host`](operations::Host): the configuration, the registry, who asks, and from
//! where. It asks no questions and prints nothing; what a person should know is handed to a function.
//!
//! ```no_run
//! use styxy::{config::parse_duration, operations::{Error, Host, allocate::Reserve, plan::Request}};
//!
//! let tell = |sentence: &str| eprintln!("{sentence}");
//! let host = Host::open(&[], &tell)?;
//! let request = Request {
//!     service_type: Some("ai".parse()?),
//!     id: Some("rag".parse()?),
//!     ..Request::default()
//! };
//! // Held for as long as this process lives.
//! let pid = i32::try_from(std::process::id()).ok();
//! let ttl = parse_duration("10m").expect("it is one");
//! let answer = host.allocate(&request, Reserve { pid, ttl }, &tell)?;
//! println!("{} has port {}", answer.id, answer.port);
//!
//! for view in host.list(&tell)?.instances {
//!     println!("{} is at {}", view.full_name(), view.url);
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! Decisions need no host: they are told all that they have to know, and answer.
//!
//! ```
//! use styxy::decision::recognise::recognise;
//!
//! let command = ["uvicorn", "shop:app"].map(str::to_owned);
//! let found = recognise(&command, &|_| None).expect("a profile knows it");
//! assert_eq!(found.tool.name, "uvicorn");
//! ```
//!
//! Names are parsed where they come in, and right from then on:
//!
//! ```
//! use styxy::{config::InstanceId, ports::{Port, Range}};
//!
//! assert!("rag".parse::<InstanceId>().is_ok());
//! assert!("../rag".parse::<InstanceId>().is_err());
//! assert!(Port::try_from(0).is_err());
//! let range: Range = "3000-3099".parse()?;
//! assert!(range.contains(Port::try_from(3000)?));
//! assert!("3099-3000".parse::<Range>().is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Below version 1 any of these may change. The JSON of the command line and its exit codes are
//! kept; programs in other languages have those, and the API of `styxy serve`.

pub mod cli;
pub mod config;
pub mod container;
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

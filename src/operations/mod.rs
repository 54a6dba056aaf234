//! What styxy does, one verb a file. Faces ask these, and nothing below them.

pub mod allocate;
pub mod attach;
pub mod audit;
pub mod check;
mod child;
pub mod cleanup;
pub mod configuration;
pub mod consent;
pub mod detach;
pub mod error;
pub mod follow;
pub mod host;
mod lease;
pub mod list;
mod live;
pub mod locate;
pub mod logs;
mod nesting;
pub mod plan;
mod port_table;
mod ports;
pub mod ranges;
pub mod refused;
pub mod release;
pub mod run;
pub mod scan;
pub mod service_types;
pub mod stop;
pub mod view;
pub mod watch;

pub use error::{Error, Failure, Kind};
pub use host::{Host, Tell};

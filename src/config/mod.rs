//! Configuration: profiles, files, variables and flags, laid over each other; each value keeps its origin.
//!
//! Only `files` and `target` touch the disk.

mod auto_allocation;
pub mod edit;
mod entries;
mod error;
mod files;
mod key_path;
mod layer;
mod name;
mod nearest;
mod procfile;
mod profile;
mod project;
mod quantity;
mod reader;
mod schema;
mod service_type;
mod spelling;
mod splice;
mod stack;
mod target;
mod trust;
mod validate;
mod value;
mod variables;

pub use auto_allocation::{AutoAllocation, AutoRule, Bounds, Placement, Strategy, group_bounds};
pub use entries::Entry;
pub use error::ConfigError;
pub use files::{Draft, Loaded, Places, check, load, procfile};
pub use layer::{Layer, Origin};
pub use name::{InstanceId, NAME_LENGTH_MAX, NameError, TypeName, is_name};
pub use nearest::suggestion;
pub use procfile::Procfile;
#[cfg(test)]
pub(crate) use profile::EXAMPLES;
pub use profile::{DEFAULT_TYPE, Place, PortFrom, Profile, Tool, profile, profiles, tool, tools};
pub use project::{Command, IfRunning, Service, Stdin, check_port_names};
pub use quantity::{DURATION_MAX, Size, parse_duration, show_duration};
pub use service_type::{
    Behavior, Liveness, LivenessSettings, PROBE_TIMEOUT_DEFAULT, READY_TIMEOUT_DEFAULT, ReadyCheck,
    RestartPolicy, STOP_TIMEOUT_DEFAULT, ScopeKind, ServiceSettings, ServiceType, SingleScope,
    StopSignal, TypeOrigin,
};
pub use stack::{Config, Document, Rotation, Serve};
pub use target::Target;
pub(crate) use validate::read_checked;
pub use value::ValueError;
pub use variables::Assignment;

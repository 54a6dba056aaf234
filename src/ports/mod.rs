//! Ports and ranges of ports: values, and the arithmetic that everything else rests on.
//!
//! Pure. Whether a port is free is a question for `os::port_probe`.

mod port;
mod port_set;
mod range;
mod range_map;

pub use port::{Port, PortError};
pub use port_set::PortSet;
pub use range::{Range, RangeError};
pub use range_map::RangeMap;

//! `styxy check`: who has a port, in words.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::{
    operations::{
        Error,
        check::{ListenerView, PortView},
    },
    ports::Port,
};

/// Tell who has a port: an instance, another program, or nobody
///
/// Ends with 0 either way; `free` in the JSON says which.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The port, 1 to 65535
    #[arg(value_name = "PORT")]
    port: Port,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let found = host.check(self.port, &|sentence| session.tell(sentence))?;
        if session.json {
            output::json(&found)?;
        } else {
            output::print(&format!(
                "port {} is {}\n",
                found.port,
                output::visible(&state(&found))
            ))?;
        }
        Ok(0)
    }
}

/// `free`, or by whom it is leased or used.
fn state(found: &PortView) -> String {
    let listener = found.listener.as_ref().map(program);
    match (&found.lease, listener) {
        (Some(lease), Some(listener)) => {
            format!("leased by {}, and {listener} listens on it", lease.full_name())
        }
        (Some(lease), None) => format!("leased by {}", lease.full_name()),
        (None, Some(listener)) => format!("in use by {listener}"),
        (None, None) if found.free => "free".to_owned(),
        (None, None) => {
            "in use, or reserved, by a program that cannot be seen from here".to_owned()
        }
    }
}

/// `nginx (pid 812)`, as far as it is known.
pub(super) fn program(listener: &ListenerView) -> String {
    let command = listener.command.as_deref().unwrap_or("a program");
    match listener.pid {
        Some(pid) => format!("{command} (pid {pid})"),
        None => format!("{command} of user {}", listener.uid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(free: bool, listener: Option<ListenerView>) -> PortView {
        PortView { port: Port::known(3000), free, lease: None, listener }
    }

    #[test]
    fn a_port_is_free_or_somebody_has_it() {
        let listener = |pid, command: Option<&str>| ListenerView {
            address: "127.0.0.1".to_owned(),
            pid,
            uid: 1000,
            command: command.map(str::to_owned),
        };
        for (found, expected) in [
            (found(true, None), "free"),
            (found(false, Some(listener(Some(812), Some("nginx")))), "in use by nginx (pid 812)"),
            (found(false, Some(listener(None, None))), "in use by a program of user 1000"),
            (found(false, None), "in use, or reserved, by a program that cannot be seen from here"),
        ] {
            assert_eq!(state(&found), expected);
        }
    }
}

//! Whether anybody listens inside a container, seen from outside: by the network of a process that is in it.
//!
//! An engine's number for that process may mean one of another machine: it has to be in a control group that is
//! named by the container's id. Where that or its network cannot be read, nothing is known.

use crate::ports::Port;
use std::fs;

/// The state LISTEN in proc_net_tcp(5).
const LISTEN: &str = "0A";

/// Whether anybody listens on that port inside; `None` where it cannot be known.
pub fn listens(pid: i32, container_id: &str, port: Port) -> Option<bool> {
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    if container_id.is_empty() || !group.contains(container_id) {
        return None;
    }
    let table = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}"));
    let (v4, v6) = (table("tcp").ok()?, table("tcp6").unwrap_or_default());
    Some(is_listed(&v4, port) || is_listed(&v6, port))
}

/// Whether a table of sockets has one that listens on the port.
fn is_listed(table: &str, port: Port) -> bool {
    let wanted = format!("{:04X}", port.number());
    table.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = fields.next().and_then(|address| address.rsplit_once(':'));
        let state = fields.nth(1);
        local.is_some_and(|(_, port)| port == wanted) && state == Some(LISTEN)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_listens_counts() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n   \
            0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0\n   \
            1: 0100007F:0051 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 0\n";
        for (port, expected) in [(0x50, true), (0x51, false), (0x1F90, false), (1, false)] {
            assert_eq!(is_listed(table, Port::known(port)), expected, "{port}");
        }
    }

    #[test]
    fn of_a_process_that_is_in_no_such_container_nothing_is_known() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(listens(own, "no-container-has-this-id", Port::MAX), None);
        assert_eq!(listens(own, "", Port::MAX), None);
    }
}

//! What this kernel can do of what styxy needs, as it lets us.

use super::{listeners::SockDiag, process};
use crate::ports::{Port, Range};
use std::fs;

/// `::1` as `/proc/net/if_inet6` spells it.
const LOOPBACK: &str = "00000000000000000000000000000001";

/// Its name and number, as `Linux 6.1.0`.
pub fn release() -> String {
    let told = rustix::system::uname();
    format!("{} {}", told.sysname().to_string_lossy(), told.release().to_string_lossy())
}

/// Whether it gives handles for processes (Linux 5.3); a container's filter may forbid it.
pub fn has_pidfds() -> bool {
    let own_pid = i32::try_from(std::process::id()).expect("a pid fits 31 bits");
    process::identify(own_pid).is_ok_and(|own| process::Handle::open(&own).is_ok())
}

/// Whether it tells who listens on a port (sock_diag).
pub fn tells_listeners() -> bool {
    SockDiag::open().and_then(|mut kernel| kernel.listening_on(Port::MIN)).is_ok()
}

/// Whether it speaks IPv6 with itself.
pub fn has_ipv6() -> bool {
    fs::read_to_string("/proc/net/if_inet6").is_ok_and(|text| text.contains(LOOPBACK))
}

/// Ports that it never chooses for outgoing connections, though they are in its range for that.
pub fn spared_ports() -> Vec<Range> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports");
    parse_ports(&text.unwrap_or_default())
}

/// `3000-3099,5432`.
fn parse_ports(text: &str) -> Vec<Range> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Range::new(first.parse().ok()?, last.parse().ok()?).ok()
    };
    text.trim().split(',').filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_what_the_tests_need() {
        assert!(has_pidfds() && tells_listeners());
        assert!(release().starts_with("Linux "), "{}", release());
    }

    #[test]
    fn spared_ports_are_single_ones_and_ranges() {
        assert_eq!(parse_ports("\n"), []);
        assert_eq!(
            parse_ports("3000-3099,5432\n"),
            [Range::known(3000, 3099), Range::known(5432, 5432)]
        );
    }
}

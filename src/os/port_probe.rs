//! Whether a port is free, and which ports the kernel gives out by itself.
//!
//! A free port may be taken the next moment: who wants it takes a [`Claim`].

use super::claim::{Claim, ClaimError, Reserve};
use crate::ports::{Port, Range};
use std::io;

/// What a port is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortUse {
    /// A claim would succeed.
    Free,
    /// Another styxy has its name, or another program has the port.
    Taken,
    /// Only a privileged user could tell, or use it.
    NotPermitted,
}

/// What a claim of the port would find. An error means that the kernel could not even be asked.
///
/// It *is* a claim, let go at once: a probe that did not hold the port's name meanwhile could fail
/// the bind of another styxy's claim, whereas one that does is waited for.
pub fn probe(port: Port) -> io::Result<PortUse> {
    match Claim::take_at_once(port, Reserve::No) {
        Ok(_) => Ok(PortUse::Free),
        Err(ClaimError::Taken(_)) => Ok(PortUse::Taken),
        Err(ClaimError::NotPermitted(_)) => Ok(PortUse::NotPermitted),
        Err(ClaimError::Failed { source, .. }) => Err(source),
    }
}

/// The ports from which the kernel chooses for outgoing connections, where it says so.
pub fn ephemeral_range() -> Option<Range> {
    parse_range(&std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?)
}

/// Two numbers between blanks.
fn parse_range(text: &str) -> Option<Range> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    Range::new(numbers.next()?.ok()?, numbers.next()?.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_process::comes_true;
    use std::net::{Ipv6Addr, TcpListener};

    fn becomes_free(port: Port) -> bool {
        comes_true(|| probe(port).unwrap() == PortUse::Free)
    }

    #[test]
    fn a_port_is_taken_while_someone_listens_or_claims_it() {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let port = Port::known(listener.local_addr().unwrap().port());
        assert_eq!(probe(port).unwrap(), PortUse::Taken);
        drop(listener);
        assert!(becomes_free(port));

        let mut claim = None;
        assert!(comes_true(|| {
            claim = Claim::take(port, Reserve::Yes).ok();
            claim.is_some()
        }));
        assert_eq!(probe(port).unwrap(), PortUse::Taken);
        claim.as_mut().unwrap().drop_reservation();
        assert_eq!(probe(port).unwrap(), PortUse::Taken);
        drop(claim);
        assert!(becomes_free(port), "and a probe leaves nothing behind");
    }

    #[test]
    fn the_kernels_two_numbers_are_a_range() {
        for (text, expected) in [
            ("32768\t60999\n", Some(Range::known(32768, 60999))),
            ("1024 65535", Some(Range::known(1024, 65535))),
            ("60999\t32768\n", None),
            ("32768", None),
            ("", None),
        ] {
            assert_eq!(parse_range(text), expected, "{text:?}");
        }
        assert!(ephemeral_range().is_some());
    }
}

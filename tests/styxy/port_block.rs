//! A block of ports that no other test on this machine uses at the same time.

use crate::patience::until_my_turn;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, socket};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports a block has.
pub(crate) const BLOCK_SIZE: u16 = 256;
/// Above every built-in range and what auto-allocation puts right behind them.
const FIRST: u16 = 14_000;
/// Below the kernel's ephemeral range, which begins at 32768: 70 blocks fit between.
const BLOCKS: u32 = 70;

/// The next block to try, so that one is taken up again as late as possible.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The ports of a block in which only servers run that want a rested one.
const FOR_RESTED: std::ops::Range<u16> = 216..256;

/// Whether even a program that does not set SO_REUSEADDR can have the port.
fn is_rested(port: u16) -> bool {
    let flags = SockFlag::SOCK_CLOEXEC;
    let door = socket(AddressFamily::Inet, SockType::Stream, flags, None).expect("a socket");
    bind(door.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, port)).is_ok()
}

/// A block of ports, ours until it is dropped or the test process ends, however it ends.
#[derive(Debug)]
pub(crate) struct PortBlock {
    first: u16,
    /// An abstract Unix socket's name has one owner on the machine; the kernel frees it.
    _claim: UnixListener,
}

impl PortBlock {
    /// Claims a block.
    pub(crate) fn claim() -> Self {
        for _ in 0..BLOCKS {
            // Test processes that start together begin at different blocks.
            let turn = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 37;
            let number = u16::try_from(turn % BLOCKS).expect("there are few blocks");
            let name = SocketAddr::from_abstract_name(format!("styxy-tests-block-{number}"))
                .expect("the name is short");
            let first = FIRST + number * BLOCK_SIZE;
            if let Ok(claim) = UnixListener::bind_addr(&name) {
                return Self { first, _claim: claim };
            }
        }
        panic!("all {BLOCKS} blocks of ports are used by other tests on this machine");
    }

    /// The port at that place of the block.
    pub(crate) fn port(&self, place: u16) -> u16 {
        assert!(place < BLOCK_SIZE, "{place} is not in the block");
        self.first + place
    }

    /// A range of one port in which no earlier test left a connection in TIME_WAIT: a server that does not
    /// set SO_REUSEADDR could not start there.
    pub(crate) fn rested(&self) -> String {
        let mut places = FOR_RESTED;
        let place = places.find(|place| is_rested(self.port(*place)));
        let place = place.expect("few tests want such a port, and a minute lets one rest");
        self.range(place, place)
    }

    /// A range of the block as it is written in TOML.
    pub(crate) fn range(&self, first: u16, last: u16) -> String {
        format!("[{}, {}]", self.port(first), self.port(last))
    }
}

/// Ports for storms that need more than a block: above the kernel's ephemeral range, where no type is.
#[derive(Debug)]
pub(crate) struct HighPorts {
    /// One test at a time; the kernel frees the name.
    _claim: UnixListener,
}

impl HighPorts {
    pub(crate) const FIRST: u16 = 61_000;
    pub(crate) const LAST: u16 = 65_000;

    /// Waits until no other test has them.
    pub(crate) fn claim() -> Self {
        let name = SocketAddr::from_abstract_name("styxy-tests-high").expect("the name is short");
        let look = || UnixListener::bind_addr(&name).ok();
        Self { _claim: until_my_turn("the high ports", look) }
    }

    /// `[auto_allocation]` that has all of them, and more settings.
    pub(crate) fn config(&self, more: &str) -> String {
        let (first, last) = (Self::FIRST, Self::LAST);
        format!(
            "[auto_allocation]\nmin_port = {first}\nmax_port = {last}\navoid_ephemeral = false\n{more}"
        )
    }
}

//! A port claimed in the kernel: the name, then the reservation; held while its holder lives.
//!
//! Which port to claim is `decision::port`'s business. Both objects go with the process that holds
//! them, however it dies; neither is ever written down, so neither can be left behind.

use super::listen_fd;
use crate::ports::Port;
use nix::errno::Errno;
use nix::poll::poll;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, UnixAddr,
    bind, listen, setsockopt, socket, sockopt,
};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd};

/// A passing probe holds a name for some 10 µs; after this wait, who still has it means to keep it.
const NAME_PATIENCE_MS: u8 = 1;

/// A port that is this process's until the value is dropped or the process ends.
#[derive(Debug)]
pub struct Claim {
    port: Port,
    /// The abstract Unix socket `\0styxy-port-N`, never used, only held.
    _name: OwnedFd,
    /// The TCP socket that keeps other programs and the kernel's ephemeral choice away.
    reservation: Option<OwnedFd>,
}

/// Whether a claim holds the TCP port itself, beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// As nearly every server can bear it.
    Yes,
    /// For programs that don't set `SO_REUSEADDR`: the port is looked at, the name alone is held.
    No,
}

/// Why a port could not be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another styxy has its name, or another program has the port.
    #[error("port {0} is taken")]
    Taken(Port),
    /// The kernel keeps this port for privileged users, so nobody can say whether it is free.
    #[error("this user is not permitted to bind port {0}")]
    NotPermitted(Port),
    /// The kernel could not even be asked.
    #[error("cannot claim port {port}")]
    Failed {
        /// The port asked about.
        port: Port,
        /// What the kernel said instead.
        source: io::Error,
    },
}

impl Claim {
    /// Claims the port, or says why not.
    pub fn take(port: Port, reserve: Reserve) -> Result<Self, ClaimError> {
        let name = match named(port) {
            Err(Errno::EADDRINUSE) => {
                // Waiting, not looking. EINTR ends the wait early, which is as good.
                let _ = poll(&mut [], NAME_PATIENCE_MS);
                named(port)
            }
            outcome => outcome,
        };
        Self::with_name(port, name, reserve)
    }

    /// Claims the port without waiting for a probe that passes by.
    pub(super) fn take_at_once(port: Port, reserve: Reserve) -> Result<Self, ClaimError> {
        Self::with_name(port, named(port), reserve)
    }

    /// The name comes first: who has it is alone on the port among all styxy processes.
    fn with_name(
        port: Port,
        name: Result<OwnedFd, Errno>,
        reserve: Reserve,
    ) -> Result<Self, ClaimError> {
        let refused = |errno| match errno {
            Errno::EADDRINUSE => ClaimError::Taken(port),
            Errno::EACCES => ClaimError::NotPermitted(port),
            other => ClaimError::Failed { port, source: other.into() },
        };
        let name = name.map_err(refused)?;
        let reservation = reserved(port).map_err(refused)?;
        let reservation = match reserve {
            Reserve::Yes => Some(reservation),
            Reserve::No => None,
        };
        Ok(Self { port, _name: name, reservation })
    }

    /// The port.
    pub fn port(&self) -> Port {
        self.port
    }

    /// Whether the TCP port itself is held.
    pub fn is_reserved(&self) -> bool {
        self.reservation.is_some()
    }

    /// Listens on the port, where instances are reached. From then on nobody else can bind it on any
    /// address, so it cannot be stolen: over a reservation without SO_REUSEADDR nothing starts.
    pub fn listen(&mut self) -> Result<OwnedFd, ClaimError> {
        let failed = |errno: Errno| ClaimError::Failed { port: self.port, source: errno.into() };
        let listening = listen_fd::listen_on(self.port)?;
        if let Some(reservation) = &self.reservation {
            setsockopt(reservation, sockopt::ReuseAddr, &false).map_err(failed)?;
        }
        Ok(listening)
    }

    /// Lets a program start that doesn't set `SO_REUSEADDR`: the name alone stays held.
    pub fn drop_reservation(&mut self) {
        self.reservation = None;
    }
}

/// The name, which is exclusive in its network namespace for all users and all registries.
///
/// The type of the socket is part of the agreement between all versions of styxy: the kernel keeps
/// the abstract names of stream and datagram sockets apart.
fn named(port: Port) -> Result<OwnedFd, Errno> {
    let name = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None::<SockProtocol>,
    )?;
    let mut text = [0; "styxy-port-65535".len()];
    let mut rest = &mut text[..];
    write!(rest, "styxy-port-{port}").map_err(|_| Errno::ENAMETOOLONG)?;
    let unused = rest.len();
    let length = text.len() - unused;
    bind(name.as_raw_fd(), &UnixAddr::new_abstract(&text[..length])?)?;
    Ok(name)
}

/// The reservation: bound, never listening, and open to a server that sets `SO_REUSEADDR`.
fn reserved(port: Port) -> Result<OwnedFd, Errno> {
    match bound(port, Reuse::AfterBind) {
        Err(Errno::EADDRINUSE) => reserved_over_time_wait(port),
        outcome => outcome,
    }
}

/// The reservation of a port on which nothing is left but closed connections in TIME_WAIT.
///
/// Not exclusive by itself, since two processes can do it at once: only for who has the name.
fn reserved_over_time_wait(port: Port) -> Result<OwnedFd, Errno> {
    let reservation = bound(port, Reuse::BeforeBind)?;
    // listen(2): EADDRINUSE where another socket is listening on the same port. So nobody is.
    let trial = bound(port, Reuse::BeforeBind)?;
    listen(&trial, Backlog::new(1)?)?;
    Ok(reservation)
}

/// When `SO_REUSEADDR` is switched on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reuse {
    /// The bind excludes everybody else's; servers may start over it afterwards.
    AfterBind,
    /// The bind tolerates TIME_WAIT and other sockets that have it on and don't listen.
    BeforeBind,
}

/// A TCP socket bound to the port on every address of both families, or of IPv4 where IPv6 is off.
fn bound(port: Port, reuse: Reuse) -> Result<OwnedFd, Errno> {
    match bound_in(AddressFamily::Inet6, port, reuse) {
        Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) => {
            bound_in(AddressFamily::Inet, port, reuse)
        }
        outcome => outcome,
    }
}

fn bound_in(family: AddressFamily, port: Port, reuse: Reuse) -> Result<OwnedFd, Errno> {
    let tcp = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None::<SockProtocol>)?;
    if reuse == Reuse::BeforeBind {
        setsockopt(&tcp, sockopt::ReuseAddr, &true)?;
    }
    if family == AddressFamily::Inet6 {
        setsockopt(&tcp, sockopt::Ipv6V6Only, &false)?;
        let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port.number(), 0, 0);
        bind(tcp.as_raw_fd(), &SockaddrIn6::from(any))?;
    } else {
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port.number());
        bind(tcp.as_raw_fd(), &SockaddrIn::from(any))?;
    }
    if reuse == Reuse::AfterBind {
        setsockopt(&tcp, sockopt::ReuseAddr, &true)?;
    }
    Ok(tcp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_process::{TestProcess, comes_true};
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;
    use std::sync::Barrier;

    /// A port that the kernel thinks is free.
    fn free_port() -> Port {
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        Port::known(listener.local_addr().unwrap().port())
    }

    /// A server as std makes it, with SO_REUSEADDR.
    fn listener_on(address: &str, port: Port) -> TcpListener {
        let mut listener = None;
        comes_true(|| {
            listener = TcpListener::bind((address, port.number())).ok();
            listener.is_some()
        });
        listener.expect("a server starts over a reservation")
    }

    fn claimed(port: Port) -> Claim {
        let mut claim = None;
        comes_true(|| {
            claim = Claim::take(port, Reserve::Yes).ok();
            claim.is_some()
        });
        claim.expect("a free port can be claimed")
    }

    fn is_taken(port: Port, reserve: Reserve) -> bool {
        matches!(Claim::take(port, reserve), Err(ClaimError::Taken(taken)) if taken == port)
    }

    #[test]
    fn a_claimed_port_is_taken_until_the_claim_is_dropped() {
        let port = free_port();
        let claim = claimed(port);
        assert_eq!(claim.port(), port);
        assert!(is_taken(port, Reserve::Yes));
        assert!(is_taken(port, Reserve::No));
        drop(claim);
        claimed(port);
    }

    #[test]
    fn a_name_without_a_reservation_is_a_claim_as_well() {
        let port = free_port();
        let mut claim = None;
        assert!(comes_true(|| {
            claim = Claim::take(port, Reserve::No).ok();
            claim.is_some()
        }));
        assert!(claim.is_some_and(|claim| !claim.is_reserved() && is_taken(port, Reserve::Yes)));
    }

    #[test]
    fn a_server_with_reuse_starts_over_a_reservation() {
        let port = free_port();
        let claim = claimed(port);
        for address in ["127.0.0.1", "0.0.0.0", "::1", "::"] {
            let listener = listener_on(address, port);
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        }
        assert!(claim.is_reserved());
    }

    #[test]
    fn a_server_without_reuse_starts_only_when_the_reservation_is_dropped() {
        let port = free_port();
        let mut claim = claimed(port);
        let server = || bound_in(AddressFamily::Inet, port, Reuse::AfterBind);
        assert_eq!(server().err(), Some(Errno::EADDRINUSE));
        claim.drop_reservation();
        assert!(comes_true(|| server().is_ok()));
        assert!(is_taken(port, Reserve::Yes), "the name stays held");
    }

    #[test]
    fn a_port_with_nothing_but_time_wait_can_be_claimed() {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port.number())).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", port.number())).unwrap();
        // Who closes first keeps TIME_WAIT: the server does.
        drop(listener.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop((client, listener));
        assert_eq!(bound(port, Reuse::AfterBind).err(), Some(Errno::EADDRINUSE));

        let claim = claimed(port);

        assert!(claim.is_reserved());
        assert!(is_taken(port, Reserve::Yes));
        listener_on("127.0.0.1", port);
    }

    #[test]
    fn a_listener_on_any_address_of_either_family_is_in_the_way() {
        for address in ["127.0.0.1", "0.0.0.0", "::1", "::"] {
            let listener = TcpListener::bind((address, 0)).unwrap();
            let port = Port::known(listener.local_addr().unwrap().port());
            assert!(is_taken(port, Reserve::Yes), "{address}");
            assert!(is_taken(port, Reserve::No), "{address}");
        }
    }

    #[test]
    fn a_port_that_is_listened_on_cannot_be_stolen_on_any_address() {
        let port = free_port();
        let mut claim = claimed(port);
        let listening = TcpListener::from(claim.listen().unwrap());
        TcpStream::connect(("127.0.0.1", port.number())).unwrap();
        for address in ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::"] {
            let thief = TcpListener::bind((address, port.number())).map_err(|error| error.kind());
            assert_eq!(thief.err(), Some(io::ErrorKind::AddrInUse), "{address}");
        }
        assert!(matches!(claim.listen(), Err(ClaimError::Taken(taken)) if taken == port));
        drop((claim, listening));
        claimed(port);
    }

    #[test]
    fn a_failed_claim_gives_its_name_back() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = Port::known(listener.local_addr().unwrap().port());
        assert!(is_taken(port, Reserve::Yes));
        assert!(comes_true(|| named(port).is_ok()));
    }

    /// How many of eight threads get the port, when all ask at once and hold what they got.
    fn winners_of_a_race(port: Port) -> usize {
        let (start, end) = (Barrier::new(8), Barrier::new(8));
        std::thread::scope(|scope| {
            let claimer = || {
                start.wait();
                let claim = Claim::take(port, Reserve::Yes);
                end.wait();
                usize::from(claim.is_ok())
            };
            let claimers: Vec<_> = (0..8).map(|_| scope.spawn(claimer)).collect();
            claimers.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    }

    #[test]
    fn of_eight_claimers_at_once_one_wins() {
        let port = free_port();
        assert!(comes_true(|| {
            let winners = winners_of_a_race(port);
            assert!(winners <= 1, "{winners} claims on one port");
            winners == 1
        }));
    }

    /// The other process of the next test: claims the port that it is told, then waits to be killed.
    #[test]
    #[ignore = "started by a_claim_goes_with_its_process"]
    fn hold_a_claim() {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        let _claim = claimed(line.trim().parse().unwrap());
        writeln!(io::stdout(), "\nclaimed").unwrap();
        std::io::stdin().read_line(&mut line).unwrap();
    }

    #[test]
    fn a_claim_goes_with_its_process() {
        let port = free_port();
        let mut other = TestProcess::start(Command::new(std::env::current_exe().unwrap()).args([
            "--exact",
            "os::claim::tests::hold_a_claim",
            "--ignored",
            "--nocapture",
        ]));
        other.tell(&port.to_string());
        // The test runner says other things as well.
        while other.hear() != "claimed" {}
        assert!(is_taken(port, Reserve::Yes));

        drop(other);

        claimed(port);
    }
}

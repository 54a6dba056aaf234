//! Listening sockets that styxy makes and a command is given (`--listen-fd`), as sd_listen_fds(3) has it.
//!
//! Passing them on is `spawn`'s business; keeping others off their ports is `claim`'s.
#![expect(unsafe_code, reason = "a descriptor that was inherited is known by its number alone")]

use super::{claim::ClaimError, spawn::newborn::FIRST_SOCKET};
use crate::ports::Port;
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrStorage,
        bind, getsockname, getsockopt, listen, setsockopt, socket, sockopt,
    },
};
use std::{
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

/// Makes a socket that listens on the port, on the address where instances are reached.
pub fn listen_on(port: Port) -> Result<OwnedFd, ClaimError> {
    listening(port).map_err(|errno| match errno {
        Errno::EADDRINUSE => ClaimError::Taken(port),
        Errno::EACCES => ClaimError::NotPermitted(port),
        other => ClaimError::Failed { port, source: other.into() },
    })
}

fn listening(port: Port) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let tcp = socket(AddressFamily::Inet, SockType::Stream, flags, None::<SockProtocol>)?;
    // Over a reservation, and over what closed connections left in TIME_WAIT.
    setsockopt(&tcp, sockopt::ReuseAddr, &true)?;
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port.number());
    bind(tcp.as_raw_fd(), &SockaddrIn::from(address))?;
    // As many as the kernel allows: connections wait there while the command starts or is started again.
    listen(&tcp, Backlog::MAXALLOWABLE)?;
    Ok(tcp)
}

/// The sockets for these ports that this process itself was passed, if it was passed them all.
pub fn inherited(ports: &[Port]) -> Option<Vec<BorrowedFd<'static>>> {
    ports.iter().zip(FIRST_SOCKET..).map(|(port, fd)| inherited_at(fd, *port)).collect()
}

fn inherited_at(fd: RawFd, port: Port) -> Option<BorrowedFd<'static>> {
    let address: SockaddrStorage = getsockname(fd).ok()?;
    let of_v4 = address.as_sockaddr_in().map(SockaddrIn::port);
    let bound_to = of_v4.or(address.as_sockaddr_in6().map(|address| address.port()))?;
    // SAFETY: getsockname has just found it open. Who asks is about to become another program, and
    // closes nothing that it did not open.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    let listens = getsockopt(&socket, sockopt::AcceptConn).ok()?;
    (listens && bound_to == port.number()).then_some(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_connection_is_taken_before_anybody_accepts_it() {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Port::known(door.local_addr().unwrap().port());
        assert!(matches!(listen_on(port), Err(ClaimError::Taken(taken)) if taken == port));
        drop(door);

        let Ok(listening) = listen_on(port) else { return };

        TcpStream::connect(("127.0.0.1", port.number())).unwrap();
        let found = inherited_at(listening.as_raw_fd(), port).map(|socket| socket.as_raw_fd());
        assert_eq!(found, Some(listening.as_raw_fd()));
        assert!(inherited_at(listening.as_raw_fd(), Port::known(1)).is_none());
    }

    #[test]
    fn what_is_no_socket_was_not_passed_on() {
        let file = tempfile::tempfile().unwrap();
        assert!(inherited_at(file.as_raw_fd(), Port::known(1)).is_none());
    }
}

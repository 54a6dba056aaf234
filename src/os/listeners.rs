//! Who listens on a port: asked of the kernel by sock_diag, and the process behind a socket's inode.
//!
//! `/proc/net/tcp` says the same a hundred times slower. Which listener counts as ready is
//! `supervisor::readiness`'s business.

use super::process::{all_pids, command_line, identify, is_gone, numbered_entries};
use crate::ports::Port;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

/// A socket that is bound to a port and listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens; unspecified for all addresses, of both families where it is an IPv6 one.
    pub address: IpAddr,
    /// Its port.
    pub port: Port,
    /// The inode of its socket, by which its process is found.
    pub inode: u32,
    /// The user who made it.
    pub uid: u32,
}

/// Who has a port, for a message to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortHolder {
    /// Where.
    pub address: IpAddr,
    /// The user who made the socket.
    pub uid: u32,
    /// Its process, where this user may know it.
    pub pid: Option<i32>,
    /// The command line of that process.
    pub command: Option<String>,
    /// Whether it listens. Who does not has only reserved the port, as another styxy does.
    pub listens: bool,
}

/// Whose socket it is, as far as a list of processes tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// This process has it open.
    Process(i32),
    /// None of them has.
    NotThere,
    /// None of those that could be looked into has.
    Unreadable,
}

// What linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h lay down, in the order of use.
const HEADER_LENGTH: usize = 16;
const REQUEST_LENGTH: u32 = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP_REQUEST: u16 = 0x301;
const IPPROTO_TCP: u8 = 6;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `struct inet_diag_msg`; the attributes that follow it are not looked at.
const ANSWER_LENGTH: usize = 72;
/// A dump comes in pieces of a page, 8 KiB at most (`NLMSG_GOODSIZE`).
const PIECE_LENGTH_MAX: usize = 8192;

/// The families of addresses, as the kernel's numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4 = 2,
    V6 = 10,
}

/// The states of sockets that a request asks for, as the kernel's bits.
#[derive(Clone, Copy, PartialEq, Eq)]
struct States(u32);

impl States {
    const LISTENING: Self = Self(1 << 10);
    /// Bound, neither listening nor connected: a reservation. Kernels before 6.8 show none.
    const RESERVED: Self = Self(1 << 13);
}

/// A netlink socket to ask the kernel with, as often as one likes.
#[derive(Debug)]
pub struct SockDiag {
    netlink: OwnedFd,
    sequence: u32,
}

impl SockDiag {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        let netlink = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkSockDiag,
        )?;
        Ok(Self { netlink, sequence: 0 })
    }

    /// Who listens on this port, on whatever address of either family.
    pub fn listening_on(&mut self, port: Port) -> io::Result<Vec<Listener>> {
        self.ask(States::LISTENING, Some(port))
    }

    /// Everyone who listens on a TCP port.
    pub fn all_listening(&mut self) -> io::Result<Vec<Listener>> {
        self.ask(States::LISTENING, None)
    }

    fn ask(&mut self, states: States, port: Option<Port>) -> io::Result<Vec<Listener>> {
        let mut found = Vec::new();
        self.dump(&Request { family: Family::V4, states, port }, &mut found)?;
        match self.dump(&Request { family: Family::V6, states, port }, &mut found) {
            // Where IPv6 is not built in, nobody listens on it.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => outcome?,
        }
        Ok(found)
    }

    fn dump(&mut self, request: &Request, found: &mut Vec<Listener>) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let message = request.message(self.sequence);
        retry(|| send(self.netlink.as_raw_fd(), &message, MsgFlags::empty()))?;
        let mut piece = [0; PIECE_LENGTH_MAX];
        loop {
            // With MSG_TRUNC the length is that of the whole piece, whatever fitted.
            let length = retry(|| recv(self.netlink.as_raw_fd(), &mut piece, MsgFlags::MSG_TRUNC))?;
            let piece = piece.get(..length).ok_or_else(malformed)?;
            match read_piece(piece, self.sequence, found)? {
                Dump::GoesOn => {}
                Dump::Ended => break,
            }
        }
        // The kernel has filtered by port; older ones only for some states.
        found.retain(|listener| request.port.is_none_or(|port| port == listener.port));
        Ok(())
    }
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            outcome => return Ok(outcome?),
        }
    }
}

/// Which sockets are asked for.
struct Request {
    family: Family,
    states: States,
    port: Option<Port>,
}

impl Request {
    fn message(&self, sequence: u32) -> [u8; REQUEST_LENGTH as usize] {
        let mut message = [0; REQUEST_LENGTH as usize];
        let mut put = |offset: usize, bytes: &[u8]| {
            message[offset..offset + bytes.len()].copy_from_slice(bytes);
        };
        put(0, &REQUEST_LENGTH.to_ne_bytes());
        put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        put(6, &DUMP_REQUEST.to_ne_bytes());
        put(8, &sequence.to_ne_bytes());
        // struct inet_diag_req_v2: family, protocol, attributes, padding, states, socket.
        put(HEADER_LENGTH, &[self.family as u8, IPPROTO_TCP]);
        put(HEADER_LENGTH + 4, &self.states.0.to_ne_bytes());
        if let Some(port) = self.port {
            put(HEADER_LENGTH + 8, &port.number().to_be_bytes());
        }
        message
    }
}

/// Whether more of a dump will come after a piece of it.
#[derive(Debug, PartialEq, Eq)]
enum Dump {
    GoesOn,
    Ended,
}

/// Reads the messages of one piece; those of an earlier request are passed over.
fn read_piece(mut piece: &[u8], sequence: u32, found: &mut Vec<Listener>) -> io::Result<Dump> {
    while !piece.is_empty() {
        let length = usize::try_from(u32_at(piece, 0)?).map_err(|_| malformed())?;
        let body = piece.get(HEADER_LENGTH..length).ok_or_else(malformed)?;
        if u32_at(piece, 8)? == sequence {
            match u16::from_ne_bytes(bytes_at(piece, 4)?) {
                NLMSG_DONE => return Ok(Dump::Ended),
                NLMSG_ERROR => {
                    let negated = i32::from_ne_bytes(bytes_at(body, 0)?);
                    return Err(io::Error::from_raw_os_error(negated.saturating_neg()));
                }
                SOCK_DIAG_BY_FAMILY => found.extend(read_answer(body)?),
                _ => {}
            }
        }
        piece = piece.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(Dump::GoesOn)
}

/// Reads a `struct inet_diag_msg`. `None` for a socket without a port.
fn read_answer(body: &[u8]) -> io::Result<Option<Listener>> {
    let body = body.get(..ANSWER_LENGTH).ok_or_else(malformed)?;
    let address = if body[0] == Family::V4 as u8 {
        IpAddr::from(bytes_at::<4>(body, 8)?)
    } else {
        IpAddr::from(bytes_at::<16>(body, 8)?)
    };
    let port = Port::try_from(u32::from(u16::from_be_bytes(bytes_at(body, 4)?)));
    let (uid, inode) = (u32_at(body, 64)?, u32_at(body, 68)?);
    Ok(port.ok().map(|port| Listener { address, port, inode, uid }))
}

fn u32_at(bytes: &[u8], offset: usize) -> io::Result<u32> {
    bytes_at(bytes, offset).map(u32::from_ne_bytes)
}

fn bytes_at<const LENGTH: usize>(bytes: &[u8], offset: usize) -> io::Result<[u8; LENGTH]> {
    let found = bytes.get(offset..offset + LENGTH).and_then(|part| part.try_into().ok());
    found.ok_or_else(malformed)
}

fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the kernel's answer about sockets makes no sense")
}

/// Which of these processes has the socket open.
pub fn owner_among(inode: u32, pids: impl IntoIterator<Item = i32>) -> Owner {
    let mut unreadable = false;
    for pid in pids {
        match has_socket(pid, inode) {
            Ok(true) => return Owner::Process(pid),
            Ok(false) => {}
            Err(error) => unreadable |= !is_gone(&error),
        }
    }
    if unreadable { Owner::Unreadable } else { Owner::NotThere }
}

/// The process that has a socket open, as far as this user may see: of several the oldest, which is the
/// server and not its worker, or a copy that is about to become another program.
pub fn find_owner(inode: u32) -> Option<i32> {
    let holders =
        all_pids().ok()?.into_iter().filter(|pid| has_socket(*pid, inode).unwrap_or(false));
    holders.min_by_key(|pid| identify(*pid).map_or(u64::MAX, |process| process.start))
}

/// A process that listens on a port, as far as it can be looked into. Who only reserved the port is not
/// asked for: the kernel walks through all of its ports for that, which takes twenty times as long.
pub fn listening_process(port: Port) -> Option<i32> {
    let listeners = SockDiag::open().and_then(|mut kernel| kernel.listening_on(port));
    listeners.ok()?.into_iter().find_map(|listener| find_owner(listener.inode))
}

/// The ports on which anybody listens; `None` where the kernel does not say.
pub fn listening_ports() -> Option<BTreeSet<Port>> {
    let listeners = SockDiag::open().and_then(|mut kernel| kernel.all_listening()).ok()?;
    Some(listeners.into_iter().map(|listener| listener.port).collect())
}

/// Who has a port: its listeners first, then who reserved it. For messages: slow.
pub fn who_holds(port: Port) -> io::Result<Vec<PortHolder>> {
    let mut kernel = SockDiag::open()?;
    let mut holders = Vec::new();
    for (states, listens) in [(States::LISTENING, true), (States::RESERVED, false)] {
        for socket in kernel.ask(states, Some(port))? {
            let pid = find_owner(socket.inode);
            let command = pid.and_then(command_line).map(|arguments| arguments.join(" "));
            let Listener { address, uid, .. } = socket;
            holders.push(PortHolder { address, uid, pid, command, listens });
        }
    }
    Ok(holders)
}

/// Whether the process has the socket open.
fn has_socket(pid: i32, inode: u32) -> io::Result<bool> {
    let link = format!("socket:[{inode}]");
    let descriptors = format!("/proc/{pid}/fd");
    // One that is closed while we look is none.
    let leads_there = |descriptor: i32| {
        fs::read_link(format!("{descriptors}/{descriptor}"))
            .is_ok_and(|target| target.as_os_str() == link.as_str())
    };
    Ok(numbered_entries(&descriptors)?.into_iter().any(leads_there))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::claim::{Claim, Reserve};
    use crate::os::test_process::comes_true;
    use proptest::prelude::*;
    use std::net::TcpListener;
    use std::os::unix::fs::MetadataExt;

    fn own_pid() -> i32 {
        std::process::id().try_into().unwrap()
    }

    fn port_of(listener: &TcpListener) -> Port {
        Port::known(listener.local_addr().unwrap().port())
    }

    /// The inode of a descriptor's socket, as the file system tells it.
    fn inode_of(socket: &impl AsRawFd) -> u32 {
        let metadata = fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        metadata.ino().try_into().unwrap()
    }

    #[test]
    fn the_process_behind_a_port_listens_there() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = port_of(&listener);
        assert_eq!(listening_process(port), Some(own_pid()));
        drop(listener);
        assert!(comes_true(|| listening_process(port).is_none()));
    }

    #[test]
    fn a_listener_of_either_family_is_found_until_it_is_closed() {
        let mut kernel = SockDiag::open().unwrap();
        for address in ["127.0.0.1", "0.0.0.0", "::1", "::"] {
            let server = TcpListener::bind((address, 0)).unwrap();
            let port = port_of(&server);
            let expected = Listener {
                address: address.parse().unwrap(),
                port,
                inode: inode_of(&server),
                uid: nix::unistd::geteuid().as_raw(),
            };
            // Other tests may listen on the same port of another address.
            assert!(kernel.listening_on(port).unwrap().contains(&expected));
            assert!(kernel.all_listening().unwrap().contains(&expected));
            assert_eq!(owner_among(expected.inode, [1, own_pid()]), Owner::Process(own_pid()));
            drop(server);
            assert!(comes_true(|| !kernel.listening_on(port).unwrap().contains(&expected)));
        }
    }

    #[test]
    fn several_listeners_share_a_port_on_different_addresses() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port_of(&first);
        let second = TcpListener::bind(("127.0.0.2", port.number())).unwrap();
        let found = SockDiag::open().unwrap().listening_on(port).unwrap();
        for server in [first, second] {
            assert!(found.iter().any(|listener| listener.inode == inode_of(&server)));
        }
        assert!(found.iter().all(|listener| listener.port == port));
    }

    #[test]
    fn a_dump_in_several_pieces_is_read_whole() {
        let servers: Vec<_> = (0..200).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let all = SockDiag::open().unwrap().all_listening().unwrap();
        for server in &servers {
            assert!(all.iter().any(|listener| listener.inode == inode_of(server)));
        }
    }

    #[test]
    fn a_socket_of_nobody_in_the_list_is_not_theirs() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = inode_of(&server);
        assert_eq!(owner_among(inode, []), Owner::NotThere);
        assert_eq!(owner_among(inode, [i32::MAX]), Owner::NotThere, "who has ended has nothing");
        assert_eq!(find_owner(inode), Some(own_pid()));
    }

    #[test]
    fn a_message_names_the_listener_and_who_reserved_the_port() {
        let server = TcpListener::bind("[::]:0").unwrap();
        let holders = who_holds(port_of(&server)).unwrap();
        assert_eq!(holders.len(), 1);
        assert_eq!((holders[0].pid, holders[0].listens), (Some(own_pid()), true));
        assert_eq!(holders[0].command, command_line(own_pid()).map(|words| words.join(" ")));

        let port = port_of(&server);
        drop(server);
        let mut claim = None;
        assert!(comes_true(|| {
            claim = Claim::take(port, Reserve::Yes).ok();
            claim.is_some()
        }));
        assert!(SockDiag::open().unwrap().listening_on(port).unwrap().is_empty());
        // Kernels before 6.8 don't show it.
        for holder in who_holds(port).unwrap() {
            assert_eq!((holder.pid, holder.listens), (Some(own_pid()), false));
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(piece in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_piece(&piece, 1, &mut Vec::new());
        }

        #[test]
        fn no_message_of_a_known_kind_makes_it_panic(
            kind in 0..24_u16,
            length in 0..120_u32,
            body in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let header = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0, 0], &[1, 0, 0, 0]];
            let piece = [&header.concat()[..], &[0; 4], &body].concat();
            let _ = read_piece(&piece, u32::from_ne_bytes([1, 0, 0, 0]), &mut Vec::new());
        }
    }
}

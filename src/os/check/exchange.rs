//! One connection to this machine, and for HTTP one question and its answer's first line.
//!
//! Never blocks: what cannot be done yet is done at the next step.

use super::Verdict;
use crate::{
    os::{clock, wait_set::Interest},
    ports::Port,
};
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, connect, socket,
    },
};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6, TcpStream},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::{Duration, Instant},
};

/// A status line is a few words; who sends more without a line's end does not speak HTTP.
const STATUS_BYTES_MAX: usize = 1024;
/// So much of an answer is read and thrown away, lest its server see a broken connection.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// An engine's proxy with nothing behind it closes within a few ms.
const KEPT_FOR: Duration = Duration::from_millis(100);

/// A connection, and perhaps a question and an answer over it.
#[derive(Debug)]
pub(super) struct Exchange {
    port: Port,
    socket: TcpStream,
    /// Why 127.0.0.1 did not do, once [::1] is tried.
    refusal: Option<Errno>,
    is_connected: bool,
    /// A connection that is to be kept for a while, and until when, once it is made.
    kept: Option<Option<Instant>>,
    /// What an HTTP check asks, and how much of that has been sent.
    request: String,
    sent: usize,
    /// The beginning of the answer.
    answer: Vec<u8>,
}

impl Exchange {
    pub(super) fn new(port: Port, path: Option<&str>) -> io::Result<Self> {
        let request = path.map(|path| request(port, path)).transpose()?.unwrap_or_default();
        Ok(Self {
            port,
            socket: unconnected(AddressFamily::Inet)?,
            refusal: None,
            is_connected: false,
            kept: None,
            request,
            sent: 0,
            answer: Vec::new(),
        })
    }

    /// A connection that has to be neither closed nor reset for a while.
    pub(super) fn that_lasts(port: Port) -> io::Result<Self> {
        Ok(Self { kept: Some(None), ..Self::new(port, None)? })
    }

    /// Until when the connection has to last.
    pub(super) fn kept_until(&self) -> Option<Instant> {
        self.kept.flatten()
    }

    pub(super) fn interest(&self) -> Interest {
        let is_sent = self.is_connected && self.sent == self.request.len();
        if is_sent { Interest::Readable } else { Interest::Writable }
    }

    pub(super) fn advance(&mut self) -> Option<Verdict> {
        match self.exchange() {
            Ok(()) => Some(Verdict::Passed),
            Err(Hindrance::NotYet) => None,
            Err(Hindrance::Failed(why)) => Some(Verdict::Failed(why)),
        }
    }

    fn exchange(&mut self) -> Result<(), Hindrance> {
        self.connect()?;
        if let Some(until) = &mut self.kept {
            let now = clock::now();
            let until = *until.get_or_insert(now + KEPT_FOR);
            return match self.socket.peek(&mut [0]) {
                Ok(0) => Err(Hindrance::Failed("the connection was closed at once".to_owned())),
                // It speaks first.
                Ok(_) => Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock && now >= until => Ok(()),
                Err(error) => Err(broken(error)),
            };
        }
        if self.request.is_empty() {
            return Ok(());
        }
        while let Some(rest) = self.request.as_bytes().get(self.sent..).filter(|r| !r.is_empty()) {
            self.sent += self.socket.write(rest).map_err(broken)?;
        }
        let status = loop {
            if let Some(end) = self.answer.iter().position(|&byte| byte == b'\n') {
                break status_in(&self.answer[..end]);
            }
            let mut block = [0; STATUS_BYTES_MAX];
            let length = self.socket.read(&mut block).map_err(broken)?;
            self.answer.extend_from_slice(&block[..length]);
            if length == 0 {
                return Err(Hindrance::Failed("the connection was closed unanswered".to_owned()));
            }
            if self.answer.len() >= STATUS_BYTES_MAX && !self.answer.contains(&b'\n') {
                break None;
            }
        };
        self.read_rest();
        match status {
            Some(200..=399) => Ok(()),
            Some(status) => Err(Hindrance::Failed(format!("the answer was {status}"))),
            None => Err(Hindrance::Failed("the answer was not HTTP".to_owned())),
        }
    }

    /// Asks 127.0.0.1, and [::1] if nobody is there.
    fn connect(&mut self) -> Result<(), Hindrance> {
        while !self.is_connected {
            let fd = self.socket.as_raw_fd();
            let port = self.port.number();
            let outcome = if self.refusal.is_none() {
                connect_to(fd, &SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))
            } else {
                let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0);
                connect_to(fd, &SockaddrIn6::from(address))
            };
            match (outcome, self.refusal) {
                (Ok(()), _) => self.is_connected = true,
                (Err(Errno::EINPROGRESS | Errno::EALREADY | Errno::EINTR), _) => {
                    return Err(Hindrance::NotYet);
                }
                (Err(errno), None) => {
                    self.refusal = Some(errno);
                    self.socket =
                        unconnected(AddressFamily::Inet6).map_err(|_| self.refused(errno))?;
                }
                (Err(_), Some(errno)) => return Err(self.refused(errno)),
            }
        }
        // A port that the kernel may choose for us connects to itself when nobody listens.
        if self.socket.local_addr().ok() == self.socket.peer_addr().ok() {
            return Err(self.refused(Errno::ECONNREFUSED));
        }
        Ok(())
    }

    fn refused(&self, errno: Errno) -> Hindrance {
        let why = errno.desc().to_lowercase();
        Hindrance::Failed(format!("no connection to port {}: {why}", self.port))
    }

    /// Takes what there is of the answer's rest; none of it matters.
    fn read_rest(&mut self) {
        let mut block = [0; 4096];
        for _ in 0..ANSWER_BYTES_MAX / block.len() {
            if !self.socket.read(&mut block).is_ok_and(|length| length > 0) {
                break;
            }
        }
    }
}

impl AsFd for Exchange {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Why an exchange is not over.
enum Hindrance {
    NotYet,
    Failed(String),
}

fn broken(error: io::Error) -> Hindrance {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Hindrance::NotYet,
        _ => Hindrance::Failed(format!("the connection broke: {error}")),
    }
}

fn unconnected(family: AddressFamily) -> io::Result<TcpStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socket(family, SockType::Stream, flags, None)?.into())
}

/// Begins or goes on; connect(2) says each time how far it is.
fn connect_to(fd: i32, address: &dyn SockaddrLike) -> Result<(), Errno> {
    match connect(fd, address) {
        Err(Errno::EISCONN) => Ok(()),
        outcome => outcome,
    }
}

fn request(port: Port, path: &str) -> io::Result<String> {
    if !path.starts_with('/') || path.contains(|c: char| c.is_ascii_control() || c == ' ') {
        let why = format!("`{}` is not the path of a URL", path.escape_debug());
        return Err(io::Error::new(ErrorKind::InvalidInput, why));
    }
    Ok(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: styxy\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    ))
}

/// The status in `HTTP/1.1 200 OK`.
fn status_in(line: &[u8]) -> Option<u16> {
    let line = str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    let (_, rest) = line.split_once(' ')?;
    let status = rest.split([' ', '\r']).next()?;
    let is_three_digits = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    status.parse().ok().filter(|_| is_three_digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::check::{Check, Kind, run};
    use nix::sys::socket::bind;
    use std::{
        io::{BufRead, BufReader},
        net::TcpListener,
        thread,
        time::Duration,
    };

    fn failed(why: &str) -> Verdict {
        Verdict::Failed(why.to_owned())
    }

    fn port_of(listener: &TcpListener) -> Port {
        Port::known(listener.local_addr().unwrap().port())
    }

    #[test]
    fn a_listener_on_either_loopback_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            match TcpListener::bind(address) {
                Ok(listener) => {
                    assert_eq!(run(Kind::Tcp { port: port_of(&listener) }), Verdict::Passed);
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "no IPv6"),
            }
        }
    }

    #[test]
    fn a_connection_has_to_last_where_a_proxy_may_have_made_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let kind = Kind::Published { port: port_of(&listener) };
        // Nobody accepts it, and nobody closes it either.
        assert_eq!(run(kind), Verdict::Passed);
        drop(listener.accept().unwrap());
        let server = thread::spawn(move || drop(listener.accept().unwrap()));
        assert_eq!(run(kind), failed("the connection was closed at once"));
        server.join().unwrap();
        let greets = TcpListener::bind("127.0.0.1:0").unwrap();
        let kind = Kind::Published { port: port_of(&greets) };
        let server =
            thread::spawn(move || greets.accept().unwrap().0.write_all(b"220 hello").unwrap());
        assert_eq!(run(kind), Verdict::Passed);
        server.join().unwrap();
    }

    #[test]
    fn a_port_that_nobody_listens_on_is_said() {
        let reserved = unconnected(AddressFamily::Inet).unwrap();
        bind(reserved.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        let port = Port::known(reserved.local_addr().unwrap().port());
        let expected = failed(&format!("no connection to port {port}: connection refused"));
        assert_eq!(run(Kind::Tcp { port }), expected);
        assert_eq!(run(Kind::Http { port, path: "/" }), expected);
    }

    /// Answers one request, and gives what it was asked.
    fn ask(answer: &'static str) -> (Verdict, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port_of(&listener);
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(&stream).lines().map(Result::unwrap);
            let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).unwrap();
            lines
        });
        let verdict = run(Kind::Http { port, path: "/health?deep=1" });
        (verdict, server.join().unwrap())
    }

    #[test]
    fn an_answer_is_judged_by_its_status() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Verdict::Passed),
            ("HTTP/1.0 399 \r\n\r\n", Verdict::Passed),
            ("HTTP/1.1 204\r\n\r\n", Verdict::Passed),
            ("HTTP/1.1 400 Bad\r\n\r\n", failed("the answer was 400")),
            ("HTTP/1.1 503 Busy\r\n\r\n", failed("the answer was 503")),
            ("SSH-2.0-OpenSSH\r\n", failed("the answer was not HTTP")),
            ("HTTP/1.1 +200 OK\r\n", failed("the answer was not HTTP")),
            ("HTTP/1.1 2", failed("the connection was closed unanswered")),
            ("", failed("the connection was closed unanswered")),
        ] {
            assert_eq!(ask(answer).0, expected, "{answer:?}");
        }
        let endless = "x".repeat(STATUS_BYTES_MAX * 4).leak();
        assert_eq!(ask(endless).0, failed("the answer was not HTTP"));
    }

    #[test]
    fn the_question_is_plain_http() {
        let (_, lines) = ask("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(lines[0], "GET /health?deep=1 HTTP/1.1");
        assert!(lines[1].starts_with("Host: localhost:"), "{lines:?}");
        for path in ["health", "", "/a b", "/\r\nX: y"] {
            let check = Check::start(Kind::Http { port: Port::MAX, path });
            assert_eq!(check.unwrap_err().kind(), ErrorKind::InvalidInput, "{path:?}");
        }
    }

    #[test]
    fn who_does_not_answer_fails_in_time() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let kind = Kind::Http { port: port_of(&silent), path: "/" };
        let verdict = Check::run_to_end(kind, Duration::from_millis(20)).unwrap();
        assert_eq!(verdict, failed("no answer within 20ms"));
    }
}

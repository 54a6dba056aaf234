//! A socket on which a program says how it is, as systemd's services do (sd_notify(3)).
//!
//! Its name is abstract and given by the kernel, so it is far below the 108 bytes of a path, nobody can have
//! it already, and it is gone with the supervisor, however that dies. Every message carries who sent it, as
//! the kernel knows it; whether that one may speak for the instance, and what follows, is left to others.

use nix::{
    cmsg_space,
    errno::Errno,
    libc::ucred,
    sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, bind,
        getsockname, recvmsg, setsockopt, socket, sockopt,
    },
};
use std::{
    io::{self, IoSliceMut},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Duration,
};

/// The variable that tells a program where to speak.
pub const VARIABLE: &str = "NOTIFY_SOCKET";
/// The longest message; systemd passes over longer ones too.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Who asks for more time than this at once means something else.
const MORE_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// So much of a status is kept, for one line of a message.
const STATUS_CHARS_MAX: usize = 200;

/// The socket, and the name by which a child finds it.
#[derive(Debug)]
pub struct NotifySocket {
    socket: OwnedFd,
    name: String,
}

/// What a program said of itself in one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saying {
    /// `READY=1`.
    pub ready: bool,
    /// `STOPPING=1`.
    pub stopping: bool,
    /// `MAINPID=`: the process to name and to wait for.
    pub main_pid: Option<i32>,
    /// `EXTEND_TIMEOUT_USEC=`: so much time from now, at least.
    pub more_time: Option<Duration>,
    /// `STATUS=`, made fit for a line.
    pub status: Option<String>,
}

/// One message, or what is left of one that was not for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its sender's pid, as the kernel tells it; none if it cannot be seen from here.
    pub sender: Option<i32>,
    /// What it says.
    pub saying: Saying,
}

impl NotifySocket {
    /// Opens it under a name that nobody else has.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
        // unix(7): without this, nobody has to say who they are. Before there is a name to speak to.
        setsockopt(&socket, sockopt::PassCred, &true)?;
        // unix(7), autobind: the kernel chooses a name of five letters.
        bind(socket.as_raw_fd(), &UnixAddr::new_unnamed())?;
        let address: UnixAddr = getsockname(socket.as_raw_fd())?;
        let name = address.as_abstract().and_then(|name| str::from_utf8(name).ok());
        let name = name.ok_or_else(|| io::Error::other("the kernel gave the socket no name"))?;
        Ok(Self { name: format!("@{name}"), socket })
    }

    /// The value of [`VARIABLE`]: `@` stands for the zero byte with which an abstract name begins.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next message, if there is one. Descriptors that came along find no room, so the kernel closes
    /// them, and that message says nothing. Who sent a `BARRIER=1` waits for just that: all that was said
    /// before it has been heard by then.
    pub fn receive(&self) -> io::Result<Option<Message>> {
        let mut text = [0; MESSAGE_BYTES_MAX];
        let mut space = cmsg_space!(ucred);
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let (length, is_whole, sender) = loop {
            let mut parts = [IoSliceMut::new(&mut text)];
            match recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
                Ok(received) => {
                    let sender = received.cmsgs().ok().and_then(|mut items| {
                        items.find_map(|item| match item {
                            ControlMessageOwned::ScmCredentials(who) => Some(who.pid()),
                            _ => None,
                        })
                    });
                    let is_whole = !received.flags.contains(MsgFlags::MSG_TRUNC);
                    break (received.bytes, is_whole, sender);
                }
            }
        };
        // The kernel says 0 for a process of a PID namespace that is not below ours.
        let sender = sender.filter(|pid| *pid > 0);
        let saying = if is_whole { read(&text[..length]) } else { Saying::default() };
        Ok(Some(Message { sender, saying }))
    }

    /// Forgets all that was said and not heard.
    pub fn forget(&self) {
        while self.receive().is_ok_and(|message| message.is_some()) {}
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Saying {
    /// Whether there is anything in it for a supervisor.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads a message: `NAME=VALUE` lines, of which those that are not known are passed over.
fn read(text: &[u8]) -> Saying {
    let mut saying = Saying::default();
    for line in String::from_utf8_lossy(text).lines() {
        match line.split_once('=') {
            Some(("READY", "1")) => saying.ready = true,
            Some(("STOPPING", "1")) => saying.stopping = true,
            Some(("MAINPID", pid)) => saying.main_pid = pid.parse().ok().filter(|pid| *pid > 1),
            Some(("EXTEND_TIMEOUT_USEC", more)) => {
                let more = more.parse().map(Duration::from_micros);
                saying.more_time = more.ok().map(|more| more.min(MORE_TIME_MAX));
            }
            Some(("STATUS", status)) => {
                let plain = status.trim().chars().filter(|c| !c.is_control());
                saying.status = Some(plain.take(STATUS_CHARS_MAX).collect());
            }
            Some(_) | None => {}
        }
    }
    saying
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{ControlMessage, sendmsg};
    use proptest::prelude::*;
    use std::{
        fs::File,
        io::{IoSlice, Read},
        os::{
            linux::net::SocketAddrExt,
            unix::net::{SocketAddr, UnixDatagram},
        },
    };

    fn own_pid() -> Option<i32> {
        Some(std::process::id().cast_signed())
    }

    fn say(socket: &NotifySocket, text: &[u8]) {
        let name = socket.name().strip_prefix('@').unwrap();
        let address = SocketAddr::from_abstract_name(name).unwrap();
        UnixDatagram::unbound().unwrap().send_to_addr(text, &address).unwrap();
    }

    fn hear(socket: &NotifySocket) -> Saying {
        let message = socket.receive().unwrap().unwrap();
        assert_eq!(message.sender, own_pid());
        message.saying
    }

    #[test]
    fn what_is_said_is_heard_with_its_sender() {
        let socket = NotifySocket::open().unwrap();
        assert!(socket.name().len() < 20, "{}", socket.name());
        assert_eq!(socket.receive().unwrap(), None);
        say(&socket, b"STATUS=warming up\x1b[1m\nMAINPID=42\nX_OWN=1\nREADY=1\n");
        say(&socket, b"STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000");
        assert_eq!(
            hear(&socket),
            Saying {
                ready: true,
                main_pid: Some(42),
                status: Some("warming up[1m".to_owned()),
                ..Saying::default()
            }
        );
        let more_time = Some(Duration::from_millis(1500));
        assert_eq!(hear(&socket), Saying { stopping: true, more_time, ..Saying::default() });
        say(&socket, b"READY=1");
        socket.forget();
        assert_eq!(socket.receive().unwrap(), None);
    }

    #[test]
    fn two_sockets_have_two_names() {
        let (one, other) = (NotifySocket::open().unwrap(), NotifySocket::open().unwrap());
        assert_ne!(one.name(), other.name());
    }

    #[test]
    fn what_is_nonsense_says_nothing() {
        for text in
            ["", "READY", "READY=0", "READY=yes", "MAINPID=1", "MAINPID=-3", "MAINPID=x", "=", "\n"]
        {
            assert!(read(text.as_bytes()).is_empty(), "{text:?}");
        }
        let endless = format!("EXTEND_TIMEOUT_USEC={}", u64::MAX);
        assert_eq!(read(endless.as_bytes()).more_time, Some(MORE_TIME_MAX));
        let socket = NotifySocket::open().unwrap();
        say(&socket, format!("READY=1\nSTATUS={}", "x".repeat(MESSAGE_BYTES_MAX)).as_bytes());
        assert!(hear(&socket).is_empty(), "a message that was cut off may have said more");
    }

    #[test]
    fn a_barrier_falls_when_it_is_heard() {
        let socket = NotifySocket::open().unwrap();
        let (end, barrier) = nix::unistd::pipe().unwrap();
        let name = socket.name().strip_prefix('@').unwrap();
        let address = UnixAddr::new_abstract(name.as_bytes()).unwrap();
        let speaker = UnixDatagram::unbound().unwrap();
        let rights = [barrier.as_raw_fd()];
        let parts = [IoSlice::new(b"BARRIER=1")];
        let rights = [ControlMessage::ScmRights(&rights)];
        let flags = MsgFlags::empty();
        sendmsg(speaker.as_raw_fd(), &parts, &rights, flags, Some(&address)).unwrap();
        drop(barrier);
        assert_eq!(socket.receive().unwrap().unwrap().sender, None);
        // The end of the pipe comes when the last descriptor of it is closed.
        assert_eq!(File::from(end).read(&mut [0; 1]).unwrap(), 0);
    }

    proptest! {
        #[test]
        fn no_message_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(status) = read(&text).status {
                prop_assert!(!status.contains(char::is_control));
            }
        }
    }
}

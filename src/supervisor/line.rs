//! The two ends of `run/<lockId>.sock`: the supervisor's callers, and the line of who calls.
//!
//! What is said stands in `message`; what follows from a request is the machine's business. Nothing here
//! blocks a supervisor: who doesn't listen to what was said loses the connection.

use super::{
    message::{FromClient, Gibberish, LINE_LENGTH_MAX, Lines, Standing, ToClient, write},
    outcome::Outcome,
};
use crate::{
    os::wait_set::{Interest, WaitSet},
    registry::LockId,
    store::run_dir::in_directory,
};
use nix::{
    sys::socket::{getsockopt, sockopt::PeerCredentials},
    unistd::geteuid,
};
use std::{
    io::{self, ErrorKind, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::{UnixListener, UnixStream},
    },
    time::Instant,
};

/// So many may be connected; further ones wait in the kernel's queue until one leaves.
const CALLERS_MAX: usize = 256;
/// So many blocks are read of one caller before the others have their turn.
const BLOCKS_MAX: usize = 8;
/// Who has so much left to read has stopped reading.
const UNREAD_MAX: usize = 16 * LINE_LENGTH_MAX;

/// The supervisor's end: the socket, and all who are connected to it.
#[derive(Debug)]
pub struct Callers {
    socket: UnixListener,
    callers: Vec<Caller>,
    next_number: u64,
    /// Accepting failed (no descriptor left): not tried again until something else happens.
    pausing: bool,
}

/// What a supervisor waits for here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Somebody new.
    New,
    /// The caller of that number.
    From(u64),
}

#[derive(Debug)]
struct Caller {
    number: u64,
    stream: UnixStream,
    role: Role,
    /// The owner of the instance, or root.
    may_command: bool,
    heard: Lines,
    unread: Vec<u8>,
    is_gone: bool,
}

/// What a caller came for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Has not said yet, and is told of no phase: the first that is heard is the answer to what is said.
    Newcomer,
    /// Gave an order and waits for what comes of it.
    Visitor,
    Attached,
    Standby,
}

impl Callers {
    /// Takes over the socket that is listening.
    pub fn new(socket: UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket, callers: Vec::new(), next_number: 0, pausing: false })
    }

    /// Adds all that can bring news to the set.
    pub fn wait_for<T: Copy>(&mut self, set: &mut WaitSet<T>, token: impl Fn(Call) -> T) {
        if self.callers.len() < CALLERS_MAX && !std::mem::take(&mut self.pausing) {
            set.add(token(Call::New), &self.socket, Interest::Readable);
        }
        for caller in &self.callers {
            let interest =
                if caller.unread.is_empty() { Interest::Readable } else { Interest::Writable };
            set.add(token(Call::From(caller.number)), &caller.stream, interest);
        }
    }

    /// Takes in what one of them says. What it wants of the instance is handed back.
    pub fn hear(&mut self, call: Call, standing: &Standing) -> Vec<FromClient> {
        let wanted = match call {
            Call::New => {
                self.accept();
                Vec::new()
            }
            Call::From(number) => {
                match self.callers.iter().position(|caller| caller.number == number) {
                    Some(index) => self.hear_one(index, standing),
                    None => Vec::new(),
                }
            }
        };
        self.callers.retain(|caller| !caller.is_gone);
        wanted
    }

    /// Says it to all.
    pub fn tell_all(&mut self, message: &ToClient) {
        if self.callers.is_empty() {
            return;
        }
        let line = write(message);
        let is_phase = matches!(message, ToClient::Phase(_));
        let told = self.callers.iter_mut();
        told.filter(|caller| !is_phase || caller.role != Role::Newcomer)
            .for_each(|caller| caller.tell(&line));
        self.callers.retain(|caller| !caller.is_gone);
    }

    /// Says how it ended. Said last, when name and port are free again.
    pub fn tell_outcome(&mut self, outcome: &Outcome) {
        let (outcome, exit_code) = (outcome.clone(), outcome.exit_code());
        self.tell_all(&ToClient::Outcome { outcome, exit_code });
    }

    /// Says it to the one that has just called, and to nobody else.
    pub fn tell(&mut self, call: Call, message: &ToClient) {
        let Call::From(number) = call else { return };
        let line = write(message);
        let caller = self.callers.iter_mut().find(|caller| caller.number == number);
        caller.into_iter().for_each(|caller| caller.tell(&line));
        self.callers.retain(|caller| !caller.is_gone);
    }

    /// How many are attached, and how many wait to take its place.
    pub fn counts(&self) -> (usize, usize) {
        let count = |role: Role| self.callers.iter().filter(|caller| caller.role == role).count();
        (count(Role::Attached), count(Role::Standby))
    }

    fn accept(&mut self) {
        match self.socket.accept() {
            Ok((stream, _)) => {
                let owner = geteuid().as_raw();
                let may_command = getsockopt(&stream, PeerCredentials)
                    .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == owner);
                if stream.set_nonblocking(true).is_ok() {
                    let (number, role) = (self.next_number, Role::Newcomer);
                    self.next_number += 1;
                    self.callers.push(Caller {
                        number,
                        stream,
                        role,
                        may_command,
                        heard: Lines::default(),
                        unread: Vec::new(),
                        is_gone: false,
                    });
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.pausing = true,
        }
    }

    fn hear_one(&mut self, index: usize, standing: &Standing) -> Vec<FromClient> {
        let mut wanted = Vec::new();
        let mut dismissed = false;
        let caller = &mut self.callers[index];
        caller.tell(&[]);
        for asked in caller.read() {
            if caller.role == Role::Newcomer {
                caller.role = Role::Visitor;
            }
            match asked {
                FromClient::Attach | FromClient::Standby => {
                    let standby = asked == FromClient::Standby;
                    caller.role = if standby { Role::Standby } else { Role::Attached };
                    caller.tell(&write(&ToClient::Phase(standing.clone())));
                }
                FromClient::Unknown => {}
                FromClient::Checks => wanted.push(asked),
                FromClient::Stop { .. } | FromClient::Restart | FromClient::Dismiss
                    if !caller.may_command =>
                {
                    caller.tell(&write(&ToClient::Refused));
                }
                FromClient::Dismiss => dismissed = true,
                FromClient::Stop { .. } | FromClient::Restart => {
                    caller.tell(&write(&ToClient::Phase(standing.clone())));
                    wanted.push(asked);
                }
            }
        }
        if dismissed {
            let line = write(&ToClient::Dismissed);
            let standbys = self.callers.iter_mut().filter(|caller| caller.role == Role::Standby);
            standbys.for_each(|standby| standby.tell(&line));
            // Who asked for it reads this as "done".
            self.callers[index].tell(&line);
        }
        wanted
    }
}

impl Caller {
    /// What it has said by now.
    fn read(&mut self) -> Vec<FromClient> {
        let mut bytes = [0; 512];
        for _ in 0..BLOCKS_MAX {
            match self.stream.read(&mut bytes) {
                Ok(0) => self.is_gone = true,
                Ok(length) => {
                    self.heard.push(&bytes[..length]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.is_gone = true,
            }
            break;
        }
        let mut asked = Vec::new();
        loop {
            match self.heard.next_message() {
                Ok(Some(message)) => asked.push(message),
                Ok(None) => return asked,
                Err(Gibberish) => {
                    self.is_gone = true;
                    return asked;
                }
            }
        }
    }

    /// Says it, or as much as goes; the rest when there is room.
    fn tell(&mut self, line: &[u8]) {
        self.unread.extend_from_slice(line);
        while !self.unread.is_empty() {
            match self.stream.write(&self.unread) {
                Ok(length) if length > 0 => drop(self.unread.drain(..length)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {
                    self.is_gone = true;
                    return;
                }
            }
        }
        self.is_gone |= self.unread.len() > UNREAD_MAX;
    }
}

/// The caller's end.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    heard: Lines,
}

/// What came of listening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The supervisor said something.
    Said(ToClient),
    /// It is gone without having said an outcome: it was killed.
    HungUp,
    /// Something came in where the caller wanted to be interrupted.
    Interrupted,
    /// The deadline has passed.
    TimedOut,
}

impl Line {
    /// Calls the supervisor of that instance. `run` is the open directory `run/`.
    pub fn connect(run: BorrowedFd<'_>, lock_id: &LockId) -> io::Result<Self> {
        let stream = UnixStream::connect(in_directory(run, &format!("{lock_id}.sock")))?;
        Ok(Self { stream, heard: Lines::default() })
    }

    /// Asks for something.
    pub fn ask(&mut self, wish: FromClient) -> io::Result<()> {
        self.stream.write_all(&write(&wish))
    }

    /// Waits for what the supervisor says next, for anything to read on `interrupt`, or for the deadline.
    pub fn listen(
        &mut self,
        interrupt: Option<BorrowedFd<'_>>,
        deadline: Option<Instant>,
    ) -> io::Result<Heard> {
        #[derive(Clone, Copy, PartialEq, Eq)]
        enum News {
            Interrupt,
            Line,
        }
        loop {
            match self.heard.next_message() {
                Ok(None | Some(ToClient::Unknown)) => {}
                Ok(Some(message)) => return Ok(Heard::Said(message)),
                Err(gibberish) => return Err(io::Error::new(ErrorKind::InvalidData, gibberish)),
            }
            let mut set = WaitSet::new();
            if let Some(interrupt) = interrupt {
                set.add(News::Interrupt, interrupt, Interest::Readable);
            }
            set.add(News::Line, &self.stream, Interest::Readable);
            match set.wait(deadline)?.next() {
                None => return Ok(Heard::TimedOut),
                Some(News::Interrupt) => return Ok(Heard::Interrupted),
                Some(News::Line) => {}
            }
            let mut bytes = [0; 512];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Ok(Heard::HungUp),
                Ok(length) => self.heard.push(&bytes[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Ok(Heard::HungUp);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Line {
    /// Readable when there is something to listen to, for who waits on several lines.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{os::clock, supervisor::machine::Phase};
    use std::fs::File;

    /// A supervisor's end in a directory of its own.
    struct Exchange {
        callers: Callers,
        run: File,
        _place: tempfile::TempDir,
    }

    impl Exchange {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let run = File::open(place.path()).unwrap();
            let socket =
                UnixListener::bind(in_directory(run.as_fd(), "ai-rag-7f3k2m.sock")).unwrap();
            Self { callers: Callers::new(socket).unwrap(), run, _place: place }
        }

        fn call(&mut self) -> Line {
            Line::connect(self.run.as_fd(), &"ai-rag-7f3k2m".parse().unwrap()).unwrap()
        }

        /// Takes in all that is there to be taken in.
        fn hear(&mut self) -> Vec<FromClient> {
            let mut wishes = Vec::new();
            loop {
                let mut set = WaitSet::new();
                self.callers.wait_for(&mut set, |call| call);
                let calls: Vec<Call> = set.wait(Some(clock::now())).unwrap().collect();
                if calls.is_empty() {
                    return wishes;
                }
                for call in calls {
                    wishes.extend(self.callers.hear(call, &standing()));
                }
            }
        }
    }

    fn standing() -> Standing {
        Standing {
            phase: Phase::Ready,
            since_boot_ms: 5,
            port: 80,
            pid: None,
            restarts: 0,
            survivors: Vec::new(),
            attached: 0,
            standbys: 0,
        }
    }

    fn hear_next(line: &mut Line) -> Heard {
        line.listen(None, None).unwrap()
    }

    #[test]
    fn who_attaches_hears_where_the_instance_is_and_is_counted() {
        let mut exchange = Exchange::new();
        let (mut attached, mut standby) = (exchange.call(), exchange.call());
        attached.ask(FromClient::Attach).unwrap();
        standby.ask(FromClient::Standby).unwrap();
        assert_eq!(exchange.hear(), []);
        assert_eq!(exchange.callers.counts(), (1, 1));
        assert_eq!(hear_next(&mut attached), Heard::Said(ToClient::Phase(standing())));
        drop(attached);
        exchange.hear();
        assert_eq!(exchange.callers.counts(), (0, 1));
    }

    #[test]
    fn only_standbys_are_dismissed() {
        let mut exchange = Exchange::new();
        let (mut attached, mut standby) = (exchange.call(), exchange.call());
        attached.ask(FromClient::Attach).unwrap();
        standby.ask(FromClient::Standby).unwrap();
        exchange.hear();
        exchange.call().ask(FromClient::Dismiss).unwrap();
        exchange.hear();
        hear_next(&mut attached);
        hear_next(&mut standby);
        assert_eq!(hear_next(&mut standby), Heard::Said(ToClient::Dismissed));
        assert_eq!(attached.listen(None, Some(clock::now())).unwrap(), Heard::TimedOut);
    }

    #[test]
    fn the_first_phase_that_is_heard_is_the_answer_to_what_was_asked() {
        let mut exchange = Exchange::new();
        let mut line = exchange.call();
        exchange.hear();
        let before = Standing { restarts: 7, ..standing() };
        exchange.callers.tell_all(&ToClient::Phase(before.clone()));
        line.ask(FromClient::Restart).unwrap();
        assert_eq!(exchange.hear(), [FromClient::Restart]);
        exchange.callers.tell_all(&ToClient::Phase(before.clone()));
        assert_eq!(hear_next(&mut line), Heard::Said(ToClient::Phase(standing())));
        assert_eq!(hear_next(&mut line), Heard::Said(ToClient::Phase(before)));
    }

    #[test]
    fn an_outcome_and_a_killed_supervisor_are_told_apart() {
        let mut exchange = Exchange::new();
        let mut line = exchange.call();
        exchange.hear();
        exchange.callers.tell_outcome(&Outcome::Ended { code: 3 });
        drop(exchange);
        let outcome = Outcome::Ended { code: 3 };
        let said = Heard::Said(ToClient::Outcome { outcome, exit_code: 3 });
        assert_eq!(hear_next(&mut line), said);
        assert_eq!(hear_next(&mut line), Heard::HungUp);
    }

    #[test]
    fn listening_can_be_interrupted() {
        let mut exchange = Exchange::new();
        let mut line = exchange.call();
        let (interrupt, mut end) = UnixStream::pair().unwrap();
        end.write_all(b"x").unwrap();
        assert_eq!(line.listen(Some(interrupt.as_fd()), None).unwrap(), Heard::Interrupted);
    }

    #[test]
    fn who_speaks_another_language_or_does_not_listen_is_cut_off() {
        let mut exchange = Exchange::new();
        let mut talker = exchange.call();
        talker.stream.write_all(b"GET / HTTP/1.1\n").unwrap();
        exchange.hear();
        assert!(exchange.callers.callers.is_empty());

        let mut silent = exchange.call();
        silent.ask(FromClient::Attach).unwrap();
        exchange.hear();
        // The kernel's own buffers are filled first; what they hold is bounded too.
        let told = (0..1_000_000).take_while(|_| {
            exchange.callers.tell_all(&ToClient::Phase(standing()));
            !exchange.callers.callers.is_empty()
        });
        assert!(told.count() < 100_000);
    }
}

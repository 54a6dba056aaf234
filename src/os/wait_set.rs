//! One blocking wait on everything that may happen, with or without a deadline.
//!
//! The set is told anew before each wait, so that nothing in it can go stale; its memory is kept.
//! What a token means, and reading from what is ready, is the caller's.
#![expect(unsafe_code, reason = "ppoll(2) is called as it is, on descriptors from many owners")]

use crate::os::clock;
use nix::libc;
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr,
    time::{Duration, Instant},
};

/// What is waited for on a descriptor; its end and its errors wake as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// There is something to read, accept or reap.
    Readable,
    /// There is room to write, or a connection has been made.
    Writable,
}

/// Lets time pass where nothing tells of what is waited for. A failure ends it early.
pub fn pause(time: Duration) {
    let _ = WaitSet::<()>::new().wait(Some(clock::now() + time)).map(drop);
}

/// Descriptors, each with a token by which the caller knows it again.
#[derive(Debug)]
pub struct WaitSet<T> {
    polled: Vec<libc::pollfd>,
    tokens: Vec<T>,
}

impl<T: Copy> WaitSet<T> {
    /// An empty set.
    pub const fn new() -> Self {
        Self { polled: Vec::new(), tokens: Vec::new() }
    }

    /// Forgets all descriptors, and keeps the room for them.
    pub fn clear(&mut self) {
        self.polled.clear();
        self.tokens.clear();
    }

    /// Waits for this one too. It has to stay open until the wait is over.
    pub fn add(&mut self, token: T, descriptor: impl AsFd, interest: Interest) {
        let events = match interest {
            Interest::Readable => libc::POLLIN,
            Interest::Writable => libc::POLLOUT,
        };
        let fd = descriptor.as_fd().as_raw_fd();
        self.polled.push(libc::pollfd { fd, events, revents: 0 });
        self.tokens.push(token);
    }

    /// Sleeps until something is ready, and tells what; nothing once the deadline has passed.
    /// Without a deadline nothing else wakes it.
    pub fn wait(&mut self, deadline: Option<Instant>) -> io::Result<impl Iterator<Item = T>> {
        while let Err(error) = self.poll(deadline) {
            // A signal that somebody handles; or the process was stopped and goes on.
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        if self.polled.iter().any(|polled| polled.revents & libc::POLLNVAL != 0) {
            // It would be "ready" for ever.
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let ready = self.polled.iter().zip(&self.tokens);
        Ok(ready.filter(|(polled, _)| polled.revents != 0).map(|(_, token)| *token))
    }

    fn poll(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(clock::now());
            libc::timespec {
                tv_sec: left.as_secs().try_into().unwrap_or(libc::time_t::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        let count = libc::nfds_t::try_from(self.polled.len()).unwrap_or(libc::nfds_t::MAX);
        // SAFETY: the list is ours alone and has `count` entries; `timeout` is null or lives on
        // this frame; a null mask leaves the signal mask alone.
        match unsafe { libc::ppoll(self.polled.as_mut_ptr(), count, timeout, ptr::null()) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

impl<T: Copy> Default for WaitSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, os::unix::net::UnixStream, time::Duration};

    #[test]
    fn only_what_is_ready_is_told() {
        let (quiet, _quiet_end) = UnixStream::pair().unwrap();
        let (told, mut told_end) = UnixStream::pair().unwrap();
        let mut set = WaitSet::new();
        set.add("quiet", &quiet, Interest::Readable);
        set.add("told", &told, Interest::Readable);
        set.add("room", &quiet, Interest::Writable);
        told_end.write_all(b"x").unwrap();
        assert_eq!(set.wait(None).unwrap().collect::<Vec<_>>(), ["told", "room"]);
    }

    #[test]
    fn the_end_of_the_other_side_wakes() {
        let (socket, end) = UnixStream::pair().unwrap();
        drop(end);
        let mut set = WaitSet::new();
        set.add((), &socket, Interest::Readable);
        assert_eq!(set.wait(None).unwrap().count(), 1);
    }

    #[test]
    fn a_deadline_ends_the_wait_and_not_before_its_time() {
        let (socket, _end) = UnixStream::pair().unwrap();
        let mut set = WaitSet::new();
        set.add((), &socket, Interest::Readable);
        let deadline = clock::now() + Duration::from_millis(20);
        assert_eq!(set.wait(Some(deadline)).unwrap().count(), 0);
        assert!(clock::now() >= deadline);
        assert_eq!(set.wait(Some(deadline)).unwrap().count(), 0, "a deadline in the past");
    }

    #[test]
    fn a_cleared_set_waits_for_nothing() {
        let (socket, end) = UnixStream::pair().unwrap();
        drop(end);
        let mut set = WaitSet::new();
        set.add((), &socket, Interest::Readable);
        set.clear();
        assert_eq!(set.wait(Some(clock::now())).unwrap().count(), 0);
    }
}

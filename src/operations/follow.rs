//! A log as it is, or as it grows: until its instance ends, or nobody wants to see more.

use super::{
    audit::When,
    error::Error,
    host::{Host, Tell},
};
use crate::{
    os::{
        clock,
        interrupts::Interrupts,
        logs::{Begin, Follow, Reader},
        wait_set::{Interest, WaitSet},
    },
    supervisor::{
        line::{Heard, Line},
        message::ToClient,
    },
};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
};

/// So much of a log is shown at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Who shows a piece of a log.
pub type Show<'a> = dyn FnMut(&[u8]) -> Result<(), Error> + 'a;

/// How much of a log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// What is there.
    SoFar,
    /// What is there, and what comes, until the instance ends.
    ToItsEnd,
}

/// Which part of what was written.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// So many lines at most, the last ones.
    pub lines: usize,
    /// Not from before then, as far as it is known to the second.
    pub since: Option<When>,
}

/// What a follower waits for.
#[derive(Clone, Copy)]
enum Waker {
    Interrupt,
    End,
    More,
}

impl Host {
    /// Shows a part of an instance's log, and what is wanted beyond; tells what to end with.
    pub fn show_log(
        &self,
        reference: &str,
        part: Part,
        wanted: Wanted,
        show: &mut Show<'_>,
        tell: &Tell<'_>,
    ) -> Result<i32, Error> {
        let failed = |source| Error::System { deed: "read the instance's log", source };
        let path = self.log(reference, tell)?;
        // Connected before the first look: what is written before its end is seen.
        let line = match wanted {
            Wanted::SoFar => None,
            Wanted::ToItsEnd => self.line_to(reference, tell)?,
        };
        let since = part.since.map(|since| since.resolve(clock::utc()).as_millisecond());
        let begin = Begin { lines: part.lines, since };
        let Some(mut line) = line else {
            let mut log = Reader::new(&path, begin).map_err(failed)?;
            return drain(&mut |piece| log.read(piece), show).map(|()| 0);
        };
        let mut log = Follow::new(&path, begin).map_err(failed)?;
        let interrupts = Interrupts::take().map_err(failed)?;
        loop {
            drain(&mut |piece| log.read(piece), show)?;
            match wait(&interrupts, &line, &log).map_err(failed)? {
                Waker::Interrupt => return Ok(interrupts.which().exit_code()),
                Waker::More => {}
                Waker::End if is_over(&mut line)? => {
                    return drain(&mut |piece| log.read(piece), show).map(|()| 0);
                }
                Waker::End => {}
            }
        }
    }

    /// A line to the supervisor, whose end is the instance's. `None`: it has ended.
    fn line_to(&self, reference: &str, tell: &Tell<'_>) -> Result<Option<Line>, Error> {
        let Ok(view) = self.locate(reference, tell) else { return Ok(None) };
        let lock_id = view.lock_id.parse().expect("a view's lockId is one");
        Ok(Line::connect(self.store.run().as_fd(), &lock_id).ok())
    }
}

/// A log as it grows, for who has a wait of their own. There may be more when its descriptor is readable.
pub struct Tail(Follow);

impl Host {
    /// Begins so many lines before the end of an instance's log.
    pub fn tail(&self, reference: &str, lines: usize, tell: &Tell<'_>) -> Result<Tail, Error> {
        let path = self.log(reference, tell)?;
        let failed = |source| Error::System { deed: "read the instance's log", source };
        Follow::start(&path, lines).map(Tail).map_err(failed)
    }
}

impl Tail {
    /// The next piece; an empty one means that there is no more for now.
    pub fn read_on(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; PIECE_BYTES];
        let length = self.0.read(&mut piece)?;
        piece.truncate(length);
        Ok(piece)
    }
}

impl AsRawFd for Tail {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Shows all that is there.
fn drain(
    read: &mut dyn FnMut(&mut [u8]) -> io::Result<usize>,
    show: &mut Show<'_>,
) -> Result<(), Error> {
    let failed = |source: io::Error| Error::System { deed: "read the instance's log", source };
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match read(&mut piece).map_err(failed)? {
            0 => return Ok(()),
            length => show(&piece[..length])?,
        }
    }
}

/// What comes first: Ctrl-C, a word of the supervisor, or more of the log.
fn wait(interrupts: &Interrupts, line: &Line, log: &Follow) -> io::Result<Waker> {
    let mut set = WaitSet::new();
    set.add(Waker::Interrupt, interrupts, Interest::Readable);
    set.add(Waker::End, line, Interest::Readable);
    set.add(Waker::More, log, Interest::Readable);
    let mut ready = set.wait(None)?;
    Ok(ready.next().expect("a wait without a deadline ends with something"))
}

/// Whether what the supervisor has to say is that the instance is over, or that it was killed.
fn is_over(line: &mut Line) -> Result<bool, Error> {
    let failed = |source| Error::System { deed: "talk to the supervisor", source };
    Ok(match line.listen(None, None).map_err(failed)? {
        Heard::Said(ToClient::Outcome { .. }) | Heard::HungUp => true,
        Heard::Said(
            ToClient::Phase(_)
            | ToClient::Dismissed
            | ToClient::Checks(_)
            | ToClient::Refused
            | ToClient::Unknown,
        )
        | Heard::Interrupted
        | Heard::TimedOut => false,
    })
}

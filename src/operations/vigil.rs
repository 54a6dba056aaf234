//! A wait that has an end, and that somebody may watch. What is waited for is others' business.

use crate::{
    os::{
        clock,
        wait_set::{Interest, WaitSet},
    },
    supervisor::line::{Heard, Line},
};
use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

/// So often who watches is told that the wait goes on.
const BEAT: Duration = Duration::from_millis(100);

/// Somebody who watches: told what is waited for, and again and again that the wait goes on.
pub trait Watcher {
    /// This is waited for from now on.
    fn waits_for(&self, what: &str);
    /// The wait goes on.
    fn beat(&self);
}

/// A wait with an end.
pub struct Vigil<'a> {
    deadline: Option<Instant>,
    watcher: Option<&'a dyn Watcher>,
}

impl<'a> Vigil<'a> {
    /// Begins now. Without a watcher nothing wakes it but what is waited for.
    pub fn begin(patience: Option<Duration>, watcher: Option<&'a dyn Watcher>) -> Self {
        Self { deadline: patience.map(|patience| clock::now() + patience), watcher }
    }

    /// Tells who watches what is waited for. Whether somebody does.
    pub(super) fn waits_for(&self, what: &str) -> bool {
        if let Some(watcher) = self.watcher {
            watcher.waits_for(what);
        }
        self.watcher.is_some()
    }

    /// From now on it lasts so long.
    pub(super) fn prolong(&mut self, patience: Duration) {
        self.deadline = Some(clock::now() + patience);
    }

    /// What the supervisor says next. `None`: the time is over.
    pub(super) fn listen(&self, line: &mut Line) -> io::Result<Option<Heard>> {
        loop {
            match line.listen(None, self.next())? {
                Heard::TimedOut if self.is_over() => return Ok(None),
                Heard::TimedOut => {}
                heard => return Ok(Some(heard)),
            }
        }
    }

    /// The first of these that has something to read. `None`: the time is over.
    pub(super) fn first_of<T: Copy>(&self, sources: &[(T, &dyn AsFd)]) -> io::Result<Option<T>> {
        let mut set = WaitSet::new();
        loop {
            set.clear();
            sources.iter().for_each(|(token, source)| set.add(*token, source, Interest::Readable));
            if let Some(first) = set.wait(self.next())?.next() {
                return Ok(Some(first));
            }
            if self.is_over() {
                return Ok(None);
            }
        }
    }

    /// When to wake, whatever happens.
    fn next(&self) -> Option<Instant> {
        let beat = self.watcher.map(|_| clock::now() + BEAT);
        [self.deadline, beat].into_iter().flatten().min()
    }

    fn is_over(&self) -> bool {
        if let Some(watcher) = self.watcher {
            watcher.beat();
        }
        self.deadline.is_some_and(|deadline| deadline <= clock::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, os::unix::net::UnixStream};

    #[derive(Default)]
    struct Counting(Cell<u32>);

    impl Watcher for Counting {
        fn waits_for(&self, _: &str) {}

        fn beat(&self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn it_ends_when_its_time_is_over_and_not_before() {
        let (silent, _end) = UnixStream::pair().unwrap();
        let watcher = Counting::default();
        let patience = Some(BEAT * 3);
        let begin = clock::now();
        let first = Vigil::begin(patience, Some(&watcher)).first_of(&[((), &silent)]).unwrap();
        assert!(first.is_none() && clock::now() >= begin + BEAT * 3);
        assert!(watcher.0.get() >= 3);
    }

    #[test]
    fn what_is_there_is_found_at_once_whatever_the_time() {
        let (closed, end) = UnixStream::pair().unwrap();
        drop(end);
        let vigil = Vigil::begin(Some(Duration::ZERO), None);
        assert_eq!(vigil.first_of(&[(1, &closed)]).unwrap(), Some(1));
    }
}

//! Reads the audit log, all files of it as one, and keeps the rule which lines count.

use super::{
    super::{error::StoreError, sharing::PLAIN_FILE},
    Audit,
    line::Entry,
};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    borrow::Cow,
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
};

/// Of the numbers of files, a rotation at work or a crash leaves one free; after so many there are no more.
const FREE_MAX: u32 = 2;
/// So much of a file is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Tells whether a reader wants to see a line.
pub type Wanted<'a> = dyn Fn(&Entry) -> bool + 'a;

impl Audit {
    /// The lines that count, oldest first, of those that are wanted. `reached` is the registry's number,
    /// which was read before: so every line up to it is in the log already.
    pub fn entries(&self, reached: u64, wanted: &Wanted<'_>) -> Result<Vec<Entry>, StoreError> {
        let failed = |error| StoreError::at("read", &self.path, error);
        let mut sieve = Sieve::default();
        for file in self.files(None).map_err(failed)? {
            let mut reading = Reading::new(file);
            reading.read_on(&mut |line| sieve.add(line, wanted)).map_err(failed)?;
            reading.finish(&mut |line| sieve.add(line, wanted));
        }
        Ok(sieve.all(reached))
    }

    /// The files that are younger than that one, or all; oldest first.
    pub(super) fn files(&self, known: Option<&File>) -> io::Result<Vec<File>> {
        let known = known.map(identity).transpose()?;
        let mut found: Vec<File> = Vec::new();
        let (mut number, mut free) = (0, 0);
        // The youngest first: a rotation meanwhile shows a file twice, and never hides one.
        while free < FREE_MAX {
            match self.open_to_read(number) {
                Ok(file) if known == Some(identity(&file)?) => break,
                Ok(file) => {
                    free = 0;
                    let last = found.last().map(identity).transpose()?;
                    if last != Some(identity(&file)?) {
                        found.push(file);
                    }
                }
                Err(Errno::NOENT) => free += 1,
                Err(errno) => return Err(errno.into()),
            }
            number += 1;
        }
        found.reverse();
        Ok(found)
    }

    fn open_to_read(&self, number: u32) -> Result<File, Errno> {
        let flags = OFlags::RDONLY | PLAIN_FILE;
        rustix::fs::open(self.numbered(number), flags, Mode::empty()).map(File::from)
    }
}

/// What a file is, whatever its name has become.
fn identity(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// One file, and how far it was read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) file: File,
    offset: u64,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

impl Reading {
    pub(super) fn new(file: File) -> Self {
        Self { file, offset: 0, begun: Vec::new() }
    }

    /// Reads to the end of what is there, and hands over each whole line.
    pub(super) fn read_on(&mut self, take: &mut dyn FnMut(Entry)) -> io::Result<()> {
        if self.file.metadata()?.len() < self.offset {
            // Somebody has emptied it by hand.
            (self.offset, self.begun) = (0, Vec::new());
        }
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = self.file.read_at(&mut piece, self.offset)?;
            if length == 0 {
                return Ok(());
            }
            self.offset += length as u64;
            let mut lines = piece[..length].split(|byte| *byte == b'\n');
            let last = lines.next_back().unwrap_or_default();
            for line in lines {
                self.begun.extend_from_slice(line);
                hand_over(&std::mem::take(&mut self.begun), take);
            }
            self.begun.extend_from_slice(last);
        }
    }

    /// Nothing more will come: a last line may still be one.
    pub(super) fn finish(self, take: &mut dyn FnMut(Entry)) {
        hand_over(&self.begun, take);
    }
}

/// What is no line was torn by a crash: its transaction never happened.
fn hand_over(text: &[u8], take: &mut dyn FnMut(Entry)) {
    if let Ok(entry) = serde_json::from_slice(text) {
        take(entry);
    }
}

/// Lines in their order, as long as it is open whether they count.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    held: Vec<Entry>,
    /// The highest number of a change so far that may count.
    highest: u64,
    /// So many of those held count, whatever comes: a later transaction found the registry behind them.
    proved: usize,
    /// By which process, and when, the last line was written: those of one transaction have that in common.
    last: Option<(i32, Cow<'static, str>)>,
}

impl Sieve {
    /// Adds the next line, and drops those that it shows never to have happened.
    pub(super) fn add(&mut self, entry: Entry, wanted: &Wanted<'_>) {
        // Numbers only grow. One that comes again shows that the registry had not reached it, and a remark
        // shows which number it had.
        let is_change = entry.action.is_change();
        let never = if is_change { entry.seq } else { entry.seq.saturating_add(1) };
        if self.highest >= never {
            self.held.retain(|held| !held.action.is_change() || held.seq < never);
            self.highest = never - 1;
        }
        let is_same = |(pid, time): &(i32, Cow<'_, str>)| *pid == entry.pid && *time == entry.time;
        if !self.last.as_ref().is_some_and(is_same) {
            self.proved = self.held.len();
            self.last = Some((entry.pid, entry.time.clone()));
        }
        if is_change {
            self.highest = entry.seq;
        }
        if wanted(&entry) {
            self.held.push(entry);
        }
    }

    /// Whether any line waits.
    pub(super) fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    /// The lines of which it is known already that they count.
    pub(super) fn proved(&mut self) -> impl Iterator<Item = Entry> {
        self.held.drain(..std::mem::take(&mut self.proved))
    }

    /// The lines before the first change that the registry has not reached.
    pub(super) fn settled(&mut self, reached: u64) -> impl Iterator<Item = Entry> {
        let open = self.held.iter().position(|entry| !has_happened(entry, reached));
        self.proved = 0;
        self.held.drain(..open.unwrap_or(self.held.len()))
    }

    /// All lines that count.
    fn all(mut self, reached: u64) -> Vec<Entry> {
        self.held.retain(|entry| has_happened(entry, reached));
        self.held
    }
}

fn has_happened(entry: &Entry, reached: u64) -> bool {
    !entry.action.is_change() || entry.seq <= reached
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{config::Rotation, registry::Action};
    use proptest::prelude::*;

    pub(crate) fn entry(seq: u64, action: Action, pid: i32) -> Entry {
        Entry { seq, pid, ..Entry::sample("2026-01-02T03:04:05Z", action) }
    }

    /// What counts of a log of changes (`c`) and remarks (`r`), as text.
    fn check(log: &str, reached: u64, expected: &str) {
        let mut sieve = Sieve::default();
        for (place, word) in log.split_whitespace().enumerate() {
            let action = if word.starts_with('c') { Action::Release } else { Action::Attach };
            let place = i32::try_from(place).unwrap();
            sieve.add(entry(word[1..].parse().unwrap(), action, place), &|_| true);
        }
        let shown: Vec<String> = sieve
            .all(reached)
            .iter()
            .map(|entry| {
                let kind = if entry.action.is_change() { 'c' } else { 'r' };
                format!("{kind}{}@{}", entry.seq, entry.pid)
            })
            .collect();
        assert_eq!(shown.join(" "), expected, "{log} at {reached}");
    }

    #[test]
    fn of_two_changes_with_one_number_the_later_counts() {
        check("c1 c2 c3", 3, "c1@0 c2@1 c3@2");
        check("c1 c2 c2", 2, "c1@0 c2@2");
        // Three lines of a transaction that never happened, then two that did.
        check("c1 c2 c3 c4 c2 c3", 3, "c1@0 c2@4 c3@5");
        check("c1 c2 c3 c4 c2 c3 c4", 4, "c1@0 c2@4 c3@5 c4@6");
    }

    #[test]
    fn a_change_that_the_registry_has_not_reached_does_not_count() {
        check("c1 c2 c3", 2, "c1@0 c2@1");
        check("c1 c2 r2 c3", 1, "c1@0 r2@2");
    }

    #[test]
    fn remarks_with_one_number_all_count_and_void_what_is_above_them() {
        check("c1 r1 r1 c2 r2", 2, "c1@0 r1@1 r1@2 c2@3 r2@4");
        check("c1 c2 r1 c2", 2, "c1@0 r1@2 c2@3");
    }

    #[test]
    fn what_comes_after_an_open_change_waits_with_it() {
        let mut sieve = Sieve::default();
        for (seq, action) in [(1, Action::Release), (2, Action::Release), (2, Action::Attach)] {
            sieve.add(entry(seq, action, 0), &|_| true);
        }
        assert_eq!(sieve.settled(1).count(), 1);
        assert!(sieve.holds_any());
        assert_eq!(sieve.settled(1).count(), 0);
        assert_eq!(sieve.settled(2).count(), 2);
        assert!(!sieve.holds_any());
    }

    #[test]
    fn files_are_read_as_one_the_torn_line_left_out() {
        let place = tempfile::tempdir().unwrap();
        let audit = Audit::new(place.path(), Rotation::default());
        assert_eq!(audit.entries(9, &|_| true).unwrap(), []);
        let line = |seq| serde_json::to_string(&entry(seq, Action::Release, 0)).unwrap();
        // Number 1 is free, as amid a rotation.
        std::fs::write(audit.numbered(2), format!("{}\n{{\"seq\":", line(1))).unwrap();
        std::fs::write(audit.path(), format!("{}\n{{\"seq\":9\n{}\n", line(2), line(3))).unwrap();
        let numbers = |reached| -> Vec<u64> {
            let entries = audit.entries(reached, &|entry| entry.seq != 2).unwrap();
            entries.iter().map(|entry| entry.seq).collect()
        };
        assert_eq!(numbers(9), [1, 3]);
        assert_eq!(numbers(2), [1]);
    }

    proptest! {
        /// Transactions of some lines each, of which some were killed before their commit.
        #[test]
        fn exactly_what_was_committed_counts(
            transactions in prop::collection::vec((0usize..4, 0usize..3, any::<bool>()), 0..40),
        ) {
            let (mut sieve, mut reached, mut expected) = (Sieve::default(), 0, Vec::new());
            let (mut stream, mut streamed) = (Sieve::default(), Vec::new());
            for (pid, (changes, remarks, killed)) in (0..).zip(transactions) {
                let mut lines: Vec<Entry> = (0..changes)
                    .map(|more| entry(reached + 1 + more as u64, Action::Allocate, pid))
                    .collect();
                let after = reached + changes as u64;
                lines.extend((0..remarks).map(|_| entry(after, Action::Blocked, pid)));
                for line in &lines {
                    sieve.add(line.clone(), &|_| true);
                    stream.add(line.clone(), &|_| true);
                    streamed.extend(stream.proved());
                }
                // No more is kept than the last transaction that said anything.
                prop_assert!(lines.is_empty() || stream.held.len() <= lines.len());
                if !killed {
                    reached = after;
                }
                // Remarks stay in any case.
                expected.extend(lines.into_iter().filter(|l| !killed || !l.action.is_change()));
            }
            streamed.extend(stream.all(reached));
            prop_assert_eq!(streamed, expected.clone());
            prop_assert_eq!(sieve.all(reached), expected);
        }
    }
}

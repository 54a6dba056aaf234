//! When a log had which length, in a file beside it: so much is known of when its lines were written.
//!
//! A child writes into the log itself, so nobody is there to put a time before each line. A mark is made
//! when the log is looked at anyway, once a second at most, and every other one is dropped when there are
//! many.

use super::{make, open};
use crate::os::clock;
use nix::{errno::Errno, fcntl::OFlag};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::{fd::AsFd, unix::fs::FileExt},
    path::Path,
    time::{Duration, Instant},
};

/// Marks are at least so far apart, at first.
const EVERY: Duration = Duration::from_secs(1);
/// Larger than this, a file of marks loses every other one.
const BYTES_MAX: u64 = 64 * 1024;
/// What its name ends with.
pub(super) const SUFFIX: &str = ".times";

/// The marks of a log that grows.
#[derive(Debug)]
pub(super) struct Marks {
    name: String,
    file: Option<File>,
    every: Duration,
    /// The last mark: when it was made, and of which length.
    last: Option<(Instant, u64)>,
}

impl Marks {
    /// Those of the log of that name.
    pub(super) fn new(log: &str) -> Self {
        Self { name: format!("{log}{SUFFIX}"), file: None, every: EVERY, last: None }
    }

    /// When a log of that length is to be marked next; never before it grows.
    pub(super) fn due(&self, length: u64, now: Instant) -> Option<Instant> {
        match self.last {
            Some((_, marked)) if marked == length => None,
            Some((at, _)) => Some(at + self.every),
            None => Some(now),
        }
    }

    /// Marks that the log has that length now. What cannot be written is not missed.
    pub(super) fn mark(&mut self, folder: &File, length: u64, now: Instant) {
        self.last = Some((now, length));
        if self.written(folder, length).is_err() {
            self.file = None;
        }
    }

    fn written(&mut self, folder: &File, length: u64) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(opened(folder, &self.name)?),
        };
        file.write_all(format!("{} {length}\n", clock::utc().as_millisecond()).as_bytes())?;
        let size = file.metadata()?.len();
        if size > BYTES_MAX {
            let mut text = vec![0; usize::try_from(size).unwrap_or(0)];
            file.read_exact_at(&mut text, 0)?;
            let lines = text.split_inclusive(|byte| *byte == b'\n');
            // The last one stays.
            let kept: Vec<u8> = lines.skip(1).step_by(2).flatten().copied().collect();
            file.set_len(0)?;
            file.write_all(&kept)?;
            self.every = self.every.saturating_mul(2);
        }
        Ok(())
    }
}

fn opened(folder: &File, name: &str) -> io::Result<File> {
    let flags = OFlag::O_RDWR | OFlag::O_APPEND;
    match open(folder.as_fd(), name, flags) {
        Err(Errno::ENOENT) => make(folder.as_fd(), name, flags),
        opened => Ok(opened?),
    }
}

/// How long that log was for sure before that moment, in ms since 1970: what is written since then comes
/// behind it. `None`: it has no mark of before.
pub(super) fn length_before(log: &Path, moment: i64) -> Option<u64> {
    let mut name = log.as_os_str().to_owned();
    name.push(SUFFIX);
    let text = fs::read_to_string(Path::new(&name)).ok()?;
    let marks = text.lines().filter_map(|line| {
        let (time, length) = line.split_once(' ')?;
        Some((time.parse::<i64>().ok()?, length.parse::<u64>().ok()?))
    });
    marks.take_while(|(time, _)| *time < moment).map(|(_, length)| length).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_since_comes_behind_the_last_mark_before() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("web.log");
        assert_eq!(length_before(&log, 100), None);
        fs::write(place.path().join("web.log.times"), "10 5\n20 70\ntorn\n30 80").unwrap();
        for (moment, expected) in
            [(9, None), (10, None), (11, Some(5)), (20, Some(5)), (25, Some(70)), (99, Some(80))]
        {
            assert_eq!(length_before(&log, moment), expected, "{moment}");
        }
    }

    #[test]
    fn marks_are_made_when_the_log_has_grown_and_a_while_has_passed() {
        let place = tempfile::tempdir().unwrap();
        let folder = File::open(place.path()).unwrap();
        let (mut marks, now) = (Marks::new("web.log"), clock::now());
        assert_eq!(marks.due(5, now), Some(now));
        marks.mark(&folder, 5, now);
        assert_eq!(marks.due(5, now + EVERY), None);
        assert_eq!(marks.due(6, now), Some(now + EVERY));
        assert_eq!(length_before(&place.path().join("web.log"), i64::MAX), Some(5));
    }

    #[test]
    fn many_marks_become_half_as_many_and_the_last_one_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = File::open(place.path()).unwrap();
        let (mut marks, now) = (Marks::new("web.log"), clock::now());
        for length in 0..10_000 {
            marks.mark(&folder, length, now);
            assert_eq!(length_before(&place.path().join("web.log"), i64::MAX), Some(length));
            if marks.every > EVERY {
                break;
            }
        }
        let size = place.path().join("web.log.times").metadata().unwrap().len();
        assert!(marks.every == EVERY * 2 && size < BYTES_MAX * 2 / 3, "{size}");
    }
}

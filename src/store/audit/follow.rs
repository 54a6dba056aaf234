//! Follows the audit log as it grows, through rotations, and holds back what is not settled yet.
//!
//! The kernel says when to look (inotify); waiting for that is left to others.

use super::{
    super::error::StoreError,
    Audit,
    line::Entry,
    read::{Reading, Sieve, Wanted},
};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

/// Lines that are added, files that get a name, and the commits that settle what was added.
const CHANGES: AddWatchFlags =
    AddWatchFlags::IN_MODIFY.union(AddWatchFlags::IN_CREATE).union(AddWatchFlags::IN_MOVED_TO);

/// Who is handed a line that counts.
pub(super) type Take<'a> = dyn FnMut(Entry) + 'a;

/// The log as it is read on and on, from its first line. There may be more when its descriptor is readable.
#[derive(Debug)]
pub struct Follower {
    audit: Audit,
    notices: Inotify,
    reading: Option<Reading>,
    sieve: Sieve,
}

impl Audit {
    /// From now on, no line is missed.
    pub fn follow(&self) -> Result<Follower, StoreError> {
        let folder = self.path.parent().unwrap_or(&self.path);
        let watch = || -> nix::Result<Inotify> {
            let notices = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
            notices.add_watch(folder, CHANGES)?;
            Ok(notices)
        };
        let notices = watch().map_err(|errno| StoreError::at("watch", folder, errno.into()))?;
        Ok(Follower { audit: self.clone(), notices, reading: None, sieve: Sieve::default() })
    }
}

impl Follower {
    /// Reads all that is there, and hands over the lines that count, but for those of which the number that the
    /// registry has will tell; says whether there are such. So of a long log no more than that is kept.
    pub fn read_on(
        &mut self,
        wanted: &Wanted<'_>,
        take: &mut Take<'_>,
    ) -> Result<bool, StoreError> {
        // Before looking, so that whatever comes after the look is a notice again. That there is none, or
        // more than one reading takes, is fine: the wait tells.
        let _ = self.notices.read_events();
        self.drain(wanted, take)?;
        Ok(self.sieve.holds_any())
    }

    /// Hands over the other lines that count, given the number that the registry was seen to have after
    /// [`Follower::read_on`].
    pub fn settle(
        &mut self,
        reached: u64,
        wanted: &Wanted<'_>,
        take: &mut Take<'_>,
    ) -> Result<(), StoreError> {
        // Every line up to that number is in the log by now. The notices are left alone: one may tell of a
        // commit since then, and be the last one for long.
        self.drain(wanted, take)?;
        self.sieve.settled(reached).for_each(take);
        Ok(())
    }

    fn drain(&mut self, wanted: &Wanted<'_>, take: &mut Take<'_>) -> Result<(), StoreError> {
        let read = self.take_all(wanted, take);
        read.map_err(|error| StoreError::at("read", &self.audit.path, error))
    }

    fn take_all(&mut self, wanted: &Wanted<'_>, hand_over: &mut Take<'_>) -> io::Result<()> {
        let sieve = &mut self.sieve;
        let mut take = |entry| {
            sieve.add(entry, wanted);
            sieve.proved().for_each(&mut *hand_over);
        };
        if let Some(reading) = &mut self.reading {
            reading.read_on(&mut take)?;
        }
        for younger in self.audit.files(self.reading.as_ref().map(|reading| &reading.file))? {
            // What was added between the last look and its getting a number; after that nothing is.
            if let Some(mut reading) = self.reading.take() {
                reading.read_on(&mut take)?;
                reading.finish(&mut take);
            }
            self.reading.insert(Reading::new(younger)).read_on(&mut take)?;
        }
        Ok(())
    }
}

impl AsFd for Follower {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Rotation, registry::Action, store::audit::read::tests::entry};
    use std::{fs, io::Write};

    fn write(audit: &Audit, number: u32, seqs: &[u64]) {
        let mut file =
            fs::File::options().create(true).append(true).open(audit.numbered(number)).unwrap();
        for seq in seqs {
            let line = serde_json::to_string(&entry(*seq, Action::Release, 0)).unwrap();
            writeln!(file, "{line}").unwrap();
        }
    }

    fn seen(follower: &mut Follower, reached: u64) -> Vec<u64> {
        let mut seen = Vec::new();
        let mut take = |entry: Entry| seen.push(entry.seq);
        follower.read_on(&|_| true, &mut take).unwrap();
        follower.settle(reached, &|_| true, &mut take).unwrap();
        seen
    }

    #[test]
    fn a_log_is_followed_through_rotations() {
        let place = tempfile::tempdir().unwrap();
        let audit = Audit::new(place.path(), Rotation::default());
        let mut follower = audit.follow().unwrap();
        assert_eq!(seen(&mut follower, 99), [0; 0]);
        write(&audit, 1, &[1, 2]);
        write(&audit, 0, &[3]);
        assert_eq!(seen(&mut follower, 99), [1, 2, 3]);
        // Two rotations between two looks, with a line before the first.
        write(&audit, 0, &[4]);
        fs::rename(audit.numbered(1), audit.numbered(3)).unwrap();
        fs::rename(audit.numbered(0), audit.numbered(2)).unwrap();
        write(&audit, 1, &[5, 6]);
        assert_eq!(seen(&mut follower, 99), [4, 5, 6]);
        write(&audit, 0, &[7]);
        assert_eq!(seen(&mut follower, 99), [7]);
        // Nothing kept: the files are gone, and another has the name.
        write(&audit, 0, &[8]);
        (0..4).for_each(|number| fs::remove_file(audit.numbered(number)).unwrap());
        write(&audit, 0, &[9]);
        assert_eq!(seen(&mut follower, 99), [8, 9]);
        assert_eq!(seen(&mut follower, 99), [0; 0]);
    }

    #[test]
    fn a_commit_while_the_registry_was_read_wakes_again() {
        let place = tempfile::tempdir().unwrap();
        let audit = Audit::new(place.path(), Rotation::default());
        let mut follower = audit.follow().unwrap();
        write(&audit, 0, &[1]);
        let nobody = &mut |entry| panic!("{entry:?} may never have happened");
        assert!(follower.read_on(&|_| true, nobody).unwrap());
        // The number was read as 0; then the commit came.
        fs::write(place.path().join("state.json"), "").unwrap();
        follower.settle(0, &|_| true, nobody).unwrap();
        let notices = follower.notices.read_events().unwrap();
        assert!(notices.iter().any(|notice| notice.name.as_deref() == Some("state.json".as_ref())));
    }

    #[test]
    fn a_change_is_seen_when_it_is_committed_and_not_before() {
        let place = tempfile::tempdir().unwrap();
        let audit = Audit::new(place.path(), Rotation::default());
        let mut follower = audit.follow().unwrap();
        write(&audit, 0, &[1, 2]);
        assert_eq!(seen(&mut follower, 1), [1]);
        assert_eq!(seen(&mut follower, 1), [0; 0]);
        // Number 2 never happened: its transaction was killed, and another one has the number.
        write(&audit, 0, &[2]);
        assert_eq!(seen(&mut follower, 2), [2]);
    }
}

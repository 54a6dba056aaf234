//! Appends to the audit log, under the state lock, and rotates it when it would become too large.
//!
//! No line is lost or written twice: a file that has got its number is never written again, and numbers
//! only grow, so a reader that opens the youngest file first misses none.

use super::{
    super::{
        error::StoreError,
        storage::{Access, Storage, Stored},
    },
    Audit,
    line::Line,
    name,
};
use crate::registry::{Change, Remarks};
use rustix::io::Errno;
use serde::Deserialize;
use std::{io, time::Duration};

/// So much of the end is searched for the last complete line.
const TAIL_MAX: u64 = 1 << 20;

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The user's number; its name is looked up by whoever shows the line.
    pub uid: u32,
    /// The process.
    pub pid: i32,
    /// Its command line.
    pub command: String,
}

/// How long a transaction took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Timing {
    /// Until it had the lock.
    pub(in crate::store) lock_wait: Duration,
    /// From then until its lines were written.
    pub(in crate::store) transaction: Duration,
}

impl Audit {
    /// Appends the lines of one transaction: its changes, numbered from `seq` on, and its remarks, which
    /// carry the number that the registry has afterwards.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call, and every one of them stands in the line"
    )]
    pub(in crate::store) fn append<S: Storage>(
        &self,
        directory: &S,
        author: &Author,
        time: &str,
        timing: Timing,
        seq: u64,
        changes: &[Change],
        remarks: &Remarks,
    ) -> Result<(), StoreError> {
        if changes.is_empty() && remarks.said.is_empty() {
            return Ok(());
        }
        let write = |error| StoreError::at("write", &self.path, error);
        let mut text = Vec::with_capacity(512);
        let mut number = seq;
        for change in changes {
            let line = Line { seq: number, ..Line::of_change(author, time, timing, change) };
            push(&mut text, &line);
            number += 1;
        }
        let reached = number - 1;
        for remark in &remarks.said {
            let line = Line { seq: reached, ..Line::of_remark(author, time, timing, remark) };
            push(&mut text, &line);
        }
        let open = || Ok(directory.open(&name(0), Access::Append)?);
        let mut file = open().map_err(write)?;
        let length = file.length().map_err(write)?;
        let fits = length == 0 || length + text.len() as u64 <= self.rotation.size.bytes();
        // A log that cannot be rotated grows: that is no reason to refuse a lease, or to lose a line.
        if !fits && self.rotate(directory).is_ok() {
            file = open().map_err(write)?;
        } else if has_torn_end(&file, length).map_err(write)? {
            text.insert(0, b'\n');
        }
        file.append(&text).map_err(write)
    }

    /// Gives the file its number, and every older one the next; the oldest goes.
    fn rotate<S: Storage>(&self, directory: &S) -> Result<(), Errno> {
        let keep = self.rotation.keep;
        let is_there = |number: &u32| directory.has(&name(*number));
        // More were kept once.
        for number in (keep.saturating_add(1)..).take_while(is_there) {
            directory.unlink(&name(number))?;
        }
        // Where a crash amid an earlier rotation left a number free, the older files stay where they are.
        let free = (1..=keep).find(|number| !is_there(number));
        for number in (0..free.unwrap_or(keep)).rev() {
            directory.rename(&name(number), &name(number + 1))?;
        }
        if keep == 0 {
            directory.unlink(&name(0))?;
        }
        Ok(())
    }

    /// The highest number in the last lines, 0 when there is none: a rebuilt registry goes on from there.
    pub(in crate::store) fn last_seq<S: Storage>(&self, directory: &S) -> u64 {
        let of = |number| highest_seq(directory, &name(number)).ok().flatten();
        // Rotated just now, the log may have no line of its own.
        of(0).or_else(|| of(1)).unwrap_or(0)
    }
}

/// The highest number in the last lines of a file.
fn highest_seq<S: Storage>(directory: &S, name: &str) -> io::Result<Option<u64>> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let file = directory.open(name, Access::Read)?;
    let length = file.length()?;
    let tail = length.min(TAIL_MAX);
    let mut text = vec![0; usize::try_from(tail).unwrap_or(0)];
    file.read_at(&mut text, length - tail)?;
    let lines = text.split(|byte| *byte == b'\n');
    let numbered = lines.filter_map(|line| serde_json::from_slice::<Numbered>(line).ok());
    Ok(numbered.map(|line| line.seq).max())
}

/// Whether a crash left a line without its end.
fn has_torn_end(file: &impl Stored, length: u64) -> io::Result<bool> {
    let mut last = [b'\n'];
    if length > 0 {
        file.read_at(&mut last, length - 1)?;
    }
    Ok(last != [b'\n'])
}

fn push(text: &mut Vec<u8>, line: &Line<'_>) {
    serde_json::to_writer(&mut *text, line).expect("an audit line is plain JSON");
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Rotation,
        registry::{Action, Remark},
        store::storage::Disk,
    };
    use std::{
        fs::{self, File, Permissions},
        io::Write,
        os::unix::fs::PermissionsExt,
        path::Path,
    };

    fn audit(place: &Path, size: &str, keep: u32) -> Audit {
        Audit::new(place, Rotation { size: size.parse().unwrap(), keep })
    }

    fn disk(audit: &Audit) -> Disk {
        Disk::open(audit.path().parent().unwrap()).unwrap()
    }

    fn append(audit: &Audit, seq: u64) {
        let author = Author { uid: 0, pid: 1, command: "styxy\nx".to_owned() };
        let timing = Timing { lock_wait: Duration::ZERO, transaction: Duration::ZERO };
        let said = Remark {
            action: Action::Blocked,
            service_type: "ai".parse().unwrap(),
            instance: None,
            port: None,
        };
        let remarks = Remarks { said: vec![said], ..Remarks::default() };
        let time = "2026-01-02T03:04:05Z";
        audit.append(&disk(audit), &author, time, timing, seq + 1, &[], &remarks).unwrap();
    }

    /// The numbers of the lines in each file, the youngest file first.
    fn numbers(audit: &Audit) -> Vec<Vec<u64>> {
        let of = |number| {
            let text = fs::read_to_string(audit.numbered(number)).ok()?;
            let line = |line| serde_json::from_str::<Line<'_>>(line).ok();
            Some(text.lines().filter_map(line).map(|line| line.seq).collect())
        };
        (0..10).map_while(of).collect()
    }

    #[test]
    fn a_torn_last_line_is_closed_before_the_next() {
        let place = tempfile::tempdir().unwrap();
        let audit = audit(place.path(), "1MiB", 1);
        assert_eq!(audit.last_seq(&disk(&audit)), 0);
        append(&audit, 6);
        let mut file = File::options().append(true).open(audit.path()).unwrap();
        file.write_all(b"{\"seq\":99,\"ti").unwrap();
        append(&audit, 7);
        let text = fs::read_to_string(audit.path()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[2].starts_with("{\"seq\":7,"), "{text}");
        assert_eq!(audit.last_seq(&disk(&audit)), 7);
    }

    #[test]
    fn nothing_said_is_nothing_written() {
        let place = tempfile::tempdir().unwrap();
        let audit = audit(place.path(), "1MiB", 1);
        let author = Author { uid: 0, pid: 1, command: String::new() };
        let timing = Timing { lock_wait: Duration::ZERO, transaction: Duration::ZERO };
        audit.append(&disk(&audit), &author, "", timing, 1, &[], &Remarks::default()).unwrap();
        assert!(!audit.path().exists());
    }

    #[test]
    fn a_file_that_is_full_gets_a_number_and_only_the_oldest_goes() {
        for (keep, expected) in [
            (0, vec![vec![7]]),
            (1, vec![vec![7], vec![5, 6]]),
            (2, vec![vec![7], vec![5, 6], vec![3, 4]]),
            (5, vec![vec![7], vec![5, 6], vec![3, 4], vec![1, 2]]),
        ] {
            let place = tempfile::tempdir().unwrap();
            // A line has between 200 and 300 bytes.
            let audit = audit(place.path(), "600", keep);
            (1..8).for_each(|seq| append(&audit, seq));
            assert_eq!(numbers(&audit), expected, "{keep}");
            fs::remove_file(audit.path()).unwrap();
            assert_eq!(audit.last_seq(&disk(&audit)), if keep == 0 { 0 } else { 6 });
        }
    }

    #[test]
    fn in_a_directory_of_a_group_the_log_is_the_groups() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o2770)).unwrap();
        let audit = audit(place.path(), "1MiB", 1);
        append(&audit, 1);
        let mode = fs::metadata(audit.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
    }

    #[test]
    fn a_line_that_is_larger_than_a_file_may_be_is_written_all_the_same() {
        let place = tempfile::tempdir().unwrap();
        let audit = audit(place.path(), "1", 9);
        (1..4).for_each(|seq| append(&audit, seq));
        assert_eq!(numbers(&audit), [[3], [2], [1]]);
    }

    #[test]
    fn a_rotation_that_was_cut_short_loses_nothing() {
        let place = tempfile::tempdir().unwrap();
        let full = audit(place.path(), "1", 3);
        (1..5).for_each(|seq| append(&full, seq));
        assert_eq!(numbers(&full), [[4], [3], [2], [1]]);
        // The next one has moved one file when it is killed.
        fs::rename(full.numbered(2), full.numbered(3)).unwrap();
        append(&full, 5);
        assert_eq!(numbers(&full), [[5], [4], [3], [2]]);
    }

    #[test]
    fn what_is_more_than_shall_be_kept_goes_with_the_next_rotation() {
        let place = tempfile::tempdir().unwrap();
        let many = audit(place.path(), "1", 4);
        (1..6).for_each(|seq| append(&many, seq));
        append(&audit(place.path(), "1", 1), 6);
        assert_eq!(numbers(&many), [[6], [5]]);
    }

    #[test]
    fn a_log_that_cannot_be_rotated_grows() {
        let place = tempfile::tempdir().unwrap();
        let audit = audit(place.path(), "1", 1);
        fs::create_dir_all(audit.numbered(1).join("in the way")).unwrap();
        (1..4).for_each(|seq| append(&audit, seq));
        assert_eq!(fs::read_to_string(audit.path()).unwrap().lines().count(), 3);
    }
}

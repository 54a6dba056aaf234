//! The audit log: one line for each change, append-only, numbered.
//!
//! Lines are written under the state lock, before the commit. Of two lines with `before` or `after` and
//! one number the later counts, and one whose number the registry has not reached does not: its
//! transaction never happened.

use super::error::StoreError;
use crate::registry::{Action, Change, Remark, Remarks};
use rustix::fs::{Mode, OFlags};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// The log's name in the state directory.
const NAME: &str = "audit.jsonl";
/// So much of the end is searched for the last complete line.
const TAIL_MAX: u64 = 1 << 20;

/// The log of one state directory.
#[derive(Debug)]
pub struct Audit {
    path: PathBuf,
}

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
pub(super) struct Timing {
    /// Until it had the lock.
    pub(super) lock_wait: Duration,
    /// From then until its lines were written.
    pub(super) transaction: Duration,
}

/// One line. Absent is null, never missing; a field is never renamed, only added.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    seq: u64,
    time: &'a str,
    user: u32,
    pid: i32,
    command: &'a str,
    action: Action,
    r#type: Option<&'a str>,
    id: Option<&'a str>,
    project: Option<&'a str>,
    port: Option<u16>,
    range: Option<(u16, u16)>,
    before: Option<&'a serde_json::Value>,
    after: Option<&'a serde_json::Value>,
    lock_wait_us: u128,
    transaction_us: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    restarts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_ms: Option<Option<u64>>,
}

impl Audit {
    pub(super) fn new(state: &Path) -> Self {
        Self { path: state.join(NAME) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the lines of one transaction: its changes, numbered from `seq` on, and its remarks, which
    /// carry the number that the registry has afterwards.
    pub(super) fn append(
        &self,
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
        let mut file = self.open().map_err(write)?;
        let mut text = Vec::with_capacity(512);
        if has_torn_end(&file).map_err(write)? {
            text.push(b'\n');
        }
        let mut number = seq;
        for change in changes {
            let line = Line { seq: number, ..line_of_change(author, time, timing, change) };
            push(&mut text, &line);
            number += 1;
        }
        let reached = number.max(seq + 1) - 1;
        for remark in &remarks.said {
            let line = Line { seq: reached, ..line_of_remark(author, time, timing, remark) };
            push(&mut text, &line);
        }
        file.write_all(&text).map_err(write)
    }

    fn open(&self) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::open(&self.path, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => {
                let mode = Mode::from_raw_mode(0o660);
                Ok(rustix::fs::open(&self.path, flags | OFlags::CREATE, mode)?.into())
            }
            opened => Ok(opened?.into()),
        }
    }

    /// The highest number in the last lines, 0 when there is none: a rebuilt registry goes on from there.
    pub(super) fn last_seq(&self) -> u64 {
        #[derive(serde::Deserialize)]
        struct Numbered {
            seq: u64,
        }
        let tail = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_MAX)))?;
            let mut text = Vec::new();
            file.take(TAIL_MAX).read_to_end(&mut text)?;
            Ok(text)
        };
        let text = tail().unwrap_or_default();
        text.split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Numbered>(line).ok())
            .map(|line| line.seq)
            .max()
            .unwrap_or(0)
    }
}

/// Whether a crash left a line without its end.
fn has_torn_end(file: &File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    Ok(last != [b'\n'])
}

fn push(text: &mut Vec<u8>, line: &Line<'_>) {
    serde_json::to_writer(&mut *text, line).expect("an audit line is plain JSON");
    text.push(b'\n');
}

fn line_of_change<'a>(
    author: &'a Author,
    time: &'a str,
    timing: Timing,
    change: &'a Change,
) -> Line<'a> {
    let instance = change.instance.as_ref();
    Line {
        seq: 0,
        time,
        user: author.uid,
        pid: author.pid,
        command: &author.command,
        action: change.action,
        r#type: change.service_type.as_ref().map(|name| name.as_str()),
        id: instance.map(|name| name.id.as_str()),
        project: instance.and_then(|name| name.scope.root()),
        port: change.port.map(u16::from),
        range: change.range.map(|range| (range.first().number(), range.last().number())),
        before: change.before.as_ref(),
        after: change.after.as_ref(),
        lock_wait_us: timing.lock_wait.as_micros(),
        transaction_us: timing.transaction.as_micros(),
        restarts: change.ending.map(|ending| ending.restarts),
        ready_ms: change.ending.map(|ending| ending.ready_ms),
    }
}

fn line_of_remark<'a>(
    author: &'a Author,
    time: &'a str,
    timing: Timing,
    remark: &'a Remark,
) -> Line<'a> {
    let instance = remark.instance.as_ref();
    Line {
        seq: 0,
        time,
        user: author.uid,
        pid: author.pid,
        command: &author.command,
        action: remark.action,
        r#type: Some(remark.service_type.as_str()),
        id: instance.map(|name| name.id.as_str()),
        project: instance.and_then(|name| name.scope.root()),
        port: remark.port.map(u16::from),
        range: None,
        before: None,
        after: None,
        lock_wait_us: timing.lock_wait.as_micros(),
        transaction_us: timing.transaction.as_micros(),
        restarts: None,
        ready_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        audit.append(&author, "2026-01-02T03:04:05Z", timing, seq, &[], &remarks).unwrap();
    }

    #[test]
    fn a_torn_last_line_is_closed_before_the_next() {
        let place = tempfile::tempdir().unwrap();
        let audit = Audit::new(place.path());
        assert_eq!(audit.last_seq(), 0);
        append(&audit, 6);
        let mut file = File::options().append(true).open(audit.path()).unwrap();
        file.write_all(b"{\"seq\":99,\"ti").unwrap();
        append(&audit, 7);
        let text = std::fs::read_to_string(audit.path()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[2].starts_with("{\"seq\":7,"), "{text}");
        assert_eq!(audit.last_seq(), 7);
    }

    #[test]
    fn nothing_said_is_nothing_written() {
        let place = tempfile::tempdir().unwrap();
        let audit = Audit::new(place.path());
        let author = Author { uid: 0, pid: 1, command: String::new() };
        let timing = Timing { lock_wait: Duration::ZERO, transaction: Duration::ZERO };
        audit.append(&author, "", timing, 1, &[], &Remarks::default()).unwrap();
        assert!(!audit.path().exists());
    }
}

//! One line of the audit log, as it is written and as it is read.
//!
//! Pure. Absent is null, never missing; a field is never renamed, only added.

use super::append::{Author, Timing};
use crate::registry::{Action, Change, Remark};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::{borrow::Cow, fmt};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    /// A change's own number; a remark's is the one that the registry had.
    pub seq: u64,
    /// When, RFC 3339 in UTC.
    pub time: Cow<'a, str>,
    /// Who.
    pub user: User,
    /// By which process.
    pub pid: i32,
    /// By which command line.
    pub command: Cow<'a, str>,
    /// What happened.
    pub action: Action,
    /// To which type …
    pub r#type: Option<Cow<'a, str>>,
    /// … and which instance of it …
    pub id: Option<Cow<'a, str>>,
    /// … in which project: its root.
    pub project: Option<Cow<'a, str>>,
    /// Its port.
    pub port: Option<u16>,
    /// The range that came or went.
    pub range: Option<(u16, u16)>,
    /// What stood there.
    pub before: Option<Cow<'a, Value>>,
    /// What stands there now.
    pub after: Option<Cow<'a, Value>>,
    /// How long the lock was waited for, in µs.
    pub lock_wait_us: u128,
    /// How long it was held until then, in µs.
    pub transaction_us: u128,
    /// How often it was started again; of an end alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// How long it took to get ready, in ms, if it did; of an end alone.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub ready_ms: Option<Option<u64>>,
    /// What its run ended with; of an end that somebody saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// By what a new range was chosen, in words; of a range that was made or grew alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Cow<'a, str>>,
}

/// A line as it is read.
pub type Entry = Line<'static>;

/// A user: by number where it is written, by name where it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum User {
    /// As the kernel knows it.
    Number(u32),
    /// As people do.
    Name(String),
}

impl fmt::Display for User {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => out.pad(&number.to_string()),
            Self::Name(name) => out.pad(name),
        }
    }
}

impl<'a> Line<'a> {
    pub(super) fn of_change(
        author: &'a Author,
        time: &'a str,
        timing: Timing,
        change: &'a Change,
    ) -> Self {
        let instance = change.instance.as_ref();
        Line {
            r#type: change.service_type.as_ref().map(|name| name.as_str().into()),
            id: instance.map(|name| name.id.as_str().into()),
            project: instance.and_then(|name| name.scope.root()).map(Cow::from),
            port: change.port.map(u16::from),
            range: change.range.map(|range| (range.first().number(), range.last().number())),
            before: change.before.as_ref().map(Cow::Borrowed),
            after: change.after.as_ref().map(Cow::Borrowed),
            restarts: change.ending.map(|ending| ending.restarts),
            ready_ms: change.ending.map(|ending| ending.ready_ms),
            exit_code: change.ending.and_then(|ending| ending.exit_code),
            rule: change.rule.as_deref().map(Cow::from),
            ..Line::bare(author, time, timing, change.action)
        }
    }

    pub(super) fn of_remark(
        author: &'a Author,
        time: &'a str,
        timing: Timing,
        remark: &'a Remark,
    ) -> Self {
        let instance = remark.instance.as_ref();
        Line {
            r#type: Some(remark.service_type.as_str().into()),
            id: instance.map(|name| name.id.as_str().into()),
            project: instance.and_then(|name| name.scope.root()).map(Cow::from),
            port: remark.port.map(u16::from),
            ..Line::bare(author, time, timing, remark.action)
        }
    }

    /// Who did it and when.
    fn bare(author: &'a Author, time: &'a str, timing: Timing, action: Action) -> Self {
        Line {
            seq: 0,
            time: time.into(),
            user: User::Number(author.uid),
            pid: author.pid,
            command: author.command.as_str().into(),
            action,
            r#type: None,
            id: None,
            project: None,
            port: None,
            range: None,
            before: None,
            after: None,
            lock_wait_us: timing.lock_wait.as_micros(),
            transaction_us: timing.transaction.as_micros(),
            restarts: None,
            ready_ms: None,
            exit_code: None,
            rule: None,
        }
    }
}

#[cfg(test)]
impl Entry {
    /// One of a command that took no time.
    pub(crate) fn sample(time: &str, action: Action) -> Self {
        let author = Author { uid: 0, pid: 1, command: "styxy".to_owned() };
        let no_time = std::time::Duration::ZERO;
        let timing = Timing { lock_wait: no_time, transaction: no_time };
        let text = serde_json::to_string(&Line::bare(&author, time, timing, action)).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// A field that is there, be it null, is told from one that is not.
fn present<'de, D: Deserializer<'de>>(given: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(given).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Ending;
    use std::time::Duration;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let author = Author { uid: 7, pid: 1, command: "styxy \"x\"\n".to_owned() };
        let timing = Timing { lock_wait: Duration::ZERO, transaction: Duration::from_millis(1) };
        let change = |ending| Change {
            action: Action::Release,
            service_type: Some("ai".parse().unwrap()),
            instance: None,
            port: None,
            range: None,
            before: Some(serde_json::json!({ "lockId": "ai-rag-7f3k2m" })),
            after: None,
            ending,
            rule: ending.is_some().then(|| "rule 'a*'".to_owned()),
        };
        for ending in [None, Some(Ending::default())] {
            let change = change(ending);
            let line = Line::of_change(&author, "2026-01-02T03:04:05Z", timing, &change);
            let text = serde_json::to_string(&line).unwrap();
            let read: Entry = serde_json::from_str(&text).unwrap();
            assert_eq!(read, line);
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
            assert_eq!(text.contains("\"readyMs\":null"), ending.is_some(), "{text}");
            assert_eq!(text.contains("\"rule\":"), ending.is_some(), "{text}");
        }
    }
}

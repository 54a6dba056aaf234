//! `run/<lockId>.json`: what a supervisor knows of its instance, for those who ask and those who clean up.
//!
//! One JSON object. Its first bytes, the vitals, have a fixed width and are overwritten in place by one
//! write: a whole new file for each phase would cost more than the rest of a short run. The child puts its
//! own pid there before it becomes the command, so no living child is recorded nowhere. A reader reads
//! until two reads agree.

use crate::{
    container::whose::Whose,
    registry::{Instance, Phase, ProcessIdentity},
};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Where the child writes `%10d,%20d`, its pid and start, between the brackets of `{"leader":[…]`.
pub const LEADER_OFFSET: i64 = 11;
/// The width of what it writes.
pub const LEADER_LENGTH: usize = 31;
/// The vitals end here, and the part that never changes begins.
const VITALS_LENGTH: usize = 180;

/// What changes during a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vitals {
    /// The command's own process.
    pub leader: Option<ProcessIdentity>,
    /// The process that listens on the port, once known.
    pub listener: Option<ProcessIdentity>,
    /// Where it is in its life.
    pub phase: Phase,
    /// How long it took to get ready, in ms; `None` before.
    pub ready_ms: Option<u64>,
    /// How often it was started again.
    pub restarts: u32,
    /// Its whole tree is verified to be gone: who finds the row dead need not look for leftovers.
    pub over: bool,
}

/// What is settled when an instance starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// Its row in the registry, so that the registry can be rebuilt from here.
    pub row: Instance,
    /// The boot in which it runs; a pid means nothing in another.
    pub boot: String,
    /// The supervisor.
    pub supervisor: ProcessIdentity,
    /// Whose it is.
    pub uid: u32,
    /// When it was started, in ms since boot.
    pub started_boot_ms: u64,
    /// The same for people, RFC 3339 in UTC.
    pub started_at: String,
    /// The command as it was given, before templates.
    pub command: Vec<String>,
    /// Its working directory.
    pub cwd: String,
    /// How it is told that it is ready, in the flag's spelling.
    pub ready: String,
    /// The signal that stops it.
    pub stop_signal: i32,
    /// How long it may take to stop, in ms.
    pub stop_timeout_ms: u64,
    /// How long it may take to get ready, in ms; the default where it is not said.
    #[serde(default)]
    pub ready_timeout_ms: Option<u64>,
    /// Where its output goes, when it is detached.
    pub log: Option<String>,
    /// The containers that its command starts, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Whose>,
}

/// A record as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What changes during a life.
    pub vitals: Vitals,
    /// What does not.
    pub details: Details,
}

/// The object as it is spelled in the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spelled {
    leader: (i32, u64),
    listener: (i32, u64),
    phase: Phase,
    ready_ms: Option<u64>,
    restarts: u32,
    over: u8,
    #[serde(flatten)]
    details: Details,
}

impl Vitals {
    /// Those of an instance that was just leased.
    pub fn starting() -> Self {
        Self {
            leader: None,
            listener: None,
            phase: Phase::Starting,
            ready_ms: None,
            restarts: 0,
            over: false,
        }
    }

    /// The first bytes of the file, always as many.
    pub(super) fn render(&self) -> String {
        let mut text = String::with_capacity(VITALS_LENGTH);
        let quoted = format!("\"{}\"", self.phase);
        let ready = self.ready_ms.map_or_else(|| "null".to_owned(), |ms| ms.to_string());
        let over = u8::from(self.over);
        write!(
            text,
            "{{\"leader\":[{}],\"listener\":[{}],\"phase\":{quoted:11},\"readyMs\":{ready:>20},\
             \"restarts\":{:>10},\"over\":{over},",
            pair(self.leader),
            pair(self.listener),
            self.restarts
        )
        .expect("writing to memory does not fail");
        assert!(text.len() <= VITALS_LENGTH, "the vitals have a fixed width");
        text.extend(std::iter::repeat_n(' ', VITALS_LENGTH - text.len()));
        text
    }
}

fn pair(process: Option<ProcessIdentity>) -> String {
    let (pid, start) = process.map_or((0, 0), |process| (process.pid, process.start));
    format!("{pid:>10},{start:>20}")
}

/// The whole file.
pub(super) fn render(record: &Record) -> String {
    let details = serde_json::to_string(&record.details).expect("details are plain JSON");
    // The details' own opening brace is the vitals' one.
    record.vitals.render() + &details[1..] + "\n"
}

/// Reads a whole file; `None` when it is no record.
pub(super) fn parse(text: &[u8]) -> Option<Record> {
    let spelled: Spelled = serde_json::from_slice(text).ok()?;
    let process = |(pid, start)| (pid > 0).then_some(ProcessIdentity { pid, start });
    Some(Record {
        vitals: Vitals {
            leader: process(spelled.leader),
            listener: process(spelled.listener),
            phase: spelled.phase,
            ready_ms: spelled.ready_ms,
            restarts: spelled.restarts,
            over: spelled.over != 0,
        },
        details: spelled.details,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        ports::Port,
        registry::{InstanceName, NamedPort, Overlay, Scope},
    };
    use proptest::prelude::*;

    pub(crate) fn details(lock_id: &str) -> Details {
        let name = InstanceName {
            service_type: "ai".parse().unwrap(),
            id: "rag".parse().unwrap(),
            scope: Scope::Machine,
        };
        Details {
            row: Instance {
                name,
                ports: [NamedPort { name: String::new(), port: Port::known(11400) }].into(),
                last_seq: 1,
                overlay: Overlay::Unknown,
                lease: Some(crate::registry::Lease {
                    lock_id: lock_id.parse().unwrap(),
                    holder: crate::registry::Holder::Supervisor,
                    namespaces: Default::default(),
                    command: 7,
                    claims: Vec::new(),
                    next: None,
                }),
            },
            boot: "b".to_owned(),
            supervisor: ProcessIdentity { pid: 2, start: 3 },
            uid: 0,
            started_boot_ms: 4,
            started_at: "2026-01-02T03:04:05Z".to_owned(),
            command: vec!["python".to_owned(), "rag.py".to_owned()],
            cwd: "/".to_owned(),
            ready: "tcp".to_owned(),
            stop_signal: 15,
            stop_timeout_ms: 10_000,
            ready_timeout_ms: None,
            log: None,
            container: None,
        }
    }

    proptest! {
        #[test]
        fn vitals_always_have_the_same_width_and_are_read_back(
            pid in 1..i32::MAX, start: u64, ready_ms: Option<u64>, restarts: u32, over: bool,
        ) {
            let process = Some(ProcessIdentity { pid, start });
            let phase = Phase::Unhealthy;
            let vitals = Vitals { leader: process, listener: process, phase, ready_ms, restarts, over };
            prop_assert_eq!(vitals.render().len(), VITALS_LENGTH);
            let record = Record { vitals, details: details("ai-rag-7f3k2m") };
            prop_assert_eq!(parse(render(&record).as_bytes()), Some(record));
        }
    }

    #[test]
    fn the_child_writes_between_the_leaders_brackets() {
        let mut text = Vitals::starting().render();
        let at = usize::try_from(LEADER_OFFSET).unwrap();
        assert_eq!(&text[at - 1..at], "[");
        assert_eq!(&text[at + LEADER_LENGTH..=at + LEADER_LENGTH], "]");
        text.replace_range(at..at + LEADER_LENGTH, &format!("{:>10},{:>20}", 12, 34));
        let record = Record { vitals: Vitals::starting(), details: details("ai-rag-7f3k2m") };
        let whole = render(&record).replacen(&Vitals::starting().render(), &text, 1);
        let leader = parse(whole.as_bytes()).unwrap().vitals.leader;
        assert_eq!(leader, Some(ProcessIdentity { pid: 12, start: 34 }));
    }
}

//! What is said over `run/<lockId>.sock`: phases and the outcome one way, requests the other.
//!
//! Pure. One JSON object a line. Words are added and never changed: who does not know a word or a field
//! passes over it, so that two versions of styxy understand each other. The socket itself is `line`'s.

use super::{checks::Checked, machine::Phase, outcome::Outcome, phases::Phased};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The longest line: the longest message, checks and phases beside a stuck tree, is below.
pub const LINE_LENGTH_MAX: usize = 8192;

/// Why a check failed is told in so many characters at most.
pub const WHY_MAX: usize = 100;

/// What a supervisor says to those who are connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ToClient {
    /// Where the instance is in its life; said at once to who asks, and again with each change.
    Phase(Standing),
    /// The life is over. Nothing follows.
    Outcome {
        /// How it ended.
        #[serde(flatten)]
        outcome: Outcome,
        /// What `run` ends with.
        exit_code: i32,
    },
    /// To a standby: the queue is dissolved, do not start.
    Dismissed,
    /// To who asked how its checks went.
    Checks(Fare),
    /// To who asked for something that only the owner or root may ask for.
    Refused,
    /// What a newer styxy says.
    #[serde(other)]
    Unknown,
}

/// Where an instance is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The phase.
    pub phase: Phase,
    /// Since when, in ms since boot.
    pub since_boot_ms: u64,
    /// Its port.
    pub port: u16,
    /// The command's own process, or the listener's when that has ended.
    pub pid: Option<i32>,
    /// How often the command was started again.
    pub restarts: u32,
    /// What has survived KILL, when it is stuck.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub survivors: Vec<i32>,
    /// How many are attached.
    #[serde(default)]
    pub attached: usize,
    /// How many wait for its end to take its place.
    #[serde(default)]
    pub standbys: usize,
}

/// How an instance fares: its rules, its phases, what its liveness checks say, and how far its stop is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fare {
    /// How often it is checked; `None`: never.
    pub every_ms: Option<u64>,
    /// Whether it is started again, in the flag's spelling; an older styxy does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// Why the last one failed, if it did.
    pub why: Option<String>,
    /// The last ones, the oldest first.
    pub checks: Vec<Checked>,
    /// The last phases, the oldest first; an older styxy tells none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phased>,
    /// There were others before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub phases_dropped: bool,
    /// When it is started again; `None` unless that is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<NextTry>,
    /// How far its stop is; `None` while nobody stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopStanding>,
}

/// What has ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextTry {
    /// After so many ms from now.
    pub in_ms: u64,
    /// What it ended with: its code, or 128 and the signal.
    pub code: i32,
    /// Which restart it is since it last worked for long.
    pub number: u32,
    /// How many of them there are at most; null: without end.
    pub of: Option<u32>,
}

/// How far a stop is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopStanding {
    /// Until its tree gets KILL; `None` once it has.
    pub kill_in_ms: Option<u64>,
    /// What has survived KILL.
    pub survivors: Vec<i32>,
}

/// What those who are connected say to a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FromClient {
    /// Tell me phases and the outcome: I live and end with the instance.
    Attach,
    /// The same, and I start when it ends.
    Standby,
    /// Stop the instance. Only the owner or root may.
    Stop {
        /// At once, without grace.
        #[serde(default)]
        kill: bool,
        /// With this grace in place of the instance's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
    },
    /// Stop the instance and start it again. Only the owner or root may.
    Restart,
    /// Tell me how you fare.
    Checks,
    /// Send all standbys away. Only the owner or root may.
    Dismiss,
    /// What a newer styxy asks.
    #[serde(other)]
    Unknown,
}

/// The message as a line.
pub fn write(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("messages are plain JSON");
    line.push(b'\n');
    line
}

/// Bytes as they come, cut into lines.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
}

/// The other end does not speak our language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run socket's other end does not speak styxy's language")]
pub struct Gibberish;

impl Lines {
    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, once its line is complete.
    pub fn next_message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Gibberish> {
        let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else {
            return if self.bytes.len() > LINE_LENGTH_MAX { Err(Gibberish) } else { Ok(None) };
        };
        let message = serde_json::from_slice(&self.bytes[..end]).map_err(|_| Gibberish);
        self.bytes.drain(..=end);
        message.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{checks::CHECKS_MAX, phases::PHASES_MAX, stopping::SURVIVORS_MAX},
        *,
    };
    use proptest::prelude::*;

    fn standing() -> Standing {
        Standing {
            phase: Phase::Ready,
            since_boot_ms: 5,
            port: 80,
            pid: None,
            restarts: 2,
            survivors: Vec::new(),
            attached: 1,
            standbys: 0,
        }
    }

    #[test]
    fn messages_are_lines_that_are_read_back() {
        let stuck = Outcome::Stuck { pids: vec![i32::MAX; SURVIVORS_MAX] };
        for message in [
            ToClient::Phase(standing()),
            ToClient::Outcome { outcome: Outcome::Stopped { code: 143 }, exit_code: 143 },
            ToClient::Outcome { exit_code: stuck.exit_code(), outcome: stuck },
            ToClient::Dismissed,
            ToClient::Refused,
            ToClient::Checks(Fare {
                every_ms: Some(u64::MAX),
                restart: Some(format!("on-failure:{}", u32::MAX)),
                why: Some("\u{1}".repeat(WHY_MAX)),
                checks: vec![
                    Checked { ago_ms: u64::MAX, took_us: u64::MAX / 1000, passed: false };
                    CHECKS_MAX
                ],
                phases: vec![Phased { phase: Phase::Unhealthy, ago_ms: u64::MAX }; PHASES_MAX],
                phases_dropped: true,
                next_try: Some(NextTry {
                    in_ms: u64::MAX,
                    code: i32::MIN,
                    number: u32::MAX,
                    of: Some(u32::MAX),
                }),
                stop: Some(StopStanding {
                    kill_in_ms: Some(u64::MAX),
                    survivors: vec![i32::MAX; SURVIVORS_MAX],
                }),
            }),
        ] {
            let line = write(&message);
            assert!(line.len() <= LINE_LENGTH_MAX);
            let mut lines = Lines::default();
            lines.push(&line[..7]);
            assert_eq!(lines.next_message::<ToClient>(), Ok(None));
            lines.push(&line[7..]);
            assert_eq!(lines.next_message(), Ok(Some(message)));
            assert_eq!(lines.next_message::<ToClient>(), Ok(None));
        }
    }

    #[test]
    fn the_words_stay_as_they_are() {
        let phase = r#"{"say":"phase","phase":"ready","sinceBootMs":5,"port":80,"pid":null,"restarts":2,"attached":1,"standbys":0}"#;
        let outcome = ToClient::Outcome { outcome: Outcome::Ended { code: 3 }, exit_code: 3 };
        for (line, expected) in [
            (write(&ToClient::Phase(standing())), phase),
            (write(&outcome), r#"{"say":"outcome","reason":"ended","code":3,"exitCode":3}"#),
            (write(&FromClient::Attach), r#"{"ask":"attach"}"#),
            (write(&FromClient::Checks), r#"{"ask":"checks"}"#),
            (
                write(&ToClient::Checks(Fare {
                    every_ms: Some(10_000),
                    why: None,
                    checks: vec![Checked { ago_ms: 5, took_us: 7, passed: true }],
                    phases: vec![Phased { phase: Phase::Ready, ago_ms: 9 }],
                    ..Fare::default()
                })),
                r#"{"say":"checks","everyMs":10000,"why":null,"checks":[{"agoMs":5,"tookUs":7,"passed":true}],"phases":[{"phase":"ready","agoMs":9}]}"#,
            ),
            (
                write(&ToClient::Checks(Fare {
                    stop: Some(StopStanding { kill_in_ms: Some(7000), survivors: vec![5] }),
                    ..Fare::default()
                })),
                r#"{"say":"checks","everyMs":null,"why":null,"checks":[],"stop":{"killInMs":7000,"survivors":[5]}}"#,
            ),
            (
                write(&ToClient::Checks(Fare {
                    next_try: Some(NextTry { in_ms: 90, code: 1, number: 4, of: Some(5) }),
                    ..Fare::default()
                })),
                r#"{"say":"checks","everyMs":null,"why":null,"checks":[],"nextTry":{"inMs":90,"code":1,"number":4,"of":5}}"#,
            ),
            (
                write(&FromClient::Stop { kill: true, timeout_ms: None }),
                r#"{"ask":"stop","kill":true}"#,
            ),
            (
                write(&FromClient::Stop { kill: false, timeout_ms: Some(5) }),
                r#"{"ask":"stop","kill":false,"timeoutMs":5}"#,
            ),
        ] {
            assert_eq!(String::from_utf8(line).unwrap().trim_end(), expected);
        }
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let mut lines = Lines::default();
        lines.push(b"{\"ask\":\"dance\",\"how\":1}\n{\"ask\":\"stop\",\"softly\":true}\n");
        assert_eq!(lines.next_message(), Ok(Some(FromClient::Unknown)));
        let stop = FromClient::Stop { kill: false, timeout_ms: None };
        assert_eq!(lines.next_message(), Ok(Some(stop)));
    }

    proptest! {
        #[test]
        fn no_bytes_grow_the_buffer_without_end(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..4),
        ) {
            let mut lines = Lines::default();
            for piece in pieces {
                lines.push(&piece);
                loop {
                    match lines.next_message::<FromClient>() {
                        Ok(Some(_)) => {}
                        Ok(None) => break prop_assert!(lines.bytes.len() <= LINE_LENGTH_MAX),
                        Err(Gibberish) => return Ok(()),
                    }
                }
            }
        }
    }
}

//! The right to a port: who holds it, and by what it is told that the holder still lives.
//!
//! Pure. Whether a holder lives is asked of `decision::World`.

use crate::config::{InstanceId, TypeName, is_name};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The longest lockId; names of run files stay short, and type and id are cut, never the random part.
const LOCK_ID_LENGTH_MAX: usize = 64;
/// So many random characters end a lockId.
const RANDOM_LENGTH: usize = 6;
/// No vowels and no look-alikes: a lockId neither spells a word nor is misread.
const RANDOM_ALPHABET: &[u8; 32] = b"0123456789bcdfghjkmnpqrstvwxyzBD";

/// The name of a lease: `ai-rag-7f3k2m`. Also the name of its files in `run/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct LockId(CompactString);

/// Why something is not a lockId.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a lockId: they look like ai-rag-7f3k2m", .0.escape_debug())]
pub struct LockIdError(String);

impl LockId {
    /// A new name from the type, the id and thirty random bits.
    pub fn new(service_type: &TypeName, id: &InstanceId, dice: u32) -> Self {
        let room = LOCK_ID_LENGTH_MAX - RANDOM_LENGTH - 2;
        // The longer of the two is cut; names are ASCII, so any cut is at a character.
        let id_length =
            id.as_str().len().min(room.saturating_sub(service_type.as_str().len()).max(room / 2));
        let type_length = service_type.as_str().len().min(room - id_length);
        let mut text = CompactString::from(&service_type.as_str()[..type_length]);
        text.push('-');
        text.push_str(&id.as_str()[..id_length]);
        text.push('-');
        for place in 0..RANDOM_LENGTH {
            let index = (dice >> (5 * place)) & 31;
            text.push(char::from(RANDOM_ALPHABET[index as usize]));
        }
        Self(text)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<CompactString> for LockId {
    type Error = LockIdError;

    fn try_from(text: CompactString) -> Result<Self, LockIdError> {
        // The rule of names holds here too: a lockId becomes a file's name.
        if is_name(&text) && text.len() > RANDOM_LENGTH {
            Ok(Self(text))
        } else {
            Err(LockIdError(text.into()))
        }
    }
}

impl From<LockId> for CompactString {
    fn from(lock_id: LockId) -> Self {
        lock_id.0
    }
}

impl FromStr for LockId {
    type Err = LockIdError;

    fn from_str(text: &str) -> Result<Self, LockIdError> {
        CompactString::from(text).try_into()
    }
}

impl fmt::Display for LockId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// A lease, as it stands in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "LeaseRow", into = "LeaseRow")]
pub struct Lease {
    /// Its name.
    pub lock_id: LockId,
    /// By what it is told that it lives.
    pub holder: Holder,
    /// Where its holder was started.
    pub namespaces: Namespaces,
    /// A checksum of the command before templates: a derived id attaches to the same command only.
    pub command: u32,
    /// Data directories that no other instance may use meanwhile (canonical paths).
    pub claims: Vec<String>,
    /// Who takes over when the holder ends (`--if-running replace`), and is alive while its run lock is held.
    pub next: Option<LockId>,
}

/// A lease as it is saved: a list, since names of fields would be most of the file.
type LeaseRow = (LockId, Holder, Namespaces, u32, Vec<String>, Option<LockId>);

impl From<LeaseRow> for Lease {
    fn from((lock_id, holder, namespaces, command, claims, next): LeaseRow) -> Self {
        Self { lock_id, holder, namespaces, command, claims, next }
    }
}

impl From<Lease> for LeaseRow {
    fn from(lease: Lease) -> Self {
        let Lease { lock_id, holder, namespaces, command, claims, next } = lease;
        (lock_id, holder, namespaces, command, claims, next)
    }
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Option<Reservation>", into = "Option<Reservation>")]
pub enum Holder {
    /// A supervisor, alive while it holds its run lock.
    Supervisor,
    /// Nobody's child: `styxy allocate`.
    Reserved(Reservation),
}

impl From<Option<Reservation>> for Holder {
    fn from(row: Option<Reservation>) -> Self {
        row.map_or(Self::Supervisor, Self::Reserved)
    }
}

impl From<Holder> for Option<Reservation> {
    fn from(holder: Holder) -> Self {
        match holder {
            Holder::Supervisor => None,
            Holder::Reserved(reservation) => Some(reservation),
        }
    }
}

/// What keeps a lease alive that no supervisor holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ReservationRow", into = "ReservationRow")]
pub struct Reservation {
    /// The process it was taken for: while it lives, so does the lease.
    pub process: Option<ProcessIdentity>,
    /// Without such a process: how long it lives after it was last renewed or seen served, in ms.
    pub ttl_ms: u64,
    /// When it was last renewed or seen served, in ms since boot.
    pub seen_ms: u64,
}

/// A reservation as it is saved: how long it lives, when it was last seen, its process.
type ReservationRow = (u64, u64, Option<ProcessIdentity>);

impl From<ReservationRow> for Reservation {
    fn from((ttl_ms, seen_ms, process): ReservationRow) -> Self {
        Self { process, ttl_ms, seen_ms }
    }
}

impl From<Reservation> for ReservationRow {
    fn from(Reservation { process, ttl_ms, seen_ms }: Reservation) -> Self {
        (ttl_ms, seen_ms, process)
    }
}

/// One process and no other: a recycled pid has another start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its pid, in the PID namespace of the lease.
    pub pid: i32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start: u64,
}

/// The namespaces in which a pid and a port mean what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Namespaces {
    /// The inode of the PID namespace.
    pub pid: u64,
    /// The inode of the network namespace.
    pub net: u64,
}

impl From<(u64, u64)> for Namespaces {
    fn from((pid, net): (u64, u64)) -> Self {
        Self { pid, net }
    }
}

impl From<Namespaces> for (u64, u64) {
    fn from(Namespaces { pid, net }: Namespaces) -> Self {
        (pid, net)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_lock_id_is_short_and_keeps_its_random_part(
            service_type in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            id in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            dice: u32,
        ) {
            let (service_type, id) = (service_type.parse().unwrap(), id.parse().unwrap());
            let lock_id = LockId::new(&service_type, &id, dice);
            prop_assert!(lock_id.as_str().len() <= LOCK_ID_LENGTH_MAX);
            prop_assert_eq!(lock_id.as_str().parse::<LockId>().unwrap(), lock_id.clone());
            // The lowest thirty bits are the random part; the same dice give the same letters.
            let other = LockId::new(&"x".parse().unwrap(), &"y".parse().unwrap(), dice);
            let tail = |id: &LockId| id.as_str()[id.as_str().len() - RANDOM_LENGTH..].to_owned();
            prop_assert_eq!(tail(&lock_id), tail(&other));
        }
    }

    #[test]
    fn a_short_name_is_kept_whole() {
        let lock_id = LockId::new(&"ai".parse().unwrap(), &"rag".parse().unwrap(), 0);
        assert_eq!(lock_id.as_str(), "ai-rag-000000");
    }

    #[test]
    fn a_supervised_lease_is_a_short_row() {
        let lease = Lease {
            lock_id: "ai-rag-7f3k2m".parse().unwrap(),
            holder: Holder::Supervisor,
            namespaces: Namespaces { pid: 1, net: 2 },
            command: 7,
            claims: Vec::new(),
            next: None,
        };
        let text = serde_json::to_string(&lease).unwrap();
        assert_eq!(text, r#"["ai-rag-7f3k2m",null,[1,2],7,[],null]"#);
        assert_eq!(serde_json::from_str::<Lease>(&text).unwrap(), lease);
    }
}

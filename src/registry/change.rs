//! What differs between two registries: the audit lines, and how durable the change must be.
//!
//! Pure. Computed at the store's door, so that no change can forget its line.

use super::{Holder, Instance, InstanceName, Lease, LockId, Registry, range_lines};
use crate::config::TypeName;
use crate::ports::{Port, Range};
use serde::Serialize;
use std::{fmt, sync::Arc};

/// What happened, in the words of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub enum Action {
    /// An instance got a lease, or its lease was renewed or handed on.
    #[serde(rename = "allocate")]
    Allocate,
    /// Someone joined a running instance.
    #[serde(rename = "attach")]
    Attach,
    /// Someone was told to stay away.
    #[serde(rename = "blocked")]
    Blocked,
    /// A lease ended.
    #[serde(rename = "release")]
    Release,
    /// The lease of a dead holder was collected.
    #[serde(rename = "reclaim")]
    Reclaim,
    /// A service type got its first automatic range.
    #[serde(rename = "range.create")]
    RangeCreate,
    /// A full automatic range got another block.
    #[serde(rename = "range.grow")]
    RangeGrow,
    /// A range was given back by a person.
    #[serde(rename = "range.undo")]
    RangeUndo,
    /// A range was given back because nobody had used it.
    #[serde(rename = "range.retire")]
    RangeRetire,
    /// A configuration value was set.
    #[serde(rename = "config.set")]
    ConfigSet,
    /// A range had no free port.
    #[serde(rename = "exhausted")]
    Exhausted,
}

impl Action {
    /// Every one of them.
    pub const ALL: [Self; 11] = [
        Self::Allocate,
        Self::Attach,
        Self::Blocked,
        Self::Release,
        Self::Reclaim,
        Self::RangeCreate,
        Self::RangeGrow,
        Self::RangeUndo,
        Self::RangeRetire,
        Self::ConfigSet,
        Self::Exhausted,
    ];

    /// The word for it, as in the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allocate => "allocate",
            Self::Attach => "attach",
            Self::Blocked => "blocked",
            Self::Release => "release",
            Self::Reclaim => "reclaim",
            Self::RangeCreate => "range.create",
            Self::RangeGrow => "range.grow",
            Self::RangeUndo => "range.undo",
            Self::RangeRetire => "range.retire",
            Self::ConfigSet => "config.set",
            Self::Exhausted => "exhausted",
        }
    }

    /// Whether a lease ended.
    const fn is_end(self) -> bool {
        matches!(self, Self::Release | Self::Reclaim)
    }

    /// Whether its lines are the difference of two registries, numbered one by one; the others remark on
    /// something, and carry the number that the registry had.
    pub const fn is_change(self) -> bool {
        match self {
            Self::Allocate
            | Self::Release
            | Self::Reclaim
            | Self::RangeCreate
            | Self::RangeGrow
            | Self::RangeUndo
            | Self::RangeRetire => true,
            Self::Attach | Self::Blocked | Self::ConfigSet | Self::Exhausted => false,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

/// One audit line's worth of difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What happened.
    pub action: Action,
    /// To a type …
    pub service_type: Option<TypeName>,
    /// … and to which instance of it.
    pub instance: Option<InstanceName>,
    /// Its port.
    pub port: Option<Port>,
    /// The range, where one changed.
    pub range: Option<Range>,
    /// What stood there, as JSON.
    pub before: Option<serde_json::Value>,
    /// What stands there now.
    pub after: Option<serde_json::Value>,
    /// How its life went, where one ended.
    pub ending: Option<Ending>,
    /// By what a new range was chosen, in words.
    pub rule: Option<String>,
}

/// How the life of an instance went; told by who ends its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ending {
    /// Its holder had died without releasing it.
    pub reclaimed: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// How long it took to get ready, in ms, if it did.
    pub ready_ms: Option<u64>,
    /// What the run ended with; nobody knows of who died.
    pub exit_code: Option<i32>,
}

/// Something worth a line that changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// `Attach`, `Blocked` or `Exhausted`.
    pub action: Action,
    /// Of which type …
    pub service_type: TypeName,
    /// … and which instance, if one was meant.
    pub instance: Option<InstanceName>,
    /// On which port, if one was meant.
    pub port: Option<Port>,
}

/// What a transaction says beside its change; kept also when the change is refused.
#[derive(Debug, Default)]
pub struct Remarks {
    /// Lines of their own.
    pub said: Vec<Remark>,
    /// What is known of leases that end.
    pub endings: Vec<(LockId, Ending)>,
    /// Ranges that end because nobody used them, not because a person took them back.
    pub retired: Vec<Range>,
    /// By what new ranges were chosen, in words.
    pub ruled: Vec<(Range, String)>,
    /// Configuration values that were set or unset with this transaction.
    pub settings: Vec<Setting>,
}

/// A configuration value that was set or unset. It gets a number of its own, as a change of the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// In which file.
    pub file: String,
    /// At which key.
    pub key: String,
    /// What stood there.
    pub before: Option<serde_json::Value>,
    /// What stands there now.
    pub after: Option<serde_json::Value>,
}

/// How durable a change must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Leases need not survive a power cut: every process they name is gone with it.
    Cache,
    /// Ranges must.
    Disk,
}

/// What differs between two registries, in the order of the audit log.
pub fn compare(
    before: &Registry,
    after: &Registry,
    remarks: &Remarks,
) -> (Vec<Change>, Durability) {
    let (mut changes, durability) = if before.has_ranges_of(after) {
        (Vec::new(), Durability::Cache)
    } else {
        (range_lines::lines(before, after, remarks), Durability::Disk)
    };
    changes.extend(remarks.settings.iter().map(setting));
    let first = changes.len();
    let (mut old, mut new) =
        (before.instances.iter().peekable(), after.instances.iter().peekable());
    // Both are sorted by name, so one walk along the two finds every pair.
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => break,
            // The same allocation: nobody has touched it.
            (Some(left), Some(right)) if Arc::ptr_eq(left, right) => {
                old.next();
                new.next();
            }
            (Some(left), Some(right)) if left.name == right.name => {
                instance(Some(left), Some(right), remarks, &mut changes);
                old.next();
                new.next();
            }
            (Some(left), right) if right.is_none_or(|right| left.name < right.name) => {
                instance(Some(left), None, remarks, &mut changes);
                old.next();
            }
            (_, right) => {
                instance(None, right.copied().map(|right| &**right), remarks, &mut changes);
                new.next();
            }
        }
    }
    // Ends first: whoever reads the log line by line never sees a port given twice.
    changes[first..].sort_by_key(|change| !change.action.is_end());
    (changes, durability)
}

/// The lines for one instance: an end, a beginning, both, or none.
fn instance(
    before: Option<&Instance>,
    after: Option<&Instance>,
    remarks: &Remarks,
    changes: &mut Vec<Change>,
) {
    let old = before.and_then(|instance| Some((instance, instance.lease.as_ref()?)));
    let new = after.and_then(|instance| Some((instance, instance.lease.as_ref()?)));
    match (old, new) {
        (Some((old, lease)), Some((new, next))) if lease.lock_id == next.lock_id => {
            let (left, right) = (shown(old, lease), shown(new, next));
            if left != right {
                changes.push(line(Action::Allocate, new, Some(left), Some(right)));
            }
        }
        (old, new) => {
            if let Some((old, lease)) = old {
                let ending = remarks
                    .endings
                    .iter()
                    .find(|(lock_id, _)| *lock_id == lease.lock_id)
                    .map_or_else(Ending::default, |(_, ending)| *ending);
                let action = if ending.reclaimed { Action::Reclaim } else { Action::Release };
                let mut change = line(action, old, Some(shown(old, lease)), None);
                change.ending = Some(ending);
                changes.push(change);
            }
            if let Some((new, lease)) = new {
                changes.push(line(Action::Allocate, new, None, Some(shown(new, lease))));
            }
        }
    }
}

/// What the log shows of a lease. When it was last seen served is no change worth a line.
fn shown(instance: &Instance, lease: &Lease) -> serde_json::Value {
    let ports: serde_json::Map<String, serde_json::Value> = instance
        .ports
        .iter()
        .map(|named| (named.name.clone(), named.port.number().into()))
        .collect();
    serde_json::json!({
        "lockId": lease.lock_id.as_str(),
        "project": instance.name.scope.root(),
        "ports": ports,
        "claims": lease.claims,
        "next": lease.next.as_ref().map(LockId::as_str),
        // A run that takes a reservation over keeps its name.
        "supervised": matches!(lease.holder, Holder::Supervisor),
    })
}

fn line(
    action: Action,
    instance: &Instance,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Change {
    Change {
        action,
        service_type: Some(instance.name.service_type.clone()),
        instance: Some(instance.name.clone()),
        port: Some(instance.port()),
        range: None,
        before,
        after,
        ending: None,
        rule: None,
    }
}

/// The line for a value of the configuration.
fn setting(setting: &Setting) -> Change {
    let Setting { file, key, before, after } = setting;
    let side = |value: &Option<serde_json::Value>| {
        value.as_ref().map(|value| serde_json::json!({ "file": file, "key": key, "value": value }))
    };
    Change { before: side(before), after: side(after), ..empty_line(Action::ConfigSet) }
}

pub(super) fn empty_line(action: Action) -> Change {
    Change {
        action,
        service_type: None,
        instance: None,
        port: None,
        range: None,
        before: None,
        after: None,
        ending: None,
        rule: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::AutoRange;
    use crate::registry::{NamedPort, Overlay, Reservation, Scope};

    fn leased(id: &str, port: u16, lock: &str) -> Instance {
        Instance {
            name: InstanceName {
                service_type: "ai".parse().unwrap(),
                id: id.parse().unwrap(),
                scope: Scope::Machine,
            },
            ports: [NamedPort { name: String::new(), port: Port::known(port) }].into(),
            last_seq: 0,
            overlay: Overlay::Unknown,
            lease: Some(Lease {
                lock_id: lock.parse().unwrap(),
                holder: Holder::Supervisor,
                namespaces: Default::default(),
                command: 0,
                claims: Vec::new(),
                next: None,
            }),
        }
    }

    fn registry(instances: Vec<Instance>) -> Registry {
        let mut registry = Registry::default();
        instances.into_iter().for_each(|instance| registry.put(instance));
        registry
    }

    fn actions(before: &Registry, after: &Registry, remarks: &Remarks) -> Vec<Action> {
        compare(before, after, remarks).0.iter().map(|change| change.action).collect()
    }

    #[test]
    fn an_action_has_one_word_everywhere() {
        for action in Action::ALL {
            let written = serde_json::to_value(action).unwrap();
            assert_eq!(written, action.word());
            assert_eq!(action.to_string(), action.word());
        }
    }

    #[test]
    fn each_beginning_and_end_has_its_line() {
        let none = registry(vec![]);
        let one = registry(vec![leased("a", 1, "ai-a-000001"), leased("c", 3, "ai-c-000001")]);
        let other = registry(vec![leased("b", 2, "ai-b-000001"), leased("c", 3, "ai-c-000002")]);
        let quiet = Remarks::default();
        assert_eq!(actions(&none, &one, &quiet), [Action::Allocate, Action::Allocate]);
        assert_eq!(actions(&one, &none, &quiet), [Action::Release, Action::Release]);
        assert_eq!(
            actions(&one, &other, &quiet),
            [Action::Release, Action::Release, Action::Allocate, Action::Allocate]
        );
        assert_eq!(actions(&one, &one.clone(), &quiet), []);
    }

    #[test]
    fn a_run_that_takes_a_reservation_over_has_a_line() {
        let run = leased("a", 1, "ai-a-000001");
        let mut reserved = run.clone();
        let holder = Holder::Reserved(Reservation { process: None, ttl_ms: 1, seen_ms: 1 });
        reserved.lease = run.lease.clone().map(|lease| Lease { holder, ..lease });
        let (before, after) = (registry(vec![reserved]), registry(vec![run]));
        assert_eq!(actions(&before, &after, &Remarks::default()), [Action::Allocate]);
    }

    #[test]
    fn a_dead_holders_lease_is_reclaimed_not_released() {
        let before = registry(vec![leased("a", 1, "ai-a-000001")]);
        let mut after = before.clone();
        after.end_lease(&before.instances[0].name);
        let ending = Ending { reclaimed: true, restarts: 2, ready_ms: Some(5), exit_code: None };
        let remarks = Remarks {
            endings: vec![("ai-a-000001".parse().unwrap(), ending)],
            ..Remarks::default()
        };
        let (changes, durability) = compare(&before, &after, &remarks);
        assert_eq!(changes[0].action, Action::Reclaim);
        assert_eq!(changes[0].ending, Some(ending));
        assert_eq!(durability, Durability::Cache);
    }

    #[test]
    fn ranges_must_reach_the_disk() {
        let before = Registry::default();
        let mut after = before.clone();
        after.ranges.push(AutoRange {
            service_type: "grafana".parse().unwrap(),
            range: Range::known(11510, 11519),
            created: String::new(),
            used: None,
        });
        let (changes, durability) = compare(&before, &after, &Remarks::default());
        assert_eq!(changes[0].action, Action::RangeCreate);
        assert_eq!(durability, Durability::Disk);
        let mut grown = after.clone();
        grown
            .ranges
            .push(AutoRange { range: Range::known(11520, 11529), ..after.ranges[0].clone() });
        assert_eq!(actions(&after, &grown, &Remarks::default()), [Action::RangeGrow]);
        assert_eq!(actions(&grown, &after, &Remarks::default()), [Action::RangeUndo]);
    }

    #[test]
    fn the_use_of_a_range_is_neither_a_line_nor_durable() {
        let mut before = Registry::default();
        before.ranges.push(AutoRange {
            service_type: "grafana".parse().unwrap(),
            range: Range::known(10, 19),
            created: String::new(),
            used: None,
        });
        let mut after = before.clone();
        after.note_use_of_all("2025-09-30T00:00:00Z");
        assert_ne!(before, after);
        assert_eq!(compare(&before, &after, &Remarks::default()), (vec![], Durability::Cache));
    }

    #[test]
    fn a_setting_is_a_line_of_its_own() {
        let set = Setting {
            file: "config.toml".to_owned(),
            key: "logs.keep".to_owned(),
            before: None,
            after: Some(7.into()),
        };
        let remarks = Remarks { settings: vec![set], ..Remarks::default() };
        let (changes, durability) = compare(&Registry::default(), &Registry::default(), &remarks);
        assert_eq!((changes[0].action, durability), (Action::ConfigSet, Durability::Cache));
        let after = serde_json::json!({ "file": "config.toml", "key": "logs.keep", "value": 7 });
        assert_eq!((&changes[0].before, &changes[0].after), (&None, &Some(after)));
    }
}

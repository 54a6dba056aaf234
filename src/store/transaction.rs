//! One transaction: lock, load, change a draft, compare, write the audit lines, commit, unlock.
//!
//! A crash at any point leaves the state before or after. An error leaves it as it was.

use super::{
    Store,
    audit::{Author, Timing},
    error::{StoreError, TransactError},
    file::Found,
    lock::Waiting,
    port_table::PortTable,
    rebuild,
    storage::Storage,
    text::Saved,
};
use crate::{
    os::clock,
    registry::{Change, Durability, Holder, Registry, Remarks, check_after, compare},
};
use std::{error::Error as _, sync::Arc};

/// Who changes the registry, and when it is.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who.
    pub author: Author,
    /// The boot in which pids and boot times mean what they say.
    pub boot: String,
}

/// What a transaction needs from outside.
pub struct Outside<'a> {
    /// Who changes the registry.
    pub actor: &'a Actor,
    /// Told when the lock has not been free for a second, with its holder.
    pub waiting: &'a Waiting<'a>,
    /// Told when the state had to be rebuilt.
    pub warn: &'a dyn Fn(&str),
    /// Tells what the document for people shall say, when ranges have changed.
    pub table: &'a dyn Fn(&Registry) -> Option<PortTable>,
}

impl<S: Storage> Store<S> {
    /// Changes the registry. The change is made on a draft, under the lock; an error leaves everything as
    /// it was, but for the remarks, which are kept.
    pub fn transact<T, E>(
        &self,
        outside: &Outside<'_>,
        change: impl FnOnce(&mut Registry, &mut Remarks) -> Result<T, E>,
    ) -> Result<T, TransactError<E>> {
        let lock = self.directory.lock(self.path(), outside.waiting)?;
        let began = clock::now();
        self.run.must_be_in(&self.directory)?;
        let timing =
            || Timing { lock_wait: lock.waited, transaction: clock::now().duration_since(began) };
        let Loaded { saved, must_write } = self.load(outside)?;
        let before = &saved.registry;
        let mut draft = Registry { unsettled: false, ..before.clone() };
        let mut remarks = Remarks::default();
        let author = &outside.actor.author;
        let decided = change(&mut draft, &mut remarks);
        let decided = match decided {
            Ok(value) => value,
            Err(refusal) => {
                self.append(author, timing(), before.seq + 1, &[], &remarks)?;
                return Err(TransactError::Refused(refusal));
            }
        };
        if draft == *before && !must_write && remarks.settings.is_empty() {
            self.append(author, timing(), before.seq + 1, &[], &remarks)?;
            return Ok(decided);
        }
        draft.forget_oldest();
        let (changes, durability) = compare(before, &draft, &remarks);
        draft.note_changes(&changes, &now());
        // Only lines have numbers. A change without one that took a number would make true what a
        // killed transaction had written down under it.
        draft.seq = before.seq + u64::try_from(changes.len()).unwrap_or(u64::MAX);
        // What no file says has not been checked when it was read.
        let checked = if must_write { &Registry::default() } else { before };
        check_after(checked, &draft).map_err(StoreError::from)?;
        self.append(author, timing(), before.seq + 1, &changes, &remarks)?;
        let same_ranges = draft.ranges == before.ranges;
        let file = self.state_file();
        let written = if must_write {
            // The spare file may be of a time that a power cut has undone, with the higher number: it is
            // not left on the disk.
            file.commit(draft, saved, Durability::Disk, Durability::Disk)?
        } else {
            // Its own file may be as old as it likes after a power cut: the copy of the ranges tells.
            if durability == Durability::Disk {
                file.unsettle(&saved)?;
            }
            file.commit(draft, saved, durability, Durability::Cache)?
        };
        let told = if same_ranges { Ok(()) } else { self.write_table(outside, &written.registry) };
        // Whoever listens to warnings may be slow.
        drop(lock);
        if let Err(error) = told {
            let why = error.source().map_or_else(String::new, |source| format!(": {source}"));
            (outside.warn)(&format!("the table of ports is out of date: {error}{why}"));
        }
        Ok(decided)
    }

    /// Writes the document for people as it is now.
    pub fn refresh_table(&self, outside: &Outside<'_>) -> Result<(), StoreError> {
        let _lock = self.directory.lock(self.path(), outside.waiting)?;
        let Loaded { saved, .. } = self.load(outside)?;
        self.write_table(outside, &saved.registry)
    }

    fn append(
        &self,
        author: &Author,
        timing: Timing,
        seq: u64,
        changes: &[Change],
        remarks: &Remarks,
    ) -> Result<(), StoreError> {
        self.audit.append(&self.directory, author, &now(), timing, seq, changes, remarks)
    }

    /// Under the lock, so that an older table never takes the place of a younger one.
    fn write_table(&self, outside: &Outside<'_>, registry: &Registry) -> Result<(), StoreError> {
        (outside.table)(registry).map_or(Ok(()), |table| table.write(self.path()))
    }

    /// The registry after it was rebuilt, if it had to be.
    pub(super) fn repaired(&self, outside: &Outside<'_>) -> Result<Registry, StoreError> {
        let copy = self
            .transact(outside, |registry, _| Ok::<_, std::convert::Infallible>(registry.clone()));
        copy.map_err(|error| match error {
            TransactError::Store(error) => error,
            TransactError::Refused(never) => match never {},
        })
    }

    /// Whether something shows that a missing state file is not a first run.
    pub(super) fn has_traces(&self) -> bool {
        self.state_file().has_ranges() || self.run().lock_ids().is_ok_and(|found| !found.is_empty())
    }

    /// The registry as it stands, under the lock; rebuilt when its file is broken or gone.
    fn load(&self, outside: &Outside<'_>) -> Result<Loaded, StoreError> {
        let file = self.state_file();
        let boot = &outside.actor.boot;
        let why = match file.read()? {
            Found::Registry(saved) if saved.registry.boot == *boot => {
                let must_write = saved.registry.unsettled;
                return Ok(Loaded { saved, must_write });
            }
            Found::Registry(saved) => {
                let registry = after_boot(saved.registry.clone(), file.read_ranges()?, boot);
                return Ok(Loaded::changed(registry));
            }
            Found::Nothing if !self.has_traces() => {
                let registry = Registry { boot: boot.clone(), ..self.fresh() };
                return Ok(Loaded { saved: Arc::new(registry.into()), must_write: false });
            }
            Found::Nothing => "it is missing".to_owned(),
            Found::Broken(why) => why,
        };
        let kept = file.set_aside()?;
        let path = self.path().join("state.json");
        (outside.warn)(&format!(
            "the registry {} could not be read ({why}); it is kept as {kept} and was rebuilt from \
             ranges.json and run/",
            path.display()
        ));
        let mut ranges = match file.read_ranges()? {
            Found::Registry(ranges) => ranges.registry.clone(),
            Found::Nothing | Found::Broken(_) => Registry::default(),
        };
        // The copy is as old as the last range; the leases since then are forgotten.
        ranges.note_use_of_all(&now());
        let seq = ranges.seq.max(self.audit.last_seq(&self.directory));
        let registry =
            Registry { seq, boot: boot.clone(), ..rebuild::registry(ranges, self.run()) };
        Ok(Loaded::changed(registry))
    }
}

/// A registry as it was loaded.
struct Loaded {
    saved: Arc<Saved>,
    /// It is not what the file says, so it is written even if nothing changes.
    must_write: bool,
}

impl Loaded {
    /// One that no file says yet.
    fn changed(registry: Registry) -> Self {
        Self { saved: Arc::new(registry.into()), must_write: true }
    }
}

/// The registry of an earlier boot, made true for this one. A power cut may have brought back an older
/// state file than the last one that was synced: then the durable copy of the ranges counts.
fn after_boot(mut registry: Registry, ranges: Found, boot: &str) -> Registry {
    if let Found::Registry(durable) = ranges
        && durable.registry.seq > registry.seq
    {
        registry.seq = durable.registry.seq;
        registry.ranges = durable.registry.ranges.clone();
    }
    registry.boot = boot.to_owned();
    registry.unsettled = false;
    for instance in &mut registry.instances {
        if instance.lease.as_ref().is_some_and(|lease| matches!(lease.holder, Holder::Reserved(_)))
            && let Some(lease) = Arc::make_mut(instance).lease.as_mut()
            && let Holder::Reserved(reservation) = &mut lease.holder
        {
            // Its process is gone and its time since boot means nothing now; a served port still counts.
            reservation.process = None;
            reservation.ttl_ms = 0;
            reservation.seen_ms = 0;
        }
    }
    registry
}

fn now() -> String {
    clock::utc().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;
    use crate::{
        ports::{Port, Range},
        registry::{Action, AutoRange, Instance, InstanceName, NamedPort, Overlay, Remark, Scope},
    };
    use std::{cell::RefCell, path::Path};

    fn actor(boot: &str) -> Actor {
        let author = Author { uid: 0, pid: 1, command: "test".to_owned() };
        Actor { author, boot: boot.to_owned() }
    }

    /// Runs one transaction; what it warned of comes back beside its result.
    fn transact<T>(
        place: &Path,
        boot: &str,
        change: impl FnOnce(&mut Registry, &mut Remarks) -> Result<T, ()>,
    ) -> (Result<T, TransactError<()>>, Vec<String>) {
        let warned = RefCell::new(Vec::new());
        let actor = actor(boot);
        let warn = |text: &str| warned.borrow_mut().push(text.to_owned());
        let outside = Outside { actor: &actor, waiting: &|_| {}, warn: &warn, table: &|_| None };
        let result = Store::open(place).unwrap().transact(&outside, change);
        (result, warned.into_inner())
    }

    fn remembered(id: &str, port: u16) -> Instance {
        let name = InstanceName {
            service_type: "dev".parse().unwrap(),
            id: id.parse().unwrap(),
            scope: Scope::Machine,
        };
        let ports = [NamedPort { name: String::new(), port: Port::known(port) }].into();
        Instance { name, ports, last_seq: 0, overlay: Overlay::Unknown, lease: None }
    }

    fn block(first: u16) -> AutoRange {
        AutoRange {
            service_type: "grafana".parse().unwrap(),
            range: Range::known(first, first + 9),
            created: String::new(),
            used: None,
        }
    }

    fn add_range(place: &Path, boot: &str, first: u16) {
        transact(place, boot, |registry, _| {
            registry.ranges.push(block(first));
            Ok(())
        })
        .0
        .unwrap();
    }

    fn ranges(place: &Path, boot: &str) -> usize {
        transact(place, boot, |registry, _| Ok(registry.ranges.len())).0.unwrap()
    }

    #[test]
    fn a_refusal_changes_nothing_but_its_remark_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let (result, _) = transact::<()>(place.path(), "b", |registry, remarks| {
            registry.put(remembered("a", 1));
            remarks.said.push(Remark {
                action: Action::Blocked,
                service_type: "dev".parse().unwrap(),
                instance: None,
                port: None,
            });
            Err(())
        });
        assert!(matches!(result, Err(TransactError::Refused(()))));
        assert!(!place.path().join("state.json").exists());
        let log = std::fs::read_to_string(place.path().join("audit.jsonl")).unwrap();
        assert_eq!(log.lines().count(), 1);
        assert!(log.contains(r#""action":"blocked""#), "{log}");
    }

    #[test]
    fn nothing_changed_is_nothing_written() {
        let place = tempfile::tempdir().unwrap();
        transact(place.path(), "b", |registry, _| {
            registry.put(remembered("a", 1));
            Ok(())
        })
        .0
        .unwrap();
        let before = std::fs::read(place.path().join("state.json")).unwrap();
        transact(place.path(), "b", |registry, _| {
            registry.put(remembered("a", 1));
            Ok(())
        })
        .0
        .unwrap();
        assert_eq!(std::fs::read(place.path().join("state.json")).unwrap(), before);
    }

    #[test]
    fn no_change_is_lost_between_many_writers() {
        let place = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = place.path();
                scope.spawn(move || {
                    for turn in 0..20 {
                        transact(path, "b", |registry, _| {
                            registry.put(remembered(&format!("w{writer}-{turn}"), 1));
                            Ok(())
                        })
                        .0
                        .unwrap();
                    }
                });
            }
        });
        let (rows, _) =
            transact(place.path(), "b", |registry, _| Ok((registry.instances.len(), registry.seq)));
        assert_eq!(rows.unwrap(), (160, 0), "a remembered port is no line, so it has no number");
    }

    #[test]
    fn a_lost_or_broken_file_gives_its_ranges_back_with_one_warning() {
        for damage in [None, Some(""), Some("garbage"), Some("{\"version\":1,\"check\":\"0\"}")] {
            let place = tempfile::tempdir().unwrap();
            add_range(place.path(), "b", 10100);
            let state = place.path().join("state.json");
            match damage {
                None => std::fs::remove_file(&state).unwrap(),
                Some(text) => std::fs::write(&state, text).unwrap(),
            }
            let (found, warned) = transact(place.path(), "b", |registry, _| {
                Ok((registry.ranges.len(), registry.seq))
            });
            assert_eq!(found.unwrap(), (1, 1), "{damage:?}");
            assert_eq!(warned.len(), 1, "{damage:?}");
            let (_, warned) = transact(place.path(), "b", |_, _| Ok(()));
            assert_eq!(warned, [] as [String; 0], "{damage:?}");
        }
    }

    #[test]
    fn a_line_that_never_happened_does_not_come_true_by_a_change_without_one() {
        let place = tempfile::tempdir().unwrap();
        add_range(place.path(), "b", 10100);
        let log = place.path().join("audit.jsonl");
        let lines = std::fs::read_to_string(&log).unwrap();
        // The next transaction was killed when its line was written.
        let never = lines.replacen("\"seq\":1,", "\"seq\":2,", 1);
        std::fs::write(&log, lines + &never).unwrap();
        let (registry, _) = transact(place.path(), "b", |registry, _| {
            registry.put(remembered("a", 1));
            Ok(())
        });
        registry.unwrap();
        let (seq, _) = transact(place.path(), "b", |registry, _| Ok(registry.seq));
        let store = Store::open(place.path()).unwrap();
        assert_eq!(store.audit().entries(seq.unwrap(), &|_| true).unwrap().len(), 1);
    }

    #[test]
    fn whose_run_files_were_taken_away_calls_nobody_dead() {
        let place = tempfile::tempdir().unwrap();
        let actor = actor("b");
        let outside = Outside { actor: &actor, waiting: &|_| {}, warn: &|_| {}, table: &|_| None };
        let robbed = Store::open(place.path()).unwrap();
        let run = place.path().join("run");
        for makes_anew in [false, true] {
            std::fs::remove_dir(&run).unwrap();
            let newer = makes_anew.then(|| Store::open(place.path()).unwrap());
            let refused = robbed.transact(&outside, |_, _| Ok::<_, ()>(()));
            let exchanged =
                |error: &_| matches!(error, StoreError::Exchanged { path } if *path == run);
            assert!(matches!(&refused, Err(TransactError::Store(error)) if exchanged(error)));
            assert!(robbed.read(&outside).is_err_and(|error| exchanged(&error)));
            match newer {
                Some(newer) => newer.transact(&outside, |_, _| Ok::<_, ()>(())).unwrap(),
                None => std::fs::create_dir(&run).unwrap(),
            }
        }
    }

    #[test]
    fn a_newer_file_is_refused_untouched() {
        let place = tempfile::tempdir().unwrap();
        let state = place.path().join("state.json");
        let newer = "{\"version\":2,\"check\":\"something else\"}";
        std::fs::write(&state, newer).unwrap();
        let (result, _) = transact(place.path(), "b", |_, _| Ok(()));
        assert!(matches!(result, Err(TransactError::Store(StoreError::Version { .. }))));
        assert_eq!(std::fs::read_to_string(&state).unwrap(), newer);
    }

    #[test]
    fn a_change_of_ranges_that_was_cut_off_leaves_no_trace_in_their_durable_copy() {
        let place = Path::new("/memory");
        let transact = |memory: &Memory, change: &dyn Fn(&mut Registry)| {
            let actor = actor("b");
            let outside =
                Outside { actor: &actor, waiting: &|_| {}, warn: &|_| {}, table: &|_| None };
            let store = Store::within(memory.clone(), place).unwrap();
            store.transact(&outside, |registry, _| {
                change(registry);
                Ok::<_, ()>(registry.ranges.len())
            })
        };
        let mut undone = false;
        for at in 0.. {
            let memory = Memory::default();
            transact(&memory, &|registry| registry.ranges.push(block(10100))).unwrap();
            memory.cut_after(at);
            undone = undone || transact(&memory, &|registry| registry.ranges.clear()).is_ok();
            memory.restart();
            // Somebody is told that the range is there, or that it is not; then the registry breaks.
            let told = transact(&memory, &|registry| registry.put(remembered("a", 1))).unwrap();
            memory.unlink("state.json").unwrap();
            assert_eq!(transact(&memory, &|_| {}).unwrap(), told, "cut off at {at}");
            if undone {
                break;
            }
        }
    }

    #[test]
    fn after_a_power_cut_the_durable_ranges_count() {
        let place = tempfile::tempdir().unwrap();
        add_range(place.path(), "before", 10100);
        let old = std::fs::read(place.path().join("state.json")).unwrap();
        add_range(place.path(), "before", 10120);
        std::fs::write(place.path().join("state.json"), old).unwrap();
        assert_eq!(ranges(place.path(), "before"), 1, "within a boot the state file is the truth");
        assert_eq!(ranges(place.path(), "after"), 2);
    }
}

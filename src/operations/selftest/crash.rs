//! Kills: a process that was forked does a deed and dies at one of its operations; then the next command's
//! transaction has to find the state before it or the one after it, and nothing else.

use super::{
    Finding,
    check::{self, Essence},
    deed::{Deed, KINDS, Undone, recover},
    dice::Dice,
};
use crate::{
    config::Rotation,
    operations::error::Error,
    os::fork::{self, End},
    registry::{Holder, Registry},
    store::{
        Store, StoreError,
        doomed::{Doomed, Fate},
        run_dir::Held,
    },
};
use nix::sys::signal::Signal;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// In which boot all of it happens.
const BOOT: &str = "the boot of a self-test";
/// So many instances live on while others die.
const ALIVE_MAX: usize = 6;
/// At first a process is killed at one of so many operations; a deed that has more shows it.
const OPERATIONS_MIN: u32 = 12;
/// After so many turns the state is checked for growing.
const FILES_MAX: usize = 16;
/// The file of the registry.
const STATE: &str = "state.json";

/// What the copy ends with when its deed is done, refused, or impossible.
const DONE: i32 = 0;
const REFUSED: i32 = 1;
const IMPOSSIBLE: i32 = 2;

/// A state directory in which processes die.
pub(super) struct Scene<'a> {
    path: &'a Path,
    store: Store<Doomed>,
    alive: Vec<Held<Doomed>>,
    dice: Dice,
    /// The registry after the last recovery.
    known: Registry,
    /// The highest number of operations that each kind of deed was seen to have.
    operations: [u32; KINDS],
    /// How often a process was killed.
    pub(super) kills: u64,
    /// How often a deed was done before its process was.
    pub(super) done: u64,
}

impl<'a> Scene<'a> {
    /// An empty one.
    pub(super) fn open(path: &'a Path, seed: u64) -> Result<Self, Error> {
        Ok(Self {
            path,
            store: open(path, Fate::never())?,
            alive: Vec::new(),
            dice: Dice::of(seed),
            known: Registry { boot: BOOT.to_owned(), ..Registry::default() },
            operations: [OPERATIONS_MIN; KINDS],
            kills: 0,
            done: 0,
        })
    }

    /// Kills until it was often enough: at every operation of every kind of deed in turn, then at any.
    pub(super) fn play(&mut self, kills: u64) -> Result<(), Finding> {
        for kind in 0..KINDS {
            let mut at = 0;
            while self.kills < kills && !self.turn(kind, at)? {
                at += 1;
            }
        }
        while self.kills < kills {
            let kind = self.dice.one_of(KINDS);
            let at = self.dice.one_of(self.operations[kind] as usize + 2);
            self.turn(kind, u32::try_from(at).expect("few operations"))?;
            self.change_who_lives()?;
        }
        Ok(())
    }

    /// One deed, killed at that operation, and what is found then. Tells whether it was done before.
    fn turn(&mut self, kind: usize, at: u32) -> Result<bool, Finding> {
        // One in eight meets a registry that somebody has broken.
        let is_broken = self.dice.one_of(8) == 0 && self.break_state().map_err(Finding::system)?;
        let deed = match is_broken {
            true => Deed::Recover,
            false => Deed::roll(kind, &mut self.dice, &self.known),
        };
        let before = self.known.clone();
        let start = if is_broken { Essence::rebuilt(&before) } else { Essence::of(&before) };
        let goal = if is_broken { start.clone() } else { Essence::of(&deed.foresee(&before)) };
        let told = |why: String| Finding::of(format!("{deed:?}, killed at operation {at}: {why}"));
        let end = self.strike(&deed, at).map_err(Finding::system)?;
        if end == End::Signal(Signal::SIGKILL) {
            self.operations[kind] = self.operations[kind].max(at + 1);
        }
        // Who comes next may be killed too.
        while self.dice.one_of(3) == 0 {
            let at = self.dice.one_of(self.operations[KINDS - 1] as usize + 2);
            let at = u32::try_from(at).expect("few operations");
            self.strike(&Deed::Recover, at).map_err(Finding::system)?;
        }
        let after = recover(&self.store, BOOT).map_err(|error| told(format!("{error:?}")))?;
        let found = Essence::of(&after);
        let is_as_it_should_be = match end {
            End::Code(DONE) => found == goal,
            End::Code(REFUSED) => found == start,
            End::Signal(Signal::SIGKILL) => found == start || found == goal,
            End::Code(_) | End::Signal(_) => {
                return Err(told(format!("it ended with {end:?}")));
            }
        };
        if !is_as_it_should_be {
            return Err(told(format!("{start:?} or {goal:?} should be, and there is {found:?}")));
        }
        self.verify(&before, &after, is_broken).map_err(told)?;
        self.known = after;
        Ok(end == End::Code(DONE))
    }

    /// Has a copy of this process do it, and die at that operation.
    fn strike(&mut self, deed: &Deed, at: u32) -> io::Result<End> {
        let torn = u8::try_from(self.dice.one_of(256)).expect("a byte");
        let path = self.path;
        let end = fork::in_a_copy(|| {
            let store = open(path, Fate::after(at, torn)).map_err(Undone::Store);
            let done = store.and_then(|store| deed.perform(&store, BOOT));
            match done {
                Ok(_) => DONE,
                Err(Undone::Refused) => REFUSED,
                Err(Undone::Store(_)) => IMPOSSIBLE,
            }
        })?;
        match end {
            End::Signal(_) => self.kills += 1,
            End::Code(_) => self.done += 1,
        }
        Ok(end)
    }

    /// All that must hold whatever happened.
    fn verify(&self, before: &Registry, after: &Registry, is_rebuilt: bool) -> Result<(), String> {
        check::gaps(after)?;
        check::homes(after)?;
        if after.seq < before.seq {
            return Err(format!("number {} came after {}", after.seq, before.seq));
        }
        if !is_rebuilt {
            let lines = self.store.audit().entries(after.seq, &|line| line.seq > before.seq);
            check::audit(before, after, &lines.map_err(|error| error.to_string())?)?;
        }
        self.nothing_is_left(after).map_err(|error| error.to_string())?
    }

    /// No file is there but those of the living, and a bounded number of the store's own.
    fn nothing_is_left(&self, after: &Registry) -> io::Result<Result<(), String>> {
        for entry in fs::read_dir(self.path.join("run"))? {
            let name = entry?.file_name();
            let stem = Path::new(&name).file_stem().unwrap_or_default().to_string_lossy();
            let is_lease = |lease: &crate::registry::Lease| {
                matches!(lease.holder, Holder::Supervisor) && lease.lock_id.as_str() == stem
            };
            if !after.leased().any(|(_, lease)| is_lease(lease)) {
                return Ok(Err(format!("run/{} is left", name.to_string_lossy())));
            }
        }
        let files = fs::read_dir(self.path)?.count();
        Ok(if files > FILES_MAX { Err(format!("{files} files are there")) } else { Ok(()) })
    }

    /// Now and then an instance starts or ends that outlives the others' deaths.
    fn change_who_lives(&mut self) -> Result<(), Finding> {
        match self.dice.one_of(40) {
            0 if self.alive.len() < ALIVE_MAX => {
                let deed = Deed::start(&mut self.dice, &self.known);
                match deed.perform(&self.store, BOOT) {
                    Ok(held) => self.alive.extend(held),
                    Err(Undone::Refused) => {}
                    Err(Undone::Store(error)) => return Err(Finding::of(format!("{error:?}"))),
                }
            }
            1 if !self.alive.is_empty() => {
                let place = self.dice.one_of(self.alive.len());
                // Killed as a supervisor is: its files stay, and its lock goes.
                self.alive.swap_remove(place).leave_files();
            }
            _ => return Ok(()),
        }
        let after = recover(&self.store, BOOT);
        self.known = after.map_err(|error| Finding::of(format!("{error:?}")))?;
        Ok(())
    }

    /// Damages the registry's file, or takes it away; tells whether it could.
    fn break_state(&mut self) -> io::Result<bool> {
        let file = self.path.join(STATE);
        let Ok(mut text) = fs::read(&file) else { return Ok(false) };
        let place = self.dice.one_of(text.len().max(1));
        match self.dice.one_of(4) {
            0 => fs::remove_file(&file)?,
            1 => fs::write(&file, &text[..place])?,
            2 => fs::write(&file, [])?,
            _ => {
                text[place] ^= 1;
                // A flaw in the version's number may say that a newer styxy wrote it.
                if text.starts_with(b"{\"version\":1,") {
                    fs::write(&file, text)?;
                } else {
                    fs::remove_file(&file)?;
                }
            }
        }
        Ok(true)
    }
}

/// The store of that directory; its log is small enough that rotations are among what is killed.
fn open(path: &Path, fate: Fate) -> Result<Store<Doomed>, StoreError> {
    let rotation = Rotation { size: "2KiB".parse().expect("a size"), keep: 3 };
    Ok(Store::within(Doomed::open(path, fate)?, path)?.rotating(rotation))
}

/// A directory of the self-test's own, which goes with this value.
pub(super) struct Ground(PathBuf);

impl Ground {
    /// Makes it where temporary files are.
    pub(super) fn make() -> Result<Self, Error> {
        let dice = crate::os::clock::dice();
        let path = std::env::temp_dir().join(format!("styxy-selftest-{dice:08x}"));
        crate::os::dirs::create_private(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // What cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl From<StoreError> for Finding {
    fn from(error: StoreError) -> Self {
        Self::of(format!("{error:?}"))
    }
}

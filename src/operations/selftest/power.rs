//! Power cuts, in memory: a deed is cut off at one of its operations, the disk is in any state in which it may
//! be then, and in the next boot every range that was acknowledged has to be there.

use super::{
    Finding,
    deed::{Deed, KINDS, Undone, recover},
    dice::{Dice, EveryWay},
};
use crate::{
    config::TypeName,
    ports::Range,
    registry::Registry,
    store::{
        Store,
        memory::{Choose, Memory},
    },
};
use std::path::Path;

/// What errors say instead of a path.
const PATH: &str = "/memory";
/// So much of the trial, of one, goes to histories whose disks are tried in every state.
const SHORT_PART: u64 = 2;
/// There are so many of them …
const HISTORIES: u64 = 4;
/// … with less than so many deeds before the one that is cut off.
const LENGTHS: u64 = 3;
/// So many states of the disk are looked at after a cut of a long history.
const STATES: u64 = 8;
/// A long history is cut so often before another one begins.
const CUTS_MAX: u32 = 40;
/// A deed is cut at one of so many operations.
const OPERATIONS: usize = 24;

/// Power cuts, and what was found after them.
pub(super) struct Cuts {
    dice: Dice,
    /// In how many states a disk was found.
    pub(super) states: u64,
    boots: u64,
}

impl Cuts {
    /// None yet.
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: Dice::of(seed), states: 0, boots: 0 }
    }

    /// Looks at so many states: a part of them of short histories, one after another, the others of long ones.
    pub(super) fn play(&mut self, states: u64) -> Result<(), Finding> {
        let each = states / SHORT_PART / (HISTORIES * LENGTHS * OPERATIONS as u64);
        for _ in 0..HISTORIES {
            let seed = self.dice.number();
            for length in 0..LENGTHS {
                self.short(seed, length, each)?;
            }
        }
        while self.states < states {
            self.long(states)?;
        }
        Ok(())
    }

    /// A short history, whose last deed is cut off at every operation, with every state of the disk, if
    /// they are no more than so many.
    fn short(&mut self, seed: u64, length: u64, most: u64) -> Result<(), Finding> {
        for at in 0.. {
            // The same history again.
            let mut dice = Dice::of(seed);
            let (mut memory, mut known) = (Memory::default(), Registry::default());
            for _ in 0..length {
                known = self.deed(&mut memory, &known, &mut dice)?;
            }
            let cut = self.cut(&memory, &known, at, &mut dice)?;
            let mut ways = EveryWay::default();
            for _ in 0..most {
                self.look(&cut, &mut |count| ways.choose(count))?;
                if !ways.advance() {
                    break;
                }
            }
            if !cut.is_off {
                break;
            }
        }
        Ok(())
    }

    /// A long history with many cuts, after each of which it goes on from one of the states.
    fn long(&mut self, states: u64) -> Result<(), Finding> {
        let (mut memory, mut known) = (Memory::default(), Registry::default());
        let mut dice = Dice::of(self.dice.number());
        for _ in 0..CUTS_MAX {
            for _ in 0..dice.one_of(8) {
                known = self.deed(&mut memory, &known, &mut dice)?;
            }
            let at = u32::try_from(dice.one_of(OPERATIONS)).expect("few operations");
            let cut = self.cut(&memory, &known, at, &mut dice)?;
            for _ in 0..STATES {
                (memory, known) = self.look(&cut, &mut |ways| dice.one_of(ways))?;
            }
            if self.states >= states {
                break;
            }
        }
        Ok(())
    }

    /// Any deed, with the power on.
    fn deed(
        &mut self,
        memory: &mut Memory,
        known: &Registry,
        dice: &mut Dice,
    ) -> Result<Registry, Finding> {
        let deed = Deed::roll(dice.one_of(KINDS), dice, known);
        let store = Store::within(memory.clone(), Path::new(PATH))?;
        match deed.perform(&store, &self.boot()) {
            Ok(_) | Err(Undone::Refused) => {}
            Err(Undone::Store(error)) => return Err(Finding::of(format!("{deed:?}: {error:?}"))),
        }
        recover(&store, &self.boot()).map_err(|error| Finding::of(format!("{error:?}")))
    }

    /// Any deed, with the power cut at that operation.
    fn cut(
        &mut self,
        memory: &Memory,
        known: &Registry,
        at: u32,
        dice: &mut Dice,
    ) -> Result<Cut, Finding> {
        let deed = Deed::roll(dice.one_of(KINDS), dice, known);
        memory.cut_after(at);
        let store = Store::within(memory.clone(), Path::new(PATH))?;
        let done = deed.perform(&store, &self.boot());
        let (before, after) = (ranges(known), ranges(&deed.foresee(known)));
        let allowed = match done {
            Ok(_) => vec![after],
            Err(Undone::Refused) => vec![before],
            Err(Undone::Store(_)) if memory.is_off() => vec![before, after],
            Err(Undone::Store(error)) => return Err(Finding::of(format!("{deed:?}: {error:?}"))),
        };
        Ok(Cut { memory: memory.clone(), allowed, is_off: memory.is_off(), deed, at })
    }

    /// The next boot, with the disk in one of its states; it may be cut short too.
    fn look(&mut self, cut: &Cut, choose: &mut Choose<'_>) -> Result<(Memory, Registry), Finding> {
        self.states += 1;
        self.boots += 1;
        let mut memory = cut.memory.after_power_cut(choose);
        while self.dice.one_of(4) == 0 {
            memory.cut_after(u32::try_from(self.dice.one_of(OPERATIONS)).expect("few operations"));
            // Whether it was done before the cut does not matter: it changes nothing.
            let _ = recover(&Store::within(memory.clone(), Path::new(PATH))?, &self.boot());
            memory = memory.after_power_cut(&mut |ways| self.dice.one_of(ways));
            self.boots += 1;
        }
        let told = |why: String| {
            let (deed, at) = (&cut.deed, cut.at);
            Finding::of(format!("{deed:?}, power cut at operation {at}: {why}"))
        };
        let store = Store::within(memory.clone(), Path::new(PATH))?;
        let registry = recover(&store, &self.boot()).map_err(|error| told(format!("{error:?}")))?;
        let found = ranges(&registry);
        if !cut.allowed.contains(&found) {
            let allowed = &cut.allowed;
            return Err(told(format!("{allowed:?} should be, and there is {found:?}")));
        }
        super::check::gaps(&registry).map_err(told)?;
        Ok((memory, registry))
    }

    fn boot(&self) -> String {
        format!("boot {}", self.boots)
    }
}

/// A machine without power.
struct Cut {
    memory: Memory,
    /// The ranges that may be there when the power comes back.
    allowed: Vec<Vec<(TypeName, Range)>>,
    is_off: bool,
    deed: Deed,
    at: u32,
}

fn ranges(registry: &Registry) -> Vec<(TypeName, Range)> {
    super::check::Essence::of(registry).ranges
}

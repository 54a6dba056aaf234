//! Chance that can be had again, and how much of a test the environment asks for.

use std::hash::{BuildHasher, RandomState};

/// Numbers that nobody can foresee, and that come again with the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    /// As that variable of the environment says, else as the machine does.
    pub(crate) fn new(variable: &str) -> Self {
        let given = std::env::var(variable).ok().and_then(|seed| seed.parse().ok());
        Self(given.unwrap_or_else(|| RandomState::new().hash_one(0)))
    }

    /// With which the numbers that are still to come begin again.
    pub(crate) fn seed(&self) -> u64 {
        self.0
    }

    /// A number below `end`: splitmix64.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let end = u64::try_from(end).expect("a small number");
        usize::try_from((z ^ (z >> 31)) % end).expect("smaller still")
    }

    pub(crate) fn one_of<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        if things.is_empty() { None } else { things.get(self.below(things.len())) }
    }
}

/// What that variable of the environment says; it makes a test larger.
pub(crate) fn number(variable: &str, default: usize) -> usize {
    let said = std::env::var(variable).ok();
    said.map_or(default, |number| {
        number.parse().unwrap_or_else(|_| panic!("{variable} is no number"))
    })
}

/// Tells how much of it was done, to who runs it with `--nocapture`.
#[expect(clippy::print_stdout, reason = "figures are there to be read")]
pub(crate) fn report(figures: &str) {
    println!("{figures}");
}

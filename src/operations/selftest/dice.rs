//! Dice that fall alike for the same seed, and choices that try every way in turn.
//!
//! Pure.

/// Dice: SplitMix64, which needs no state but a number.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// Dice that fall as this seed says.
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of so many ways.
    pub(super) fn one_of(&mut self, ways: usize) -> usize {
        let ways = u64::try_from(ways).expect("a way has a number");
        usize::try_from(self.number() % ways).expect("it is less than one that fits")
    }

    /// Thirty-two random bits.
    pub(super) fn bits(&mut self) -> u32 {
        u32::try_from(self.number() >> 32).expect("half of the bits")
    }
}

/// Every sequence of choices, one after another, however many ways each has.
#[derive(Debug, Default)]
pub(super) struct EveryWay {
    /// What was chosen, and of how many ways.
    chosen: Vec<(usize, usize)>,
    place: usize,
}

impl EveryWay {
    /// The next choice of this sequence.
    pub(super) fn choose(&mut self, ways: usize) -> usize {
        if self.place == self.chosen.len() {
            self.chosen.push((0, ways));
        }
        self.place += 1;
        self.chosen[self.place - 1].0
    }

    /// Goes on to the next sequence, if there is one more.
    pub(super) fn advance(&mut self) -> bool {
        self.place = 0;
        while let Some((chosen, ways)) = self.chosen.pop() {
            if chosen + 1 < ways {
                self.chosen.push((chosen + 1, ways));
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_how_the_dice_fall() {
        let rolls = |seed| {
            let mut dice = Dice::of(seed);
            (0..50).map(|_| dice.one_of(6)).collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
        assert!((0..6).all(|side| rolls(7).contains(&side)));
    }

    #[test]
    fn every_way_is_tried_once() {
        let (mut ways, mut seen) = (EveryWay::default(), Vec::new());
        loop {
            // How many ways the second choice has depends on the first one.
            let first = ways.choose(3);
            let second = if first == 1 { ways.choose(2) } else { 0 };
            seen.push((first, second));
            if !ways.advance() {
                break;
            }
        }
        assert_eq!(seen, [(0, 0), (1, 0), (1, 1), (2, 0)]);
    }
}

//! Whether an engine may still be making a container whose command line is gone.
//!
//! A command line that is killed, or gives up at a signal, is not asked any more; the engine goes on making what it
//! was asked for, and lists nothing meanwhile. Looking is the caller's.

use crate::{
    container::{engine, whose::Whose},
    os::clock,
    supervisor::event::{End, Signal},
};
use std::time::Instant;

/// Codes above this one tell of a signal, as of shells.
const SIGNAL_BASE: i32 = 128;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// A signal came before the engine had said that there is a container.
    is_interrupted: bool,
    looks: u32,
}

impl Making {
    /// The command line gets a signal.
    pub(super) fn signalled(&mut self, whose: &Whose) {
        self.is_interrupted |= engine::is_unmade(whose);
    }

    /// The command line has ended.
    pub(super) fn ended(&mut self, end: End, whose: &Whose) {
        match end {
            End::Signalled(Signal(_)) => self.signalled(whose),
            End::Exited(code) if code > SIGNAL_BASE => self.signalled(whose),
            End::Exited(_) => {}
        }
    }

    /// Nothing is there. When it is to be looked again, if it is.
    pub(super) fn look_again(&mut self, whose: &Whose) -> Option<Instant> {
        let goes_on = self.is_interrupted
            && self.looks < engine::MAKING_LOOKS_MAX
            && engine::is_unmade(whose);
        self.looks += u32::from(goes_on);
        goes_on.then(|| clock::now() + engine::MAKING_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::recognise;

    fn whose(cidfile: &str) -> Whose {
        let words = ["docker", "run", "image"].map(str::to_owned);
        Whose::of(&words, &recognise(&words).unwrap(), "L", cidfile, str::to_owned)
    }

    #[test]
    fn who_was_interrupted_is_looked_for_and_nobody_else_and_not_for_ever() {
        let killed = End::Signalled(Signal(9));
        for (end, expected) in [
            (End::Exited(0), 0),
            (End::Exited(125), 0),
            (End::Exited(143), engine::MAKING_LOOKS_MAX),
            (killed, engine::MAKING_LOOKS_MAX),
        ] {
            let (mut making, whose) = (Making::default(), whose("/nowhere/x.cid"));
            making.ended(end, &whose);
            let looks = std::iter::from_fn(|| making.look_again(&whose)).take(99).count();
            assert_eq!(u32::try_from(looks).unwrap(), expected, "{end:?}");
        }
    }

    #[test]
    fn what_was_made_is_listed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let whose = whose(file.path().to_str().unwrap());
        let mut making = Making::default();
        making.signalled(&whose);
        assert!(making.look_again(&whose).is_some(), "an empty file tells of no container");
        std::fs::write(file.path(), "3f4a").unwrap();
        assert!(making.look_again(&whose).is_none());
        let mut late = Making::default();
        late.signalled(&whose);
        std::fs::write(file.path(), "").unwrap();
        assert!(late.look_again(&whose).is_none(), "it was there when the signal came");
    }
}

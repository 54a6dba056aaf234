//! The texts in `fuzz/corpus/` once more, without a fuzzer: what was found once stays found; and what dice make
//! of them.
//!
//! What is asserted of each is told in `styxy::fuzzed`. `STYXY_FUZZ_TEXTS` says how many texts are made for each
//! target, `STYXY_FUZZ_SEED` makes the same ones again.

#[path = "styxy/dice.rs"]
mod dice;

use dice::Dice;
use std::{
    fs, panic,
    path::{Path, PathBuf},
};
use styxy::fuzzed::{TARGETS, Target};

/// So many texts are made for each target, if nobody says another number.
const TEXTS: usize = 1_000;
/// So often a text is changed at most.
const CHANGES_MAX: usize = 8;
/// Longer texts say nothing new.
const LENGTH_MAX: usize = 4_096;
/// What readers look for, or stumble over.
const WORDS: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"\n",
    b"\0",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b",",
    b":",
    b"/",
    b"@",
    b"=",
    b"'",
    b"--",
    b"{port}",
    b"65535",
    b"65536",
    b"-1",
    b"18446744073709551616",
    b"null",
    b"\xc3\x28",
];

#[cfg(feature = "serve")]
/// The names in a folder of `fuzz/`, without extensions.
fn names(folder: &str) -> std::collections::BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let stem = |entry: fs::DirEntry| entry.path().file_stem().map(|stem| stem.to_owned());
    let stems = entries.filter_map(|entry| stem(entry.expect("a folder of the project")));
    stems.map(|stem| stem.to_string_lossy().into_owned()).collect()
}

/// The text, what a crash may leave of it, and what a bad memory makes of it.
fn try_all(target: Target, text: &[u8]) {
    target(text);
    for place in 0..text.len() {
        target(&text[..place]);
        let mut bent = text.to_vec();
        bent[place] ^= 1 << (place % 7);
        target(&bent);
    }
}

/// The texts of a target's corpus.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let paths = entries.map(|entry| entry.expect("a folder of the project").path());
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("a file of the project"));
    let mut texts: Vec<_> = paths.map(read).collect();
    texts.sort();
    texts
}

/// Changes a text once: a piece goes, comes twice, is turned, or comes from another text.
fn change(text: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let place = dice.below(text.len() + 1);
    let end = (place + dice.below(16)).min(text.len());
    match dice.below(6) {
        0 => drop(text.drain(place..end)),
        1 => {
            let piece = text[place..end].to_vec();
            text.splice(place..place, piece);
        }
        2 => {
            if let Some(byte) = text.get_mut(place) {
                *byte ^= 1 << dice.below(8);
            }
        }
        3 => {
            let word = dice.one_of(&WORDS).copied().unwrap_or_default();
            text.splice(place..place, word.iter().copied());
        }
        4 => {
            let word = dice.one_of(&WORDS).copied().unwrap_or_default();
            text.splice(place..end, word.iter().copied());
        }
        _ => {
            let from = dice.below(other.len() + 1);
            text.truncate(place);
            text.extend_from_slice(&other[from..]);
        }
    }
    text.truncate(LENGTH_MAX);
}

#[test]
fn what_dice_make_of_the_corpora_is_read_without_a_fault() {
    let count = dice::number("STYXY_FUZZ_TEXTS", TEXTS);
    let mut dice = Dice::new("STYXY_FUZZ_SEED");
    let seed = dice.seed();
    for (name, target) in TARGETS {
        // What was changed before is changed again now and then: faults hide behind several changes.
        let mut texts: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, text)| text).collect();
        for _ in 0..count {
            let mut text = dice.one_of(&texts).expect("a corpus has texts").clone();
            for _ in 0..=dice.below(CHANGES_MAX) {
                let other = dice.one_of(&texts).expect("a corpus has texts").clone();
                change(&mut text, &other, &mut dice);
            }
            let read = panic::catch_unwind(|| target(&text));
            let shown = text.escape_ascii();
            assert!(read.is_ok(), "{name} does not read as it should: {shown} (seed {seed})");
            if dice.below(64) == 0 {
                texts.push(text);
            }
        }
    }
    dice::report(&format!("{count} texts for each of {} targets (seed {seed})", TARGETS.len()));
}

#[test]
fn every_text_of_every_corpus_is_read_without_a_fault() {
    for (name, target) in TARGETS {
        let mut tried = 0;
        for (path, text) in corpus(name) {
            let read = panic::catch_unwind(|| try_all(*target, &text));
            assert!(read.is_ok(), "{} is not read as it should be", path.display());
            tried += 1;
        }
        assert!(tried >= 2, "the corpus of {name} has {tried} texts");
    }
}

#[cfg(feature = "serve")]
#[test]
fn each_target_has_a_file_and_a_corpus() {
    let targets: std::collections::BTreeSet<String> =
        TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
}

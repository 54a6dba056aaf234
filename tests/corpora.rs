//! The texts in `fuzz/corpus/` once more, without a fuzzer: what was found once stays found.
//!
//! What is asserted of each is told in `styxy::fuzzed`.

use std::{collections::BTreeSet, fs, panic, path::Path};
use styxy::fuzzed::{TARGETS, Target};

#[cfg(feature = "serve")]
/// The names in a folder of `fuzz/`, without extensions.
fn names(folder: &str) -> BTreeSet<String> {
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

#[test]
fn every_text_of_every_corpus_is_read_without_a_fault() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut tried = 0;
        for entry in entries {
            let path = entry.expect("a folder of the project").path();
            let text = fs::read(&path).expect("a file of the project");
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
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
}

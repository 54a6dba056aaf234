#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| styxy::fuzzed::references(text));

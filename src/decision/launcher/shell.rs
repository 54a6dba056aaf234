//! The command in `sh -c TEXT`, and the words of a text that has nothing but words.
//!
//! Pure. Quotes, variables, pipes and globs are not understood here, and so not touched.

use super::inner::{Fit, Inner};
use super::program::program;

const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh"];

/// `sh -c TEXT`, also with other options of one letter (`bash -lc`, `sh -e -c`).
pub(super) fn command(words: &[String]) -> Option<Inner> {
    if !SHELLS.contains(&program(words.first()?)) {
        return None;
    }
    let letters = |word: &&String| word.strip_prefix('-').is_some_and(|word| !word.is_empty());
    let options = words[1..].iter().take_while(letters);
    for (place, option) in options.enumerate() {
        // `-o` takes a value, and long options are many: neither is needed often enough.
        if !option[1..].bytes().all(|byte| b"ceilux".contains(&byte)) {
            return None;
        }
        if option.contains('c') {
            let at = place + 2;
            return Some(Inner { words: plain_words(words.get(at)?)?, fit: Fit::ShellText { at } });
        }
    }
    None
}

/// The words of a shell text that has nothing but words: no quotes, variables, pipes, globs, comments.
pub(super) fn plain_words(text: &str) -> Option<Vec<String>> {
    let plain = |c: char| c.is_alphanumeric() || " \t-_./:=@%+,{}".contains(c);
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    (text.chars().all(plain) && !words.is_empty()).then_some(words)
}

/// `NAME=value`, as `env` and shells take it.
pub(crate) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Option<String> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        command(&words).map(|inner| inner.words.join(" "))
    }

    #[test]
    fn the_text_follows_the_option_with_a_c() {
        for options in [&["-c"][..], &["-lc"], &["-e", "-c"], &["-exc"]] {
            let words = [&["/bin/bash"], options, &["vite  --host\t", "name"]].concat();
            assert_eq!(read(&words).as_deref(), Some("vite --host"), "{options:?}");
        }
        for words in [
            &["sh"][..],
            &["sh", "-c"],
            &["bash", "deploy"],
            &["bash", "-o", "pipefail", "-c", "vite"],
            &["bash", "--login", "-c", "vite"],
            &["fish", "-c", "vite"],
            &[],
        ] {
            assert_eq!(read(words), None, "{words:?}");
        }
    }

    #[test]
    fn only_plain_words_are_understood() {
        for text in [
            "",
            " ",
            "vite &",
            "vite; true",
            "vite && true",
            "vite | tee log",
            "vite > log",
            "vite $A",
            "vite \"a b\"",
            "vite 'a'",
            "vite `id`",
            "vite \\a",
            "vite *",
            "vite # web",
            "a\nb",
            "(vite)",
            "vite ~/web",
            "! vite",
            "vite [a]",
            "vite a?",
        ] {
            assert_eq!(plain_words(text), None, "{text}");
        }
        assert_eq!(plain_words("A=1 vite --port={port}").unwrap().len(), 3);
    }

    #[test]
    fn an_assignment_begins_with_a_variable_s_name() {
        for (word, expected) in [
            ("A=1", true),
            ("_a1=", true),
            ("A", false),
            ("1A=1", false),
            ("--a=1", false),
            ("=", false),
        ] {
            assert_eq!(is_assignment(word), expected, "{word}");
        }
    }
}

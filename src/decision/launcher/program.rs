//! What a program is called, without the folders and the version in the word that names it.
//!
//! Pure.

/// Programs that run a script: their own name says more than the script's.
const INTERPRETERS: &[&str] = &["python", "pypy", "node", "ruby", "bun", "deno"];

/// Whether the command runs a script of which nothing more is known.
pub(crate) fn is_interpreter(words: &[String]) -> bool {
    words.first().is_some_and(|word| INTERPRETERS.contains(&program(word)))
}

/// A program's name without its folders, and without the version in `vite@7`.
pub(crate) fn base_name(word: &str) -> &str {
    let version = word.rfind('@').filter(|at| *at > 0).unwrap_or(word.len());
    let word = &word[..version];
    if word.starts_with('@') {
        return word;
    }
    word.rsplit('/').next().unwrap_or(word)
}

/// The same without the version in `python3.11`.
pub(crate) fn program(word: &str) -> &str {
    base_name(word).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_named_without_folders_and_versions() {
        for (word, base, without_version) in [
            ("/usr/bin/python3.11", "python3.11", "python"),
            ("vite@7.1.0", "vite", "vite"),
            ("@angular/cli@20", "@angular/cli", "@angular/cli"),
            ("./manage.py", "manage.py", "manage.py"),
            ("http.server", "http.server", "http.server"),
            ("", "", ""),
            ("2048", "2048", ""),
        ] {
            assert_eq!((base_name(word), program(word)), (base, without_version), "{word}");
        }
    }
}

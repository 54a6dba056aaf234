//! The command line inside another one: taken out, and put back with more words.
//!
//! Pure. Which programs hold a command, and where in their arguments, is told by this file's neighbours.

use super::{package, prefix, shell};

/// Finds the text of a script in the `package.json` of the working directory.
pub type PackageScripts<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The command line inside another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inner {
    pub(crate) words: Vec<String>,
    pub(crate) fit: Fit,
}

/// How the inner command line is held by the outer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is the rest of the outer one: `npx vite`.
    Tail {
        /// The place of its first word.
        from: usize,
    },
    /// It is one word of the outer one, for a shell: `sh -c 'vite'`.
    ShellText {
        /// The place of that word.
        at: usize,
    },
    /// It is written elsewhere, and arguments can only be added to its end: `npm run dev -- --host`.
    Elsewhere {
        /// Whether the outer program takes options for its own before a `--`.
        separator: Separator,
    },
}

/// Whether a `--` has to stand before arguments for the inner command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separator {
    Needed,
    NotNeeded,
}

/// The command line inside this one, if there is one and it can be told with certainty.
pub(crate) fn peel(words: &[String], scripts: PackageScripts<'_>) -> Option<Inner> {
    let assignments = words.iter().take_while(|word| shell::is_assignment(word)).count();
    if assignments > 0 {
        return Inner::tail(words, assignments);
    }
    shell::command(words)
        .or_else(|| Inner::tail(words, prefix::command_at(words)?))
        .or_else(|| package::command(words, scripts))
}

/// The outer command line with `new` in place of `old` inside it, if that can be written.
pub(crate) fn put_back(
    outer: &[String],
    fit: Fit,
    old: &[String],
    new: &[String],
) -> Option<Vec<String>> {
    match fit {
        Fit::Tail { from } => Some([&outer[..from], new].concat()),
        Fit::ShellText { at } => {
            let text = new.join(" ");
            if shell::plain_words(&text)? != new {
                return None;
            }
            let mut words = outer.to_vec();
            words[at] = text;
            Some(words)
        }
        Fit::Elsewhere { separator } => {
            let added = new.strip_prefix(old)?;
            let mut words = outer.to_vec();
            match separator {
                Separator::Needed if words.iter().any(|word| word == "--") => {}
                Separator::Needed => words.push("--".to_owned()),
                // Of a script that itself needs a `--`: one yarn drops it, the other passes it on.
                Separator::NotNeeded if added.iter().any(|word| word == "--") => return None,
                Separator::NotNeeded => {}
            }
            words.extend_from_slice(added);
            Some(words)
        }
    }
}

impl Inner {
    /// The rest of a command line, unless nothing is left.
    pub(super) fn tail(words: &[String], from: usize) -> Option<Self> {
        let inner = words.get(from..).filter(|inner| !inner.is_empty())?;
        Some(Self { words: inner.to_vec(), fit: Fit::Tail { from } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn scripts(name: &str) -> Option<String> {
        let text = match name {
            "dev" => "vite --host",
            "start" => "npm run dev",
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// What becomes of a command when the one in it gets two more words.
    fn with_port(outer: &str) -> Option<String> {
        let outer = split(outer);
        let Inner { words: old, fit } = peel(&outer, &scripts).unwrap();
        let new = [old.clone(), split("--port 1")].concat();
        put_back(&outer, fit, &old, &new).map(|words| words.join(" "))
    }

    #[test]
    fn words_are_added_where_the_inner_command_sees_them() {
        for (outer, expected) in [
            ("npx vite", "npx vite --port 1"),
            ("A=1 vite", "A=1 vite --port 1"),
            ("npm run dev", "npm run dev -- --port 1"),
            ("npm run dev -- --open", "npm run dev -- --open --port 1"),
            ("npm exec vite", "npm exec vite -- --port 1"),
            ("npm exec -- vite", "npm exec -- vite --port 1"),
            ("pnpm dev", "pnpm dev --port 1"),
            ("yarn dev -- --open", "yarn dev -- --open --port 1"),
        ] {
            assert_eq!(with_port(outer).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_shell_text_stays_one_word() {
        let outer = ["sh", "-c", "vite  --host", "name"].map(str::to_owned);
        let Inner { words: old, fit } = peel(&outer, &scripts).unwrap();
        let put_back = |word: &str| {
            let new = [old.clone(), vec![word.to_owned()]].concat();
            super::put_back(&outer, fit, &old, &new)
        };
        assert_eq!(put_back("a").unwrap(), ["sh", "-c", "vite --host a", "name"]);
        assert_eq!(put_back("$A"), None);
    }

    #[test]
    fn nothing_is_put_into_the_middle_of_a_script() {
        let outer = split("npm run dev");
        let Inner { words: old, fit } = peel(&outer, &scripts).unwrap();
        let new = [&old[..1], &split("--port 1"), &old[1..]].concat();
        assert_eq!(put_back(&outer, fit, &old, &new), None);
    }

    #[test]
    fn a_second_separator_goes_through_npm_alone() {
        let dashes = split("-- --port 1");
        for (outer, expected) in [
            ("npm start", Some("npm start -- -- --port 1")),
            ("yarn start", None),
            ("bun start", None),
        ] {
            let outer = split(outer);
            let Inner { words: old, fit } = peel(&outer, &scripts).unwrap();
            let new = put_back(&outer, fit, &old, &[&old[..], &dashes[..]].concat());
            assert_eq!(new.map(|words| words.join(" ")).as_deref(), expected);
        }
    }

    fn word() -> impl Strategy<Value = String> {
        "npm|npx|run|exec|dev|env|A=1|--|-c|-|sh|vite|python|-m|timeout|[a-z{}$ -]{0,6}"
    }

    proptest! {
        #[test]
        fn what_is_peeled_off_can_be_put_back(words in prop::collection::vec(word(), 0..7)) {
            let without_spaces = |words: &[String]| words.concat().replace([' ', '-'], "");
            if let Some(Inner { words: old, fit }) = peel(&words, &scripts) {
                prop_assert!(!old.is_empty());
                let back = put_back(&words, fit, &old, &old).unwrap();
                prop_assert_eq!(without_spaces(&back), without_spaces(&words));
            }
        }
    }
}

//! What `npm`, `pnpm`, `yarn` and `bun` run: a script of the package, or a program of its dependencies.
//!
//! Pure. An option that may mean another package (`--prefix`, `--filter`, `-w`) ends the search.

use super::inner::{Fit, Inner, PackageScripts, Separator};
use super::prefix::NPM_EXEC;
use super::program::program;
use super::shell::plain_words;

/// Options of script runners that change nothing about the script.
const QUIET: &[&str] = &["-s", "--silent", "-b", "--bun", "--watch", "--hot"];

/// The command that a package manager runs.
pub(super) fn command(words: &[String], scripts: PackageScripts<'_>) -> Option<Inner> {
    match program(words.first()?) {
        "npm" => npm(words, scripts),
        "pnpm" | "yarn" | "bun" => script_or_program(words, scripts),
        _ => None,
    }
}

/// `npm run X`, `npm start`, `npm exec X`.
fn npm(words: &[String], scripts: PackageScripts<'_>) -> Option<Inner> {
    let verb = skip_quiet(words, 1);
    let name = match words.get(verb)?.as_str() {
        "start" => verb,
        "run" | "run-script" => skip_quiet(words, verb + 1),
        "exec" | "x" => return npm_exec(words, verb + 1),
        _ => return None,
    };
    let mut inner = plain_words(&scripts(words.get(name)?)?)?;
    inner.extend(passed_by_npm(&words[name + 1..])?);
    Some(Inner { words: inner, fit: Fit::Elsewhere { separator: Separator::Needed } })
}

/// Options after the command are npm's own unless a `--` stands before them.
fn npm_exec(words: &[String], from: usize) -> Option<Inner> {
    let at = NPM_EXEC.skip_options(words, from)?;
    if words[at - 1] == "--" {
        return Inner::tail(words, at);
    }
    let mut inner = vec![words[at].clone()];
    inner.extend(passed_by_npm(&words[at + 1..])?);
    Some(Inner { words: inner, fit: Fit::Elsewhere { separator: Separator::Needed } })
}

/// The arguments that npm passes on, unless there are options of its own among them.
fn passed_by_npm(arguments: &[String]) -> Option<Vec<String>> {
    let own = arguments.iter().position(|word| word == "--").unwrap_or(arguments.len());
    let options = arguments[..own].iter().filter(|word| word.starts_with('-'));
    if options.into_iter().any(|option| !QUIET.contains(&option.as_str())) {
        return None;
    }
    let positional = arguments[..own].iter().filter(|word| !word.starts_with('-'));
    Some(positional.chain(arguments[own..].iter().skip(1)).cloned().collect())
}

/// `pnpm run X`, `yarn X`, `bun X`: a script if there is one of that name, else a program.
fn script_or_program(words: &[String], scripts: PackageScripts<'_>) -> Option<Inner> {
    let verb = skip_quiet(words, 1);
    let name = match words.get(verb)?.as_str() {
        "run" => skip_quiet(words, verb + 1),
        _ => verb,
    };
    if words.get(name)?.starts_with('-') {
        return None;
    }
    let Some(text) = scripts(&words[name]) else {
        return Inner::tail(words, name);
    };
    let mut inner = plain_words(&text)?;
    // yarn drops the first `--`, pnpm passes it on: either way what follows was meant for the script.
    let mut arguments = words[name + 1..].to_vec();
    if let Some(dashes) = arguments.iter().position(|word| word == "--") {
        arguments.remove(dashes);
    }
    inner.extend(arguments);
    Some(Inner { words: inner, fit: Fit::Elsewhere { separator: Separator::NotNeeded } })
}

fn skip_quiet(words: &[String], from: usize) -> usize {
    from + words.iter().skip(from).take_while(|word| QUIET.contains(&word.as_str())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package with a few scripts.
    fn scripts(name: &str) -> Option<String> {
        let text = match name {
            "dev" => "vite --host",
            "start" => "node server.js",
            "both" => "vite & node server.js",
            _ => return None,
        };
        Some(text.to_owned())
    }

    #[track_caller]
    fn check(outer: &str, expected: Option<&str>) {
        let words: Vec<String> = outer.split(' ').map(str::to_owned).collect();
        let inner = command(&words, &scripts).map(|inner| inner.words.join(" "));
        assert_eq!(inner.as_deref(), expected, "{outer}");
    }

    #[test]
    fn scripts_are_looked_up() {
        for (outer, inner) in [
            ("npm run dev", "vite --host"),
            ("npm run --silent dev -- --open", "vite --host --open"),
            ("npm run dev web -- --open", "vite --host web --open"),
            ("npm start", "node server.js"),
            ("pnpm dev --open", "vite --host --open"),
            ("pnpm run dev", "vite --host"),
            ("yarn dev -- --open", "vite --host --open"),
            ("bun --bun run dev", "vite --host"),
        ] {
            check(outer, Some(inner));
        }
    }

    #[test]
    fn what_is_no_script_is_a_program() {
        for (outer, inner) in [
            ("yarn vite --open", "vite --open"),
            ("pnpm vite", "vite"),
            ("bun run server.ts", "server.ts"),
            ("npm exec vite -- --open", "vite --open"),
            ("npm exec --yes -- vite --open", "vite --open"),
        ] {
            check(outer, Some(inner));
        }
    }

    #[test]
    fn what_is_not_certain_is_left_as_it_is() {
        for outer in [
            "vite",
            "npm",
            "npm install",
            "npm run",
            "npm run nothing",
            "npm run both",
            "npm --prefix web run dev",
            "npm run dev -w web",
            "npm run dev --port 1",
            "npm exec",
            "npm exec -c vite",
            "pnpm",
            "pnpm --filter web dev",
            "pnpm both",
            "yarn --cwd web dev",
        ] {
            check(outer, None);
        }
    }
}

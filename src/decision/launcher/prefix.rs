//! Programs that start the command in their arguments, and where in them it begins.
//!
//! Pure. To let styxy see through one more, add it to the table with the options that are safe to skip.

use super::program::program;
use super::shell::is_assignment;

/// Where the command begins in a launcher's arguments, if all options before it are known.
pub(super) fn command_at(words: &[String]) -> Option<usize> {
    let program = program(words.first()?);
    let known = LAUNCHERS.iter().filter(|launcher| launcher.programs.contains(&program));
    known.filter_map(|launcher| launcher.command_at(words)).next()
}

/// A program that starts the command in its arguments.
pub(super) struct Launcher {
    programs: &'static [&'static str],
    /// One of these has to follow; none means that the command does.
    subcommands: &'static [&'static str],
    /// Options that stand alone.
    flags: &'static [&'static str],
    /// Options whose value is the next word.
    value_flags: &'static [&'static str],
    /// What stands between the options and the command.
    before: Before,
}

/// What stands before the command in a launcher's arguments.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    /// `A=1 B=2`.
    Assignments,
    /// A duration.
    OneWord,
}

/// A launcher without options, to build the others from.
const PLAIN: Launcher = Launcher {
    programs: &[],
    subcommands: &[],
    flags: &[],
    value_flags: &[],
    before: Before::Nothing,
};

/// Options of theirs that change the working directory are left out on purpose: scripts and ids would
/// be looked for in the wrong place.
const LAUNCHERS: &[Launcher] = &[
    Launcher { programs: &["nohup"], ..PLAIN },
    Launcher { programs: &["exec"], flags: &["-c", "-l"], value_flags: &["-a"], ..PLAIN },
    Launcher { programs: &["nice"], value_flags: &["-n", "--adjustment"], ..PLAIN },
    Launcher {
        programs: &["stdbuf"],
        value_flags: &["-i", "-o", "-e", "--input", "--output", "--error"],
        ..PLAIN
    },
    Launcher {
        programs: &["time"],
        flags: &["-p", "-v", "-a"],
        value_flags: &["-f", "-o"],
        ..PLAIN
    },
    Launcher {
        programs: &["timeout"],
        flags: &["--foreground", "--preserve-status", "-v", "--verbose"],
        value_flags: &["-k", "--kill-after", "-s", "--signal"],
        before: Before::OneWord,
        ..PLAIN
    },
    Launcher {
        programs: &["env"],
        flags: &["-i", "--ignore-environment"],
        value_flags: &["-u", "--unset"],
        before: Before::Assignments,
        ..PLAIN
    },
    Launcher { programs: &["cross-env"], before: Before::Assignments, ..PLAIN },
    Launcher {
        programs: &["npx", "pnpx"],
        flags: &["-y", "--yes", "--no", "--no-install", "-q", "--quiet", "--prefer-offline"],
        value_flags: &["-p", "--package"],
        ..PLAIN
    },
    Launcher { programs: &["bunx"], flags: &["--bun", "--silent"], ..PLAIN },
    Launcher { programs: &["bun"], subcommands: &["x"], flags: &["--bun"], ..PLAIN },
    Launcher { programs: &["pnpm"], subcommands: &["exec", "dlx"], ..PLAIN },
    Launcher {
        programs: &["yarn"],
        subcommands: &["dlx"],
        flags: &["-q", "--quiet"],
        value_flags: &["-p", "--package"],
        ..PLAIN
    },
    Launcher { programs: &["poetry", "pdm", "pipenv", "rye"], subcommands: &["run"], ..PLAIN },
    Launcher { programs: &["bundle"], subcommands: &["exec"], ..PLAIN },
    Launcher {
        programs: &["pipx"],
        subcommands: &["run"],
        flags: &["--no-cache", "--verbose"],
        value_flags: &["--spec", "--python"],
        ..PLAIN
    },
    Launcher {
        programs: &["uvx"],
        flags: &["-q", "--quiet", "--isolated", "--offline"],
        value_flags: &["--from", "--with", "-p", "--python"],
        ..PLAIN
    },
    Launcher {
        programs: &["uv"],
        subcommands: &["run"],
        flags: &["-q", "--dev", "--frozen", "--locked", "--no-dev", "--no-project", "--no-sync"],
        value_flags: &["-p", "--python", "--with", "--extra", "--group", "--env-file"],
        ..PLAIN
    },
    // `-m` stands alone here, since the module's name stands where a script's would.
    Launcher {
        programs: &["python", "pypy"],
        flags: &[
            "-m", "-u", "-b", "-B", "-d", "-E", "-I", "-O", "-OO", "-P", "-q", "-s", "-S", "-v",
        ],
        value_flags: &["-W", "-X"],
        ..PLAIN
    },
    Launcher {
        programs: &["node"],
        flags: &["--enable-source-maps", "--inspect", "--inspect-brk", "--no-warnings", "--watch"],
        value_flags: &["-r", "--require", "--import", "--env-file", "--max-old-space-size"],
        ..PLAIN
    },
    Launcher { programs: &["ruby"], flags: &["-w"], value_flags: &["-I", "-r"], ..PLAIN },
];

/// `npm exec`, of which `package` knows the rest.
pub(super) const NPM_EXEC: Launcher =
    Launcher { flags: &["-y", "--yes", "--no"], value_flags: &["--package"], ..PLAIN };

impl Launcher {
    /// Where the command begins.
    fn command_at(&self, words: &[String]) -> Option<usize> {
        let options_from = if self.subcommands.is_empty() {
            1
        } else {
            self.subcommands.contains(&words.get(1)?.as_str()).then_some(2)?
        };
        let at = self.skip_options(words, options_from)?;
        Some(match self.before {
            Before::Nothing => at,
            Before::OneWord => at + 1,
            Before::Assignments => {
                at + words[at..].iter().take_while(|word| is_assignment(word)).count()
            }
        })
    }

    /// The place of the first word that is no option, if all options before it are known.
    pub(super) fn skip_options(&self, words: &[String], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let word = words.get(at)?.as_str();
            if word == "--" {
                return (at + 1 < words.len()).then_some(at + 1);
            }
            if !word.starts_with('-') {
                return Some(at);
            }
            at += if self.value_flags.contains(&word) {
                2
            } else if self.flags.contains(&word) || self.holds_value(word) {
                1
            } else {
                return None;
            };
        }
    }

    /// Whether the word is a known option and its value: `--signal=INT`, `-oL`.
    fn holds_value(&self, word: &str) -> bool {
        match word.split_once('=') {
            Some((flag, _)) if self.flags.contains(&flag) => true,
            Some((flag, _)) if self.value_flags.contains(&flag) => true,
            Some(_) | None => {
                let short = |flag: &&&str| flag.len() == 2 && word.starts_with(**flag);
                self.value_flags.iter().any(|flag| short(&flag))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(text: &str) -> Option<String> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        command_at(&words).and_then(|at| words.get(at..)).map(|command| command.join(" "))
    }

    #[test]
    fn launchers_are_seen_through() {
        for (outer, inner) in [
            ("env A=1 B=2 vite", "vite"),
            ("env -u A --unset=B vite --host", "vite --host"),
            ("/usr/bin/nice -n 5 vite", "vite"),
            ("nohup vite", "vite"),
            ("exec vite", "vite"),
            ("time -p vite", "vite"),
            ("timeout -k 5 --signal=INT 60 vite", "vite"),
            ("stdbuf -oL vite", "vite"),
            ("cross-env NODE_ENV=development vite", "vite"),
            ("npx vite@7 --host", "vite@7 --host"),
            ("npx --yes -p vite -- vite", "vite"),
            ("bunx --bun vite", "vite"),
            ("pnpm exec vite", "vite"),
            ("pnpm dlx vite", "vite"),
            ("yarn dlx -p vite vite", "vite"),
            ("bun x vite", "vite"),
            ("poetry run flask run", "flask run"),
            ("uv run --with flask --frozen flask run", "flask run"),
            ("uvx --from flask flask run", "flask run"),
            ("pipx run mkdocs serve", "mkdocs serve"),
            ("bundle exec rails s", "rails s"),
            ("python -m http.server", "http.server"),
            ("python3.11 -u -X dev -m flask run", "flask run"),
            ("python3 manage.py runserver", "manage.py runserver"),
            ("node --inspect=9229 node_modules/.bin/vite", "node_modules/.bin/vite"),
            ("ruby bin/rails server", "bin/rails server"),
        ] {
            assert_eq!(command(outer).as_deref(), Some(inner), "{outer}");
        }
    }

    #[test]
    fn a_launcher_with_an_unknown_option_is_not_seen_through() {
        for outer in [
            "vite",
            "env",
            "env -C web vite",
            "timeout -x 5 vite",
            "npx -c vite",
            "npx",
            "npx --",
            "python",
            "python -c pass",
            "python -",
            "uv pip list",
            "uv run --directory web vite",
            "poetry install",
            "pnpm --filter web exec vite",
            "nice -10 vite",
        ] {
            assert_eq!(command(outer), None, "{outer}");
        }
    }
}

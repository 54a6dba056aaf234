//! `docker compose up`, `docker-compose up`, `podman-compose up`: recognised, and how its project is asked.
//!
//! Pure. Which project it is, is for the same command to know: it is asked with the same words before `up`, in the
//! same directory and environment.

use super::command_line::subcommand;

/// Programs that are nothing but this.
const PROGRAMS: [&str; 2] = ["docker-compose", "podman-compose"];

/// Flags before `up` that have a value in the next word.
const VALUES: &[&str] = &[
    "--ansi",
    "--context",
    "--env-file",
    "--file",
    "--host",
    "--in-pod",
    "--log-level",
    "--parallel",
    "--pod-args",
    "--podman-args",
    "--podman-build-args",
    "--podman-inspect-args",
    "--podman-path",
    "--podman-pull-args",
    "--podman-push-args",
    "--podman-rm-args",
    "--podman-run-args",
    "--podman-start-args",
    "--podman-stop-args",
    "--podman-volume-args",
    "--profile",
    "--progress",
    "--project-directory",
    "--project-name",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "--transform_policy",
    "--workdir",
];
/// The same with one letter.
const SHORT_VALUES: &str = "cfHpt";
/// Flags of `up` with one letter and a value in the next word.
const UP_SHORT_VALUES: &str = "t";
/// Flags of `up` with a value in the next word.
const UP_VALUES: &[&str] = &[
    "--attach",
    "--build-arg",
    "--exit-code-from",
    "--no-attach",
    "--podman-args",
    "--pull",
    "--scale",
    "--timeout",
    "--wait-timeout",
];

/// What `up` was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeUp {
    /// The engine below, for questions about single containers.
    pub engine: Vec<String>,
    /// So many words name the project; `up` follows.
    pub project_words: usize,
    /// `-d`: the command returns while the containers run.
    pub detach: bool,
}

/// Whether a program of that name does nothing but this.
pub fn is_compose(program: &str) -> bool {
    PROGRAMS.contains(&program)
}

/// The command as an `up` of a project, if it is one.
pub fn recognise(command: &[String]) -> Option<ComposeUp> {
    let program = command.first()?.rsplit('/').next()?;
    let (engine, mut at) = match subcommand(command, &["compose"]) {
        Some((engine_words, at)) => (command[..engine_words].to_vec(), at),
        None if is_compose(program) => (vec![program.strip_suffix("-compose")?.to_owned()], 1),
        None => return None,
    };
    while let Some(letters) = command.get(at)?.strip_prefix('-') {
        at += step(&command[at], letters, VALUES, SHORT_VALUES);
    }
    if command[at] != "up" {
        return None;
    }
    Some(ComposeUp { engine, project_words: at, detach: detaches(&command[at + 1..]) })
}

/// Whether `up` with these flags and services returns while they run.
fn detaches(words: &[String]) -> bool {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.strip_prefix('-') {
            Some("d" | "-detach" | "-detach=true" | "-wait" | "-wait=true") => return true,
            Some(letters) => at += step(word, letters, UP_VALUES, UP_SHORT_VALUES),
            None => at += 1,
        }
    }
    false
}

/// How many words a flag takes.
fn step(word: &str, letters: &str, values: &[&str], short_values: &str) -> usize {
    let in_next_word = match letters.strip_prefix('-') {
        Some(_) => values.contains(&word),
        None => letters.len() == 1 && short_values.contains(letters),
    };
    if in_next_word { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<ComposeUp> {
        recognise(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn an_up_is_found_with_the_words_that_name_its_project() {
        for (line, engine, project_words, detach) in [
            ("docker compose up", "docker", 2, false),
            ("docker --context x compose up -d", "docker --context x", 4, true),
            ("docker compose -f a.yml -p shop --profile up up web", "docker", 8, false),
            ("docker compose --file=a.yml --ansi never up --detach", "docker", 5, true),
            ("docker-compose -p shop up", "docker", 3, false),
            ("podman-compose --podman-run-args x up -d", "podman", 3, true),
            ("podman compose up --scale web=2 -t 3 -d web", "podman", 2, true),
            ("nerdctl -n k8s.io compose up", "nerdctl -n k8s.io", 4, false),
            ("docker compose up --timeout -d", "docker", 2, false),
        ] {
            let found = found(line).unwrap_or_else(|| panic!("not recognised: {line}"));
            let known = (found.engine.join(" "), found.project_words, found.detach);
            assert_eq!(known, (engine.to_owned(), project_words, detach), "{line}");
        }
    }

    #[test]
    fn other_words_of_compose_are_not_recognised() {
        for line in [
            "docker compose",
            "docker compose down up",
            "docker compose run up",
            "docker compose -f up",
            "docker-compose logs up",
            "docker up",
            "podman-compose",
            "compose up",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}

//! `docker run`, `podman run`, `nerdctl run`: what such a command line asks its engine for.
//!
//! Pure. What styxy adds to it stands in `rewrite`. Words behind the image are the container's own command and
//! are never looked at. A flag that is not known counts as one without a value: then too little of the engine's
//! own flags is read, and never a word of the container's.

use super::flags::{
    GLOBAL_SHORT_VALUES, GLOBAL_VALUES, SHORT_SWITCHES, SHORT_VALUES, SWITCHES, VALUES,
};

/// The engines whose `run` is known.
pub const ENGINES: [&str; 3] = ["docker", "podman", "nerdctl"];

/// What `run` was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerRun {
    /// So many words name the engine and which one of its kind: `docker --context x`.
    pub engine_words: usize,
    /// Where the flags of `run` begin.
    pub flags_at: usize,
    /// `-d`: the command returns while the container runs.
    pub detach: bool,
    /// `-i`: it reads what its caller reads.
    pub interactive: bool,
    /// `--rm`: the engine removes it when it ends.
    pub remove: bool,
    /// `--name`.
    pub name: Option<String>,
    /// The user's own `--cidfile`.
    pub cidfile: Option<String>,
    /// `--restart`, where the engine would start it again.
    pub restart: Option<String>,
    /// What is run.
    pub image: Option<String>,
}

/// Whether a program of that name may be told to `run`.
pub fn is_engine(program: &str) -> bool {
    ENGINES.contains(&program)
}

/// The command as a `run` of a container, if it is one.
pub fn recognise(command: &[String]) -> Option<ContainerRun> {
    let (engine_words, flags_at) = subcommand(command, &["run"])?;
    let mut run = ContainerRun { engine_words, flags_at, ..ContainerRun::default() };
    let mut words = command[flags_at..].iter().map(String::as_str);
    while let Some(word) = words.next() {
        if word == "--" {
            run.image = words.next().map(str::to_owned);
            break;
        }
        match word.strip_prefix('-') {
            // A single dash is no flag, and no image either; the engine will say so.
            None | Some("") => {
                run.image = Some(word.to_owned());
                break;
            }
            Some(long) if long.starts_with('-') => run.take_long(word, &mut words),
            Some(letters) => run.take_letters(letters, &mut words),
        }
    }
    Some(run)
}

/// How many words name the engine, and where the flags of the wanted subcommand begin. `container run` is `run`.
pub(super) fn subcommand(command: &[String], wanted: &[&str]) -> Option<(usize, usize)> {
    let program = command.first()?.rsplit('/').next()?;
    if !is_engine(program) {
        return None;
    }
    let mut at = 1;
    loop {
        let word = command.get(at)?;
        match word.strip_prefix('-') {
            None => break,
            Some(rest) => at += if has_global_value(word, rest) { 2 } else { 1 },
        }
    }
    let engine_words = at;
    if command[at] == "container" && wanted == ["run"] {
        at += 1;
    }
    let found = command.get(at..at + wanted.len())?;
    (found == wanted).then_some((engine_words, at + wanted.len()))
}

/// Whether the value of a global flag is the next word.
fn has_global_value(word: &str, rest: &str) -> bool {
    if rest.starts_with('-') {
        return GLOBAL_VALUES.contains(&word);
    }
    // `-c x`, and not `-cx` or `-c=x`.
    rest.len() == 1 && GLOBAL_SHORT_VALUES.contains(rest)
}

impl ContainerRun {
    fn take_long<'a>(&mut self, word: &'a str, words: &mut impl Iterator<Item = &'a str>) {
        let (flag, attached) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word, None),
        };
        if SWITCHES.contains(&flag) {
            let on = attached.is_none_or(is_true);
            match flag {
                "--detach" => self.detach = on,
                "--interactive" => self.interactive = on,
                "--rm" => self.remove = on,
                _ => {}
            }
        } else if VALUES.contains(&flag) {
            let Some(value) = attached.or_else(|| words.next()) else { return };
            match flag {
                "--name" => self.name = Some(value.to_owned()),
                "--cidfile" => self.cidfile = Some(value.to_owned()),
                "--restart" => {
                    let is_policy = value != "no" && !value.is_empty();
                    self.restart = is_policy.then(|| value.to_owned());
                }
                _ => {}
            }
        }
    }

    /// `-itd`, `-dp 80:80`, `-p80:80`, `-d=false`.
    fn take_letters<'a>(&mut self, letters: &str, words: &mut impl Iterator<Item = &'a str>) {
        for (at, letter) in letters.char_indices() {
            let rest = &letters[at + letter.len_utf8()..];
            if SHORT_VALUES.contains(letter) {
                if rest.is_empty() {
                    words.next();
                }
                return;
            }
            let on = rest.strip_prefix('=').is_none_or(is_true);
            match letter {
                'd' => self.detach = on,
                'i' => self.interactive = on,
                _ => {}
            }
            if !SHORT_SWITCHES.contains(letter) || rest.starts_with('=') {
                return;
            }
        }
    }
}

/// As Go's flags understand it.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[track_caller]
    fn run(line: &str) -> ContainerRun {
        recognise(&split(line)).unwrap_or_else(|| panic!("not recognised: {line}"))
    }

    #[test]
    fn a_run_is_found_behind_global_flags() {
        for (line, engine_words, flags_at) in [
            ("docker run img", 1, 2),
            ("/usr/bin/docker run img", 1, 2),
            ("podman run img", 1, 2),
            ("nerdctl run img", 1, 2),
            ("docker container run img", 1, 3),
            ("docker --context x run img", 3, 4),
            ("docker --context=x run img", 2, 3),
            ("docker -c x container run img", 3, 5),
            ("docker -H tcp://h:1 -D -l debug run img", 6, 7),
            ("docker -Htcp://h:1 run img", 2, 3),
            ("docker --config run run img", 3, 4),
            ("docker --debug --tls run img", 3, 4),
            ("podman --root /r --runroot /rr --storage-driver vfs run img", 7, 8),
            ("podman --remote --url unix://x run img", 4, 5),
            ("nerdctl -n k8s.io --snapshotter native run img", 5, 6),
        ] {
            let found = run(line);
            assert_eq!((found.engine_words, found.flags_at), (engine_words, flags_at), "{line}");
            assert_eq!(found.image.as_deref(), Some("img"), "{line}");
        }
    }

    #[test]
    fn what_is_no_run_is_not_recognised() {
        for line in [
            "",
            "docker",
            "docker ps",
            "docker --context run ps",
            "docker exec x docker run img",
            "docker compose run web",
            "docker image run",
            "docker container",
            "docker container ls run",
            "dockerd run img",
            "runc run x",
            "sh -c docker run img",
            "docker start run",
        ] {
            assert_eq!(recognise(&split(line)), None, "{line}");
        }
    }

    #[test]
    fn every_spelling_of_a_flag_is_known() {
        for line in [
            "docker run -d img",
            "docker run --detach img",
            "docker run --detach=true img",
            "docker run -d=true img",
            "docker run -itd img",
            "docker run -dit img",
            "docker run -dp 80:80 img",
            "docker run -p 80:80 -d img",
            "docker run -p80:80 -d img",
            "docker run -itp80:80 -d img",
            "docker run -p=80:80 -d img",
            "docker run --publish 80:80 -d img",
            "docker run --publish=80:80 -d img",
            "docker run -e -x -d img",
            "docker run --name -x -d img",
            "docker run -d -- img",
            "podman run --replace --tz local -d img",
        ] {
            let found = run(line);
            assert!(found.detach, "{line}");
            assert_eq!(found.image.as_deref(), Some("img"), "{line}");
        }
        for line in ["-d=false", "--detach=false", "-d --detach=0", "-it", "-e d", "-ed", "-pd"] {
            assert!(!run(&format!("docker run {line} img")).detach, "{line}");
        }
        for (line, expected) in [
            ("-it", true),
            ("-ti", true),
            ("--interactive", true),
            ("-i=false", false),
            ("-t", false),
        ] {
            assert_eq!(run(&format!("docker run {line} img")).interactive, expected, "{line}");
        }
    }

    #[test]
    fn names_files_and_policies_are_kept_in_mind() {
        let found = run("docker run --rm --name pg --cidfile=/tmp/c --restart always img");
        assert_eq!(found.name.as_deref(), Some("pg"));
        assert_eq!(found.cidfile.as_deref(), Some("/tmp/c"));
        assert_eq!(found.restart.as_deref(), Some("always"));
        assert!(found.remove);
        assert!(!run("docker run --rm=false img").remove);
        assert_eq!(run("docker run --restart=no img").restart, None);
        assert_eq!(run("docker run").image, None);
    }

    #[test]
    fn the_containers_own_command_is_not_read() {
        for line in [
            "docker run img -d --rm --name x --restart always --cidfile y",
            "docker run -it img sh -d --rm --name x",
            "docker run -- img -d --rm",
            "docker run -w /x img run -d --rm",
            "docker run --newest-flag img -d --rm --name x",
        ] {
            let found = run(line);
            let ContainerRun { detach, remove, name, cidfile, restart, image, .. } = found;
            assert_eq!((detach, remove, name, cidfile, restart), (false, false, None, None, None));
            assert_eq!(image.as_deref(), Some("img"), "{line}");
        }
    }

    fn flag() -> impl Strategy<Value = Vec<String>> {
        let value = "[-a-z0-9/:=.]{1,8}";
        prop_oneof![
            prop::sample::select(SWITCHES).prop_map(|flag| vec![flag.to_owned()]),
            (prop::sample::select(VALUES), value)
                .prop_map(|(flag, value)| vec![flag.to_owned(), value]),
            (prop::sample::select(VALUES), value)
                .prop_map(|(flag, value)| vec![format!("{flag}={value}")]),
            ("[itPq]{0,3}[acehlmpuvw]", value)
                .prop_map(|(flag, value)| vec![format!("-{flag}"), value]),
            ("[itPq]{0,3}[acehlmpuvw]", value)
                .prop_map(|(flag, value)| vec![format!("-{flag}{value}")]),
            "[itPq]{1,4}".prop_map(|flags| vec![format!("-{flags}")]),
        ]
    }

    proptest! {
        #[test]
        fn whatever_the_flags_the_image_is_found_and_nothing_behind_it_read(
            flags in prop::collection::vec(flag(), 0..6),
            own in prop::collection::vec("-{0,2}[a-z=]{0,8}", 0..6),
        ) {
            let mut line = vec!["docker".to_owned(), "run".to_owned()];
            line.extend(flags.into_iter().flatten());
            line.push("img".to_owned());
            let alone = recognise(&line);
            line.extend(own);
            prop_assert_eq!(alone.as_ref().and_then(|run| run.image.as_deref()), Some("img"));
            prop_assert_eq!(recognise(&line), alone);
        }

        #[test]
        fn no_command_line_is_too_odd(words in prop::collection::vec("\\PC{0,6}|-[a-z=]{0,4}|run", 0..8)) {
            let mut line = vec!["docker".to_owned()];
            line.extend(words);
            if let Some(run) = recognise(&line) {
                prop_assert!(run.engine_words < run.flags_at && run.flags_at <= line.len());
            }
        }
    }
}

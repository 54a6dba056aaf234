//! What is added to a `run` of a container: the label by which it is found again, the file into which the engine
//! writes its id, and the published ports; and how one that was kept is started again.
//!
//! Pure. All of it stands directly behind `run`, before the user's own flags: where these say the same thing, the
//! engine takes the later one, which is theirs.

use super::command_line::ContainerRun;
use crate::ports::Port;

/// The label that names an instance's containers; its value is the lockId.
pub const LABEL: &str = "styxy.lock-id";

/// What is added.
#[derive(Debug, Clone, Copy)]
pub struct Added<'a> {
    /// The instance.
    pub lock_id: &'a str,
    /// Leased ports, and the container's that are to be reached by them.
    pub published: &'a [(Port, Port)],
    /// Where the engine writes the container's id, unless the user has such a file.
    pub cidfile: &'a str,
}

/// The command with what is added.
pub fn rewrite(words: &[String], run: &ContainerRun, added: &Added<'_>) -> Vec<String> {
    let (before, flags) = words.split_at(run.flags_at);
    let mut rewritten = before.to_vec();
    rewritten.push(format!("--label={LABEL}={}", added.lock_id));
    if run.cidfile.is_none() {
        rewritten.push(format!("--cidfile={}", added.cidfile));
    }
    let published = added.published.iter();
    rewritten
        .extend(published.map(|(leased, inside)| format!("--publish=127.0.0.1:{leased}:{inside}")));
    rewritten.extend_from_slice(flags);
    rewritten
}

/// How an engine starts a stopped container again as `run` was told to; its id follows. A second `run` would make
/// another one, and find its name taken.
pub fn start_again(run: &ContainerRun, engine: &str) -> Vec<&'static str> {
    let mut words = vec!["container", "start"];
    if !run.detach {
        words.push("--attach");
        // nerdctl's `start` reads nothing.
        if run.interactive && engine != "nerdctl" {
            words.push("--interactive");
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::command_line::recognise;

    #[test]
    fn a_container_is_started_again_as_it_was_run() {
        for (line, expected) in [
            ("docker run img", "container start --attach"),
            ("docker run -it img", "container start --attach --interactive"),
            ("nerdctl run -it img", "container start --attach"),
            ("podman run -id img", "container start"),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let again = start_again(&recognise(&words).unwrap(), &words[0]);
            assert_eq!(again.join(" "), expected, "{line}");
        }
    }

    #[track_caller]
    fn check(line: &str, published: &[(u16, u16)], expected: &str) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let run = recognise(&words).unwrap();
        let ports = |&(leased, inside)| (Port::known(leased), Port::known(inside));
        let published: Vec<_> = published.iter().map(ports).collect();
        let added = Added { lock_id: "db-pg-7f3k2m", published: &published, cidfile: "/s/x.cid" };
        assert_eq!(rewrite(&words, &run, &added).join(" "), expected, "{line}");
    }

    #[test]
    fn label_file_and_ports_are_added_before_the_users_flags() {
        check(
            "docker run --rm postgres -c x",
            &[(5430, 5432)],
            "docker run --label=styxy.lock-id=db-pg-7f3k2m --cidfile=/s/x.cid \
             --publish=127.0.0.1:5430:5432 --rm postgres -c x",
        );
        check(
            "podman --root /r container run -d img",
            &[(1, 2), (3, 4)],
            "podman --root /r container run --label=styxy.lock-id=db-pg-7f3k2m --cidfile=/s/x.cid \
             --publish=127.0.0.1:1:2 --publish=127.0.0.1:3:4 -d img",
        );
    }

    #[test]
    fn the_users_own_cidfile_is_kept() {
        check(
            "docker run --cidfile c img --cidfile d",
            &[],
            "docker run --label=styxy.lock-id=db-pg-7f3k2m --cidfile c img --cidfile d",
        );
    }
}

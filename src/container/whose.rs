//! Whose containers: how their engine is asked, and by what they are known among all others.
//!
//! Pure. It stands in the run record, so that the containers of a supervisor that was killed are found by whoever
//! cleans up, from another directory and with other variables.

use super::{Recognised, command_line::is_engine, compose::is_compose, rewrite::LABEL};
use serde::{Deserialize, Serialize};

/// Variables that say which engine, or which project, is meant. Credentials are not among them.
const VARIABLES: &[&str] = &[
    "COMPOSE_ENV_FILES",
    "COMPOSE_FILE",
    "COMPOSE_PATH_SEPARATOR",
    "COMPOSE_PROFILES",
    "COMPOSE_PROJECT_NAME",
    "CONTAINERD_ADDRESS",
    "CONTAINERD_NAMESPACE",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINER_CONNECTION",
    "CONTAINER_HOST",
    "CONTAINER_SSHKEY",
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "NERDCTL_TOML",
    "PATH",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
];

/// An instance's containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Whose {
    /// The words that name the engine: `docker --context x`.
    pub engine: Vec<String>,
    /// By what they are known.
    pub mark: Mark,
    /// The variables that say which engine is meant.
    pub variables: Vec<(String, String)>,
    /// Where the engine writes the container's id.
    pub cidfile: String,
    /// That file is styxy's.
    pub owns_cidfile: bool,
    /// What the user called it.
    pub name: Option<String>,
    /// What it is made of.
    pub image: Option<String>,
}

/// By what containers are known among all of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    /// By styxy's label, whose value is the lockId.
    Label(String),
    /// By belonging to the project that these words name.
    Project(Vec<String>),
}

impl Whose {
    /// The containers that a command starts. `cidfile` is ours, for where the user has none; `absolute` makes a
    /// path of the user's one that means the same everywhere.
    pub fn of(
        command: &[String],
        recognised: &Recognised,
        lock_id: &str,
        cidfile: &str,
        absolute: impl Fn(&str) -> String,
    ) -> Self {
        let (engine, mark, own_cidfile, name, image) = match recognised {
            Recognised::Run(run) => (
                command[..run.engine_words].to_vec(),
                Mark::Label(lock_id.to_owned()),
                run.cidfile.as_deref().map(absolute),
                run.name.clone(),
                run.image.clone(),
            ),
            Recognised::Compose(up) => {
                let project = Mark::Project(command[..up.project_words].to_vec());
                (up.engine.clone(), project, None, None, None)
            }
        };
        let owns_cidfile = own_cidfile.is_none();
        let cidfile = own_cidfile.unwrap_or_else(|| cidfile.to_owned());
        Self { engine, mark, variables: Vec::new(), cidfile, owns_cidfile, name, image }
    }

    /// The same, with those of these variables that say which engine is meant. A project's file may name its
    /// ports, so these are needed too.
    #[must_use]
    pub fn among(mut self, variables: impl Iterator<Item = (String, String)>) -> Self {
        let is_project = matches!(self.mark, Mark::Project(_));
        let wanted = |name: &str| says_which(name) || (is_project && is_own(name));
        self.variables = variables.filter(|(name, _)| wanted(name)).collect();
        self
    }

    /// The same, behind words that set variables: `env DOCKER_HOST=x`.
    #[must_use]
    pub fn behind(mut self, setting: &[String]) -> Self {
        self.engine.splice(..0, setting.iter().cloned());
        if let Mark::Project(words) = &mut self.mark {
            words.splice(..0, setting.iter().cloned());
        }
        self
    }

    /// The engine's program, as people call it.
    pub fn engine_name(&self) -> &str {
        let mut names = self.engine.iter().map(|word| word.rsplit('/').next().unwrap_or(word));
        names.find(|name| is_engine(name) || is_compose(name)).unwrap_or_default()
    }

    /// The words of a question to the engine.
    pub fn ask(&self, words: &[&str], ids: &[String]) -> Vec<String> {
        let words = words.iter().map(|&word| word.to_owned());
        self.engine.iter().cloned().chain(words).chain(ids.iter().cloned()).collect()
    }

    /// The words that list the ids of its containers, whatever state they are in.
    pub fn list(&self) -> Vec<String> {
        match &self.mark {
            Mark::Label(lock_id) => {
                let filter = format!("label={LABEL}={lock_id}");
                self.ask(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter], &[])
            }
            // podman-compose lists those that have ended in any case, and knows no such flag.
            Mark::Project(project) if self.engine_name() == "podman" => {
                with(project, &["ps", "-q"])
            }
            Mark::Project(project) => with(project, &["ps", "-a", "-q"]),
        }
    }

    /// The command lines that end a project's containers within so many seconds, and remove them.
    pub(super) fn down(&self, project: &[String], seconds: &str) -> Vec<Vec<String>> {
        if self.engine_name() == "nerdctl" {
            // Its `down` can't be told how long to wait.
            let stop = with(project, &["stop", "-t", seconds]);
            return vec![stop, with(project, &["down"])];
        }
        vec![with(project, &["down", "-t", seconds])]
    }
}

/// These words, and some behind them.
fn with(words: &[String], more: &[&str]) -> Vec<String> {
    words.iter().cloned().chain(more.iter().map(|&word| word.to_owned())).collect()
}

/// Whether a variable says which engine or project is meant.
pub fn says_which(name: &str) -> bool {
    VARIABLES.contains(&name)
}

/// Whether a variable is one that styxy sets.
fn is_own(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("STYXY_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::recognise;

    fn whose(line: &str) -> Whose {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let recognised = recognise(&words).unwrap();
        Whose::of(&words, &recognised, "db-pg-7f3k2m", "/s/x.cid", |path| format!("/w/{path}"))
    }

    #[test]
    fn a_container_is_listed_by_its_label_and_by_the_same_engine() {
        let whose = whose("/usr/bin/docker --context x run --name pg img");
        assert_eq!(
            whose.list().join(" "),
            "/usr/bin/docker --context x ps --all --quiet --no-trunc \
             --filter label=styxy.lock-id=db-pg-7f3k2m"
        );
        assert_eq!(whose.engine_name(), "docker");
        assert_eq!((whose.name.as_deref(), whose.image.as_deref()), (Some("pg"), Some("img")));
        assert_eq!(whose.cidfile, "/s/x.cid");
        let own = super::tests::whose("podman run --cidfile c img");
        assert_eq!((&own.cidfile[..], own.owns_cidfile, whose.owns_cidfile), ("/w/c", false, true));
    }

    #[test]
    fn a_project_is_listed_by_its_own_words() {
        let whose = whose("docker compose -p shop up -d");
        assert_eq!(whose.list().join(" "), "docker compose -p shop ps -a -q");
        let podmans = super::tests::whose("podman-compose -p shop up");
        assert_eq!(podmans.list().join(" "), "podman-compose -p shop ps -q");
        assert_eq!(whose.engine, ["docker"]);
    }

    #[test]
    fn variables_that_were_set_for_the_command_are_set_for_questions_too() {
        let setting = ["env", "DOCKER_HOST=x"].map(str::to_owned);
        let run = whose("/usr/bin/docker run img").behind(&setting);
        assert_eq!(run.ask(&["ps"], &[]).join(" "), "env DOCKER_HOST=x /usr/bin/docker ps");
        assert_eq!(run.engine_name(), "docker");
        let up = whose("docker-compose -p shop up").behind(&setting);
        assert_eq!(up.list().join(" "), "env DOCKER_HOST=x docker-compose -p shop ps -a -q");
    }

    #[test]
    fn only_variables_that_say_which_engine_are_kept() {
        let given = ["DOCKER_HOST", "DOCKER_AUTH_CONFIG", "TOKEN", "PORT", "PORT_WEB"];
        let pairs = || given.into_iter().map(|name| (name.to_owned(), "x".to_owned()));
        let names = |whose: Whose| -> Vec<String> {
            whose.among(pairs()).variables.into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(whose("docker run img")), ["DOCKER_HOST"]);
        assert_eq!(names(whose("docker compose up")), ["DOCKER_HOST", "PORT", "PORT_WEB"]);
    }
}

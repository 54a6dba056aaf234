//! A command known by its words, wherever in another one it lies: `env A=1 docker run …`, `sh -c 'docker run …'`.
//!
//! Pure. What is looked for is the caller's business; what is certain about launchers is `launcher`'s.

use super::launcher::{self, Fit, Inner, PackageScripts};

/// So many commands inside commands are looked into; a script that names itself ends here.
const LAYERS_MAX: usize = 8;

/// A command, and those around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// Outermost first, and how each holds the next.
    around: Vec<(Vec<String>, Fit)>,
    words: Vec<String>,
}

impl Within {
    /// The outermost command that is what is looked for.
    pub fn find<T>(
        command: &[String],
        package_scripts: PackageScripts<'_>,
        looked_for: impl Fn(&[String]) -> Option<T>,
    ) -> Option<(Self, T)> {
        let mut within = Self { around: Vec::new(), words: command.to_vec() };
        loop {
            if let Some(found) = looked_for(&within.words) {
                return Some((within, found));
            }
            if within.around.len() == LAYERS_MAX {
                return None;
            }
            let Inner { words, fit } = launcher::peel(&within.words, package_scripts)?;
            // What `python docker run` runs is a script of that name.
            if matches!(fit, Fit::Tail { .. }) && launcher::is_interpreter(&within.words) {
                return None;
            }
            within.around.push((std::mem::replace(&mut within.words, words), fit));
        }
    }

    /// Its words.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether it is written elsewhere, in a script, where nothing can be put into its middle.
    pub fn is_elsewhere(&self) -> bool {
        self.around.iter().any(|(_, fit)| matches!(fit, Fit::Elsewhere { .. }))
    }

    /// The whole command with these words in its place, if that can be written.
    pub fn put_back(&self, mut new: Vec<String>) -> Option<Vec<String>> {
        let mut old = &self.words;
        for (outer, fit) in self.around.iter().rev() {
            new = launcher::put_back(outer, *fit, old, &new)?;
            old = outer;
        }
        Some(new)
    }

    /// What stands before it and sets variables, as a command: `env A=1`.
    pub fn setting(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (outer, fit) in &self.around {
            let Fit::Tail { from } = fit else { continue };
            let before = &outer[..*from];
            if before.first().is_some_and(|word| launcher::is_assignment(word)) {
                words.push("env".to_owned());
                words.extend_from_slice(before);
            } else if before.first().is_some_and(|word| launcher::base_name(word) == "env")
                || before.iter().any(|word| launcher::is_assignment(word))
            {
                words.extend_from_slice(before);
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts(name: &str) -> Option<String> {
        (name == "db").then(|| "docker run img".to_owned())
    }

    fn find(command: &[&str]) -> Option<Within> {
        let words: Vec<String> = command.iter().map(ToString::to_string).collect();
        let is_run =
            |words: &[String]| words.starts_with(&["docker".into(), "run".into()]).then_some(());
        Within::find(&words, &scripts, is_run).map(|(within, ())| within)
    }

    /// Its words, the whole command with a flag more, and what sets variables.
    #[track_caller]
    fn check(command: &[&str], whole: &[&str], setting: &str) {
        let within = find(command).unwrap_or_else(|| panic!("not found: {command:?}"));
        assert_eq!(within.words().join(" "), "docker run img", "{command:?}");
        let mut new = within.words().to_vec();
        new.insert(2, "--label=a".to_owned());
        assert_eq!(within.put_back(new).unwrap(), whole, "{command:?}");
        assert_eq!(within.setting().join(" "), setting, "{command:?}");
    }

    #[test]
    fn a_command_is_found_in_others_and_put_back_changed() {
        check(&["docker", "run", "img"], &["docker", "run", "--label=a", "img"], "");
        check(
            &["env", "-u", "X", "A=1", "docker", "run", "img"],
            &["env", "-u", "X", "A=1", "docker", "run", "--label=a", "img"],
            "env -u X A=1",
        );
        check(
            &["timeout", "9", "sh", "-c", "B=2 exec docker run img"],
            &["timeout", "9", "sh", "-c", "B=2 exec docker run --label=a img"],
            "env B=2",
        );
    }

    #[test]
    fn what_is_not_certain_is_not_found() {
        for text in ["docker run 'img'", "true && docker run img", "docker run $IMG"] {
            assert_eq!(find(&["sh", "-c", text]), None, "{text}");
        }
        assert_eq!(find(&["python3", "docker", "run"]), None);
        assert_eq!(find(&["true"]), None);
        assert_eq!(find(&[]), None);
    }

    #[test]
    fn one_in_a_script_is_found_and_cannot_be_changed() {
        let within = find(&["npm", "run", "db"]).unwrap();
        assert!(within.is_elsewhere());
        let new = ["docker", "run", "-d", "img"].map(str::to_owned).to_vec();
        assert_eq!(within.put_back(new), None);
        assert!(!find(&["docker", "run", "img"]).unwrap().is_elsewhere());
    }

    #[test]
    fn what_no_shell_takes_as_it_is_cannot_be_put_into_its_text() {
        let within = find(&["sh", "-c", "docker run img"]).unwrap();
        let new = ["docker", "run", "--cidfile=/a b", "img"].map(str::to_owned).to_vec();
        assert_eq!(within.put_back(new), None);
    }
}

//! A Procfile: one service a line, `name: command`, each run by `sh -c`.
//!
//! Pure: the text is handed in. It is looked for where no `styxy.toml` names services.

use super::{
    error::ConfigError,
    layer::{Layer, Origin},
    name::InstanceId,
    project::{Command, Service},
    value::ValueError,
};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// The services of a Procfile.
#[derive(Debug, Clone, PartialEq)]
pub struct Procfile {
    /// The directory that it is in: where its services run.
    pub root: PathBuf,
    /// By name.
    pub services: BTreeMap<InstanceId, Service>,
}

/// Reads the text. Empty lines and lines that begin with `#` mean nothing.
pub(super) fn read_procfile(
    path: &str,
    text: &str,
) -> Result<BTreeMap<InstanceId, Service>, ConfigError> {
    let path: Arc<str> = path.into();
    let mut services = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let origin = Origin::File { layer: Layer::Project, path: path.clone(), line: index + 1 };
        let Some((name, command)) = line.split_once(':') else {
            let message = "wants `name: command` in each line".to_owned();
            return Err(ConfigError::Syntax { origin, message });
        };
        let (name, command) = (name.trim(), command.trim());
        let wrong =
            |wrong| ConfigError::Value { origin, key: name.escape_debug().to_string(), wrong };
        let id: InstanceId = match name.parse() {
            Ok(id) => id,
            Err(error) => return Err(wrong(ValueError::from(error))),
        };
        if command.is_empty() || command.contains('\0') {
            return Err(wrong(ValueError::new("names no command")));
        }
        let mut service = Service::new(id.clone());
        service.command = Command::Shell(command.to_owned());
        if services.insert(id, service).is_some() {
            return Err(wrong(ValueError::new("is there twice").hint("rename one of the two")));
        }
    }
    Ok(services)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn commands(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
        let services = read_procfile("Procfile", text).map_err(|error| error.to_string())?;
        let shown = |service: &Service| (service.name.to_string(), service.command.words());
        Ok(services.values().map(shown).collect())
    }

    #[test]
    fn each_line_is_a_service_for_the_shell() {
        let text = "# all of it\nweb: vite --port $PORT\n\n  api :  A=1 node api.js: x  \r\n";
        let line = |name: &str, line: &str| {
            (name.to_owned(), ["sh", "-c", line].map(str::to_owned).to_vec())
        };
        let expected = vec![line("api", "A=1 node api.js: x"), line("web", "vite --port $PORT")];
        assert_eq!(commands(text), Ok(expected));
        assert_eq!(commands(""), Ok(Vec::new()));
    }

    #[test]
    fn a_line_that_is_none_is_named_with_file_and_line() {
        for (text, expected) in [
            ("web: vite\nvite", "Procfile:2: wants `name: command` in each line"),
            ("web:", "Procfile:1: web: names no command"),
            ("web: a\nweb: b", "Procfile:2: web: is there twice"),
            (": a", "Procfile:1: : "),
            ("a b: c", "Procfile:1: a b: `a b` cannot be"),
        ] {
            let error = commands(text).expect_err(text);
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn whatever_it_holds_it_is_read_or_refused(text in "[a-z:# \\n\\t]{0,40}") {
            if let Ok(services) = read_procfile("Procfile", &text) {
                prop_assert!(services.values().all(|service| !service.command.is_empty()));
            }
        }
    }
}

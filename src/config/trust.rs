//! What a project's `styxy.toml` may not say: it came with a checkout, and nobody may have read it.
//!
//! Pure. Who owns the file is `files`' business.

use super::{
    layer::{Layer, Origin},
    stack::Config,
};

/// Tables that only the system's and the user's configuration may fill: which file outside the state
/// directory is rewritten, how long evidence is kept, and where somebody may knock.
const RESERVED: [&str; 3] = ["document", "audit", "serve"];

/// Takes back what the project's file said in such a table, and tells so. `machine` is the configuration
/// before that file was read.
pub(super) fn withhold(config: &mut Config, machine: &Config) -> Vec<String> {
    let is_reserved = |key: &str| {
        let table = key.split('.').next().unwrap_or_default();
        RESERVED.contains(&table)
    };
    let withheld: Vec<(String, Origin)> = config
        .origins
        .iter()
        .filter(|(key, origin)| is_reserved(key) && origin.layer() == Some(Layer::Project))
        .map(|(key, origin)| (key.clone(), origin.clone()))
        .collect();
    if withheld.is_empty() {
        return Vec::new();
    }
    config.document = machine.document.clone();
    config.audit = machine.audit;
    config.serve = machine.serve;
    withheld
        .into_iter()
        .map(|(key, origin)| {
            match machine.origins.get(&key) {
                Some(own) => config.origins.insert(key.clone(), own.clone()),
                None => config.origins.remove(&key),
            };
            format!("{origin}: {key} is passed over: only your own configuration may set it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_file;

    #[test]
    fn a_project_cannot_say_what_is_written_kept_or_served() {
        let mut config = Config::default();
        let own = "[audit]\nkeep = 3\n[logs]\nkeep = 3";
        read_file(&mut config, Layer::User, "config.toml", own).unwrap();
        let machine = config.clone();
        let project = "[document]\npath = '~/.bashrc'\n[audit]\nsize = '1'\nkeep = 0\n\
                       [serve]\nlisten = '0.0.0.0:9876'\n[logs]\nkeep = 4";
        read_file(&mut config, Layer::Project, "styxy.toml", project).unwrap();
        let notices = withhold(&mut config, &machine);
        assert_eq!(
            notices,
            [
                "styxy.toml:5: audit.keep is passed over: only your own configuration may set it",
                "styxy.toml:4: audit.size is passed over: only your own configuration may set it",
                "styxy.toml:2: document.path is passed over: only your own configuration may set it",
                "styxy.toml:7: serve.listen is passed over: only your own configuration may set it",
            ]
        );
        assert_eq!((&config.document, config.audit), (&machine.document, machine.audit));
        assert_eq!(config.serve, machine.serve);
        assert_eq!((config.audit.keep, config.logs.keep), (3, 4));
        let origin = config.get("audit.keep").unwrap()[0].origin.to_string();
        assert_eq!(origin, "config.toml:2");
        assert_eq!(withhold(&mut config, &machine), [""; 0]);
    }
}

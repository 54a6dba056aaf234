//! `styxy env`: where an instance is, as variables for shells and programs.
//!
//! `STYXY_LOCK_ID` is not among them: it marks what belongs to the instance and is stopped with it, and
//! a shell that evaluates these lines does not.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::operations::{Error, view::Answer};
use clap::ValueEnum;
use std::collections::BTreeMap;

/// Where instances are reached.
pub(super) const HOST: &str = "127.0.0.1";

/// Print where an instance is as variables
///
/// PORT, STYXY_PORT, STYXY_URL, STYXY_TYPE and STYXY_ID; with several ports also PORT_<NAME>. In a
/// shell: eval "$(styxy env api/billing)"
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The instance: type/id[@project], id, port, or lockId
    #[arg(value_name = "REF")]
    reference: String,
    /// For whom
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Eval)]
    format: Format,
}

/// For whom variables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// sh, bash, zsh: export NAME=value
    Eval,
    /// .env files: NAME=value
    Dotenv,
    /// fish: set -gx NAME value
    Fish,
    /// One object of strings
    Json,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let view = host.locate(&self.reference, &|sentence| session.tell(sentence))?;
        let variables = variables(&view.answer(String::new()));
        let format = if session.json { Format::Json } else { self.format };
        match format {
            Format::Eval => output::print(&eval(&variables))?,
            Format::Dotenv => {
                output::print(&lines(&variables, |name, value| format!("{name}={value}")))?;
            }
            Format::Fish => {
                output::print(&lines(&variables, |name, value| format!("set -gx {name} {value}")))?;
            }
            Format::Json => output::json(&object(&variables))?,
        }
        Ok(0)
    }
}

/// The variables of an instance, in the order in which people look for them.
pub(super) fn variables(answer: &Answer) -> Vec<(String, String)> {
    let port = answer.port.to_string();
    let mut variables = vec![
        ("PORT".to_owned(), port.clone()),
        ("STYXY_PORT".to_owned(), port),
        ("STYXY_URL".to_owned(), answer.url.clone()),
        ("STYXY_TYPE".to_owned(), answer.r#type.clone()),
        ("STYXY_ID".to_owned(), answer.id.clone()),
    ];
    let named = answer.ports.iter();
    variables.extend(named.map(|(name, port)| (variable(name), port.to_string())));
    variables
}

/// `PORT_HTTP` for the port `http`.
fn variable(name: &str) -> String {
    format!("PORT_{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// For `eval` in a POSIX shell.
pub(super) fn eval(variables: &[(String, String)]) -> String {
    lines(variables, |name, value| format!("export {name}={value}"))
}

/// One line for each. Names and ids, ports and URLs are made of letters that no shell minds, so nothing
/// is quoted.
fn lines(variables: &[(String, String)], line: impl Fn(&str, &str) -> String) -> String {
    variables.iter().map(|(name, value)| line(name, value) + "\n").collect()
}

fn object(variables: &[(String, String)]) -> BTreeMap<&str, &str> {
    variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Port;

    fn answer() -> Answer {
        Answer {
            port: Port::known(8000),
            ports: [
                ("http".to_owned(), Port::known(8000)),
                ("g-rpc".to_owned(), Port::known(8001)),
            ]
            .into(),
            lock_id: Some("api-billing-000000".to_owned()),
            r#type: "api".to_owned(),
            id: "billing".to_owned(),
            project: None,
            url: "http://127.0.0.1:8000".to_owned(),
            pid: None,
            existing: true,
            auto_allocated: false,
            new_range: None,
            grown: false,
            message: String::new(),
        }
    }

    #[test]
    fn a_shell_can_evaluate_where_an_instance_is() {
        assert_eq!(
            eval(&variables(&answer())),
            "export PORT=8000\nexport STYXY_PORT=8000\nexport STYXY_URL=http://127.0.0.1:8000\n\
             export STYXY_TYPE=api\nexport STYXY_ID=billing\nexport PORT_G_RPC=8001\nexport PORT_HTTP=8000\n"
        );
    }

    #[test]
    fn what_marks_the_instances_own_processes_is_kept_out_of_shells() {
        assert!(variables(&answer()).iter().all(|(name, _)| name != "STYXY_LOCK_ID"));
    }
}

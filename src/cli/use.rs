//! `styxy use`: what a client of an instance needs, for people.

use super::{
    arguments::{Session, Verb},
    env, output,
};
use crate::{operations::Error, ports::Port};

/// Show how to reach an instance: URL, host, port, and an export line
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["reference", "port"]))]
pub(super) struct Arguments {
    /// The instance: type/id[@project], id, port, or lockId
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// The instance on this port
    #[arg(short, long, value_name = "PORT")]
    port: Option<Port>,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let tell = |sentence: &str| session.tell(sentence);
        let view = match (self.port, &self.reference) {
            (Some(port), _) => host.locate_port(port, &tell)?,
            (None, reference) => {
                host.locate(reference.as_deref().expect("clap requires one of the two"), &tell)?
            }
        };
        let message = format!("{} is on port {}", view.full_name(), view.port);
        let answer = view.answer(message);
        if session.json {
            output::json(&answer)?;
        } else {
            let (url, port) = (&answer.url, answer.port);
            let export = env::eval(&env::variables(&answer));
            output::print(&format!("url   {url}\nhost  {}\nport  {port}\n\n{export}", env::HOST))?;
        }
        Ok(0)
    }
}

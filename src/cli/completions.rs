//! `styxy completions`: a script for a shell, made from the definition.

use super::{
    arguments::{Session, Verb, definition},
    output,
};
use crate::operations::Error;
use clap_complete::Shell;

/// Print the completions for a shell
///
/// For bash: styxy completions bash > ~/.local/share/bash-completion/completions/styxy
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Verb for Arguments {
    fn perform(self, _session: &Session) -> Result<i32, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut definition(), "styxy", &mut script);
        output::print_bytes(&script)?;
        Ok(0)
    }
}

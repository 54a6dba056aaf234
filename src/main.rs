//! Both faces meet here and nowhere else.

use std::process::ExitCode;

fn main() -> ExitCode {
    styxy::cli::main()
}

//! Both faces meet here and nowhere else.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "serve")]
    let face = Some(styxy::http::serve as styxy::operations::serve::Face);
    #[cfg(not(feature = "serve"))]
    let face = None;
    styxy::cli::main(face)
}

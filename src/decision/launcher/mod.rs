//! A command inside another: `npx vite`, `env A=1 vite`, `sh -c 'vite'`, `npm run dev`, `python -m flask`.
//!
//! Pure. Only what is certain is seen through: a launcher with an option that is not listed, or a shell
//! text with more than plain words, is taken as it stands. What the inner command is, is `recognise`'s
//! business.

mod inner;
mod package;
mod prefix;
mod program;
mod shell;

pub use inner::PackageScripts;
pub(crate) use inner::{Fit, Inner, peel, put_back};
pub(crate) use program::{base_name, is_interpreter, program};
pub(crate) use shell::is_assignment;

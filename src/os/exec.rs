//! Becoming another program, without a child.

use crate::os::signals;
use nix::unistd::execvpe;
use std::{ffi::CString, io};

/// Becomes the program, with the signals as this process was started with. Returns only why it could not.
pub fn become_program(
    program: &CString,
    arguments: &[CString],
    environment: &[CString],
) -> io::Error {
    if let Err(errno) = signals::original().put_back() {
        return errno.into();
    }
    match execvpe(program, arguments, environment) {
        Ok(never) => match never {},
        Err(errno) => errno.into(),
    }
}

//! Becoming another program, without a child.

use crate::os::{
    signals,
    spawn::{Socket, is_listen_variable, newborn, told},
};
use nix::unistd::execvpe;
use std::{ffi::CString, io, os::fd::AsRawFd};

/// Becomes the program, with the signals as this process was started with, and with these sockets passed on.
/// Returns only why it could not.
pub fn become_program(
    program: &CString,
    arguments: &[CString],
    environment: &[CString],
    sockets: &[Socket<'_>],
) -> io::Error {
    if !sockets.is_empty() {
        return with_sockets(program, arguments, environment, sockets);
    }
    if let Err(errno) = signals::original().put_back() {
        return errno.into();
    }
    match execvpe(program, arguments, environment) {
        Ok(never) => match never {},
        Err(errno) => errno.into(),
    }
}

/// The sockets go to 3 and up, and the environment tells of them.
fn with_sockets(
    program: &CString,
    arguments: &[CString],
    environment: &[CString],
    sockets: &[Socket<'_>],
) -> io::Error {
    let listen_pid = CString::new(format!("LISTEN_PID={}", std::process::id()));
    let inherited = environment.iter().filter(|entry| !is_listen_variable(entry)).cloned();
    let environment: Vec<CString> =
        listen_pid.into_iter().chain(told(sockets)).chain(inherited).collect();
    let mut placed: Vec<_> = sockets.iter().map(|socket| socket.fd.as_raw_fd()).collect();
    match newborn::place(&mut placed) {
        Ok(_) => become_program(program, arguments, &environment, &[]),
        Err(errno) => errno.into(),
    }
}

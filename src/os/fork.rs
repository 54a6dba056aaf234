//! Runs something in a copy of this process, which may die of it.
//!
//! Only for the self-test, whose process has one thread: a copy of more would hold their locks for ever.
#![expect(unsafe_code, reason = "fork(2) has no safe form")]

use nix::{
    errno::Errno,
    libc,
    sys::{
        signal::Signal,
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, fork},
};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// What a copy ends with when it panics.
const PANICKED: i32 = 101;

/// How the copy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With that code.
    Code(i32),
    /// Of that signal.
    Signal(Signal),
}

/// Runs it in a copy of this process, which ends with its code; waits for that.
pub fn in_a_copy(body: impl FnOnce() -> i32) -> io::Result<End> {
    // SAFETY: this process has one thread, and the copy leaves by `_exit`: nothing that belongs to the
    // original runs in it.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let code = catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED);
            // SAFETY: leaves without running what belongs to the original.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => loop {
            match waitpid(child, None) {
                Ok(WaitStatus::Exited(_, code)) => return Ok(End::Code(code)),
                Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(End::Signal(signal)),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::forked::alone;
    use nix::{sys::signal::kill, unistd::getpid};

    #[test]
    fn a_copy_is_told_by_how_it_ended() {
        // Not from a test's thread, which has siblings.
        alone(|| {
            assert_eq!(in_a_copy(|| 7).unwrap(), End::Code(7));
            assert_eq!(in_a_copy(|| panic!("as planned")).unwrap(), End::Code(PANICKED));
            let die = || kill(getpid(), Signal::SIGKILL).map_or(1, |()| 0);
            assert_eq!(in_a_copy(die).unwrap(), End::Signal(Signal::SIGKILL));
        });
    }
}

//! Waits for descriptors of operations in the event loop.

use std::{io, os::fd::AsRawFd};
use tokio::io::unix::AsyncFd;

/// Something whose descriptor the event loop waits for.
///
/// What is waited for owns or borrows its descriptor for as long as it is registered.
#[expect(deprecated, reason = "what replaces it is unsafe, and this room is not")]
pub(super) fn waited_for<T: AsRawFd>(waker: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::new(waker)
}

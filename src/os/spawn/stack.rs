//! A small stack for the moments in which a child still shares its parent's memory.
//!
//! With a guard page below: running over its end kills the child and damages nobody.
#![expect(unsafe_code, reason = "memory is mapped and given back by hand")]

use nix::libc;
use std::{ffi::c_void, io, ptr};

/// Far more than the newborn's few frames need; only what is touched becomes real memory.
const STACK_BYTES: usize = 64 * 1024;
/// As large as the largest page that a Linux machine commonly has.
const GUARD_BYTES: usize = 64 * 1024;

/// The mapping; given back when dropped.
pub(super) struct Stack(*mut c_void);

impl Stack {
    /// Maps it.
    pub(super) fn new() -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        let length = GUARD_BYTES + STACK_BYTES;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing.
        let base = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self(base);
        // SAFETY: the upper part of our own mapping.
        let opened = unsafe {
            let bottom = base.byte_add(GUARD_BYTES);
            libc::mprotect(bottom, STACK_BYTES, libc::PROT_READ | libc::PROT_WRITE)
        };
        if opened == 0 { Ok(stack) } else { Err(io::Error::last_os_error()) }
    }

    /// Its upper end, from which it grows downwards.
    pub(super) fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of our own mapping.
        unsafe { self.0.byte_add(GUARD_BYTES + STACK_BYTES) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and nobody runs on it any more.
        unsafe { libc::munmap(self.0, GUARD_BYTES + STACK_BYTES) };
    }
}

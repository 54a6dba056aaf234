//! Memory that is not needed any more is given back to the kernel.
#![expect(unsafe_code, reason = "malloc_trim(3) has no safe form")]

/// Gives free memory back: a supervisor waits for hours with what it needed for milliseconds.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: malloc_trim touches free memory only, and takes the allocator's own locks.
        let _ = unsafe { nix::libc::malloc_trim(0) };
    }
}

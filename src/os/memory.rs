//! Memory that is not needed any more is given back to the kernel.
#![expect(unsafe_code, reason = "malloc_trim(3) and madvise(2) have no safe form")]

use rustix::{
    mm::{Advice, madvise},
    param::page_size,
};

/// Gives back what is free, and the code that was for starting: a supervisor waits for hours with what it
/// needed for milliseconds.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: malloc_trim touches free memory only, and takes the allocator's own locks.
        let _ = unsafe { nix::libc::malloc_trim(0) };
    }
    give_back_code();
}

// Named by the linker: constants and code lie between them, and what is written to lies behind.
unsafe extern "C" {
    static __executable_start: u8;
    static etext: u8;
}

/// Unmaps the program's constants and code until they are used again. They stay in the kernel's cache of
/// files, where all styxys share them, so a page comes back without being read; but it is no longer counted
/// as memory of each.
fn give_back_code() {
    let start = (&raw const __executable_start).cast_mut();
    let Some(length) = (&raw const etext).addr().checked_sub(start.addr()) else { return };
    let whole_pages = length - length % page_size();
    // SAFETY: the pages are the program's file, mapped privately and never written to, so the kernel finds
    // the same bytes again; that goes for the page of this very instruction too.
    let _ = unsafe { madvise(start.cast(), whole_pages, Advice::LinuxDontNeed) };
}

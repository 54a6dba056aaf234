//! What time it is, which boot this is, and the dice: the only reader of clocks and of chance.
//!
//! Whoever decides something is handed a moment or a roll from here, so that tests need not wait.

use nix::time::{ClockId, clock_gettime};
use rustix::rand::{GetRandomFlags, getrandom};
use std::{
    fs, io,
    time::{Duration, Instant},
};

/// A moment for waits and deadlines (`CLOCK_MONOTONIC`: it stands still while the machine sleeps).
#[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
pub fn now() -> Instant {
    Instant::now()
}

/// The age of this boot, sleep included (`CLOCK_BOOTTIME`): for ages that are written down.
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .expect("CLOCK_BOOTTIME has been there since Linux 2.6.39")
        .into()
}

/// The time of day, for people and for the audit log; it decides nothing but `retire_after`.
pub fn utc() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The name of this boot: a pid and a start time mean something only together with it.
pub fn boot_id() -> io::Result<String> {
    let mut text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// Thirty-two random bits, different in each process, a forked one included.
pub fn dice() -> u32 {
    let mut bytes = [0; 4];
    // getrandom(2): up to 256 bytes are neither interrupted nor cut short.
    getrandom(&mut bytes, GetRandomFlags::empty()).expect("getrandom(2) gives four bytes");
    u32::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_go_forward() {
        let (moment, age) = (now(), since_boot());
        assert!(now() >= moment);
        assert!(since_boot() >= age && age > Duration::ZERO);
        assert!(utc() > jiff::Timestamp::from_second(1_700_000_000).unwrap());
    }

    #[test]
    fn a_boot_has_one_name() {
        let name = boot_id().unwrap();
        assert_eq!(name.len(), 36, "{name:?}");
        assert_eq!(name, boot_id().unwrap());
    }

    #[test]
    fn rolls_differ() {
        let rolls: std::collections::BTreeSet<u32> = (0..16).map(|_| dice()).collect();
        assert!(rolls.len() > 8);
    }
}

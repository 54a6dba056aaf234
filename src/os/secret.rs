//! Secrets: made of the kernel's randomness, kept in a file that only its owner can read.

use rustix::{
    fs::{Mode, OFlags, fchmod, openat},
    rand::{GetRandomFlags, getrandom},
};
use std::{
    fs::File,
    io::{self, ErrorKind, Read, Write},
    os::fd::AsFd,
    os::unix::fs::MetadataExt,
};

/// 256 bits: nobody guesses one, however fast they ask.
const SECRET_BYTES: usize = 32;
/// No file of a secret is longer; what is, is none of ours.
const FILE_LENGTH_MAX: u64 = 1024;
/// Its owner reads and writes it, and nobody else.
const OWNER_ONLY: u32 = 0o600;

/// A new secret, in hexadecimal digits.
pub fn secret() -> io::Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The secret in that file of a directory; made where it is missing. One that others can read is theirs
/// too, so it is replaced.
pub fn kept(directory: impl AsFd, name: &str) -> io::Result<String> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mode = Mode::from_raw_mode(OWNER_ONLY);
    let mut file = File::from(openat(&directory, name, flags, mode)?);
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != super::user::uid() {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    let mut text = String::new();
    Read::by_ref(&mut file).take(FILE_LENGTH_MAX).read_to_string(&mut text)?;
    let text = text.trim();
    if text.len() >= SECRET_BYTES && metadata.mode().trailing_zeros() >= 6 {
        return Ok(text.to_owned());
    }
    let made = secret()?;
    fchmod(&file, mode)?;
    file.set_len(0)?;
    let line = format!("{made}\n");
    std::os::unix::fs::FileExt::write_all_at(&file, line.as_bytes(), 0)?;
    file.flush()?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_secret_is_kept_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let directory = File::open(place.path()).unwrap();
        let file = place.path().join("auth.token");
        let made = kept(&directory, "auth.token").unwrap();
        assert_eq!(made.len(), 2 * SECRET_BYTES);
        assert_eq!(kept(&directory, "auth.token").unwrap(), made);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, OWNER_ONLY);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let replaced = kept(&directory, "auth.token").unwrap();
        assert_ne!(replaced, made, "others may have read it");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, OWNER_ONLY);
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/null", &file).unwrap();
        assert!(kept(&directory, "auth.token").is_err(), "a link is not followed");
    }
}

//! Who runs this: the numbers for decisions, a name for display.
//!
//! Names are looked up only when something is shown: the first look-up reads files and may ask a
//! directory service, which the way of `run` has no time for.

use nix::unistd::{Uid, User, getegid, geteuid};

/// The user whose rights this process has, as the kernel numbers it.
pub fn uid() -> u32 {
    geteuid().as_raw()
}

/// The group that new files of this process get.
pub fn gid() -> u32 {
    getegid().as_raw()
}

/// What people call that user; the number itself where nobody has a name for it.
pub fn name(uid: u32) -> String {
    let known = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    known.map_or_else(|| uid.to_string(), |user| user.name)
}

/// The number of the user whom people call so; nobody's name may be the number itself.
pub fn number(name: &str) -> Option<u32> {
    let known = User::from_name(name).ok().flatten();
    known.map(|user| user.uid.as_raw()).or_else(|| name.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn new_files_belong_to_this_user_and_group() {
        let file = tempfile::tempfile().unwrap().metadata().unwrap();
        assert_eq!((file.uid(), file.gid()), (uid(), gid()));
    }

    #[test]
    fn root_has_a_name_and_a_stranger_keeps_its_number() {
        assert_eq!(name(0), "root");
        assert_eq!(name(3_999_999_999), "3999999999");
        assert_eq!((number("root"), number("3999999999")), (Some(0), Some(3_999_999_999)));
        assert_eq!(number("nobody is called so"), None);
    }
}

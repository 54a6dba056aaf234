//! Who runs this: the numbers for decisions, a name for display.
//!
//! Names are looked up only when something is shown: the first look-up reads files and may ask a
//! directory service, which the way of `run` has no time for. `getent` does it, a process of its own: a
//! directory service is a library that is loaded then, and this program may carry a C library of its own
//! that such a library does not fit.

use nix::unistd::{getegid, geteuid};
use std::process::{Command, Stdio};

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
    let number = uid.to_string();
    account(&number).map_or(number, |account| account.name)
}

/// The number of the user whom people call so; nobody's name may be the number itself.
pub fn number(name: &str) -> Option<u32> {
    account(name).map(|account| account.uid).or_else(|| name.parse().ok())
}

/// What the system's databases know of a user.
struct Account {
    name: String,
    uid: u32,
}

fn account(key: &str) -> Option<Account> {
    let mut question = Command::new("getent");
    question.args(["passwd", "--", key]).stdin(Stdio::null()).stderr(Stdio::null());
    let answer = String::from_utf8(question.output().ok()?.stdout).ok()?;
    let mut fields = answer.lines().next()?.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    Some(Account { name, uid })
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

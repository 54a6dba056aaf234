//! Who runs this: the numbers for decisions, a name for display.
//!
//! Names are looked up only when something is shown: the first look-up reads files and may ask a
//! directory service, which the way of `run` has no time for. `getent` does it, a process of its own: a
//! directory service is a library that is loaded then, and this program may carry a C library of its own
//! that such a library does not fit.

use nix::unistd::{getegid, geteuid};
use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The users of this machine alone: nearly all who are asked for, without a process.
const LOCAL: &str = "/etc/passwd";
/// What users are called, each looked up once: a page is told of them again and again.
static NAMES: Mutex<BTreeMap<u32, String>> = Mutex::new(BTreeMap::new());

/// The user whose rights this process has, as the kernel numbers it.
pub fn uid() -> u32 {
    geteuid().as_raw()
}

/// The group that new files of this process get.
pub fn gid() -> u32 {
    getegid().as_raw()
}

/// What people call that user; the number itself where nobody has a name for it. Asked once for each.
pub fn name(uid: u32) -> String {
    if let Some(name) = names().get(&uid) {
        return name.clone();
    }
    let number = uid.to_string();
    let local = || {
        let known = fs::read_to_string(LOCAL).ok()?;
        known.lines().filter_map(read_line).find(|account| account.uid == uid)
    };
    let account = local().or_else(|| account(&number));
    let name = account.map_or(number, |account| account.name);
    names().insert(uid, name.clone());
    name
}

/// Nothing breaks half-way under this lock, and nobody is asked.
fn names() -> MutexGuard<'static, BTreeMap<u32, String>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
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
    read_line(answer.lines().next()?)
}

/// `root:x:0:0:…`
fn read_line(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
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
        assert_eq!([name(3_999_999_999), name(3_999_999_999)], ["3999999999", "3999999999"]);
        assert_eq!((number("root"), number("3999999999")), (Some(0), Some(3_999_999_999)));
        assert_eq!(number("nobody is called so"), None);
    }
}

//! How processes hang together: who is below whom, and which of them is a supervisor of its own.
//!
//! Stopping the tree of a living instance is `supervisor::stopping`'s business, finding what a dead
//! supervisor left is `leftovers`'.

use super::process::{Stat, all_pids, find_stat, is_gone, numbered_entries};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The variable that every process of an instance inherits.
pub const LOCK_ID_VARIABLE: &str = "STYXY_LOCK_ID";
/// An empty tree is looked at again while processes of it just ended; so often at most.
const LOOKS_MAX: usize = 16;
/// How a record in `run/` begins: it makes the lock beside it a supervisor's.
const RECORD_HEAD: &[u8] = b"{\"leader\":[";
/// What the record of a detached one says.
const LOG_KEPT: &[u8] = b"\"log\":\"";

/// Makes orphans below this process its children, so that none gets out of its tree.
pub fn become_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// The children of a process, zombies included, as the kernel lists them for each of its threads.
///
/// Empty for a process that has ended.
pub fn children(pid: i32) -> io::Result<Vec<i32>> {
    let threads = format!("/proc/{pid}/task");
    let mut found = Vec::new();
    for thread in present(numbered_entries(&threads))?.unwrap_or_default() {
        let listed = present(fs::read_to_string(format!("{threads}/{thread}/children")))?;
        let pids = listed.unwrap_or_default();
        found.extend(pids.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    Ok(found)
}

/// What was read of a process, unless it has ended meanwhile.
fn present<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All living processes below one, parents first, without those that are kept out and what is below
/// them. Zombies count as gone.
pub fn descendants(root: i32, keep_out: &dyn Fn(i32) -> bool) -> io::Result<Vec<Stat>> {
    // proc(5): the lists of children are there if the kernel was built with CONFIG_PROC_CHILDREN.
    if !Path::new("/proc/thread-self/children").exists() {
        return Ok(ProcessTable::read()?.below(&[root], keep_out).into_iter().cloned().collect());
    }
    let mut ended_before = None;
    for _ in 0..LOOKS_MAX {
        let Look { found, ended } = look(root, keep_out)?;
        // Who ends while we look hands its children up to a list that we have already read. So
        // "nobody" is believed only when nobody ended since the look before.
        if !found.is_empty() || ended.is_empty() || ended_before.as_ref() == Some(&ended) {
            return Ok(found);
        }
        ended_before = Some(ended);
    }
    Ok(ProcessTable::read()?.below(&[root], keep_out).into_iter().cloned().collect())
}

/// What one walk through a tree met.
struct Look {
    found: Vec<Stat>,
    /// Those that were listed and have ended, zombies too.
    ended: BTreeSet<i32>,
}

fn look(root: i32, keep_out: &dyn Fn(i32) -> bool) -> io::Result<Look> {
    let mut look = Look { found: Vec::new(), ended: BTreeSet::new() };
    let mut next = 0;
    let mut parent = root;
    loop {
        for child in children(parent)? {
            // Who was handed up while we look is met twice.
            if look.found.iter().any(|stat| stat.pid == child) || keep_out(child) {
                continue;
            }
            match find_stat(child)? {
                Some(stat) if !stat.has_ended() => look.found.push(stat),
                Some(_) | None => {
                    look.ended.insert(child);
                }
            }
        }
        let Some(stat) = look.found.get(next) else { return Ok(look) };
        parent = stat.pid;
        next += 1;
    }
}

/// All processes that can be seen, as one pass over `/proc` saw them.
#[derive(Debug, Clone, Default)]
pub struct ProcessTable {
    /// By pid.
    processes: Vec<Stat>,
    /// Parent and child, by parent.
    links: Vec<(i32, i32)>,
}

impl ProcessTable {
    /// Reads it.
    pub fn read() -> io::Result<Self> {
        let mut processes = Vec::new();
        for pid in all_pids()? {
            processes.extend(find_stat(pid)?);
        }
        Ok(processes.into())
    }

    /// All of them, zombies included.
    pub fn processes(&self) -> &[Stat] {
        &self.processes
    }

    /// The process with that pid.
    pub fn get(&self, pid: i32) -> Option<&Stat> {
        let index = self.processes.binary_search_by_key(&pid, |stat| stat.pid).ok()?;
        self.processes.get(index)
    }

    /// The pids of its parent, its parent's parent and so on.
    pub fn ancestors(&self, pid: i32) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        let mut next = self.get(pid);
        while let Some(stat) = next {
            // Pids recycled during the pass could make a ring.
            next =
                Some(stat.parent).filter(|parent| found.insert(*parent)).and_then(|p| self.get(p));
        }
        found
    }

    /// All living processes below these, parents first, without those that are kept out and what is
    /// below them.
    pub fn below(&self, roots: &[i32], keep_out: &dyn Fn(i32) -> bool) -> Vec<&Stat> {
        let mut met: BTreeSet<i32> = roots.iter().copied().collect();
        let mut queue = roots.to_vec();
        let mut next = 0;
        while let Some(parent) = queue.get(next).copied() {
            next += 1;
            let from = self.links.partition_point(|link| link.0 < parent);
            let children = self.links.iter().skip(from).take_while(|link| link.0 == parent);
            for (_, child) in children {
                if !met.contains(child) && !keep_out(*child) {
                    met.insert(*child);
                    queue.push(*child);
                }
            }
        }
        let below = queue.iter().skip(roots.len()).filter_map(|pid| self.get(*pid));
        below.filter(|stat| !stat.has_ended()).collect()
    }
}

impl From<Vec<Stat>> for ProcessTable {
    fn from(mut processes: Vec<Stat>) -> Self {
        processes.sort_unstable_by_key(|stat| stat.pid);
        let mut links: Vec<_> = processes.iter().map(|stat| (stat.parent, stat.pid)).collect();
        links.sort_unstable();
        Self { processes, links }
    }
}

/// How a process that is a live supervisor was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervisor {
    /// In somebody's tree: it gets the signals of that tree's ladder and stops its own.
    Foreground,
    /// In the background: it belongs to nobody's tree.
    Detached,
}

/// Whether the process is a live supervisor, in whatever registry.
pub fn supervisor(pid: i32) -> Option<Supervisor> {
    let record = fs::read(held_run_lock(pid)?.with_extension("json")).ok()?;
    // Only a detached one keeps its output in a log. In a JSON text the quotes can stand nowhere else so.
    let detached = record.windows(LOG_KEPT.len()).any(|text| text == LOG_KEPT);
    Some(if detached { Supervisor::Detached } else { Supervisor::Foreground })
}

/// The run lock that the process holds, which makes it a live supervisor.
///
/// Neither the lock is touched nor its owner disturbed: the kernel tells which locks belong to an
/// open file. Another program's `run/NAME.lock` is none, having no record beside it.
pub fn held_run_lock(pid: i32) -> Option<PathBuf> {
    let descriptors = numbered_entries(&format!("/proc/{pid}/fd")).ok()?;
    descriptors.into_iter().find_map(|descriptor| {
        let path = fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
        let of_a_run = path.extension()? == "lock" && path.parent()?.file_name()? == "run";
        (of_a_run && locks_its_file(pid, descriptor) && has_record(&path)).then_some(path)
    })
}

/// Whether a descriptor's open file holds an exclusive flock.
fn locks_its_file(pid: i32, descriptor: i32) -> bool {
    // proc(5), fdinfo: "lock: 1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF".
    let told = fs::read_to_string(format!("/proc/{pid}/fdinfo/{descriptor}")).unwrap_or_default();
    told.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next() == Some("lock:")
            && words.any(|word| word == "FLOCK")
            && words.any(|word| word == "WRITE")
    })
}

/// Whether the record of a run lies beside its lock.
fn has_record(lock: &Path) -> bool {
    let mut head = [0; RECORD_HEAD.len()];
    let read =
        File::open(lock.with_extension("json")).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == RECORD_HEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::parse_stat;
    use crate::os::test_process::{TestProcess, comes_true};
    use std::process::Command;

    fn own_pid() -> i32 {
        std::process::id().try_into().unwrap()
    }

    fn pids(stats: &[Stat]) -> Vec<i32> {
        stats.iter().map(|stat| stat.pid).collect()
    }

    fn stat(pid: i32, parent: i32) -> Stat {
        let line = format!("{pid} (x) S {parent} {pid} {pid} {}", "1 ".repeat(20));
        parse_stat(line.as_bytes()).unwrap()
    }

    #[test]
    fn the_children_of_a_process_are_listed_whichever_thread_started_them() {
        let child = TestProcess::cat(&mut Command::new("cat"));
        let other = std::thread::spawn(|| {
            let child = TestProcess::cat(&mut Command::new("cat"));
            let listed = children(own_pid()).unwrap();
            (listed.contains(&child.pid()), child.pid())
        });
        let (listed, pid) = other.join().unwrap();
        assert!(listed);
        assert!(children(own_pid()).unwrap().contains(&child.pid()));
        assert!(children(pid).unwrap().is_empty());
    }

    #[test]
    fn a_tree_is_listed_from_its_root_down_and_without_what_is_kept_out() {
        let mut root = TestProcess::shell(
            "exec 3<&0; sh -c 'cat <&3 >/dev/null & echo $$; echo $!; wait' & wait",
        );
        let (shell, cat) = (root.hear_pid(), root.hear_pid());

        let seen = descendants(root.pid(), &|_| false).unwrap();
        assert_eq!(pids(&seen), [shell, cat]);
        assert!(descendants(root.pid(), &|pid| pid == shell).unwrap().is_empty());

        let table = ProcessTable::read().unwrap();
        let below = table.below(&[root.pid()], &|_| false);
        assert_eq!(below.iter().map(|stat| stat.pid).collect::<Vec<_>>(), [shell, cat]);
        let above = table.ancestors(cat);
        assert!(above.is_superset(&[shell, root.pid(), own_pid()].into()));
    }

    #[test]
    fn an_orphan_stays_below_a_subreaper() {
        become_subreaper().unwrap();
        let mut root =
            TestProcess::shell("exec 3<&0; sh -c 'setsid cat <&3 >/dev/null & echo $!'; read line");
        let orphan = root.hear_pid();
        assert!(comes_true(|| children(own_pid()).unwrap().contains(&orphan)));
        drop(root);
        nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(orphan), None).unwrap();
    }

    #[test]
    fn who_has_ended_is_not_listed_reaped_or_not() {
        // A `cat` does not know of the child that it had as a shell, so it never reaps it.
        let root = TestProcess::cat(Command::new("sh").args(["-c", "true & exec cat"]));
        let zombie = children(root.pid()).unwrap()[0];
        assert!(comes_true(|| find_stat(zombie).unwrap().is_some_and(|stat| stat.has_ended())));
        assert_eq!(children(root.pid()).unwrap(), [zombie]);
        assert!(descendants(root.pid(), &|_| false).unwrap().is_empty());
        let pid = root.pid();
        drop(root);
        assert!(descendants(pid, &|_| false).unwrap().is_empty());
    }

    #[test]
    fn a_table_is_walked_by_its_links_even_where_they_make_a_ring() {
        let table = ProcessTable::from(
            [(5, 4), (2, 1), (4, 2), (3, 2), (8, 9), (9, 8)]
                .map(|(pid, parent)| stat(pid, parent))
                .to_vec(),
        );
        let below = |root: i32, out: i32| -> Vec<i32> {
            table.below(&[root], &|pid| pid == out).iter().map(|stat| stat.pid).collect()
        };
        assert_eq!(below(1, 0), [2, 3, 4, 5]);
        assert_eq!(below(1, 4), [2, 3]);
        assert_eq!(below(8, 0), [9]);
        assert_eq!(table.ancestors(5), [1, 2, 4].into());
        assert_eq!(table.ancestors(9), [8, 9].into());
    }

    /// A directory with `run/x-1.lock`, and `run/x-1.json` beside it where `recorded`.
    fn run_directory(recorded: bool) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join("run/x-1.lock");
        fs::create_dir(directory.path().join("run")).unwrap();
        fs::write(&lock, "").unwrap();
        if recorded {
            fs::write(lock.with_extension("json"), "{\"leader\":[         0,").unwrap();
        }
        (directory, lock)
    }

    /// Holds the lock, and runs a `cat` below, as a supervisor does.
    fn locked(lock: &Path, carried: &str) -> TestProcess {
        TestProcess::cat(
            Command::new("flock").arg("-o").arg(lock).arg("cat").env(LOCK_ID_VARIABLE, carried),
        )
    }

    #[test]
    fn who_holds_a_run_lock_is_a_live_supervisor_and_its_child_is_none() {
        let (_directory, lock) = run_directory(true);
        let holder = locked(&lock, "outer");
        assert_eq!(held_run_lock(holder.pid()), Some(lock));
        assert_eq!(supervisor(holder.pid()), Some(Supervisor::Foreground));
        let child = children(holder.pid()).unwrap()[0];
        assert_eq!(supervisor(child), None);
    }

    #[test]
    fn a_detached_supervisor_keeps_a_log() {
        let (_directory, lock) = run_directory(true);
        let record = "{\"leader\":[         0,0],\"log\":\"/state/logs/x/1.log\"}";
        fs::write(lock.with_extension("json"), record).unwrap();
        let holder = locked(&lock, "outer");
        assert_eq!(supervisor(holder.pid()), Some(Supervisor::Detached));
    }

    #[test]
    fn another_programs_lock_is_no_run_lock() {
        let (_directory, lock) = run_directory(false);
        let holder = locked(&lock, "outer");
        assert_eq!(held_run_lock(holder.pid()), None);
    }

    #[test]
    fn a_run_lock_that_is_only_looked_at_makes_no_supervisor() {
        let (_directory, lock) = run_directory(true);
        let _holder = locked(&lock, "outer");
        let reader =
            TestProcess::cat(Command::new("sh").args(["-c", "exec 9<\"$0\"; exec cat"]).arg(&lock));
        assert_eq!(held_run_lock(reader.pid()), None);
    }
}

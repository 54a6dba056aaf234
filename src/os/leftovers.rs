//! What a supervisor that was killed has left running: found by its marks, and stopped.
//!
//! Whether a supervisor is dead, and whether its record was made in this boot and these namespaces,
//! is for the caller to know. Leftovers are the recorded leader and listener, the members of the leader's
//! group and session that are not older than it, whoever carries the lockId, and all below those.

use super::process::{Handle, Stat, command_line, environment_value};
use super::tree::{LOCK_ID_VARIABLE, ProcessTable, Supervisor, supervisor};
use crate::registry::ProcessIdentity;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::collections::HashSet;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use std::{fmt, fs, io};

/// KILL works at once or, on a process stuck in the kernel, not for long; so often it is repeated.
const KILL_ROUNDS_MAX: usize = 20;
/// How long one round of KILL is waited for.
const KILL_WAIT: Duration = Duration::from_millis(250);
/// So many are waited for at once, to stay clear of the limit of open files; the next look finds the
/// others.
const WATCHED_MAX: usize = 256;

/// What a dead supervisor's leftovers are known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The lockId that everything of the instance inherited.
    pub lock_id: String,
    /// The recorded leader, whether it still lives or not.
    pub leader: Option<ProcessIdentity>,
    /// The recorded listener, if another one.
    pub listener: Option<ProcessIdentity>,
}

/// A living process of a dead supervisor's instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    /// Which one.
    pub identity: ProcessIdentity,
    /// Whether it is a live supervisor of another instance: it stops its own, which are not listed.
    pub supervises: bool,
}

/// A leftover that did not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its pid.
    pub pid: i32,
    /// Its command line, or the name of its program.
    pub command: String,
}

impl fmt::Display for Survivor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "pid {} ({})", self.pid, self.command.escape_debug())
    }
}

/// Why leftovers are not gone.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// They were killed, or this user may not kill them, and they live.
    #[error("still running: {}", list(.0))]
    Survived(Vec<Survivor>),
    /// The kernel did not say what runs.
    #[error("cannot look for what {lock_id} left running")]
    Unseen {
        /// Whose leftovers were looked for.
        lock_id: String,
        /// What the kernel said instead.
        source: io::Error,
    },
}

fn list(survivors: &[Survivor]) -> String {
    survivors.iter().map(Survivor::to_string).collect::<Vec<_>>().join(", ")
}

/// What a dead supervisor has left running.
pub fn leftovers(mark: &Mark) -> io::Result<Vec<Leftover>> {
    Ok(leftovers_of_each(std::slice::from_ref(mark))?.pop().unwrap_or_default())
}

/// What each of several dead supervisors has left running, in one look at all processes.
pub fn leftovers_of_each(marks: &[Mark]) -> io::Result<Vec<Vec<Leftover>>> {
    if marks.is_empty() {
        return Ok(Vec::new());
    }
    let table = ProcessTable::read()?;
    let carried = carried_lock_ids(&table);
    let own_pid = nix::unistd::getpid().as_raw();
    let of_one = |mark: &Mark| {
        let is_its = |(_, lock_id): &&(i32, Vec<u8>)| lock_id == mark.lock_id.as_bytes();
        let carriers: Vec<i32> = carried.iter().filter(is_its).map(|(pid, _)| *pid).collect();
        sort_out(&table, &candidates(&table, mark, &carriers, own_pid), own_pid, &supervisor)
    };
    Ok(marks.iter().map(of_one).collect())
}

/// The lockIds in the environments of this user's processes.
fn carried_lock_ids(table: &ProcessTable) -> Vec<(i32, Vec<u8>)> {
    let own_uid = nix::unistd::geteuid().as_raw();
    let living = table.processes().iter().filter(|stat| !stat.has_ended());
    living
        .filter_map(|stat| Some((stat.pid, environment_value(stat.pid, LOCK_ID_VARIABLE)?)))
        // Root can read everybody's, and still means its own.
        .filter(|(pid, _)| fs::metadata(format!("/proc/{pid}")).is_ok_and(|of| of.uid() == own_uid))
        .collect()
}

/// Everything living that the marks point to, except `own` and what is below it.
fn candidates<'a>(
    table: &'a ProcessTable,
    mark: &Mark,
    carriers: &[i32],
    own: i32,
) -> Vec<&'a Stat> {
    let is_marked = |stat: &&Stat| {
        let recorded = [mark.leader, mark.listener].contains(&Some(stat.identity()));
        recorded || carriers.contains(&stat.pid) || is_member(table, mark.leader, stat)
    };
    let keep_out = |pid: i32| pid <= 1 || pid == own;
    let marked: Vec<&Stat> = table
        .processes()
        .iter()
        .filter(is_marked)
        .filter(|stat| !keep_out(stat.pid) && !stat.has_ended())
        .collect();
    let roots: Vec<i32> = marked.iter().map(|stat| stat.pid).collect();
    let below = table.below(&roots, &keep_out);
    marked.into_iter().chain(below).collect()
}

/// Whether it is in the leader's group or session, and those are still the leader's.
fn is_member(table: &ProcessTable, leader: Option<ProcessIdentity>, stat: &Stat) -> bool {
    // The number of a group is not given to a new process while the group has members. So where
    // another process has the leader's pid, the leader's group had died out before.
    leader.filter(|leader| leader.pid > 1).is_some_and(|leader| {
        (stat.group == leader.pid || stat.session == leader.pid)
            && stat.start >= leader.start
            && table.get(leader.pid).is_none_or(|now| now.start == leader.start)
    })
}

/// Leaves out what other instances' live supervisors supervise, detached ones themselves, and the
/// ancestors of `own`.
fn sort_out(
    table: &ProcessTable,
    candidates: &[&Stat],
    own: i32,
    ask: &dyn Fn(i32) -> Option<Supervisor>,
) -> Vec<Leftover> {
    // Ancestors are asked as well: this may run in the tree of one that supervises others.
    let asked: Vec<_> = candidates.iter().map(|stat| (*stat, ask(stat.pid))).collect();
    let supervisors: Vec<i32> =
        asked.iter().filter(|(_, found)| found.is_some()).map(|(stat, _)| stat.pid).collect();
    let supervised = table.below(&supervisors, &|_| false);
    let mut left_out = table.ancestors(own);
    left_out.extend(supervised.iter().map(|stat| stat.pid));
    asked
        .into_iter()
        .filter(|(stat, _)| !left_out.contains(&stat.pid))
        .filter(|(_, found)| *found != Some(Supervisor::Detached))
        .map(|(stat, found)| Leftover { identity: stat.identity(), supervises: found.is_some() })
        .collect()
}

/// Stops what a dead supervisor has left running: the first signal, the grace, then KILL, until a look
/// finds nobody. Without a grace it is KILL at once.
pub fn stop_leftovers(mark: &Mark, first: Signal, grace: Duration) -> Result<(), StopError> {
    let unseen = |source| StopError::Unseen { lock_id: mark.lock_id.clone(), source };
    if !grace.is_zero() && ask_to_end(mark, first, grace).map_err(unseen)? == Outcome::AllGone {
        return Ok(());
    }
    if kill(mark).map_err(unseen)? == Outcome::AllGone {
        return Ok(());
    }
    let survivors: Vec<Survivor> =
        leftovers(mark).map_err(unseen)?.iter().filter_map(survivor).collect();
    if survivors.is_empty() { Ok(()) } else { Err(StopError::Survived(survivors)) }
}

/// What one step of the ladder came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    AllGone,
    SomeLeft,
}

/// Sends the first signal to all, also to those that appear meanwhile, and waits until the grace is over.
fn ask_to_end(mark: &Mark, first: Signal, grace: Duration) -> io::Result<Outcome> {
    let timer = started_timer(grace)?;
    let mut asked = HashSet::new();
    loop {
        let left = leftovers(mark)?;
        let signalled = signal_each(&left, |handle, supervises| {
            if !asked.insert(handle.identity()) {
                return Ok(());
            }
            // A supervisor stops its own on TERM, and passes other signals on instead.
            handle.signal(if supervises { Signal::SIGTERM } else { first })?;
            // One that is stopped would not hear it.
            handle.signal(Signal::SIGCONT)
        })?;
        match signalled {
            Signalled::Nobody => return Ok(Outcome::AllGone),
            Signalled::OnlyRefused => return Ok(Outcome::SomeLeft),
            Signalled::Some(handles) => {
                if wait_for(handles, &timer)? == Waited::TooLong {
                    return Ok(Outcome::SomeLeft);
                }
            }
        }
    }
}

/// Kills all, and looks again until nobody is left or it is no use.
fn kill(mark: &Mark) -> io::Result<Outcome> {
    for _ in 0..KILL_ROUNDS_MAX {
        let left = leftovers(mark)?;
        let signalled = signal_each(&left, |handle, supervises| {
            // To a supervisor, a second TERM means KILL; killed itself, it would leave its own behind.
            handle.signal(if supervises { Signal::SIGTERM } else { Signal::SIGKILL })
        })?;
        match signalled {
            Signalled::Nobody => return Ok(Outcome::AllGone),
            Signalled::OnlyRefused => return Ok(Outcome::SomeLeft),
            Signalled::Some(handles) => {
                wait_for(handles, &started_timer(KILL_WAIT)?)?;
            }
        }
    }
    Ok(Outcome::SomeLeft)
}

/// Who could be signalled.
enum Signalled {
    /// There was nobody.
    Nobody,
    /// There are some, and this user may signal none of them.
    OnlyRefused,
    /// Those that are waited for, which are empty when all had ended meanwhile.
    Some(Vec<Handle>),
}

/// Opens each and hands it to `send`, which is told whether it supervises.
fn signal_each(
    left: &[Leftover],
    mut send: impl FnMut(&Handle, bool) -> io::Result<()>,
) -> io::Result<Signalled> {
    let mut handles = Vec::new();
    let mut refused = 0;
    for leftover in left {
        let Some(handle) = Handle::open(&leftover.identity)? else { continue };
        match send(&handle, leftover.supervises) {
            Ok(()) if handles.len() < WATCHED_MAX => handles.push(handle),
            Ok(()) => {}
            // kill(2): EPERM, it has made itself another user's.
            Err(_) => refused += 1,
        }
    }
    Ok(match left {
        [] => Signalled::Nobody,
        _ if handles.is_empty() && refused > 0 => Signalled::OnlyRefused,
        _ => Signalled::Some(handles),
    })
}

/// A timer that becomes readable after this time.
fn started_timer(time: Duration) -> io::Result<TimerFd> {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
    let expiration = Expiration::OneShot(TimeSpec::from_duration(time));
    timer.set(expiration, TimerSetTimeFlags::empty())?;
    Ok(timer)
}

/// How a wait came out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    AllEnded,
    TooLong,
}

/// Waits until all have ended or the timer has run out.
fn wait_for(mut handles: Vec<Handle>, timer: &TimerFd) -> io::Result<Waited> {
    loop {
        let mut watched: Vec<PollFd> = std::iter::once(timer.as_fd())
            .chain(handles.iter().map(AsFd::as_fd))
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        // With nobody to wait for, the timer is only looked at.
        let limit = if handles.is_empty() { PollTimeout::ZERO } else { PollTimeout::NONE };
        match poll(&mut watched, limit) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let readable: Vec<bool> = watched.iter().map(|fd| fd.any() == Some(true)).collect();
        let mut ended = readable.into_iter();
        if ended.next() == Some(true) {
            return Ok(Waited::TooLong);
        }
        handles.retain(|_| ended.next() != Some(true));
        if handles.is_empty() {
            return Ok(Waited::AllEnded);
        }
    }
}

/// What a person is told of one that did not end; `None` when it just did.
fn survivor(leftover: &Leftover) -> Option<Survivor> {
    let pid = leftover.identity.pid;
    let stat = super::process::find_stat(pid).ok()??;
    let command = command_line(pid).map_or(stat.name.to_string(), |arguments| arguments.join(" "));
    (stat.identity() == leftover.identity && !stat.has_ended()).then_some(Survivor { pid, command })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::{identify, parse_stat, read_stat};
    use crate::os::test_process::{TestProcess, comes_true};
    use crate::os::tree::children;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// Longer than any test takes: that it is waited for would be seen.
    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(30);

    fn mark(lock_id: &str, leader: Option<ProcessIdentity>) -> Mark {
        Mark { lock_id: lock_id.to_owned(), leader, listener: None }
    }

    /// A leader in a process group of its own, which runs the script; fd 3 ends with the test.
    fn leader(script: &str, lock_id: &str) -> (TestProcess, Mark) {
        let script = format!("exec 3<&0; {script}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).env(LOCK_ID_VARIABLE, lock_id).process_group(0);
        let leader = TestProcess::start(&mut command);
        let mark = mark(lock_id, Some(identify(leader.pid()).unwrap()));
        (leader, mark)
    }

    fn pids(left: &[Leftover]) -> Vec<i32> {
        let mut pids: Vec<_> = left.iter().map(|leftover| leftover.identity.pid).collect();
        pids.sort_unstable();
        pids
    }

    /// A table of pids, parents, groups and starts.
    fn table_of(rows: &[(i32, i32, i32, u64)]) -> ProcessTable {
        let stats = rows.iter().map(|(pid, parent, group, start)| {
            let zeros = "0 ".repeat(13);
            let line = format!("{pid} (x) S {parent} {group} 1 {zeros} 1 0 {start} 0 9");
            parse_stat(line.as_bytes()).unwrap()
        });
        stats.collect::<Vec<_>>().into()
    }

    fn check(rows: &[(i32, i32, i32, u64)], mark: &Mark, carriers: &[i32], expected: &[i32]) {
        let table = table_of(rows);
        let found = candidates(&table, mark, carriers, 90);
        let found: HashSet<_> = found.iter().map(|stat| stat.pid).collect();
        assert_eq!(found, expected.iter().copied().collect());
    }

    #[test]
    fn marks_point_to_their_own_and_to_nobody_else() {
        // pid, parent, group, start; 90 is the one that looks.
        let table = [
            (1, 0, 1, 0),
            (20, 1, 20, 500),
            (21, 20, 21, 510),
            (22, 1, 20, 520),
            (23, 1, 20, 499),
            (30, 1, 30, 530),
            (31, 30, 30, 531),
            (80, 20, 80, 540),
            (90, 80, 90, 550),
            (91, 90, 90, 551),
        ];
        let leader = |start| Some(ProcessIdentity { pid: 20, start });
        check(&table, &mark("x", leader(500)), &[], &[20, 21, 22, 80]);
        check(&table, &mark("x", leader(500)), &[30], &[20, 21, 22, 30, 31, 80]);
        check(&table, &mark("x", leader(499)), &[], &[]);
        check(&table, &mark("x", None), &[1, 31, 80, 90], &[31, 80]);
        check(&table[2..], &mark("x", leader(500)), &[], &[22]);
        for pid in [1, 0, -1] {
            check(&table, &mark("x", Some(ProcessIdentity { pid, start: 0 })), &[], &[]);
        }
    }

    #[test]
    fn other_instances_are_left_alone_and_so_are_our_ancestors() {
        let table = table_of(&[(20, 1, 20, 5), (30, 20, 30, 6), (31, 30, 31, 7), (40, 20, 40, 8)]);
        let candidates: Vec<_> = table.processes().iter().collect();
        for (kind, own, expected) in [
            (Supervisor::Detached, 90, &[20, 40][..]),
            (Supervisor::Foreground, 90, &[20, 30, 40]),
            (Supervisor::Foreground, 31, &[40]),
        ] {
            let left = sort_out(&table, &candidates, own, &|pid| (pid == 30).then_some(kind));
            assert_eq!(pids(&left), expected);
        }
    }

    #[test]
    fn who_left_group_and_session_is_found_by_the_lock_id_it_carries() {
        let script = "setsid cat <&3 >/dev/null & echo $!; wait";
        let (mut leader, mark) = leader(script, "leftovers-carried-1");
        let escaped = leader.hear_pid();
        leader.end();
        assert!(comes_true(|| pids(&leftovers(&mark).unwrap()) == [escaped]));
        stop_leftovers(&mark, Signal::SIGTERM, LONG).unwrap();
        assert_eq!(leftovers(&mark).unwrap(), []);
    }

    #[test]
    fn who_carries_nothing_is_found_in_the_leaders_group() {
        let (mut leader, mark) =
            leader("env -i cat <&3 >/dev/null & echo $!; wait", "leftovers-group-1");
        let member = leader.hear_pid();
        leader.end();
        assert!(comes_true(|| environment_value(member, LOCK_ID_VARIABLE).is_none()));
        assert_eq!(pids(&leftovers(&mark).unwrap()), [member]);
        stop_leftovers(&mark, Signal::SIGTERM, LONG).unwrap();
        assert_eq!(leftovers(&mark).unwrap(), []);
    }

    #[test]
    fn several_marks_are_told_apart_in_one_look() {
        let (_one, first) = leader("echo; cat <&3", "leftovers-several-1");
        let (_two, second) = leader("echo; cat <&3", "leftovers-several-2");
        let (one, two) = (first.leader.unwrap().pid, second.leader.unwrap().pid);
        let found = leftovers_of_each(&[first, second, mark("leftovers-several-3", None)]).unwrap();
        assert!(pids(&found[0]).contains(&one) && !pids(&found[0]).contains(&two));
        assert!(pids(&found[1]).contains(&two) && !pids(&found[1]).contains(&one));
        assert_eq!(found[2], []);
    }

    #[test]
    fn who_ignores_the_first_signal_is_killed_after_the_grace() {
        let (mut leader, mark) =
            leader("trap '' TERM; cat <&3 >/dev/null & echo; wait", "leftovers-stubborn-1");
        leader.hear();
        stop_leftovers(&mark, Signal::SIGTERM, SHORT).unwrap();
        assert_eq!(leftovers(&mark).unwrap(), []);
    }

    #[test]
    fn who_starts_another_on_its_way_out_is_stopped_with_it() {
        let (mut leader, mark) = leader(
            "trap 'setsid cat <&3 >/dev/null & exit' TERM; cat <&3 >/dev/null & echo; wait",
            "leftovers-hydra-1",
        );
        leader.hear();
        // Not long: between fork and exec a shell's child loses a signal, and is killed when the grace is over.
        stop_leftovers(&mark, Signal::SIGTERM, Duration::from_secs(5)).unwrap();
        assert_eq!(leftovers(&mark).unwrap(), []);
    }

    #[test]
    fn who_is_stopped_wakes_up_to_end() {
        let (leader, mark) = leader("kill -STOP $$", "leftovers-asleep-1");
        let state = || read_stat(leader.pid()).unwrap().state;
        assert!(comes_true(|| state() == b'T'));
        stop_leftovers(&mark, Signal::SIGTERM, LONG).unwrap();
    }

    #[test]
    fn a_live_supervisor_gets_the_signal_and_what_it_supervises_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join("run/inner-1.lock");
        fs::create_dir(directory.path().join("run")).unwrap();
        fs::write(lock.with_extension("json"), "{\"leader\":[").unwrap();
        let supervisor = format!("flock -o {} sh -c 'echo; cat <&3; true' & ", lock.display());
        let foreground = format!("{supervisor} echo $!; wait");
        let (mut leader, mark) = leader(&foreground, "leftovers-outer-1");
        let (one, two) = (leader.hear(), leader.hear());
        let inner: i32 = format!("{one}{two}").parse().unwrap();
        let supervised = children(inner).unwrap();
        let left = leftovers(&mark).unwrap();
        let flagged: Vec<_> = left.iter().filter(|leftover| leftover.supervises).copied().collect();
        assert_eq!(pids(&flagged), [inner]);
        assert_eq!(left.len(), 2, "the leader and the supervisor");

        stop_leftovers(&mark, Signal::SIGTERM, LONG).unwrap();

        assert!(!supervised.is_empty());
        for pid in supervised {
            assert!(identify(pid).is_ok(), "what it supervised is left to it");
        }
    }
}

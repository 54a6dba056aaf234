//! What the tree of an instance uses of processor and memory, as `/proc` tells.
//!
//! Memory is what each process has resident, added up: pages that several of them share count for each, as
//! in ps(1). How the numbers are shown is left to others.

use super::{clock, process, tree};
use crate::registry::ProcessIdentity;
use nix::unistd::{SysconfVar, sysconf};
use std::{io, time::Duration};

/// Clock ticks a second and bytes a page, on the machines that say nothing else.
const TICKS_DEFAULT: u64 = 100;
const PAGE_DEFAULT: u64 = 4096;

/// What a tree used up to one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// When it was looked at, since boot.
    at: Duration,
    /// The start of its oldest process, since boot.
    since: Duration,
    /// Its resident memory.
    pub memory_bytes: u64,
    /// The processor time of each process.
    times: Vec<(ProcessIdentity, Duration)>,
}

impl Usage {
    /// Of all processes below that one, without those that are kept out and what is below them. `None` when
    /// there are none.
    pub fn below(root: i32, keep_out: &dyn Fn(i32) -> bool) -> io::Result<Option<Self>> {
        let found = tree::descendants(root, keep_out)?;
        let Some(oldest) = found.iter().map(|stat| stat.start).min() else { return Ok(None) };
        let pages: u64 = found.iter().map(|stat| stat.memory_pages).sum();
        let second = constant(SysconfVar::CLK_TCK, TICKS_DEFAULT);
        Ok(Some(Self {
            at: clock::since_boot(),
            since: ticks(oldest, second),
            memory_bytes: pages.saturating_mul(constant(SysconfVar::PAGE_SIZE, PAGE_DEFAULT)),
            times: found
                .iter()
                .map(|stat| (stat.identity(), ticks(stat.cpu_ticks, second)))
                .collect(),
        }))
    }

    /// The processor time of all of its processes.
    pub fn processor_time(&self) -> Duration {
        self.times.iter().map(|(_, time)| *time).sum()
    }

    /// How many processes it has.
    pub fn processes(&self) -> usize {
        self.times.len()
    }

    /// How much of one processor it used since the start of its oldest process, in percent.
    pub fn percent_since_start(&self) -> f64 {
        percent(self.processor_time(), self.at.saturating_sub(self.since))
    }

    /// The same since an earlier look. A process that came later counts with all that it has used.
    pub fn percent_since(&self, earlier: &Self) -> f64 {
        let before = |process: &ProcessIdentity| {
            let same = earlier.times.iter().find(|(other, _)| other == process);
            same.map_or(Duration::ZERO, |(_, time)| *time)
        };
        let used = self.times.iter().map(|(process, time)| time.saturating_sub(before(process)));
        percent(used.sum(), self.age_of(earlier))
    }

    /// How long before this look an earlier one was.
    pub fn age_of(&self, earlier: &Self) -> Duration {
        self.at.saturating_sub(earlier.at)
    }
}

/// How long a process has lived.
pub fn age(process: &ProcessIdentity) -> Duration {
    let second = constant(SysconfVar::CLK_TCK, TICKS_DEFAULT);
    clock::since_boot().saturating_sub(ticks(process.start, second))
}

/// The resident memory of this process, in bytes.
pub fn memory_of_self() -> u64 {
    let own = process::read_stat(nix::unistd::getpid().as_raw());
    let pages = own.map_or(0, |stat| stat.memory_pages);
    pages.saturating_mul(constant(SysconfVar::PAGE_SIZE, PAGE_DEFAULT))
}

fn percent(used: Duration, of: Duration) -> f64 {
    if of.is_zero() { 0.0 } else { 100.0 * used.as_secs_f64() / of.as_secs_f64() }
}

fn ticks(count: u64, second: u64) -> Duration {
    Duration::from_secs(count / second) + Duration::from_secs(1) * remainder(count, second) / 1000
}

/// The part of a second, in thousandths.
fn remainder(count: u64, second: u64) -> u32 {
    u32::try_from(count % second * 1000 / second).unwrap_or(0)
}

fn constant(name: SysconfVar, default: u64) -> u64 {
    let told = sysconf(name).ok().flatten().and_then(|value| u64::try_from(value).ok());
    told.filter(|value| *value > 0).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::test_process::{TestProcess, comes_true};

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn usage(at: u64, times: &[(i32, u64)]) -> Usage {
        let times = times
            .iter()
            .map(|(pid, time)| (ProcessIdentity { pid: *pid, start: 0 }, seconds(*time)));
        Usage { at: seconds(at), since: seconds(100), memory_bytes: 0, times: times.collect() }
    }

    #[test]
    fn time_is_set_against_the_time_that_went_by() {
        let (earlier, later) = (usage(110, &[(1, 4), (2, 6)]), usage(120, &[(1, 9), (3, 3)]));
        assert_eq!(earlier.percent_since_start().round(), 100.0);
        assert_eq!(later.percent_since_start().round(), 60.0);
        // One has ended, and takes nothing back; one is new.
        assert_eq!(later.percent_since(&earlier).round(), 80.0);
        assert_eq!(later.age_of(&earlier), seconds(10));
        assert_eq!(usage(100, &[(1, 4)]).percent_since_start(), 0.0);
    }

    #[test]
    fn ticks_become_time() {
        assert_eq!(ticks(250, 100), Duration::from_millis(2500));
        assert_eq!(ticks(1, 3), Duration::from_millis(333));
    }

    #[test]
    fn a_tree_uses_what_its_processes_use() {
        let mut root =
            TestProcess::shell("exec 3<&0; cat <&3 >/dev/null & echo $!; while :; do :; done");
        let cat = root.hear_pid();
        let own_pid: i32 = std::process::id().try_into().unwrap();
        let others = |pid: i32| pid != root.pid() && pid != cat;
        let look = || Usage::below(own_pid, &others).unwrap().unwrap();
        let first = look();
        assert_eq!(first.times.len(), 2);
        assert!(first.memory_bytes > 100_000, "{first:?}");
        assert!(comes_true(|| look().percent_since(&first) > 0.0));
        assert!(look().percent_since_start() > 0.0);
        assert_eq!(Usage::below(own_pid, &|_| true).unwrap(), None);
    }
}

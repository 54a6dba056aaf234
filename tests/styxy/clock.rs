//! A wall clock that is wrong: of one command alone, by a library that is loaded before all others.

use crate::sandbox::Sandbox;
use crate::sandbox::server_pid;
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// More seconds than any range is kept for that nobody uses.
pub(crate) const YEARS: i64 = 2 * 366 * 24 * 3600;
/// Moves `CLOCK_REALTIME` by so many seconds; no other clock.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    const char *shift = getenv("CLOCK_SHIFT");
    if (!failed && clock == CLOCK_REALTIME && shift) now->tv_sec += atol(shift);
    return failed;
}
"#;

/// The library, built.
pub(crate) struct Clock {
    library: PathBuf,
}

impl Clock {
    /// Builds it; where Rust can link, `cc` is there.
    pub(crate) fn build(sandbox: &Sandbox) -> Self {
        let (source, library) = (sandbox.root().join("clock.c"), sandbox.root().join("clock.so"));
        fs::write(&source, LIBRARY).expect("the sandbox can be written");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O", "-o"]).args([&library, &source]);
        let built = cc.output().expect("cc is there");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { library }
    }

    /// A command whose clock is so many seconds ahead, or behind.
    pub(crate) fn shift<'a>(&self, seconds: i64, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_PRELOAD", &self.library).env("CLOCK_SHIFT", seconds.to_string())
    }
}

#[test]
fn a_clock_that_jumps_by_years_gives_no_port_twice_and_takes_nothing_away() {
    let sandbox = Sandbox::with_config(|ports| {
        format!(
            "[service_types.web]\nrange = {}\n[service_types.solo]\nrange = {}\n\
             instance_behavior = \"single\"\n\
             [auto_allocation]\nmin_port = {}\nmax_port = {}\n",
            ports.range(0, 9),
            ports.range(10, 12),
            ports.port(20),
            ports.port(199)
        )
    });
    let clock = Clock::build(&sandbox);
    let start = |shift, words: &str| {
        let mut command = sandbox.styxy(words);
        clock.shift(shift, &mut command);
        sandbox.start_command(&format!("{shift} s: styxy {words}"), command)
    };
    let run = |shift, words: &str| start(shift, words).wait();
    let (future, past) = (YEARS, -YEARS);

    // The clock of one command is wrong, indeed.
    run(future, "allocate -t made-ahead -i a --ttl 1h").code(0);
    run(past, "allocate -t made-behind -i a --ttl 1h").code(0);
    let printed = sandbox.run("audit --json").code(0).stdout.clone();
    let ages: Vec<SignedDuration> = printed
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let time: Timestamp = line["time"].as_str().unwrap().parse().unwrap();
            Timestamp::now().duration_since(time)
        })
        .collect();
    let year = SignedDuration::from_hours(366 * 24);
    assert!(ages.iter().any(|age| *age > year) && ages.iter().any(|age| *age < -year), "{ages:?}");

    let ahead = start(future, "run -t solo -i rag -- child serve");
    let one = ahead.ready();
    let behind = start(past, "run -t web -i a -- child serve");
    let other = behind.ready();
    for shift in [past, 0, future] {
        // What is alive is alive, and what is reserved is reserved: their ages are told by the boot's clock.
        run(shift, "cleanup").code(0);
        run(shift, "run -t solo -i rag --if-running fail -- touch started").code(75);
        run(shift, "run -t web -i a --if-running fail -- touch started").code(75);
        let port = run(shift, "run -t web -i b -- echo {port}").code(0).port();
        assert!(port != one.port && port != other.port);
        // A range goes when nobody has used it for long; who holds a lease in it uses it.
        run(shift, "config consolidate").code(0);
        for name in ["made-ahead/a", "made-behind/a"] {
            run(shift, &format!("port {name}")).code(0);
        }
    }
    assert!(!sandbox.file("started").exists());
    assert_eq!((server_pid(one.port), server_pid(other.port)), (one.pid, other.pid));
    ahead.end(Signal::SIGTERM).code(143);
    behind.end(Signal::SIGTERM).code(143);
    let left: Vec<_> = sandbox.instances().iter().map(|one| one["type"].clone()).collect();
    assert_eq!(left, ["made-ahead", "made-behind"]);
}

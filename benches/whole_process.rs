//! Whole commands, timed side by side in one run: what styxy adds to a command, against what others add.
//!
//! `cargo bench` prints, for each command, the median wall time and the median of its ratios to the
//! yardstick of the same round: machines are shared and noisy, and a ratio of neighbours is not. The
//! commands take turns, so a slow second slows them all. Then: how a run slows down as leases become more, and
//! what a supervisor at rest costs.

#![expect(clippy::print_stdout, reason = "its report is what a benchmark is run for")]

use std::{
    ops::Range,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Rounds that count.
const ROUNDS: usize = 200;
/// Rounds before, that do not.
const WARM_UP: usize = 5;
/// Leases that are there while `run` and `allocate` are timed.
const LEASES: usize = 50;
/// Leases with which a run is timed again.
const MORE_LEASES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Rounds for each number of them.
const FEWER_ROUNDS: usize = 40;
/// Supervisors at rest whose memory is looked at.
const SUPERVISORS: usize = 10;
/// How long they rest meanwhile.
const REST: Duration = Duration::from_secs(10);

/// What is run again and again.
const RUN: &[&str] =
    &["run", "--type", "bench", "--id", "bench", "--quiet", "--ready", "none", "--", "true"];

/// What a shell asks when TAB is pressed behind `styxy stop`.
const TAB: &[&str] = &["completions", "bash", "--", "styxy", "stop", "bench/"];

struct Contender {
    name: &'static str,
    words: Vec<String>,
    times: Vec<Duration>,
}

fn main() {
    let place = tempfile::tempdir().expect("a directory for the state");
    let styxy = Styxy { program: env!("CARGO_BIN_EXE_styxy").to_owned(), place: place.path() };
    styxy.configure();
    side_by_side(&styxy);
    growth(&styxy);
    at_rest(&styxy);
}

fn side_by_side(styxy: &Styxy<'_>) {
    styxy.seed(0..LEASES);
    let lock = styxy.place.join("flock").to_string_lossy().into_owned();
    let mut contenders = [
        Contender::new("true", &["true"]),
        Contender::new("flock FILE true", &["flock", &lock, "true"]),
        Contender::new("styxy --version", &[&styxy.program, "--version"]),
        Contender::new("styxy run --ready none -- true", &[&[&*styxy.program], RUN].concat()),
        Contender::new("styxy allocate", &[&styxy.program, "allocate", "-t", "bench", "-i", "id"]),
        Contender::new("styxy completions (a TAB)", &[&[&*styxy.program], TAB].concat()),
    ];
    styxy.take_turns(&mut contenders, ROUNDS);
    println!("{:32} {:>10} {:>10} {:>12}", "command", "median ms", "x true", "x flock");
    for contender in &contenders {
        let ratio = |yardstick: usize| median_ratio(contender, &contenders[yardstick]);
        let name = contender.name;
        println!("{name:32} {:>10.2} {:>10.2} {:>12.2}", contender.median_ms(), ratio(0), ratio(1));
    }
}

/// The same run with ever more leases, each time beside `true`, so that a slower hour is no growth.
fn growth(styxy: &Styxy<'_>) {
    println!("\n{:>8} {:>16} {:>10}", "leases", "run: median ms", "x true");
    let mut have = LEASES;
    for leases in MORE_LEASES {
        styxy.seed(have..leases);
        let surplus = leases..have.max(leases);
        styxy.release(surplus);
        have = leases;
        let mut contenders = [
            Contender::new("true", &["true"]),
            Contender::new("run", &[&[&*styxy.program], RUN].concat()),
        ];
        styxy.take_turns(&mut contenders, FEWER_ROUNDS);
        let [yardstick, run] = &contenders;
        println!("{leases:>8} {:>16.2} {:>10.2}", run.median_ms(), median_ratio(run, yardstick));
    }
}

/// Private and resident memory of supervisors that wait for their command, and how often they woke up.
fn at_rest(styxy: &Styxy<'_>) {
    let mut supervisors: Vec<_> = (0..SUPERVISORS)
        .map(|number| {
            let id = format!("rest{number}");
            let words =
                ["run", "-q", "-t", "bench", "--ready", "none", "-i", &id, "--", "sleep", "1000"];
            styxy.command(&words).spawn().expect("a supervisor")
        })
        .collect();
    // They give memory back once they have rested for a moment.
    rest(REST / 5);
    let before = wakes(&supervisors);
    rest(REST);
    let woken = wakes(&supervisors) - before;
    let mean = |fields: &[&str]| {
        let all: u64 = supervisors.iter().map(|child| kilobytes(child.id(), fields)).sum();
        all / SUPERVISORS as u64
    };
    println!(
        "\na supervisor at rest: {} kB private, {} kB resident, {woken} wake-ups of {SUPERVISORS} in {} s",
        mean(&["Private_Clean:", "Private_Dirty:"]),
        mean(&["Rss:"]),
        REST.as_secs()
    );
    let stopped = styxy.command(&["stop", "--all"]).status();
    assert!(stopped.is_ok_and(|status| status.success()), "they could not be stopped");
    for supervisor in &mut supervisors {
        supervisor.wait().expect("its end");
    }
}

#[expect(clippy::disallowed_methods, reason = "what happens meanwhile is measured")]
fn rest(time: Duration) {
    std::thread::sleep(time);
}

fn kilobytes(pid: u32, fields: &[&str]) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("its memory");
    let values = text.lines().filter_map(|line| {
        let (field, value) = line.split_once(char::is_whitespace)?;
        fields.contains(&field).then(|| value.trim().trim_end_matches(" kB").parse::<u64>().ok())?
    });
    values.sum()
}

fn wakes(supervisors: &[std::process::Child]) -> u64 {
    let voluntary = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse::<u64>().ok()).expect("a count")
    };
    supervisors.iter().map(|child| voluntary(child.id())).sum()
}

/// The program, and the directory that everything of this benchmark lies in.
struct Styxy<'a> {
    program: String,
    place: &'a Path,
}

impl Styxy<'_> {
    fn configure(&self) {
        let folder = self.place.join("config/styxy");
        std::fs::create_dir_all(&folder).expect("a directory for the configuration");
        let range = "[service_types.bench]\nrange = [10000, 29999]\n";
        std::fs::write(folder.join("config.toml"), range).expect("a configuration");
    }

    /// As many leases as a machine in use has, or more.
    fn seed(&self, numbers: Range<usize>) {
        for number in numbers {
            self.timed(&[&self.program, "allocate", "-t", "bench", "-i", &format!("seed{number}")]);
        }
    }

    fn release(&self, numbers: Range<usize>) {
        for number in numbers {
            self.timed(&[&self.program, "release", &format!("bench/seed{number}")]);
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        self.in_place(Command::new(&self.program), words)
    }

    fn in_place(&self, mut command: Command, words: &[&str]) -> Command {
        command.args(words).current_dir(self.place);
        command.env("STYXY_STATE_DIR", self.place.join("state"));
        command.env("XDG_CONFIG_HOME", self.place.join("config"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn timed(&self, words: &[&str]) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
        let now = Instant::now;
        let mut command = self.in_place(Command::new(words[0]), &words[1..]);
        let began = now();
        let status = command.status();
        let time = began.elapsed();
        assert!(status.is_ok_and(|status| status.success()), "{words:?} failed");
        time
    }

    /// One of each in turn, so many rounds.
    fn take_turns(&self, contenders: &mut [Contender], rounds: usize) {
        for round in 0..WARM_UP + rounds {
            for contender in &mut *contenders {
                let words: Vec<&str> = contender.words.iter().map(String::as_str).collect();
                let time = self.timed(&words);
                if round >= WARM_UP {
                    contender.times.push(time);
                }
            }
        }
    }
}

impl Contender {
    fn new(name: &'static str, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { name, words, times: Vec::new() }
    }

    fn median_ms(&self) -> f64 {
        median(self.times.iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }
}

/// The median of the ratios of neighbours.
fn median_ratio(contender: &Contender, yardstick: &Contender) -> f64 {
    let pairs = contender.times.iter().zip(&yardstick.times);
    median(pairs.map(|(time, base)| time.as_secs_f64() / base.as_secs_f64()).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

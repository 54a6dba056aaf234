//! Whole commands, timed side by side in one run: what styxy adds to a command, against what others add.
//!
//! `cargo bench` prints, for each command, the median wall time and the median of its ratios to the
//! yardstick of the same round: machines are shared and noisy, and a ratio of neighbours is not. The
//! commands take turns, so a slow second slows them all.

use std::{
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

struct Contender {
    name: &'static str,
    words: Vec<String>,
    times: Vec<Duration>,
}

fn main() {
    let place = tempfile::tempdir().expect("a directory for the state");
    let styxy = env!("CARGO_BIN_EXE_styxy").to_owned();
    seed(&styxy, place.path());
    let lock = place.path().join("flock").to_string_lossy().into_owned();
    let word = |text: &str| text.to_owned();
    let contender = |name, words: &[&str]| Contender {
        name,
        words: words.iter().map(|text| word(text)).collect(),
        times: Vec::new(),
    };
    let run =
        ["run", "--type", "bench", "--id", "bench", "--quiet", "--ready", "none", "--", "true"];
    let mut contenders = [
        contender("true", &["true"]),
        contender("flock FILE true", &["flock", &lock, "true"]),
        contender("styxy --version", &[&styxy, "--version"]),
        contender("styxy run --ready none -- true", &[&[&*styxy], &run[..]].concat()),
        contender("styxy allocate", &[&styxy, "allocate", "--type", "bench", "--id", "again"]),
    ];
    for round in 0..WARM_UP + ROUNDS {
        for contender in &mut contenders {
            let time = timed(&contender.words, place.path());
            if round >= WARM_UP {
                contender.times.push(time);
            }
        }
    }
    report(&contenders);
}

/// Fills a state with leases, as a machine in use has them.
fn seed(styxy: &str, state: &Path) {
    std::fs::create_dir_all(state.join("config/styxy")).expect("a directory for the configuration");
    std::fs::write(
        state.join("config/styxy/config.toml"),
        "[service_types.bench]\nrange = [20000, 29999]\n",
    )
    .expect("a configuration");
    for number in 0..LEASES {
        let words = ["allocate", "--type", "bench", "--id", &format!("seed{number}")];
        let words: Vec<String> = std::iter::once(styxy).chain(words).map(str::to_owned).collect();
        timed(&words, state);
    }
}

fn timed(words: &[String], state: &Path) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
    let now = Instant::now;
    let began = now();
    let status = Command::new(&words[0])
        .args(&words[1..])
        .env("STYXY_STATE_DIR", state.join("state"))
        .env("XDG_CONFIG_HOME", state.join("config"))
        .current_dir(state)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let time = began.elapsed();
    assert!(status.is_ok_and(|status| status.success()), "{words:?} failed");
    time
}

#[expect(clippy::print_stdout, reason = "its report is what a benchmark is run for")]
fn report(contenders: &[Contender]) {
    let yardsticks = &contenders[..2];
    println!("{:32} {:>10} {:>10} {:>12}", "command", "median ms", "x true", "x flock");
    for contender in contenders {
        let ratios: Vec<f64> = yardsticks
            .iter()
            .map(|yardstick| {
                let pairs = contender.times.iter().zip(&yardstick.times);
                median(pairs.map(|(time, base)| time.as_secs_f64() / base.as_secs_f64()).collect())
            })
            .collect();
        let wall = median(contender.times.iter().map(Duration::as_secs_f64).collect());
        println!(
            "{:32} {:>10.2} {:>10.2} {:>12.2}",
            contender.name,
            wall * 1e3,
            ratios[0],
            ratios[1]
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

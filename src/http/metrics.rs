//! Metrics as Prometheus reads them: gauges of what is, counters of what the audit log tells.
//!
//! Pure. Counters count what every styxy process did, and are the same after `serve` was started again.

use crate::{
    operations::{
        audit::Entry,
        view::{TypeView, View},
    },
    registry::{Action, Phase},
};
use std::{collections::BTreeMap, fmt::Write};

/// So many types have counters of their own; the others are counted together.
const TYPES_MAX: usize = 200;
/// What they are called together; no type's name begins so.
const OTHERS: &str = "(others)";
/// Seconds: a lock is free in microseconds, or held for long.
const SHORT: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0,
];
/// Seconds: from a small server to one that builds first.
const LONG: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// What was counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    events: BTreeMap<(&'static str, String), u64>,
    restarts: BTreeMap<String, u64>,
    lock_wait: Histogram,
    transaction: Histogram,
    ready: Histogram,
    /// Of which transaction the last line was: its time and process.
    last: Option<(String, i32)>,
}

/// How many were how large.
#[derive(Debug, Clone, Default)]
struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: f64,
}

impl Histogram {
    fn add(&mut self, bounds: &[f64], value: f64) {
        self.counts.resize(bounds.len(), 0);
        let fitting = self.counts.iter_mut().zip(bounds).filter(|(_, bound)| value <= **bound);
        fitting.for_each(|(count, _)| *count += 1);
        self.count += 1;
        self.sum += value;
    }
}

impl Tally {
    /// Counts one line of the log.
    pub(super) fn add(&mut self, entry: &Entry) {
        let kind = entry.r#type.as_deref().unwrap_or_default();
        let known = self.events.keys().any(|(_, known)| known == kind);
        let types =
            || self.events.keys().map(|(_, kind)| kind).collect::<std::collections::BTreeSet<_>>();
        let kind = if known || types().len() < TYPES_MAX { kind } else { OTHERS }.to_owned();
        *self.events.entry((entry.action.word(), kind.clone())).or_default() += 1;
        if let Some(restarts) = entry.restarts.filter(|restarts| *restarts > 0) {
            *self.restarts.entry(kind).or_default() += u64::from(restarts);
        }
        if let Some(Some(ready)) = entry.ready_ms {
            self.ready.add(LONG, seconds(u128::from(ready) * 1000));
        }
        // One transaction may have several lines.
        let transaction = (entry.time.clone().into_owned(), entry.pid);
        if self.last.as_ref() != Some(&transaction) {
            self.lock_wait.add(SHORT, seconds(entry.lock_wait_us));
            self.transaction.add(SHORT, seconds(entry.transaction_us));
            self.last = Some(transaction);
        }
    }
}

fn seconds(microseconds: u128) -> f64 {
    // A transaction that takes longer than 2^52 µs is not measured.
    u32::try_from(microseconds).map_or(f64::from(u32::MAX), f64::from) / 1e6
}

/// What is at the moment.
pub(super) struct Scene<'a> {
    /// Every instance.
    pub(super) instances: &'a [View],
    /// Every type.
    pub(super) types: &'a [TypeView],
    /// How long the server serves, in seconds.
    pub(super) uptime: f64,
}

/// The counters, each with the action that it counts.
const COUNTERS: &[(&str, &[Action], &str)] = &[
    ("allocations", &[Action::Allocate], "Leases that were given out."),
    ("attaches", &[Action::Attach], "Commands that joined a running instance."),
    ("blocked", &[Action::Blocked], "Commands that were told to stay away."),
    ("releases", &[Action::Release], "Leases that ended."),
    ("reclaims", &[Action::Reclaim], "Leases of dead holders that were collected."),
    ("exhausted", &[Action::Exhausted], "Times that a range had no free port."),
    (
        "ranges_made",
        &[Action::RangeCreate, Action::RangeGrow],
        "Automatic ranges that were made or grown.",
    ),
    (
        "ranges_given_back",
        &[Action::RangeUndo, Action::RangeRetire],
        "Automatic ranges that were given back.",
    ),
    ("config_changes", &[Action::ConfigSet], "Settings that were changed."),
];

/// All of it, as text.
pub(super) fn render(tally: &Tally, scene: &Scene<'_>) -> String {
    let mut page = Page::default();
    page.head("build_info", "gauge", "The version that serves.");
    page.line("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    page.head("serve_uptime_seconds", "gauge", "How long this server serves.");
    page.line("serve_uptime_seconds", &[], scene.uptime);
    gauges(&mut page, scene);
    for (name, actions, help) in COUNTERS {
        let name = format!("{name}_total");
        page.head(&name, "counter", help);
        let mut by_type: BTreeMap<&str, u64> = BTreeMap::new();
        for ((action, kind), count) in &tally.events {
            if actions.iter().any(|wanted| wanted.word() == *action) {
                *by_type.entry(kind).or_default() += count;
            }
        }
        if by_type.is_empty() {
            page.line(&name, &[("type", "")], 0.0);
        }
        by_type.iter().for_each(|(kind, count)| page.line(&name, &[("type", kind)], whole(*count)));
    }
    page.head(
        "restarts_total",
        "counter",
        "Starts after the first one, of instances that have ended.",
    );
    if tally.restarts.is_empty() {
        page.line("restarts_total", &[("type", "")], 0.0);
    }
    for (kind, count) in &tally.restarts {
        page.line("restarts_total", &[("type", kind)], whole(*count));
    }
    page.histogram(
        "lock_wait_seconds",
        "How long transactions waited for the state lock.",
        SHORT,
        &tally.lock_wait,
    );
    page.histogram(
        "transaction_seconds",
        "How long transactions held the state lock.",
        SHORT,
        &tally.transaction,
    );
    page.histogram("ready_seconds", "How long instances took to get ready.", LONG, &tally.ready);
    page.0
}

fn gauges(page: &mut Page, scene: &Scene<'_>) {
    let mut leases: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for view in scene.instances {
        *leases.entry((&view.r#type, phase_word(view.phase))).or_default() += 1;
    }
    page.head("leases", "gauge", "Leases by type and phase.");
    if leases.is_empty() {
        page.line("leases", &[("type", ""), ("phase", "")], 0.0);
    }
    for ((kind, phase), count) in leases {
        page.line("leases", &[("type", kind), ("phase", phase)], whole(count));
    }
    page.head("range_ports", "gauge", "Ports that a type's ranges have.");
    for view in scene.types {
        let size = u32::try_from(view.leased + view.free).unwrap_or(u32::MAX);
        page.line("range_ports", &[("type", &view.name)], f64::from(size));
    }
    page.head("range_ports_leased", "gauge", "Ports of a type's ranges that have a lease.");
    for view in scene.types {
        let leased = u32::try_from(view.leased).unwrap_or(u32::MAX);
        page.line("range_ports_leased", &[("type", &view.name)], f64::from(leased));
    }
}

/// The word for a phase, as in JSON.
fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Reserved => "reserved",
        Phase::Starting => "starting",
        Phase::Ready => "ready",
        Phase::Unhealthy => "unhealthy",
        Phase::Backoff => "backoff",
        Phase::Stopping => "stopping",
        Phase::Stuck => "stuck",
    }
}

fn whole(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// The text in the making.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP styxy_{name} {help}\n# TYPE styxy_{name} {kind}\n"));
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.write(format_args!("styxy_{name}{labels} {value}\n"));
    }

    fn histogram(&mut self, name: &str, help: &str, bounds: &[f64], histogram: &Histogram) {
        self.head(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (place, bound) in bounds.iter().enumerate() {
            let count = histogram.counts.get(place).copied().unwrap_or_default();
            self.line(&bucket, &[("le", &bound.to_string())], whole(count));
        }
        self.line(&bucket, &[("le", "+Inf")], whole(histogram.count));
        self.line(&format!("{name}_sum"), &[], histogram.sum);
        self.line(&format!("{name}_count"), &[], whole(histogram.count));
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a text takes whatever is written to it");
    }
}

/// A label's value as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: Action, kind: &str, time: &str) -> Entry {
        Entry {
            r#type: Some(kind.to_owned().into()),
            lock_wait_us: 300,
            transaction_us: 700,
            restarts: Some(2),
            ready_ms: Some(Some(400)),
            ..Entry::sample(time, action)
        }
    }

    const EMPTY: Scene<'_> = Scene { instances: &[], types: &[], uptime: 1.5 };

    #[test]
    fn lines_are_counted_and_a_transaction_once() {
        let mut tally = Tally::default();
        tally.add(&entry(Action::Allocate, "ai", "t1"));
        tally.add(&entry(Action::Release, "ai", "t1"));
        tally.add(&entry(Action::Allocate, "dev", "t2"));
        let page = render(&tally, &EMPTY);
        for line in [
            "styxy_allocations_total{type=\"ai\"} 1",
            "styxy_allocations_total{type=\"dev\"} 1",
            "styxy_releases_total{type=\"ai\"} 1",
            "styxy_restarts_total{type=\"ai\"} 4",
            "styxy_transaction_seconds_count 2",
            "styxy_transaction_seconds_bucket{le=\"0.0005\"} 0",
            "styxy_transaction_seconds_bucket{le=\"0.001\"} 2",
            "styxy_lock_wait_seconds_bucket{le=\"0.0005\"} 2",
            "styxy_ready_seconds_bucket{le=\"0.5\"} 3",
            "styxy_ready_seconds_bucket{le=\"+Inf\"} 3",
            "styxy_serve_uptime_seconds 1.5",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn types_without_end_make_no_series_without_end() {
        let mut tally = Tally::default();
        for number in 0..3 * TYPES_MAX {
            tally.add(&entry(Action::Allocate, &format!("type-{number}"), "t"));
        }
        let page = render(&tally, &EMPTY);
        let series = page.lines().filter(|line| line.starts_with("styxy_allocations_total{"));
        assert_eq!(series.count(), TYPES_MAX + 1);
        let others = format!("styxy_allocations_total{{type=\"{OTHERS}\"}} {}", 2 * TYPES_MAX);
        assert!(page.contains(&others));
    }

    #[test]
    fn every_series_has_its_help_and_its_type() {
        let page = render(&Tally::default(), &EMPTY);
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let named = |name: &str| page.contains(&format!("# TYPE {name} "));
            assert!(named(name) || base.is_some_and(named), "{line}");
        }
    }

    #[test]
    fn a_label_cannot_break_out() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}

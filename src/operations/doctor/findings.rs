//! What is wrong, and what to do about it, by what was found on a machine.
//!
//! Pure. Looking at the machine is `doctor`'s own business; the state directory has a file of its own.

use super::{
    engines::Reached,
    state_directory::{self, Directory},
};
use crate::ports::{Port, Range};
use serde::Serialize;

/// More names than these in one sentence are not read.
const NAMES_MAX: usize = 8;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something does not work, or a promise does not hold.
    Error,
    /// Something will not work, or does not work as it could.
    Warning,
    /// Good to know; nobody has to do anything.
    Info,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    pub(super) fn new(level: Level, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level, message: message.into(), hint: Some(hint.into()) }
    }

    /// Whether somebody has to do something.
    pub fn needs_a_person(&self) -> bool {
        self.level != Level::Info
    }
}

/// A failure on the way of looking, as its command would have told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// All that was found; a part that could not be looked at is empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Why the configuration, the state directory or the registry cannot be used.
    pub(super) troubles: Vec<Trouble>,
    /// What was said on the way: a file that was passed over, a registry that was rebuilt.
    pub(super) notices: Vec<String>,
    pub(super) kernel: Kernel,
    pub(super) directory: Option<Directory>,
    pub(super) ports: Ports,
    /// Every lease.
    pub(super) leases: Vec<Leased>,
    /// The container engines whose command lines are there.
    pub(super) engines: Vec<Reached>,
    /// Run files that belong to no lease and to nobody alive.
    pub(super) litter: usize,
}

/// The kernel.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    /// `Linux 6.1.0`.
    pub(super) release: String,
    pub(super) has_pidfds: bool,
    pub(super) tells_listeners: bool,
    pub(super) has_ipv6: bool,
}

impl Default for Kernel {
    fn default() -> Self {
        let release = String::new();
        Self { release, has_pidfds: true, tells_listeners: true, has_ipv6: true }
    }
}

/// Ports that the kernel gives out, and ranges of types.
#[derive(Debug, Clone, Default)]
pub(super) struct Ports {
    /// The kernel's choice for outgoing connections.
    pub(super) ephemeral: Option<Range>,
    /// What it spares of them.
    pub(super) spared: Vec<Range>,
    /// Types and their ranges.
    pub(super) ranges: Vec<(String, Range)>,
}

/// A lease, and what is behind it.
#[derive(Debug, Clone)]
pub(super) struct Leased {
    pub(super) name: String,
    pub(super) port: Port,
    pub(super) state: LeaseState,
    /// Who else listens on its ports.
    pub(super) strangers: Vec<(Port, String)>,
}

/// What is behind a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LeaseState {
    Alive,
    /// Its holder is gone without a trace.
    Stale,
    /// Its supervisor is dead, and these processes of it are not.
    Leftovers(Vec<i32>),
    /// The same, after a KILL.
    Stuck(Vec<i32>),
}

/// What is to be said of it, the worst first.
pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let troubles = facts.troubles.iter().map(|trouble| Finding {
        level: Level::Error,
        message: trouble.message.clone(),
        hint: trouble.hint.clone(),
    });
    let notices = facts.notices.iter();
    let notices =
        notices.map(|said| Finding { level: Level::Info, message: said.clone(), hint: None });
    let mut found: Vec<Finding> = troubles.chain(notices).collect();
    found.extend(of_kernel(&facts.kernel));
    if let Some(directory) = &facts.directory {
        found.extend(state_directory::findings(directory));
    }
    found.extend(of_ports(&facts.ports));
    found.extend(facts.leases.iter().flat_map(of_lease));
    found.extend(of_stale(&facts.leases));
    found.extend(facts.engines.iter().map(of_engine));
    if facts.litter > 0 {
        found.push(Finding::new(
            Level::Info,
            format!("run files of {} ended instances are left", facts.litter),
            "`styxy cleanup` removes them",
        ));
    }
    found.sort_by_key(|finding| finding.level);
    found
}

fn of_kernel(kernel: &Kernel) -> Vec<Finding> {
    let mut found = Vec::new();
    if !kernel.has_pidfds {
        found.push(Finding::new(
            Level::Error,
            format!(
                "{} gives no handles for processes (pidfd): nothing can be stopped safely",
                kernel.release
            ),
            "use Linux 5.3 or newer; in a container, allow pidfd_open and pidfd_send_signal",
        ));
    }
    if !kernel.tells_listeners {
        found.push(Finding::new(
            Level::Error,
            format!(
                "{} does not tell who listens on a port (sock_diag): no instance gets ready \
                 by tcp or http",
                kernel.release
            ),
            "load the module tcp_diag, or say --ready exec:CMD",
        ));
    }
    if !kernel.has_ipv6 {
        found.push(Finding {
            level: Level::Info,
            message: "IPv6 is off: ports are reserved on IPv4 alone".to_owned(),
            hint: None,
        });
    }
    found
}

fn of_ports(ports: &Ports) -> Option<Finding> {
    let ephemeral = ports.ephemeral?;
    let is_in_danger = |range: Range| {
        range.overlaps(ephemeral)
            && range.ports().any(|port| {
                ephemeral.contains(port) && !ports.spared.iter().any(|spared| spared.contains(port))
            })
    };
    let inside: Vec<String> = ports
        .ranges
        .iter()
        .filter(|(_, range)| is_in_danger(*range))
        .map(|(service_type, range)| format!("{service_type} ({range})"))
        .collect();
    (!inside.is_empty()).then(|| {
        Finding::new(
            Level::Warning,
            format!(
                "from {ephemeral} the kernel takes ports for outgoing connections, and may take \
                 those of {}",
                listed(&inside)
            ),
            "move these ranges, or spare them: sysctl \
             net.ipv4.ip_local_reserved_ports=FIRST-LAST,...",
        )
    })
}

fn of_lease(lease: &Leased) -> Vec<Finding> {
    let Leased { name, port, state, strangers } = lease;
    let pids =
        |pids: &[i32]| listed(&pids.iter().map(|pid| format!("pid {pid}")).collect::<Vec<_>>());
    let mut found: Vec<Finding> = strangers
        .iter()
        .map(|(port, who)| {
            Finding::new(
                Level::Error,
                format!(
                    "port {port} is leased by {name}, and {who} listens on it, which is no \
                     part of {name}"
                ),
                format!("end that program, or start {name} again on another port"),
            )
        })
        .collect();
    match state {
        LeaseState::Alive | LeaseState::Stale => {}
        LeaseState::Leftovers(left) if left.is_empty() => found.push(Finding::new(
            Level::Warning,
            format!(
                "the supervisor of {name} was killed, and its container may live on; port {port} \
                 stays taken"
            ),
            "`styxy cleanup` stops it; so does the next run of it",
        )),
        LeaseState::Stuck(left) if left.is_empty() => found.push(Finding::new(
            Level::Error,
            format!("the container of {name} could not be ended, or its engine did not say so; port {port} stays taken"),
            "see to the engine, then `styxy cleanup`",
        )),
        LeaseState::Leftovers(left) => found.push(Finding::new(
            Level::Warning,
            format!(
                "the supervisor of {name} was killed, and what it ran lives on ({}); port \
                 {port} stays taken",
                pids(left)
            ),
            "`styxy cleanup` stops it; so does the next run of it",
        )),
        LeaseState::Stuck(left) => found.push(Finding::new(
            Level::Error,
            format!("{name} survived KILL ({}); port {port} stays taken", pids(left)),
            "such a process waits in the kernel for a device or a network file system: see to \
             that, then `styxy cleanup`",
        )),
    }
    found
}

fn of_stale(leases: &[Leased]) -> Option<Finding> {
    let stale = leases.iter().filter(|lease| lease.state == LeaseState::Stale);
    let names: Vec<String> =
        stale.map(|lease| format!("{} ({})", lease.name, lease.port)).collect();
    (!names.is_empty()).then(|| {
        Finding::new(
            Level::Info,
            format!("leases whose holders are gone: {}", listed(&names)),
            "the next command that leases a port collects them; so does `styxy cleanup`",
        )
    })
}

/// An engine that answers is good to know; one that does not is only a fault where an instance needs it.
fn of_engine(reached: &Reached) -> Finding {
    let Reached { engine, silence, instances } = reached;
    match silence {
        None => {
            Finding { level: Level::Info, message: format!("{engine} can be reached"), hint: None }
        }
        Some(why) if instances.is_empty() => Finding {
            level: Level::Info,
            message: format!("{engine} is installed, and cannot be reached: {why}"),
            hint: None,
        },
        Some(why) => Finding::new(
            Level::Error,
            format!(
                "{engine} cannot be reached, so it is unknown how the containers of {} are: {why}",
                listed(instances)
            ),
            format!("start {engine}, or say where it is as when they were started"),
        ),
    }
}

/// The first few, and how many more there are.
fn listed(names: &[String]) -> String {
    let (first, rest) = names.split_at(names.len().min(NAMES_MAX));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    first.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(state: LeaseState, strangers: &[(u16, &str)]) -> Facts {
        let strangers =
            strangers.iter().map(|(port, who)| (Port::known(*port), (*who).to_owned())).collect();
        let (name, port) = ("dev/web@shop".to_owned(), Port::known(3000));
        Facts { leases: vec![Leased { name, port, state, strangers }], ..Facts::default() }
    }

    /// These facts are told by one finding of the level, whose message has all of these texts; by none when
    /// there are no texts.
    #[track_caller]
    fn check(facts: &Facts, level: Level, texts: &[&str]) {
        let found = findings(facts);
        assert_eq!(found.len(), usize::from(!texts.is_empty()), "{found:#?}");
        for finding in found {
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(texts.iter().all(|text| finding.message.contains(text)), "{finding:?}");
        }
    }

    #[test]
    fn a_healthy_machine_is_told_nothing() {
        check(&Facts::default(), Level::Info, &[]);
        check(&lease(LeaseState::Alive, &[]), Level::Info, &[]);
    }

    #[test]
    fn an_engine_is_told_and_is_a_fault_only_where_it_is_needed() {
        let engine = |silence: Option<&str>, instances: &[&str]| Facts {
            engines: vec![Reached {
                engine: "docker".to_owned(),
                silence: silence.map(str::to_owned),
                instances: instances.iter().map(|&name| name.to_owned()).collect(),
            }],
            ..Facts::default()
        };
        check(&engine(None, &["database/pg"]), Level::Info, &["docker can be reached"]);
        check(&engine(Some("no daemon"), &[]), Level::Info, &["cannot be reached: no daemon"]);
        let texts = ["docker cannot be reached", "database/pg", "no daemon"];
        check(&engine(Some("no daemon"), &["database/pg"]), Level::Error, &texts);
    }

    #[test]
    fn ranges_in_the_ephemeral_range_are_told_unless_they_are_spared() {
        let ports = |ranges: &[(u16, u16)], spared: &[(u16, u16)]| {
            let range = |(first, last): &(u16, u16)| Range::known(*first, *last);
            Facts {
                ports: Ports {
                    ephemeral: Some(Range::known(32768, 60999)),
                    spared: spared.iter().map(range).collect(),
                    ranges: ranges.iter().map(|it| ("x".to_owned(), range(it))).collect(),
                },
                ..Facts::default()
            }
        };
        check(&ports(&[(3000, 3099), (61000, 61009)], &[]), Level::Info, &[]);
        let said = ["32768-60999", "x (40000-40009)"];
        check(&ports(&[(40000, 40009)], &[]), Level::Warning, &said);
        check(&ports(&[(40000, 40009), (3000, 3001)], &[(40000, 40008)]), Level::Warning, &said);
        check(&ports(&[(40000, 40009)], &[(40000, 40004), (40005, 40010)]), Level::Info, &[]);
        // Only what lies inside has to be spared.
        check(&ports(&[(60990, 61010)], &[(60990, 60999)]), Level::Info, &[]);
    }

    #[test]
    fn leases_without_their_instances_are_told() {
        for (state, strangers, level, texts) in [
            (LeaseState::Stale, &[][..], Level::Info, ["dev/web@shop (3000)", "gone"]),
            (LeaseState::Leftovers(vec![7, 8]), &[], Level::Warning, ["pid 7, pid 8", "killed"]),
            (LeaseState::Stuck(vec![7]), &[], Level::Error, ["pid 7", "survived KILL"]),
            (
                LeaseState::Alive,
                &[(3001, "nginx (pid 8)")],
                Level::Error,
                ["port 3001", "nginx (pid 8)"],
            ),
        ] {
            check(&lease(state, strangers), level, &texts);
        }
    }

    #[test]
    fn a_kernel_that_lacks_something_is_told() {
        let facts = |kernel| Facts { kernel, ..Facts::default() };
        let lacking = Kernel { release: "Linux 4.9".to_owned(), ..Kernel::default() };
        let no_pidfds = Kernel { has_pidfds: false, ..lacking.clone() };
        check(&facts(no_pidfds), Level::Error, &["Linux 4.9", "pidfd"]);
        let mute = Kernel { tells_listeners: false, ..lacking };
        check(&facts(mute), Level::Error, &["Linux 4.9", "sock_diag"]);
        let old = Kernel { has_ipv6: false, ..Kernel::default() };
        check(&facts(old), Level::Info, &["IPv6 is off"]);
    }

    #[test]
    fn the_worst_comes_first() {
        let trouble = Trouble { message: "broken".to_owned(), hint: None };
        let facts = Facts {
            notices: vec!["passed over".to_owned()],
            troubles: vec![trouble],
            litter: 2,
            ..lease(LeaseState::Leftovers(vec![1]), &[])
        };
        let levels: Vec<Level> = findings(&facts).iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Error, Level::Warning, Level::Info, Level::Info]);
        assert!(!findings(&facts)[2].needs_a_person() && findings(&facts)[1].needs_a_person());
    }

    #[test]
    fn of_many_names_the_first_few_are_said() {
        let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(listed(&names), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        assert_eq!(listed(&names[..2]), "0, 1");
    }
}

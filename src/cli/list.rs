//! `styxy list`: all instances as a table, once or again with each change.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::operations::{Error, Host, list::Earlier, view::View, watch::Woken};
use jiff::Timestamp;
use serde_json::Value;
use std::{io::IsTerminal, time::Duration};

/// An id is as long as engines show it.
const ID_SHOWN: usize = 12;
/// Clears the screen, once: what is drawn afterwards replaces it line by line, and nothing flickers.
const CLEAR: &str = "\u{1b}[2J";
/// To the upper left corner.
const HOME: &str = "\u{1b}[H";
/// Clears what an older line had more.
const END_LINE: &str = "\u{1b}[K\r\n";
/// Clears all below.
const END_SCREEN: &str = "\u{1b}[J";
/// What is said of an empty list.
const NOTHING: &str = "nothing runs, and nothing is reserved";
/// Each is 1024 of the one before.
const MEMORY_UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/// List all instances
///
/// Those that run and those that are reserved, with their ports. Ages count from the first start. CPU
/// is how much of one processor the whole tree used since its start, with --watch since the look
/// before; MEMORY is what its processes have resident, added up: shared pages count for each. USER is
/// there when one of them is somebody else's, which only that user or root stops.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Show it again with each change, until Ctrl-C; at a terminal every two seconds too
    #[arg(short, long)]
    watch: bool,
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        if self.watch {
            return watch(&host, session);
        }
        let instances = host.list(&|sentence| session.tell(sentence))?;
        if session.json {
            output::json(&instances)?;
        } else if instances.instances.is_empty() {
            session.say(NOTHING);
        } else {
            output::print(&fitting(&instances.instances))?;
        }
        Ok(0)
    }
}

/// A terminal is drawn anew each time; a pipe or a file gets what is new.
fn watch(host: &Host, session: &Session) -> Result<i32, Error> {
    let watch = host.watch()?;
    let draws = std::io::stdout().is_terminal() && !session.json;
    let mut before: Option<Vec<View>> = None;
    let mut earlier = Earlier::default();
    if draws {
        output::print_bytes(CLEAR.as_bytes())?;
    }
    loop {
        let now = host.list_again(&mut earlier, &|sentence| session.tell(sentence))?;
        // What it uses is never the same: that alone is no news to who reads a log of it.
        let lasting = lasting(&now.instances);
        let is_new = before.as_ref() != Some(&lasting);
        if draws {
            output::print(&screen(&fitting(&now.instances), output::height()))?;
        } else if is_new && session.json {
            output::json(&now)?;
        } else if is_new {
            output::print(&shown(&now.instances, Timestamp::now(), Links::Shown))?;
        }
        before = Some(lasting);
        if let Woken::Interrupted(code) = watch.wait()? {
            return Ok(code);
        }
    }
}

fn lasting(instances: &[View]) -> Vec<View> {
    let without = |view: &View| View { cpu_percent: None, memory_bytes: None, ..view.clone() };
    instances.iter().map(without).collect()
}

/// The table as the terminal has place for it.
fn fitting(instances: &[View]) -> String {
    let now = Timestamp::now();
    let whole = shown(instances, now, Links::Shown);
    if !std::io::stdout().is_terminal() {
        return whole;
    }
    let width = |text: &str| {
        let plain = anstream::adapter::strip_str(text).to_string();
        plain.lines().map(|line| line.chars().count()).max().unwrap_or(0)
    };
    let room = output::width();
    if width(&whole) <= room { whole } else { shown(instances, now, Links::LeftOut) }
}

/// The table as a picture that replaces the one before, not higher than the screen.
fn screen(table: &str, height: usize) -> String {
    let lines: Vec<&str> = table.lines().collect();
    // The cursor rests on the line below.
    let room = height.saturating_sub(1).max(1);
    let more = if lines.len() > room { lines.len() - (room - 1) } else { 0 };
    let mut picture = HOME.to_owned();
    for line in &lines[..lines.len() - more] {
        picture.extend([line, END_LINE]);
    }
    if more > 0 {
        picture.push_str(&format!("and {more} more{END_LINE}"));
    }
    if lines.len() < 2 {
        picture.push_str(&format!("{NOTHING}{END_LINE}"));
    }
    picture + END_SCREEN
}

/// Whether the column that takes most place is there: the port says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    Shown,
    LeftOut,
}

/// What a column has of an instance.
type Cell = fn(&View) -> String;

/// The table, as of that moment. Whose an instance is, and which container, is told where it says something.
fn shown(instances: &[View], now: Timestamp, links: Links) -> String {
    let shared = instances.iter().any(View::is_of_another_user);
    let contained = instances.iter().any(|view| view.container.is_some());
    let linked = links == Links::Shown;
    let more: [(bool, &str, Cell); 3] = [
        (shared, "USER", |view| output::or_none(view.user.as_ref())),
        (contained, "CONTAINER", container),
        (linked, "URL", |view| view.url.clone()),
    ];
    let more: Vec<_> = more.into_iter().filter(|(is_shown, ..)| *is_shown).collect();
    let head = ["NAME", "PORT", "PHASE", "AGE", "CPU", "MEMORY", "RESTARTS", "PID"];
    let columns = head.into_iter().chain(more.iter().map(|(_, name, _)| *name));
    let rows = instances
        .iter()
        .map(|view| row(view, now).into_iter().chain(more.iter().map(|(_, _, cell)| cell(view))));
    output::table(columns, rows)
}

/// `docker 4f37ec50f0a8 postgres:17`, as far as it is known.
fn container(view: &View) -> String {
    let Some(container) = &view.container else { return output::or_none(None::<String>) };
    let id = container.id.as_ref().map(|id| id.chars().take(ID_SHOWN).collect::<String>());
    let words = [Some(container.engine.clone()), id, container.image.clone()];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn row(view: &View, now: Timestamp) -> [String; 8] {
    let named = view.ports.values().skip(1).count();
    let more = if named == 0 { String::new() } else { format!(" +{named}") };
    [
        view.full_name(),
        format!("{}{more}", view.port),
        phase(view),
        output::or_none(age(view, now).map(output::age)),
        output::or_none(view.cpu_percent.map(percent)),
        output::or_none(view.memory_bytes.map(memory)),
        view.restarts.to_string(),
        output::or_none(view.pid),
    ]
}

/// With a digit behind the point only where it says something.
fn percent(percent: f64) -> String {
    if percent < 10.0 { format!("{percent:.1}%") } else { format!("{percent:.0}%") }
}

/// In the unit that leaves up to three digits before the point: `812 KiB`, `1.4 GiB`.
fn memory(bytes: u64) -> String {
    let (mut tenths, mut unit) = (bytes.saturating_mul(10) / 1024, 0);
    while tenths >= 10_000 && unit + 1 < MEMORY_UNITS.len() {
        (tenths, unit) = (tenths / 1024, unit + 1);
    }
    let name = MEMORY_UNITS[unit];
    if tenths >= 100 || unit == 0 {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// The word that JSON has for it.
fn phase(view: &View) -> String {
    match serde_json::to_value(view.phase) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => unreachable!("a phase is a word in JSON"),
    }
}

fn age(view: &View, now: Timestamp) -> Option<Duration> {
    let started: Timestamp = view.started_at.as_ref()?.parse().ok()?;
    // A clock that was set back makes nothing younger than new.
    Some(Duration::try_from(now.duration_since(started)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{operations::view::ContainerView, ports::Port, registry::Phase};

    fn view(id: &str) -> View {
        View {
            r#type: "dev".to_owned(),
            id: id.to_owned(),
            project: Some("shop".to_owned()),
            user: None,
            uid: None,
            port: Port::known(3000),
            ports: [].into(),
            url: "http://127.0.0.1:3000".to_owned(),
            phase: Phase::Ready,
            lock_id: "dev-web-000000".to_owned(),
            pid: Some(4121),
            supervisor_pid: Some(4120),
            restarts: 2,
            started_at: Some("2026-11-22T01:00:00Z".to_owned()),
            ready_at: None,
            command: Some(vec!["vite".to_owned()]),
            cwd: None,
            log: None,
            cpu_percent: Some(12.34),
            memory_bytes: Some(50 << 20),
            container: None,
        }
    }

    /// The table a while after all of them were started, without colours.
    fn plain(views: &[View], links: Links) -> String {
        let now = "2026-11-22T01:12:30Z".parse().unwrap();
        anstream::adapter::strip_str(&shown(views, now, links)).to_string()
    }

    #[test]
    fn a_row_says_where_and_how_an_instance_is() {
        let mut other = view("api");
        other.ports =
            [("a".to_owned(), Port::known(3000)), ("b".to_owned(), Port::known(3001))].into();
        (other.phase, other.pid, other.started_at, other.restarts) =
            (Phase::Reserved, None, None, 0);
        (other.cpu_percent, other.memory_bytes) = (None, None);
        let views = [view("web"), other];
        assert_eq!(
            plain(&views, Links::Shown),
            "NAME          PORT     PHASE     AGE  CPU  MEMORY  RESTARTS  PID   URL\n\
             dev/web@shop  3000     ready     12m  12%  50 MiB  2         4121  http://127.0.0.1:3000\n\
             dev/api@shop  3000 +1  reserved  -    -    -       0         -     http://127.0.0.1:3000\n"
        );
        let narrow = "dev/web@shop  3000     ready     12m  12%  50 MiB  2         4121\n";
        assert!(plain(&views, Links::LeftOut).contains(narrow));
    }

    #[test]
    fn containers_have_a_column_where_there_are_some() {
        let mut pg = view("pg");
        pg.container = Some(ContainerView {
            engine: "docker".to_owned(),
            id: Some("4f37ec50f0a83aca64465fb6a22b552f".to_owned()),
            name: None,
            image: Some("postgres:17".to_owned()),
        });
        assert_eq!(
            plain(&[view("web"), pg], Links::LeftOut),
            "NAME          PORT  PHASE  AGE  CPU  MEMORY  RESTARTS  PID   CONTAINER\n\
             dev/web@shop  3000  ready  12m  12%  50 MiB  2         4121  -\n\
             dev/pg@shop   3000  ready  12m  12%  50 MiB  2         4121  docker 4f37ec50f0a8 postgres:17\n"
        );
    }

    #[test]
    fn whose_each_is_has_a_column_where_one_is_somebody_elses() {
        let mut bobs = view("api");
        (bobs.user, bobs.uid) = (Some("bob".to_owned()), Some(3_999_999_999));
        assert_eq!(
            plain(&[view("web"), bobs], Links::LeftOut),
            "NAME          PORT  PHASE  AGE  CPU  MEMORY  RESTARTS  PID   USER\n\
             dev/web@shop  3000  ready  12m  12%  50 MiB  2         4121  -\n\
             dev/api@shop  3000  ready  12m  12%  50 MiB  2         4121  bob\n"
        );
    }

    #[test]
    fn a_picture_is_as_high_as_its_screen() {
        let table = "HEAD\none\ntwo\nthree\n";
        let lines = |height| {
            let picture = screen(table, height);
            let text = picture.strip_prefix(HOME).unwrap().strip_suffix(END_SCREEN).unwrap();
            text.split_terminator(END_LINE).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(5), ["HEAD", "one", "two", "three"]);
        assert_eq!(lines(4), ["HEAD", "one", "and 2 more"]);
        assert_eq!(lines(1), ["and 4 more"]);
        assert!(screen("HEAD\n", 9).contains(NOTHING));
    }

    #[test]
    fn usage_is_shown_in_few_digits() {
        for (bytes, expected) in [
            (0, "0 KiB"),
            (812 << 10, "812 KiB"),
            (1 << 20, "1.0 MiB"),
            (50 << 20, "50 MiB"),
            (1_503_238_553, "1.3 GiB"),
            (u64::MAX, "1638 PiB"),
        ] {
            assert_eq!(memory(bytes), expected, "{bytes}");
        }
        assert_eq!(
            [0.0, 0.34, 9.96, 12.5, 340.2].map(percent),
            ["0.0%", "0.3%", "10.0%", "12%", "340%"]
        );
    }

    #[test]
    fn nothing_is_younger_than_new() {
        let early = "2026-11-22T00:59:00Z".parse().unwrap();
        assert_eq!(age(&view("web"), early), Some(Duration::ZERO));
    }
}

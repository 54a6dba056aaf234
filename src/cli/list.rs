//! `styxy list`: all instances as a table, once or again with each change.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::operations::{Error, Host, list::Instances, view::View, watch::Woken};
use jiff::Timestamp;
use serde_json::Value;
use std::{io::IsTerminal, time::Duration};

/// To the upper left corner, and clear what is below.
const REDRAW: &str = "\u{1b}[H\u{1b}[2J";

/// List all instances
///
/// Those that run and those that are reserved, with their ports. Ages count from the first start.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Show it again with each change, until Ctrl-C
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
            session.say("nothing runs, and nothing is reserved");
        } else {
            output::print(&shown(&instances.instances, Timestamp::now()))?;
        }
        Ok(0)
    }
}

/// A terminal is drawn anew each time; a pipe or a file gets what is new.
fn watch(host: &Host, session: &Session) -> Result<i32, Error> {
    let watch = host.watch()?;
    let draws = std::io::stdout().is_terminal() && !session.json;
    let mut before: Option<Instances> = None;
    loop {
        let now = host.list(&|sentence| session.tell(sentence))?;
        let is_new = before.as_ref().is_none_or(|before| before.instances != now.instances);
        if draws {
            output::print_bytes(REDRAW.as_bytes())?;
            output::print(&shown(&now.instances, Timestamp::now()))?;
        } else if is_new && session.json {
            output::json(&now)?;
        } else if is_new {
            output::print(&shown(&now.instances, Timestamp::now()))?;
        }
        before = Some(now);
        if let Woken::Interrupted(code) = watch.wait()? {
            return Ok(code);
        }
    }
}

/// The table, as of that moment.
fn shown(instances: &[View], now: Timestamp) -> String {
    let head = ["NAME", "PORT", "PHASE", "AGE", "PID", "RESTARTS", "URL"];
    output::table(head, instances.iter().map(|view| row(view, now)))
}

fn row(view: &View, now: Timestamp) -> [String; 7] {
    let named = view.ports.values().skip(1).count();
    let more = if named == 0 { String::new() } else { format!(" +{named}") };
    [
        view.full_name(),
        format!("{}{more}", view.port),
        phase(view),
        output::or_none(age(view, now).map(output::age)),
        output::or_none(view.pid),
        view.restarts.to_string(),
        view.url.clone(),
    ]
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
    use crate::{ports::Port, registry::Phase};

    fn view(id: &str) -> View {
        View {
            r#type: "dev".to_owned(),
            id: id.to_owned(),
            project: Some("shop".to_owned()),
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
            container: None,
        }
    }

    #[test]
    fn a_row_says_where_and_how_an_instance_is() {
        let now = "2026-11-22T01:12:30Z".parse().unwrap();
        let mut other = view("api");
        other.ports =
            [("a".to_owned(), Port::known(3000)), ("b".to_owned(), Port::known(3001))].into();
        (other.phase, other.pid, other.started_at, other.restarts) =
            (Phase::Reserved, None, None, 0);
        let text = shown(&[view("web"), other], now);
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "NAME          PORT     PHASE     AGE  PID   RESTARTS  URL\n\
             dev/web@shop  3000     ready     12m  4121  2         http://127.0.0.1:3000\n\
             dev/api@shop  3000 +1  reserved  -    -     0         http://127.0.0.1:3000\n"
        );
    }

    #[test]
    fn nothing_is_younger_than_new() {
        let early = "2026-11-22T00:59:00Z".parse().unwrap();
        assert_eq!(age(&view("web"), early), Some(Duration::ZERO));
    }
}

//! `styxy audit`: what happened, a line each.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::{
    config::{InstanceId, TypeName},
    operations::{
        Error,
        audit::{Event, Filter, When},
    },
    registry::Action,
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::io::{self, IsTerminal};

/// Show what happened: who got, gave back or changed what, and when
///
/// All times are UTC. A moment is a time as in 2026-11-22T10:00:00Z, a date (its beginning), or an
/// age as in 2h or 3d. EXIT is the code that a run ended with. --json tells all that is known, as by
/// which rule a new range was chosen.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Not before that moment
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// Not after that moment
    #[arg(long, value_name = "WHEN")]
    until: Option<When>,
    /// Of that service type
    #[arg(short = 't', long = "type", visible_alias = "service-type", value_name = "TYPE")]
    service_type: Option<TypeName>,
    /// Of instances with that id
    #[arg(short, long, visible_alias = "instance-id", value_name = "ID")]
    id: Option<InstanceId>,
    /// Only that; may be given several times
    #[arg(long, value_name = "ACTION", value_delimiter = ',', value_parser = actions())]
    action: Vec<Action>,
    /// By that user, a name or a number
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Go on showing what happens, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
}

fn actions() -> impl TypedValueParser<Value = Action> {
    PossibleValuesParser::new(Action::ALL.map(Action::word)).map(|word| {
        let action = Action::ALL.into_iter().find(|action| action.word() == word);
        action.expect("the words are those of the actions")
    })
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        let host = session.host()?;
        let filter = Filter {
            since: self.since,
            until: self.until,
            service_type: self.service_type,
            id: self.id,
            actions: self.action,
            user: self.user,
        };
        let mut has_head = false;
        // At a terminal a line is a line; elsewhere nothing is left out.
        let width = io::stdout().is_terminal().then(output::width);
        let show = &mut |events: &[Event]| {
            if session.json {
                return output::print_bytes(&lines_of_json(events));
            }
            if !events.is_empty() && !std::mem::replace(&mut has_head, true) {
                output::print(&output::head(&columns(HEAD)))?;
            }
            output::print(&events.iter().map(|event| line(event, width)).collect::<String>())
        };
        let tell = |sentence: &str| session.tell(sentence);
        if self.follow {
            return host.follow_audit(&filter, show, &tell);
        }
        host.audit(&filter, show, &tell)?;
        if !has_head && !session.json {
            session.say("nothing of that kind has happened");
        }
        Ok(0)
    }
}

/// The names of the columns.
const HEAD: [&str; 7] = ["TIME", "USER", "ACTION", "WHAT", "PORTS", "EXIT", "COMMAND"];

/// One object a line, also at a terminal.
fn lines_of_json(events: &[Event]) -> Vec<u8> {
    let mut text = Vec::new();
    for event in events {
        serde_json::to_writer(&mut text, &event.entry).expect("an audit line is plain JSON");
        text.push(b'\n');
    }
    text
}

/// The columns side by side. They have fixed widths, since nobody knows what comes next.
fn columns([time, user, action, what, ports, exit, command]: [&str; 7]) -> String {
    format!("{time:<20}  {user:<8}  {action:<12}  {what:<24}  {ports:<11}  {exit:>4}  {command}")
}

fn line(event: &Event, width: Option<usize>) -> String {
    let entry = &event.entry;
    // To the second.
    let time = entry.time.get(..19).map(|time| format!("{time}Z"));
    let ports = match (entry.range, entry.port) {
        (Some((first, last)), _) => format!("{first}-{last}"),
        (None, port) => output::or_none(port),
    };
    let text = columns([
        time.as_deref().unwrap_or(&entry.time),
        &entry.user.to_string(),
        entry.action.word(),
        event.subject.as_deref().unwrap_or("-"),
        &ports,
        // What a run ended with.
        &output::or_none(entry.exit_code),
        &entry.command,
    ]);
    let text = output::visible(&text);
    match width {
        Some(width) => format!("{}\n", output::cut(&text, width, output::ellipsis())),
        None => format!("{}\n", text.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::audit::{Entry, User};

    fn event(action: Action, subject: &str) -> Event {
        let entry = Entry {
            seq: 7,
            user: User::Name("ada".to_owned()),
            command: "styxy run --type ai -- python\nrag.py".into(),
            r#type: Some("ai".into()),
            lock_wait_us: 1,
            transaction_us: 2,
            ..Entry::sample("2026-11-22T09:00:00.123456789Z", action)
        };
        Event { entry, subject: Some(subject.to_owned()) }
    }

    #[test]
    fn a_line_says_when_who_what_and_how() {
        let mut allocated = event(Action::Allocate, "ai/rag@shop");
        allocated.entry.port = Some(11400);
        assert_eq!(
            line(&allocated, None),
            "2026-11-22T09:00:00Z  ada       allocate      ai/rag@shop               11400           -  \
             styxy run --type ai -- python\\nrag.py\n"
        );
        let mut ended = event(Action::Release, "ai/rag@shop");
        (ended.entry.port, ended.entry.exit_code) = (Some(11400), Some(137));
        assert_eq!(
            line(&ended, None),
            "2026-11-22T09:00:00Z  ada       release       ai/rag@shop               11400         137  \
             styxy run --type ai -- python\\nrag.py\n"
        );
        let mut made = event(Action::RangeCreate, "grafana");
        made.entry.range = Some((10100, 10109));
        assert_eq!(
            line(&made, Some(97)),
            format!(
                "2026-11-22T09:00:00Z  ada       range.create  grafana                   10100-10109     -  {}\n",
                output::cut("styxy run", 6, output::ellipsis())
            )
        );
    }

    #[test]
    fn json_has_an_object_a_line_with_the_users_name() {
        let text = lines_of_json(&[event(Action::Blocked, "ai"), event(Action::Release, "ai")]);
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["user"], &lines[1]["action"]), (&"ada".into(), &"release".into()));
        assert!(lines[0]["port"].is_null() && lines[0].get("restarts").is_none());
    }
}

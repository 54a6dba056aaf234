//! What is said while a run goes on: a calm line on stderr each, and an answer where one was asked for.

use crate::{
    cli::{arguments::Session, output},
    operations::{
        Error, Host,
        run::Said,
        view::{Answer, MadeRange},
    },
    ports::Port,
};

/// Who listens to a run, and says what people and scripts should know of it.
pub(super) struct Report<'a> {
    host: &'a Host,
    session: &'a Session,
    /// A command of ours was started, so stdout is its.
    started: bool,
    /// What came of printing an answer.
    printed: Result<(), Error>,
}

impl<'a> Report<'a> {
    /// Nothing has happened yet.
    pub(super) fn new(host: &'a Host, session: &'a Session) -> Self {
        Self { host, session, started: false, printed: Ok(()) }
    }

    /// Whether a command was started, which has stdout for itself.
    pub(super) fn stdout_is_the_commands(&self) -> bool {
        self.started
    }

    /// Whether what had to be printed could be.
    pub(super) fn printed(self) -> Result<(), Error> {
        self.printed
    }

    /// Says it.
    pub(super) fn hear(&mut self, said: Said) {
        let json = self.session.json;
        match said {
            Said::Started { .. } => self.started = true,
            Said::Ready { answer } if json => output::json_line(&answer),
            Said::Ready { answer } => self.session.say(&where_it_is(&answer)),
            Said::Reused { answer } | Said::Decided { answer } => {
                self.session.say(&answer.message);
                self.printed = output::answer(&answer, json);
            }
            Said::Attached { ref name, port, .. } => {
                if json {
                    self.print_attached(name, port);
                }
                self.say(&said);
            }
            Said::Notice(_)
            | Said::NewRange { .. }
            | Said::Renumbered { .. }
            | Said::Queued { .. }
            | Said::Detached { .. }
            | Said::Waiting { .. }
            | Said::Stopped { .. }
            | Said::Dismissed { .. }
            | Said::Late { .. }
            | Said::Unhealthy { .. }
            | Said::Healthy { .. }
            | Said::Restarting { .. }
            | Said::GaveUp { .. } => self.say(&said),
        }
    }

    fn say(&self, said: &Said) {
        if let Some(sentence) = sentence(said) {
            self.session.say(&sentence);
        }
    }

    /// Where the instance is that we are with, for a script that reads stderr.
    fn print_attached(&self, name: &str, port: Port) {
        // It may have ended just now; then its end is what there is to tell.
        if let Ok(view) = self.host.locate_port(port, &|sentence| self.session.tell(sentence)) {
            let message = format!("{name} already runs on port {port}, attached");
            output::json_line(&view.answer(message));
        }
    }
}

/// `ai/rag  http://127.0.0.1:11400  pid 12345`, and whether that was so before.
pub(in crate::cli) fn where_it_is(answer: &Answer) -> String {
    let pid = answer.pid.map_or_else(String::new, |pid| format!("  pid {pid}"));
    let before = if answer.existing { "  (it ran before)" } else { "" };
    format!("{}/{}  {}{pid}{before}", answer.r#type, answer.id, answer.url)
}

/// A type's new range.
pub(in crate::cli) fn new_range(service_type: &str, made: MadeRange) -> String {
    let MadeRange { range, grown } = made;
    if grown {
        format!(
            "Auto-allocated range {range} more for service type '{service_type}', which was full"
        )
    } else {
        format!("Auto-allocated range {range} for new service type '{service_type}'")
    }
}

/// What happened, in words; nothing for what is an answer, or is told when it has come further.
pub(in crate::cli) fn sentence(said: &Said) -> Option<String> {
    Some(match said {
        Said::Started { .. }
        | Said::Ready { .. }
        | Said::Reused { .. }
        | Said::Decided { .. }
        | Said::Stopped { .. } => return None,
        Said::Waiting { name, after } => format!("{name} waits until {after} is ready"),
        Said::Notice(sentence) => format!("styxy: {sentence}"),
        Said::NewRange { service_type, made } => new_range(service_type, *made),
        Said::Renumbered { name } => {
            format!("another command runs under this directory's name, so this is {name}")
        }
        Said::Attached { name, port, pid, ready, differs } => {
            let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
            let state = if *ready { "already runs" } else { "is starting" };
            let differs = differs.as_ref().map_or_else(String::new, |text| format!("; {text}"));
            format!(
                "{name} {state} on http://127.0.0.1:{port}{pid}: attached, Ctrl-C detaches{differs}"
            )
        }
        Said::Queued { name, port } => format!("{name} runs on port {port}: waiting for its end"),
        Said::Detached { name, port } => format!("detached: {name} goes on, on port {port}"),
        Said::Dismissed { name } => {
            format!("{name} was stopped, and all that waited for its place")
        }
        Said::Late { name, seconds, why } => {
            format!("{name} is not ready after {seconds} s: {why}")
        }
        Said::Unhealthy { name, failures, why } => {
            let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            format!("{name} is unhealthy: {failures} checks in a row have failed{why}")
        }
        Said::Healthy { name } => format!("{name} is healthy again"),
        Said::Restarting { name, code, delay_ms: 0 } => {
            format!("{name} ended with {code}: starting it again")
        }
        Said::Restarting { name, code, delay_ms } => {
            format!("{name} ended with {code}: starting it again in {delay_ms} ms")
        }
        Said::GaveUp { name, why } => format!("{name} is not started again: {why}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        Answer {
            port: Port::known(11400),
            ports: [].into(),
            lock_id: Some("ai-rag-000000".to_owned()),
            r#type: "ai".to_owned(),
            id: "rag".to_owned(),
            project: None,
            url: "http://127.0.0.1:11400".to_owned(),
            pid: Some(48213),
            existing: false,
            auto_allocated: false,
            new_range: None,
            grown: false,
            message: String::new(),
        }
    }

    #[test]
    fn a_ready_server_is_one_calm_line() {
        assert_eq!(where_it_is(&answer()), "ai/rag  http://127.0.0.1:11400  pid 48213");
        let unseen = Answer { pid: None, ..answer() };
        assert_eq!(where_it_is(&unseen), "ai/rag  http://127.0.0.1:11400");
        let before = Answer { existing: true, ..unseen };
        assert_eq!(where_it_is(&before), "ai/rag  http://127.0.0.1:11400  (it ran before)");
    }

    #[test]
    fn what_happens_is_said_in_words() {
        let name = || "ai/rag".to_owned();
        let attached = |ready, differs: Option<&str>| Said::Attached {
            name: name(),
            port: Port::known(11400),
            pid: Some(48213),
            ready,
            differs: differs.map(str::to_owned),
        };
        for (said, expected) in [
            (
                attached(true, None),
                "ai/rag already runs on http://127.0.0.1:11400 (pid 48213): attached, Ctrl-C detaches",
            ),
            (
                attached(false, Some("it runs `x`, not `y`")),
                "ai/rag is starting on http://127.0.0.1:11400 (pid 48213): attached, Ctrl-C detaches; \
                 it runs `x`, not `y`",
            ),
            (
                Said::NewRange {
                    service_type: "grafana".to_owned(),
                    made: MadeRange {
                        range: crate::ports::Range::known(11510, 11519),
                        grown: false,
                    },
                },
                "Auto-allocated range 11510-11519 for new service type 'grafana'",
            ),
            (
                Said::NewRange {
                    service_type: "grafana".to_owned(),
                    made: MadeRange {
                        range: crate::ports::Range::known(11520, 11529),
                        grown: true,
                    },
                },
                "Auto-allocated range 11520-11529 more for service type 'grafana', which was full",
            ),
            (
                Said::Restarting { name: name(), code: 1, delay_ms: 200 },
                "ai/rag ended with 1: starting it again in 200 ms",
            ),
            (
                Said::Restarting { name: name(), code: 1, delay_ms: 0 },
                "ai/rag ended with 1: starting it again",
            ),
        ] {
            assert_eq!(sentence(&said).as_deref(), Some(expected));
        }
    }
}

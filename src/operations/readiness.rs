//! Readiness around a life: what a check needs before the command is started, and why an instance is not
//! ready or not well, in words. Checking itself is the supervisor's business.

use super::{
    error::Error,
    plan::{Plan, Request},
};
use crate::{
    config::ReadyCheck,
    os::{listeners, notify::NotifySocket, user},
    ports::Port,
    supervisor::{PortSight, driver::Insight},
};
use regex_automata::meta::Regex;

/// What to do when a server listens elsewhere.
const PORT_HINT: &str =
    "hand it its port: {port} in its arguments, or -e NAME for a variable that it reads";

/// What to do when a script that is run says `styxy run` itself, with another name.
const NESTED_HINT: &str = "call it without `styxy run` in front; or give both the same type and id, and \
                           the inner one takes the outer one's port";

/// What to do about what was seen when it was late, if that tells.
pub(super) fn advice(insight: &Insight) -> Option<&'static str> {
    match (&insight.elsewhere[..], &insight.guests[..]) {
        ([], []) => None,
        ([], _) => Some(NESTED_HINT),
        (_, _) => Some(PORT_HINT),
    }
}

/// What a check needs of its own.
pub(super) struct Means {
    /// For `log`: the lines that say so.
    pub(super) pattern: Option<Regex>,
    /// For `notify`: where it says so.
    pub(super) notify: Option<NotifySocket>,
}

impl Means {
    /// Those of this run.
    pub(super) fn of(plan: &Plan, request: &Request) -> Result<Self, Error> {
        if ready(plan) != &ReadyCheck::Notify {
            return Ok(Self { pattern: pattern(plan, request)?, notify: None });
        }
        let notify = NotifySocket::open()
            .map_err(|source| Error::System { deed: "open a socket for sd_notify", source })?;
        Ok(Self { pattern: None, notify: Some(notify) })
    }
}

/// The lines of its log that say that it is ready.
pub(super) fn pattern(plan: &Plan, request: &Request) -> Result<Option<Regex>, Error> {
    match ready(plan) {
        ReadyCheck::Log(pattern) if request.keeps_log() => {
            Regex::new(pattern).map(Some).map_err(|error| not_regular(pattern, &error))
        }
        ReadyCheck::Log(_) => Err(Error::Usage {
            message: "readiness by a line of the log needs a log".to_owned(),
            hint: Some("run it with -d, so that its output goes to one".to_owned()),
        }),
        ReadyCheck::Tcp
        | ReadyCheck::Http(_)
        | ReadyCheck::Exec(_)
        | ReadyCheck::Notify
        | ReadyCheck::None => Ok(None),
    }
}

fn not_regular(pattern: &str, error: &dyn std::error::Error) -> Error {
    // The cause is a picture of several lines; its last one says what is wrong.
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let cause = cause.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let pattern = pattern.escape_debug();
    Error::Usage {
        message: format!("`{pattern}` is not a regular expression: {cause}"),
        hint: Some(
            "a letter with a meaning of its own is written with a backslash: \\(".to_owned(),
        ),
    }
}

fn ready(plan: &Plan) -> &ReadyCheck {
    plan.settings.ready.as_ref().unwrap_or(&ReadyCheck::Tcp)
}

/// Why it is not ready, as far as that was seen.
pub(super) fn why_unready(ready: &ReadyCheck, port: Port, insight: &Insight) -> String {
    let mut why = match insight.port {
        Some(PortSight::Stranger) => stranger(port),
        Some(PortSight::Own) => waits_for(ready, insight)
            .unwrap_or_else(|| format!("it listens on {port}, and did so too late")),
        Some(PortSight::Unserved) | None => match (&insight.elsewhere[..], ready) {
            ([], ReadyCheck::Tcp | ReadyCheck::Http(_) | ReadyCheck::None) => {
                format!("nothing listens on {port}")
            }
            ([], ReadyCheck::Exec(_) | ReadyCheck::Log(_) | ReadyCheck::Notify) => {
                waits_for(ready, insight).unwrap_or_else(|| format!("nothing listens on {port}"))
            }
            (elsewhere, _) => {
                let places: Vec<String> = elsewhere
                    .iter()
                    .map(|(port, pid)| format!("port {port} (pid {pid})"))
                    .collect();
                format!("it listens on {} instead of port {port}", places.join(", "))
            }
        },
    };
    if !insight.guests.is_empty() && insight.elsewhere.is_empty() {
        let pids: Vec<String> = insight.guests.iter().map(ToString::to_string).collect();
        let pids = pids.join(", ");
        why.push_str(&format!("; below it a styxy (pid {pids}) leases a port of its own"));
    }
    if let Some(status) = insight.status.as_ref().filter(|status| !status.is_empty()) {
        why.push_str(&format!("; it says: {status}"));
    }
    why
}

/// What its check waits for in vain.
fn waits_for(ready: &ReadyCheck, insight: &Insight) -> Option<String> {
    match ready {
        ReadyCheck::Http(_) | ReadyCheck::Exec(_) => insight.failure.clone(),
        ReadyCheck::Notify => Some("it has not said READY=1".to_owned()),
        ReadyCheck::Log(pattern) => Some(format!("no line of its log matches `{pattern}`")),
        ReadyCheck::Tcp | ReadyCheck::None => None,
    }
}

/// Who else listens on its port.
fn stranger(port: Port) -> String {
    let holders = listeners::who_holds(port).unwrap_or_default();
    let listening = holders.into_iter().filter(|holder| holder.listens).map(|holder| {
        match (holder.command, holder.pid) {
            (Some(command), Some(pid)) => format!("{command} (pid {pid})"),
            (None, Some(pid)) => format!("pid {pid}"),
            (_, None) => format!("a program of {}", user::name(holder.uid)),
        }
    });
    let names: Vec<String> = listening.collect();
    match &names[..] {
        [] => format!("another program listened on {port}"),
        names => format!("{} listens on {port}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ready: &ReadyCheck, insight: &Insight, expected: &str) {
        assert_eq!(why_unready(ready, Port::known(3000), insight), expected);
    }

    #[test]
    fn what_was_seen_is_said() {
        use PortSight::{Own, Unserved};
        let http = ReadyCheck::Http("/health".to_owned());
        let seen = |port| Insight { port: Some(port), ..Insight::default() };
        let failed = |port, why: &str| Insight { failure: Some(why.to_owned()), ..seen(port) };
        check(&ReadyCheck::Tcp, &seen(Unserved), "nothing listens on 3000");
        check(&ReadyCheck::Tcp, &Insight::default(), "nothing listens on 3000");
        check(&http, &seen(Unserved), "nothing listens on 3000");
        check(&http, &failed(Own, "the answer was 503"), "the answer was 503");
        let exec = ReadyCheck::Exec("test -e x".to_owned());
        check(&exec, &failed(Unserved, "`test -e x` ended with 1"), "`test -e x` ended with 1");
        let log = ReadyCheck::Log("up.*".to_owned());
        check(&log, &seen(Own), "no line of its log matches `up.*`");
        let status = Some("loading 40 %".to_owned());
        let said = Insight { status, ..seen(Unserved) };
        check(&ReadyCheck::Notify, &said, "it has not said READY=1; it says: loading 40 %");
    }

    #[test]
    fn a_server_that_chose_its_own_port_is_found_there() {
        let elsewhere = vec![(Port::known(8000), 71), (Port::known(9229), 72)];
        let insight = Insight { port: Some(PortSight::Unserved), elsewhere, ..Insight::default() };
        for ready in [ReadyCheck::Tcp, ReadyCheck::Http("/".to_owned()), ReadyCheck::Notify] {
            let expected =
                "it listens on port 8000 (pid 71), port 9229 (pid 72) instead of port 3000";
            check(&ready, &insight, expected);
        }
    }
}

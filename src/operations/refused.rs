//! A decision that was no, in the words that a person needs: who is in the way, and what to do now.
//!
//! What was decided, and why, is `decision::refusal`'s business.

use super::{error::Kind, view::View};
use crate::{
    decision::refusal::{Holder, Refusal, Why},
    ports::Range,
    registry::Phase,
};

/// So many holders are named in one message.
const NAMED_MAX: usize = 8;

/// A decision that was no, with all that a person wants to know of who is in the way.
#[derive(Debug)]
pub struct Refused {
    /// The decision.
    pub refusal: Refusal,
    /// Who is in the way, if an instance is.
    pub holder: Option<View>,
    /// Who else: programs on a port, or the leases of a full range, as `nginx (pid 812)`.
    pub others: Vec<String>,
}

impl Refused {
    /// What kind of failure it is.
    pub(super) fn kind(&self) -> Kind {
        match self.refusal {
            Refusal::Blocked { .. } => Kind::Blocked,
            Refusal::PortLeased { .. }
            | Refusal::PortTaken { .. }
            | Refusal::RangeFull { .. }
            | Refusal::NoRoom { .. } => Kind::NoPort,
            Refusal::PortNotPermitted { .. } => Kind::Failed,
            Refusal::NoRange { .. } => Kind::Config,
        }
    }

    /// What was refused, and why.
    pub(super) fn message(&self) -> String {
        match &self.refusal {
            Refusal::Blocked { holder, why } => self.blocked(holder, why),
            Refusal::PortLeased { port, holder } => {
                let view = self.holder.as_ref();
                let pid = view.and_then(|view| view.pid.or(view.supervisor_pid)).or(holder.pid);
                let pid = pid.map(|pid| format!("pid {pid}"));
                let since = view.and_then(|view| view.started_at.as_ref());
                let since = since.map(|since| format!("since {since}"));
                let more: Vec<String> = pid.into_iter().chain(since).collect();
                let more =
                    if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
                format!("port {port} is held by {}{more}", self.holder_name(holder))
            }
            Refusal::PortTaken { port } => {
                let who = listed(&self.others);
                let who = if who.is_empty() { "another program".to_owned() } else { who };
                format!("port {port} is in use by {who}")
            }
            Refusal::PortNotPermitted { port } => format!("you may not bind port {port}"),
            Refusal::RangeFull { service_type, ranges, leased, foreign } => {
                let ranges: Vec<String> = ranges.iter().map(Range::to_string).collect();
                let who = listed(&self.others);
                format!(
                    "no free port in {} for type `{service_type}`: {} leased, {foreign} used by \
                     other programs{}{who}",
                    ranges.join(", "),
                    leased.len(),
                    if who.is_empty() { "" } else { ": " },
                )
            }
            Refusal::NoRange { service_type } => format!(
                "unknown service type `{service_type}`: nobody gave it a range, and \
                 auto-allocation is off"
            ),
            Refusal::NoRoom { service_type, chunk_size, bounds } => format!(
                "no room for {chunk_size} ports of the new service type `{service_type}` in {bounds}"
            ),
        }
    }

    fn blocked(&self, holder: &Holder, why: &Why) -> String {
        let name = self.holder_name(holder);
        let view = self.holder.as_ref();
        let pid = view.and_then(|view| view.pid.or(view.supervisor_pid)).or(holder.pid);
        let shown = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
        let place = format!("on port {}{shown}", holder.port);
        match why {
            Why::SingleType => {
                let service_type = &holder.name.service_type;
                format!("{service_type} allows a single instance: {name} runs {place}")
            }
            Why::SameInstance => format!("{name} already runs {place}"),
            Why::OtherCommand => {
                let command = view.and_then(|view| view.command.as_ref());
                let command =
                    command.map_or_else(String::new, |words| format!(": {}", words.join(" ")));
                format!("{name} runs another command {place}{command}")
            }
            Why::BeingReplaced => format!("{name} is being replaced already"),
            Why::Claim(path) => format!("{path} is in use by {name} {place}"),
            Why::Reserved => {
                let pid = holder
                    .pid
                    .map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}"));
                format!("{name} is reserved by {pid}")
            }
            Why::NotOurs => {
                format!("{name} is served {place} by a program that styxy did not start")
            }
        }
    }

    fn holder_name(&self, holder: &Holder) -> String {
        self.holder.as_ref().map_or_else(|| holder.name.to_string(), View::full_name)
    }

    /// Whether the one in the way is a reservation, which nobody can stop.
    fn is_reserved(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.phase == Phase::Reserved)
    }

    /// What to do now.
    pub(super) fn hint(&self) -> Option<String> {
        match &self.refusal {
            Refusal::Blocked { holder, why } => Some(match why {
                Why::SingleType | Why::SameInstance => format!("styxy use --port {}", holder.port),
                Why::OtherCommand => {
                    format!("name this one with --id, or use that one: styxy use --port {}", holder.port)
                }
                Why::BeingReplaced | Why::Claim(_) => "queue for it with --if-running wait".to_owned(),
                Why::Reserved => format!("styxy release {}", holder.lock_id),
                Why::NotOurs => "end that program yourself, then try again".to_owned(),
            }),
            Refusal::PortLeased { holder, .. } if self.is_reserved() => {
                Some(format!("choose another port, or free that one: styxy release {}", holder.lock_id))
            }
            Refusal::PortLeased { holder, .. } => {
                Some(format!("choose another port, or end that one: styxy stop {}", holder.lock_id))
            }
            Refusal::PortTaken { .. } => {
                Some("end that program, or leave --port out to get a free one".to_owned())
            }
            Refusal::PortNotPermitted { .. } => {
                Some("ports below 1024 are for root, as a rule; choose a higher one".to_owned())
            }
            Refusal::RangeFull { service_type, .. } => Some(format!(
                "end one of these, or widen the range: service_types.{service_type}.range"
            )),
            Refusal::NoRange { service_type } => Some(format!(
                "set service_types.{service_type}.range, or auto_allocation.enabled = true"
            )),
            Refusal::NoRoom { .. } => Some(
                "lower auto_allocation.default_chunk_size or gap_size, or widen min_port and max_port"
                    .to_owned(),
            ),
        }
    }
}

fn listed(others: &[String]) -> String {
    let mut text = others.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if others.len() > NAMED_MAX {
        text.push_str(&format!(" and {} more", others.len() - NAMED_MAX));
    }
    text
}

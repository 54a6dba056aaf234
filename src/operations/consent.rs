//! A new range that somebody has to agree to first: what is proposed, and what may be answered.
//!
//! A transaction that would make one refuses with a proposal. Who asks the person does so outside the lock
//! and tries again with what was agreed to; when the world has changed meanwhile, the proposal is another
//! one and the person is asked again.

use super::{
    error::Error,
    host::{Host, Tell},
    plan::{Plan, Request},
};
use crate::{
    config::{Placement, TypeName},
    decision::{range_rule::Rule, refusal::Refusal},
    ports::{Port, Range},
};
use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU16};

/// A range that was chosen and waits for consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Proposal {
    /// Whose it would be.
    pub service_type: TypeName,
    /// Its ports.
    pub range: Range,
    /// Whether the type has a range already, which is full.
    pub grows: bool,
    /// Where it is, in words.
    pub place: String,
    /// The placements that may be asked for instead.
    pub placements: Vec<String>,
    /// No range ends above it.
    pub max_port: Port,
}

impl fmt::Display for Proposal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service_type, range, place, .. } = self;
        match self.grows {
            false => write!(out, "unknown service type `{service_type}`")?,
            true => write!(out, "service type `{service_type}` has no free port")?,
        }
        write!(out, ": it would get the ports {range} ({place}), and nobody has agreed to that")
    }
}

impl Proposal {
    /// Reads how many ports the range should have instead.
    pub fn size(&self, text: &str) -> Result<NonZeroU16, String> {
        let max = self.max_port;
        let size: Option<NonZeroU16> = text.parse().ok();
        size.filter(|size| size.get() <= max.number())
            .ok_or_else(|| format!("a number of ports is wanted, 1 to {max}"))
    }

    /// Reads where it should go instead.
    pub fn placement(&self, text: &str) -> Result<Placement, String> {
        let known = self.placements.iter().find(|name| *name == text);
        known
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| format!("one of these is wanted: {}", self.placements.join(", ")))
    }

    /// Reads where it should begin at the earliest.
    pub fn start(&self, text: &str) -> Result<Port, String> {
        let max = self.max_port;
        let port: Option<Port> = text.parse().ok();
        port.filter(|port| *port <= max).ok_or_else(|| format!("a port is wanted, 1 to {max}"))
    }
}

impl Host {
    /// Refuses with a proposal where a new range wants consent and has none.
    pub(super) fn consent(
        &self,
        plan: &Plan,
        rule: &Rule,
        own: &[Range],
        range: Range,
    ) -> Result<(), Error> {
        let automatic = self.config.auto_allocation();
        if !automatic.require_confirmation || plan.dry_run {
            return Ok(());
        }
        let proposal = Proposal {
            service_type: plan.service_type.clone(),
            range,
            grows: !own.is_empty(),
            place: rule.place(own, range),
            placements: self.config.placement_names().map(str::to_owned).collect(),
            max_port: automatic.max_port,
        };
        if plan.agreed.as_ref() == Some(&proposal) {
            return Ok(());
        }
        Err(Error::Unconfirmed(Box::new(proposal)))
    }

    /// Fails with the proposal that a run would have to be asked for. What else may stand in its way, the
    /// run itself finds.
    pub fn check_consent(&self, request: &Request) -> Result<(), Error> {
        if !self.config.auto_allocation().require_confirmation {
            return Ok(());
        }
        let silent: &Tell<'_> = &|_| {};
        match self.plan(request).and_then(|plan| self.rehearse(&plan, request, silent)) {
            Err(unconfirmed @ Error::Unconfirmed(_)) => Err(unconfirmed),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl Error {
    /// Whether there is no room for a range as it was wished for.
    pub fn is_no_room(&self) -> bool {
        matches!(self, Self::Refused(refused) if matches!(refused.refusal, Refusal::NoRoom { .. }))
    }
}

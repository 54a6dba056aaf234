//! What the driver tells of an instance: to callers, to the record, and to whoever handed in `report`.

use super::Driver;
use crate::{
    config::{Liveness, ReadyCheck},
    os::clock,
    registry,
    supervisor::{
        action::Progress,
        line::Call,
        machine::Phase,
        message::{Fare, Standing, ToClient, WHY_MAX},
    },
};

impl Driver<'_> {
    /// Callers and the record know it before people do: who acts on what they read finds it so.
    pub(super) fn report(&mut self, progress: &Progress) {
        if matches!(progress, Progress::Ready { .. }) {
            self.looks.stop_following();
            if self.family.listener.is_none() && self.setup.policy.ready != ReadyCheck::None {
                self.looks.port(&mut self.family);
            }
        }
        // The child has written its start into the record itself, and it may be ready in a moment.
        if !matches!(progress, Progress::Started { .. }) {
            self.tell_standing();
        }
        (self.setup.report)(progress, &self.looks.insight);
    }

    /// Where the instance is in its life.
    pub(super) fn standing(&self) -> Standing {
        let phase = self.machine.phase();
        let pid = self.family.leader.or(self.family.heir()).map(|process| process.pid);
        let since = match &self.told {
            Some(told) if told.phase == phase => told.since_boot_ms,
            Some(_) | None => boot_ms(),
        };
        let stop = self.machine.stop_standing(clock::now()).unwrap_or_default();
        let (attached, standbys) = self.setup.callers.counts();
        Standing {
            phase,
            since_boot_ms: since,
            port: self.setup.port.number(),
            pid,
            restarts: self.machine.restarts(),
            survivors: stop.survivors,
            attached,
            standbys,
        }
    }

    /// Tells who asks which phases it was in, how the last liveness checks went, when the next start
    /// is, and how far a stop is.
    pub(super) fn tell_checks(&mut self, call: Call) {
        let rules = self.setup.policy.liveness;
        let every = |rules: Liveness| u64::try_from(rules.interval.as_millis()).unwrap_or(u64::MAX);
        let now = clock::now();
        let checks = self.machine.checks.told(now);
        let failed = checks.last().is_some_and(|last| !last.passed);
        let why = self.looks.insight.failure.as_ref().filter(|_| failed);
        let why = why.map(|why| why.chars().take(WHY_MAX).collect());
        let fare = Fare {
            every_ms: rules.map(every),
            restart: Some(self.setup.policy.restart.to_string()),
            why,
            checks,
            phases: self.phases.told(boot_ms()),
            phases_dropped: self.phases.are_dropped(),
            next_try: self.machine.next_try(now),
            stop: self.machine.stop_standing(now),
        };
        self.setup.callers.tell(call, &ToClient::Checks(fare));
    }

    /// Tells callers and the record where the instance is in its life, if that has changed.
    pub(super) fn tell_standing(&mut self) {
        let standing = self.standing();
        let changed = self.told.as_ref().is_none_or(|told| {
            (told.phase, told.pid, told.restarts, &told.survivors)
                != (standing.phase, standing.pid, standing.restarts, &standing.survivors)
        });
        let (leader, listener) = (self.family.leader, self.family.heir());
        let ready_after = self.machine.first_ready_after();
        self.setup.held.update(|vitals| {
            vitals.leader = leader;
            vitals.listener = listener;
            vitals.phase = shown(standing.phase);
            vitals.restarts = standing.restarts;
            vitals.ready_ms =
                ready_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        });
        if changed {
            self.phases.note(standing.phase, standing.since_boot_ms);
            self.setup.callers.tell_all(&ToClient::Phase(standing.clone()));
            self.told = Some(standing);
        }
    }
}

/// Now, in ms since boot.
fn boot_ms() -> u64 {
    u64::try_from(clock::since_boot().as_millis()).unwrap_or(u64::MAX)
}

/// The phase as everyone is shown it.
fn shown(phase: Phase) -> registry::Phase {
    match phase {
        Phase::Starting => registry::Phase::Starting,
        Phase::Ready => registry::Phase::Ready,
        Phase::Unhealthy => registry::Phase::Unhealthy,
        Phase::Backoff => registry::Phase::Backoff,
        Phase::Stopping => registry::Phase::Stopping,
        Phase::Stuck => registry::Phase::Stuck,
    }
}

//! The ranges that auto-allocation made: which there are, taking them back, and consolidating them.
//!
//! What is taken back or joined is `decision::retire`'s business.

use super::{
    error::Error,
    host::{Host, Tell},
    lease::now,
};
use crate::{
    config::TypeName,
    decision::retire::{self, Consolidation, holders},
    os::clock,
    ports::{Port, Range, RangeMap},
    registry::{AutoRange, InstanceName, Registry, Remarks},
};
use serde::Serialize;

pub use crate::{
    decision::retire::{Force, Which},
    os::port_probe::ephemeral_range,
};

/// One automatic range, as JSON has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RangeView {
    /// Whose it is.
    pub r#type: TypeName,
    /// Its ports.
    pub range: Range,
    /// When it was made.
    pub created: String,
    /// When a lease in it was last made or ended, at most a day behind.
    pub used: Option<String>,
    /// How many leases are in it.
    pub leased: usize,
}

/// What auto-allocation is set to, and what it has made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether unknown types get ranges.
    pub enabled: bool,
    /// Whether a person is asked first.
    pub require_confirmation: bool,
    /// How many ports a new range has.
    pub chunk_size: u16,
    /// Where it goes.
    pub placement: String,
    /// Between which ports.
    pub bounds: Range,
    /// How many ports lie between two.
    pub gap_size: u16,
    /// The ranges that there are, in the order in which they were made.
    pub ranges: Vec<RangeView>,
}

/// What was taken back.
#[derive(Debug, Serialize)]
pub struct Undone {
    /// The ranges.
    pub ranges: Vec<RangeView>,
}

/// Blocks that were joined.
#[derive(Debug, Serialize)]
pub struct JoinedView {
    /// Whose they were.
    pub r#type: TypeName,
    /// The blocks.
    pub parts: Vec<Range>,
    /// The one in their place.
    pub range: Range,
}

/// Ranges and what lies between them at one moment.
#[derive(Debug, Serialize)]
pub struct Scene {
    /// The automatic ranges, lowest first.
    pub ranges: Vec<RangeView>,
    /// The blocks between `min_port` and `max_port` that no range has.
    pub free: Vec<Range>,
}

/// What consolidation did, or would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consolidated {
    /// Nothing was changed.
    pub dry_run: bool,
    /// Ranges that nobody has used for long enough.
    pub retired: Vec<RangeView>,
    /// Blocks that became one.
    pub joined: Vec<JoinedView>,
    /// Before.
    pub before: Scene,
    /// After.
    pub after: Scene,
}

/// Whether something is done, or only shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearsal {
    /// It is done.
    No,
    /// It is only shown.
    Yes,
}

impl Host {
    /// What auto-allocation is set to, and what it has made.
    pub fn auto_allocation(&self, tell: &Tell<'_>) -> Result<Status, Error> {
        let settings = self.config.auto_allocation();
        let registry = self.living(self.read(tell)?);
        Ok(Status {
            enabled: settings.enabled,
            require_confirmation: settings.require_confirmation,
            chunk_size: settings.default_chunk_size.get(),
            placement: settings.placement.to_string(),
            bounds: self.bounds(),
            gap_size: settings.gap(),
            ranges: registry.ranges.iter().map(|auto| view(&registry, auto)).collect(),
        })
    }

    /// Takes ranges back: all that were asked for, or none.
    pub fn undo_ranges(
        &self,
        which: &Which,
        force: Force,
        tell: &Tell<'_>,
    ) -> Result<Undone, Error> {
        let world = self.world();
        self.transact(tell, &world, |registry, remarks| {
            // A dead holder is not in the way.
            self.collect(registry, remarks, &world, usize::MAX);
            let gone = retire::undo(registry, which, force)?;
            let ranges = gone.iter().map(|auto| view(registry, auto)).collect();
            registry.remove_ranges(&gone);
            Ok(Undone { ranges })
        })
    }

    /// Gives back ranges that nobody has used for `retire_after`, and joins blocks of one type that touch.
    pub fn consolidate(
        &self,
        rehearsal: Rehearsal,
        tell: &Tell<'_>,
    ) -> Result<Consolidated, Error> {
        if rehearsal == Rehearsal::Yes {
            let mut registry = self.living(self.read(tell)?);
            let before = self.scene(&registry);
            let found = self.consolidation(&registry);
            return Ok(self.consolidated(rehearsal, before, &found, &mut registry));
        }
        let world = self.world();
        self.transact(tell, &world, |registry, remarks| {
            self.collect(registry, remarks, &world, usize::MAX);
            let before = self.scene(registry);
            let found = self.consolidation(registry);
            remarks.retired.extend(found.retired.iter().map(|auto| auto.range));
            Ok(self.consolidated(rehearsal, before, &found, registry))
        })
    }

    /// What a lease's end does beside: its range counts as used, and with `consolidate_on_release` all
    /// are consolidated. Within the transaction that ended it.
    pub(super) fn consolidate_after(
        &self,
        registry: &mut Registry,
        remarks: &mut Remarks,
        ended: &InstanceName,
    ) {
        self.note_use(registry, ended);
        if self.config.auto_allocation().consolidate_on_release {
            let found = self.consolidation(registry);
            remarks.retired.extend(found.retired.iter().map(|auto| auto.range));
            found.apply(registry);
        }
    }

    /// Writes down that the ranges of an instance were used just now.
    pub(super) fn note_use(&self, registry: &mut Registry, name: &InstanceName) {
        if registry.ranges.is_empty() {
            return;
        }
        let ports: Vec<Port> = registry.instance(name).map_or_else(Vec::new, |instance| {
            instance.ports.iter().map(|named| named.port).collect()
        });
        registry.note_use(&ports, &now());
    }

    fn consolidation(&self, registry: &Registry) -> Consolidation {
        let retire_after = self.config.auto_allocation().retire_after;
        retire::consolidate(registry, retire_after, clock::utc())
    }

    fn consolidated(
        &self,
        rehearsal: Rehearsal,
        before: Scene,
        found: &Consolidation,
        registry: &mut Registry,
    ) -> Consolidated {
        let retired = found.retired.iter().map(|auto| view(registry, auto)).collect();
        let joined = found.joined.iter().map(|joined| JoinedView {
            r#type: joined.whole.service_type.clone(),
            parts: joined.parts.clone(),
            range: joined.whole.range,
        });
        let joined = joined.collect();
        found.apply(registry);
        let after = self.scene(registry);
        Consolidated { dry_run: rehearsal == Rehearsal::Yes, retired, joined, before, after }
    }

    fn scene(&self, registry: &Registry) -> Scene {
        let automatic = registry.ranges.iter().map(|auto| auto.range);
        let known = self.config.service_types().into_iter().filter_map(|known| known.range);
        let held = RangeMap::new(automatic.chain(known));
        let mut ranges: Vec<RangeView> =
            registry.ranges.iter().map(|auto| view(registry, auto)).collect();
        ranges.sort_by_key(|view| view.range);
        Scene { ranges, free: held.free_blocks(self.bounds(), 0) }
    }

    fn bounds(&self) -> Range {
        let settings = self.config.auto_allocation();
        Range::new(settings.min_port, settings.max_port)
            .expect("inverted bounds are refused when the configuration is read")
    }
}

fn view(registry: &Registry, auto: &AutoRange) -> RangeView {
    RangeView {
        r#type: auto.service_type.clone(),
        range: auto.range,
        created: auto.created.clone(),
        used: auto.used.clone(),
        leased: holders(registry, auto.range).len(),
    }
}

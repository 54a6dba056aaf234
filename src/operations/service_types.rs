//! `types`: every service type, its ranges, how full they are; and the document that tells of them.

use super::{
    error::Error,
    host::{Host, Tell},
    port_table,
    view::TypeView,
};
use crate::{
    config::{Behavior, Config, TypeOrigin},
    os::dirs,
    ports::{Port, Range},
    registry::{AutoRange, Holder, Registry},
    store::PortTable,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The answer, as JSON has it.
#[derive(Debug, Serialize)]
pub struct ServiceTypes {
    /// By their first port.
    pub types: Vec<TypeView>,
    /// Every port that has a lease: for the picture.
    #[serde(skip)]
    pub held: BTreeMap<Port, Held>,
}

/// How a port is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// By an instance that runs.
    Used,
    /// By a reservation.
    Reserved,
}

impl Host {
    /// Every service type.
    pub fn service_types(&self, tell: &Tell<'_>) -> Result<ServiceTypes, Error> {
        let living = self.living(self.read(tell)?);
        let held: BTreeMap<Port, Held> = living
            .leased()
            .flat_map(|(instance, lease)| {
                let held = match lease.holder {
                    Holder::Supervisor => Held::Used,
                    Holder::Reserved(_) => Held::Reserved,
                };
                instance.ports.iter().map(move |named| (named.port, held))
            })
            .collect();
        let types = types(&self.config, &living);
        let types = types.into_iter().map(|view| counted(view, &held)).collect();
        Ok(ServiceTypes { types, held })
    }

    /// The table of the document as Markdown, and below it who holds what at the moment.
    pub fn types_as_markdown(&self, tell: &Tell<'_>) -> Result<String, Error> {
        let registry = self.read(tell)?;
        let table = port_table::types(&types(&self.config, &registry), &registry.ranges);
        let holders = port_table::holders(&self.views(&registry));
        Ok(format!("{table}\n{holders}"))
    }

    /// The document for people, and what it says of a registry. It tells of the machine: a project's
    /// ranges bind that project alone.
    pub(super) fn port_table(&self, registry: &Registry) -> PortTable {
        let home = dirs::home(&|name| std::env::var_os(name));
        let path = self.config.document().resolve(self.store.path(), home.as_deref());
        let types = types(self.config.of_machine(), registry);
        PortTable { path, text: port_table::types(&types, &registry.ranges) }
    }
}

/// What a configuration and a registry know of types together, by their first port; how full they are is
/// not counted.
fn types(config: &Config, registry: &Registry) -> Vec<TypeView> {
    let mut automatic: BTreeMap<&str, Vec<&AutoRange>> = BTreeMap::new();
    for auto in &registry.ranges {
        automatic.entry(auto.service_type.as_str()).or_default().push(auto);
    }
    let mut types: Vec<TypeView> = config
        .service_types()
        .into_iter()
        .map(|known| {
            let automatic = automatic.remove(known.name.as_str()).unwrap_or_default();
            TypeView {
                name: known.name.to_string(),
                origin: known.origin,
                instance_behavior: known.behavior,
                description: known.description,
                ranges: known.range.map_or_else(|| ranges(&automatic), |range| vec![range]),
                leased: 0,
                free: 0,
            }
        })
        .collect();
    types.extend(automatic.into_iter().map(|(name, ranges_made)| TypeView {
        name: name.to_owned(),
        origin: TypeOrigin::Auto,
        instance_behavior: Behavior::Multi,
        description: format!("auto-allocated {}", day(&ranges_made)),
        ranges: ranges(&ranges_made),
        leased: 0,
        free: 0,
    }));
    types.sort_by_key(|view| view.ranges.first().copied());
    types
}

fn ranges(automatic: &[&AutoRange]) -> Vec<Range> {
    automatic.iter().map(|auto| auto.range).collect()
}

/// The day of the first of them.
fn day<'a>(automatic: &[&'a AutoRange]) -> &'a str {
    automatic.first().and_then(|auto| auto.created.get(..10)).unwrap_or_default()
}

fn counted(view: TypeView, held: &BTreeMap<Port, Held>) -> TypeView {
    let size: usize = view.ranges.iter().map(|range| usize::from(range.size())).sum();
    let leased: usize =
        view.ranges.iter().map(|range| held.range(range.first()..=range.last()).count()).sum();
    TypeView { leased, free: size - leased, ..view }
}

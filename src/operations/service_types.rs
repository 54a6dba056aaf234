//! `types`: every service type, its ranges, and how full they are.

use super::{
    error::Error,
    host::{Host, Tell},
    view::TypeView,
};
use crate::{
    config::{Behavior, TypeOrigin},
    ports::Range,
    registry::{AutoRange, Registry},
};
use serde::Serialize;

/// The answer, as JSON has it.
#[derive(Debug, Serialize)]
pub struct ServiceTypes {
    /// By their first port.
    pub types: Vec<TypeView>,
}

impl Host {
    /// Every service type.
    pub fn service_types(&self, tell: &Tell<'_>) -> Result<ServiceTypes, Error> {
        let living = self.living(self.read(tell)?);
        let mut types: Vec<TypeView> = self
            .config
            .service_types()
            .into_iter()
            .map(|known| {
                let automatic: Vec<Range> = living.ranges_of(&known.name).collect();
                let ranges = known.range.map_or(automatic, |range| vec![range]);
                let view = TypeView {
                    name: known.name.to_string(),
                    origin: known.origin,
                    instance_behavior: known.behavior,
                    description: known.description,
                    ranges,
                    leased: 0,
                    free: 0,
                };
                counted(view, &living)
            })
            .collect();
        for auto in &living.ranges {
            let name = auto.service_type.as_str();
            if !types.iter().any(|known| known.name == name) {
                types.push(counted(automatic(auto, &living), &living));
            }
        }
        types.sort_by_key(|view| view.ranges.first().copied());
        Ok(ServiceTypes { types })
    }
}

fn automatic(auto: &AutoRange, living: &Registry) -> TypeView {
    TypeView {
        name: auto.service_type.to_string(),
        ranges: living.ranges_of(&auto.service_type).collect(),
        origin: TypeOrigin::Auto,
        instance_behavior: Behavior::Multi,
        description: format!("auto-allocated {}", auto.created.get(..10).unwrap_or_default()),
        leased: 0,
        free: 0,
    }
}

fn counted(view: TypeView, living: &Registry) -> TypeView {
    let size: usize = view.ranges.iter().map(|range| usize::from(range.size())).sum();
    let within = |port| view.ranges.iter().any(|range| range.contains(port));
    let leased = living
        .leased()
        .flat_map(|(instance, _)| &instance.ports)
        .filter(|named| within(named.port))
        .count();
    TypeView { leased, free: size - leased, ..view }
}

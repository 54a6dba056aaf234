//! All decisions about ports in a row, against a model that is no more than a few maps: any story of
//! leases and ranges ends in the registry that the model foretold.
//!
//! Pure. Each decision by itself is tested in its own file.

use super::{
    give_way, new_range,
    port::{self, Choice, Wish},
    range_rule::{Rule, Source, Way},
    reclaim,
    refusal::Refusal,
    retire::{self, Force, UndoRefusal, Which},
    world::tests::{Told, lease, lock_id, name},
};
use crate::{
    ports::{Port, Range},
    registry::{
        Action, Durability, Holder, Instance, InstanceName, NamedPort, Overlay, Registry, Remarks,
        check, compare,
    },
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const BOUNDS: (u16, u16) = (5, 74);
const GAP: u16 = 3;
const CHUNK: u16 = 4;
const MADE: &str = "2025-01-01T00:00:00Z";
const TYPES: u8 = 3;
const IDS: u8 = 4;

/// Type and id of an instance.
type Who = (u8, u8);
/// Ports with their names.
type Ports = Vec<(String, u16)>;

/// One thing that somebody does.
#[derive(Debug, Clone)]
enum Step {
    /// Asks for ports: this one, these first, or any; as many as there are names.
    Allocate { who: Who, exact: Option<u16>, prefer: Option<u16>, several: bool, way: Way },
    /// Ends a lease.
    Release(Who),
    /// These die, and somebody collects their leases.
    Reclaim(BTreeSet<Who>),
    /// Takes ranges back: of a type, all, or the last one.
    Undo { which: Option<u8>, all: bool, force: bool },
    /// Tidies up.
    Consolidate { retire: bool },
    /// Configures these ports, and the automatic ranges give way.
    Configure { first: u16, more: u16 },
    /// A stranger takes the port, or leaves it.
    Foreign(u16),
}

/// What is known of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    ports: Ports,
    is_leased: bool,
    /// The step that gave it a lease or took it last.
    age: u64,
}

/// The model: whose each port is, and what every instance has.
#[derive(Debug, Clone, Default)]
struct Model {
    /// The owner of each port in an automatic range, and which range that is, counted as they are made.
    owners: BTreeMap<u16, (u8, u32)>,
    made: u32,
    rows: BTreeMap<Who, Row>,
    /// Ports that people configured.
    configured: BTreeSet<u16>,
    /// Ports that strangers have.
    foreign: BTreeSet<u16>,
}

impl Model {
    fn leased(&self) -> BTreeSet<u16> {
        let rows = self.rows.values().filter(|row| row.is_leased);
        rows.flat_map(|row| &row.ports).map(|(_, port)| *port).collect()
    }

    /// The ports of a type in the order in which it got their ranges.
    fn ports_of(&self, service_type: u8) -> Vec<u16> {
        let own = self.owners.iter().filter(|(_, (owner, _))| *owner == service_type);
        let mut ports: Vec<(u32, u16)> = own.map(|(port, (_, made))| (*made, *port)).collect();
        ports.sort_unstable();
        ports.into_iter().map(|(_, port)| port).collect()
    }

    /// The ranges in their order: ports in a row of one making.
    fn ranges(&self) -> Vec<(u8, Vec<u16>)> {
        let mut runs: Vec<(u32, u8, Vec<u16>)> = Vec::new();
        for (port, (owner, made)) in &self.owners {
            match runs.last_mut() {
                Some((last, _, ports)) if last == made && ports.ends_with(&[port - 1]) => {
                    ports.push(*port);
                }
                Some(_) | None => runs.push((*made, *owner, vec![*port])),
            }
        }
        runs.sort_by_key(|(made, _, ports)| (*made, ports[0]));
        runs.into_iter().map(|(_, owner, ports)| (owner, ports)).collect()
    }

    /// The ports that somebody gets; none if there are too few.
    fn foretell(&self, who: Who, prefer: Option<u16>, names: &[String]) -> Option<Ports> {
        let others = || self.rows.iter().filter(|(other, _)| **other != who).map(|(_, row)| row);
        let mut taken: BTreeSet<u16> = self.leased().union(&self.foreign).copied().collect();
        let mut found = Ports::new();
        for name in names {
            let had = self.rows.get(&who).and_then(|row| {
                row.ports.iter().find(|(own, _)| own == name).map(|(_, port)| *port)
            });
            let remembered = |port: u16| {
                let rows = others().filter(|row| !row.is_leased);
                let rows = rows.filter(|row| row.ports.iter().any(|(_, other)| *other == port));
                rows.map(|row| row.age).max()
            };
            let mut by_liking: Vec<_> = self.ports_of(who.0).into_iter().enumerate().collect();
            by_liking.sort_by_key(|(place, port)| match remembered(*port) {
                None => (0, *place),
                Some(age) => (1 + age, usize::from(*port)),
            });
            let first = found.is_empty().then_some(prefer).flatten();
            let mut places = first.into_iter().chain(had).chain(by_liking.into_iter().map(|p| p.1));
            let port = places.find(|port| !taken.contains(port))?;
            taken.insert(port);
            found.push((name.clone(), port));
        }
        Some(found)
    }

    /// Whether a new range of that type may begin there.
    fn has_room(&self, service_type: u8, first: u16) -> bool {
        let last = first + CHUNK - 1;
        let owner = |port: u16| self.owners.get(&port).map(|(owner, _)| *owner);
        let touches = [first - 1, last + 1].map(owner).contains(&Some(service_type));
        let leased = self.leased();
        let inside = |port: u16| (first..=last).contains(&port);
        first >= BOUNDS.0
            && last <= BOUNDS.1
            && (first.saturating_sub(GAP)..=last + GAP).all(|port| {
                let is_in_the_way = match owner(port) {
                    Some(owner) if owner == service_type => inside(port) || !touches,
                    Some(_) => true,
                    None => false,
                };
                let is_used = leased.contains(&port) || self.foreign.contains(&port);
                !(is_in_the_way || self.configured.contains(&port) || inside(port) && is_used)
            })
    }

    fn make(&mut self, service_type: u8, first: u16) {
        self.made += 1;
        let made = self.made;
        self.owners.extend((first..first + CHUNK).map(|port| (port, (service_type, made))));
    }

    /// Takes ports from a type; its ended instances that had one of them are forgotten.
    fn take(&mut self, service_type: u8, ports: &[u16]) {
        self.owners.retain(|port, _| !ports.contains(port));
        self.rows.retain(|who, row| {
            row.is_leased
                || who.0 != service_type
                || !row.ports.iter().any(|(_, port)| ports.contains(port))
        });
    }

    fn is_in_use(&self, ports: &[u16]) -> bool {
        let leased = self.leased();
        ports.iter().any(|port| leased.contains(port))
    }

    fn end(&mut self, who: Who, age: u64) {
        if let Some(row) = self.rows.get_mut(&who) {
            (row.is_leased, row.age) = (false, age);
        }
    }

    /// Blocks of one type that touch become one, in the place of the newest.
    fn join(&mut self) {
        let mut runs: Vec<(u8, u32, Vec<u16>)> = Vec::new();
        for (port, (owner, made)) in &self.owners {
            match runs.last_mut() {
                Some((last, newest, ports)) if last == owner && ports.ends_with(&[port - 1]) => {
                    *newest = (*newest).max(*made);
                    ports.push(*port);
                }
                Some(_) | None => runs.push((*owner, *made, vec![*port])),
            }
        }
        for (owner, made, ports) in runs {
            self.owners.extend(ports.into_iter().map(|port| (port, (owner, made))));
        }
    }
}

/// The registry and its model, side by side.
#[derive(Clone, Default)]
struct Both {
    registry: Registry,
    model: Model,
    configured: Vec<Range>,
}

fn name_of((service_type, id): Who) -> InstanceName {
    name(&format!("t{service_type}/i{id}"))
}

fn numbers(ports: &[NamedPort]) -> Ports {
    ports.iter().map(|named| (named.name.clone(), named.port.number())).collect()
}

impl Both {
    fn world(&self) -> Told {
        Told { taken: self.model.foreign.clone(), ..Told::default() }
    }

    fn ask(&self, who: Who, wish: &Wish) -> Result<Ports, Refusal> {
        let (registry, name) = (&self.registry, name_of(who));
        let ranges: Vec<Range> = registry.ranges_of(&name.service_type).collect();
        let choice = Choice { registry, name: &name, ranges: &ranges, preferred: &[], wish };
        port::choose(choice, &self.world()).map(|found| numbers(&found))
    }

    /// A range more; it is one that may be there, and there is one if any may.
    fn grow(&mut self, service_type: u8, way: &Way) -> Result<bool, TestCaseError> {
        let rule = Rule {
            chunk_size: CHUNK,
            bounds: Range::known(BOUNDS.0, BOUNDS.1),
            gap: GAP,
            avoid: None,
            configured: self.configured.clone(),
            beside_own: true,
            source: Source::Person,
            way: way.clone(),
        };
        let name = name_of((service_type, 0)).service_type;
        let Ok(range) = new_range::choose(&self.registry, &name, &rule, &self.world()) else {
            let room = (BOUNDS.0..BOUNDS.1).find(|port| self.model.has_room(service_type, *port));
            prop_assert_eq!(room, None, "there is room for t{}", service_type);
            return Ok(false);
        };
        prop_assert_eq!(range.size(), CHUNK);
        prop_assert!(self.model.has_room(service_type, range.first().number()), "{}", range);
        self.registry.ranges.push(new_range::row(&name, range, MADE.to_owned()));
        self.model.make(service_type, range.first().number());
        Ok(true)
    }

    fn allocate(&mut self, who: Who, wish: &Wish, way: &Way) -> Result<(), TestCaseError> {
        if self.model.rows.get(&who).is_some_and(|row| row.is_leased) {
            return Ok(());
        }
        let mut may_grow = true;
        if self.model.ports_of(who.0).is_empty() {
            may_grow = false;
            if !self.grow(who.0, way)? {
                return Ok(());
            }
        }
        let names = if wish.names.is_empty() { vec![String::new()] } else { wish.names.clone() };
        let exact = wish.exact.map(Port::number);
        let prefer = exact.or(wish.prefer.first().map(|port| port.number()));
        let mut found = self.ask(who, wish);
        let mut foretold = self.model.foretell(who, prefer, &names);
        if may_grow && matches!(found, Err(Refusal::RangeFull { .. })) {
            prop_assert_eq!(&foretold, &None);
            if !self.grow(who.0, way)? {
                return Ok(());
            }
            found = self.ask(who, wish);
            foretold = self.model.foretell(who, prefer, &names);
        }
        let in_the_way =
            exact.filter(|p| self.model.foreign.contains(p) || self.model.is_in_use(&[*p]));
        let ports = match (found, in_the_way) {
            (Ok(ports), None) => ports,
            (Err(Refusal::PortTaken { port } | Refusal::PortLeased { port, .. }), Some(asked)) => {
                prop_assert_eq!(port.number(), asked);
                return Ok(());
            }
            (Err(Refusal::RangeFull { .. }), None) => {
                prop_assert_eq!(foretold, None);
                return Ok(());
            }
            (found, asked) => {
                return Err(TestCaseError::fail(format!("{found:?}, asked for {asked:?}")));
            }
        };
        prop_assert_eq!(foretold.as_ref(), Some(&ports));
        let (name, age) = (name_of(who), self.registry.seq + 1);
        let named = |(name, port): &(String, u16)| NamedPort {
            name: name.clone(),
            port: Port::known(*port),
        };
        self.registry.put(Instance {
            ports: ports.iter().map(named).collect(),
            last_seq: age,
            overlay: Overlay::Unknown,
            lease: Some(lease(&name, Holder::Supervisor)),
            name,
        });
        self.model.rows.insert(who, Row { ports, is_leased: true, age });
        Ok(())
    }

    fn reclaim(&mut self, gone: &BTreeSet<Who>) -> Result<(), TestCaseError> {
        let ids = gone.iter().map(|who| lock_id(&name_of(*who)).to_string()).collect();
        let world = Told { gone: ids, ..self.world() };
        let dead = reclaim::dead(&self.registry, &world, usize::MAX);
        let is_leased = |who: &&Who| self.model.rows.get(who).is_some_and(|row| row.is_leased);
        let expected: Vec<Who> = gone.iter().filter(is_leased).copied().collect();
        let found: BTreeSet<_> = dead.iter().map(|dead| dead.name.clone()).collect();
        prop_assert_eq!(found, expected.iter().map(|who| name_of(*who)).collect());
        dead.iter().for_each(|dead| self.registry.end_lease(&dead.name));
        expected.iter().for_each(|who| self.model.end(*who, self.registry.seq + 1));
        Ok(())
    }

    fn undo(&mut self, which: Option<u8>, all: bool, force: bool) -> Result<(), TestCaseError> {
        let mut foretold = self.model.ranges();
        let which = match which {
            Some(service_type) => {
                foretold.retain(|(owner, _)| *owner == service_type);
                Which::Type(name_of((service_type, 0)).service_type)
            }
            None if all => Which::All,
            None => {
                foretold.drain(..foretold.len().saturating_sub(1));
                Which::Last
            }
        };
        let force = if force { Force::Yes } else { Force::No };
        match retire::undo(&self.registry, &which, force) {
            Ok(gone) => {
                prop_assert_eq!(gone.len(), foretold.len());
                self.registry.remove_ranges(&gone);
                for (owner, ports) in foretold {
                    prop_assert!(force == Force::Yes || !self.model.is_in_use(&ports));
                    self.model.take(owner, &ports);
                }
            }
            Err(UndoRefusal::Nothing | UndoRefusal::NoneOf(_)) => {
                prop_assert!(foretold.is_empty());
            }
            Err(UndoRefusal::InUse { .. }) => {
                let mut ranges = foretold.iter();
                prop_assert!(ranges.any(|(_, ports)| self.model.is_in_use(ports)));
                prop_assert_eq!(force, Force::No);
            }
        }
        Ok(())
    }

    fn consolidate(&mut self, retire: bool) {
        let after = if retire { Duration::ZERO } else { Duration::MAX };
        let now = "2025-02-01T00:00:00Z".parse().unwrap();
        retire::consolidate(&self.registry, after, now).apply(&mut self.registry);
        for (owner, ports) in self.model.ranges() {
            if retire && !self.model.is_in_use(&ports) {
                self.model.take(owner, &ports);
            }
        }
        self.model.join();
    }

    fn configure(&mut self, range: Range) {
        self.configured.push(range);
        self.model.configured.extend(range.ports().map(Port::number));
        for cut in give_way::cuts(&self.registry, &self.configured) {
            cut.apply(&mut self.registry);
        }
        for (owner, mut ports) in self.model.ranges() {
            ports.retain(|port| self.model.configured.contains(port));
            if !self.model.is_in_use(&ports) {
                self.model.take(owner, &ports);
            }
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Allocate { who, exact, prefer, several, way } => {
                let names: &[&str] = if *several { &["http", "grpc"] } else { &[] };
                let wish = Wish {
                    exact: exact.map(Port::known),
                    prefer: prefer.map(Port::known).into_iter().collect(),
                    names: names.iter().map(ToString::to_string).collect(),
                };
                self.allocate(*who, &wish, way)?;
            }
            Step::Release(who) => {
                self.registry.end_lease(&name_of(*who));
                self.model.end(*who, self.registry.seq + 1);
            }
            Step::Reclaim(gone) => self.reclaim(gone)?,
            Step::Undo { which, all, force } => self.undo(*which, *all, *force)?,
            Step::Consolidate { retire } => self.consolidate(*retire),
            Step::Configure { first, more } => {
                self.configure(Range::known(*first, first + more));
            }
            Step::Foreign(port) => {
                if !self.model.foreign.remove(port) {
                    self.model.foreign.insert(*port);
                }
            }
        }
        Ok(())
    }

    /// The registry is what the model says, and keeps all rules.
    fn judge(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(check(&self.registry), Ok(()));
        let ranges = self.registry.ranges.iter().map(|auto| {
            let ports: Vec<u16> = auto.range.ports().map(Port::number).collect();
            (auto.service_type.to_string(), ports)
        });
        let foretold = self.model.ranges().into_iter();
        let foretold: Vec<_> = foretold.map(|(own, ports)| (format!("t{own}"), ports)).collect();
        prop_assert_eq!(ranges.collect::<Vec<_>>(), foretold);
        let rows: BTreeMap<_, _> = self
            .registry
            .instances
            .iter()
            .map(|row| {
                let is_leased = row.lease.is_some();
                let known = Row { ports: numbers(&row.ports), is_leased, age: row.last_seq };
                (row.name.clone(), known)
            })
            .collect();
        let foretold = self.model.rows.iter().map(|(who, row)| (name_of(*who), row.clone()));
        prop_assert_eq!(rows, foretold.collect());
        for (port, (owner, _)) in &self.model.owners {
            let mut near = self.model.owners.range(port..=&(port + GAP));
            prop_assert!(near.all(|(_, (other, _))| other == owner), "a gap at {}", port);
        }
        Ok(())
    }

    /// The audit lines between two moments tell which leases began and ended, and whether ranges changed.
    fn judge_lines(&self, before: &Self) -> Result<u64, TestCaseError> {
        let (lines, durability) = compare(&before.registry, &self.registry, &Remarks::default());
        let is_disk = before.model.ranges() != self.model.ranges();
        prop_assert_eq!(durability == Durability::Disk, is_disk);
        let leases = |both: &Self| -> BTreeSet<Who> {
            let rows = both.model.rows.iter().filter(|(_, row)| row.is_leased);
            rows.map(|(who, _)| *who).collect()
        };
        let (old, new) = (leases(before), leases(self));
        let said = |action| {
            let lines = lines.iter().filter(move |line| line.action == action);
            lines.filter_map(|line| line.instance.clone()).collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(said(Action::Allocate), (&new - &old).into_iter().map(name_of).collect());
        prop_assert_eq!(said(Action::Release), (&old - &new).into_iter().map(name_of).collect());
        Ok(lines.len() as u64)
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let who = || (0..TYPES, 0..IDS);
    let port = || 1..BOUNDS.1 + 5;
    let maybe = move || prop_oneof![6 => Just(None), 1 => port().prop_map(Some)];
    let way = prop_oneof![3 => Just(Way::After), 1 => Just(Way::Before)];
    prop_oneof![
        12 => (who(), maybe(), maybe(), any::<bool>(), way).prop_map(
            |(who, exact, prefer, several, way)| Step::Allocate { who, exact, prefer, several, way }
        ),
        6 => who().prop_map(Step::Release),
        2 => prop::collection::btree_set(who(), 0..4).prop_map(Step::Reclaim),
        1 => (prop::option::of(0..TYPES), any::<bool>(), any::<bool>())
            .prop_map(|(which, all, force)| Step::Undo { which, all, force }),
        1 => any::<bool>().prop_map(|retire| Step::Consolidate { retire }),
        1 => (1..BOUNDS.1, 0u16..6).prop_map(|(first, more)| Step::Configure { first, more }),
        2 => port().prop_map(Step::Foreign),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_story_ends_as_the_model_foretells(
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let mut both = Both::default();
        for step in steps {
            let before = both.clone();
            both.take(&step)?;
            both.judge()?;
            both.registry.seq += both.judge_lines(&before)?;
        }
    }
}

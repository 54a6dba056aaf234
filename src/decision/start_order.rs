//! What waits for what when several services are started, and what still needs what when they are stopped.
//!
//! Pure. Services are told apart by their place in the list; what each one is doing is handed in.

use crate::config::suggestion;
use std::collections::BTreeMap;

/// Services that are started together, and which of them each one waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartOrder {
    names: Vec<String>,
    after: Vec<Vec<usize>>,
}

/// A service as its project describes it.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Names of other services, or `type/id` of instances that belong to nobody here.
    pub after: &'a [String],
}

/// What a service is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its turn.
    Waiting,
    /// It is not ready yet.
    Starting,
    /// It is ready.
    Ready,
    /// It did what it had to do, or was stopped.
    Over,
}

/// Why services cannot be started in any order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Somebody asks for a service that is not there.
    #[error("no service is called `{}`", name.escape_debug())]
    NoSuch {
        /// What was asked for.
        name: String,
        /// What to write instead.
        hint: String,
    },
    /// A service waits for one that is not there.
    #[error("no service is called `{}`", after.escape_debug())]
    Unknown {
        /// Which one waits.
        service: String,
        /// For what.
        after: String,
        /// What to write instead.
        hint: String,
    },
    /// Services wait for each other in a circle.
    #[error("waits for itself: {}", path.join(" after "))]
    Cycle {
        /// From a service over what it waits for to the same one.
        path: Vec<String>,
    },
}

impl StartOrder {
    /// The order of those that are wanted (all, if none is named) and of what they need. What the others
    /// say has to make sense too.
    pub fn new(services: &[Described<'_>], wanted: &[String]) -> Result<Self, OrderError> {
        let known: Vec<&str> = services.iter().map(|service| service.name).collect();
        let place = |name: &str| known.iter().position(|known| *known == name);
        let mut after = Vec::new();
        for service in services {
            after.push(places_of(service, &known, place)?);
        }
        if let Some(circle) = circle(&after) {
            let path = circle.into_iter().map(|place| known[place].to_owned()).collect();
            return Err(OrderError::Cycle { path });
        }
        let mut chosen = Vec::new();
        for name in wanted {
            let place = place(name).ok_or_else(|| OrderError::NoSuch {
                name: name.clone(),
                hint: suggestion(name, &known),
            })?;
            choose(place, &after, &mut chosen);
        }
        if wanted.is_empty() {
            (0..known.len()).for_each(|place| choose(place, &after, &mut chosen));
        }
        Ok(Self::of_chosen(&chosen, &known, &after))
    }

    /// The same with places in the list of the chosen.
    fn of_chosen(chosen: &[usize], known: &[&str], after: &[Vec<usize>]) -> Self {
        let renamed: BTreeMap<usize, usize> =
            chosen.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        Self {
            names: chosen.iter().map(|old| known[*old].to_owned()).collect(),
            after: chosen
                .iter()
                .map(|old| after[*old].iter().map(|needed| renamed[needed]).collect())
                .collect(),
        }
    }

    /// What they are called: each one behind all that it waits for.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Those whose turn it is to start: all that they wait for is ready, or has done what it had to do.
    pub fn startable(&self, stages: &[Stage]) -> Vec<usize> {
        let is_met = |place: &usize| matches!(stages[*place], Stage::Ready | Stage::Over);
        (0..self.names.len())
            .filter(|place| stages[*place] == Stage::Waiting)
            .filter(|place| self.after[*place].iter().all(is_met))
            .collect()
    }

    /// Those whose turn it is to stop: nothing that waited for them lives.
    pub fn stoppable(&self, stages: &[Stage]) -> Vec<usize> {
        let lives = |place: usize| matches!(stages[place], Stage::Starting | Stage::Ready);
        let is_needed = |place: usize| {
            self.after
                .iter()
                .enumerate()
                .any(|(other, after)| lives(other) && after.contains(&place))
        };
        (0..self.names.len()).filter(|place| lives(*place) && !is_needed(*place)).collect()
    }
}

/// The places of the services that a service waits for.
fn places_of(
    service: &Described<'_>,
    known: &[&str],
    place: impl Fn(&str) -> Option<usize>,
) -> Result<Vec<usize>, OrderError> {
    let mut places = Vec::new();
    for name in service.after {
        match place(name) {
            Some(place) => places.push(place),
            // An instance that is somebody else's: the run itself waits for it.
            None if name.contains('/') => {}
            None => {
                return Err(OrderError::Unknown {
                    service: service.name.to_owned(),
                    after: name.clone(),
                    hint: suggestion(name, known),
                });
            }
        }
    }
    Ok(places)
}

/// Puts a service behind all that it waits for, once.
fn choose(place: usize, after: &[Vec<usize>], chosen: &mut Vec<usize>) {
    if !chosen.contains(&place) {
        after[place].iter().for_each(|needed| choose(*needed, after, chosen));
        chosen.push(place);
    }
}

/// A way from a service over what it waits for back to itself, if there is one.
fn circle(after: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut cleared = vec![false; after.len()];
    (0..after.len()).find_map(|place| walk(place, after, &mut Vec::new(), &mut cleared))
}

fn walk(
    place: usize,
    after: &[Vec<usize>],
    way: &mut Vec<usize>,
    cleared: &mut [bool],
) -> Option<Vec<usize>> {
    if let Some(begin) = way.iter().position(|passed| *passed == place) {
        return Some(way[begin..].iter().copied().chain([place]).collect());
    }
    if cleared[place] {
        return None;
    }
    way.push(place);
    let found = after[place].iter().find_map(|needed| walk(*needed, after, way, cleared));
    way.pop();
    cleared[place] = true;
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `web: api db` is a service that waits for two others.
    fn order(lines: &[&str], wanted: &[&str]) -> Result<StartOrder, OrderError> {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let parts: Vec<(&str, Vec<String>)> = lines
            .iter()
            .map(|line| line.split_once(':').unwrap_or((line, "")))
            .map(|(name, after)| (name, words(after)))
            .collect();
        let described: Vec<Described<'_>> =
            parts.iter().map(|(name, after)| Described { name, after }).collect();
        StartOrder::new(&described, &words(&wanted.join(" ")))
    }

    #[test]
    fn each_one_stands_behind_all_that_it_waits_for() {
        for (lines, wanted, expected) in [
            (&["api: db", "db", "web: api"][..], &[][..], "db api web"),
            (&["api: db", "db", "web: api"], &["api"], "db api"),
            (&["api: db", "db", "web: api"], &["web"], "db api web"),
            (&["api: db", "db", "web: api"], &["db", "api", "db"], "db api"),
            (&["a: c b", "b: c", "c", "d"], &[], "c b a d"),
            (&["web: database/shared", "x"], &["web"], "web"),
            (&[], &[], ""),
        ] {
            assert_eq!(order(lines, wanted).unwrap().names().join(" "), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_makes_no_order_is_named() {
        for (lines, wanted, expected) in [
            (&["a: b", "b: c", "c: a"][..], &[][..], "waits for itself: a after b after c after a"),
            (&["x", "a: b", "b: b"], &["x"], "waits for itself: b after b"),
            (&["web: databse", "database"], &[], "no service is called `databse`"),
            (&["web", "api"], &["wbe"], "no service is called `wbe`"),
        ] {
            assert_eq!(order(lines, wanted).unwrap_err().to_string(), expected);
        }
        let error = order(&["web: databse", "database"], &[]).unwrap_err();
        let OrderError::Unknown { service, hint, .. } = error else { panic!("{error:?}") };
        assert_eq!((&service[..], &hint[..]), ("web", "did you mean 'database'?"));
        let error = order(&["web", "api"], &["postgres"]).unwrap_err();
        let OrderError::NoSuch { hint, .. } = error else { panic!("{error:?}") };
        assert_eq!(hint, "known here: web, api");
    }

    #[test]
    fn whose_turn_it_is_follows_from_what_the_others_are_doing() {
        use Stage::{Over, Ready, Starting, Waiting};
        // In the order of the names: db, api, web, and a worker that needs db alone.
        let order = order(&["api: db", "db", "web: api", "work: db"], &[]).unwrap();
        assert_eq!(order.names().join(" "), "db api web work");
        for (stages, startable, stoppable) in [
            ([Waiting, Waiting, Waiting, Waiting], &[0][..], &[][..]),
            ([Starting, Waiting, Waiting, Waiting], &[], &[0]),
            ([Ready, Waiting, Waiting, Waiting], &[1, 3], &[0]),
            ([Ready, Ready, Waiting, Starting], &[2], &[1, 3]),
            ([Ready, Ready, Ready, Ready], &[], &[2, 3]),
            ([Ready, Ready, Over, Ready], &[], &[1, 3]),
            ([Ready, Over, Over, Over], &[], &[0]),
            // One that did its work is as good as ready.
            ([Over, Waiting, Waiting, Waiting], &[1, 3], &[]),
        ] {
            assert_eq!(order.startable(&stages), startable, "{stages:?}");
            assert_eq!(order.stoppable(&stages), stoppable, "{stages:?}");
        }
    }

    /// Whether the edges have a circle, found in another way: by taking away what waits for nothing.
    fn is_circular(after: &[Vec<usize>]) -> bool {
        let mut left: Vec<usize> = (0..after.len()).collect();
        loop {
            let before = left.len();
            let rest = left.clone();
            left.retain(|place| after[*place].iter().any(|needed| rest.contains(needed)));
            if left.len() == before {
                return !left.is_empty();
            }
        }
    }

    fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
        (1usize..8)
            .prop_flat_map(|size| prop::collection::vec(prop::collection::vec(0..size, 0..3), size))
    }

    fn order_of(after: &[Vec<usize>]) -> Result<StartOrder, OrderError> {
        let lines: Vec<String> = after
            .iter()
            .enumerate()
            .map(|(place, after)| {
                let after: Vec<String> = after.iter().map(|place| format!("s{place}")).collect();
                format!("s{place}:{}", after.join(" "))
            })
            .collect();
        order(&lines.iter().map(String::as_str).collect::<Vec<_>>(), &[])
    }

    /// Starts all, the next one by that dice, then stops all; nothing may happen out of turn, and all
    /// has to come to its end.
    fn live(order: &StartOrder, dice: &[usize]) -> Result<(), TestCaseError> {
        let mut stages = vec![Stage::Waiting; order.names.len()];
        let mut dice = dice.iter().cycle();
        let mut pick = |from: &[usize]| from[dice.next().copied().unwrap_or(0) % from.len()];
        while let turn @ [_, ..] = &order.startable(&stages)[..] {
            let place = pick(turn);
            prop_assert!(order.after[place].iter().all(|needed| stages[*needed] == Stage::Ready));
            stages[place] = Stage::Ready;
        }
        prop_assert!(stages.iter().all(|stage| *stage == Stage::Ready), "all were started");
        while let turn @ [_, ..] = &order.stoppable(&stages)[..] {
            let place = pick(turn);
            for (other, after) in order.after.iter().enumerate() {
                prop_assert!(!after.contains(&place) || stages[other] == Stage::Over);
            }
            stages[place] = Stage::Over;
        }
        prop_assert!(stages.iter().all(|stage| *stage == Stage::Over), "all were stopped");
        Ok(())
    }

    proptest! {
        #[test]
        fn all_start_and_stop_in_turn_or_a_circle_is_named(
            after in graphs(),
            dice in prop::collection::vec(0usize..64, 16),
        ) {
            match order_of(&after) {
                Ok(order) => {
                    prop_assert!(!is_circular(&after));
                    live(&order, &dice)?;
                }
                Err(OrderError::Cycle { path }) => {
                    prop_assert!(is_circular(&after));
                    prop_assert!(path.len() > 1 && path.first() == path.last());
                    let place = |name: &str| name[1..].parse::<usize>().unwrap();
                    for pair in path.windows(2) {
                        prop_assert!(after[place(&pair[0])].contains(&place(&pair[1])));
                    }
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}

//! `audit`: what happened, when, and by whom; once, or on and on.

use super::{
    error::Error,
    host::{Host, Tell},
};
use crate::{
    config::{InstanceId, TypeName, parse_duration},
    decision::identity,
    os::{
        clock,
        interrupts::Interrupts,
        user,
        wait_set::{Interest, WaitSet},
    },
    registry::{Action, Registry},
    store::audit::Follower,
};

pub use crate::store::audit::{Entry, User};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    str::FromStr,
    time::Duration,
};

/// Which lines are wanted; what is not given does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Not before then.
    pub since: Option<When>,
    /// Not after then.
    pub until: Option<When>,
    /// Of that type.
    pub service_type: Option<TypeName>,
    /// Of instances with that id.
    pub id: Option<InstanceId>,
    /// One of these; empty is any.
    pub actions: Vec<Action>,
    /// By that user, by name or number.
    pub user: Option<String>,
}

/// A moment as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// That one.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

/// Why something is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no moment: write 2026-11-22T10:00:00Z, 2026-11-22 (UTC), or an age as 2h or 3d", .0.escape_debug())]
pub struct WhenError(String);

/// Something that happened, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The line of the log, with the user's name.
    pub entry: Entry,
    /// What it happened to: `dev/web@shop` in full, or a type.
    pub subject: Option<String>,
}

/// Who shows what happened.
pub type Show<'a> = dyn FnMut(&[Event]) -> Result<(), Error> + 'a;

impl Host {
    /// Shows what happened so far.
    pub fn audit(
        &self,
        filter: &Filter,
        show: &mut Show<'_>,
        tell: &Tell<'_>,
    ) -> Result<(), Error> {
        let mut names = Names::new(self, tell)?;
        let wanted = filter.resolved(clock::utc())?;
        let entries = self.store.audit().entries(names.reached, &|entry| wanted.fits(entry))?;
        show(&names.events(entries))
    }

    /// Shows what happened so far and what happens, until Ctrl-C; tells what to end with.
    pub fn follow_audit(
        &self,
        filter: &Filter,
        show: &mut Show<'_>,
        tell: &Tell<'_>,
    ) -> Result<i32, Error> {
        let failed = |source| Error::System { deed: "follow the audit log", source };
        let interrupts = Interrupts::take().map_err(failed)?;
        let mut follower = self.store.audit().follow()?;
        let mut names = Names::new(self, tell)?;
        let filter = filter.resolved(clock::utc())?;
        let wanted = &|entry: &Entry| filter.fits(entry);
        loop {
            let mut entries = Vec::new();
            let mut take = |entry| entries.push(entry);
            if follower.read_on(wanted, &mut take)? {
                let reached = self.read(tell)?.seq;
                follower.settle(reached, wanted, &mut take)?;
            }
            show(&names.events(entries))?;
            if is_interrupted(&interrupts, &follower).map_err(failed)? {
                return Ok(interrupts.which().exit_code());
            }
        }
    }
}

/// The log as it is read on and on; waiting is left to others.
pub struct Ledger {
    follower: Follower,
    names: Names,
}

impl Host {
    /// Everything that happened so far, and all that will.
    pub fn ledger(&self, tell: &Tell<'_>) -> Result<Ledger, Error> {
        Ok(Ledger { follower: self.store.audit().follow()?, names: Names::new(self, tell)? })
    }

    /// What has happened since the last look, but no more than the last `most` of it; `count` sees all of it.
    /// The first look sees the whole log.
    pub fn read_on(
        &self,
        ledger: &mut Ledger,
        most: usize,
        count: &mut dyn FnMut(&Entry),
        tell: &Tell<'_>,
    ) -> Result<Vec<Event>, Error> {
        let all = &|_: &Entry| true;
        let mut last = VecDeque::new();
        let mut take = |entry: Entry| {
            count(&entry);
            last.push_back(entry);
            last.drain(..last.len().saturating_sub(most));
        };
        if ledger.follower.read_on(all, &mut take)? {
            let registry = self.read(tell)?;
            ledger.names.learn(&registry);
            ledger.follower.settle(registry.seq, all, &mut take)?;
        }
        Ok(ledger.names.events(last.into()))
    }
}

/// Waits until there may be more, or nobody wants to see more.
fn is_interrupted(interrupts: &Interrupts, follower: &Follower) -> io::Result<bool> {
    let mut set = WaitSet::new();
    set.add(true, interrupts, Interest::Readable);
    set.add(false, follower, Interest::Readable);
    let mut ready = set.wait(None)?;
    Ok(ready.next().expect("a wait without a deadline ends with something"))
}

/// The names of users and projects, each looked up once.
struct Names {
    /// The number that the registry has reached.
    reached: u64,
    /// The roots of the projects that are known, so that two of one name are told apart.
    roots: BTreeSet<String>,
    users: BTreeMap<u32, String>,
}

impl Names {
    fn new(host: &Host, tell: &Tell<'_>) -> Result<Self, Error> {
        let registry = host.read(tell)?;
        let mut names =
            Self { reached: registry.seq, roots: BTreeSet::new(), users: BTreeMap::new() };
        names.learn(&registry);
        Ok(names)
    }

    fn learn(&mut self, registry: &Registry) {
        self.roots = registry.roots().map(str::to_owned).collect();
    }

    fn events(&mut self, entries: Vec<Entry>) -> Vec<Event> {
        entries.into_iter().map(|entry| self.event(entry)).collect()
    }

    fn event(&mut self, mut entry: Entry) -> Event {
        if let User::Number(uid) = entry.user {
            let name = self.users.entry(uid).or_insert_with(|| user::name(uid));
            entry.user = User::Name(name.clone());
        }
        let project = entry
            .project
            .as_deref()
            .map(|root| identity::display_name(root, self.roots.iter().map(String::as_str)));
        let name = entry.r#type.as_deref().map(|service_type| match entry.id.as_deref() {
            Some(id) => format!("{service_type}/{id}"),
            None => service_type.to_owned(),
        });
        let subject = name.map(|name| match project {
            Some(project) => format!("{name}@{project}"),
            None => name,
        });
        // A setting is its key.
        let key = || {
            Some(entry.after.as_ref().or(entry.before.as_ref())?.get("key")?.as_str()?.to_owned())
        };
        let subject = subject.or_else(key);
        Event { entry, subject }
    }
}

/// A filter whose moments and user are known.
struct Resolved<'a> {
    filter: &'a Filter,
    since: Option<i64>,
    until: Option<i64>,
    uid: Option<u32>,
}

impl Filter {
    fn resolved(&self, now: Timestamp) -> Result<Resolved<'_>, Error> {
        let uid = match &self.user {
            None => None,
            Some(name) => Some(user::number(name).ok_or_else(|| Error::Usage {
                message: format!("no user is called `{}` here", name.escape_debug()),
                hint: Some("give a name, or a number as in `id -u`".to_owned()),
            })?),
        };
        let second = |when: When| when.resolve(now).as_second();
        let (since, until) = (self.since.map(second), self.until.map(second));
        Ok(Resolved { filter: self, since, until, uid })
    }
}

impl Resolved<'_> {
    fn fits(&self, entry: &Entry) -> bool {
        let filter = self.filter;
        let text = |wanted: Option<&str>, found: Option<&str>| {
            wanted.is_none_or(|wanted| found == Some(wanted))
        };
        (filter.actions.is_empty() || filter.actions.contains(&entry.action))
            && text(filter.service_type.as_ref().map(TypeName::as_str), entry.r#type.as_deref())
            && text(filter.id.as_ref().map(InstanceId::as_str), entry.id.as_deref())
            && self.uid.is_none_or(|uid| entry.user == User::Number(uid))
            && self.is_in_time(entry)
    }

    /// To the second, which is what is shown: a moment that was copied from a line includes that line.
    fn is_in_time(&self, entry: &Entry) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let Ok(time) = entry.time.parse::<Timestamp>() else { return false };
        let second = time.as_second();
        self.since.is_none_or(|since| since <= second)
            && self.until.is_none_or(|until| second <= until)
    }
}

impl When {
    pub(super) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Ago(age) => SignedDuration::try_from(age)
                .ok()
                .and_then(|age| now.checked_sub(age).ok())
                .unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for When {
    type Err = WhenError;

    fn from_str(text: &str) -> Result<Self, WhenError> {
        let wrong = || WhenError(text.to_owned());
        if let Ok(moment) = text.parse() {
            return Ok(Self::At(moment));
        }
        if let Ok(moment) = text.parse::<DateTime>() {
            let moment = moment.to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
            return Ok(Self::At(moment.timestamp()));
        }
        // A bare number might be a year, or seconds: nobody can tell.
        let has_unit = text.bytes().any(|byte| byte.is_ascii_alphabetic());
        match parse_duration(text) {
            Ok(age) if has_unit => Ok(Self::Ago(age)),
            Ok(_) | Err(_) => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(time: &str, uid: u32) -> Entry {
        Entry {
            user: User::Number(uid),
            r#type: Some("ai".into()),
            id: Some("rag".into()),
            port: Some(11400),
            ..Entry::sample(time, Action::Release)
        }
    }

    #[test]
    fn a_moment_is_a_time_a_date_or_an_age() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-22T09:00:00Z", Some("2026-11-22T09:00:00Z")),
            ("2026-11-22T09:00:00+01:00", Some("2026-11-22T08:00:00Z")),
            ("2026-11-22 09:00:00.5Z", Some("2026-11-22T09:00:00.5Z")),
            ("2026-11-22", Some("2026-11-22T00:00:00Z")),
            ("2026-11-22T09:30", Some("2026-11-22T09:30:00Z")),
            ("2h", Some("2026-11-22T08:00:00Z")),
            ("3d", Some("2026-11-19T10:00:00Z")),
            ("1h30m", Some("2026-11-22T08:30:00Z")),
            ("2026", None),
            ("yesterday", None),
            ("-2h", None),
            ("2026-13-01", None),
            ("", None),
        ] {
            let found = text.parse::<When>().ok().map(|when| when.resolve(now));
            assert_eq!(found.map(|moment| moment.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_line_is_shown_when_it_fits_all_that_is_given() {
        let all = Filter::default();
        let when = |text: &str| Some(text.parse().unwrap());
        let second = "2026-11-22T09:00:00Z";
        for (filter, expected) in [
            (all.clone(), true),
            (Filter { service_type: Some("ai".parse().unwrap()), ..all.clone() }, true),
            (Filter { service_type: Some("dev".parse().unwrap()), ..all.clone() }, false),
            (Filter { id: Some("rag".parse().unwrap()), ..all.clone() }, true),
            (Filter { id: Some("a".parse().unwrap()), ..all.clone() }, false),
            (Filter { actions: vec![Action::Attach, Action::Release], ..all.clone() }, true),
            (Filter { actions: vec![Action::Attach], ..all.clone() }, false),
            (Filter { user: Some("root".to_owned()), ..all.clone() }, true),
            (Filter { user: Some("0".to_owned()), ..all.clone() }, true),
            (Filter { user: Some("1234567".to_owned()), ..all.clone() }, false),
            (Filter { since: when(second), until: when(second), ..all.clone() }, true),
            (Filter { since: when("2026-11-22T09:00:01Z"), ..all.clone() }, false),
            (Filter { until: when("1h"), ..all.clone() }, true),
            (Filter { until: when("2h"), ..all.clone() }, false),
        ] {
            let now = "2026-11-22T10:30:00Z".parse().unwrap();
            let fits = filter.resolved(now).unwrap().fits(&entry("2026-11-22T09:00:00.7Z", 0));
            assert_eq!(fits, expected, "{filter:?}");
        }
        let nobody = Filter { user: Some("nobody is called so".to_owned()), ..all };
        assert!(nobody.resolved(Timestamp::UNIX_EPOCH).is_err());
    }
}

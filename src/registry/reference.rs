//! What a user may call an instance: `type/id[@project]`, `id`, a port, or a lockId.
//!
//! Pure. A reference without `@` means the caller's project, then the machine's, then the only one of
//! that name; else an error lists them.

use super::{Instance, InstanceName, LockId, Scope};
use crate::config::{InstanceId, TypeName};
use crate::ports::Port;
use std::collections::BTreeSet;

/// A reference as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    text: String,
    service_type: Option<TypeName>,
    id: Option<InstanceId>,
    project: Option<String>,
    port: Option<Port>,
    lock_id: Option<LockId>,
}

/// Why a reference names no instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It cannot name anything.
    #[error("`{}` does not name an instance", .0.escape_debug())]
    Form(String),
    /// Nothing has that name.
    #[error("no instance `{0}`")]
    Unknown(String),
    /// Several have.
    #[error("`{text}` is ambiguous: {}", candidates.join(", "))]
    Ambiguous {
        /// As it was written.
        text: String,
        /// What it may mean, in full.
        candidates: Vec<String>,
    },
}

impl Reference {
    /// Reads what a user wrote.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let form = || ReferenceError::Form(text.to_owned());
        let (name, project) = match text.split_once('@') {
            Some((_, "")) => return Err(form()),
            Some((name, project)) => (name, Some(project.to_owned())),
            None => (text, None),
        };
        let (service_type, id) = match name.split_once('/') {
            Some((service_type, id)) => (
                Some(service_type.parse().map_err(|_| form())?),
                Some(id.parse().map_err(|_| form())?),
            ),
            None => (None, Some(name.parse().map_err(|_| form())?)),
        };
        let bare = service_type.is_none() && project.is_none();
        Ok(Self {
            text: text.to_owned(),
            service_type,
            id,
            project,
            port: if bare { text.parse().ok() } else { None },
            lock_id: if bare { text.parse().ok() } else { None },
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The one of these instances that it names for a caller in that project. `shown` is what a project
    /// is called.
    pub fn find<'a>(
        &self,
        among: &[&'a Instance],
        caller: &Scope,
        shown: &dyn Fn(&str) -> String,
    ) -> Result<&'a Instance, ReferenceError> {
        let lock_id =
            |i: &&&Instance| i.lease.as_ref().map(|l| &l.lock_id) == self.lock_id.as_ref();
        if let Some(found) = among.iter().find(|i| self.lock_id.is_some() && lock_id(i)) {
            return Ok(found);
        }
        let named: Vec<&Instance> =
            among.iter().copied().filter(|instance| self.matches(&instance.name, shown)).collect();
        if named.is_empty()
            && let Some(port) = self.port
            && let Some(found) = among.iter().find(|instance| instance.has_port(port))
        {
            return Ok(found);
        }
        // The caller's project says which of one name is meant, not which of several types.
        let types: BTreeSet<&TypeName> = named.iter().map(|i| &i.name.service_type).collect();
        if types.len() > 1 {
            return Err(self.ambiguous(&named, shown));
        }
        let of =
            |scope: &Scope| named.iter().filter(|i| i.name.scope == *scope).collect::<Vec<_>>();
        for scope in [caller, &Scope::Machine] {
            if let [one] = of(scope)[..] {
                return Ok(one);
            }
        }
        match named[..] {
            [one] => Ok(one),
            [] => Err(ReferenceError::Unknown(self.text.clone())),
            _ => Err(self.ambiguous(&named, shown)),
        }
    }

    fn ambiguous(&self, named: &[&Instance], shown: &dyn Fn(&str) -> String) -> ReferenceError {
        ReferenceError::Ambiguous {
            text: self.text.clone(),
            candidates: named.iter().map(|instance| full(&instance.name, shown)).collect(),
        }
    }

    fn matches(&self, name: &InstanceName, shown: &dyn Fn(&str) -> String) -> bool {
        self.service_type.as_ref().is_none_or(|wanted| *wanted == name.service_type)
            && self.id.as_ref().is_none_or(|wanted| *wanted == name.id)
            && self.project.as_ref().is_none_or(|wanted| {
                name.scope.root().is_some_and(|root| shown(root) == *wanted || root == wanted)
            })
    }
}

/// `type/id@project`, or `type/id` for the machine's.
fn full(name: &InstanceName, shown: &dyn Fn(&str) -> String) -> String {
    match name.scope.root() {
        Some(root) => format!("{name}@{}", shown(root)),
        None => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Holder, Lease, NamedPort, Overlay, Registry};

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let rows = [
            ("ai", "rag", None, 11400),
            ("dev", "web", Some("/w/shop"), 3000),
            ("dev", "web", Some("/w/blog"), 3001),
            ("api", "web", Some("/w/blog"), 8000),
            ("dev", "8000", None, 3002),
        ];
        for (number, (service_type, id, root, port)) in rows.into_iter().enumerate() {
            registry.put(Instance {
                name: InstanceName {
                    service_type: service_type.parse().unwrap(),
                    id: id.parse().unwrap(),
                    scope: root.map(Into::into).into(),
                },
                ports: [NamedPort { name: String::new(), port: Port::known(port) }].into(),
                last_seq: 0,
                overlay: Overlay::Unknown,
                lease: Some(Lease {
                    lock_id: format!("{service_type}-{id}-00000{number}").parse().unwrap(),
                    holder: Holder::Supervisor,
                    namespaces: Default::default(),
                    command: 0,
                    claims: Vec::new(),
                    next: None,
                }),
            });
        }
        registry
    }

    fn check(text: &str, caller: Option<&str>, expected: Result<u16, &str>) {
        let shown = |root: &str| root.rsplit('/').next().unwrap_or_default().to_owned();
        let registry = registry();
        let among: Vec<&Instance> = registry.leased().map(|(instance, _)| instance).collect();
        let found = Reference::parse(text).and_then(|reference| {
            let caller = Scope::from(caller.map(Into::into));
            reference.find(&among, &caller, &shown).map(|found| found.port().number())
        });
        match (found, expected) {
            (Ok(port), Ok(wanted)) => assert_eq!(port, wanted, "{text}"),
            (Err(error), Err(wanted)) => assert_eq!(error.to_string(), wanted, "{text}"),
            (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn every_way_to_name_an_instance_finds_it() {
        check("ai/rag", None, Ok(11400));
        check("rag", Some("/elsewhere"), Ok(11400));
        check("11400", None, Ok(11400));
        check("ai-rag-000000", None, Ok(11400));
        check("dev/web@shop", None, Ok(3000));
        check("dev/web", Some("/w/shop"), Ok(3000));
        check("dev/web@/w/blog", None, Ok(3001));
    }

    #[test]
    fn an_id_that_looks_like_a_port_is_an_id_first() {
        check("8000", None, Ok(3002));
        check("3000", None, Ok(3000));
    }

    #[test]
    fn what_names_nothing_or_too_much_is_an_error() {
        check("dev/web", None, Err("`dev/web` is ambiguous: dev/web@blog, dev/web@shop"));
        check(
            "web",
            Some("/w/blog"),
            Err("`web` is ambiguous: api/web@blog, dev/web@blog, dev/web@shop"),
        );
        check("ai/none", None, Err("no instance `ai/none`"));
        check("../x", None, Err("`../x` does not name an instance"));
        check("a/b/c", None, Err("`a/b/c` does not name an instance"));
        check("a@", None, Err("`a@` does not name an instance"));
    }
}

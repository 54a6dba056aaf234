//! A row of the state file, read by hand.
//!
//! Pure. Rows are nearly all that a transaction reads, and serde_json takes ten times as long for one. Only
//! its own spelling is read here: whatever is spelled in another way is `None`, and left to it.

use crate::{
    config::TypeName,
    registry::{
        Holder, Instance, InstanceName, Lease, NamedPort, Namespaces, Overlay, Ports,
        ProcessIdentity, Reservation, Scope,
    },
};
use std::sync::Arc;

/// Reads one row after another.
#[derive(Default)]
pub(super) struct RowReader<'a> {
    service_type: Last<'a, TypeName>,
    scope: Last<'a, Scope>,
    namespaces: Last<'a, Namespaces>,
}

impl<'a> RowReader<'a> {
    /// The instance that a text begins with, if it is spelled as serde_json does, and what follows it. It is
    /// made where it stays: ten thousand that are moved about take their time.
    pub(super) fn read(&mut self, text: &'a str) -> Option<(Arc<Instance>, &'a str)> {
        let mut rest = Rest(text);
        rest.skip("[")?;
        let service_type = self.service_type.or(&mut rest, |rest| rest.text()?.parse().ok())?;
        let id = rest.next(|rest| rest.text()?.parse().ok())?;
        let root = |rest: &mut Rest<'a>| rest.or_null(Rest::text);
        let scope = |rest: &mut Rest<'a>| Some(root(rest)?.map(Into::into).into());
        let scope = rest.next(|rest| self.scope.or(rest, scope))?;
        let ports = rest.next(Rest::ports)?;
        let last_seq = rest.next(Rest::number)?;
        let overlay = Overlay::from(rest.next(Rest::number::<u8>)?);
        let lease = rest.next(|rest| rest.or_null(|rest| rest.lease(&mut self.namespaces)))?;
        rest.skip("]")?;
        let name = InstanceName { service_type, id, scope };
        Some((Arc::new(Instance { name, ports, last_seq, overlay, lease }), rest.0))
    }
}

/// What the row before said in this place, and what that means: a type and a project have many instances, so
/// mostly the next row says the same.
struct Last<'a, T>(Option<(&'a str, T)>);

impl<T> Default for Last<'_, T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'a, T: Clone> Last<'a, T> {
    /// The same again, or what is read now. No value's text is the beginning of another one's: each ends with
    /// the quote or the bracket that closes it, or is `null`.
    fn or(
        &mut self,
        rest: &mut Rest<'a>,
        value: impl FnOnce(&mut Rest<'a>) -> Option<T>,
    ) -> Option<T> {
        if let Some((text, value)) = &self.0
            && rest.skip(text).is_some()
        {
            return Some(value.clone());
        }
        let before = rest.0;
        let value = value(rest)?;
        let text = &before[..before.len() - rest.0.len()];
        self.0.insert((text, value)).1.clone().into()
    }
}

/// Which bytes a string may have that is spelled without escapes: a table, since it is asked for every byte.
const PLAIN: [bool; 256] = {
    let mut table = [true; 256];
    let mut control = 0;
    while control < b' ' {
        table[control as usize] = false;
        control += 1;
    }
    table[b'"' as usize] = false;
    table[b'\\' as usize] = false;
    table
};

/// What is still to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn named_port(&mut self) -> Option<NamedPort> {
        self.skip("[")?;
        let (name, port) = (self.text()?, self.next(Rest::number::<u32>)?);
        self.skip("]")?;
        Some(NamedPort { name: name.to_owned(), port: port.try_into().ok()? })
    }

    /// Most instances have one.
    fn ports(&mut self) -> Option<Ports> {
        self.skip("[")?;
        let mut ports = Ports::from_iter([self.named_port()?]);
        while self.skip("]").is_none() {
            ports.push(self.next(Rest::named_port)?);
        }
        Some(ports)
    }

    fn lease(&mut self, last: &mut Last<'a, Namespaces>) -> Option<Lease> {
        self.skip("[")?;
        let lease = Lease {
            lock_id: self.text()?.parse().ok()?,
            holder: self
                .next(|rest| rest.or_null(Rest::reservation))?
                .map_or(Holder::Supervisor, Holder::Reserved),
            namespaces: self.next(|rest| last.or(rest, Rest::namespaces))?,
            command: self.next(Rest::number)?,
            claims: self.next(|rest| rest.list(|rest| rest.text().map(str::to_owned)))?,
            next: self.next(|rest| rest.or_null(|rest| rest.text()?.parse().ok()))?,
        };
        self.skip("]")?;
        Some(lease)
    }

    fn reservation(&mut self) -> Option<Reservation> {
        self.skip("[")?;
        let (ttl_ms, seen_ms) = (self.number()?, self.next(Rest::number)?);
        let process = self.next(|rest| rest.or_null(Rest::process))?;
        self.skip("]")?;
        Some(Reservation { process, ttl_ms, seen_ms })
    }

    fn process(&mut self) -> Option<ProcessIdentity> {
        self.skip("{\"pid\":")?;
        let pid = self.number()?;
        self.skip(",\"start\":")?;
        let start = self.number()?;
        self.skip("}")?;
        Some(ProcessIdentity { pid, start })
    }

    fn namespaces(&mut self) -> Option<Namespaces> {
        self.skip("[")?;
        let (pid, net) = (self.number()?, self.next(Rest::number)?);
        self.skip("]")?;
        Some(Namespaces { pid, net })
    }

    // ── Spelling ─────────────────────────────────────────────────────────────────────────────────────────

    fn skip(&mut self, letters: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(letters)?;
        Some(())
    }

    /// What follows a comma.
    fn next<T>(&mut self, value: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.skip(",")?;
        value(self)
    }

    /// A string without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.skip("\"")?;
        let end = self.0.bytes().position(|byte| !PLAIN[usize::from(byte)])?;
        let text;
        (text, self.0) = self.0.split_at(end);
        self.skip("\"")?;
        Some(text)
    }

    /// A whole number that is not negative.
    fn number<N: TryFrom<u64>>(&mut self) -> Option<N> {
        let (mut value, mut length) = (0u64, 0);
        for digit in self.0.bytes().map_while(|byte| byte.checked_sub(b'0').filter(|it| *it < 10)) {
            value = value.wrapping_mul(10).wrapping_add(digit.into());
            length += 1;
        }
        let digits;
        (digits, self.0) = self.0.split_at(length);
        // Up to 19 digits always fit; none are no number.
        let value = if (1..20).contains(&length) { value } else { digits.parse().ok()? };
        let is_spelled_so = length == 1 || !digits.starts_with('0');
        N::try_from(value).ok().filter(|_| is_spelled_so)
    }

    fn or_null<T>(&mut self, value: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.skip("null") {
            Some(()) => Some(None),
            None => value(self).map(Some),
        }
    }

    fn list<T>(&mut self, value: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.skip("[")?;
        if self.skip("]").is_some() {
            return Some(Vec::new());
        }
        let mut found = Vec::with_capacity(1);
        found.push(value(self)?);
        while self.skip("]").is_none() {
            found.push(self.next(&value)?);
        }
        Some(found)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{ports::Port, registry::LockId};
    use proptest::prelude::*;

    const NAME: &str = "[A-Za-z0-9][A-Za-z0-9._-]{0,30}";

    prop_compose! {
        fn lease()(
            dice: u32,
            reserved: Option<(u64, u64, Option<(i32, u64)>)>,
            namespaces: (u64, u64),
            command: u32,
            claims in prop::collection::vec(".*", 0..3),
            next: Option<u32>,
        ) -> Lease {
            let lock_id = |dice| LockId::new(&"a".parse().unwrap(), &"b".parse().unwrap(), dice);
            let holder = reserved.map_or(Holder::Supervisor, |(ttl_ms, seen_ms, process)| {
                let process = process.map(|(pid, start)| ProcessIdentity { pid, start });
                Holder::Reserved(Reservation { process, ttl_ms, seen_ms })
            });
            Lease {
                lock_id: lock_id(dice),
                holder,
                namespaces: namespaces.into(),
                command,
                claims,
                next: next.map(lock_id),
            }
        }
    }

    prop_compose! {
        /// Any instance.
        pub(in crate::store) fn instance()(
            service_type in NAME,
            id in NAME,
            root in prop::option::of("/(.*|[a-z/]*)"),
            ports in prop::collection::vec(("[a-z]{0,4}", 1u16..), 0..4),
            last_seq: u64,
            overlay in 0u8..4,
            lease in prop::option::of(lease()),
        ) -> Instance {
            let name = InstanceName {
                service_type: service_type.parse().unwrap(),
                id: id.parse().unwrap(),
                scope: root.map(Into::into).into(),
            };
            let named = |(name, port)| NamedPort { name, port: Port::known(port) };
            let ports = ports.into_iter().map(named).collect();
            Instance { name, ports, last_seq, overlay: overlay.into(), lease }
        }
    }

    fn spelled(instance: &Instance) -> String {
        serde_json::to_string(instance).unwrap()
    }

    #[test]
    fn the_usual_rows_are_read() {
        let rows = [
            r#"["ai","rag",null,[["",11400]],7,1,null]"#,
            r#"["ai","rag",null,[["",11400]],7,1,["ai-rag-7f3k2m",null,[1,2],3,["/data"],"ai-rag-000000"]]"#,
            r#"["dev","web","/home/ann/shop",[["http",3000],["grpc",3001]],7,0,["dev-web-7f3k2m",[600000,12,null],[1,2],0,[],null]]"#,
            r#"["dev","web","/home/ann/laden-größe",[["",3000]],7,0,["dev-web-7f3k2m",[0,12,{"pid":812,"start":99}],[1,2],0,[],null]]"#,
        ];
        let mut reader = RowReader::default();
        for row in rows.iter().chain(&rows) {
            let expected: Instance = serde_json::from_str(row).unwrap();
            assert_eq!(reader.read(row), Some((Arc::new(expected), "")), "{row}");
        }
    }

    #[test]
    fn another_spelling_is_left_to_serde_json() {
        for row in [
            r#"["ai", "rag",null,[["",11400]],7,1,null]"#,
            r#"["ai","rag","a\nb",[["",11400]],7,1,null]"#,
            r#"["ai","rag",null,[["",11400]],07,1,null]"#,
            r#"["ai","rag",null,[["",11400]],-7,1,null]"#,
            r#"["ai","rag",null,[["",0]],7,1,null]"#,
            r#"["ai","r/g",null,[["",11400]],7,1,null]"#,
            r#"["ai","rag",null,[["",11400]],7,1"#,
            "",
        ] {
            assert_eq!(RowReader::default().read(row), None, "{row}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_json_reads(rows in prop::collection::vec(instance(), 1..8)) {
            // Each stands beside one that says the same, and beside one that says something else.
            let texts: Vec<_> = rows.iter().map(|row| (row, spelled(row) + ",\n")).collect();
            let mut reader = RowReader::default();
            for (row, text) in texts.iter().chain(&texts).flat_map(|row| [row, row]) {
                prop_assert!(reader.read(text).is_none_or(|(read, rest)| *read == **row && rest == ",\n"));
            }
        }

        #[test]
        fn no_damage_is_read_as_something_else(row in instance(), at: usize, letter: char) {
            let whole = spelled(&row);
            let mut text: Vec<char> = whole.chars().collect();
            let at = at % text.len();
            text[at] = letter;
            let text: String = text.into_iter().collect();
            let mut after_the_whole = RowReader::default();
            after_the_whole.read(&whole);
            for mut reader in [RowReader::default(), after_the_whole] {
                if let Some((read, rest)) = reader.read(&text) {
                    let text = text.strip_suffix(rest).unwrap();
                    prop_assert_eq!(serde_json::from_str::<Instance>(text).unwrap(), Instance::clone(&read));
                }
            }
        }
    }
}

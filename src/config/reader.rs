//! One source laid over the configuration: each value checked against the schema, put in its place, its origin kept.
//!
//! Pure: the text is handed in. What only shows when several values are together is `validate`'s business.

use super::{
    error::ConfigError,
    key_path::join,
    layer::{Layer, Origin},
    schema::{Keys, Named, ROOT, Shape, find, keys},
    service_type::ReadyCheck,
    stack::Config,
    validate,
    value::{Given, Value, ValueError, insert_variable},
};
use std::{borrow::Cow, sync::Arc};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The rule of [`Reader::named`].
const ENTERED: &str = "what the user names is entered before a value of it is read";

/// Lays a file over the configuration.
pub(super) fn read_file(
    config: &mut Config,
    layer: Layer,
    path: &str,
    text: &str,
) -> Result<(), ConfigError> {
    let lines = Lines::of(text);
    let path: Arc<str> = path.into();
    let origin_at =
        |offset: usize| Origin::File { layer, path: Arc::clone(&path), line: lines.line(offset) };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        origin: origin_at(error.span().map_or(0, |span| span.start)),
        message: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    let mut reader = Reader { config, origin_at: &origin_at, written: None };
    reader.table(ROOT, &mut Vec::new(), table.get_ref())?;
    validate::ranges_apart(config, layer)
}

/// Lays one value over the configuration: a variable's or a flag's text, for a key that is in the schema.
pub(super) fn read_assignment(
    config: &mut Config,
    origin: &Origin,
    key: &[String],
    text: &str,
) -> Result<(), ConfigError> {
    let value = structured(text).unwrap_or_else(|| DeValue::String(text.into()));
    // The values in a table have their own marks.
    let written = (!value.is_table()).then_some(text);
    let whole = key.iter().rev().fold(value, |value, name| {
        let mut table = DeTable::new();
        table.insert(Spanned::new(0..0, name.as_str().into()), Spanned::new(0..0, value));
        DeValue::Table(table)
    });
    let mut reader = Reader { config, origin_at: &|_| origin.clone(), written };
    match &whole {
        DeValue::Table(table) => reader.table(ROOT, &mut Vec::new(), table),
        _ => Ok(()),
    }
}

/// The list or table that a text is, if it is one.
pub(super) fn structured(text: &str) -> Option<DeValue<'_>> {
    let text = text.trim();
    text.starts_with(['[', '{'])
        .then(|| DeValue::parse(text).ok())
        .flatten()
        .map(Spanned::into_inner)
        .filter(|value| value.is_table() || value.is_array())
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(ends.map(|(end, _)| end + 1).collect())
    }

    /// The line, from 1, of the byte at `offset`.
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset) + 1
    }
}

/// The way through one source.
struct Reader<'a> {
    config: &'a mut Config,
    origin_at: &'a dyn Fn(usize) -> Origin,
    /// The text of a variable or flag.
    written: Option<&'a str>,
}

impl Reader<'_> {
    /// Reads a table whose keys the schema names; `at` is its own key.
    fn table(
        &mut self,
        groups: Keys,
        at: &mut Vec<String>,
        table: &DeTable<'_>,
    ) -> Result<(), ConfigError> {
        let mut seen: Vec<&str> = Vec::new();
        for (written, value) in in_order(table) {
            let origin = (self.origin_at)(written.span().start);
            let name = written.get_ref();
            let Some(key) = find(groups, name) else {
                return Err(ConfigError::UnknownKey {
                    origin,
                    key: name.to_string(),
                    table: join(at),
                    known: keys(groups).map(|key| key.name).collect(),
                });
            };
            if seen.contains(&key.name) {
                let spelling = name.to_string();
                return Err(ConfigError::Twice {
                    origin,
                    key: key.name,
                    table: join(at),
                    spelling,
                });
            }
            seen.push(key.name);
            at.push(key.name.to_owned());
            self.below(&key.shape, at, &origin, value.get_ref())?;
            at.pop();
        }
        Ok(())
    }

    /// Reads what stands below a key.
    fn below(
        &mut self,
        shape: &'static Shape,
        at: &mut Vec<String>,
        origin: &Origin,
        value: &DeValue<'_>,
    ) -> Result<(), ConfigError> {
        let given = Given { value, written: self.written, origin };
        match (shape, value) {
            (Shape::Table(groups), DeValue::Table(table)) => self.table(groups, at, table),
            (Shape::Readiness(groups), DeValue::Table(table)) => {
                self.one_way(groups, at, origin, table)?;
                self.table(groups, at, table)
            }
            (Shape::Named(named), DeValue::Table(table)) => self.named(named, at, table),
            (Shape::Variables, DeValue::Table(table)) => self.variables(at, table),
            (Shape::Value(place), _) => {
                let done = place(self.config, at).expect(ENTERED).set(&given);
                self.note(at, origin, done)
            }
            (Shape::Readiness(_), _) => {
                match given.parsed::<ReadyCheck>("a readiness check or a table") {
                    Ok(check) => {
                        at.push(check.way().to_owned());
                        self.ready(at, origin, check)?;
                        at.pop();
                        Ok(())
                    }
                    Err(wrong) => self.note(at, origin, Err(wrong)),
                }
            }
            (Shape::ReadyWay, _) => match ready_way(at.last().map_or("", String::as_str), &given) {
                Ok(check) => self.ready(at, origin, check),
                Err(wrong) => self.note(at, origin, Err(wrong)),
            },
            (Shape::Table(_) | Shape::Named(_) | Shape::Variables, _) => {
                self.note(at, origin, Err(given.not("a table")))
            }
        }
    }

    /// Reads a table of things that the user names.
    fn named(
        &mut self,
        named: &'static Named,
        at: &mut Vec<String>,
        table: &DeTable<'_>,
    ) -> Result<(), ConfigError> {
        for (name, value) in in_order(table) {
            let origin = (self.origin_at)(name.span().start);
            at.push(name.get_ref().to_string());
            let entered = (named.enter)(self.config, at);
            self.note(at, &origin, entered)?;
            self.below(&named.each, at, &origin, value.get_ref())?;
            at.pop();
        }
        Ok(())
    }

    /// Reads a child's variables.
    fn variables(&mut self, at: &mut Vec<String>, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in in_order(table) {
            let origin = (self.origin_at)(name.span().start);
            let given = Given { value: value.get_ref(), written: self.written, origin: &origin };
            let settings = self.config.supervision_at(at).expect(ENTERED);
            let done = insert_variable(&mut settings.env, name.get_ref(), &given);
            at.push(name.get_ref().to_string());
            self.note(at, &origin, done)?;
            at.pop();
        }
        Ok(())
    }

    /// Puts a readiness check in its place.
    fn ready(
        &mut self,
        at: &[String],
        origin: &Origin,
        check: ReadyCheck,
    ) -> Result<(), ConfigError> {
        self.config.supervision_at(at).expect(ENTERED).ready = Some(check);
        self.note(at, origin, Ok(()))
    }

    /// Remembers where a value came from, or says what is wrong with it.
    fn note(
        &mut self,
        at: &[String],
        origin: &Origin,
        done: Result<(), ValueError>,
    ) -> Result<(), ConfigError> {
        let key = join(at);
        match done {
            Ok(()) => {
                self.config.origins.insert(key, origin.clone());
                Ok(())
            }
            Err(wrong) => Err(ConfigError::Value { origin: origin.clone(), key, wrong }),
        }
    }

    /// Refuses a table that tells readiness in two ways.
    fn one_way(
        &mut self,
        groups: Keys,
        at: &[String],
        origin: &Origin,
        table: &DeTable<'_>,
    ) -> Result<(), ConfigError> {
        let ways: Vec<&str> = in_order(table)
            .into_iter()
            .filter_map(|(name, _)| find(groups, name.get_ref()))
            .filter(|key| matches!(key.shape, Shape::ReadyWay))
            .map(|key| key.name)
            .collect();
        match ways.as_slice() {
            [one, other, ..] if one != other => {
                let wrong = ValueError::new(format!("names two checks, {one} and {other}"));
                self.note(at, origin, Err(wrong.hint("keep one of the two")))
            }
            _ => Ok(()),
        }
    }
}

/// The check that a key of a readiness table stands for: the same as `KEY` or `KEY:TEXT` after `--ready`.
fn ready_way(way: &str, given: &Given<'_>) -> Result<ReadyCheck, ValueError> {
    if matches!(way, "http" | "exec" | "log") {
        return format!("{way}:{}", String::read(given)?).parse();
    }
    if bool::read(given)? {
        return way.parse();
    }
    Err(ValueError::new("can only be true").hint("leave it out"))
}

/// A table's entries in the order in which they were written, so that the first mistake is named first.
fn in_order<'a, 'i>(
    table: &'a DeTable<'i>,
) -> Vec<(&'a Spanned<Cow<'i, str>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        Behavior, Command, Placement, RestartPolicy, SingleScope, Size, StopSignal,
    };
    use crate::ports::{Port, Range};
    use proptest::prelude::*;
    use std::time::Duration;

    /// The example of the contract, every key of it.
    const EXAMPLE: &str = include_str!("example.toml");

    fn read(text: &str) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        read_file(&mut config, Layer::Project, "styxy.toml", text)?;
        validate::consistent(&config)?;
        Ok(config)
    }

    #[test]
    fn the_example_says_what_it_says() {
        let config = read(EXAMPLE).unwrap();
        let ai = config.service_type(&"ai".parse().unwrap()).unwrap();
        assert_eq!(ai.range, Some(Range::known(11_400, 11_499)));
        assert_eq!(ai.preferred_ports, [Port::known(11_430)]);
        assert_eq!((ai.behavior, ai.single_scope), (Behavior::Single, SingleScope::Type));
        assert_eq!(ai.description, "AI inference servers, LLMs");
        let settings = &ai.configured;
        assert_eq!(settings.env["OLLAMA_HOST"], "127.0.0.1:{port}");
        assert_eq!(settings.ready, Some(ReadyCheck::Http("/health".to_owned())));
        assert_eq!(settings.ready_timeout, Some(Duration::from_secs(600)));
        assert_eq!(settings.probe_timeout, Some(Duration::from_secs(2)));
        let liveness = settings.liveness.applied().unwrap();
        assert_eq!((liveness.interval, liveness.retries), (Duration::from_secs(10), 3));
        assert_eq!(
            (liveness.timeout, liveness.start_period),
            (Duration::from_secs(2), Duration::ZERO)
        );
        assert_eq!(settings.restart, Some(RestartPolicy::OnFailure { restarts_max: Some(5) }));
        assert_eq!(settings.stop_signal, Some(StopSignal::TERM));
        assert_eq!(settings.stop_timeout, Some(Duration::from_secs(30)));
        let rule = config.rule_for(&"monitoring-x".parse().unwrap(), None).unwrap();
        assert_eq!(rule.chunk_size.map(u16::from), Some(20));
        assert_eq!(rule.placement, Some(Placement::Smart));
        assert_eq!(rule.preferred_range_start, Some(Port::known(9000)));
        let bounds = config.strategy("by-team").unwrap()["team-frontend"];
        assert_eq!(
            bounds.min_port.zip(bounds.max_port),
            Some((Port::known(3000), Port::known(3999)))
        );
        let web = &config.services()["web"];
        assert_eq!(web.service_type, Some("dev".parse().unwrap()));
        assert_eq!(web.command, Command::Words(vec!["vite".to_owned()]));
        assert_eq!(web.after, ["db"]);
        assert_eq!(config.logs().size, Size::mebibytes(10));
    }

    #[test]
    fn what_the_example_calls_defaults_are_the_defaults() {
        let (config, nothing) = (read(EXAMPLE).unwrap(), Config::default());
        assert_eq!(config.auto_allocation(), nothing.auto_allocation());
        assert_eq!(config.document(), nothing.document());
        assert_eq!((config.logs(), config.audit()), (nothing.logs(), nothing.audit()));
        assert_eq!(config.serve(), nothing.serve());
    }

    #[test]
    fn every_option_that_describes_a_service_is_a_key() {
        let config = read(
            r#"
            [services.db]
            type = "database"
            id = "main"
            command = "postgres -D data"
            cwd = "db"
            description = "the database"
            port = 5432
            prefer = [5433]
            ports = ["pg", "admin"]
            claim = ["data"]
            group = "team"
            if_running = "reuse"
            raw = true
            stdin = "null"
            env = { PGDATA = "data" }
            readiness = "exec:pg_isready"
            health = { interval = 30 }
            restart = "always"
            stop_signal = 2
            stop_timeout = 0.5
            scope = "machine"
            reserve = false
            listen_fd = false
            container_port = 5432
            "#,
        )
        .unwrap();
        let db = &config.services()["db"];
        assert_eq!(
            db.command,
            Command::Words(["postgres", "-D", "data"].map(str::to_owned).to_vec())
        );
        assert_eq!(db.settings.ready, Some(ReadyCheck::Exec("pg_isready".to_owned())));
        assert_eq!(db.settings.stop_signal, Some(StopSignal::INT));
        assert_eq!(db.settings.stop_timeout, Some(Duration::from_millis(500)));
        assert_eq!(db.settings.reserve, Some(false));
        assert_eq!(db.claims, ["data"]);
        // One for each line, the table's own included.
        assert_eq!(config.origins.len(), 24);
    }

    #[test]
    fn the_seeds_spellings_say_the_same() {
        let seed = read(
            r#"
            [serviceTypes.ai]
            portRange = [11400, 11499]
            instanceBehavior = "single"
            [autoAllocation]
            defaultChunkSize = 5
            minPortNumber = 20000
            max-port-number = 30000
            [autoAllocationRules."database-*"]
            chunkSize = 5
            preferredRangeStart = 5400
            [placementStrategies.by-team.team-backend]
            minPort = 8000
            "#,
        )
        .unwrap();
        assert_eq!(seed.auto_allocation().min_port, Port::known(20_000));
        assert_eq!(seed.auto_allocation().max_port, Port::known(30_000));
        let ai = seed.types.get("ai").unwrap();
        assert_eq!(ai.behavior, Some(Behavior::Single));
        // What the user named keeps its dashes and capitals.
        assert!(seed.strategy("by-team").is_some() && seed.strategy("byTeam").is_none());
    }

    #[test]
    fn readiness_is_a_word_or_a_table() {
        for (text, expected) in [
            ("'http:/health'", Some(ReadyCheck::Http("/health".to_owned()))),
            ("'none'", Some(ReadyCheck::None)),
            ("{ tcp = true }", Some(ReadyCheck::Tcp)),
            ("{ notify = true, timeout = 5 }", Some(ReadyCheck::Notify)),
            ("{ exec = 'true' }", Some(ReadyCheck::Exec("true".to_owned()))),
            ("{ log = 'ready: .*' }", Some(ReadyCheck::Log("ready: .*".to_owned()))),
            ("{ timeout = 5 }", None),
        ] {
            let config = read(&format!("[service_types.x]\nreadiness = {text}")).unwrap();
            assert_eq!(config.types["x"].settings.ready, expected, "{text}");
        }
    }

    #[test]
    fn a_higher_file_wins_key_by_key() {
        let mut config = Config::default();
        let lower =
            "[service_types.x]\nenv = { A = '1', B = '1' }\nreadiness = 'http:/'\nrestart = 'no'";
        read_file(&mut config, Layer::System, "low", lower).unwrap();
        let higher = "[service_types.x]\nenv = { A = '2' }\nreadiness = { tcp = true }";
        read_file(&mut config, Layer::User, "high", higher).unwrap();
        let settings = &config.types["x"].settings;
        assert_eq!((settings.env["A"].as_str(), settings.env["B"].as_str()), ("2", "1"));
        assert_eq!(settings.ready, Some(ReadyCheck::Tcp));
        assert_eq!(settings.restart, Some(RestartPolicy::No));
        let origin = |key: &str| config.origins[key].to_string();
        assert_eq!(origin("service_types.x.env.A"), "high:2");
        assert_eq!(origin("service_types.x.env.B"), "low:2");
    }

    #[test]
    fn nesting_without_end_is_an_error() {
        for text in ["x = ".to_owned() + &"[".repeat(50_000), "[".to_owned() + &"a.".repeat(50_000)]
        {
            assert!(read(&text).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = read(&text);
        }

        /// One line of the example is replaced, dropped or doubled: still an answer, and an error has a place.
        #[test]
        fn no_mangled_example_makes_it_panic(
            line in 0usize..60, text in "\\PC{0,20}|[a-z_.]{1,9} = [\\[{\"0-9a-z,=}\\]]{0,12}",
        ) {
            let mangled: Vec<&str> = EXAMPLE
                .lines()
                .enumerate()
                .map(|(number, old)| if number == line { text.as_str() } else { old })
                .collect();
            if let Err(error) = read(&mangled.join("\n")) {
                prop_assert!(error.to_string().starts_with("styxy.toml:"), "{}", error);
            }
        }
    }
}

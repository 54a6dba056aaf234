//! A request as a handler sees it, and what it answers.
//!
//! Pure. Keys are told apart by their words, not by their spelling: `service_type` and `serviceType` are one.

use super::problem::Problem;
use hyper::body::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::PathBuf, str::FromStr};

/// What is said of JSON.
const JSON: &str = "application/json";

/// A request that was let in.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// What stands in the braces of the route's path, in order.
    pub(super) captured: Vec<String>,
    /// What stands behind the question mark.
    pub(super) query: BTreeMap<String, String>,
    /// The body's object; empty without a body.
    pub(super) body: Map<String, Value>,
    /// By the socket, so from a process of this user.
    pub(super) over_socket: bool,
    /// A packed file may be answered as it is.
    pub(super) takes_gzip: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Its status.
    pub(super) status: u16,
    /// Its media type.
    pub(super) kind: &'static str,
    /// Its body.
    pub(super) body: Bytes,
}

impl Reply {
    /// An answer in JSON.
    pub(super) fn json(answer: &impl Serialize) -> Self {
        Self::json_with(200, answer)
    }

    /// The same of something that was done as it was hoped.
    pub(super) fn success(answer: &impl Serialize) -> Self {
        #[derive(Serialize)]
        struct Success<'a, T> {
            success: bool,
            #[serde(flatten)]
            answer: &'a T,
        }
        Self::json(&Success { success: true, answer })
    }

    /// The same with another status.
    pub(super) fn json_with(status: u16, answer: &impl Serialize) -> Self {
        let body = serde_json::to_vec(answer).expect("answers are made of plain values");
        Self { status, kind: JSON, body: body.into() }
    }

    /// A text of that media type.
    pub(super) fn text(kind: &'static str, text: impl Into<Bytes>) -> Self {
        Self { status: 200, kind, body: text.into() }
    }
}

impl Call {
    /// Reads a body.
    pub(super) fn read_body(text: &[u8]) -> Result<Map<String, Value>, Problem> {
        if text.is_empty() {
            return Ok(Map::new());
        }
        let body: Value = serde_json::from_slice(text)
            .map_err(|error| Problem::bad(format!("the body is not JSON: {error}")))?;
        let Value::Object(given) = body else {
            return Err(Problem::bad("the body is not a JSON object".to_owned()));
        };
        let mut fields = Map::new();
        for (key, value) in given {
            let known = snake(&key);
            if fields.insert(known, value).is_some() {
                let key = key.escape_debug();
                return Err(Problem::bad(format!("`{key}` is given twice, in two spellings")));
            }
        }
        Ok(fields)
    }

    /// Reads what stands behind the question mark.
    pub(super) fn read_query(text: &str) -> BTreeMap<String, String> {
        let pairs = form_urlencoded::parse(text.as_bytes());
        pairs.map(|(key, value)| (snake(&key), value.into_owned())).collect()
    }

    /// What stands in the first braces of the path.
    pub(super) fn named(&self) -> &str {
        self.captured.first().map_or("", String::as_str)
    }

    /// A text, if it is given.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Problem> {
        match self.body.get(key) {
            None | Some(Value::Null) => Ok(self.query.get(key).map(String::as_str)),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::bad(format!("`{key}` is not a text"))),
        }
    }

    /// A text that has to be given.
    pub(super) fn needed(&self, key: &str) -> Result<&str, Problem> {
        self.text(key)?.ok_or_else(|| Problem::bad(format!("`{key}` is missing")))
    }

    /// A value that has a spelling, if it is given. A number may be written as one.
    pub(super) fn value<T: FromStr>(&self, key: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let text = match self.body.get(key) {
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => self.text(key)?.map(str::to_owned),
        };
        let read = |text: String| {
            text.parse().map_err(|error: T::Err| Problem::bad(format!("`{key}`: {error}")))
        };
        text.map(read).transpose()
    }

    /// Whether something is wanted.
    pub(super) fn is(&self, key: &str) -> Result<bool, Problem> {
        match (self.body.get(key), self.query.get(key).map(String::as_str)) {
            (Some(Value::Bool(wanted)), _) => Ok(*wanted),
            (None | Some(Value::Null), None | Some("false" | "0" | "no")) => Ok(false),
            (None | Some(Value::Null), Some("" | "true" | "1" | "yes")) => Ok(true),
            _ => Err(Problem::bad(format!("`{key}` is neither true nor false"))),
        }
    }

    /// An absolute path, if it is given.
    pub(super) fn path(&self, key: &str) -> Result<Option<PathBuf>, Problem> {
        match self.text(key)?.map(PathBuf::from) {
            Some(path) if !path.is_absolute() => {
                Err(Problem::bad(format!("`{key}` is not an absolute path")))
            }
            path => Ok(path),
        }
    }
}

/// A key in the spelling that is looked for.
fn snake(key: &str) -> String {
    let mut spelled = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            if !spelled.is_empty() && !spelled.ends_with('_') {
                spelled.push('_');
            }
            spelled.push(letter.to_ascii_lowercase());
        } else {
            spelled.push(if letter == '-' { '_' } else { letter });
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_in_both_spellings() {
        for (key, expected) in [
            ("service_type", "service_type"),
            ("serviceType", "service_type"),
            ("ServiceType", "service_type"),
            ("service-type", "service_type"),
            ("id", "id"),
        ] {
            assert_eq!(snake(key), expected);
        }
        let twice = Call::read_body(br#"{"serviceType": "ai", "service_type": "dev"}"#);
        assert!(twice.is_err());
    }

    #[test]
    fn what_is_no_object_is_refused_and_nothing_is_an_empty_one() {
        assert_eq!(Call::read_body(b"").unwrap(), Map::new());
        for text in ["[]", "1", "null", "{", "\"x\"", "{\"a\":1}x"] {
            assert!(Call::read_body(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn values_come_as_numbers_texts_or_in_the_query() {
        let body = Call::read_body(br#"{"a": 3000, "b": "3001", "c": null, "d": [1]}"#).unwrap();
        let query = Call::read_query("e=3002&a=9&f=x+y%21");
        let call = Call { body, query, ..Call::default() };
        let port = |key| call.value::<u16>(key).map_err(|problem| problem.message);
        assert_eq!(port("a"), Ok(Some(3000)));
        assert_eq!(port("b"), Ok(Some(3001)));
        assert_eq!(port("c"), Ok(None));
        assert_eq!(port("e"), Ok(Some(3002)));
        assert!(port("d").is_err() && port("f").is_err());
        assert_eq!(call.text("f").ok().flatten(), Some("x y!"));
    }
}

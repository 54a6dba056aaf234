//! `{port}`, `{port:NAME}`, `{host}`, `{url}`, `{type}` and `{id}` in arguments and variables, and
//! nothing else.
//!
//! Pure. What stands in doubled braces is another program's (`docker ps --format '{{.ID}}'`) and stays
//! as it is, braces included; so do braces around anything that is not in the list.

use crate::ports::Port;
use crate::registry::{InstanceName, NamedPort};

/// What templates are replaced by.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// The instance.
    pub name: &'a InstanceName,
    /// Its ports; the first one is `{port}`. Never empty.
    pub ports: &'a [NamedPort],
    /// Where it is reached: `127.0.0.1`.
    pub host: &'a str,
}

/// Why a text can't be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{port:NAME}`, and no port has that name.
    #[error("no port is called `{name}` in {{port:{name}}}: {}", known_ports(.known))]
    UnknownPort {
        /// As it was written.
        name: String,
        /// What the ports are called.
        known: Vec<String>,
    },
}

fn known_ports(known: &[String]) -> String {
    if known.is_empty() {
        return "this instance has one port without a name, {port}".to_owned();
    }
    format!("its ports are {}", known.join(", "))
}

/// Where an instance is reached, as `{url}` and `STYXY_URL` have it.
pub fn url(host: &str, port: Port) -> String {
    format!("http://{host}:{port}")
}

/// The text with its templates replaced.
pub fn fill(text: &str, values: &Values<'_>) -> Result<String, TemplateError> {
    let first = values.ports[0].port;
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Template(Template::Port) => filled.push_str(&first.to_string()),
            Piece::Template(Template::NamedPort(name)) => {
                filled.push_str(&named_port(name, values.ports)?.to_string());
            }
            Piece::Template(Template::Host) => filled.push_str(values.host),
            Piece::Template(Template::Url) => filled.push_str(&url(values.host, first)),
            Piece::Template(Template::Type) => filled.push_str(values.name.service_type.as_str()),
            Piece::Template(Template::Id) => filled.push_str(values.name.id.as_str()),
        }
    }
    Ok(filled)
}

/// Whether the text already says where the port goes, so that none is added to the command.
pub fn mentions_port(text: &str) -> bool {
    pieces(text).into_iter().any(|piece| match piece {
        Piece::Template(Template::Port | Template::NamedPort(_) | Template::Url) => true,
        Piece::Template(Template::Host | Template::Type | Template::Id) | Piece::Text(_) => false,
    })
}

fn named_port(name: &str, ports: &[NamedPort]) -> Result<Port, TemplateError> {
    ports.iter().find(|named| named.name == name).map(|named| named.port).ok_or_else(|| {
        let named = ports.iter().filter(|named| !named.name.is_empty());
        TemplateError::UnknownPort {
            name: name.to_owned(),
            known: named.map(|named| named.name.clone()).collect(),
        }
    })
}

/// A stretch of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// Left as it is.
    Text(&'a str),
    /// Replaced.
    Template(Template<'a>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Template<'a> {
    Port,
    NamedPort(&'a str),
    Host,
    Url,
    Type,
    Id,
}

impl<'a> Template<'a> {
    /// The template with that text between its braces, if it is one.
    fn named(text: &'a str) -> Option<Self> {
        match text {
            "port" => Some(Self::Port),
            "host" => Some(Self::Host),
            "url" => Some(Self::Url),
            "type" => Some(Self::Type),
            "id" => Some(Self::Id),
            _ => {
                let name = text.strip_prefix("port:")?;
                let word = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                (!name.is_empty() && name.bytes().all(word)).then_some(Self::NamedPort(name))
            }
        }
    }
}

/// The text in pieces, which joined are the text again.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    // Looked up once: a text full of opening braces must not be searched to its end for each of them.
    let last_doubled = text.rfind("}}").unwrap_or(0);
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        pieces.push(Piece::Text(&text[at..open]));
        let inside = &text[open + 1..];
        if inside.starts_with('{') && open < last_doubled {
            let end = text[open..].find("}}").map_or(text.len(), |found| open + found + 2);
            pieces.push(Piece::Text(&text[open..end]));
            at = end;
            continue;
        }
        let close = inside.find(['{', '}']).filter(|close| inside[*close..].starts_with('}'));
        match close.and_then(|close| Some((close, Template::named(&inside[..close])?))) {
            Some((close, template)) => {
                pieces.push(Piece::Template(template));
                at = open + 1 + close + 1;
            }
            None => {
                pieces.push(Piece::Text("{"));
                at = open + 1;
            }
        }
    }
    pieces.push(Piece::Text(&text[at..]));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Scope;
    use proptest::prelude::*;

    fn filled(text: &str, ports: &[(&str, u16)]) -> Result<String, TemplateError> {
        let name = InstanceName {
            service_type: "dev".parse().unwrap(),
            id: "web".parse().unwrap(),
            scope: Scope::Machine,
        };
        let named = |(name, port): &(&str, u16)| NamedPort {
            name: (*name).to_owned(),
            port: Port::known(*port),
        };
        let ports: Vec<NamedPort> = ports.iter().map(named).collect();
        fill(text, &Values { name: &name, ports: &ports, host: "127.0.0.1" })
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(filled(text, &[("", 3000)]).unwrap(), expected, "{text}");
    }

    #[test]
    fn every_template_has_its_value() {
        check("--listen={host}:{port}", "--listen=127.0.0.1:3000");
        check("{url}/health", "http://127.0.0.1:3000/health");
        check("{type}/{id}", "dev/web");
        check("{port}{port}", "30003000");
    }

    #[test]
    fn other_braces_are_left_alone() {
        for text in
            ["", "{", "}", "{}", "{ port }", "{PORT}", "{ports}", "${PORT}", "{port", "port}"]
        {
            check(text, text);
        }
        for text in ["{port:}", "{port:a b}", "{id:1}", "a{b,c}d", "{\"a\": {\"b\": 1}}"] {
            check(text, text);
        }
    }

    #[test]
    fn nothing_is_replaced_inside_doubled_braces() {
        for text in ["{{port}}", "{{.ID}}", "{{ {port} }}", "{{{port}}}", "{{}}{{port}}"] {
            check(text, text);
        }
        check("{{port}} {port}", "{{port}} 3000");
        check("{port} {{id}}", "3000 {{id}}");
    }

    #[test]
    fn braces_that_are_not_doubled_on_both_sides_are_single() {
        check("{\"port\":{port}}", "{\"port\":3000}");
        check("{{port}", "{3000");
        check("{port}}", "3000}");
        check("}}{{port}", "}}{3000");
    }

    #[test]
    fn a_named_port_is_found_by_its_name() {
        let ports = [("http", 3000), ("grpc", 3001)];
        assert_eq!(filled("{port:grpc} {port:http} {port}", &ports).unwrap(), "3001 3000 3000");
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_the_known_ones() {
        let error = filled("{port:gprc}", &[("http", 3000), ("grpc", 3001)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no port is called `gprc` in {port:gprc}: its ports are http, grpc"
        );
        let error = filled("{port:http}", &[("", 3000)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no port is called `http` in {port:http}: \
             this instance has one port without a name, {port}"
        );
    }

    #[test]
    fn a_port_is_mentioned_by_number_name_or_url() {
        for text in ["{port}", "--port={port}", "{port:http}", "{url}/x", "{{id}} {port}"] {
            assert!(mentions_port(text), "{text}");
        }
        for text in ["", "3000", "{host}", "{id}", "{{port}}", "$PORT", "{port"] {
            assert!(!mentions_port(text), "{text}");
        }
    }

    #[test]
    fn a_long_text_of_opening_braces_is_read_in_one_go() {
        let text = "{".repeat(200_000);
        check(&text, &text);
        let text = format!("}}}}{text}");
        check(&text, &text);
    }

    proptest! {
        #[test]
        fn a_text_without_templates_is_unchanged(text in "[^pthui]*|[^{]*|[^}]*") {
            prop_assert_eq!(filled(&text, &[("", 3000)]), Ok(text.clone()));
            prop_assert!(!mentions_port(&text));
        }

        #[test]
        fn any_text_can_be_filled_unless_it_names_a_port(text in "([{}]|port|:|url|id|\\PC)*") {
            let (low, high) = (filled(&text, &[("", 1000)]), filled(&text, &[("", 2000)]));
            let names_port = text.contains("{port:");
            prop_assert!(low.is_ok() || names_port);
            prop_assert!(mentions_port(&text) || low == high);
        }

        #[test]
        fn the_pieces_of_a_text_cover_it(text in "([{}]|port|\\PC)*") {
            let texts = pieces(&text).into_iter().map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Template(Template::Port) => "{port}".to_owned(),
                Piece::Template(Template::NamedPort(name)) => format!("{{port:{name}}}"),
                Piece::Template(template) => unreachable!("{template:?}"),
            });
            prop_assert_eq!(texts.collect::<String>(), text.clone());
        }
    }
}

//! Service types and their ranges: list, set, remove, undo, consolidate.

use super::{
    allocations::{object, parsed},
    call::{Call, Reply},
    configuration::target,
    problem::Problem,
    server::{Server, tell},
};
use crate::{
    config::{TypeName, TypeOrigin},
    operations::{
        configuration::{self, dotted},
        ranges::{Force, Rehearsal, Which},
    },
    ports::Range,
};
use serde_json::{Value, json};

/// What a configuration may say of a type here.
const KEYS: &[&str] = &["range", "instance_behavior", "preferred_ports", "description"];

/// `GET /types`.
pub(super) fn list(server: &Server, _: &Call) -> Result<Reply, Problem> {
    let mut body = object(&server.host_to_look().service_types(&tell)?);
    body.insert("success".to_owned(), true.into());
    Ok(Reply::json(&body))
}

/// `PUT /types/{type}`: what is null is taken out, what is missing stays.
pub(super) fn put(_: &Server, call: &Call) -> Result<Reply, Problem> {
    let name: TypeName = parsed("type", call.named())?;
    let target = target(call)?;
    let mut values = Vec::new();
    for key in KEYS {
        match call.body.get(*key) {
            None | Some(Value::Null) => {}
            Some(value) => {
                let path = dotted(&["service_types", name.as_str(), key]);
                values.push((path, as_toml(key, value)?));
            }
        }
    }
    if values.is_empty() {
        return Err(Problem::bad(format!("nothing is said of `{name}`")));
    }
    let mut body = object(&configuration::set(&values, &target, &tell)?);
    body.insert("success".to_owned(), true.into());
    Ok(Reply::json(&body))
}

/// A JSON value as TOML has it.
fn as_toml(key: &str, value: &Value) -> Result<String, Problem> {
    let number = |value: &Value| value.as_u64().map(|number| number.to_string());
    let text = match value {
        Value::Array(values) => {
            let numbers: Option<Vec<String>> = values.iter().map(number).collect();
            numbers.map(|numbers| format!("[{}]", numbers.join(", ")))
        }
        // JSON's escapes are TOML's too.
        Value::String(text) if key != "range" => Some(Value::from(text.as_str()).to_string()),
        Value::String(text) => {
            let range: Range = parsed(key, text)?;
            Some(format!("[{}, {}]", range.first(), range.last()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    text.ok_or_else(|| Problem::bad(format!("`{key}` is neither a text nor a list of ports")))
}

/// `DELETE /types/{type}`.
pub(super) fn delete(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let name: TypeName = parsed("type", call.named())?;
    let host = server.host()?;
    let types = host.service_types(&tell)?.types;
    let known = types.iter().find(|known| known.name == name.as_str());
    let mut body = match known.map(|known| known.origin) {
        Some(TypeOrigin::Auto) => {
            object(&host.undo_ranges(&Which::Type(name), force(call)?, &tell)?)
        }
        Some(TypeOrigin::Config | TypeOrigin::Profile) => {
            let key = dotted(&["service_types", name.as_str()]);
            object(&configuration::unset(&key, &target(call)?, &tell)?)
        }
        None => {
            let message = format!("there is no service type `{name}`");
            return Err(Problem::new(404, message, "GET /types lists them"));
        }
    };
    body.insert("success".to_owned(), true.into());
    Ok(Reply::json(&body))
}

fn force(call: &Call) -> Result<Force, Problem> {
    Ok(if call.is("force")? { Force::Yes } else { Force::No })
}

/// `GET /ranges`.
pub(super) fn ranges(server: &Server, _: &Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&server.host_to_look().auto_allocation(&tell)?))
}

/// `POST /ranges/undo`.
pub(super) fn undo(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let which = call.value("type")?.map_or(Which::Last, Which::Type);
    let undone = server.host()?.undo_ranges(&which, force(call)?, &tell)?;
    Ok(Reply::json(&json!({ "success": true, "ranges": undone.ranges })))
}

/// `POST /ranges/consolidate`.
pub(super) fn consolidate(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let rehearsal = if call.is("dry_run")? { Rehearsal::Yes } else { Rehearsal::No };
    let mut body = object(&server.host()?.consolidate(rehearsal, &tell)?);
    body.insert("success".to_owned(), true.into());
    Ok(Reply::json(&body))
}

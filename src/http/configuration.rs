//! The configuration: what holds and who said so, and changes to its files.

use super::{
    allocations::{object, shown},
    call::{Call, Reply},
    problem::Problem,
    server::{Server, tell},
};
use crate::operations::configuration::{self, Target};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The files a page may change, lowest first.
const TARGETS: &[(&str, Target)] =
    &[("system", Target::System), ("user", Target::User), ("project", Target::Project)];

/// The file that a call means: the user's, if it names none.
pub(super) fn target(call: &Call) -> Result<Target, Problem> {
    let Some(name) = call.text("target")? else { return Ok(Target::User) };
    let known = TARGETS.iter().find(|(known, _)| *known == name);
    known.map(|(_, target)| target.clone()).ok_or_else(|| {
        Problem::bad(format!("`target` is system, user or project, not `{}`", name.escape_debug()))
    })
}

/// `GET /config`.
pub(super) fn show(server: &Server, _: &Call) -> Result<Reply, Problem> {
    let host = server.host()?;
    let built_in = configuration::built_in();
    let built_in: BTreeMap<&str, String> =
        built_in.iter().map(|entry| (entry.key.as_str(), entry.value.to_string())).collect();
    let entries: Vec<Value> = host
        .config
        .entries()
        .into_iter()
        .map(|entry| {
            let (value, text) = (as_json(&entry.value), entry.value.to_string());
            json!({
                "key": entry.key, "value": value, "toml": text, "origin": entry.origin.to_string(),
                "builtIn": built_in.get(entry.key.as_str()),
            })
        })
        .collect();
    let mut types = Map::new();
    for view in host.service_types(&tell)?.types {
        let range = view.ranges.first().copied();
        let known = json!({
            "port_range": range, "portRange": range, "ranges": view.ranges,
            "instance_behavior": view.instance_behavior, "description": view.description,
            "origin": view.origin,
        });
        types.insert(view.name, known);
    }
    Ok(Reply::json(&json!({ "success": true, "service_types": types, "entries": entries })))
}

fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("a setting is plain TOML")
}

/// `GET /config/files`.
pub(super) fn files(_: &Server, _: &Call) -> Result<Reply, Problem> {
    let mut files = Vec::new();
    for (name, target) in TARGETS {
        files.push(match configuration::file(target) {
            Ok(file) => json!({
                "target": name, "path": shown(&file.path), "exists": file.exists,
                "modifiedAt": file.modified_at, "text": file.text, "error": null,
            }),
            Err(error) => json!({
                "target": name, "path": null, "exists": false, "modifiedAt": null, "text": "",
                "error": error.to_string(),
            }),
        });
    }
    let variables: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("STYXY_SET_"))
        .collect();
    Ok(Reply::json(&json!({ "success": true, "files": files, "variables": variables })))
}

/// `POST /config/check`.
pub(super) fn check(_: &Server, call: &Call) -> Result<Reply, Problem> {
    let changed = configuration::rehearse(&target(call)?, call.needed("text")?, &tell)?;
    Ok(done(&changed))
}

/// `PUT /config/file`.
pub(super) fn save(_: &Server, call: &Call) -> Result<Reply, Problem> {
    let (target, before, text) = (target(call)?, call.needed("before")?, call.needed("text")?);
    let now = configuration::file(&target)?;
    if now.text != before {
        let message = format!("{} was changed by somebody else meanwhile", shown(&now.path));
        return Err(Problem::new(409, message, "look at what stands there now, and change that"));
    }
    Ok(done(&configuration::replace(&target, before, text, &tell)?))
}

/// `POST /config/set`.
pub(super) fn set(_: &Server, call: &Call) -> Result<Reply, Problem> {
    let value = match call.body.get("value") {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Number(_) | Value::Bool(_) | Value::Array(_))) => value.to_string(),
        Some(Value::Null | Value::Object(_)) | None => {
            return Err(Problem::bad("`value` is missing, or no value for one key".to_owned()));
        }
    };
    let values = [(call.needed("key")?.to_owned(), value)];
    Ok(done(&configuration::set(&values, &target(call)?, &tell)?))
}

/// `POST /config/unset`.
pub(super) fn unset(_: &Server, call: &Call) -> Result<Reply, Problem> {
    Ok(done(&configuration::unset(call.needed("key")?, &target(call)?, &tell)?))
}

fn done(changed: &configuration::Changed) -> Reply {
    let mut body = object(changed);
    body.insert("success".to_owned(), true.into());
    Reply::json(&body)
}

//! The API told to clients: OpenAPI 3.1, made of the table of routes.
//!
//! Pure.

use super::{
    guard::Access,
    routes::{ROUTES, Route},
};
use serde_json::{Map, Value, json};

/// The document.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "styxy",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The operations of the command line. Keys are taken in snake_case or camelCase.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
            },
            "schemas": {
                "Instance": instance(),
                "Problem": {
                    "type": "object",
                    "required": ["success", "error", "hint", "kind", "instance"],
                    "properties": {
                        "success": { "const": false },
                        "error": { "type": "string" },
                        "hint": { "type": ["string", "null"] },
                        "kind": { "type": ["string", "null"] },
                        "instance": { "type": ["object", "null"] },
                    },
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let braces = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = braces
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut operation = json!({
        "summary": route.summary,
        "responses": {
            "200": { "description": "Done" },
            "default": {
                "description": "What failed, why, and what to do now",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            },
        },
    });
    if let Some(schema) = answer(route) {
        operation["responses"]["200"]["content"] =
            json!({ "application/json": { "schema": schema } });
    }
    let needed = |name: &str| name.ends_with('!');
    let bare = |name: &str| name.trim_end_matches('!').to_owned();
    if route.method == "GET" {
        parameters.extend(route.takes.iter().map(|name| {
            json!({ "name": bare(name), "in": "query", "required": needed(name), "schema": {} })
        }));
    } else if !route.takes.is_empty() {
        let properties: Map<String, Value> =
            route.takes.iter().map(|name| (bare(name), json!({}))).collect();
        let required: Vec<String> =
            route.takes.iter().filter(|name| needed(name)).map(|name| bare(name)).collect();
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        operation["requestBody"] =
            json!({ "content": { "application/json": { "schema": schema } } });
    }
    operation["parameters"] = parameters.into();
    operation["security"] = match route.access {
        Access::Page | Access::Open | Access::Socket => json!([]),
        Access::Token => json!([{ "bearer": [] }, { "key": [] }]),
    };
    operation
}

/// What a route answers, where that is said.
fn answer(route: &Route) -> Option<Value> {
    let one = json!({ "$ref": "#/components/schemas/Instance" });
    match (route.method, route.path) {
        ("GET", "/instances") => Some(json!({
            "type": "object",
            "required": ["success", "instances"],
            "properties": {
                "success": { "const": true },
                "instances": { "type": "array", "items": one },
            },
        })),
        ("GET", "/instances/{ref}") => Some(one),
        ("GET", "/instances/{ref}/checks") => Some(fare()),
        _ => None,
    }
}

/// An instance as `list --json` shows it: every field is there, what is not known is null.
fn instance() -> Value {
    let (text, number) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let maybe = |kind: &str| json!({ "type": [kind, "null"] });
    let fields = [
        ("type", text.clone()),
        ("id", text.clone()),
        ("project", maybe("string")),
        ("user", maybe("string")),
        ("uid", maybe("integer")),
        ("port", number.clone()),
        ("ports", json!({ "type": "object", "additionalProperties": number })),
        ("url", text.clone()),
        ("phase", text.clone()),
        ("lockId", text),
        ("pid", maybe("integer")),
        ("supervisorPid", maybe("integer")),
        ("restarts", number),
        ("startedAt", maybe("string")),
        ("readyAt", maybe("string")),
        ("command", json!({ "type": ["array", "null"], "items": { "type": "string" } })),
        ("cwd", maybe("string")),
        ("log", maybe("string")),
        ("cpuPercent", maybe("number")),
        ("memoryBytes", maybe("integer")),
        ("container", maybe("object")),
    ];
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, kind)| ((*name).to_owned(), kind.clone())).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

/// How an instance fares. Of what is kept, the oldest comes first.
fn fare() -> Value {
    let number = json!({ "type": "integer" });
    let maybe = |kind: &str| json!({ "type": [kind, "null"] });
    let list = |properties: Value| {
        let of = json!({ "type": "object", "properties": properties });
        json!({ "type": "array", "items": of })
    };
    let check = json!({ "agoMs": number, "tookUs": number, "passed": { "type": "boolean" } });
    let properties = json!({
        "success": { "const": true },
        "ready": maybe("string"),
        "everyMs": maybe("integer"),
        "restart": maybe("string"),
        "processes": list(json!({ "pid": number, "name": maybe("string") })),
        "processesMore": number,
        "why": maybe("string"),
        "checks": list(check),
        "phases": list(json!({ "phase": { "type": "string" }, "agoMs": number })),
        "phasesDropped": { "type": "boolean" },
        "nextTry": maybe("object"),
        "stop": maybe("object"),
    });
    json!({ "type": "object", "properties": properties })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document() {
        let document = document();
        for route in ROUTES {
            let method = route.method.to_ascii_lowercase();
            let found = &document["paths"][route.path][method];
            assert_eq!(found["summary"], route.summary, "{} {}", route.method, route.path);
        }
    }
}

//! How the server is, what happened, who comes in: health, status, metrics, sessions, audit.

use super::{
    call::{Call, Reply},
    events::entries,
    ledger, metrics, openapi,
    problem::Problem,
    server::{Server, tell},
};
use crate::{
    operations::{
        audit::{Filter, When},
        serve::{own_pid, secret},
        usage::memory_of_self,
    },
    registry::Action,
};
use serde_json::json;

/// The format of the metrics.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// So many lines of the log are sent if nobody says how many.
const LINES_DEFAULT: usize = 500;
/// More are for `styxy audit`.
const LINES_MAX: usize = 5000;

/// `GET /health`.
pub(super) fn health(_: &Server, _: &Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&json!({ "status": "ok", "success": true })))
}

/// `GET /status`.
pub(super) fn status(server: &Server, _: &Call) -> Result<Reply, Problem> {
    let count = server.host_to_look().living_views(&tell)?.len();
    Ok(Reply::json(&json!({
        "success": true,
        "status": "running",
        "version": env!("CARGO_PKG_VERSION"),
        "pid": own_pid(),
        "port": server.port,
        "uptime": server.age().as_secs_f64(),
        "allocations": count,
        "instances": count,
        "memory": { "rss": memory_of_self() },
    })))
}

/// `GET /metrics`.
pub(super) fn metrics(server: &Server, _: &Call) -> Result<Reply, Problem> {
    let host = server.host_to_look();
    let (instances, types) = (host.living_views(&tell)?, host.service_types(&tell)?.types);
    let tally = ledger::tally(server)?;
    let uptime = server.age().as_secs_f64();
    let scene = metrics::Scene { instances: &instances, types: &types, uptime };
    Ok(Reply::text(METRICS, metrics::render(&tally, &scene)))
}

/// `GET /openapi.json`.
pub(super) fn openapi(_: &Server, _: &Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&openapi::document()))
}

/// `POST /session`.
pub(super) fn session(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let (code, now) = (call.needed("code")?, server.age());
    let session = server.keys().swap(code, secret()?, now);
    let used = || {
        let hint = "run `styxy serve --open` for a new one";
        Problem::new(401, "the code is used up, or too old", hint)
    };
    Ok(Reply::json(&json!({ "success": true, "token": session.ok_or_else(used)? })))
}

/// `POST /session/code`.
pub(super) fn invitation(server: &Server, _: &Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&json!({ "success": true, "url": server.invitation()? })))
}

/// `GET /audit`.
pub(super) fn audit(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let limit = call.value("limit")?.unwrap_or(LINES_DEFAULT).min(LINES_MAX);
    let filter = Filter {
        since: call.value::<When>("since")?,
        until: call.value::<When>("until")?,
        service_type: call.value("type")?,
        id: call.value("id")?,
        actions: actions(call)?,
        user: call.text("user")?.map(str::to_owned),
    };
    let mut found = Vec::new();
    let mut total = 0;
    let mut show = |events: &[crate::operations::audit::Event]| {
        total = events.len();
        found = entries(&events[events.len().saturating_sub(limit)..]);
        Ok(())
    };
    server.host_to_look().audit(&filter, &mut show, &tell)?;
    found.reverse();
    Ok(Reply::json(&json!({ "success": true, "total": total, "entries": found })))
}

fn actions(call: &Call) -> Result<Vec<Action>, Problem> {
    let words = call.text("action")?.unwrap_or_default();
    let known = |word: &str| {
        let found = Action::ALL.into_iter().find(|action| action.word() == word);
        found.ok_or_else(|| Problem::bad(format!("no action is called `{}`", word.escape_debug())))
    };
    words.split(',').filter(|word| !word.is_empty()).map(known).collect()
}

//! Leases and ports: allocate, release, list, check, scan, suggest, clean up.
//!
//! Answers are a superset of the original daemon's, in its spellings.

use super::{
    call::{Call, Reply},
    problem::Problem,
    server::{Server, tell},
};
use crate::{
    config::{InstanceId, ScopeKind, TypeName, parse_duration},
    operations::{
        Host,
        allocate::{Reserve, TTL_DEFAULT},
        check::PortView,
        host::Place,
        plan::Request,
        view::{Answer, View},
    },
    ports::{Port, Range},
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{path::PathBuf, sync::Arc};

/// The ports that have names, at most.
const PORTS_MAX: usize = 64;

/// `POST /allocate`.
pub(super) fn allocate(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let service_type: TypeName = call
        .value("service_type")?
        .ok_or_else(|| Problem::bad("`service_type` is missing".to_owned()))?;
    let Asked { request, host, place } = asked(server, call, service_type)?;
    let ttl = match call.body.get("ttl") {
        Some(Value::Number(seconds)) => Some(format!("{seconds}s")),
        _ => call.text("ttl")?.map(str::to_owned),
    };
    let ttl = ttl.map(|text| parse_duration(&text)).transpose();
    let ttl = ttl.map_err(|error| Problem::bad(format!("`ttl`: {error}")))?;
    let reserve = Reserve { pid: call.value("process_id")?, ttl: ttl.unwrap_or(TTL_DEFAULT) };
    let answer = host.allocate_at(&place, &request, reserve, &tell)?;
    let since = if answer.existing { started(&host, &answer) } else { None };
    Ok(Reply::json(&as_original(&host, &answer, since)))
}

/// What is asked for, by whom, and the host as seen from the caller's project.
struct Asked {
    request: Request,
    host: Arc<Host>,
    place: Place,
}

fn asked(server: &Server, call: &Call, service_type: TypeName) -> Result<Asked, Problem> {
    let path = call.path("project_path")?;
    let (name, holder) = (call.text("service_name")?, call.text("instance_id")?);
    // Where both are given, the instance is the holder: a scope of its own, as a project is.
    let (id, holder) = match (name, holder) {
        (Some(name), holder) => (Some(name), holder.filter(|holder| *holder != name)),
        (None, holder) => (holder, None),
    };
    let id: Option<InstanceId> = id
        .map(str::parse)
        .transpose()
        .map_err(|error| Problem::bad(format!("`service_name` or `instance_id`: {error}")))?;
    let mut request = Request {
        id: id.or_else(|| path.is_none().then(|| service_type.as_str().parse().ok()).flatten()),
        service_type: Some(service_type),
        new: call.is("new")?,
        dry_run: call.is("dry_run")?,
        ..Request::default()
    };
    request.wish.exact = call.value::<Port>("port")?;
    request.wish.prefer = call.value::<Port>("preferred_port")?.into_iter().collect();
    request.wish.names = port_names(call)?;
    request.range.group = call.text("group")?.map(str::to_owned);
    let host = match &path {
        Some(path) => Arc::new(Host::open_in(path, &tell)?),
        None => server.host()?,
    };
    let mut place = host.place.clone();
    match holder {
        Some(holder) => {
            let holder: InstanceId =
                holder.parse().map_err(|error| Problem::bad(format!("`instance_id`: {error}")))?;
            let project = if path.is_some() { place.project.as_path() } else { "/".as_ref() };
            place.project = project.join(holder.as_str());
        }
        // Who names no project has none: the server's own is nobody else's.
        None if path.is_none() => request.settings.scope = Some(ScopeKind::Machine),
        None => {}
    }
    Ok(Asked { request, host, place })
}

fn port_names(call: &Call) -> Result<Vec<String>, Problem> {
    let wrong =
        || Problem::bad("`ports` is a list of names of letters, digits, _ and -".to_owned());
    let names = match call.body.get("ports") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(names)) if names.len() <= PORTS_MAX => names,
        Some(_) => return Err(wrong()),
    };
    let fits = |name: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        !name.is_empty() && name.bytes().all(allowed)
    };
    let read = |name: &Value| name.as_str().filter(fits).map(str::to_owned).ok_or_else(wrong);
    names.iter().map(read).collect()
}

fn started(host: &Host, answer: &Answer) -> Option<String> {
    host.locate(answer.lock_id.as_deref()?, &tell).ok()?.started_at
}

/// The answer with all that clients of the original daemon read in it.
fn as_original(host: &Host, answer: &Answer, since: Option<String>) -> Map<String, Value> {
    let mut body = object(answer);
    body.insert("success".to_owned(), true.into());
    body.insert("lock_id".to_owned(), json!(answer.lock_id));
    if let Some(range) = answer.new_range.filter(|_| answer.auto_allocated) {
        let placement = host.config.auto_allocation().placement.to_string();
        body.insert("auto_allocated".to_owned(), true.into());
        body.insert("allocated_range".to_owned(), json!(range));
        body.insert("chunk_size".to_owned(), range.size().into());
        body.insert("placement".to_owned(), placement.into());
    }
    if answer.existing {
        body.insert("existingInstanceId".to_owned(), json!(answer.id));
        body.insert("existingPid".to_owned(), json!(answer.pid));
        body.insert("allocatedAt".to_owned(), json!(since));
    }
    body
}

/// `DELETE /allocate/{lock_id}`.
pub(super) fn release(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let host = server.host()?;
    // Who has leased it says that they are done: that its port is still served is for the next look at it.
    let released = host.release(call.named(), true, &tell).map_err(|error| {
        let problem = Problem::from(error);
        let status = if problem.status == 404 { 400 } else { problem.status };
        Problem { status, ..problem }
    });
    let mut body = object(&released?);
    body.insert("success".to_owned(), true.into());
    Ok(Reply::json(&body))
}

/// `GET /allocations`.
pub(super) fn list(server: &Server, _: &Call) -> Result<Reply, Problem> {
    let views = server.host_to_look().living_views(&tell)?;
    let allocations = views.iter().map(Allocation::of).collect();
    Ok(Reply::json(&Listed { success: true, allocations }))
}

/// All of them.
#[derive(Serialize)]
struct Listed<'a> {
    success: bool,
    allocations: Vec<Allocation<'a>>,
}

/// A lease as the original daemon tells it.
#[derive(Serialize)]
struct Allocation<'a> {
    port: Port,
    #[serde(rename = "lockId")]
    lock_id: &'a str,
    service_type: &'a str,
    #[serde(rename = "serviceType")]
    service_type_: &'a str,
    service_name: &'a str,
    #[serde(rename = "serviceName")]
    service_name_: &'a str,
    instance_id: &'a str,
    #[serde(rename = "instanceId")]
    instance_id_: &'a str,
    project_path: Option<&'a str>,
    #[serde(rename = "projectPath")]
    project_path_: Option<&'a str>,
    process_id: Option<i32>,
    allocated_at: Option<&'a str>,
    project: Option<&'a str>,
    phase: crate::registry::Phase,
    url: &'a str,
}

impl<'a> Allocation<'a> {
    fn of(view: &'a View) -> Self {
        let holder = view.project.as_deref().unwrap_or(&view.id);
        let (path, id, kind) = (view.cwd.as_deref(), view.id.as_str(), view.r#type.as_str());
        Self {
            port: view.port,
            lock_id: &view.lock_id,
            service_type: kind,
            service_type_: kind,
            service_name: id,
            service_name_: id,
            instance_id: holder,
            instance_id_: holder,
            project_path: path,
            project_path_: path,
            process_id: view.pid,
            allocated_at: view.started_at.as_deref(),
            project: view.project.as_deref(),
            phase: view.phase,
            url: &view.url,
        }
    }
}

/// `GET /check/{port}`.
pub(super) fn check(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let port: Port = parsed("port", call.named())?;
    let view = server.host_to_look().check(port, &tell)?;
    Ok(Reply::json(&port_as_original(&view)))
}

fn port_as_original(view: &PortView) -> Map<String, Value> {
    let mut body = object(view);
    body.insert("available".to_owned(), view.free.into());
    body.insert("allocated_to".to_owned(), json!(view.lease.as_ref().map(Allocation::of)));
    body.insert("system_usage".to_owned(), json!(view.listener));
    body
}

/// `GET /scan?start&end`.
pub(super) fn scan(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let start = call.value("start")?.unwrap_or(parsed("start", "1")?);
    let end = call.value("end")?.unwrap_or(parsed("end", "65535")?);
    let range = Range::new(start, end).map_err(|error| Problem::bad(error.to_string()))?;
    let found = server.host_to_look().scan(range, &tell)?;
    let ports: Vec<Map<String, Value>> = found.iter().map(port_as_original).collect();
    Ok(Reply::json(&json!({ "success": true, "scan_range": range, "ports_in_use": ports })))
}

/// `GET /suggest/{type}`.
pub(super) fn suggest(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let service_type = parsed("type", call.named())?;
    let Asked { request, host, place } = asked(server, call, service_type)?;
    let request = Request { dry_run: true, new: true, ..request };
    let reserve = Reserve { pid: None, ttl: TTL_DEFAULT };
    let answer = host.allocate_at(&place, &request, reserve, &tell)?;
    let mut body = as_original(&host, &answer, None);
    body.insert("suggestions".to_owned(), json!([answer.port]));
    Ok(Reply::json(&body))
}

/// `POST /cleanup`.
pub(super) fn cleanup(server: &Server, _: &Call) -> Result<Reply, Problem> {
    let cleaned = server.host()?.cleanup(&tell)?;
    let body =
        json!({ "success": true, "removed": cleaned.removed, "cleaned": cleaned.removed.len() });
    Ok(Reply::json(&body))
}

/// A value of a path's part.
pub(super) fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Problem::bad(format!("`{name}`: {error}")))
}

/// An answer as an object that can be added to.
pub(super) fn object(answer: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(answer) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => unreachable!("answers are plain objects"),
    }
}

/// A path that is shown, whatever its bytes.
pub(super) fn shown(path: &std::path::Path) -> String {
    PathBuf::from(path).to_string_lossy().into_owned()
}

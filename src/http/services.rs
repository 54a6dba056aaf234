//! Services: which ones a project names, and the start of one. What they run, the configuration says alone.

use super::{
    call::{Call, Reply},
    instances::{background_run, started},
    problem::Problem,
    server::{Server, tell},
};
use crate::operations::Host;
use serde_json::json;
use std::{path::PathBuf, sync::Arc};

/// The project that a call names, or the server's own; and the host as seen from there.
fn project(server: &Server, call: &Call) -> Result<(Option<PathBuf>, Arc<Host>), Problem> {
    let path = call.path("project_path")?;
    let host = match &path {
        Some(path) => Arc::new(Host::open_in(path, &tell)?),
        None => server.host()?,
    };
    Ok((path, host))
}

/// `GET /services`.
pub(super) fn list(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let (_, host) = project(server, call)?;
    let services = host.services()?;
    let services: Vec<&str> = services.names().collect();
    Ok(Reply::json(&json!({ "success": true, "services": services })))
}

/// `GET /projects`.
pub(super) fn projects(server: &Server, _: &Call) -> Result<Reply, Problem> {
    let projects = server.host_to_look().projects(&tell)?;
    Ok(Reply::json(&json!({ "success": true, "projects": projects })))
}

/// `POST /services/{name}/start`: in the background, answered when it is ready, or was before.
pub(super) fn start(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let (path, host) = project(server, call)?;
    // A name that the configuration has, and so no flag.
    let services = host.services()?;
    let name = services.one(call.named())?;
    let mut command = background_run();
    command.arg(name);
    if let Some(path) = path {
        command.current_dir(path);
    }
    started(server, command)
}

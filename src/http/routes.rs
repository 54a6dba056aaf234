//! The whole API as one table: method, path, who may, how it is done.
//!
//! Pure. `openapi` tells the same to clients.

use super::{
    allocations,
    call::{Call, Reply},
    configuration, events,
    guard::Access,
    instances,
    lanes::Lane,
    problem::Problem,
    server::Server,
    service_types, services, status, ui,
};
use hyper::body::Bytes;
use std::{pin::Pin, sync::Arc};
use tokio::sync::mpsc::Receiver;

/// Answers a call.
pub(super) type Deed = fn(&Server, &Call) -> Result<Reply, Problem>;
/// A stream that is to come.
pub(super) type Streaming = Pin<Box<dyn Future<Output = Result<Receiver<Bytes>, Problem>> + Send>>;
/// Answers a call piece by piece.
pub(super) type Streamer = fn(Arc<Server>, Call) -> Streaming;

/// How a route is done.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// It takes no time.
    AtOnce(Deed),
    /// It blocks.
    In(Lane, Deed),
    /// It blocks, takes nothing, and is the same for all who ask at that moment.
    Shared(Deed),
    /// It is a file of that media type, which lies in the program as gzip.
    Packed(&'static str, &'static [u8]),
    /// It goes on.
    Stream(&'static str, Streamer),
}

/// One route.
pub(super) struct Route {
    /// GET, POST, PUT or DELETE.
    pub(super) method: &'static str,
    /// Its path; a part in braces stands for any.
    pub(super) path: &'static str,
    /// Who may.
    pub(super) access: Access,
    /// How.
    pub(super) how: How,
    /// One line for people.
    pub(super) summary: &'static str,
    /// What it takes, in the query or the body; one with a `!` is needed.
    pub(super) takes: &'static [&'static str],
}

const fn route(
    (method, path): (&'static str, &'static str),
    access: Access,
    how: How,
    takes: &'static [&'static str],
    summary: &'static str,
) -> Route {
    Route { method, path, access, how, summary, takes }
}

const fn read(
    path: &'static str,
    handler: Deed,
    takes: &'static [&'static str],
    summary: &'static str,
) -> Route {
    route(("GET", path), Access::Token, How::In(Lane::Read, handler), takes, summary)
}

const fn change(
    way: (&'static str, &'static str),
    handler: Deed,
    takes: &'static [&'static str],
    summary: &'static str,
) -> Route {
    route(way, Access::Token, How::In(Lane::Change, handler), takes, summary)
}

const fn long(
    path: &'static str,
    handler: Deed,
    takes: &'static [&'static str],
    summary: &'static str,
) -> Route {
    route(("POST", path), Access::Token, How::In(Lane::Long, handler), takes, summary)
}

/// Every route but the page's files.
pub(super) const ROUTES: &[Route] = &[
    route(("GET", "/health"), Access::Open, How::AtOnce(status::health), &[], "Whether it answers"),
    route(("GET", "/status"), Access::Open, How::Shared(status::status), &[], "How it is"),
    route(
        ("GET", "/metrics"),
        Access::Open,
        How::Shared(status::metrics),
        &[],
        "Metrics for Prometheus",
    ),
    route(("GET", "/openapi.json"), Access::Open, How::AtOnce(status::openapi), &[], "This API"),
    route(
        ("POST", "/session"),
        Access::Open,
        How::AtOnce(status::session),
        &["code!"],
        "Swap a code for a session's token",
    ),
    change(
        ("POST", "/session/code"),
        status::invitation,
        &[],
        "The page's address with a code that is good once",
    ),
    change(
        ("POST", "/allocate"),
        allocations::allocate,
        &[
            "service_type!",
            "instance_id",
            "service_name",
            "preferred_port",
            "port",
            "ports",
            "project_path",
            "group",
            "process_id",
            "ttl",
            "new",
            "dry_run",
        ],
        "Lease a port, or tell where the living instance of that name is",
    ),
    change(("DELETE", "/allocate/{lock_id}"), allocations::release, &[], "Give a reservation back"),
    route(
        ("GET", "/allocations"),
        Access::Token,
        How::Shared(allocations::list),
        &[],
        "Every lease, as the original daemon tells it",
    ),
    read("/check/{port}", allocations::check, &[], "Who has a port"),
    read(
        "/scan",
        allocations::scan,
        &["start", "end"],
        "Every port of a range that somebody leases or listens on",
    ),
    read(
        "/suggest/{type}",
        allocations::suggest,
        &["group"],
        "The port that an instance of that type would get",
    ),
    change(("POST", "/cleanup"), allocations::cleanup, &[], "Stop and collect what crashes left"),
    route(
        ("GET", "/instances"),
        Access::Token,
        How::Shared(instances::list),
        &[],
        "Every instance",
    ),
    route(
        ("GET", "/instance/list"),
        Access::Token,
        How::Shared(instances::list),
        &[],
        "The same, by the original daemon's path",
    ),
    read("/instances/{ref}", instances::one, &[], "One instance"),
    route(
        ("GET", "/usage"),
        Access::Token,
        How::Shared(instances::usage),
        &[],
        "Processor time and memory of every instance's processes",
    ),
    route(
        ("POST", "/run"),
        Access::Socket,
        How::In(Lane::Long, instances::run),
        &["command!", "service_type", "instance_id", "port", "project_path"],
        "Run a command in the background; over the socket alone",
    ),
    route(
        ("GET", "/projects"),
        Access::Token,
        How::In(Lane::Long, services::projects),
        &[],
        "The projects that name services, and which of those run",
    ),
    read("/services", services::list, &["project_path"], "The services that a project names"),
    long(
        "/services/{name}/start",
        services::start,
        &["project_path"],
        "Start a service as the project's configuration says, unless it runs",
    ),
    long(
        "/instances/{ref}/stop",
        instances::stop,
        &["kill"],
        "Stop an instance, its whole process tree",
    ),
    long(
        "/instances/{ref}/restart",
        instances::restart,
        &[],
        "Stop an instance and start it again, on the same port",
    ),
    route(
        ("GET", "/instances/{ref}/checks"),
        Access::Token,
        How::In(Lane::Long, instances::checks),
        &[],
        "Its phases since it was started, how its last liveness checks went, and how it is stopped, as its supervisor tells",
    ),
    read("/instances/{ref}/log", instances::log, &["lines"], "The last lines of its log"),
    route(
        ("GET", "/instances/{ref}/log/follow"),
        Access::Token,
        How::Stream("text/event-stream", instances::follow),
        &["lines"],
        "Its log as it grows",
    ),
    route(
        ("POST", "/instance/register"),
        Access::Token,
        How::AtOnce(instances::register),
        &["instance_id"],
        "Nothing to do: an instance lives as long as its lease",
    ),
    route(
        ("PUT", "/instance/{id}/heartbeat"),
        Access::Token,
        How::AtOnce(instances::heartbeat),
        &[],
        "Nothing to do: nobody is taken for dead who lives",
    ),
    read("/types", service_types::list, &[], "Every service type, its ranges, how full they are"),
    change(
        ("PUT", "/types/{type}"),
        service_types::put,
        &["range", "instance_behavior", "preferred_ports", "description", "target"],
        "Set what a configuration file says of a type",
    ),
    change(
        ("DELETE", "/types/{type}"),
        service_types::delete,
        &["force", "target"],
        "Take a type out of the configuration, or give its automatic ranges back",
    ),
    read(
        "/ranges",
        service_types::ranges,
        &[],
        "What auto-allocation is set to, and what it has made",
    ),
    change(
        ("POST", "/ranges/undo"),
        service_types::undo,
        &["type", "force"],
        "Give automatic ranges back",
    ),
    change(
        ("POST", "/ranges/consolidate"),
        service_types::consolidate,
        &["dry_run"],
        "Give unused ranges back, and join blocks",
    ),
    read("/config", configuration::show, &[], "Every setting, with its origin"),
    read(
        "/config/files",
        configuration::files,
        &[],
        "The configuration files, with what stands in them",
    ),
    change(
        ("POST", "/config/check"),
        configuration::check,
        &["target", "text!"],
        "Whether a file's new text makes sense, and what it changes",
    ),
    change(
        ("PUT", "/config/file"),
        configuration::save,
        &["target", "text!", "before!"],
        "Replace a file's text, unless somebody else changed it",
    ),
    change(
        ("POST", "/config/set"),
        configuration::set,
        &["key!", "value!", "target"],
        "Set one key",
    ),
    change(
        ("POST", "/config/unset"),
        configuration::unset,
        &["key!", "target"],
        "Take one key out",
    ),
    read(
        "/audit",
        status::audit,
        &["since", "until", "type", "id", "action", "user", "limit"],
        "What happened, the latest first",
    ),
    route(
        ("GET", "/events"),
        Access::Token,
        How::Stream("text/event-stream", events::stream),
        &[],
        "Changes as they happen",
    ),
];

/// What a path leads to.
pub(super) enum Found {
    /// A route, and what stands in its braces.
    Route(&'static Route, Vec<String>),
    /// Nothing by that method, but by these.
    OtherMethods(Vec<&'static str>),
    /// Nothing.
    Nothing,
}

/// The route of a method and a path.
pub(super) fn find(method: &str, path: &str) -> Found {
    let all = || ui::ROUTES.iter().chain(ROUTES);
    let mut others = Vec::new();
    for route in all() {
        if let Some(captured) = captured(route.path, path) {
            if route.method == method {
                return Found::Route(route, captured);
            }
            others.push(route.method);
        }
    }
    if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others) }
}

/// What stands in the braces of a route's path, if it is that path. A part may hold a slash as `%2F`.
fn captured(route: &str, path: &str) -> Option<Vec<String>> {
    let (mut wanted, mut given) = (route.split('/'), path.split('/'));
    let mut captured = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(captured),
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {
                captured.push(decoded(given)?);
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

/// A part of a path without its percent signs; `None` if it is no text.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let value = digit(rest.next())? * 16 + digit(rest.next())?;
                u8::try_from(value).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_route_alone() {
        for (method, path, expected) in [
            ("GET", "/allocations", Some(("/allocations", vec![]))),
            (
                "DELETE",
                "/allocate/ai-rag-7f3k2m",
                Some(("/allocate/{lock_id}", vec!["ai-rag-7f3k2m"])),
            ),
            ("POST", "/instances/ai%2Frag/stop", Some(("/instances/{ref}/stop", vec!["ai/rag"]))),
            ("GET", "/instances/dev%2fweb@shop", Some(("/instances/{ref}", vec!["dev/web@shop"]))),
            ("GET", "/", Some(("/", vec![]))),
            ("GET", "/allocations/", None),
            ("GET", "//allocations", None),
            ("GET", "/check/", None),
            ("GET", "/check/%zz", None),
            ("GET", "/check/%ff", None),
            ("GET", "/../etc/passwd", None),
            ("POST", "/allocations", None),
            ("get", "/allocations", None),
        ] {
            let found = match find(method, path) {
                Found::Route(route, captured) => Some((route.path, captured)),
                Found::OtherMethods(_) | Found::Nothing => None,
            };
            let expected = expected
                .map(|(path, parts)| (path, parts.into_iter().map(str::to_owned).collect()));
            assert_eq!(found, expected, "{method} {path}");
        }
        assert!(
            matches!(find("PATCH", "/allocations"), Found::OtherMethods(allowed) if allowed == ["GET"])
        );
    }

    #[test]
    fn nothing_that_changes_anything_is_open() {
        for route in ROUTES {
            let harmless = route.method == "GET" || route.path == "/session";
            let guarded = matches!(route.access, Access::Token | Access::Socket);
            assert!(harmless || guarded, "{} {}", route.method, route.path);
        }
    }
}

//! Instances: list, usage, stop, restart, logs.

use super::{
    call::{Call, Reply},
    events::event,
    problem::Problem,
    routes::Streaming,
    server::{Server, tell},
    waiting::waited_for,
};
use crate::operations::{
    Error, Failure,
    follow::{Part, Tail, Wanted},
    stop::Haste,
    vigil::Vigil,
};
use hyper::body::Bytes;
use serde_json::{Value, json};
use std::{
    process::{Command, Stdio},
    sync::Arc,
};
use tokio::sync::mpsc::{self, Sender};

/// So many lines of a log are sent if nobody says how many.
const LINES_DEFAULT: usize = 500;
/// More are not looked at on a page.
const LINES_MAX: usize = 10_000;
/// So many pieces wait for who reads slowly; then the log waits for them.
const PIECES_MAX: usize = 16;

/// `GET /instances`.
pub(super) fn list(server: &Server, _: &Call) -> Result<Reply, Problem> {
    Ok(Reply::success(&server.host_to_look().list(&tell)?))
}

/// `GET /instances/{ref}`.
pub(super) fn one(server: &Server, call: &Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&server.host_to_look().locate(call.named(), &tell)?.with_user()))
}

/// `GET /usage`.
pub(super) fn usage(server: &Server, _: &Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&server.host_to_look().usage(&tell)?))
}

/// `GET /instances/{ref}/checks`.
pub(super) fn checks(server: &Server, call: &Call) -> Result<Reply, Problem> {
    Ok(Reply::success(&server.host_to_look().fare(call.named(), &tell)?))
}

/// `POST /instances/{ref}/stop`.
pub(super) fn stop(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let haste = if call.is("kill")? { Haste::Kill } else { Haste::None };
    let answer = server.host()?.stop(call.named(), haste, &tell)?;
    Ok(Reply::success(&answer))
}

/// `POST /instances/{ref}/restart`.
pub(super) fn restart(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let vigil = Vigil::begin(None, None);
    let answer = server.host()?.restart(call.named(), None, vigil, &tell)?;
    Ok(Reply::success(&answer))
}

/// `GET /instances/{ref}/log`.
pub(super) fn log(server: &Server, call: &Call) -> Result<Reply, Problem> {
    let mut text = Vec::new();
    let mut show = |piece: &[u8]| {
        text.extend_from_slice(piece);
        Ok(())
    };
    let host = server.host_to_look();
    let part = Part { lines: lines(call)?, since: None };
    host.show_log(call.named(), part, Wanted::SoFar, &mut show, &tell)?;
    let text = String::from_utf8_lossy(&text);
    Ok(Reply::json(&json!({ "success": true, "lines": text.lines().collect::<Vec<_>>() })))
}

fn lines(call: &Call) -> Result<usize, Problem> {
    Ok(call.value("lines")?.unwrap_or(LINES_DEFAULT).min(LINES_MAX))
}

/// `GET /instances/{ref}/log/follow`: lines as events, as they are written.
pub(super) fn follow(server: Arc<Server>, call: Call) -> Streaming {
    Box::pin(async move {
        let place = server.hub.place()?;
        let lines = lines(&call)?;
        let looker = Arc::clone(&server);
        let open = move || Ok(looker.host_to_look().tail(call.named(), lines, &tell)?);
        let tail = server.lanes.run(super::lanes::Lane::Read, open).await?;
        let (send, pieces) = mpsc::channel(PIECES_MAX);
        tokio::spawn(async move {
            // Who has hung up ends it, and so does a log that cannot be read any more.
            let _ = send_on(tail, send).await;
            drop(place);
        });
        Ok(pieces)
    })
}

/// Sends what is there and what comes, line by line, until nobody listens.
async fn send_on(tail: Tail, send: Sender<Bytes>) -> std::io::Result<()> {
    let mut tail = waited_for(tail)?;
    let mut begun = Vec::new();
    loop {
        let piece = tail.get_mut().read_on()?;
        if piece.is_empty() {
            // The watch's notices are read by the next look, so readiness is asked for anew each time.
            tokio::select! {
                ready = tail.readable() => ready?.clear_ready(),
                () = send.closed() => return Ok(()),
            }
            continue;
        }
        begun.extend_from_slice(&piece);
        let complete = begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        // What has no end of line by now is shown all the same when it has grown large.
        let complete = if begun.len() > super::events::PIECE_MAX { begun.len() } else { complete };
        if complete == 0 {
            continue;
        }
        let rest = begun.split_off(complete);
        let text = String::from_utf8_lossy(&begun);
        let told = event("lines", &json!(text.lines().collect::<Vec<_>>()));
        begun = rest;
        if send.send(told).await.is_err() {
            return Ok(());
        }
    }
}

/// `POST /instance/register`: the original daemon wanted to be told who is there.
pub(super) fn register(_: &Server, call: &Call) -> Result<Reply, Problem> {
    let id = call.text("instance_id")?.unwrap_or_default();
    Ok(Reply::json(&json!({ "success": true, "instance_id": id, "message": "known by its lease" })))
}

/// `PUT /instance/{id}/heartbeat`: the original daemon forgot who did not call.
pub(super) fn heartbeat(_: &Server, call: &Call) -> Result<Reply, Problem> {
    Ok(Reply::json(&json!({ "success": true, "instance_id": call.named() })))
}

/// `POST /run`: a command line, by the socket alone. It is detached, and answered when it is ready.
pub(super) fn run(server: &Server, call: &Call) -> Result<Reply, Problem> {
    debug_assert!(call.over_socket, "the guard lets nobody else in");
    let wrong = || Problem::bad("`command` is a list of words".to_owned());
    let Some(Value::Array(words)) = call.body.get("command") else { return Err(wrong()) };
    let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
    let words = words.filter(|words| !words.is_empty()).ok_or_else(wrong)?;
    let mut command = background_run();
    for (option, key) in [("--type", "service_type"), ("--id", "instance_id"), ("--port", "port")] {
        if let Some(value) = call.value::<String>(key)? {
            command.arg(format!("{option}={value}"));
        }
    }
    if let Some(path) = call.path("project_path")? {
        command.current_dir(path);
    }
    command.arg("--").args(words);
    started(server, command)
}

/// `styxy run --detach`, to be completed. It is a process of its own: a supervisor forks while it has one
/// thread, and is nothing of the instance that this server may be.
pub(super) fn background_run() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["run", "--detach", "--json", "--yes"]).stdin(Stdio::null());
    for name in ["PORT", "STYXY_PORT", "STYXY_TYPE", "STYXY_ID", "STYXY_URL", "STYXY_LOCK_ID"] {
        command.env_remove(name);
    }
    command
}

/// Waits until it is ready, and tells where it is.
pub(super) fn started(server: &Server, mut command: Command) -> Result<Reply, Problem> {
    let failed =
        |source| Problem::from(Error::System { deed: "start a background process", source });
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(failed)?;
    let _starting = server.lock.waits.watch_start(child.id());
    let output = child.wait_with_output().map_err(failed)?;
    let mut body: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| Problem::new(500, String::from_utf8_lossy(&output.stderr), ""))?;
    match serde_json::from_value::<Failure>(body["error"].take()) {
        Ok(failure) => Err(Problem::from(failure)),
        Err(_) => {
            if let Value::Object(fields) = &mut body {
                fields.remove("error");
            }
            body["success"] = true.into();
            Ok(Reply::json(&body))
        }
    }
}

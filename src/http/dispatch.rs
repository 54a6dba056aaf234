//! The way of a request: guard, route, token, body, handler, answer; and the headers that every answer has.

use super::{
    body::Carried,
    call::{Call, Reply},
    guard::{Access, Way, judge_origin, judge_token},
    packed::{inflated, takes_gzip},
    problem::Problem,
    routes::{self, Found, How, Route},
    server::Server,
};
use hyper::{
    Method, Request, Response,
    body::{Body, Bytes, Incoming},
    header::{self, HeaderName, HeaderValue},
};
use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};
use tokio::time::timeout;

/// No request needs more.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A body is complete by then.
const BODY_LIMIT: Duration = Duration::from_secs(10);
/// What the page may load: its own files, and nothing else from anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// The headers of every answer.
const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cache-control", "no-store"),
];

/// Answers a request, whatever it is.
pub(super) async fn answer(
    server: Arc<Server>,
    way: Way,
    request: Request<Incoming>,
) -> Response<Carried> {
    match respond(server, way, request).await {
        Ok(response) => response,
        Err(problem) => whole(problem.reply()),
    }
}

async fn respond(
    server: Arc<Server>,
    way: Way,
    request: Request<Incoming>,
) -> Result<Response<Carried>, Problem> {
    let (head, body) = request.into_parts();
    let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
    let found = routes::find(method.as_str(), head.uri.path());
    let access = match &found {
        Found::Route(route, _) => route.access,
        // What is not there is judged as strictly as what is.
        Found::OtherMethods(_) | Found::Nothing => Access::Token,
    };
    judge_origin(&head.headers, way, access)?;
    let (route, captured) = match found {
        Found::Route(route, captured) => (route, captured),
        Found::OtherMethods(allowed) => return Ok(other_methods(method, &allowed)),
        Found::Nothing => {
            let message = format!("there is no {}", head.uri.path().escape_debug());
            return Err(Problem::new(404, message, "GET /openapi.json lists all there is"));
        }
    };
    judge_token(&head.headers, way, route.access, &server.keys())?;
    let body = match *method {
        Method::GET => Bytes::new(),
        _ => read(body).await?,
    };
    if !body.is_empty() && !is_json(head.headers.get(header::CONTENT_TYPE)) {
        return Err(Problem::new(
            415,
            "the body is not said to be JSON",
            "Content-Type: application/json",
        ));
    }
    let call = Call {
        captured,
        query: Call::read_query(head.uri.query().unwrap_or("")),
        body: Call::read_body(&body)?,
        over_socket: way == Way::Socket,
        takes_gzip: matches!(route.how, How::Packed(..)) && takes_gzip(&head.headers),
    };
    perform(server, route, call).await
}

async fn perform(
    server: Arc<Server>,
    route: &'static Route,
    call: Call,
) -> Result<Response<Carried>, Problem> {
    match route.how {
        How::AtOnce(handler) => handler(&server, &call).map(whole),
        How::In(lane, handler) => {
            let lanes = Arc::clone(&server);
            lanes.lanes.run(lane, move || handler(&server, &call)).await.map(whole)
        }
        How::Shared(handler) => {
            let lanes = Arc::clone(&server);
            let look = move || handler(&server, &Call::default());
            Ok(whole(lanes.lanes.share(route.path, look).await))
        }
        How::Packed(kind, file) => Ok(packed(kind, file, call.takes_gzip)),
        How::Stream(kind, handler) => {
            let pieces = handler(server, call).await?;
            Ok(response(200, kind, Carried::Stream(pieces)))
        }
    }
}

fn other_methods(method: &Method, allowed: &[&'static str]) -> Response<Carried> {
    let message = format!("{method} is not known here");
    let allowed = allowed.join(", ");
    let problem = Problem::new(405, message, format!("known here: {allowed}"));
    let mut response = whole(problem.reply());
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// Reads a body that is neither too large nor too slow.
async fn read(body: Incoming) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(413, format!("the body is larger than {BODY_BYTES_MAX} bytes"), "");
    let told = body.size_hint().lower();
    if told > u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut body = pin!(body);
    let mut whole = Vec::new();
    let complete = async {
        while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            let frame = frame.map_err(|_| Problem::new(400, "the body broke off", ""))?;
            if let Ok(piece) = frame.into_data() {
                if whole.len() + piece.len() > BODY_BYTES_MAX {
                    return Err(too_large());
                }
                whole.extend_from_slice(&piece);
            }
        }
        Ok(())
    };
    match timeout(BODY_LIMIT, complete).await {
        Ok(result) => result.map(|()| whole.into()),
        Err(_) => Err(Problem::new(408, "the body took too long", "")),
    }
}

fn is_json(kind: Option<&HeaderValue>) -> bool {
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

fn whole(reply: Reply) -> Response<Carried> {
    let mut response = response(reply.status, reply.kind, Carried::Whole(Some(reply.body)));
    if reply.status == 401 {
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    }
    if reply.status == 503 {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// A file that lies in the program as gzip.
fn packed(kind: &'static str, file: &'static [u8], takes_gzip: bool) -> Response<Carried> {
    let body = if takes_gzip { Bytes::from_static(file) } else { inflated(file).into() };
    let mut response = response(200, kind, Carried::Whole(Some(body)));
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if takes_gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn response(status: u16, kind: &'static str, body: Carried) -> Response<Carried> {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().expect("our statuses are statuses");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

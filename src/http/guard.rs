//! Who is let in: Host, Origin, Sec-Fetch-Site and token, judged before anything is looked at.
//!
//! Pure. A page of another origin in the user's browser can send requests here (DNS rebinding, form posts,
//! images), and so can other users of the machine: the first is told by the headers that a browser sets
//! itself, the second by the token.

use super::problem::Problem;
use hyper::http::{HeaderMap, HeaderName, HeaderValue, header};
use std::collections::VecDeque;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a code may be swapped for a session.
const CODE_LIFE: Duration = Duration::from_secs(600);
/// So many codes are good at a time; an older one goes first.
const CODES_MAX: usize = 32;
/// So many pages are open at a time; an older one goes first.
const SESSIONS_MAX: usize = 256;
/// What is said to who has no token.
const TOKEN_HINT: &str = "send `Authorization: Bearer TOKEN`; the token is in auth.token in the \
                          state directory, and `styxy serve --open` opens the page with a code";

/// What a route asks of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The page's own files: they hold nothing of anybody's.
    Page,
    /// Anyone on this machine.
    Open,
    /// Who has the token.
    Token,
    /// Processes of this user, by the socket.
    Socket,
}

/// Which way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By TCP, from anyone on this machine.
    Loopback,
    /// By the socket, from a process of this user.
    Socket,
}

/// Whether a browser lets other pages send such a request: judged before the path is looked at.
pub(super) fn judge_origin(headers: &HeaderMap, way: Way, access: Access) -> Result<(), Problem> {
    if way == Way::Socket {
        return Ok(());
    }
    let host = one(headers, &header::HOST)?
        .ok_or_else(|| Problem::new(400, "the request has no Host header", ""))?;
    if !is_loopback(host) {
        let message = format!("this is not {}", host.escape_debug());
        return Err(Problem::new(421, message, "use 127.0.0.1, localhost or [::1]"));
    }
    if access == Access::Page {
        return Ok(());
    }
    let foreign = |what: &str| {
        let message = format!("a request of another origin: {what}");
        Err(Problem::new(403, message, "other pages have no access here"))
    };
    if let Some(origin) = one(headers, &header::ORIGIN)?
        && origin.strip_prefix("http://") != Some(host)
    {
        return foreign(&format!("Origin is {}", origin.escape_debug()));
    }
    match one(headers, &HeaderName::from_static("sec-fetch-site"))? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(site) => foreign(&format!("Sec-Fetch-Site is {}", site.escape_debug())),
    }
}

/// Judges the headers of a text, one a line, and finds no stranger let in.
pub(crate) fn judge_text(text: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let keys = Keys::new("open sesame".to_owned());
    if judge_token(&headers, Way::Loopback, Access::Token, &keys).is_ok() {
        assert!(text.windows(11).any(|part| part == b"open sesame"), "without the token");
    }
    if judge_origin(&headers, Way::Loopback, Access::Token).is_ok() {
        let host = headers.get(header::HOST).expect("nobody comes without one").as_bytes();
        let host = host.to_ascii_lowercase();
        let names: [&[u8]; 3] = [b"localhost", b"127.0.0.1", b"[::1]"];
        let port = names.iter().find_map(|name| host.strip_prefix(*name));
        let port = port.expect("the host is this machine");
        assert!(port.is_empty() || port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit));
        for origin in headers.get_all(header::ORIGIN) {
            let own = [b"http://", host.as_slice()].concat();
            assert!(origin.as_bytes().eq_ignore_ascii_case(&own), "another origin");
        }
    }
}

/// Whether who asks has what the route wants.
pub(super) fn judge_token(
    headers: &HeaderMap,
    way: Way,
    access: Access,
    keys: &Keys,
) -> Result<(), Problem> {
    match (access, way) {
        (Access::Page | Access::Open, _) | (_, Way::Socket) => Ok(()),
        (Access::Socket, Way::Loopback) => {
            let hint = "ask over serve.sock in the state directory";
            Err(Problem::new(403, "this is taken over the socket alone", hint))
        }
        (Access::Token, Way::Loopback) => match token(headers)? {
            Some(token) if keys.fits(token) => Ok(()),
            Some(_) => Err(Problem::new(401, "the token is wrong", TOKEN_HINT)),
            None => Err(Problem::new(401, "a token is needed", TOKEN_HINT)),
        },
    }
}

/// A header that may be given once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::new(400, format!("the header {name} is given twice"), ""));
    }
    let text = first.map(|value| value.to_str());
    text.transpose().map_err(|_| Problem::new(400, format!("the header {name} is no text"), ""))
}

fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let bearer = one(headers, &header::AUTHORIZATION)?.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    Ok(bearer.or(one(headers, &HeaderName::from_static("x-api-key"))?))
}

/// A loopback name, whatever the port: it may be forwarded.
fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty();
    port.is_none_or(digits)
        && (name.eq_ignore_ascii_case("localhost") || name == "127.0.0.1" || name == "[::1]")
}

/// What opens the door: the token of the file, and a session for each open page. In memory alone.
#[derive(Debug)]
pub(super) struct Keys {
    token: String,
    /// Codes, with when they were made.
    codes: VecDeque<(String, Duration)>,
    sessions: VecDeque<String>,
}

impl Keys {
    /// The keys of a server that was just started.
    pub(super) fn new(token: String) -> Self {
        Self { token, codes: VecDeque::new(), sessions: VecDeque::new() }
    }

    /// Takes in a code that is good once.
    pub(super) fn add_code(&mut self, code: String, now: Duration) {
        if self.codes.len() >= CODES_MAX {
            self.codes.pop_front();
        }
        self.codes.push_back((code, now));
    }

    /// Swaps a code for a session; `None` if it is used up, too old, or none.
    pub(super) fn swap(&mut self, code: &str, session: String, now: Duration) -> Option<String> {
        self.codes.retain(|(_, made)| now.saturating_sub(*made) < CODE_LIFE);
        let place = self.codes.iter().position(|(known, _)| is_same(known, code))?;
        self.codes.remove(place);
        if self.sessions.len() >= SESSIONS_MAX {
            self.sessions.pop_front();
        }
        self.sessions.push_back(session.clone());
        Some(session)
    }

    fn fits(&self, token: &str) -> bool {
        // All are compared, so that the time it takes says nothing.
        let sessions = self.sessions.iter().filter(|session| is_same(session, token)).count();
        is_same(&self.token, token) || sessions > 0
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::http::HeaderValue;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn status(lines: &[(&'static str, &str)], access: Access) -> u16 {
        let (headers, keys) = (headers(lines), Keys::new("secret".to_owned()));
        let judged = judge_origin(&headers, Way::Loopback, access)
            .and_then(|()| judge_token(&headers, Way::Loopback, access, &keys));
        judged.map_or_else(|problem| problem.status, |()| 200)
    }

    #[test]
    fn loopback_names_alone_are_hosts() {
        for (host, expected) in [
            ("127.0.0.1", true),
            ("127.0.0.1:9876", true),
            ("localhost:1", true),
            ("LOCALHOST", true),
            ("[::1]:9876", true),
            ("[::1]", true),
            ("localhost.", false),
            ("localhost.evil.example", false),
            ("evil.localhost", false),
            ("127.0.0.1.evil.example", false),
            ("127.0.0.1:", false),
            ("127.0.0.1:x", false),
            ("user@127.0.0.1", false),
            ("127.0.0.2", false),
            ("::1", false),
            ("0.0.0.0", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }

    #[test]
    fn who_has_no_business_here_is_told_so() {
        let host = ("host", "127.0.0.1:9876");
        let token = ("authorization", "Bearer secret");
        for (lines, expected) in [
            (vec![host, token], 200),
            (vec![host, ("x-api-key", "secret")], 200),
            (vec![host, ("authorization", "bearer  secret")], 200),
            (vec![host], 401),
            (vec![host, ("authorization", "Basic secret")], 401),
            (vec![host, ("authorization", "Bearer secre")], 401),
            (vec![host, ("authorization", "Bearer")], 401),
            (vec![token], 400),
            (vec![host, host, token], 400),
            (vec![("host", "evil.example"), token], 421),
            (vec![host, token, ("origin", "http://127.0.0.1:9876")], 200),
            (vec![host, token, ("origin", "http://localhost:9876")], 403),
            (vec![host, token, ("origin", "https://127.0.0.1:9876")], 403),
            (vec![host, token, ("origin", "http://127.0.0.1:3000")], 403),
            (vec![host, token, ("origin", "null")], 403),
            (vec![host, token, ("origin", "")], 403),
            (vec![host, token, ("sec-fetch-site", "same-origin")], 200),
            (vec![host, token, ("sec-fetch-site", "none")], 200),
            (vec![host, token, ("sec-fetch-site", "same-site")], 403),
            (vec![host, token, ("sec-fetch-site", "cross-site")], 403),
            (vec![host, token, ("sec-fetch-site", "whatever")], 403),
        ] {
            assert_eq!(status(&lines, Access::Token), expected, "{lines:?}");
        }
        assert_eq!(status(&[host, ("sec-fetch-site", "cross-site")], Access::Open), 403);
        assert_eq!(status(&[host, ("sec-fetch-site", "cross-site")], Access::Page), 200);
        assert_eq!(status(&[("host", "evil.example")], Access::Page), 421);
        assert_eq!(status(&[host, token], Access::Socket), 403);
    }

    #[test]
    fn the_socket_needs_neither_host_nor_token() {
        let (none, keys) = (HeaderMap::new(), Keys::new("secret".to_owned()));
        assert_eq!(judge_origin(&none, Way::Socket, Access::Token), Ok(()));
        assert_eq!(judge_token(&none, Way::Socket, Access::Socket, &keys), Ok(()));
    }

    #[test]
    fn a_code_is_good_once_and_not_for_long() {
        let mut keys = Keys::new("secret".to_owned());
        let (now, later) = (Duration::from_secs(5), Duration::from_secs(5) + CODE_LIFE);
        keys.add_code("one".to_owned(), now);
        assert_eq!(keys.swap("two", "s".to_owned(), now), None);
        assert_eq!(keys.swap("one", "s".to_owned(), now).as_deref(), Some("s"));
        assert_eq!(keys.swap("one", "t".to_owned(), now), None);
        assert!(keys.fits("s") && !keys.fits("t") && !keys.fits("one"));
        keys.add_code("old".to_owned(), now);
        assert_eq!(keys.swap("old", "t".to_owned(), later), None);
        (0..=CODES_MAX).for_each(|number| keys.add_code(format!("code {number}"), now));
        assert_eq!(keys.swap("code 0", "t".to_owned(), now), None, "the oldest has gone");
        assert_eq!(keys.swap("code 1", "t".to_owned(), now).as_deref(), Some("t"));
    }
}

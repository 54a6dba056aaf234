//! Asks the process that serves already, over its socket.

use crate::operations::{Error, Host};
use std::{
    io::{self, Read, Write},
    time::Duration,
};

/// It answers at once, or not at all.
const LIMIT: Duration = Duration::from_secs(10);
/// No answer is longer.
const ANSWER_MAX: u64 = 64 * 1024;

/// The page's address with a code that is good once; `pid` is who serves, if that is known.
pub(super) fn ask_for_invitation(host: &Host, pid: Option<i32>) -> Result<String, Error> {
    let failed = |source| Error::System { deed: "ask the running `styxy serve`", source };
    let mut stream = host.call_post(pid)?;
    let ask = || -> io::Result<String> {
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(
            b"POST /session/code HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        )?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body: serde_json::Value = serde_json::from_str(body)?;
        let url = body["url"].as_str().map(str::to_owned);
        url.ok_or_else(|| io::Error::other(format!("it answered {body}")))
    };
    ask().map_err(failed)
}

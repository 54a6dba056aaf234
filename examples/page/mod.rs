//! The one page that the examples serve, on the port that they are given.

use std::{
    env,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener},
};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

/// The port in PORT, if there is one.
pub(crate) fn port() -> Option<u16> {
    env::var("PORT").ok()?.parse().ok()
}

/// Listens on the port in PORT.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let port = port().ok_or_else(|| io::Error::other("no PORT: start it with `styxy run --`"))?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Answers for ever, whatever is asked.
pub(crate) fn serve(listener: &TcpListener) {
    for mut stream in listener.incoming().flatten() {
        // A visitor who leaves early is no reason to end.
        let _ = stream.read(&mut [0; 1024]).and_then(|_| stream.write_all(ANSWER));
    }
}

//! Connections: accepted up to a bound, with time limits for who is slow or silent.

use super::{dispatch, guard::Way, server::Server};
use crate::operations::serve::is_own;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
};

/// So many connections are open at a time; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 512;
/// A head is complete by then, and a connection does not idle longer.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// The longest head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// So many headers are more than any client sends.
const HEADERS_MAX: usize = 64;
/// After an accept that failed (no descriptor left).
const PAUSE: Duration = Duration::from_millis(100);

/// Serves who comes by TCP.
pub(super) async fn on_loopback(listener: TcpListener, server: Arc<Server>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers are not held back.
                let _ = stream.set_nodelay(true);
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    converse(stream, Way::Loopback, server).await;
                    drop(place);
                });
            }
            Err(error) => pause(&error).await,
        }
    }
}

/// Serves this user's processes.
pub(super) async fn on_socket(listener: UnixListener, server: Arc<Server>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| is_own(peer.uid())) => {
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    converse(stream, Way::Socket, server).await;
                    drop(place);
                });
            }
            Ok(_) => tracing::warn!("a process of another user was sent away"),
            Err(error) => pause(&error).await,
        }
    }
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "no connection could be accepted");
    tokio::time::sleep(PAUSE).await;
}

async fn converse<S>(stream: S, way: Way, server: Arc<Server>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(dispatch::answer(server, way, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection broke");
    }
}

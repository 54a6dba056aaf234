//! Changes as server-sent events: the kernel says when to look, what differs is told to all who listen.
//!
//! Nobody looks while nobody listens.

use super::{
    call::Call,
    lanes::Lane,
    ledger,
    problem::Problem,
    routes::Streaming,
    server::{Server, tell},
    state_lock,
    waiting::waited_for,
};
use crate::{
    operations::{
        audit::Event,
        ranges::ephemeral_range,
        view::{TypeView, View},
        watch::Changes,
    },
    ports::Range,
    registry::Action,
};
use hyper::body::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    io::unix::AsyncFd,
    sync::{
        Mutex, OwnedSemaphorePermit, Semaphore,
        broadcast::{self, error::RecvError},
        mpsc::{self, Sender},
    },
    time::{Instant, sleep, sleep_until, timeout},
};

/// So many streams at a time, of events and of logs.
const STREAMS_MAX: usize = 64;
/// So many events wait for who reads slowly; who falls further behind gets all anew.
const EVENTS_MAX: usize = 64;
/// Changes come in bursts; nobody sees more than this lets through.
const PAUSE: Duration = Duration::from_millis(30);
/// A change is announced when it begins; who has looked too early looks again after this.
const GLANCE: Duration = Duration::from_millis(5);
/// After a look that failed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A stream without news says so, that a dead connection is noticed.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A line of a log without an end is shown when it is so long.
pub(super) const PIECE_MAX: usize = 64 * 1024;
/// What is sent where there is nothing to tell.
const NOTHING: Bytes = Bytes::from_static(b":\n\n");

/// Those who listen, and whether somebody looks for them.
#[derive(Debug)]
pub(super) struct Hub {
    news: broadcast::Sender<Bytes>,
    places: Arc<Semaphore>,
    is_watched: Mutex<bool>,
}

impl Hub {
    /// One without listeners.
    pub(super) fn new() -> Self {
        let places = Arc::new(Semaphore::new(STREAMS_MAX));
        Self { news: broadcast::Sender::new(EVENTS_MAX), places, is_watched: Mutex::new(false) }
    }

    /// Tells all who listen.
    pub(super) fn tell(&self, event: Bytes) {
        // That nobody listens is fine.
        let _ = self.news.send(event);
    }

    /// The right to one stream.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            Problem::new(503, format!("{STREAMS_MAX} streams are open already"), "close one")
        })
    }
}

/// One event.
pub(super) fn event(name: &str, what: &impl Serialize) -> Bytes {
    let mut text = format!("event: {name}\ndata: ").into_bytes();
    serde_json::to_writer(&mut text, what).expect("what is told is made of plain values");
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// `GET /events`.
pub(super) fn stream(server: Arc<Server>, _: Call) -> Streaming {
    Box::pin(async move {
        let place = server.hub.place()?;
        let mut news = server.hub.news.subscribe();
        begin_to_watch(&server).await;
        let (send, pieces) = mpsc::channel(EVENTS_MAX);
        let first = snapshot(&server).await?;
        tokio::spawn(async move {
            let mut next = Some(first);
            while let Some(told) = next.take() {
                if send.send(told).await.is_err() {
                    break;
                }
                next = one_more(&server, &mut news, &send).await;
            }
            drop(place);
        });
        Ok(pieces)
    })
}

/// What is sent next; `None` once nobody listens.
async fn one_more(
    server: &Arc<Server>,
    news: &mut broadcast::Receiver<Bytes>,
    send: &Sender<Bytes>,
) -> Option<Bytes> {
    let come = tokio::select! {
        come = timeout(SILENCE_MAX, news.recv()) => come,
        () = send.closed() => return None,
    };
    match come {
        Ok(Ok(told)) => Some(told),
        Ok(Err(RecvError::Lagged(_))) => snapshot(server).await.ok(),
        Ok(Err(RecvError::Closed)) => None,
        Err(_) => Some(NOTHING),
    }
}

/// All there is, for who begins to listen.
#[derive(Serialize)]
struct Snapshot {
    /// Who serves: what belongs to others is theirs to stop.
    uid: u32,
    lock: Option<state_lock::Told>,
    instances: Vec<View>,
    types: Vec<TypeView>,
    /// The kernel's own ports, where it says which they are.
    ephemeral: Option<Range>,
}

/// All there is at the moment.
async fn snapshot(server: &Arc<Server>) -> Result<Bytes, Problem> {
    let looker = Arc::clone(server);
    let look = move || {
        let host = looker.host_to_look();
        let (instances, types) = (host.living_views(&tell)?, host.service_types(&tell)?.types);
        let (uid, lock) = (host.actor.author.uid, looker.lock.told());
        let ephemeral = ephemeral_range();
        Ok(event("snapshot", &Snapshot { uid, lock, instances, types, ephemeral }))
    };
    server.lanes.run(Lane::Read, look).await
}

/// Somebody looks from now on, until nobody listens. The first look is over when this returns: what comes
/// after it is told.
async fn begin_to_watch(server: &Arc<Server>) {
    let mut is_watched = server.hub.is_watched.lock().await;
    if *is_watched {
        return;
    }
    let changes = server.host_to_look().changes();
    let Some(changes) = changes.ok().and_then(|changes| waited_for(changes).ok()) else {
        tracing::warn!("changes are not announced here");
        return;
    };
    let first = look_once(server, None).await;
    *is_watched = true;
    tokio::spawn(watch(Arc::clone(server), changes, first));
}

/// A look, and if it fails, when there is another one.
async fn look_once(server: &Arc<Server>, before: Option<Known>) -> (Option<Known>, Seen) {
    let (looker, known) = (Arc::clone(server), before.clone());
    match server.lanes.run(Lane::Read, move || look(&looker, before)).await {
        Ok((now, seen)) => (Some(now), seen),
        Err(problem) => {
            tracing::warn!(problem.message, "no look at what has changed");
            (known, Seen { told: None, next: Some(LOOK_AGAIN) })
        }
    }
}

async fn watch(
    server: Arc<Server>,
    changes: AsyncFd<Changes>,
    (mut known, mut seen): (Option<Known>, Seen),
) {
    let mut may_look = Instant::now();
    loop {
        {
            let mut is_watched = server.hub.is_watched.lock().await;
            if server.hub.news.receiver_count() == 0 {
                *is_watched = false;
                return;
            }
        }
        // That everybody has gone meanwhile is noticed above.
        let _ = seen.told.take().map(|told| server.hub.news.send(told));
        tokio::select! {
            ready = changes.readable() => {
                if let Ok(mut ready) = ready {
                    ready.clear_ready();
                }
            }
            // Where every change is announced, nothing is looked at in vain.
            () = sleep(seen.next.unwrap_or_default()), if seen.next.is_some() => {}
            () = server.hub.news.closed() => {}
        }
        // The first change is told at once; what comes in a burst behind it is told together.
        sleep_until(may_look).await;
        changes.get_ref().drain();
        (known, seen) = look_once(&server, known).await;
        may_look = Instant::now() + if seen.told.is_some() { PAUSE } else { GLANCE };
    }
}

type Known = BTreeMap<String, View>;

/// What was seen by a look.
struct Seen {
    /// What differs from the look before.
    told: Option<Bytes>,
    /// When to look without a notice.
    next: Option<Duration>,
}

/// What is there now, and what to tell of it.
fn look(server: &Server, before: Option<Known>) -> Result<(Known, Seen), Problem> {
    let host = server.host_to_look();
    let audit = ledger::read_on(server)?;
    let next = host.look_again_in(&tell)?;
    let views = host.living_views(&tell)?;
    let now: Known = views.into_iter().map(|view| (view.lock_id.clone(), view)).collect();
    let Some(before) = before else { return Ok((now, Seen { told: None, next })) };
    let changed: Vec<&View> =
        now.values().filter(|view| before.get(&view.lock_id) != Some(view)).collect();
    let gone: Vec<&String> = before.keys().filter(|lock_id| !now.contains_key(*lock_id)).collect();
    if changed.is_empty() && gone.is_empty() && audit.is_empty() {
        return Ok((now, Seen { told: None, next }));
    }
    let mut told = json!({ "instances": changed, "gone": gone, "audit": entries(&audit) });
    let changes_types = |event: &Event| match event.entry.action {
        Action::Attach | Action::Blocked | Action::Exhausted => false,
        Action::Allocate
        | Action::Release
        | Action::Reclaim
        | Action::RangeCreate
        | Action::RangeGrow
        | Action::RangeUndo
        | Action::RangeRetire
        | Action::ConfigSet => true,
    };
    if audit.iter().any(changes_types) {
        told["types"] = json!(host.service_types(&tell)?.types);
    }
    let told = Some(event("change", &told));
    Ok((now, Seen { told, next }))
}

/// Lines of the audit log with what they happened to, as it is shown.
pub(super) fn entries(events: &[Event]) -> Vec<Value> {
    let shown = |event: &Event| {
        let mut entry = json!(event.entry);
        entry["subject"] = json!(event.subject);
        entry
    };
    events.iter().map(shown).collect()
}

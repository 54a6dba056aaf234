//! What all requests share: the host, the keys, the lanes, and those who want to be told of changes.

use super::{
    events::Hub, guard::Keys, lanes::Lanes, ledger::Book, problem::Problem, state_lock::StateLock,
};
use crate::operations::{
    Error, Host,
    serve::{Sources, Stamp, open_again, secret},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What all requests share.
pub(super) struct Server {
    /// Where it listens.
    pub(super) port: u16,
    /// Operations run here.
    pub(super) lanes: Arc<Lanes>,
    /// Who is told of changes.
    pub(super) hub: Hub,
    /// What happened, as the audit log tells it.
    pub(super) book: Mutex<Book>,
    /// Who waits for the state lock.
    pub(super) lock: StateLock,
    started: Instant,
    keys: Mutex<Keys>,
    sources: Sources,
    host: Mutex<(Stamp, Arc<Host>)>,
}

impl Server {
    /// A server that was just started.
    pub(super) fn new(host: Host, port: u16, token: String) -> Self {
        let (sources, lock) = (Sources::of_environment(), StateLock::new());
        let host = Host { lock_waits: Some(Arc::clone(&lock.waits)), ..host };
        Self {
            port,
            lanes: Arc::new(Lanes::new()),
            hub: Hub::new(),
            book: Mutex::default(),
            lock,
            started: Instant::now(),
            keys: Mutex::new(Keys::new(token)),
            host: Mutex::new((sources.stamp(), Arc::new(host))),
            sources,
        }
    }

    /// The host, with the configuration as it is in its files now.
    pub(super) fn host(&self) -> Result<Arc<Host>, Error> {
        let stamp = self.sources.stamp();
        let mut known = locked(&self.host);
        if known.0 != stamp {
            let lock_waits = Some(Arc::clone(&self.lock.waits));
            *known = (stamp, Arc::new(Host { lock_waits, ..open_again(&tell)? }));
        }
        Ok(Arc::clone(&known.1))
    }

    /// The host with a configuration that made sense last: to look, whatever stands in the files now.
    pub(super) fn host_to_look(&self) -> Arc<Host> {
        self.host().unwrap_or_else(|_| Arc::clone(&locked(&self.host).1))
    }

    /// How long it serves.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The keys.
    pub(super) fn keys(&self) -> MutexGuard<'_, Keys> {
        locked(&self.keys)
    }

    /// The page's address, with a code that is good once.
    pub(super) fn invitation(&self) -> Result<String, Problem> {
        let code = secret()?;
        self.keys().add_code(code.clone(), self.age());
        Ok(format!("http://127.0.0.1:{}/#code={code}", self.port))
    }
}

/// Nothing breaks half-way under these locks, so a panic elsewhere makes them no worse.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What operations tell on the way: for who traces.
pub(super) fn tell(sentence: &str) {
    tracing::info!("{sentence}");
}

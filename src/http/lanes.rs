//! Where operations run: they block, so the event loop hands them to threads, a few at a time.
//!
//! Reads, changes and long deeds have lanes of their own: ten seconds of waiting for the state lock, or a
//! stop with its grace, hold up nobody who only looks. Who finds a lane's queue full is told to come back.

use super::{call::Reply, problem::Problem};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{Semaphore, oneshot},
    task::spawn_blocking,
};

/// Reads at a time: more than processors are of no use.
const READS: usize = 2;
/// Changes at a time: they take turns at the state lock anyway.
const CHANGES: usize = 4;
/// Stops and starts at a time, each of which waits for processes.
const LONG: usize = 16;
/// So many wait in front of a lane. A client that has one connection for each request meets the limit of
/// connections first.
const QUEUE_MAX: usize = 512;
/// So many threads at most, with one to spare for each lane.
pub(super) const THREADS_MAX: usize = READS + CHANGES + LONG + 3;

/// How long a deed takes, and what it holds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// It only looks.
    Read,
    /// It changes what all share.
    Change,
    /// It waits for processes.
    Long,
}

/// The lanes.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: [(Semaphore, Semaphore); 3],
    flights: Mutex<BTreeMap<&'static str, Flight>>,
}

/// Those who wait for one look that is the same for all of them.
#[derive(Debug, Default)]
struct Flight {
    waiting: Vec<oneshot::Sender<Reply>>,
    in_the_air: bool,
}

impl Lanes {
    /// Empty ones.
    pub(super) fn new() -> Self {
        let lane = |places: usize| (Semaphore::new(places), Semaphore::new(places + QUEUE_MAX));
        Self { lanes: [lane(READS), lane(CHANGES), lane(LONG)], flights: Mutex::default() }
    }

    /// Does something that blocks when it is its turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        deed: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (places, queue) = match lane {
            Lane::Read => &self.lanes[0],
            Lane::Change => &self.lanes[1],
            Lane::Long => &self.lanes[2],
        };
        let busy = || Problem::new(503, "too many requests wait already", "try again in a moment");
        let _queued = queue.try_acquire().map_err(|_| busy())?;
        let _place = places.acquire().await.map_err(|_| busy())?;
        let broken = || Problem::new(500, "the request could not be finished", "");
        spawn_blocking(deed).await.map_err(|_| broken())?
    }

    /// One look for all who ask for the same while another look is under way. It begins after they asked,
    /// so nobody is told anything old.
    pub(super) async fn share(
        self: &Arc<Self>,
        name: &'static str,
        look: impl Fn() -> Result<Reply, Problem> + Clone + Send + Sync + 'static,
    ) -> Reply {
        let (tell, told) = oneshot::channel();
        let takes_off = {
            let mut flights = self.flights();
            let flight = flights.entry(name).or_default();
            flight.waiting.push(tell);
            !std::mem::replace(&mut flight.in_the_air, true)
        };
        if takes_off {
            // Who asked first may hang up, and then its own answer is given up half-way: the flight must not
            // be, for the others. Who comes meanwhile waits for the next one.
            let lanes = Arc::clone(self);
            tokio::spawn(async move {
                while let Some(waiting) = lanes.boarding(name) {
                    let reply = lanes.run(Lane::Read, look.clone()).await;
                    let reply = reply.unwrap_or_else(|problem| problem.reply());
                    // Who has hung up needs no answer.
                    waiting.into_iter().for_each(|tell| _ = tell.send(reply.clone()));
                }
            });
        }
        told.await.unwrap_or_else(|_| Problem::new(503, "the look was given up", "").reply())
    }

    /// Those who wait, or nobody: then the flight is over.
    fn boarding(&self, name: &'static str) -> Option<Vec<oneshot::Sender<Reply>>> {
        let mut flights = self.flights();
        let flight = flights.entry(name).or_default();
        flight.in_the_air = !flight.waiting.is_empty();
        flight.in_the_air.then(|| std::mem::take(&mut flight.waiting))
    }

    fn flights(&self) -> MutexGuard<'_, BTreeMap<&'static str, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use tokio::{runtime, select, task::yield_now};

    #[test]
    fn who_hangs_up_takes_the_answer_from_nobody_else() {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let lanes = Arc::new(Lanes::new());
            let (go, may_go) = mpsc::channel();
            let may_go = Arc::new(Mutex::new(may_go));
            let look = move || {
                let _ = may_go.lock().unwrap().recv();
                Ok(Reply::text("text/plain", "seen"))
            };
            select! {
                biased;
                _ = lanes.share("look", look.clone()) => panic!("nobody has looked yet"),
                () = yield_now() => {}
            }
            // The first one has hung up while somebody looked for it.
            go.send(()).unwrap();
            go.send(()).unwrap();
            assert_eq!(lanes.share("look", look).await.body, "seen");
        });
    }
}

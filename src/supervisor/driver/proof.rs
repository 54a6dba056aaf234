//! Whether it is this instance's container that is reached by the leased port, and what its image's check says.
//!
//! An engine's proxy listens for a container, so whose listener it is says nothing. The file into which the engine
//! wrote the id, the label, and what the engine says of that container do. Looks are rare: each is a command.

use super::containers::Contained;
use crate::{
    container::{
        engine::{self, Errand, Place},
        facts::{self, Facts, Health},
        sweep::{self, PATIENCE, Question},
        whose::Mark,
    },
    os::{
        clock, inside,
        listeners::{Owner, SockDiag, owner_among},
        tree,
    },
    ports::Port,
};
use nix::unistd::Pid;
use std::{
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

/// A container that does not run yet is looked at again after this time.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
/// Each further wait is half as long again, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Compose takes much longer to name a project's containers than their engine to describe them: who is known is
/// looked at so often before it is asked again.
const LOOKS_MAX: u32 = 4;

/// The proof for one start of the command.
pub(super) struct Proof<'a> {
    contained: Contained<'a>,
    place: Place<'a>,
    port: Port,
    errand: Option<(Stage, Errand)>,
    /// When the engine was asked first, for this look.
    asked_at: Instant,
    /// Somebody waits for what it answers.
    is_awaited: bool,
    next_at: Option<Instant>,
    pause: Duration,
    /// A project's containers, as they were named last.
    members: Vec<String>,
    /// How often these are still looked at.
    looks_left: u32,
    proved: Option<Behind>,
}

/// What is behind the leased port.
#[derive(Debug, Clone)]
struct Behind {
    id: String,
    pid: Option<i32>,
    /// The container's own port; none where it has the machine's network.
    inside: Option<Port>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Listing,
    Looking,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proved {
    /// Not, and why.
    No(String),
    /// The engine is being asked.
    Asking,
    /// It is this instance's container, and has to be asked itself how it is.
    Yes,
    /// It is, and its image's check says that it is well.
    Healthy,
}

impl<'a> Proof<'a> {
    pub(super) fn new(contained: Contained<'a>, place: Place<'a>, port: Port) -> Self {
        Self {
            contained,
            place,
            port,
            errand: None,
            asked_at: clock::now(),
            is_awaited: false,
            next_at: None,
            pause: PAUSE_FIRST,
            members: Vec::new(),
            looks_left: 0,
            proved: None,
        }
    }

    /// The command is started anew, with another container.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.contained, self.place, self.port);
    }

    pub(super) fn is_proved(&self) -> bool {
        self.proved.is_some()
    }

    /// Why a connection through the engine's proxy would prove nothing: it is made, and kept for a second,
    /// while the container's network comes up and nobody listens in there.
    pub(super) fn is_silent(&self) -> Option<String> {
        let Behind { id, pid, inside } = self.proved.as_ref()?;
        let inside = (*inside)?;
        let listens = inside::listens((*pid)?, id, inside)?;
        (!listens).then(|| format!("nothing listens on {inside} inside its container"))
    }

    /// The question's process.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.errand.as_ref().map(|(_, errand)| errand.pid())
    }

    /// The question, to be waited for.
    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.errand.as_ref().map(|(_, errand)| errand.as_fd())
    }

    /// When the question is given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.errand.as_ref().and_then(|(_, errand)| errand.until())
    }

    /// Nobody waits for it any more. It goes on: asked anew each time, an engine that is slower than a check may
    /// take would never answer.
    pub(super) fn abandon(&mut self) {
        self.is_awaited = false;
    }

    /// Begins to look, or knows already.
    pub(super) fn begin(&mut self) -> Proved {
        if self.proved.is_some() {
            return Proved::Yes;
        }
        self.is_awaited = true;
        if self.errand.is_some() {
            return Proved::Asking;
        }
        let now = clock::now();
        if self.next_at.is_some_and(|at| now < at) {
            return Proved::No("its container is not ready".to_owned());
        }
        self.asked_at = now;
        let whose = self.contained.whose;
        let (stage, question) = match &whose.mark {
            Mark::Project(_) if self.looks_left > 0 => {
                self.looks_left -= 1;
                (Stage::Looking, looking(whose.ask(&["container", "inspect"], &self.members)))
            }
            Mark::Project(_) => (Stage::Listing, sweep::list(whose)),
            Mark::Label(_) => {
                let Some((id, _)) = engine::written_down(whose) else {
                    return Proved::No("its container is not there yet".to_owned());
                };
                (Stage::Looking, looking(whose.ask(&["container", "inspect"], &[id])))
            }
        };
        self.ask(stage, &question)
    }

    fn ask(&mut self, stage: Stage, question: &Question) -> Proved {
        match Errand::start(question, self.place) {
            Ok(errand) => {
                self.errand = Some((stage, errand));
                Proved::Asking
            }
            Err(error) => self.not_yet(format!("its engine cannot be asked: {error}")),
        }
    }

    /// Goes on. Nothing, if nobody has asked.
    pub(super) fn advance(&mut self) -> Option<Proved> {
        let proved = self.go_on()?;
        self.is_awaited.then_some(proved)
    }

    fn go_on(&mut self) -> Option<Proved> {
        let (stage, errand) = self.errand.as_mut()?;
        let stage = *stage;
        let Some(answer) = errand.advance(clock::now()) else { return Some(Proved::Asking) };
        self.errand = None;
        let whose = self.contained.whose;
        if stage == Stage::Listing {
            let ids: Vec<String> = answer.out.split_whitespace().map(str::to_owned).collect();
            if ids.is_empty() {
                return Some(self.not_yet("its containers are not there yet".to_owned()));
            }
            let question = looking(whose.ask(&["container", "inspect"], &ids));
            // The rest before the next look is as long as a look takes, and that is without this one's list.
            (self.members, self.looks_left, self.asked_at) = (ids, LOOKS_MAX, clock::now());
            return Some(self.ask(Stage::Looking, &question));
        }
        let Some(found) = facts::parse(&answer.out).filter(|found| !found.is_empty()) else {
            let why = answer.complaint.lines().last().unwrap_or("it said nothing").to_owned();
            self.looks_left = 0;
            return Some(self.not_yet(format!("{} does not know: {why}", whose.engine_name())));
        };
        Some(self.judge(&found))
    }

    fn judge(&mut self, found: &[Facts]) -> Proved {
        if !found.iter().any(|one| one.is_running) {
            return self.not_yet("its container does not run".to_owned());
        }
        let inside = |one: &Facts| {
            let published = one.published.iter().find(|(host, _)| *host == self.port);
            published.map(|(_, inside)| *inside)
        };
        let running = || found.iter().filter(|one| one.is_running);
        let reached = running().find(|one| inside(one).is_some());
        let reached = reached.or_else(|| {
            running().filter(|one| one.has_host_network).find(|one| serves(one, self.port))
        });
        let Some(reached) = reached else {
            let why = format!("its container does not publish port {}", self.port);
            return self.not_yet(why);
        };
        let (id, pid, inside) = (reached.id.clone(), reached.pid, inside(reached));
        let behind = Behind { id, pid, inside };
        if let Mark::Label(_) = self.contained.whose.mark {
            engine::write_down_name(self.contained.whose, &reached.name);
        }
        match reached.health.filter(|_| self.contained.by_health) {
            Some(Health::Starting) => self.not_yet("its image's health check runs".to_owned()),
            Some(Health::Unhealthy) => {
                self.not_yet("its image's health check says that it is unhealthy".to_owned())
            }
            Some(Health::Healthy) => {
                self.proved = Some(behind);
                Proved::Healthy
            }
            None => {
                self.proved = Some(behind);
                Proved::Yes
            }
        }
    }

    fn not_yet(&mut self, why: String) -> Proved {
        // Who is slow to answer is not asked without a rest.
        let now = clock::now();
        self.next_at = Some(now + self.pause.max(now.saturating_duration_since(self.asked_at)));
        self.pause = (self.pause * 3 / 2).min(PAUSE_MAX);
        Proved::No(why)
    }
}

fn looking(words: Vec<String>) -> Question {
    Question { words, patience: PATIENCE }
}

/// Whether a container with the machine's own network listens on the port itself.
fn serves(container: &Facts, port: Port) -> bool {
    let Some(pid) = container.pid else { return false };
    let listening = SockDiag::open().and_then(|mut kernel| kernel.listening_on(port));
    let below = tree::descendants(pid, &|_| false).unwrap_or_default();
    let pids: Vec<i32> = below.iter().map(|stat| stat.pid).chain([pid]).collect();
    listening.unwrap_or_default().iter().any(|listener| {
        // Where it may not be looked into processes, the engine's word has to do.
        owner_among(listener.inode, pids.iter().copied()) != Owner::NotThere
    })
}

//! The containers of an instance: no children of its command, so the engine is asked for them.
//!
//! One pass at a time, and the strongest wish first. What the end of the command means is told to the machine when
//! it is known what the command has left; an engine that does not answer leaves that unknown, and is asked again.

mod ends;
mod making;
mod writings;

use super::{Driver, family::Aside};
use crate::{
    container::{
        engine::{self, Errand, Place},
        sweep::{Aim, Answer, Found, Next, Sweep},
        whose::Whose,
    },
    os::{
        clock,
        wait_set::{Interest, WaitSet},
    },
    supervisor::{
        event::{End, Event, Signal, Who},
        readiness::PortSight,
    },
};
use making::Making;
use nix::unistd::Pid;
use std::{
    ffi::CString,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};
use writings::{Cut, Writings};

/// An engine that did not answer, or a container that did not end, is asked for again after this time.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// Each further wait is twice as long, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A command line whose container was killed has so long to write what it wrote last, and to end.
const MERCY: Duration = Duration::from_secs(2);

/// What is known of an instance's containers before it starts.
#[derive(Clone, Copy)]
pub struct Contained<'a> {
    /// Whose they are.
    pub whose: &'a Whose,
    /// Where what they write is kept, if it is.
    pub log: Option<BorrowedFd<'a>>,
    /// The image's own check decides on readiness, if the image has one.
    pub by_health: bool,
    /// The command returns while they run.
    pub detaches: bool,
    /// What starts a stopped one again, before its id; nothing, where there is no such thing.
    pub again: &'a [&'static str],
}

/// The containers of one instance, as its supervisor sees them.
pub(super) struct Containers<'a> {
    contained: Contained<'a>,
    place: Place<'a>,
    sight: Sight,
    pass: Option<(Sweep, Errand)>,
    next: Option<Aim>,
    /// When the next pass begins, unless one is wanted before, and with which wish.
    again: Option<(Instant, Aim)>,
    pause: Duration,
    /// The leader has ended.
    is_left_alone: bool,
    /// An end that is told when it is known what is left.
    ending: Option<(Who, End)>,
    /// What the engine answers when they end.
    word: Option<Errand>,
    /// They are gone, and the word is waited for until then.
    word_until: Option<Instant>,
    writings: Writings<'a>,
    /// They are gone, and what they wrote is waited for: what the pass that saw it wanted, and their code.
    gone: Option<(Aim, Option<i32>)>,
    /// That the engine is silent has been said.
    said_silent: bool,
    making: Making,
    /// One that has ended and was not removed.
    kept: Option<String>,
    mercy: Mercy,
    /// There was no file with an id before the start: one that is there now names what was started.
    wrote_cidfile: bool,
}

/// What was seen of them last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Unseen,
    Left,
    Gone,
    Unknown,
}

/// Whether a command line outlives its containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mercy {
    Whole,
    Until(Instant),
    Over,
}

/// What came of looking at what was asked.
#[derive(Debug, Default)]
pub(super) struct News {
    /// A pass is over with this aim and this outcome.
    found: Option<(Aim, Found)>,
    /// The engine said that they have ended.
    word: Option<Answer>,
    /// They are gone, and what they wrote was waited for.
    gone: Option<(Aim, Option<i32>)>,
    /// The command line has outlived its containers for long enough.
    kills_leader: bool,
}

impl<'a> Containers<'a> {
    pub(super) fn new(contained: Contained<'a>, place: Place<'a>) -> Self {
        Self {
            contained,
            place,
            sight: Sight::Unseen,
            pass: None,
            next: None,
            again: None,
            pause: PAUSE_FIRST,
            is_left_alone: false,
            ending: None,
            word: None,
            word_until: None,
            writings: Writings::of_start(contained.log, contained.detaches, false),
            gone: None,
            said_silent: false,
            making: Making::default(),
            kept: None,
            mercy: Mercy::Whole,
            wrote_cidfile: false,
        }
    }

    /// The command is about to be started. What is started instead of it, where its container is still there: that
    /// one again, with all that it holds.
    pub(super) fn before_start(&mut self) -> Option<Vec<CString>> {
        let Contained { whose, again, log, detaches, .. } = self.contained;
        let kept = self.kept.take().filter(|_| !again.is_empty());
        let wrote_cidfile = self.wrote_cidfile;
        *self = Self::new(self.contained, self.place);
        let Some(id) = kept else {
            // It must not be there. A user's own one goes too, if it names what this life has started before.
            engine::remove_cidfile(whose, wrote_cidfile);
            self.wrote_cidfile = !engine::has_cidfile(whose);
            return None;
        };
        self.wrote_cidfile = wrote_cidfile;
        self.writings = Writings::of_start(log, detaches, true);
        let words = whose.ask(again, &[id]);
        words.into_iter().map(|word| CString::new(word).ok()).collect()
    }

    /// Nothing is left of them.
    pub(super) fn over(&self) {
        engine::remove_cidfile(self.contained.whose, false);
    }

    /// Its questions' processes, which are no part of the instance's tree.
    pub(super) fn aside(&self, aside: &mut Aside) {
        let pass = self.pass.as_ref().map(|(_, errand)| errand);
        let asked = [pass, self.word.as_ref()].into_iter().flatten().map(Errand::pid);
        asked.chain(self.writings.pid()).for_each(|pid| aside.add(pid));
    }

    /// Whether something may be left, as far as is known.
    pub(super) fn may_be_left(&self) -> bool {
        self.sight != Sight::Gone || self.ending.is_some()
    }

    /// What is to be waited for.
    pub(super) fn wait_for<T: Copy>(&self, set: &mut WaitSet<T>, token: T) {
        let pass = self.pass.as_ref().map(|(_, errand)| errand);
        for errand in [pass, self.word.as_ref()].into_iter().flatten() {
            set.add(token, errand, Interest::Readable);
        }
        self.writings.wait_for(set, token);
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let pass = self.pass.as_ref().and_then(|(_, errand)| errand.until());
        let written = self.writings.deadline();
        let mercy = match self.mercy {
            Mercy::Until(until) => Some(until),
            Mercy::Whole | Mercy::Over => None,
        };
        let again = self.again.map(|(at, _)| at);
        [pass, again, self.word_until, written, mercy].into_iter().flatten().min()
    }

    /// Asks for a pass. A stronger wish takes the place of a weaker one, at once if that may take long.
    pub(super) fn want(&mut self, aim: Aim) {
        let unheard = self.again.take().map(|(_, unheard)| unheard);
        let aim = unheard.filter(|unheard| unheard.weight() > aim.weight()).unwrap_or(aim);
        match &self.pass {
            Some((pass, _)) if pass.aim() == aim => {}
            Some((pass, _)) if pass.aim().weight() < aim.weight() => {
                self.pass = None;
                self.begin(aim);
            }
            Some(_) => {
                let is_stronger = self.next.is_none_or(|next| next.weight() < aim.weight());
                self.next = if is_stronger { Some(aim) } else { self.next };
            }
            None => self.begin(aim),
        }
    }

    fn begin(&mut self, aim: Aim) {
        let (sweep, question) = Sweep::begin(self.contained.whose, aim);
        match Errand::start(&question, self.place) {
            Ok(errand) => self.pass = Some((sweep, errand)),
            // It is met again as unknown.
            Err(_) => self.again = Some((clock::now() + self.pause, unheard(aim))),
        }
    }

    /// Takes in what was answered, and what is due.
    fn advance(&mut self, now: Instant) -> News {
        let mut news = News::default();
        if let Some((mut sweep, mut errand)) = self.pass.take() {
            match errand.advance(now).map(|answer| sweep.step(&answer)) {
                None => self.pass = Some((sweep, errand)),
                Some(Next::Over(found)) => news.found = Some((sweep.aim(), found)),
                Some(Next::Ask(question)) => match Errand::start(&question, self.place) {
                    Ok(errand) => self.pass = Some((sweep, errand)),
                    Err(error) => {
                        let found = Found::Unknown { why: error.to_string() };
                        news.found = Some((sweep.aim(), found));
                    }
                },
            }
        }
        news.word = self.word.as_mut().and_then(|word| word.advance(now));
        if news.word.is_some() || self.word_until.is_some_and(|until| until <= now) {
            let late = self.word.take().is_some() && news.word.is_none();
            self.word_until = None;
            if late {
                let (out, complaint) = Default::default();
                news.word = Some(Answer { code: None, out, complaint });
            }
        }
        if let Some(cut) = self.writings.advance(now) {
            news.gone = self.gone.take();
            if cut == Cut::Off && news.gone.is_none() && self.sight == Sight::Left {
                self.go_on_later(Aim::Look);
            }
        }
        if matches!(self.mercy, Mercy::Until(until) if until <= now) {
            (self.mercy, news.kills_leader) = (Mercy::Over, !self.is_left_alone);
        }
        if self.pass.is_none()
            && let Some((_, aim)) = self.again.take_if(|(at, _)| *at <= now)
        {
            self.begin(aim);
        }
        news
    }

    /// The command has left these running: their end is waited for, and what they write is kept.
    fn watch(&mut self, ids: &[String]) {
        let whose = self.contained.whose;
        if self.word.is_none() {
            self.word = Errand::wait_for(&whose.ask(&["wait"], ids), self.place).ok();
        }
        self.writings.follow(whose, self.place, ids);
    }

    fn go_on_later(&mut self, aim: Aim) {
        self.again = Some((clock::now() + self.pause, aim));
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// What is still wanted where the engine has perhaps not heard it. A signal may have arrived, and is not sent twice.
fn unheard(aim: Aim) -> Aim {
    match aim {
        Aim::Stop { .. } | Aim::Kill => aim,
        Aim::Look | Aim::Signal(_) => Aim::Look,
    }
}

impl Driver<'_> {
    /// Processes below us that are no part of the tree.
    pub(super) fn aside(&self) -> Aside {
        let mut aside = self.looks.aside();
        if let Some(containers) = &self.containers {
            containers.aside(&mut aside);
        }
        aside
    }

    /// Whether containers may be left.
    pub(super) fn contains(&self) -> bool {
        self.containers.as_ref().is_some_and(Containers::may_be_left)
    }

    /// One who is aside has ended.
    pub(super) fn aside_ended(&mut self, pid: Pid) {
        if self.looks.check_pid() == Some(pid) {
            let finding = self.looks.command_ended(&mut self.family);
            self.queue.extend(finding.map(Event::CheckEnded));
        }
        self.advance_look();
        self.hear_engine();
    }

    /// Goes on with the check under way.
    pub(super) fn advance_look(&mut self) {
        let finding = self.looks.advance(&mut self.family);
        self.queue.extend(finding.map(Event::CheckEnded));
    }

    /// The leader of an instance with containers has ended: first it is seen what it has left.
    pub(super) fn leader_left(&mut self, end: End) -> bool {
        let Some(containers) = &mut self.containers else { return false };
        containers.is_left_alone = true;
        containers.writings.leader_ended();
        containers.sight = Sight::Unseen;
        containers.making.ended(end, containers.contained.whose);
        containers.ending = Some((Who::Leader, end));
        containers.want(Aim::Look);
        true
    }

    /// Passes a signal on to containers that nobody else passes it on to.
    pub(super) fn pass_on_to_containers(&mut self, signal: Signal) -> bool {
        let Some(containers) = &mut self.containers else { return false };
        containers.making.signalled(containers.contained.whose);
        if containers.is_left_alone {
            containers.want(Aim::Signal(signal.0));
        }
        containers.is_left_alone
    }

    /// Begins to stop containers in their own way. The engine knows what signal their image wants.
    pub(super) fn stop_containers(&mut self, signal: Signal) -> bool {
        let grace = self.machine.grace_left(clock::now());
        let Some(containers) = &mut self.containers else { return false };
        containers.making.signalled(containers.contained.whose);
        containers.want(match signal {
            Signal::TERM | Signal::INT => Aim::Stop { grace },
            Signal(other) => Aim::Signal(other),
        });
        true
    }

    /// Kills the tree and its containers, and says who was there. A command line that waits for its container ends
    /// with it, and has then written all that it was told.
    pub(super) fn kill_tree(&mut self) -> Vec<i32> {
        let mut is_spared = false;
        if let Some(containers) = &mut self.containers {
            containers.making.signalled(containers.contained.whose);
            containers.want(Aim::Kill);
            if containers.mercy == Mercy::Whole {
                containers.mercy = Mercy::Until(clock::now() + MERCY);
            }
            is_spared = containers.mercy != Mercy::Over && !containers.is_left_alone;
        }
        let left = match is_spared {
            true => self.family.pids(self.aside()),
            false => self.family.kill_all(self.aside()),
        };
        self.with_containers(left)
    }

    /// What is left of the tree, with its containers.
    pub(super) fn with_containers(&self, mut left: Vec<i32>) -> Vec<i32> {
        if self.contains() {
            left.push(super::family::NAMELESS);
        }
        left
    }

    /// Who serves the port of an instance with containers, after its leader's end.
    pub(super) fn containers_sight(&mut self) -> Option<PortSight> {
        let containers = self.containers.as_ref()?;
        Some(match containers.sight {
            Sight::Left | Sight::Unknown | Sight::Unseen => PortSight::Own,
            Sight::Gone => PortSight::Unserved,
        })
    }
}

impl Driver<'_> {
    /// Where questions to the engine are asked from.
    pub(super) fn place<'a>(command: &crate::os::spawn::Spawn<'a>) -> Place<'a> {
        Place { environment: command.environment, directory: command.directory }
    }
}

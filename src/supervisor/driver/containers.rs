//! The containers of an instance: no children of its command, so the engine is asked for them.
//!
//! One pass at a time, and the strongest wish first. What the end of the command means is told to the machine when
//! it is known what the command has left; an engine that does not answer leaves that unknown, and is asked again.

use super::{Driver, family::Aside};
use crate::{
    container::{
        engine::{self, Errand, Place},
        sweep::{Aim, Answer, Found, Next, Sweep},
        whose::{Mark, Whose},
    },
    os::{
        clock, process,
        wait_set::{Interest, WaitSet},
    },
    supervisor::{
        action::Progress,
        event::{End, Event, Signal, Who},
        readiness::PortSight,
    },
};
use jiff::Timestamp;
use nix::unistd::Pid;
use std::{
    ffi::CString,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

/// An engine that did not answer, or a container that did not end, is asked for again after this time.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// Each further wait is twice as long, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// That its container has ended was seen; the engine's own word, which has the exit code, may be later.
const WORD_PATIENCE: Duration = Duration::from_secs(10);
/// An engine goes on making a container whose command line was killed; so often it is looked whether it has.
const MAKING_LOOKS_MAX: u32 = 20;
/// The wait between two such looks.
const MAKING_PAUSE: Duration = Duration::from_millis(100);
/// What an end is told as when nobody knows the code: styxy failed to find out.
const CODE_UNKNOWN: i32 = 125;

/// What is known of an instance's containers before it starts.
#[derive(Clone, Copy)]
pub struct Contained<'a> {
    /// Whose they are.
    pub whose: &'a Whose,
    /// Where what they write is kept, if it is.
    pub log: Option<BorrowedFd<'a>>,
    /// The image's own check decides on readiness, if the image has one.
    pub by_health: bool,
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
    again_at: Option<Instant>,
    pause: Duration,
    /// The leader has ended.
    is_left_alone: bool,
    /// An end that is told when it is known what is left.
    ending: Option<(Who, End)>,
    /// What the engine answers when they end.
    word: Option<Errand>,
    /// They are gone, and the word is waited for until then.
    word_until: Option<Instant>,
    logs: Option<Errand>,
    /// That the engine is silent has been said.
    said_silent: bool,
    making_looks: u32,
    /// One that has ended and was not removed.
    kept: Option<String>,
    /// It was started again then; what it wrote before is in the log already.
    again_since: Option<Timestamp>,
}

/// What was seen of them last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Unseen,
    Left,
    Gone,
    Unknown,
}

/// What came of looking at what was asked.
#[derive(Debug, Default)]
pub(super) struct News {
    /// A pass is over with this aim and this outcome.
    found: Option<(Aim, Found)>,
    /// The engine said that they have ended.
    word: Option<Answer>,
}

impl<'a> Containers<'a> {
    pub(super) fn new(contained: Contained<'a>, place: Place<'a>) -> Self {
        Self {
            contained,
            place,
            sight: Sight::Unseen,
            pass: None,
            next: None,
            again_at: None,
            pause: PAUSE_FIRST,
            is_left_alone: false,
            ending: None,
            word: None,
            word_until: None,
            logs: None,
            said_silent: false,
            making_looks: 0,
            kept: None,
            again_since: None,
        }
    }

    /// The command is about to be started. What is started instead of it, where its container is still there: that
    /// one again, with all that it holds.
    pub(super) fn before_start(&mut self) -> Option<Vec<CString>> {
        let Contained { whose, again, .. } = self.contained;
        let kept = self.kept.take().filter(|_| !again.is_empty());
        *self = Self::new(self.contained, self.place);
        let Some(id) = kept else {
            // It must not be there.
            engine::remove_cidfile(whose);
            return None;
        };
        self.again_since = Some(clock::utc());
        let words = whose.ask(again, &[id]);
        words.into_iter().map(|word| CString::new(word).ok()).collect()
    }

    /// Nothing is left of them.
    pub(super) fn over(&self) {
        engine::remove_cidfile(self.contained.whose);
    }

    /// Its questions' processes, which are no part of the instance's tree.
    pub(super) fn aside(&self, aside: &mut Aside) {
        let pass = self.pass.as_ref().map(|(_, errand)| errand);
        for errand in [pass, self.word.as_ref(), self.logs.as_ref()].into_iter().flatten() {
            aside.add(errand.pid());
        }
    }

    /// Whether something may be left, as far as is known.
    pub(super) fn may_be_left(&self) -> bool {
        self.sight != Sight::Gone || self.ending.is_some()
    }

    /// What is to be waited for.
    pub(super) fn wait_for<T: Copy>(&self, set: &mut WaitSet<T>, token: T) {
        let pass = self.pass.as_ref().map(|(_, errand)| errand);
        for errand in [pass, self.word.as_ref(), self.logs.as_ref()].into_iter().flatten() {
            set.add(token, errand, Interest::Readable);
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let pass = self.pass.as_ref().and_then(|(_, errand)| errand.until());
        [pass, self.again_at, self.word_until].into_iter().flatten().min()
    }

    /// Asks for a pass. A stronger wish takes the place of a weaker one, at once if that may take long.
    pub(super) fn want(&mut self, aim: Aim) {
        self.again_at = None;
        match &self.pass {
            Some((pass, _)) if pass.aim() == aim => {}
            Some((pass, _)) if weight(pass.aim()) < weight(aim) => {
                self.pass = None;
                self.begin(aim);
            }
            Some(_) => {
                let is_stronger = self.next.is_none_or(|next| weight(next) < weight(aim));
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
            Err(_) => self.again_at = Some(clock::now() + self.pause),
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
        if self.logs.as_mut().is_some_and(|logs| logs.advance(now).is_some()) {
            self.logs = None;
        }
        if self.pass.is_none() && self.again_at.is_some_and(|at| at <= now) {
            self.again_at = None;
            self.begin(Aim::Look);
        }
        news
    }

    /// The command has left these running: their end is waited for, and what they write is kept.
    fn watch(&mut self, ids: &[String]) {
        let whose = self.contained.whose;
        if self.word.is_none() {
            self.word = Errand::wait_for(&whose.ask(&["wait"], ids), self.place).ok();
        }
        if let (None, Some(file), Mark::Label(_), Some(id)) =
            (&self.logs, self.contained.log, &whose.mark, ids.first())
        {
            let since = self.again_since.map(|since| format!("--since={since}"));
            let flags = ["logs", "--follow"].into_iter().chain(since.as_deref());
            let words = whose.ask(&flags.collect::<Vec<_>>(), std::slice::from_ref(id));
            self.logs = Errand::write_to(&words, self.place, file).ok();
        }
    }

    fn look_again(&mut self) {
        self.again_at = Some(clock::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// Which wish goes first.
fn weight(aim: Aim) -> u8 {
    match aim {
        Aim::Look => 0,
        Aim::Signal(_) => 1,
        Aim::Stop { .. } => 2,
        Aim::Kill => 3,
    }
}

/// The last code that `wait` printed: each container's on a line of its own.
fn code_of(word: &Answer) -> Option<i32> {
    word.out.split_whitespace().filter_map(|line| line.parse().ok()).next_back()
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
        containers.sight = Sight::Unseen;
        containers.ending = Some((Who::Leader, end));
        containers.want(Aim::Look);
        true
    }

    /// Passes a signal on to containers that nobody else passes it on to.
    pub(super) fn pass_on_to_containers(&mut self, signal: Signal) -> bool {
        match &mut self.containers {
            Some(containers) if containers.is_left_alone => {
                containers.want(Aim::Signal(signal.0));
                true
            }
            Some(_) | None => false,
        }
    }

    /// Begins to stop containers in their own way. The engine knows what signal their image wants.
    pub(super) fn stop_containers(&mut self, signal: Signal) -> bool {
        let grace = self.machine.grace_left(clock::now());
        let Some(containers) = &mut self.containers else { return false };
        containers.want(match signal {
            Signal::TERM | Signal::INT => Aim::Stop { grace },
            Signal(other) => Aim::Signal(other),
        });
        true
    }

    pub(super) fn kill_containers(&mut self) {
        if let Some(containers) = &mut self.containers {
            containers.want(Aim::Kill);
        }
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

    /// Takes in what the engine has answered.
    pub(super) fn hear_engine(&mut self) {
        let Some(containers) = &mut self.containers else { return };
        let News { found, word } = containers.advance(clock::now());
        if let Some((aim, found)) = found {
            self.take_in_found(aim, found);
        }
        if let (Some(word), Some(containers)) = (word, &mut self.containers) {
            // Who is silent now may have gone together with its engine: what is left is looked at.
            let code = code_of(&word).unwrap_or(CODE_UNKNOWN);
            containers.ending = containers.ending.or(Some((Who::Listener, End::Exited(code))));
            containers.sight = Sight::Unseen;
            self.family.listener = None;
            containers.want(Aim::Look);
        }
    }

    fn take_in_found(&mut self, aim: Aim, found: Found) {
        let Some(containers) = &mut self.containers else { return };
        let is_silent = matches!(found, Found::Unknown { .. });
        if !is_silent {
            (containers.pause, containers.said_silent) = (PAUSE_FIRST, false);
        }
        match found {
            Found::Gone { code, kept } => {
                containers.kept = kept;
                self.containers_gone(aim, code);
            }
            Found::Left { ids } => {
                containers.sight = Sight::Left;
                if containers.is_left_alone {
                    containers.watch(&ids);
                    if containers.word.is_none() || matches!(aim, Aim::Kill | Aim::Stop { .. }) {
                        containers.look_again();
                    }
                }
                if matches!(containers.ending, Some((Who::Listener, _))) {
                    // The engine was restarted, and they live on.
                    containers.ending = None;
                }
                let word = containers.word.as_ref().map(Errand::pid);
                self.family.listener = word.and_then(|pid| process::identify(pid.as_raw()).ok());
            }
            Found::Unknown { why } => {
                containers.sight = Sight::Unknown;
                containers.look_again();
                if !std::mem::replace(&mut containers.said_silent, true) {
                    let engine = containers.contained.whose.engine_name().to_owned();
                    self.report(&Progress::EngineSilent { engine, why });
                }
            }
        }
        self.tell_end();
        if let Some(containers) = &mut self.containers
            && containers.pass.is_none()
            && let Some(next) = containers.next.take()
        {
            containers.begin(next);
        }
    }

    fn containers_gone(&mut self, aim: Aim, code: Option<i32>) {
        let Some(containers) = &mut self.containers else { return };
        if !containers.is_left_alone {
            // Nothing was there yet: it is the command that has to end.
            if let Aim::Stop { .. } = aim {
                self.family.signal_group(Signal::TERM);
            }
            return;
        }
        if containers.word.is_some() {
            containers.word_until.get_or_insert(clock::now() + WORD_PATIENCE);
            return;
        }
        if code.is_none()
            && containers.making_looks < MAKING_LOOKS_MAX
            && engine::is_being_made(containers.contained.whose)
        {
            containers.making_looks += 1;
            containers.sight = Sight::Unseen;
            containers.again_at = Some(clock::now() + MAKING_PAUSE);
            return;
        }
        containers.sight = Sight::Gone;
        if let (Some((_, end @ End::Exited(0 | CODE_UNKNOWN))), Some(code)) =
            (&mut containers.ending, code)
        {
            // It had ended before anybody could ask to be told so.
            *end = End::Exited(code);
        }
        if containers.ending.is_none() {
            let tree_left = self.family.is_left(self.aside());
            self.queue.push_back(Event::OrphanEnded { tree_left });
        }
    }

    /// Tells an end that was waiting to be told, unless more is to be seen first.
    fn tell_end(&mut self) {
        let Some(containers) = &mut self.containers else { return };
        let waits = containers.next.is_some() || containers.sight == Sight::Unseen;
        if waits
            || (containers.sight == Sight::Unknown
                && matches!(containers.ending, Some((Who::Listener, _))))
        {
            return;
        }
        if let Some((who, end)) = containers.ending.take() {
            let tree_left = self.contains() || self.family.is_left(self.aside());
            self.queue.push_back(Event::Ended { who, end, tree_left });
        }
    }
}

impl Driver<'_> {
    /// Where questions to the engine are asked from.
    pub(super) fn place<'a>(command: &crate::os::spawn::Spawn<'a>) -> Place<'a> {
        Place { environment: command.environment, directory: command.directory }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_code_of_a_wait_counts() {
        for (out, expected) in [("0\n", Some(0)), ("3\n137\n", Some(137)), ("", None), ("x", None)]
        {
            let answer = Answer { code: Some(0), out: out.to_owned(), complaint: String::new() };
            assert_eq!(code_of(&answer), expected, "{out}");
        }
    }

    #[test]
    fn a_stronger_wish_goes_first() {
        let stop = Aim::Stop { grace: Duration::ZERO };
        let weights = [Aim::Look, Aim::Signal(1), stop, Aim::Kill].map(weight);
        assert!(weights.is_sorted());
    }
}

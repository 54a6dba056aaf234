//! What the engine has answered, and what it means: that containers are gone, that some are left, or that nobody
//! knows. The end of a command is told when it is known what it has left.

use super::{News, PAUSE_FIRST, Sight, unheard};
use crate::{
    container::{
        engine::Errand,
        sweep::{Aim, Found},
    },
    os::{clock, process},
    supervisor::{
        action::Progress,
        driver::Driver,
        event::{End, Event, Signal, Who},
        machine::Phase,
    },
};
use std::time::Duration;

/// That its container has ended was seen; the engine's own word, which has the exit code, may be later.
const WORD_PATIENCE: Duration = Duration::from_secs(10);
/// What an end is told as when nobody knows the code: styxy failed to find out.
const CODE_UNKNOWN: i32 = 125;

impl Driver<'_> {
    /// Takes in what the engine has answered.
    pub(in crate::supervisor::driver) fn hear_engine(&mut self) {
        let Some(containers) = &mut self.containers else { return };
        let News { found, word, gone, kills_leader } = containers.advance(clock::now());
        if kills_leader {
            self.family.kill_all(self.aside());
        }
        if let Some((aim, code)) = gone {
            self.containers_gone(aim, code);
            self.go_on_with_containers();
        }
        if let Some((aim, found)) = found {
            self.take_in_found(aim, found);
        }
        if let (Some(word), Some(containers)) = (word, &mut self.containers) {
            // Who is silent now may have gone together with its engine: what is left is looked at.
            let code = word.last_code().unwrap_or(CODE_UNKNOWN);
            containers.ending = containers.ending.or(Some((Who::Listener, End::Exited(code))));
            containers.sight = Sight::Unseen;
            self.family.listener = None;
            containers.want(Aim::Look);
        }
    }

    fn take_in_found(&mut self, aim: Aim, found: Found) {
        let Some(containers) = &mut self.containers else { return };
        containers.gone = None;
        let is_silent = matches!(found, Found::Unknown { .. });
        if !is_silent {
            (containers.pause, containers.said_silent) = (PAUSE_FIRST, false);
        }
        match found {
            Found::Gone { code, kept } => {
                (containers.kept, containers.again) = (kept, None);
                self.containers_gone(aim, code);
            }
            Found::Left { ids } => {
                containers.sight = Sight::Left;
                if containers.is_left_alone {
                    containers.watch(&ids);
                    match aim {
                        Aim::Kill => containers.go_on_later(aim),
                        Aim::Stop { .. } => containers.go_on_later(Aim::Look),
                        Aim::Look | Aim::Signal(_) if containers.word.is_none() => {
                            containers.go_on_later(Aim::Look);
                        }
                        Aim::Look | Aim::Signal(_) => {}
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
                containers.go_on_later(unheard(aim));
                if !std::mem::replace(&mut containers.said_silent, true) {
                    let engine = containers.contained.whose.engine_name().to_owned();
                    self.report(&Progress::EngineSilent { engine, why });
                }
            }
        }
        self.go_on_with_containers();
    }

    /// After a pass: tells what is to be told, and begins the next one.
    fn go_on_with_containers(&mut self) {
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
            && let Some(at) = containers.making.look_again(containers.contained.whose)
        {
            containers.sight = Sight::Unseen;
            containers.again = Some((at, Aim::Look));
            return;
        }
        let is_stopping = matches!(self.machine.phase(), Phase::Stopping | Phase::Stuck);
        let (whose, kept) = (containers.contained.whose, containers.kept.as_ref());
        if !containers.writings.finish(whose, containers.place, kept, is_stopping) {
            (containers.sight, containers.gone) = (Sight::Unseen, Some((aim, code)));
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

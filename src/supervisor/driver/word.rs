//! What the program says of itself by sd_notify, and whether it may.
//!
//! Only who is in the instance's tree at that moment is believed. A sender that has ended already cannot be
//! known any more; `systemd-notify` and whoever else sends a barrier waits until it was heard.

use super::Driver;
use crate::{
    os::{notify::Message, process},
    supervisor::event::Event,
};

/// So many messages are heard before something else has its turn.
const MESSAGES_MAX: usize = 16;

impl Driver<'_> {
    /// Hears what was said by now.
    pub(super) fn listen(&mut self) {
        for _ in 0..MESSAGES_MAX {
            match self.setup.notify.map(|socket| socket.receive()) {
                Some(Ok(Some(message))) => self.hear(message),
                Some(Ok(None) | Err(_)) | None => return,
            }
        }
    }

    fn hear(&mut self, message: Message) {
        let Message { sender, saying } = message;
        let Some(sender) = sender.filter(|_| !saying.is_empty()) else { return };
        let family = self.family.pids(self.aside());
        if !family.contains(&sender) {
            return;
        }
        if let Some(main) = saying.main_pid.filter(|main| family.contains(main)) {
            self.family.main = process::identify(main).ok();
        }
        if saying.status.is_some() {
            self.looks.insight.status = saying.status;
        }
        self.queue.extend(saying.more_time.map(Event::MoreTime));
        self.queue.extend(saying.ready.then_some(Event::SaidReady));
        self.queue.extend(saying.stopping.then_some(Event::SaidStopping));
    }
}

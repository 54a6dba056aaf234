//! A calm line at a terminal that shows what is waited for, as long as it takes.

use super::{arguments::Session, output};
use crate::operations::vigil::Watcher;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    cell::RefCell,
    io::{self, IsTerminal},
};

/// What turns, and what stands there at the end.
const TURNS: &[&str] = &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", " "];
/// The same where only ASCII can be shown.
const TURNS_ASCII: &[&str] = &["|", "/", "-", "\\", " "];

/// A spinner on stderr; none where nobody would see it turn. What is over at once never shows one.
pub(super) struct Spinner {
    bar: Option<ProgressBar>,
    /// What is waited for, until the next beat shows it.
    next: RefCell<Option<String>>,
}

impl Spinner {
    /// Nothing is shown before the wait has lasted for a moment.
    pub(super) fn new(session: &Session) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        let is_seen = io::stderr().is_terminal() && !is_dumb;
        if !is_seen || session.quiet || session.json || session.verbose {
            return Self { bar: None, next: RefCell::default() };
        }
        let turns = if output::is_unicode() { TURNS } else { TURNS_ASCII };
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}")
            .expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
            .with_style(style.tick_strings(turns))
            .with_message("starting");
        Self { bar: Some(bar), next: RefCell::default() }
    }

    /// For who waits, if anybody sees it.
    pub(super) fn watcher(&self) -> Option<&dyn Watcher> {
        self.bar.as_ref().map(|_| self as &dyn Watcher)
    }

    /// Says something that stays, above it.
    pub(super) fn aside(&self, say: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watcher for Spinner {
    fn waits_for(&self, what: &str) {
        self.next.replace(Some(output::visible(what).into_owned()));
    }

    fn beat(&self) {
        if let Some(bar) = &self.bar {
            if let Some(next) = self.next.take() {
                bar.set_message(next);
            }
            bar.tick();
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.clear();
    }
}

//! Waiting for children to end, to stop, or to go on.

use super::current;
use super::stop::Change;
use super::tree::{self, NoChild, Reaped, Selector};

/// Why a wait ended without a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitError {
    /// There is no child that it could be for.
    NoChild,
    /// A signal came first.
    Interrupted,
}

/// What happened to a child.
pub enum Event {
    /// It ended, and is forgotten.
    Ended(Reaped),
    /// It lives.
    Changed {
        /// Its number.
        pid: u32,
        /// What happened.
        change: Change,
    },
}

/// What a wait is to tell besides the end of children.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Interest {
    /// That they stopped.
    pub stopped: bool,
    /// That they go on.
    pub continued: bool,
}

/// Returns what happened to a child, or `None` if there is nothing yet and the caller does not want to sleep.
pub fn wait(
    selector: Selector,
    interest: Interest,
    sleeps: bool,
) -> Result<Option<Event>, WaitError> {
    let process = current();
    let attempt = || match tree::reap(process.pid(), selector) {
        Ok(Some(reaped)) => Ok(Some(Event::Ended(reaped))),
        Ok(None) => Ok(tree::take_change(process.pid(), selector, interest)
            .map(|(pid, change)| Event::Changed { pid, change })),
        Err(NoChild) => Err(NoChild),
    };
    if !sleeps {
        return attempt().map_err(|NoChild| WaitError::NoChild);
    }
    let outcome = process
        .child_changed
        .wait_for_interruptible(|| attempt().transpose());
    match outcome {
        Ok(event) => event.map(Some).map_err(|NoChild| WaitError::NoChild),
        Err(_) => Err(WaitError::Interrupted),
    }
}

impl Interest {
    pub(super) fn wants(self, change: Change) -> bool {
        match change {
            Change::Stopped(_) => self.stopped,
            Change::Continued => self.continued,
        }
    }
}

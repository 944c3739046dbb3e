//! Waiting for children to end, to stop, or to go on.

use super::current;
use super::tree::{Event, Look, NoChild, Outcome, children};
use crate::fs::file::Readiness;

/// Why a wait ended without a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitError {
    /// There is no child that it could be for.
    NoChild,
    /// A signal came first.
    Interrupted,
}

/// Returns what happened to a child, or `None` if there is nothing yet and the caller does not want to sleep.
pub fn wait(look: &Look, sleeps: bool) -> Result<Option<Event>, WaitError> {
    let attempt = || children::look(look).map(|found| found.inspect(|event| tell(look, event)));
    if !sleeps {
        return attempt().map_err(|NoChild| WaitError::NoChild);
    }
    let outcome = current()
        .child_changed
        .wait_for_interruptible(|| attempt().transpose());
    match outcome {
        Ok(event) => event.map(Some).map_err(|NoChild| WaitError::NoChild),
        Err(_) => Err(WaitError::Interrupted),
    }
}

/// Tells those who poll a descriptor of a child that it is forgotten now.
fn tell(look: &Look, event: &Event) {
    if !look.keeps && matches!(event.outcome, Outcome::Ended(_)) {
        event.process.watchers.notify(Readiness::HANG_UP);
    }
}

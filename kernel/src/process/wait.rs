//! Waiting for children to end.

use super::current;
use super::tree::{self, NoChild, Reaped, Selector};

/// Why a wait ended without a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitError {
    /// There is no child that it could be for.
    NoChild,
    /// The process has to end itself.
    Interrupted,
}

/// Returns a child that ended, or `None` if there is none yet and the caller does not want to sleep.
pub fn wait(selector: Selector, sleeps: bool) -> Result<Option<Reaped>, WaitError> {
    let process = current();
    let attempt = || tree::reap(process.pid(), selector);
    if !sleeps {
        return attempt().map_err(|NoChild| WaitError::NoChild);
    }
    let outcome = process
        .child_changed
        .wait_for_interruptible(|| attempt().transpose());
    match outcome {
        Ok(reaped) => reaped.map(Some).map_err(|NoChild| WaitError::NoChild),
        Err(_) => Err(WaitError::Interrupted),
    }
}

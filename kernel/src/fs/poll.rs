//! Waiting for several files at once.
//!
//! All who poll sleep in one queue, and every change of any file's readiness wakes them all to look
//! again. That costs a look for each poller; in return no file keeps a list of who polls it.

use super::file::Readiness;
use crate::locks::{Interrupted, WaitQueue};
use crate::time;

static POLLERS: WaitQueue = WaitQueue::new();

/// Tells those who poll that some file's readiness may have changed.
pub fn changed() {
    POLLERS.wake_all();
}

/// Sleeps until `look` finds something, or `deadline` (ns since boot; `None` for never) has passed.
///
/// `look` is called on the way to sleep: it takes spin locks only. Returns whether it found something.
pub fn wait(deadline: Option<u64>, mut look: impl FnMut() -> bool) -> Result<bool, Interrupted> {
    if look() {
        return Ok(true);
    }
    let is_over = || deadline.is_some_and(|deadline| time::now_ns() >= deadline);
    let _timer = deadline.map(time::wake_at);
    let mut found = false;
    POLLERS.wait_until_interruptible(|| {
        found = look();
        found || is_over()
    })?;
    Ok(found)
}

/// Returns which of the `wanted` events hold; errors and hang-ups are always told.
pub fn events(readiness: Readiness, wanted: Readiness) -> Readiness {
    readiness & (wanted | Readiness::ERROR | Readiness::HANG_UP)
}

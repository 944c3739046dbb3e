//! What a kernel thread asks about itself.
//!
//! A wait that can be interrupted ([`crate::locks::WaitQueue::wait_until_interruptible`],
//! `time::sleep_until`) ends for a kernel thread as soon as somebody wants it stopped or parked, and does not
//! begin before that was looked at: the queue asks after it has marked the task as blocked. So a body that
//! waits in this way sleeps through nothing. [`serve`] is the loop most threads need.

use ::kthread::{ParkStep, State};

use super::control;
use crate::locks::Interrupted;
use crate::sched;
use crate::task::current;

/// Whether the owner wants this kernel thread to end.
pub fn should_stop() -> bool {
    control(&current()).state().should_stop()
}

/// Whether the owner wants this kernel thread to park.
pub fn should_park() -> bool {
    control(&current()).state().should_park()
}

/// Sleeps, parked, until unpark or stop; returns at once if nobody wants that.
pub fn parkme() {
    let task = current();
    let control = control(&task);
    loop {
        sched::prepare_to_park();
        match control.change(State::park_step) {
            ParkStep::Sleep => {
                control.changed().wake_all();
                sched::schedule();
            }
            ParkStep::GoOn => return sched::cancel_sleep(),
        }
    }
}

/// Takes turns until the owner stops this thread, and parks in between when that is wanted.
///
/// A turn waits interruptibly for something to do and does it.
pub fn serve(mut turn: impl FnMut() -> Result<(), Interrupted>) {
    while !should_stop() {
        if should_park() {
            parkme();
        } else {
            // Interrupted: called for one of the two.
            let _ = turn();
        }
    }
}

//! Input from the serial port: taken in the interrupt, worked on in a thread, since it may send signals.

use crate::fs::tty::serial;
use crate::locks::Once;
use crate::workqueue::{Work, WorkRef, queue_work};

static WORK: Once<WorkRef> = Once::new();

/// Prepares for input; before this it only waits.
pub fn init() {
    WORK.call_once(|| Work::new(serial::work));
    serial::work();
}

/// Takes what came.
pub(super) fn interrupt() {
    if let (true, Some(work)) = (serial::interrupt(), WORK.get()) {
        queue_work(work);
    }
}

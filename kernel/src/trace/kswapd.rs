//! kswapd: a kernel thread that fetches clean pages back before programs have to.
//!
//! It wakes when fewer frames are free than the low mark and works until there are as many as the high mark
//! (`mm::watermark`). It takes only what is not in use: pages that nobody has mapped, and mapped ones that were not
//! touched since its last round. What programs need all the time is left to those who find no frame at all.
//! There is no swap and no disk: pages that were written to stay where they are.

use watermark::{Effort, Next};

use crate::locks::Interrupted;
use crate::mm::counters::{KSWAPD_RECLAIMED, KSWAPD_WAKES};
use crate::mm::frame::{self, Owner};
use crate::mm::{reclaim, watermark as marks};
use crate::time;

/// How long it rests when there is nothing to be had.
const REST_NS: u64 = 250_000_000;

/// One turn: waits for the low mark and works up to the high one.
pub fn turn() -> Result<(), Interrupted> {
    marks::wait_until_low()?;
    KSWAPD_WAKES.inc();
    let mut effort = Effort::new();
    loop {
        match effort.next(frame::count(Owner::Free), marks::marks()) {
            Next::Sleep => return Ok(()),
            Next::GiveUp => return time::sleep_until(time::now_ns() + REST_NS),
            Next::Reclaim(wanted) => {
                let freed = reclaim::reclaim_idle(wanted);
                KSWAPD_RECLAIMED.add(freed as i64);
                effort.note(freed);
            }
        }
    }
}

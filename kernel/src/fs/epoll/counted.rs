//! How many watches there may be.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use addr::PAGE_SIZE;

use crate::mm::frame;

/// How many watches there are.
static WATCHES: AtomicUsize = AtomicUsize::new(0);
/// What a watch takes, with its places in lists.
const WATCH_BYTES: u64 = 320;

/// One of the watches that there may be: all together take a twenty-fifth of memory at most, as on Linux.
pub(super) struct Counted;

impl Counted {
    /// Counts one more, if there may be one.
    pub(super) fn new() -> Option<Self> {
        let most = frame::total() * PAGE_SIZE / 25 / WATCH_BYTES;
        let more = |count| (count < most as usize).then_some(count + 1);
        WATCHES.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Self)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Relaxed);
    }
}

//! How long an mm outlives its users because somebody borrows it (LZ-8).

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::counters::{MM_PINNED, MM_PINNED_US};
use crate::arch::timer;

/// When an mm lost its last user; 0 while it has one.
#[derive(Default)]
pub(super) struct Pinned(AtomicU64);

impl Pinned {
    /// Notes that the last user has gone, and that others still hold the mm.
    pub(super) fn begin(&self) {
        self.0.store(timer::now_ns().max(1), Relaxed);
    }

    /// Counts what the mm was held for, if it was.
    pub(super) fn end(&self) {
        let since = self.0.load(Relaxed);
        if since != 0 {
            MM_PINNED.inc();
            MM_PINNED_US.add((timer::now_ns().saturating_sub(since) / 1000) as i64);
        }
    }
}

//! A limit on lines that programs can cause at will.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How long a window lasts, in ns.
const WINDOW: u64 = 5_000_000_000;

/// Lets so many lines through in five seconds, and counts the rest.
pub struct RateLimit {
    burst: u64,
    /// When the window began, in ns since boot.
    began: AtomicU64,
    asked: AtomicU64,
}

/// What a line is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allowed {
    /// Not to be printed.
    No,
    /// To be printed.
    Yes,
    /// To be printed, after so many that were not.
    After(u64),
}

impl RateLimit {
    /// Makes a limit of `burst` lines in a window.
    pub const fn new(burst: u64) -> Self {
        Self {
            burst,
            began: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        }
    }

    /// Asks for a line at time `now`. Two who ask at once may both begin a window: a line more does no harm.
    pub fn ask(&self, now: u64) -> Allowed {
        let mut suppressed = 0;
        if now.saturating_sub(self.began.load(Relaxed)) >= WINDOW {
            self.began.store(now, Relaxed);
            suppressed = self.asked.swap(0, Relaxed).saturating_sub(self.burst);
        }
        match self.asked.fetch_add(1, Relaxed) {
            before if before >= self.burst => Allowed::No,
            _ if suppressed > 0 => Allowed::After(suppressed),
            _ => Allowed::Yes,
        }
    }
}

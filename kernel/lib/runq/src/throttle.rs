//! What real-time tasks leave to the others: a twentieth of each second.

/// Over how long real-time tasks are measured.
pub const PERIOD_NS: u64 = 1_000_000_000;
/// How much of that they may use while fair tasks wait.
pub const RUNTIME_NS: u64 = 950_000_000;

/// The real-time account of a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    period_began: u64,
    used: u64,
}

impl Throttle {
    /// Makes an account that nobody has drawn on.
    pub const fn new() -> Self {
        Self {
            period_began: 0,
            used: 0,
        }
    }

    /// Notes that a real-time task ran for `ns` until `now`.
    pub fn ran(&mut self, ns: u64, now: u64) {
        if self.period_over(now) {
            self.period_began = now;
            self.used = 0;
        }
        self.used = self.used.saturating_add(ns);
    }

    /// Returns whether fair tasks that wait go first at `now`.
    pub fn is_used_up(&self, now: u64) -> bool {
        self.used >= RUNTIME_NS && !self.period_over(now)
    }

    fn period_over(&self, now: u64) -> bool {
        now.saturating_sub(self.period_began) >= PERIOD_NS
    }
}

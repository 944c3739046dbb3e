//! A timer that counts how often it has expired.
//!
//! It is counted when somebody asks: between two questions nothing has to happen, however short the interval is.

/// A timer; times are ns of one clock that never goes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IntervalTimer {
    /// When it expires next, if it does.
    next: Option<u64>,
    /// From each expiration to the next; 0 for once.
    interval: u64,
    /// Expirations that nobody has taken.
    count: u64,
}

impl IntervalTimer {
    /// Sets it: it expires at `first`, if at all, and again after each `interval` if that is not 0.
    pub fn set(&mut self, first: Option<u64>, interval: u64) {
        *self = Self {
            next: first,
            interval: if first.is_some() { interval } else { 0 },
            count: 0,
        };
    }

    /// Returns when it expires next, as far as it has been counted.
    pub const fn next(&self) -> Option<u64> {
        self.next
    }

    /// Counts what has expired up to `now` and returns how often that was since it was last taken.
    pub fn count(&mut self, now: u64) -> u64 {
        if let Some(next) = self.next
            && next <= now
        {
            let (times, following) = match (now - next).checked_div(self.interval) {
                None => (1, None),
                Some(missed) => {
                    let times = missed + 1;
                    let step = self.interval.checked_mul(times);
                    (times, step.and_then(|step| next.checked_add(step)))
                }
            };
            self.count = self.count.saturating_add(times);
            self.next = following;
        }
        self.count
    }

    /// Takes the expirations up to `now`.
    pub fn take(&mut self, now: u64) -> u64 {
        self.count(now);
        core::mem::take(&mut self.count)
    }

    /// Returns how long it is from `now` to the next expiration (0 for never), and the interval.
    pub fn setting(&mut self, now: u64) -> (u64, u64) {
        self.count(now);
        let rest = self.next.map_or(0, |next| next - now);
        (rest, self.interval)
    }
}

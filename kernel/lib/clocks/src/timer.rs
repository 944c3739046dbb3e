//! An interval timer of POSIX: it rings at a time and then again and again, but tells no second ring before the first was heard.
//!
//! The signal of a ring waits until its process takes it; what would have rung meanwhile is counted as *overruns*, and the timer
//! is set for the next time only then. So a short interval cannot do more than keep its own process busy.

/// A timer; times are ns of the clock that it is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timer {
    /// When it rings, or rang.
    at: u64,
    armed: bool,
    /// Whether it has rung and is set anew once that was heard.
    waits: bool,
    interval: u64,
    /// Rings that nobody heard since the last that was.
    overruns: u64,
}

/// How a timer is set, in ns; as a default, off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Setting {
    /// Until it rings (or when, if that is said); 0 for never.
    pub value: u64,
    /// From each ring to the next; 0 for once.
    pub interval: u64,
}

/// The most overruns that are told.
pub const MOST_OVERRUNS: u64 = i32::MAX as u64;

impl Timer {
    /// Sets it anew; `at` is when it rings first, `None` for never.
    pub fn set(&mut self, at: Option<u64>, interval: u64) {
        *self = Self {
            at: at.unwrap_or(0),
            armed: at.is_some(),
            waits: false,
            interval: if at.is_some() { interval } else { 0 },
            overruns: 0,
        };
    }

    /// Returns what is left at `now`. One that waits to be heard is told as if it went on; `silent` for one that tells nobody.
    pub fn setting(&self, now: u64, silent: bool) -> Setting {
        let interval = self.interval;
        let next = match (self.armed, interval) {
            (true, 0) if silent && self.at <= now => None,
            (true, 1..) if self.at <= now => Some(self.next_after(now)),
            (true, _) => Some(self.at),
            (false, 1..) if self.waits => Some(self.next_after(now)),
            _ => None,
        };
        Setting {
            // What has yet to ring is never told as off.
            value: next.map_or(0, |at| at.saturating_sub(now).max(1)),
            interval,
        }
    }

    /// Returns when it rings.
    pub fn rings_at(&self) -> Option<u64> {
        self.armed.then_some(self.at)
    }

    /// Notes that it rings, and says whether it really does: it may have been set anew meanwhile.
    pub fn ring(&mut self, now: u64) -> bool {
        let rings = self.armed && self.at <= now;
        if rings {
            self.armed = false;
            self.waits = self.interval != 0;
        }
        rings
    }

    /// Returns whether it has rung, that was not heard, and it goes on once it is.
    pub fn is_unheard(&self) -> bool {
        self.waits
    }

    /// The ring was heard: sets it for the next time after `now`, and returns how many rings went unheard in between.
    pub fn heard(&mut self, now: u64) -> u64 {
        self.overruns = 0;
        if self.waits {
            let next = self.next_after(now);
            self.overruns = ((next - self.at) / self.interval).saturating_sub(1);
            self.at = next;
            self.armed = true;
            self.waits = false;
        }
        self.overruns()
    }

    /// Returns the overruns of the ring that was heard last.
    pub fn overruns(&self) -> u64 {
        self.overruns.min(MOST_OVERRUNS)
    }

    /// The first time after `now` that is whole intervals after the last ring.
    fn next_after(&self, now: u64) -> u64 {
        let missed = now.saturating_sub(self.at) / self.interval;
        let step = self.interval.saturating_mul(missed + 1);
        self.at.saturating_add(step)
    }
}

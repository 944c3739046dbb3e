//! The timer behind `alarm` and `ITIMER_REAL`: when it rings, and when it rings again.
//!
//! It rings once. Only when the process takes the SIGALRM is it set for the next time, so that one whose
//! interval is shorter than its handler cannot do more than keep its own process busy.

/// A timer of a process; times are ns since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AlarmTimer {
    /// When it rings, or rang.
    at: u64,
    armed: bool,
    interval: u64,
}

/// How a timer is set, or what is left of it, in ns; as a default, off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AlarmSetting {
    /// From now until it rings; 0 for never.
    pub value: u64,
    /// From each ring to the next; 0 for once.
    pub interval: u64,
}

/// The least that is told of a timer that has yet to ring: 1 µs.
const LEAST_TOLD: u64 = 1000;
const SECOND: u64 = 1_000_000_000;

impl AlarmTimer {
    /// Sets it anew and returns what was left.
    pub fn set(&mut self, now: u64, to: AlarmSetting) -> AlarmSetting {
        let before = self.setting(now);
        *self = match to.value {
            0 => Self::default(),
            value => Self {
                at: now.saturating_add(value),
                armed: true,
                interval: to.interval,
            },
        };
        before
    }

    /// Returns what is left.
    pub fn setting(&self, now: u64) -> AlarmSetting {
        AlarmSetting {
            value: match self.armed {
                true => self.at.saturating_sub(now).max(LEAST_TOLD),
                false => 0,
            },
            interval: self.interval,
        }
    }

    /// Returns when it rings.
    pub fn rings_at(&self) -> Option<u64> {
        self.armed.then_some(self.at)
    }

    /// Notes that it rings, and says whether it really does: it may have been set anew meanwhile.
    pub fn ring(&mut self, now: u64) -> bool {
        let rings = self.armed && self.at <= now;
        self.armed &= !rings;
        rings
    }

    /// The signal was taken: sets it for the first time after `now` that is whole intervals after its last ring.
    pub fn taken(&mut self, now: u64) {
        if self.armed || self.interval == 0 {
            return;
        }
        let missed = now.saturating_sub(self.at) / self.interval;
        let step = self.interval.saturating_mul(missed + 1);
        self.at = self.at.saturating_add(step);
        self.armed = true;
    }
}

impl AlarmSetting {
    /// Returns the seconds that `alarm` tells of it: rounded, but never to 0 while there is something left.
    pub const fn seconds(self) -> u64 {
        let seconds = self.value / SECOND;
        let rest = self.value % SECOND;
        if rest >= SECOND / 2 || (seconds == 0 && rest > 0) {
            seconds + 1
        } else {
            seconds
        }
    }
}

//! When a CPU or a task has stood still for too long, as seen by somebody who looks now and then.
//!
//! A watcher remembers since when what it looks at has been the same, and says once that this was too
//! long. What is looked at is told apart by a *turn*: any number that changes when there was progress.
//! The time counts from the first look, so that a watcher never says more than it has seen.
#![no_std]
#![forbid(unsafe_code)]

/// Watches one thing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Watch {
    /// What stands still, since when in ns, and whether that was said.
    still: Option<Still>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Still {
    turn: u64,
    since: u64,
    told: bool,
}

impl Watch {
    /// A watcher that has seen nothing.
    pub const fn new() -> Self {
        Self { still: None }
    }

    /// Looks at time `now` in ns: `waits` tells that there should be progress, `turn` whether there was.
    ///
    /// Returns for how long there was none, once, when that is `limit` ns or more; never if it is 0.
    pub fn look(&mut self, now: u64, waits: bool, turn: u64, limit: u64) -> Option<u64> {
        let Some(still) = self
            .still
            .as_mut()
            .filter(|still| waits && still.turn == turn)
        else {
            self.still = waits.then_some(Still {
                turn,
                since: now,
                told: false,
            });
            return None;
        };
        let lasted = now.saturating_sub(still.since);
        let tell = limit > 0 && lasted >= limit && !still.told;
        still.told |= tell;
        tell.then_some(lasted)
    }

    /// Whether it has said that what it sees has stood still for too long.
    pub fn has_told(&self) -> bool {
        self.still.is_some_and(|still| still.told)
    }
}

/// Watches the clock of a CPU from outside: it was to ring at a time that has passed, and did not.
///
/// The looks are counted besides the time, because a machine may stand still as a whole (its emulator is stopped): then the next
/// look finds much time gone, but it is one look only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Silence {
    overdue: Option<Overdue>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Overdue {
    /// When the clock was to ring, in ns.
    at: u64,
    /// When it was first seen that it had not.
    since: u64,
    /// When a look last counted.
    counted: u64,
    looks: u32,
    told: bool,
}

/// How many looks must have seen the same.
pub const LOOKS: u32 = 4;
/// How many looks there may be within the limit: one that comes sooner does not count.
const LOOKS_IN_LIMIT: u64 = 8;

impl Silence {
    /// A watcher that has seen nothing.
    pub const fn new() -> Self {
        Self { overdue: None }
    }

    /// Looks at time `now` in ns at a clock that rings next at `rings`, `u64::MAX` for never.
    ///
    /// Returns for how long it should have, once, when that was seen by [`LOOKS`] looks or more for `limit` ns or more; never if
    /// that is 0.
    pub fn look(&mut self, now: u64, rings: u64, limit: u64) -> Option<u64> {
        if rings >= now {
            self.overdue = None;
            return None;
        }
        let Some(overdue) = self.overdue.as_mut().filter(|overdue| overdue.at == rings) else {
            self.overdue = Some(Overdue {
                at: rings,
                since: now,
                counted: now,
                looks: 1,
                told: false,
            });
            return None;
        };
        if now.saturating_sub(overdue.counted) >= limit / LOOKS_IN_LIMIT {
            overdue.counted = now;
            overdue.looks = overdue.looks.saturating_add(1);
        }
        let lasted = now.saturating_sub(overdue.since);
        let tell = limit > 0 && lasted >= limit && overdue.looks >= LOOKS && !overdue.told;
        overdue.told |= tell;
        tell.then(|| now - rings)
    }
}

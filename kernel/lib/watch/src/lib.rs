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
